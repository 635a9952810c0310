"""Curves from counts by class and bin: receiver operating, precision, calibration, decision."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from fedlab.core.parameters import Array
from fedlab.judging.intervals import wilson
from fedlab.judging.measures import between, share

__all__ = ["calibration_curve", "calibration_cuts", "decision_curve", "expected_error", "roc_curve"]

TENTHS = 10


def roc_curve(lowest: Array, highest: Array, edges: Array) -> pd.DataFrame:
    """Rates and precision at each edge, with what they are at least and at most.

    Parameters
    ----------
    lowest, highest : ndarray of shape (2, n_bins)
        Rows by class, each at the first and at the last bin where it may be.
    edges : ndarray of shape (n_bins + 1,)

    Returns
    -------
    DataFrame of shape (n_bins + 1, 10)
        From the highest edge to the lowest; rows above an edge are called positive.
    """
    least, most = (_above(each) for each in (lowest, highest))
    middle, n_rows = _above(between(lowest, highest)), lowest.sum(axis=1)
    frame = {"threshold": edges}
    for label, name in ((0, "false_positive_rate"), (1, "sensitivity")):
        for end, table in (("", middle), ("_low", least), ("_high", most)):
            frame[name + end] = share(table[label], n_rows[label])
    frame["precision"] = share(middle[1], middle.sum(axis=0))
    frame["precision_low"] = share(least[1], least[1] + most[0])
    frame["precision_high"] = share(most[1], most[1] + least[0])
    return pd.DataFrame(frame).iloc[::-1].reset_index(drop=True)


def _above(counts: Array) -> Array:
    """Rows above each edge, ``(2, n_bins + 1)``."""
    rising = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    return np.hstack([rising, np.zeros((2, 1))])


def calibration_cuts(lowest: Array, highest: Array, edges: Array) -> Array:
    """Bins with which blocks for calibration begin: as near to tenths as is certain.

    At an edge that no block of a site lies across, the rows on both its sides are known.
    """
    known = np.flatnonzero((_above(lowest) == _above(highest)).all(axis=0))
    wanted = np.arange(TENTHS + 1) / TENTHS
    tenth = 0.5 / TENTHS
    near = [known[np.argmin(np.abs(edges[known] - edge))] for edge in wanted]
    kept = {
        int(cut) for cut, edge in zip(near, wanted, strict=True) if abs(edges[cut] - edge) <= tenth
    }
    return np.array(sorted({0, len(edges) - 1, *kept}))


def calibration_curve(counts: Array, edges: Array, cuts: Array, level: float) -> pd.DataFrame:
    """Share of the second class beside the mean score, by blocks of scores.

    Parameters
    ----------
    counts : ndarray of shape (2, n_bins)
    edges : ndarray of shape (n_bins + 1,)
    cuts : ndarray of int
        From `calibration_cuts`.
    level : float
        Of Wilson's intervals.

    Returns
    -------
    DataFrame
        One row a block that holds somebody. Mean scores take every score for the middle of its
        bin, and are off by at most half a bin.
    """
    middles = (edges[1:] + edges[:-1]) / 2
    lines = []
    for first, last in pairwise(cuts):
        negative, positive = counts[:, first:last].sum(axis=1)
        rows = negative + positive
        if rows <= 0:
            continue
        low, high = wilson(positive, rows, level)
        lines.append(
            {
                "from": edges[first],
                "to": edges[last],
                "rows": rows,
                "mean_score": float((counts[:, first:last] * middles[first:last]).sum() / rows),
                "observed": positive / rows,
                "lower": low,
                "upper": high,
            }
        )
    names = ["from", "to", "rows", "mean_score", "observed", "lower", "upper"]
    return pd.DataFrame(lines, columns=names)


def expected_error(counts: Array, edges: Array, cuts: Array) -> Array:
    """Mean distance of observed shares from mean scores over blocks, weighted by their rows.

    The expected calibration error (Naeini, Cooper and Hauskrecht 2015).

    Parameters
    ----------
    counts : ndarray of shape (..., 2, n_bins)
    """
    middles = (edges[1:] + edges[:-1]) / 2
    blocks = np.searchsorted(cuts[1:], np.arange(len(middles)), side="right")
    member = (blocks[:, None] == np.arange(len(cuts) - 1)).astype(np.float64)
    over = counts[..., 1, :] - counts.sum(axis=-2) * middles
    return share(np.abs(over @ member).sum(axis=-1), counts.sum(axis=(-2, -1)))


def decision_curve(lowest: Array, highest: Array, edges: Array) -> pd.DataFrame:
    """Net benefit at each edge beside that of treating all (Vickers and Elkin 2006).

    Returns
    -------
    DataFrame
        ``net_benefit`` with ``low`` and ``high``, what it is at least and at most; treating nobody
        has none.
    """
    least, most = (_above(each)[:, 1:-1] for each in (lowest, highest))
    middle = _above(between(lowest, highest))[:, 1:-1]
    thresholds, n_rows = edges[1:-1], lowest.sum(axis=1)
    odds, total = thresholds / (1 - thresholds), n_rows.sum()

    def benefit(positive: Array, negative: Array) -> Array:
        return share(positive - odds * negative, total)

    return pd.DataFrame(
        {
            "threshold": thresholds,
            "net_benefit": benefit(middle[1], middle[0]),
            "low": benefit(least[1], most[0]),
            "high": benefit(most[1], least[0]),
            "treat_all": benefit(np.full_like(odds, n_rows[1]), np.full_like(odds, n_rows[0])),
        }
    )
