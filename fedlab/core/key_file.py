"""Secrets on disk: written whole, once, where only their owner reads."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["write_once"]


def write_once(path: Path, secret: bytes) -> None:
    """Write a file that only its owner can read; one that is there already stays.

    Examples
    --------
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "key"
    >>> write_once(path, b"first")
    >>> write_once(path, b"second")
    >>> path.read_bytes()
    b'first'
    >>> folder.cleanup()
    """
    # Made with mode 0600.
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, never replaces the key that another process made meanwhile.
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        Path(beside).unlink(missing_ok=True)
