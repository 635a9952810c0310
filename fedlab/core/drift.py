"""How far one site's column is from that of the others, from sums alone."""

from __future__ import annotations

import math

import numpy as np

from fedlab.core.parameters import Array

__all__ = ["pooled_moments", "standardised_difference", "total_variation"]


def pooled_moments(rows: Array, mean: Array, sd: Array) -> tuple[float, float]:
    """Mean and standard deviation of several groups together.

    Parameters
    ----------
    rows, mean, sd : ndarray of shape (n_groups,)
        With a divisor of rows less one.

    Returns
    -------
    (float, float)
        NaN where there are too few rows.

    Examples
    --------
    >>> pooled_moments(np.array([2.0, 2.0]), np.array([1.0, 3.0]), np.array([0.0, 0.0]))[0]
    2.0
    """
    told = (rows > 0) & np.isfinite(mean)
    rows, mean, sd = rows[told], mean[told], np.nan_to_num(sd[told])
    total = float(rows.sum())
    if total < 2:
        return math.nan, math.nan
    middle = float(rows @ mean / total)
    squares = float(((rows - 1) * sd**2 + rows * (mean - middle) ** 2).sum())
    return middle, math.sqrt(max(squares, 0.0) / (total - 1))


def standardised_difference(mean: float, sd: float, other_mean: float, other_sd: float) -> float:
    """Difference of two means in units of their standard deviation (Austin 2009, equation 1).

    Examples
    --------
    >>> standardised_difference(62.0, 10.0, 57.0, 10.0)
    0.5
    """
    spread = math.sqrt((sd**2 + other_sd**2) / 2)
    if spread > 0:
        return (mean - other_mean) / spread
    return 0.0 if mean == other_mean else math.nan


def total_variation(counts: Array, others: Array) -> float:
    """Largest difference of the shares that any set of categories has in two groups.

    Parameters
    ----------
    counts, others : ndarray of shape (n_categories,)

    Returns
    -------
    float
        From 0, the same shares, to 1, nothing in common; NaN where a group is empty.

    Examples
    --------
    >>> total_variation(np.array([25.0, 75.0]), np.array([50.0, 50.0]))
    0.25
    """
    if counts.sum() <= 0 or others.sum() <= 0:
        return math.nan
    return float(np.abs(counts / counts.sum() - others / others.sum()).sum() / 2)
