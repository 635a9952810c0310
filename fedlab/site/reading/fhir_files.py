"""Files of FHIR resources, line by line, within limits of size."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from fedlab.errors import DataError

__all__ = ["Limits", "Line", "Source", "find_files", "read_lines", "read_whole"]

ENDINGS = (".ndjson", ".ndjson.gz", ".json")
BOM = b"\xef\xbb\xbf"
CHUNK = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a reader takes before it calls a record malformed.

    Parameters
    ----------
    line_bytes : int, default 16 MiB
        Longest line of NDJSON.
    bundle_bytes : int, default 256 MiB
        Largest .json file; it is held in memory whole.
    expansion : int, default 200
        Largest ratio of a compressed file's text to its bytes, beyond the first 64 MiB of text.
    depth : int, default 64
        Deepest nesting of JSON.
    rows : int, default 10,000
        Most rows that a view may make of one resource.
    """

    line_bytes: int = 16 << 20
    bundle_bytes: int = 256 << 20
    expansion: int = 200
    depth: int = 64
    rows: int = 10_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise DataError(
                    f"Limit {name} must be a positive whole number.",
                    f"{value!r}",
                    f"Pass e.g. Limits({name}={type(self).__dataclass_fields__[name].default}).",
                )


class Source(NamedTuple):
    """A file, and how it is called in a report."""

    path: Path
    name: str


class Line(NamedTuple):
    """A line with its number from 1: its bytes, or a code of what is wrong with it."""

    number: int
    raw: bytes
    fault: str | None = None
    last: bool = False


def find_files(
    paths: str | Path | Sequence[str | Path],
) -> tuple[list[Source], list[str]]:
    """Files to read, by name within each path, and names of files in a folder that are none.

    Raises
    ------
    DataError
        For a path that does not exist, is given twice or has another ending; for a folder that
        holds no such file.
    """
    several = isinstance(paths, Sequence) and not isinstance(paths, str)
    given: list[Any] = [*cast(Sequence[Any], paths)] if several else [paths]
    known = [Path(path) for path in given if isinstance(path, str | Path)]
    if not given or len(known) < len(given):
        raise DataError(
            "FHIR is read from paths of files or folders.",
            "none" if not given else "something that is not a path",
            "Pass e.g. read_fhir('export/', view).",
        )
    found: list[Source] = []
    ignored: list[str] = []
    for path in known:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file())
            names = [(file, file.relative_to(path).as_posix()) for file in inside]
            found += [Source(file, name) for file, name in names if _readable(file)]
            ignored += [name for file, name in names if not _readable(file)]
        elif path.is_file() and _readable(path):
            found.append(Source(path, path.name))
        else:
            raise DataError(
                "FHIR is read from files that end in .json, .ndjson or .ndjson.gz.",
                f"{path.name!r}, which {'ends otherwise' if path.exists() else 'does not exist'}",
                "Check the path.",
            )
    if not found:
        raise DataError(
            "A folder must hold files that end in .json, .ndjson or .ndjson.gz.",
            f"{len(ignored)} files with other endings",
            "Check the path.",
        )
    if len({source.path.resolve() for source in found}) < len(found):
        raise DataError("Each file is read once.", "a path given twice", "Drop one of them.")
    return found, ignored


def _readable(path: Path) -> bool:
    return path.name.lower().endswith(ENDINGS)


def read_lines(source: Source, limits: Limits) -> Iterator[Line]:
    """Lines of a file; memory is bounded by the longest line allowed.

    Raises
    ------
    DataError
        When the file cannot be opened or read.
    """
    with _open(source) as raw:
        if source.name.lower().endswith(".gz"):
            counted = _Counted(raw, limits.expansion)
            with gzip.GzipFile(fileobj=cast(BinaryIO, counted)) as text:
                yield from _lines(cast(BinaryIO, text), source, limits, counted.exceeded)
        else:
            yield from _lines(raw, source, limits, lambda _: False)


def _lines(
    stream: BinaryIO, source: Source, limits: Limits, exceeded: Callable[[int], bool]
) -> Iterator[Line]:
    number, text = 0, 0
    while True:
        number += 1
        raw, text, fault = _line(stream, source, limits.line_bytes, text, exceeded)
        if fault in ("broken_gzip", "expansion"):
            yield Line(number, b"", fault, True)
            return
        if not raw and fault is None:
            return
        if number == 1:
            raw = raw.removeprefix(BOM)
        yield Line(number, raw, fault, not raw.endswith(b"\n") and fault is None)


def _line(
    stream: BinaryIO, source: Source, longest: int, text: int, exceeded: Callable[[int], bool]
) -> tuple[bytes, int, str | None]:
    """One line, how much text there is with it, and a code of fault."""
    try:
        raw = stream.readline(longest + 1)
        text += len(raw)
        long = len(raw) > longest
        rest = raw if long else b""
        while rest and not rest.endswith(b"\n") and not exceeded(text):
            rest = stream.readline(CHUNK)
            text += len(rest)
        if exceeded(text):
            return b"", text, "expansion"
        return (b"", text, "too_long") if long else (raw, text, None)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return b"", text, "broken_gzip"
    except OSError as error:
        fault = type(error).__name__
    raise _unreadable(source, fault)


def read_whole(source: Source, limits: Limits) -> bytes | None:
    """All bytes of a file; None if they are more than a bundle may have.

    Raises
    ------
    DataError
        When the file cannot be opened or read.
    """
    with _open(source) as stream:
        try:
            raw = stream.read(limits.bundle_bytes + 1)
        except OSError as error:
            raw, fault = b"", type(error).__name__
        else:
            return None if len(raw) > limits.bundle_bytes else raw.removeprefix(BOM)
    raise _unreadable(source, fault)


def _open(source: Source) -> BinaryIO:
    try:
        return source.path.open("rb")
    except OSError as error:
        fault = type(error).__name__
    raise _unreadable(source, fault)


def _unreadable(source: Source, fault: str) -> DataError:
    return DataError(
        "A file must be readable.",
        f"{source.name!r}, which fails with {fault}",
        "Check its rights.",
    )


class _Counted:
    """Counts the compressed bytes that are taken from a stream."""

    # Text that repeats itself compresses well at first; a bomb is told by what follows.
    FREE = 64 << 20

    def __init__(self, stream: BinaryIO, expansion: int) -> None:
        self._stream, self._expansion = stream, expansion
        self._taken = 0

    def read(self, size: int = -1) -> bytes:
        raw = self._stream.read(size)
        self._taken += len(raw)
        return raw

    def exceeded(self, text: int) -> bool:
        """Whether so much text is more than the bytes may hold."""
        return text > self.FREE and text > self._expansion * max(self._taken, 1)
