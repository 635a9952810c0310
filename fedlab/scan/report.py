"""What a scan found, told without repeating any of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fedlab.scan.kinds import KINDS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Finding", "ScanReport"]

CLAIM = (
    "A scan looks for patterns. What it does not detect may be there; it decides nothing about"
    " 45 CFR 164.514 or any other law."
)


class Finding(NamedTuple):
    """One or more alike hits at one place; no field holds what was hit.

    Attributes
    ----------
    cell, output : int or None
        Numbers from 0; None where the place is in no cell or no output.
    kind : str
        One of `fedlab.scan.KINDS`.
    where : str
        The part of the cell or of the file.
    why : str
        The detector.
    excerpt : str
        The shape of the first hit, or sizes.
    times : int
        Different values that were hit.
    allowed : str
        The reason of an allowance, or nothing.
    """

    cell: int | None
    output: int | None
    kind: str
    where: str
    why: str
    excerpt: str
    times: int
    allowed: str = ""


@dataclass(frozen=True, repr=False)
class ScanReport:
    """Findings of one notebook or text.

    It says "not detected" and never "absent", and claims no compliance with any rule.

    Attributes
    ----------
    name : str
        The file's name, without its folder.
    findings : tuple of Finding
        In the order of the notebook, allowed ones included.
    notes : tuple of str
        Allowances that were not honoured.
    """

    name: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def open(self) -> tuple[Finding, ...]:
        """The findings that no allowance covers."""
        return tuple(finding for finding in self.findings if not finding.allowed)

    @property
    def clean(self) -> bool:
        """Whether nothing was detected that is not allowed."""
        return not self.open

    @property
    def lines(self) -> tuple[str, ...]:
        """One line a kind: how often it was detected, or that it was not."""
        return tuple(f"{label}: {self._told(kind)}" for kind, label in KINDS.items())

    def _told(self, kind: str) -> str:
        hits = [finding for finding in self.findings if finding.kind == kind]
        if not hits:
            return "not detected"
        found = sum(finding.times for finding in hits if not finding.allowed)
        allowed = sum(finding.times for finding in hits if finding.allowed)
        parts = [f"detected {found}"] if found else []
        return ", ".join([*parts, *([f"allowed {allowed}"] if allowed else [])])

    @property
    def frame(self) -> pd.DataFrame:
        """One row a finding: cell, output, kind, where, why, excerpt, times, allowed."""
        import pandas as pd

        frame = pd.DataFrame(self.findings, columns=list(Finding._fields))
        return frame.astype({"cell": "Int64", "output": "Int64", "times": "Int64"})

    def __repr__(self) -> str:
        found = [describe(finding) for finding in self.findings]
        return "\n".join([f"Scan of {self.name}", *self.lines, *found, *self.notes, CLAIM])

    def _repr_html_(self) -> str:
        import pandas as pd

        from fedlab.displays.tables import to_html

        kinds = pd.DataFrame(
            {"kind": list(KINDS.values()), "scan": [self._told(kind) for kind in KINDS]}
        )
        notes: Sequence[str] = (*self.notes, CLAIM)
        page = to_html(kinds, title=f"Scan of {self.name}", notes=notes, index=False)
        if self.findings:
            page += to_html(self.frame, title="Where, and the shape of it", index=False)
        return page


def describe(finding: Finding) -> str:
    """One finding as a line.

    Examples
    --------
    >>> print(describe(Finding(3, 0, "ssn", "output text", "a number", "•••-••-••••", 1)))
    cell 3, output 0, output text: ssn (a number): •••-••-••••
    """
    place = [] if finding.cell is None else [f"cell {finding.cell}"]
    place += [] if finding.output is None else [f"output {finding.output}"]
    shape = f": {finding.excerpt}" if finding.excerpt else ""
    times = f", {finding.times} times" if finding.times > 1 else ""
    allowed = f" [allowed: {finding.allowed}]" if finding.allowed else ""
    where = ", ".join([*place, finding.where])
    return f"{where}: {finding.kind} ({finding.why}){shape}{times}{allowed}"
