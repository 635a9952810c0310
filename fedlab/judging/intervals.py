"""Confidence intervals from counts alone."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from fedlab.core.parameters import Array

__all__ = ["auc_variance", "newcombe", "resampled", "wilson"]


def wilson(part: float, whole: float, level: float) -> tuple[float, float]:
    """Wilson's interval of a proportion (Wilson 1927).

    Examples
    --------
    >>> [round(end, 4) for end in wilson(81, 263, 0.95)]
    [0.2553, 0.3662]
    """
    if not whole > 0:
        return np.nan, np.nan
    z = float(ndtri((1 + level) / 2))
    p = part / whole
    middle = (p + z**2 / (2 * whole)) / (1 + z**2 / whole)
    half = z / (1 + z**2 / whole) * np.sqrt(p * (1 - p) / whole + z**2 / (4 * whole**2))
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))


def newcombe(
    one: tuple[float, float], other: tuple[float, float], level: float
) -> tuple[float, float]:
    """Interval of the difference of two independent proportions (Newcombe 1998, method 10).

    Parameters
    ----------
    one, other : tuple of float
        Part and whole.

    Examples
    --------
    >>> [round(end, 4) for end in newcombe((56, 70), (48, 80), 0.95)]
    [0.0524, 0.3339]
    """
    (low, high), (other_low, other_high) = wilson(*one, level), wilson(*other, level)
    p, q = (part / whole if whole > 0 else np.nan for part, whole in (one, other))
    down = np.hypot(p - low, other_high - q)
    up = np.hypot(high - p, q - other_low)
    return float(p - q - down), float(p - q + up)


def auc_variance(counts: Array) -> float:
    """Variance of the area under the ROC curve (DeLong, DeLong and Clarke-Pearson 1988).

    Rows of a bin count as tied. Their placements then follow from running sums of the counts, as
    they follow from ranks where scores are known (Sun and Xu 2014).

    Parameters
    ----------
    counts : ndarray of shape (2, n_bins)
    """
    negative, positive = counts
    n_negative, n_positive = negative.sum(), positive.sum()
    if n_negative <= 1 or n_positive <= 1:
        return float(np.nan)
    of_positive = (np.cumsum(negative) - negative / 2) / n_negative
    of_negative = 1 - (np.cumsum(positive) - positive / 2) / n_positive
    auc = (positive * of_positive).sum() / n_positive
    first = (positive * (of_positive - auc) ** 2).sum() / (n_positive - 1)
    second = (negative * (of_negative - auc) ** 2).sum() / (n_negative - 1)
    return float(first / n_positive + second / n_negative)


def resampled(tables: Array, random: np.random.Generator, times: int, noise: float = 0.0) -> Array:
    """Tables of counts as other samples of as many rows would have them (Efron 1979).

    Parameters
    ----------
    tables : ndarray of shape (n_strata, 2, n_bins)
        Each is drawn on its own, and all are added up.
    random : Generator
    times : int
    noise : float
        Standard deviation of the noise of every count of the sum, which is drawn anew too.

    Returns
    -------
    ndarray of shape (times, 2, n_bins)
    """
    drawn = np.zeros((times, *tables.shape[1:]))
    for table in np.maximum(tables, 0.0):
        total = table.sum()
        if total > 0:
            cells = random.multinomial(round(float(total)), np.ravel(table / total), size=times)
            drawn += cells.reshape(drawn.shape)
    if noise:
        drawn = np.maximum(drawn + random.normal(0.0, noise, drawn.shape), 0.0)
    return drawn
