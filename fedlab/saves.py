"""Runs on disk: one file a run, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import msgspec

from fedlab.core.wire import decode, encode
from fedlab.errors import MessageError, SaveFileError
from fedlab.privacy import Event, RecordDP, SiteDP
from fedlab.rounds import Round
from fedlab.secure_sum import SecureSum
from fedlab.strategies import Problem, Strategy

__all__ = ["Save", "read_save", "write_save", "write_whole"]

MAGIC = b"fedlab save 1\n"


class Save(msgspec.Struct, frozen=True, kw_only=True):
    """All that a run is, but for the sites' rows and ledgers, which stay at the sites.

    Attributes
    ----------
    run : str
        The run keeps its id, so that sites know it when it goes on.
    charges : tuple of dict
        What each round cost each site, rounds that were rewound or interrupted included.
    inherited : int
        How many of them came from the run it was forked from.
    secure : SecureSum or None
        How answers are added, where no single one may be seen.
    """

    run: str
    problem: Problem
    strategy: Strategy
    privacy: RecordDP | SiteDP | None
    evaluate: bool
    rounds: tuple[Round, ...]
    charges: tuple[dict[str, Event], ...]
    inherited: int
    secure: SecureSum | None = None


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a crash at any moment leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_save(path: Path, save: Save, *, overwrite: bool = False) -> None:
    """Write `save`, but not over another run or a later round unless told to.

    Raises
    ------
    SaveFileError
        When the file holds something that would be lost.
    """
    if path.exists() and not overwrite:
        there = read_save(path)
        same = there.run == save.run
        if not same or there.rounds[-1].number > save.rounds[-1].number:
            raise SaveFileError(
                "A save must not replace another run or a later round.",
                f"{path.name!r} with {'this run' if same else 'another run'} at round "
                f"{there.rounds[-1].number}",
                "Choose another file, or pass overwrite=True.",
            )
    body = encode(save)
    write_whole(path, MAGIC + hashlib.sha256(body).digest() + body)


def read_save(path: Path) -> Save:
    """Read a save, checked against its hash first.

    Raises
    ------
    SaveFileError
        When the file is missing, not a save, truncated or changed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SaveFileError(
            "A save must be a readable file.",
            f"{path.name!r} ({type(error).__name__})",
            "Check the path.",
        ) from None
    if not data.startswith(MAGIC):
        raise SaveFileError(
            "A save must begin as fedlab writes it.",
            f"{path.name!r}, which does not",
            "Pass a file written by save() of this version.",
        )
    digest, body = data[len(MAGIC) : len(MAGIC) + 32], data[len(MAGIC) + 32 :]
    if hashlib.sha256(body).digest() != digest:
        raise SaveFileError(
            "A save must be whole and unchanged.",
            f"{path.name!r} with {len(data)} bytes that do not match its hash",
            "Use an earlier save; this one was truncated or edited.",
        )
    try:
        return decode(body, Save)
    except MessageError as error:
        raise SaveFileError(error.rule, error.came, "Use the version that wrote it.") from None
