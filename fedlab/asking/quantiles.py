"""Quantiles by site and over all sites, between bounds that are certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from fedlab.asking.asked import How, Replies, ask
from fedlab.asking.bench import Bench
from fedlab.asking.labels import group_names
from fedlab.asking.lines import ALL_SITES, Line, lines_of, states
from fedlab.asking.naming import By, Where, as_number, as_plain, conditions, factors, names_read
from fedlab.asking.printed import NOTHING, SUPPRESSED, PaperRow, Printed, median_text
from fedlab.asking.ranges import closed, even_edges, number_of, range_of
from fedlab.asking.result import Result
from fedlab.core.parameters import Array
from fedlab.errors import DataError, PrivacyError
from fedlab.queries.group_blocks import BlockCounts, CountBlocks
from fedlab.queries.groups import Condition, Factor, schema_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Bounds", "Quantiles", "ask_blocks", "bounds_of", "quantile"]


class Bounds(NamedTuple):
    """A quantile.

    Attributes
    ----------
    value : float
        An estimate, for which values are spread evenly within their block.
    low, high : float
        It lies between these for certain; infinite beyond the edges.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, repr=False)
class Quantiles(Result):
    """Quantiles of a number.

    Attributes
    ----------
    frame : DataFrame
        One row a site, group and quantile, and the same for all sites: ``q``; ``value``, an
        estimate; ``low`` and ``high``, between which the quantile of the told rows lies for
        certain; ``rows`` that it is of; ``status``: "shown", "suppressed" or "in part", where
        some of the sites suppress the group; ``sites`` that tell it.
    column : str
    by : tuple of str
    """

    column: str = ""
    by: tuple[str, ...] = ()

    @property
    def error(self) -> float:
        """The most by which a value may be off."""
        frame = self.frame.dropna(subset="value")
        if frame.empty:
            return float("nan")
        return float(
            np.maximum(frame["value"] - frame["low"], frame["high"] - frame["value"]).max()
        )

    @property
    def notes(self) -> list[str]:
        """What has to be known to read the figures."""
        bounds = (
            "In brackets: bounds between which the quantile of the rows that are told lies for "
            "certain. Bins of few patients are put together, so more rows narrow them, and more "
            "bins until then. Quantiles between two values are by linear interpolation."
        )
        notes = [bounds]
        if self.frame["status"].eq("in part").any():
            notes.append("†: of the sites that tell the group.")
        return [*notes, *super().notes]

    def plot(self) -> go.Figure:
        """A point for each quantile, with its bounds."""
        from fedlab.displays.asking_figures import quantiles_figure

        group = self.frame[list(self.by)].agg(" · ".join, axis=1) if self.by else ""
        return quantiles_figure(self.frame.assign(group=group), self.column, ALL_SITES)

    @property
    def printed(self) -> Printed:
        """The table to be read."""
        asked = list(dict.fromkeys(self.frame["q"]))
        rows = []
        for names, part in self.frame.groupby(["site", *self.by], sort=False):
            if part["status"].eq("shown").all() and part["rows"].eq(0).all():
                continue
            site, *group = (str(each) for each in names)
            label = " · ".join([site, *group])
            cells = [_cell(line) for line in part.to_dict("records")]
            kind = "all" if site == ALL_SITES else "row"
            rows.append(PaperRow(label, [_rows(part), *cells], kind=kind))
        head = [" · ".join(["Site", *self.by]), "Rows", *(_name(q) for q in asked)]
        return Printed(f"Quantiles of {self.column}", head, rows, self.notes)


def _name(q: float) -> str:
    return "Median" if q == 0.5 else f"{100 * q:g}%"


def _rows(part: pd.DataFrame) -> str:
    rows = float(part["rows"].iloc[0])
    return SUPPRESSED if rows != rows else f"{rows:,.0f}"


def _cell(line: dict[Any, Any]) -> str:
    if line["status"] == "suppressed":
        return SUPPRESSED
    if line["value"] != line["value"]:
        return NOTHING
    mark = "†" if line["status"] == "in part" else ""
    return median_text(line["low"], line["value"], line["high"], mark)


