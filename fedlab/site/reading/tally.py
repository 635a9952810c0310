"""Counts each record once, as read, malformed or left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from types import MappingProxyType
from typing import TypeVar

from fedlab.errors import DataError
from fedlab.site.reading.faults import FAULTS, GAPS, LEFT_OUT, Fault
from fedlab.site.reading.report import ReadingReport

__all__ = ["LISTED", "Tally"]

# Enough to find what is wrong with an export, and small beside it.
LISTED = 100
Key = TypeVar("Key", str, tuple[str, str])


class Tally:
    """Grows while a source is read; `report` freezes it.

    Parameters
    ----------
    source : str
    strict : bool
        Whether the first malformed record is an error.
    """

    def __init__(self, source: str, *, strict: bool) -> None:
        self.source, self.strict = source, strict
        self._read: Counter[str] = Counter()
        self._malformed: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._gaps: Counter[tuple[str, str]] = Counter()
        self._faults: list[Fault] = []

    def read(self, kind: str, count: int = 1) -> None:
        """Count records of a type or table that were used."""
        self._read[kind] += count

    def take_back(self, kind: str, count: int) -> None:
        """No longer count records as used."""
        self._read[kind] -= count

    def left_out(self, reason: str, count: int = 1) -> None:
        """Count sound records that were not asked for."""
        if count:
            self._left_out[reason] += count

    def gap(self, column: str, reason: str, count: int = 1) -> None:
        """Count values of a column that are left missing."""
        if count:
            self._gaps[column, reason] += count

    def malformed(self, file: str, line: int | None, code: str) -> None:
        """Count one malformed record.

        Raises
        ------
        DataError
            If the reading is strict.
        """
        self.count_malformed(code, 1)
        self.list_fault(Fault(file, line, code))

    def count_malformed(self, code: str, count: int) -> None:
        """Count malformed records whose places are listed on their own."""
        if count:
            self._malformed[code] += count

    def list_fault(self, fault: Fault) -> None:
        """Say where a malformed record stands.

        Raises
        ------
        DataError
            If the reading is strict.
        """
        if self.strict:
            raise DataError(
                "Every record must be sound when the reading is strict.",
                str(fault),
                "Repair the record, or pass strict=False and look at the report.",
            )
        if len(self._faults) < LISTED:
            self._faults.append(fault)

    def report(self, files: Sequence[str], ignored_files: Sequence[str] = ()) -> ReadingReport:
        """The account so far, in the order of the lists of codes."""
        return ReadingReport(
            source=self.source,
            files=tuple(files),
            read=_sorted(self._read, sorted(self._read)),
            malformed=_sorted(self._malformed, list(FAULTS)),
            left_out=_sorted(self._left_out, list(LEFT_OUT)),
            gaps=_sorted(self._gaps, sorted(self._gaps, key=lambda k: (k[0], [*GAPS].index(k[1])))),
            faults=tuple(self._faults),
            ignored_files=tuple(ignored_files),
        )


def _sorted(counts: Counter[Key], order: Sequence[Key]) -> MappingProxyType[Key, int]:
    return MappingProxyType({key: counts[key] for key in order if key in counts})
