"""A folder that appears whole: written beside its place, checked there, then moved in."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from fedlab.errors import ExportError
from fedlab.export.files import CAPS, MANIFEST, read_file
from fedlab.export.manifest import EARLIER, FORMAT

__all__ = ["replace_folder", "standing"]

T = TypeVar("T")


def _previous(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.previous")


def standing(folder: Path) -> Path:
    """Where the export is: in its place or, after a crash between two moves, beside it."""
    beside = _previous(folder)
    return beside if beside.is_dir() and not folder.exists() else folder


def replace_folder(folder: Path, files: Mapping[str, bytes], check: Callable[[Path], T]) -> T:
    """Write `files` as `folder`, so that a crash at any moment leaves the old or the new ones.

    Parameters
    ----------
    folder : Path
        New, empty, or an earlier export, which is replaced.
    files : mapping of str to bytes
    check : callable
        Given the finished folder before it is moved into place; what it raises keeps the old one.

    Returns
    -------
    object
        What `check` returned.

    Raises
    ------
    ExportError
        When the folder holds anything else, or cannot be written.
    """
    folder = folder.resolve()
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if standing(folder) != folder:
            _previous(folder).rename(folder)
        for present in (folder, _previous(folder)):
            _require_ours(present)
        beside.mkdir()
        for name, data in files.items():
            _write(beside / name, data)
        _sync(beside)
        result = check(beside)
        _move(beside, folder)
    except OSError as error:
        raise ExportError(
            "An export needs a folder that can be written.",
            f"{type(error).__name__} for {folder.name!r}",
            "Choose another folder, or make room on the disk.",
        ) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return result


def _require_ours(folder: Path) -> None:
    if not folder.exists():
        return
    names = set(os.listdir(folder)) if folder.is_dir() else {"a file"}
    ours = MANIFEST in names and names <= set(CAPS) and _is_manifest(read_file(folder, MANIFEST))
    if (names and not ours) or folder == Path.cwd():
        raise ExportError(
            "An export goes into a new or empty folder, or replaces an earlier export.",
            f"{folder.name!r}, which holds something else or is the working folder",
            "Choose another folder.",
        )


def _is_manifest(data: bytes) -> bool:
    try:
        content = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("format") in (FORMAT, *EARLIER)


def _move(beside: Path, folder: Path) -> None:
    previous = _previous(folder)
    if folder.exists():
        shutil.rmtree(previous, ignore_errors=True)
        folder.rename(previous)
    try:
        beside.rename(folder)
    except OSError:
        if previous.exists():
            previous.rename(folder)
        raise
    _sync(folder.parent)
    shutil.rmtree(previous, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
