"""At which line of a CSV file a record begins."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from pathlib import Path

__all__ = ["find_lines"]


def find_lines(
    path: Path,
    delimiter: str,
    records: Collection[int],
    positions: Collection[int],
    unsound: Collection[int],
) -> tuple[dict[int, int], dict[int, int]]:
    """Lines of records, which are told by their number among the sound ones, or by their place.

    Parameters
    ----------
    path : Path
    delimiter : str
    records : collection of int
        Numbers, from 1, among records that are not at `unsound`; the header is none.
    positions : collection of int
        Bytes at which records begin.
    unsound : collection of int
        Every byte at which an unsound record begins.

    Returns
    -------
    pair of dict of int to int
        The line, from 1, of each record and of each position.
    """
    lines = _Lines(path)
    wanted, sought = set(records), set(positions)
    by_record: dict[int, int] = {}
    by_position: dict[int, int] = {}
    with lines:
        _skip(lines, delimiter)
        number, blank = 0, None
        while wanted or sought:
            # DuckDB lets a record begin at the blank lines before it.
            start, line = lines.position if blank is None else blank, lines.number + 1
            peeked = lines.peek()
            if peeked is None:
                break
            if not peeked.strip("\r\n"):
                blank = start
                next(lines)
                continue
            blank = None
            if start in sought:
                by_position[start] = line
                sought.discard(start)
            if start not in unsound:
                number += 1
                if number in wanted:
                    by_record[number] = line
                    wanted.discard(number)
            _skip(lines, delimiter)
    return by_record, by_position


def _skip(lines: _Lines, delimiter: str) -> None:
    """Move past one record, which may hold line breaks in quotes."""
    try:
        next(csv.reader(lines, delimiter=delimiter), None)
    except csv.Error:
        return  # a field beyond csv's limit: its line has been taken


class _Lines(Iterator[str]):
    """Lines of a file with the byte at which the next one begins."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")
        self._next: bytes | None = None
        self.position = self.number = 0

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def peek(self) -> str | None:
        """The next line, which stays the next."""
        if self._next is None:
            self._next = self._stream.readline()
        return self._next.decode("latin-1") if self._next else None

    def __next__(self) -> str:
        text = self.peek()
        if text is None:
            raise StopIteration
        self.position += len(text)
        self.number += 1
        self._next = None
        return text