def quantile(
    federation: Bench,
    column: str,
    q: float | Sequence[float],
    bins: int,
    low: float | None,
    high: float | None,
    by: By | None,
    where: Where | None,
    how: How,
) -> Quantiles:
    """Ask all sites for blocks of a number; see `Federation.quantile`."""
    if how.privacy is not None:
        raise PrivacyError(
            "Bounds of quantiles that are certain leave no room for noise.",
            "a promise",
            f"Ask fed.histogram({column!r}, privacy=...) instead, or leave privacy out.",
        )
    given = as_plain(q)
    asked = [as_number(each) for each in (given if isinstance(given, list) else [given])]
    if not asked or not all(0 <= each <= 1 for each in asked):
        raise DataError("q must be from 0 to 1.", f"{q!r}", "Pass e.g. q=(0.25, 0.5, 0.75).")
    number, groups = number_of(federation.schema, column), factors(federation.schema, by)
    call = f"fed.quantile({column!r}, low=0, high=120)"
    edges = even_edges(*range_of(number, call, low, high), bins)
    conditioned = conditions(federation.schema, where)
    replies = ask_blocks(federation, (column,), edges[None], groups, conditioned, how, run="")
    lines = lines_of(replies, BlockCounts)
    parts = [_part(line, edges, asked, groups) for line in lines]
    return Quantiles(
        pd.concat(parts, ignore_index=True),
        replies.refusals,
        federation.minimums,
        None,
        column=column,
        by=tuple(each.column for each in groups),
    )


def ask_blocks(
    federation: Bench,
    columns: tuple[str, ...],
    edges: Array,
    groups: tuple[Factor, ...],
    conditioned: tuple[Condition, ...],
    how: How,
    *,
    run: str,
    part: int = 0,
) -> Replies:
    """Blocks of each column at each site.

    Parameters
    ----------
    federation : Bench
    columns : tuple of str
    edges : ndarray of shape (n_columns, n_edges)
        The last one belongs to the last bin.
    groups : tuple of Factor
    conditioned : tuple of Condition
    how : How
    run, part
        As of `ask`.
    """
    query = CountBlocks(
        schema=schema_of(federation.schema, names_read(groups, conditioned, *columns)),
        columns=columns,
        edges=np.array([closed(each) for each in edges]).reshape(edges.shape),
        factors=groups,
        where=conditioned,
    )
    return ask(federation, query, how, run=run, part=part)


def _part(
    line: Line[BlockCounts], edges: Array, asked: Sequence[float], groups: Sequence[Factor]
) -> pd.DataFrame:
    shown = line.answer.shown[0]
    status = states(shown, line.n_sites, shown.shape)
    status[status == "at least"] = "in part"
    lines = []
    for i, names in enumerate(group_names(groups)):
        early, late = line.answer.earliest[0, i], line.answer.latest[0, i]
        for q in asked:
            found = bounds_of(early, late, edges, q)
            told: dict[str, Any] = {"site": line.site}
            told |= {each.column: name for each, name in zip(groups, names, strict=True)}
            told |= {"q": q, **found._asdict()}
            told["rows"] = np.nan if status[i] == "suppressed" else early.sum()
            lines.append({**told, "status": status[i], "sites": int(shown[i])})
    return pd.DataFrame(lines)


def bounds_of(earliest: Array, latest: Array, edges: Array, q: float) -> Bounds:
    """A quantile, as ``numpy.quantile`` defines it, from rows by bin that lie early and late.

    It is between the values of two neighbouring ranks, as the fraction of ``(n - 1) q`` says. The
    value of a rank is at least the lower end of the first bin up to which as many rows may lie, and
    at most the upper end of the first up to which as many must.

    Parameters
    ----------
    earliest, latest : ndarray of shape (n_edges + 1,)
    edges : ndarray of shape (n_edges,)
    q : float

    Examples
    --------
    >>> rows = np.array([0.0, 4.0, 1.0, 0.0])
    >>> bounds_of(rows, rows, np.array([0.0, 10.0, 20.0]), 0.5)
    Bounds(value=6.25, low=0.0, high=10.0)
    """
    n = float(earliest.sum())
    if n == 0:
        return Bounds(float("nan"), float("nan"), float("nan"))
    place = (n - 1) * q
    if abs(place - round(place)) < 1e-9 * n:
        # Rounding must not pull a rank that is whole over to the next.
        place = float(round(place))
    first, rest = divmod(place, 1.0)
    may, must = np.cumsum(earliest), np.cumsum(latest)
    ends = np.concatenate([[-np.inf], edges, [np.inf]])
    low, high = (
        _between(
            float(ends[np.searchsorted(rows, first + 1) + end]),
            float(ends[np.searchsorted(rows, min(first + 2, n)) + end]),
            rest,
        )
        for rows, end in ((may, 0), (must, 1))
    )
    middle = ((may + must) / 2)[:-1]
    rising = np.concatenate([[True], np.diff(middle) > 0])
    value = float(np.interp(place + 0.5, middle[rising], edges[rising]))
    return Bounds(float(np.clip(value, low, high)), low, high)


def _between(first: float, second: float, rest: float) -> float:
    # An end that is infinite and has no weight must not become NaN.
    return first if rest == 0 else (1 - rest) * first + rest * second
