"""What a site signs with: a key in its home that only its owner can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from fedlab.core.key_file import write_once
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
        write_once(path, Identity.fresh().secret)
    mode = path.stat().st_mode
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise _unusable(site, f"{len(secret)} bytes", "Restore it from a copy.")
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise _unusable(site, f"mode {stat.S_IMODE(mode):04o}", "Run chmod 600 on it.")
    return Identity(secret)


def _unusable(site: str, came: str, remedy: str) -> DataError:
    return DataError(
        f"A site's {FILE} has {SECRET_BYTES} bytes that only its owner can read.",
        came,
        remedy,
        site=site,
    )
