"""Figures of merit of two classes from counts by class and bin of score.

Counts are ``(..., 2, n_bins)``, so that many tables, as of a bootstrap, are judged at once.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma

from fedlab.core.parameters import Array

__all__ = [
    "BETTER",
    "SHARES",
    "average_precision",
    "between",
    "figures_of",
    "mean_scores",
    "share",
    "spread",
]

BETTER = (
    "accuracy", "balanced_accuracy", "sensitivity", "specificity", "ppv", "npv", "f1", "auc",
    "average_precision", "net_benefit",
)  # fmt: skip
"""Figures that rise when scores of the second class rise, and those of the first fall."""
SHARES = ("prevalence", "selection_rate", "accuracy", "sensitivity", "specificity", "ppv", "npv")


def share(part: Array, whole: Array) -> Array:
    """`part` of `whole`, NaN where there is nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        divided = np.asarray(part, dtype=np.float64) / whole
    return np.where(np.asarray(whole) > 0, divided, np.nan)


def figures_of(
    counts: Array, edges: Array, threshold: float, *, ties: float = 0.5
) -> dict[str, Array]:
    """Figures of each table of counts.

    Parameters
    ----------
    counts : ndarray of shape (..., 2, n_bins)
        Rows by class and score.
    edges : ndarray of shape (n_bins + 1,)
        Of the bins; the threshold is one of them, and what is above it is called positive.
    threshold : float
    ties : float
        What a pair of one bin counts for in the area under the curve: one half where rows of a bin
        count as tied, 1 and 0 for the most and the least that their order may make of it. For the
        average precision likewise.

    Returns
    -------
    dict of str to ndarray
        Net benefit is of Vickers and Elkin 2006: true positives less false ones weighted by the
        odds of the threshold, per patient.

    Examples
    --------
    >>> figures = figures_of(np.array([[6.0, 2.0], [1.0, 3.0]]), np.array([0, 0.5, 1]), 0.5)
    >>> float(figures["accuracy"]), float(figures["sensitivity"])
    (0.75, 0.75)
    """
    negative, positive = counts[..., 0, :], counts[..., 1, :]
    cut = int(np.searchsorted(edges[:-1], threshold - 1e-12))
    true, false = positive[..., cut:].sum(axis=-1), negative[..., cut:].sum(axis=-1)
    n_positive, n_negative = positive.sum(axis=-1), negative.sum(axis=-1)
    total = n_positive + n_negative
    kept = n_negative - false
    below = np.cumsum(negative, axis=-1) - (1 - ties) * negative
    sensitivity, specificity = share(true, n_positive), share(kept, n_negative)
    odds = threshold / (1 - threshold)
    return {
        "prevalence": share(n_positive, total),
        "selection_rate": share(true + false, total),
        "accuracy": share(true + kept, total),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": share(true, true + false),
        "npv": share(kept, kept + n_positive - true),
        "f1": share(2 * true, true + false + n_positive),
        "auc": share((positive * below).sum(axis=-1), n_positive * n_negative),
        "average_precision": average_precision(counts, ties=ties),
        "net_benefit": share(true - odds * false, total),
    }


def average_precision(counts: Array, *, ties: float = 0.5) -> Array:
    """Area under the precision-recall curve in steps, as scikit-learn's average_precision_score.

    Rows of a bin count as tied, or stand in the best order (``ties=1``) or the worst (``ties=0``):
    the sum of ``i / (i + b)`` over the positives of a bin is then taken in closed form.
    """
    falling = counts[..., ::-1]
    negative, positive = falling[..., 0, :], falling[..., 1, :]
    true, false = np.cumsum(positive, axis=-1), np.cumsum(negative, axis=-1)
    n_positive = positive.sum(axis=-1)
    if ties in (0.0, 1.0):
        ahead = false if ties == 0.0 else false - negative
        before = true - positive
        spread = digamma(true + ahead + 1) - digamma(before + ahead + 1)
        steps = positive - ahead * spread
    else:
        steps = np.where(positive > 0, positive * share(true, true + false), 0.0)
    return share(steps.sum(axis=-1), n_positive)


def spread(lowest: Array, highest: Array) -> Array:
    """Rows between the first and the last bins where they may be, evenly.

    The i-th lowest of the one is taken for the i-th lowest of the other, as within a block and,
    over sites, as near as sums tell.

    Parameters
    ----------
    lowest, highest : ndarray of shape (n_bins,)

    Returns
    -------
    ndarray of shape (n_bins,)
        Of the same total, with running sums between those of the two.

    Examples
    --------
    >>> spread(np.array([2.0, 1.0, 0.0]), np.array([0.0, 3.0, 0.0]))
    array([1., 2., 0.])
    """
    if np.array_equal(lowest, highest):
        return lowest
    above, below = np.cumsum(lowest), np.cumsum(highest)
    ends = np.unique(np.concatenate([[0.0], above, below]))
    rows, middles = np.diff(ends), (ends[1:] + ends[:-1]) / 2
    first, last = (np.searchsorted(each, middles) for each in (above, below))
    evenly = np.zeros(len(lowest) + 1)
    density = rows / (last - first + 1)
    np.add.at(evenly, first, density)
    np.add.at(evenly, last + 1, -density)
    counts: Array = np.maximum(np.cumsum(evenly[:-1]), 0.0)
    return counts


def between(lowest: Array, highest: Array) -> Array:
    """Rows by class and bin, evenly between the bins where they may be; noise below 0 is taken off.

    Parameters
    ----------
    lowest, highest : ndarray of shape (2, n_bins)
    """
    ends = (np.maximum(lowest, 0.0), np.maximum(highest, 0.0))
    return np.stack([spread(ends[0][label], ends[1][label]) for label in (0, 1)])


def mean_scores(counts: Array, scores: Array) -> dict[str, Array]:
    """Brier score, log loss and calibration in the large, were every score as `scores` of its bin.

    Parameters
    ----------
    counts : ndarray of shape (..., 2, n_bins)
    scores : ndarray of shape (2, n_bins)
        For rows of each class.
    """
    total = counts.sum(axis=(-2, -1))
    losses = np.stack([scores[0] ** 2, (1 - scores[1]) ** 2])
    expected = (counts * scores).sum(axis=(-2, -1))
    return {
        "brier": share((counts * losses).sum(axis=(-2, -1)), total),
        "calibration_in_the_large": share(expected - counts[..., 1, :].sum(axis=-1), total),
    }
