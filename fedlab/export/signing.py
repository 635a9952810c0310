"""Who signs: one Ed25519 key a person, made on first use where only they can read it."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fedlab.core.key_file import write_once
from fedlab.errors import ExportError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["SigningKey", "fingerprint_of", "grouped", "is_signer"]

# 128 bits: as many as a second key with the same beginning costs, which nobody can pay.
SHORTEST_PIN = 32
LARGEST_KEY_FILE = 1 << 14


@dataclass(frozen=True, eq=False, repr=False)
class SigningKey:
    """An Ed25519 key (RFC 8032) that signs exports.

    Made by `SigningKey.load`; its secret half has no way out but the file it lives in.

    Examples
    --------
    >>> import tempfile
    >>> from fedlab.privacy.secure.signatures import signed_by
    >>> folder = tempfile.TemporaryDirectory()
    >>> key = SigningKey.load(Path(folder.name) / "identity.pem")
    >>> signed_by(key.public_key, key.sign(b"whole"), b"whole")
    True
    >>> folder.cleanup()
    """

    _private: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({grouped(self.fingerprint)})"

    @classmethod
    def load(cls, path: str | Path | None = None) -> SigningKey:
        """Read the key at `path`, made there if there is none.

        Parameters
        ----------
        path : path, optional
            By default ``identity.pem`` in the user's data folder for fedlab.

        Raises
        ------
        ExportError
            When the file is no Ed25519 key, can be read by other users, or cannot be made.
        """
        if path is None:
            from platformdirs import user_data_path

            path = user_data_path("fedlab") / "identity.pem"
        path = Path(path)
        try:
            if not path.exists():
                _make(path)
            return cls(_read(path))
        except OSError as error:
            raise ExportError(
                "A signing key needs a file that can be read, or a folder where it can be made.",
                f"{type(error).__name__} at {path.name!r}",
                "Pass SigningKey.load(path) with a path on a local disk.",
            ) from None

    @property
    def public_key(self) -> bytes:
        """The public half, 32 bytes."""
        return self._private.public_key().public_bytes_raw()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, in hexadecimal; what others pin as ``signer``."""
        return fingerprint_of(self.public_key)

    def sign(self, data: bytes) -> bytes:
        """Signature of `data`, 64 bytes."""
        return self._private.sign(data)


def _make(path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_once(path, pem)


def _read(path: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    status = path.stat()
    if os.name == "posix" and stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
        raise ExportError(
            "A signing key must be readable by its owner alone.",
            f"{path.name!r} with mode {stat.S_IMODE(status.st_mode):04o}",
            "Run chmod 600 on it, or move it away if others may have read it; a new one is made.",
        )
    try:
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_KEY_FILE:
            raise ValueError
        key = load_pem_private_key(path.read_bytes(), password=None)
        if isinstance(key, Ed25519PrivateKey):
            return key
        came = f"{path.name!r} with a key of another kind"
    except (ValueError, TypeError, UnsupportedAlgorithm):
        came = f"{path.name!r}, which is not one"
    raise ExportError(
        "A signing key is an unencrypted Ed25519 key in PKCS8 PEM.",
        came,
        "Move the file away to have a new key made, or pass another path.",
    )


def fingerprint_of(public_key: bytes) -> str:
    """SHA-256 of a raw public key, in hexadecimal."""
    return hashlib.sha256(public_key).hexdigest()


def grouped(fingerprint: str) -> str:
    """The first 128 bits of a fingerprint in groups, for people to compare.

    Examples
    --------
    >>> grouped("0123456789abcdef" * 4)
    '0123 4567 89ab cdef 0123 4567 89ab cdef'
    """
    return " ".join(re.findall("....", fingerprint[:SHORTEST_PIN]))


def is_signer(signer: str | bytes, public_key: bytes) -> bool:
    """Whether a key is the one that `signer` names.

    Parameters
    ----------
    signer : str or bytes
        A public key (32 bytes, or their 64 hexadecimal digits) or a fingerprint (64 digits, or the
        32 in groups that are shown).

    Raises
    ------
    ExportError
        When it is neither.
    """
    if isinstance(signer, bytes | bytearray) and len(signer) == 32:
        return bytes(signer) == public_key
    plain = re.sub(r"[\s:]", "", signer).lower() if isinstance(signer, str) else ""
    if not re.fullmatch("[0-9a-f]{32,64}", plain):
        raise ExportError(
            "signer must be a public key or a fingerprint.",
            f"{len(plain)} digits" if isinstance(signer, str) else type(signer).__name__,
            f"Pass 32 bytes, or {SHORTEST_PIN} to 64 hexadecimal digits.",
        )
    return fingerprint_of(public_key).startswith(plain) or plain == public_key.hex()
