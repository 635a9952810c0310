"""What figures may be at most and at least, where sites held back where rows lie.

Bounds are certain: whatever the rows are that stand behind the blocks and suppressed classes, their
figures lie within. So they hold for scores inside of a bin too, whichever their order.
"""

from __future__ import annotations

import numpy as np

from fedlab.core.parameters import Array
from fedlab.judging.measures import BETTER, figures_of, mean_scores

__all__ = ["bounds_of"]

MOST_UNKNOWN = 50_000
AT_ONCE = 1000


def bounds_of(
    lowest: Array, highest: Array, unknown: float, edges: Array, threshold: float
) -> dict[str, tuple[float, float]]:
    """The least and the most of each figure.

    Parameters
    ----------
    lowest, highest : ndarray of shape (2, n_bins)
        Rows by class, each at the first and at the last bin where it may be.
    unknown : float
        Rows of which neither class nor score is known.
    edges : ndarray of shape (n_bins + 1,)
    threshold : float

    Examples
    --------
    >>> counts = np.array([[6.0, 2.0], [1.0, 3.0]])
    >>> bounds_of(counts, counts, 0, np.array([0, 0.5, 1]), 0.5)["accuracy"]
    (0.75, 0.75)
    """
    n_unknown = round(unknown)
    found: dict[str, list[float]] = {}
    if n_unknown > MOST_UNKNOWN:
        return {}
    for start in range(0, n_unknown + 1, AT_ONCE):
        # Each way in which the unknown rows may be of the second class, or of the first.
        positives = np.arange(start, min(start + AT_ONCE, n_unknown + 1), dtype=np.float64)
        negatives = n_unknown - positives
        worst = _with(lowest[1], 0, positives, highest[0], -1, negatives)
        best = _with(highest[1], -1, positives, lowest[0], 0, negatives)
        ends = (_figures(worst, edges, threshold, 0.0), _figures(best, edges, threshold, 1.0))
        for name in ends[0]:
            found.setdefault(name, []).extend(
                [*np.ravel(ends[0][name]).tolist(), *np.ravel(ends[1][name]).tolist()]
            )
        for place in (0, -1):
            rows = lowest if place == 0 else highest
            table = _with(rows[1], place, positives, rows[0], place, negatives)
            for name in ("prevalence", "selection_rate"):
                found.setdefault(name, []).extend(
                    figures_of(table, edges, threshold)[name].tolist()
                )
    return {name: _span(values) for name, values in found.items()}


def _span(values: list[float]) -> tuple[float, float]:
    known = [value for value in values if value == value]
    return (min(known), max(known)) if known else (np.nan, np.nan)


def _with(
    positive: Array, place: int, positives: Array, negative: Array, other: int, negatives: Array
) -> Array:
    """Tables with rows put at the first or the last bin, ``(n_ways, 2, n_bins)``."""
    tables = np.repeat(np.stack([negative, positive])[None], len(positives), axis=0)
    tables[:, 1, place] += positives
    tables[:, 0, other] += negatives
    return tables


def _figures(tables: Array, edges: Array, threshold: float, ties: float) -> dict[str, Array]:
    figures = figures_of(tables, edges, threshold, ties=ties)
    kept = {name: figures[name] for name in BETTER}
    low, high = edges[:-1], edges[1:]
    # Where scores are as wrong, or as right, as their bins let them be.
    scores = np.stack([low, high] if ties else [high, low])
    kept["brier"] = mean_scores(tables, scores)["brier"]
    return kept
