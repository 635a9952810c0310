"""Figures of many classes from counts by true and by called class."""

from __future__ import annotations

import numpy as np

from fedlab.core.parameters import Array
from fedlab.judging.intervals import resampled, wilson
from fedlab.judging.measures import share
from fedlab.judging.scored import Line

__all__ = ["confusion_lines", "macro_f1"]

MOST_UNKNOWN = 0.1
"""Share of rows in suppressed cells above which the others say nothing of them all: small cells are
those of rare mistakes."""


def macro_f1(counts: Array) -> Array:
    """Mean over classes of F1, as scikit-learn's with ``average="macro"``.

    Parameters
    ----------
    counts : ndarray of shape (..., n_classes, n_classes)
        Rows by true and by called class. A class that neither is nor is called anywhere is left
        out.

    Examples
    --------
    >>> float(macro_f1(np.array([[2.0, 0.0], [0.0, 3.0]])))
    1.0
    """
    true = np.diagonal(counts, axis1=-2, axis2=-1)
    whole = counts.sum(axis=-1) + counts.sum(axis=-2)
    each = share(2 * true, whole)
    here = np.isfinite(each)
    return share(np.where(here, each, 0.0).sum(axis=-1), here.sum(axis=-1))


def confusion_lines(
    counts: Array,
    rows: float,
    sums: Array | None,
    strata: Array,
    random: np.random.Generator,
    *,
    level: float,
    times: int,
    noise: float,
) -> dict[str, Line]:
    """Accuracy, balanced accuracy and macro F1 of one group, with what losses are known.

    Parameters
    ----------
    counts : ndarray of shape (n_classes, n_classes)
        Rows by true and by called class, suppressed cells as 0.
    rows : float
        Of the group, suppressed ones included.
    sums : ndarray of shape (n_classes, 4) or None
        Of `CLASS_SUMS`.
    strata : ndarray of shape (n_strata, n_classes, n_classes)
    random : Generator
    level : float
    times : int
    noise : float
    """
    counts = np.maximum(counts, 0.0)
    total, unknown = float(counts.sum()), max(rows - float(counts.sum()), 0.0)
    right = float(np.trace(counts))
    drawn = resampled(strata, random, times, noise) if times and total > 0 else None
    tails = 100 * np.array([(1 - level) / 2, (1 + level) / 2])
    lines = {}
    for name, of in (
        ("accuracy", _accuracy),
        ("balanced_accuracy", _recall),
        ("macro_f1", macro_f1),
    ):
        value = float(of(counts))
        lower, upper = np.nan, np.nan
        if name == "accuracy" and not noise:
            lower, upper = wilson(right, total, level)
        elif drawn is not None:
            lower, upper = map(float, np.nanpercentile(of(drawn), tails))
        low = high = value if unknown == 0 and not noise else np.nan
        if name == "accuracy" and rows > 0 and not noise:
            low, high = right / rows, (right + unknown) / rows
        line = Line(value, lower, upper, low, high)
        vague = not noise and unknown > MOST_UNKNOWN * rows
        lines[name] = line.within(low, high) if vague else line
    if sums is not None and sums[:, 0].sum() > 0:
        whole = sums.sum(axis=0)
        lines["brier"] = Line(float(whole[1] / whole[0]))
        lines["log_loss"] = Line(float(whole[2] / whole[0]))
    return lines


def _accuracy(counts: Array) -> Array:
    return share(np.trace(counts, axis1=-2, axis2=-1), counts.sum(axis=(-2, -1)))


def _recall(counts: Array) -> Array:
    here = counts.sum(axis=-1)
    each = share(np.diagonal(counts, axis1=-2, axis2=-1), here)
    return share(np.where(here > 0, each, 0.0).sum(axis=-1), (here > 0).sum(axis=-1))
