"""A reduced table and what was done to it, shown without a row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from fedlab.core.safe_harbor import LOW_ZIP3_VERSION
from fedlab.deidentification.csv_file import write_csv
from fedlab.displays.tables import to_html
from fedlab.scan.kinds import KINDS, ROWS

__all__ = ["Deidentified", "Step"]

PARAGRAPHS = dict(zip((k for k in KINDS if k != ROWS), "ABCDEFGHIJKLMNOPQR", strict=True))
CLAIM = (
    "Reductions of the list in 45 CFR 164.514(b)(2)(i) were applied. This claims no compliance "
    "with that rule or any other law, and does not decide whether the table may leave: the rule "
    "also asks what is known otherwise of who is left in it."
)
DETECTED = (
    "Names of columns, types and patterns of values were read, an even choice of values where a "
    "column has many. What was not detected may still be there."
)
TOGETHER = "Columns that tell nobody alone may do so together: see fl.k_anonymity."


class Step(NamedTuple):
    """What became of one column.

    Attributes
    ----------
    column : str
    done : str
        ``"dropped"``, ``"kept"`` or ``"generalised"``.
    found : tuple of str
        Kinds that were detected, of `fedlab.scan.KINDS`.
    applied : str
        The paragraph of a reduction, where one was asked for.
    how : str
        What was done or seen, in words.
    suspect : bool
        Whether something spoke against keeping it.
    """

    column: str
    done: str
    found: tuple[str, ...]
    applied: str
    how: str
    suspect: bool = False

    @property
    def paragraph(self) -> str:
        """The paragraphs (A) to (R) of the list that this column falls under."""
        return self.applied or " ".join(f"({PARAGRAPHS[kind]})" for kind in self.found)


@dataclass(frozen=True, repr=False, eq=False)
class Deidentified:
    """A table without what was detected, and what was done to it.

    It says "not detected" and never "absent", and claims no compliance with any rule.

    Attributes
    ----------
    frame : DataFrame of shape (n_samples, n_columns_kept)
        The reduced table, with a fresh index.
    steps : tuple of Step
        One a column, in the order of the table that came.
    row_order : str
        ``"kept"`` or ``"shuffled"``.
    old_years : tuple of str
        Columns of years that would tell an age over 89, were they of birth.
    """

    frame: pd.DataFrame
    steps: tuple[Step, ...]
    row_order: str = "kept"
    old_years: tuple[str, ...] = ()

    @property
    def report(self) -> pd.DataFrame:
        """One row a column: what was found and done, by which paragraph, and how."""
        return pd.DataFrame(
            {
                "found": [_told(step) for step in self.steps],
                "done": [step.done for step in self.steps],
                "paragraph": [step.paragraph for step in self.steps],
                "how": [step.how for step in self.steps],
            },
            index=pd.Index([step.column for step in self.steps], name="column"),
        )

    @property
    def notes(self) -> list[str]:
        """What this did, and what it does not say."""
        notes = [CLAIM, DETECTED]
        if any(step.applied == "(B)" for step in self.steps):
            notes.append(
                f"ZIP codes follow the {LOW_ZIP3_VERSION} list of the guidance of 26 November "
                "2012; later counts may differ."
            )
        held = [step.column for step in self.steps if step.done == "kept" and step.suspect]
        if held:
            notes.append(f"Kept by name although something speaks against it: {_listed(held)}.")
        if self.old_years:
            notes.append(
                f"Years of {_listed(self.old_years)} reach back 90 years. If they are of birth "
                "they tell ages over 89: declare them in births=."
            )
        if self.row_order == "kept":
            notes.append("Rows stand in the order they came in, which may tell; see row_order.")
        return [*notes, TOGETHER]

    def write(self, path: str | Path) -> Path:
        """Write the reduced table as CSV, whole or not at all.

        Text that a spreadsheet would take for a formula gets an apostrophe in front; numbers stay
        numbers. A file that is there is replaced.

        Raises
        ------
        DataError
            When the file cannot be written, or no column is left.
        """
        return write_csv(self.frame, path)

    def __repr__(self) -> str:
        table = self.report.to_string(max_colwidth=60)
        return "\n".join([self._title(), table, *self.notes])

    def _repr_html_(self) -> str:
        return to_html(self.report, title=self._title(), notes=self.notes)

    def _title(self) -> str:
        rows, left = self.frame.shape
        return f"De-identification: {rows:,} rows, {left} of {len(self.steps)} columns left"


def _told(step: Step) -> str:
    if step.applied:
        return "as declared"
    return ", ".join(KINDS[kind] for kind in step.found) or "not detected"


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(map(repr, names))
