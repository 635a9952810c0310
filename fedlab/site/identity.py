"""What a site signs with: a key in its home that only its owner can read."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from fedlab.errors import DataError
from fedlab.privacy.secure.signatures import Identity

__all__ = ["keep_identity"]

FILE = "identity.key"
SECRET_BYTES = 32


def keep_identity(home: Path, site: str) -> Identity:
    """The identity in `home`, made on first use.

    Raises
    ------
    DataError
        When the file is damaged, or others may read it.
    """
    path = home / FILE
    if not path.exists():
        _make(path)
    mode = path.stat().st_mode
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise _unusable(site, f"{len(secret)} bytes", "Restore it from a copy.")
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise _unusable(site, f"mode {stat.S_IMODE(mode):04o}", "Run chmod 600 on it.")
    return Identity(secret)


def _make(path: Path) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(Identity.fresh().secret)
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, never replaces the key that another process made meanwhile.
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        beside.unlink(missing_ok=True)


def _unusable(site: str, came: str, remedy: str) -> DataError:
    return DataError(
        f"A site's {FILE} has {SECRET_BYTES} bytes that only its owner can read.",
        came,
        remedy,
        site=site,
    )
