"""Correlations of columns over all sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtr

from fedlab.asking.asked import How, Replies, ask, new_run
from fedlab.asking.bench import Bench
from fedlab.asking.lines import lines_of, privacy_note, suppression_note
from fedlab.asking.naming import Where, column_of, conditions, listed, names_read
from fedlab.asking.printed import frame_text, with_p_values
from fedlab.asking.survival_asked import check_level
from fedlab.core.parameters import Array
from fedlab.core.schema import Column, Schema
from fedlab.displays.tables import counted, to_html
from fedlab.errors import DataError, PrivacyError
from fedlab.queries.cross_products import CrossProducts, CrossSums
from fedlab.queries.groups import schema_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Correlations", "correlation"]

MOST_COLUMNS = 100
# Questions that it takes where a declared range is far wider than what values fill.
MOST_PARTS = 3
# Of a scale: a secure sum rounds squares to multiples of 2 to the power of -32.
LEAST_SPREAD = 1e-4
# Of a column in units of its standard deviation, the sum of squares that is none but rounding.
NOTHING = 1e-8


@dataclass(frozen=True, repr=False)
class Correlations:
    """Pearson's correlation of each pair of columns.

    Attributes
    ----------
    frame : DataFrame
        One row a pair: ``rows`` that it comes from, ``correlation``, its interval ``lower`` to
        ``upper`` (Fisher's z), ``p_value`` (two-sided t test of none), and ``status``: "shown",
        "in part" where some site suppresses the pair, "suppressed" where all do, or "noisy".
    matrix : DataFrame
        The correlations as a square; NaN where a column does not vary or is not told.
    level : float
        Of the intervals.
    notes : tuple of str
        What has to be known to read the figures.
    """

    frame: pd.DataFrame = field(hash=False)
    matrix: pd.DataFrame = field(hash=False)
    level: float
    notes: tuple[str, ...]

    def plot(self) -> go.Figure:
        """The matrix as a heat map."""
        from fedlab.displays.correlation_figure import correlation_figure

        return correlation_figure(self.matrix)

    def __repr__(self) -> str:
        return "\n".join([frame_text(self.matrix), *self.notes])

    def _repr_html_(self) -> str:
        title = f"Pearson's correlations, with {self.level:.0%} intervals"
        shown = counted(with_p_values(self.frame), "rows")
        return to_html(shown, title=title, notes=self.notes)


def correlation(
    federation: Bench,
    columns: Sequence[str] | None,
    where: Where | None,
    how: How,
    *,
    level: float,
) -> Correlations:
    """Ask all sites for sums of products; see `Federation.correlation`."""
    check_level(level)
    asked = _columns(federation.schema, columns)
    names, conditioned = (
        tuple(column.name for column in asked),
        conditions(federation.schema, where),
    )
    private = how.privacy is not None
    center, scale = _public(asked, private=private)
    run, how = new_run(), how.parts(1)

    def put(center: Array, scale: Array, part: int) -> tuple[CrossSums, Replies, int]:
        query = CrossProducts(
            schema=schema_of(federation.schema, names_read((), conditioned, *names)),
            columns=names,
            center=center,
            scale=scale,
            where=conditioned,
        )
        replies = ask(federation, query, how, run=run, part=part)
        line = lines_of(replies, CrossSums)[-1]
        return line.answer, replies, line.n_sites

    answer, replies, n_sites = put(center, scale, 0)
    coarse = how.aggregation != "plain"
    for part in range(1, MOST_PARTS) if not private else ():
        # About the means and in standard deviations, so that rounding stays far below the figures.
        center, scale, resolved = _better(answer, center, scale, coarse=coarse)
        answer, replies, n_sites = put(center, scale, part)
        if resolved:
            break
    matrix = _matrix(answer)
    lines = []
    for i, j in combinations(range(len(names)), 2):
        rows, r = float(answer.sums[0, i, j]), float(matrix[i, j])
        told = answer.shown[i, j]
        status = "suppressed" if told == 0 else "shown" if told >= n_sites else "in part"
        lines.append(
            {
                "first": names[i],
                "second": names[j],
                "rows": np.nan if told == 0 else rows,
                "correlation": r,
                **_inference(r, rows, level),
                "status": "noisy" if private else status,
            }
        )
    frame = pd.DataFrame(lines).set_index(["first", "second"])
    notes = ["Of rows that have a value in every one of these columns.", *replies.notes]
    if frame["status"].isin(["suppressed", "in part"]).any():
        notes.append(suppression_note(federation.minimums))
    if how.privacy is not None:
        notes.append(privacy_note(how.privacy))
        notes.append("Intervals and p-values do not know of the noise: they are too narrow.")
    index = pd.Index(names, name="column")
    return Correlations(
        frame, pd.DataFrame(matrix, index=index, columns=list(names)), level, tuple(notes)
    )


def _columns(schema: Schema, names: Sequence[str] | None) -> list[Column]:
    if names is None:
        found = [column for column in schema.columns if column.kind == "number"]
    else:
        found = [column_of(schema, name) for name in dict.fromkeys(listed(names))]
    text = [column.name for column in found if column.kind != "number"]
    if text or not 2 <= len(found) <= MOST_COLUMNS:
        raise DataError(
            f"Correlations are of 2 to {MOST_COLUMNS} columns of numbers.",
            f"{text[0]!r}, a category" if text else f"{len(found)} of them",
            "Pass e.g. columns=['age', 'lab']; fed.cross_tab counts categories.",
        )
    return found


def _public(columns: Sequence[Column], *, private: bool) -> tuple[Array, Array]:
    """Middle and half width of each declared range; 0 and 1 where there is none."""
    ends = [(c.low, c.high) for c in columns if c.low is not None and c.high is not None]
    if private and len(ends) < len(columns):
        name = next(c.name for c in columns if c.low is None or c.high is None)
        raise PrivacyError(
            "A correlation under privacy needs public ranges, to which values are clipped.",
            f"no range for {name!r}",
            f"Pass e.g. Site(..., ranges={{{name!r}: (0, 120)}}) from domain knowledge, or leave "
            "the column out.",
        )
    pairs = [
        (-1.0, 1.0) if c.low is None or c.high is None or c.low >= c.high else (c.low, c.high)
        for c in columns
    ]
    low, high = np.array(pairs, dtype=np.float64).T
    return (low + high) / 2, (high - low) / 2


def _better(
    answer: CrossSums, center: Array, scale: Array, *, coarse: bool
) -> tuple[Array, Array, bool]:
    """Means and standard deviations, as center and scale of the next question.

    And whether the second are known well enough for that, where a secure sum rounds squares.
    """
    rows, total, squares = (np.diag(part) for part in answer.sums[:3])
    n = np.maximum(rows, 1.0)
    mean = total / n
    spread = np.sqrt(np.maximum(squares / n - mean**2, 0.0))
    if coarse:
        resolved = bool((spread > 10 * LEAST_SPREAD).all())
        return center + scale * mean, scale * np.maximum(spread, LEAST_SPREAD), resolved
    # Below this a spread is rounding of the squares, and no unit to measure in.
    sound = (spread > 1e-7 * np.abs(mean)) & (spread > 0)
    return center + scale * mean, scale * np.where(sound, spread, 1.0), True


def _matrix(answer: CrossSums) -> Array:
    rows, total, squares, products = answer.sums
    with np.errstate(divide="ignore", invalid="ignore"):
        own = squares - total**2 / rows
        both = products - total * total.T / rows
        varies = np.where(own > NOTHING, own, np.nan)
        matrix: Array = np.clip(both / np.sqrt(varies * varies.T), -1.0, 1.0)
    np.fill_diagonal(matrix, np.where(np.isnan(np.diag(matrix)), np.nan, 1.0))
    return matrix


def _inference(r: float, rows: float, level: float) -> dict[str, float]:
    """Fisher's (1921) interval, by z with a variance of 1 / (n - 3), and the t test of r = 0."""
    if r != r or rows <= 3:
        return dict.fromkeys(("lower", "upper", "p_value"), np.nan)
    if abs(r) == 1.0:
        return {"lower": r, "upper": r, "p_value": 0.0}
    half = float(ndtri((1 + level) / 2)) / np.sqrt(rows - 3)
    statistic = abs(r) * np.sqrt((rows - 2) / (1 - r * r))
    return {
        "lower": float(np.tanh(np.arctanh(r) - half)),
        "upper": float(np.tanh(np.arctanh(r) + half)),
        "p_value": float(2 * stdtr(rows - 2, -statistic)),
    }
