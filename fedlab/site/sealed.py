"""A site's table on its disk, encrypted: AES-256-GCM in chunks, the key kept elsewhere.

Every chunk is bound to the site, the file, its own place and the number of all chunks, so that none
can be left out, repeated, moved, or taken from another file. Nothing but ciphertext is written.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fedlab.errors import DataError
from fedlab.privacy.secure.agreement import derive
from fedlab.queries.audit_head import labelled

__all__ = ["ENVIRONMENT", "make_key", "read_key", "read_sealed", "write_sealed"]

ENVIRONMENT = "FEDLAB_SITE_KEY"
"""Variable in which the key is looked for, as 64 hexadecimal digits, where none is passed."""

MAGIC = b"fedlab sealed 1\n"
CHUNK = 1 << 20
KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
MOST_HEAD_BYTES = 4096


class _Head(msgspec.Struct, frozen=True, array_like=True):
    """What stands before the chunks, in clear, and is authenticated with each of them."""

    site: str
    file: bytes
    chunks: int
    size: int


def make_key(path: str | Path) -> None:
    """Write a fresh key to a file that only its owner can read. Keep it outside the home.

    Raises
    ------
    DataError
        When the file is there already: what was sealed with its key would be lost.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise DataError(
            "A key goes to a file that is not there yet.",
            type(error).__name__,
            "Pass another path; never overwrite a key that something is sealed with.",
        ) from None
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_key(key: str | Path | None, home: Path, site: str) -> bytes:
    """The 32 bytes of a key, from a file or the environment.

    Raises
    ------
    DataError
        When there is none, it is not 64 hexadecimal digits, others may read its file, or the file
        lies in the home that it is to protect.
    """
    if key is None:
        text = os.environ.get(ENVIRONMENT, "")
    else:
        path = Path(key)
        if path.resolve().is_relative_to(home.resolve()):
            raise _unusable_key("a file in the site's home", site)
        try:
            mode, text = path.stat().st_mode, path.read_text("ascii").strip()
        except (OSError, UnicodeError) as error:
            raise _unusable_key(type(error).__name__, site) from None
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise _unusable_key(f"a file of mode {stat.S_IMODE(mode):04o}", site)
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != KEY_BYTES:
        raise _unusable_key("none" if not text else "something else", site)
    return found


def _unusable_key(came: str, site: str) -> DataError:
    return DataError(
        f"The key of a home is a file of {2 * KEY_BYTES} hexadecimal digits outside of it that "
        f"only its owner can read, or is in {ENVIRONMENT}.",
        came,
        "Make one with fl.site.make_key(path), and pass key=path.",
        site=site,
    )


def write_sealed(path: Path, key: bytes, site: str, data: bytes) -> None:
    """Encrypt `data` into a file, whole or not at all.

    Parameters
    ----------
    path : Path
    key : bytes
        Of length 32; each file has a key of its own that is derived from it.
    site : str
    data : bytes
    """
    chunks = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)] or [b""]
    head = _Head(site, secrets.token_bytes(KEY_BYTES), len(chunks), len(data))
    front = msgspec.msgpack.encode(head)
    cipher = _cipher(key, head)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(MAGIC + len(front).to_bytes(4, "big") + front)
            for place, chunk in enumerate(chunks):
                nonce = secrets.token_bytes(NONCE_BYTES)
                file.write(nonce + cipher.encrypt(nonce, chunk, _context(front, place)))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def read_sealed(path: Path, key: bytes) -> tuple[str, bytes]:
    """The site and the data of a file that `write_sealed` wrote.

    Raises
    ------
    DataError
        When it is missing, was cut, or a byte was changed; when a chunk is from elsewhere; when it
        was sealed with another key.
    """
    try:
        sealed = path.read_bytes()
    except OSError as error:
        raise _unreadable(type(error).__name__) from None
    start = len(MAGIC) + 4
    size = int.from_bytes(sealed[len(MAGIC) : start], "big")
    if not sealed.startswith(MAGIC) or not size <= MOST_HEAD_BYTES:
        raise _unreadable("a file of another kind")
    front, body = sealed[start : start + size], memoryview(sealed)[start + size :]
    try:
        head = msgspec.msgpack.decode(front, type=_Head)
        cipher = _cipher(key, head)
        step = NONCE_BYTES + CHUNK + TAG_BYTES
        parts = []
        for place in range(-(-len(body) // step)):
            chunk = bytes(body[place * step : (place + 1) * step])
            nonce, text = chunk[:NONCE_BYTES], chunk[NONCE_BYTES:]
            parts.append(cipher.decrypt(nonce, text, _context(front, place)))
    except (msgspec.DecodeError, InvalidTag, ValueError):
        raise _unreadable("one that was changed, or sealed with another key") from None
    data = b"".join(parts)
    if len(parts) != head.chunks or len(data) != head.size:
        raise _unreadable("one that was cut")
    return head.site, data


def _cipher(key: bytes, head: _Head) -> AESGCM:
    return AESGCM(derive(key, b"fedlab sealed 1", head.file, head.site.encode()))


def _context(front: bytes, place: int) -> bytes:
    return labelled("fedlab sealed 1", front, place)


def _sync_folder(folder: Path) -> None:
    # Without it the new name may be lost when the power fails.
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unreadable(came: str) -> DataError:
    return DataError(
        "A sealed table must be whole, and opened with the key it was sealed with.",
        came,
        "Pass the right key, or restore the file from a copy.",
    )
