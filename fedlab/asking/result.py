"""What all results of questions share: a frame, notes, and how they are shown."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

import pandas as pd

from fedlab.asking.lines import privacy_note, suppression_note
from fedlab.asking.printed import Printed
from fedlab.privacy import RecordDP

__all__ = ["Result"]


@dataclass(frozen=True, repr=False)
class Result:
    """An answer to a question.

    Attributes
    ----------
    frame : DataFrame
        Numbers stay numbers: NaN where nothing is told, and a column ``status`` that says why.
    refusals : dict of str to str
        Sites that are not in it, and why.
    minimums : dict of str to int
        Fewest patients that each site tells of.
    privacy : RecordDP or None
        The promise under which the sites answered.
    """

    frame: pd.DataFrame = field(hash=False)
    refusals: dict[str, str]
    minimums: dict[str, int]
    privacy: RecordDP | None

    @property
    def notes(self) -> list[str]:
        """What has to be known to read the figures."""
        notes = [f"Site {site!r} is not in it. {why}" for site, why in self.refusals.items()]
        if self.frame["status"].isin(["suppressed", "at least"]).any():
            notes.append(suppression_note(self.minimums))
        if self.privacy is not None:
            notes.append(privacy_note(self.privacy))
            if "noise" in self.frame and "site" in self.frame:
                told = self.frame.groupby("site", sort=False)["noise"].max()
                amounts = ", ".join(f"{site} {noise:.3g}" for site, noise in told.items())
                notes.append(f"Noise of a count at most: {amounts}.")
        return notes

    @property
    @abstractmethod
    def printed(self) -> Printed:
        """The table to be read."""

    def to_markdown(self) -> str:
        """The table as GitHub's Markdown."""
        return self.printed.markdown()

    def to_latex(self) -> str:
        """The table for LaTeX, with the rules of the package booktabs."""
        return self.printed.latex()

    def __repr__(self) -> str:
        return self.printed.text()

    def _repr_html_(self) -> str:
        return self.printed.html()
