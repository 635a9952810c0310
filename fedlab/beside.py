"""A run beside what its sites would have without it, and beside the fit on pooled rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fedlab.displays.tables import to_html

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["FEDERATED", "POOLED", "Beside"]

FEDERATED, POOLED = "(federated)", "(pooled)"
SHOWN = ("training_rows", "accuracy", "f1", "auc")


@dataclass(frozen=True, repr=False)
class Beside:
    """The federated fit, the pooled fit, and the fit of each site alone, judged on the same rows.

    Attributes
    ----------
    tables : tuple of DataFrame
        One a split of the rows: figures of each fit on the held-out rows of all sites together.
    notes : tuple of str
        What has to be known to read them.
    """

    tables: tuple[pd.DataFrame, ...]
    notes: tuple[str, ...] = ()

    @property
    def frame(self) -> pd.DataFrame:
        """One row a fit, one column a figure: means over the splits."""
        return self._over_splits("mean")

    @property
    def spread(self) -> pd.DataFrame:
        """Standard deviations over the splits; NaN of one."""
        return self._over_splits("std")

    @property
    def margins(self) -> pd.DataFrame:
        """The federated fit against the pooled one and the best single site, figure by figure.

        The best single site is picked anew in each split and for each figure, by the very rows that
        judge it, which flatters it. Standard errors are over splits; splits share rows, so they are
        a rough guide.
        """
        lines: dict[str, dict[str, float]] = {}
        for figure in [name for name in ("accuracy", "f1", "auc", "r2") if name in self.frame]:
            parts = [_margin(table[figure]) for table in self.tables]
            each = pd.DataFrame(parts)
            means, errors = each.mean(), each.sem()
            lines[figure] = {name: float(means[name]) for name in each.columns}
            for name in ("to_pooled", "over_best_single"):
                lines[figure][f"{name}_error"] = float(errors[name])
        order = ["federated", "pooled", "to_pooled", "to_pooled_error"]
        order += ["best_single", "over_best_single", "over_best_single_error"]
        found = pd.DataFrame.from_dict(lines, orient="index")[order].dropna(axis=1, how="all")
        # What is left of equal figures when means are taken is no margin, and has no sign.
        found = found.round(12) + 0.0
        found.index.name = "figure"
        return found

    @property
    def held_out_rows(self) -> float:
        """Rows that judged, as a mean over the splits."""
        return float(self.frame["held_out_rows"][FEDERATED])

    def averaged_with(self, *others: Beside) -> Beside:
        """The same over more splits of the rows; the fits keep their names.

        Examples
        --------
        ``first.averaged_with(*others).plot()``
        """
        tables = tuple(table for each in (self, *others) for table in each.tables)
        notes = dict.fromkeys(note for each in (self, *others) for note in each.notes)
        return Beside(tables, tuple(notes))

    def plot(self) -> go.Figure:
        """Accuracy and F1 of each fit; bars are standard deviations over splits."""
        from fedlab.displays.beside_figure import beside_figure

        return beside_figure(self.frame, self.spread, FEDERATED)

    def _over_splits(self, how: str) -> pd.DataFrame:
        together = pd.concat(self.tables, keys=range(len(self.tables)))
        found = together.groupby(level=1, sort=False).agg(how)
        alone = found.drop(index=[FEDERATED, POOLED], errors="ignore")
        rows = self.tables[0]["training_rows"].reindex(alone.index).fillna(0)
        order = rows.sort_values(ascending=False, kind="stable").index
        first = [name for name in (POOLED, FEDERATED) if name in found.index]
        return found.loc[[*first, *order]]

    @property
    def _shown(self) -> pd.DataFrame:
        frame = self.frame
        shown = frame[[name for name in SHOWN if name in frame]].copy()
        if len(shown.columns) == 1:
            shown = frame.copy()
        shown["training_rows"] = frame["training_rows"].round().astype(int)
        return shown

    @property
    def _told(self) -> list[str]:
        n, rows = len(self.tables), self.held_out_rows
        judged = f"Judged on the {rows:.0f} held-out rows of all sites together"
        if n > 1:
            judged += f" of each of {n} splits; means over them"
        return [f"{judged}. One row is {100 / rows:.2f} points of accuracy.", *self.notes]

    def __repr__(self) -> str:
        return "\n".join([self._shown.round(4).to_string(), *self._told])

    def _repr_html_(self) -> str:
        return to_html(self._shown, title="Together, pooled, and each site alone", notes=self._told)


def _margin(figure: pd.Series) -> dict[str, float]:
    federated = float(figure[FEDERATED])
    pooled = float(figure.get(POOLED, np.nan))
    best = float(figure.drop(index=[FEDERATED, POOLED], errors="ignore").max())
    return {
        "federated": federated,
        "pooled": pooled,
        "best_single": best,
        "to_pooled": federated - pooled,
        "over_best_single": federated - best,
    }
