"""Reading an export's folder: plain files of known names and sizes, and nothing else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from fedlab.errors import ExportError

__all__ = ["CAPS", "MANIFEST", "OPTIONAL", "SIGNATURE", "check_names", "read_file"]

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
CAPS = {
    "card.html": 1 << 24,
    "card.md": 1 << 24,
    MANIFEST: 1 << 24,
    SIGNATURE: 64,
    "model.onnx": 1 << 28,
    "model.skops": 1 << 28,
}
"""The files of an export, and the most bytes that are read of each."""
OPTIONAL = ("model.skops",)
"""Those that some models do not have."""


def read_file(folder: Path, name: str) -> bytes:
    """All bytes of a plain file.

    Raises
    ------
    ExportError
        When it is missing, a link or a device, or larger than its cap.
    """
    path = folder / name
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise _not_plain(name)
        # Not followed and not waited for, should it have become a link or a pipe since.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        handle = os.open(path, flags | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise _not_plain(name)
            data = file.read(CAPS[name] + 1)
    except OSError as error:
        raise ExportError(
            "An export must have all its files.",
            f"a folder without a readable {name!r} ({type(error).__name__})",
            "Get the folder again from whoever exported it.",
        ) from None
    if len(data) > CAPS[name]:
        raise ExportError(
            f"{name!r} must have at most {CAPS[name]} bytes.",
            "more",
            "Get the folder again from whoever exported it.",
        )
    return data


def check_names(folder: Path, names: Iterable[str]) -> None:
    """Refuse a folder with any other entry than `names`.

    Raises
    ------
    ExportError
        Naming the first entry too many.
    """
    extra = sorted(set(os.listdir(folder)) - set(names))
    if extra:
        raise ExportError(
            "An export must hold its own files and no others.",
            f"a folder that also holds {extra[0]!r}",
            "Remove what was added, or get the folder again.",
        )


def _not_plain(name: str) -> ExportError:
    return ExportError(
        "The files of an export must be plain files.",
        f"a link or device as {name!r}",
        "Copy the files themselves into the folder.",
    )
