"""Histograms by site and over all sites."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fedlab.asking.asked import How
from fedlab.asking.bench import Bench
from fedlab.asking.counting import cells_frame, count_cells
from fedlab.asking.labels import level_names, span
from fedlab.asking.lines import ALL_SITES
from fedlab.asking.naming import By, Where, factors
from fedlab.asking.printed import PaperRow, Printed, amount
from fedlab.asking.ranges import closed, even_edges, given_edges, number_of, range_of
from fedlab.asking.result import Result
from fedlab.core.parameters import Array
from fedlab.errors import DataError
from fedlab.queries.groups import Factor, numeral

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Histogram", "histogram"]


@dataclass(frozen=True, repr=False)
class Histogram(Result):
    """Patients by bin of a number.

    Attributes
    ----------
    frame : DataFrame
        One row a site, group and bin, and the same for all sites: ``bin`` in words, its ends
        ``low`` and ``high`` (infinite below and above the edges, NaN for those without a value),
        and ``patients``, ``status``, ``sites`` and ``noise`` as of `Counts`.
    column : str
    by : tuple of str
    """

    column: str = ""
    by: tuple[str, ...] = ()

    def plot(self) -> go.Figure:
        """Bars by bin, sites on top of each other, or groups; hatched where suppressed."""
        from fedlab.displays.group_figures import histogram_figure

        return histogram_figure(self._grouped, self.column, ALL_SITES, by_group=bool(self.by))

    @property
    def _grouped(self) -> pd.DataFrame:
        group = self.frame[list(self.by)].agg(" · ".join, axis=1) if self.by else ""
        return self.frame.assign(group=group)

    @property
    def printed(self) -> Printed:
        """The table to be read."""
        frame = self._grouped
        sites, groups = list(dict.fromkeys(frame["site"])), list(dict.fromkeys(frame["group"]))
        across = sites if not self.by else groups
        pick = frame if not self.by else frame[frame["site"] == ALL_SITES]
        key = "site" if not self.by else "group"
        across = [
            each for each in across if not pick.loc[pick[key] == each, "patients"].eq(0).all()
        ]
        rows = []
        for name, part in pick.groupby("bin", sort=False):
            inner = part["low"].map(math.isfinite).all()
            if not inner and part["patients"].eq(0).all():
                continue
            found = {line[key]: line for line in part.to_dict("records")}
            cells = [amount(found[each]["patients"], found[each]["status"]) for each in across]
            rows.append(PaperRow(str(name), cells))
        title = f"Patients by {self.column}"
        title += f" and {' and '.join(self.by)}, all sites" if self.by else ""
        return Printed(title, [self.column, *across], rows, self.notes)


def histogram(
    federation: Bench,
    column: str,
    edges: Sequence[float] | None,
    bins: int,
    by: By | None,
    where: Where | None,
    how: How,
) -> Histogram:
    """Ask all sites for patients by bin; see `Federation.histogram`."""
    number, groups = number_of(federation.schema, column), factors(federation.schema, by)
    if column in (each.column for each in groups):
        raise DataError(
            "A histogram is by other columns than its own.",
            f"by={column!r}",
            "Leave it out, and pass edges.",
        )
    if edges is None:
        call = f"fed.histogram({column!r}, edges=[0, 20, 40, 60, 80, 100])"
        inner = even_edges(*range_of(number, call), bins)
    else:
        inner = given_edges(edges)
    factor = Factor(column=column, edges=(-math.inf, *closed(inner).tolist(), math.inf))
    table = (*groups, factor)
    lines, refusals = count_cells(federation, table, where, how)
    frame = cells_frame(lines, table).drop(columns=column)
    decimals = (
        None if edges is not None else max(1 - math.floor(math.log10(inner[1] - inner[0])), 0)
    )
    names, low, high = _bins(inner, factor, decimals)
    times = len(frame) // len(names)
    frame.insert(1 + len(groups), "bin", names * times)
    frame.insert(2 + len(groups), "low", np.tile(low, times))
    frame.insert(3 + len(groups), "high", np.tile(high, times))
    return Histogram(
        frame,
        refusals,
        federation.minimums,
        how.privacy,
        column=column,
        by=tuple(each.column for each in groups),
    )


def _bins(inner: Array, factor: Factor, decimals: int | None) -> tuple[list[str], Array, Array]:
    """Names and ends of the bins; edges that nobody gave are rounded in names."""
    low = np.concatenate([[-np.inf], inner, [np.nan, np.nan]])
    high = np.concatenate([inner, [np.inf, np.nan, np.nan]])
    last = len(inner) - 1
    shown = inner if decimals is None else np.round(inner, decimals)
    ends = [-math.inf, *shown.tolist(), math.inf]
    own = [span(a, b, closed=i == last) for i, (a, b) in enumerate(pairwise(ends))]
    own[-1] = f">{numeral(shown[-1])}"
    return [*own, *level_names(factor)[-2:]], low, high
