"""What became of a site's rows; for the site's own eyes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fedlab.displays.tables import to_html

__all__ = ["Flags", "Mapped", "MappingReport"]

Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]

NOTE = (
    "Counts of rows, exact and not protected: they are for the site and leave it by no query. "
    "Unmapped values are those that the mapping does not know, which is neither missing nor zero."
)


@dataclass(frozen=True, repr=False)
class MappingReport:
    """How many rows of each feature were mapped.

    Attributes
    ----------
    frame : DataFrame
        One row a feature: where it comes from, and rows ``mapped``, ``missing``, ``unmapped`` and
        ``outside`` of the plausible range. Values outside count as mapped too where the mapping
        keeps them.
    """

    frame: pd.DataFrame

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Of each feature: rows mapped, missing, unmapped and outside."""
        rows = self.frame.drop(columns="from").to_dict("index")
        return {
            str(name): {str(what): int(count) for what, count in row.items()}
            for name, row in rows.items()
        }

    @property
    def notes(self) -> list[str]:
        """What the counts are, and what they are not."""
        return [NOTE]

    def __repr__(self) -> str:
        return "\n".join([self.frame.to_string(), *self.notes])

    def _repr_html_(self) -> str:
        return to_html(self.frame, title="Mapping", notes=self.notes)


@dataclass(frozen=True, repr=False)
class Mapped:
    """A table in the federation's words.

    Attributes
    ----------
    frame : DataFrame of shape (n_samples, n_columns)
        Features, then target, event and the column of patients where the mapping names them.
    unmapped : dict of str to ndarray of bool of shape (n_samples,)
        For each feature that has any: which rows held a value that the mapping does not know.
    report : MappingReport
    """

    frame: pd.DataFrame
    unmapped: dict[str, Flags]
    report: MappingReport

    def __repr__(self) -> str:
        return f"Mapped(shape={self.frame.shape})"
