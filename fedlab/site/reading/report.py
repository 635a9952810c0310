"""A table read from records, with the account of every record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from fedlab.displays.tables import to_html
from fedlab.site.reading.faults import FAULTS, GAPS, LEFT_OUT, Fault

__all__ = ["Reading", "ReadingReport"]


@dataclass(frozen=True)
class ReadingReport:
    """What was read, what was malformed and what was left out; every record is in one of the three.

    Attributes
    ----------
    source : str
        What was read, e.g. "FHIR R4".
    files : tuple of str
        Names of files or tables, in the order of reading.
    read : Mapping of str to int
        Number of records used, by type of resource or table.
    malformed : Mapping of str to int
        Number of records that could not be used, by code of fault; keys of
        `fedlab.site.reading.FAULTS`.
    left_out : Mapping of str to int
        Number of sound records that were not asked for, by reason.
    gaps : Mapping of (str, str) to int
        Values that were left missing rather than guessed: (column, reason) and how many.
    faults : tuple of Fault
        The first malformed records with file and line; `malformed` counts all.
    ignored_files : tuple of str
        Files of a folder that were not opened, since their names do not end as the reader's do.
    """

    source: str
    files: tuple[str, ...]
    read: Mapping[str, int]
    malformed: Mapping[str, int]
    left_out: Mapping[str, int]
    gaps: Mapping[tuple[str, str], int]
    faults: tuple[Fault, ...] = ()
    ignored_files: tuple[str, ...] = ()

    @property
    def n_read(self) -> int:
        """Number of records that the table was made from."""
        return sum(self.read.values())

    @property
    def n_malformed(self) -> int:
        """Number of records that could not be used."""
        return sum(self.malformed.values())

    @property
    def n_left_out(self) -> int:
        """Number of sound records that were not asked for."""
        return sum(self.left_out.values())

    @property
    def n_seen(self) -> int:
        """Number of records met: read, malformed and left out."""
        return self.n_read + self.n_malformed + self.n_left_out

    @property
    def frame(self) -> pd.DataFrame:
        """One row a kind: ``outcome``, ``what``, ``count``."""
        rows = [("read", kind, n) for kind, n in self.read.items()]
        rows += [("malformed", FAULTS[code], n) for code, n in self.malformed.items()]
        rows += [("left out", LEFT_OUT[reason], n) for reason, n in self.left_out.items()]
        rows += [
            ("left missing", f"{column}: {GAPS[reason]}", n)
            for (column, reason), n in self.gaps.items()
        ]
        return pd.DataFrame(rows, columns=["outcome", "what", "count"])

    @property
    def faults_frame(self) -> pd.DataFrame:
        """One row a listed fault: ``file``, ``line``, ``code``."""
        rows = [(fault.file, fault.line, fault.code) for fault in self.faults]
        frame = pd.DataFrame(rows, columns=["file", "line", "code"])
        return frame.astype({"line": "Int64"})

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know before the table is used, in sentences."""
        notes = [f"{self.n_seen:,} records from {len(self.files):,} files or tables."]
        if self.faults:
            first = "; ".join(str(fault) for fault in self.faults[:5])
            notes.append(f"{self.n_malformed:,} malformed, beginning with {first}.")
        if self.ignored_files:
            notes.append(
                f"{len(self.ignored_files):,} files were not opened: "
                f"{', '.join(self.ignored_files[:5])}."
            )
        return tuple(notes)

    def __repr__(self) -> str:
        return (
            f"<ReadingReport {self.source}: {self.n_read:,} read, {self.n_malformed:,} malformed, "
            f"{self.n_left_out:,} left out>"
        )

    def _repr_html_(self) -> str:
        return to_html(self.frame, title=f"Read from {self.source}", notes=self.notes, index=False)


@dataclass(frozen=True, eq=False)
class Reading:
    """A table that a reader made, and the account of the records it came from.

    Attributes
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        One row a patient, or a record, as was asked.
    report : ReadingReport
    """

    frame: pd.DataFrame
    report: ReadingReport

    def __repr__(self) -> str:
        rows, columns = self.frame.shape
        return f"<Reading {rows:,} rows × {columns} columns; {self.report!r}>"

    def _repr_html_(self) -> str:
        kinds = [str(dtype) for dtype in self.frame.dtypes]
        missing = self.frame.isna().sum().tolist()
        columns = pd.DataFrame(
            {"column": self.frame.columns, "type": kinds, "missing": missing},
        )
        title = f"Reading of {len(self.frame):,} rows"
        return to_html(columns, title=title, index=False) + self.report._repr_html_()
