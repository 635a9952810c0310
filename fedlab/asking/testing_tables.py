"""Tests of finished tables: counts by two categories, and means by group."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fedlab.core.parameters import Array

__all__ = [
    "ChiSquare",
    "chi_square",
    "difference_of_means",
    "difference_of_shares",
    "equal_means",
]


class ChiSquare(NamedTuple):
    """Pearson's test of independence; NaN where the table has fewer than two rows or columns.

    Attributes
    ----------
    statistic : float
    degrees_of_freedom : int
    p_value : float
    cramers_v : float
        Cramér (1946): the root of the statistic over its largest value.
    least_expected : float
        The smallest expected count; below 5 the p-value is rough (Cochran 1954).
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float
    cramers_v: float
    least_expected: float


def chi_square(table: Array) -> ChiSquare:
    """Pearson's chi-square without continuity correction; rows and columns of nobody are left out.

    Parameters
    ----------
    table : ndarray of shape (n_rows, n_columns)

    Examples
    --------
    >>> round(chi_square(np.array([[20.0, 30.0], [30.0, 20.0]])).statistic, 6)
    4.0
    """
    from scipy.stats import chi2_contingency

    some = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(some.shape) < 2:
        nan = float("nan")
        return ChiSquare(nan, 0, nan, nan, nan)
    found: Any = chi2_contingency(some, correction=False)
    strength = np.sqrt(found.statistic / some.sum() / (min(some.shape) - 1))
    least = float(found.expected_freq.min())
    return ChiSquare(
        float(found.statistic), int(found.dof), float(found.pvalue), float(strength), least
    )


def equal_means(rows: Array, mean: Array, sd: Array) -> float:
    """The p-value of Welch's t-test (1947) for two groups, of analysis of variance for more.

    Parameters
    ----------
    rows, mean, sd : ndarray of shape (n_groups,)

    Examples
    --------
    >>> round(equal_means(np.array([9.0, 9.0]), np.array([0.0, 1.0]), np.ones(2)), 3)
    0.05
    """
    from scipy.stats import f, ttest_ind_from_stats

    keep = rows > 1
    rows, mean, sd = rows[keep], mean[keep], sd[keep]
    if len(rows) < 2 or not np.isfinite(sd).all() or not (sd > 0).any():
        return float("nan")
    if len(rows) == 2:
        found: Any = ttest_ind_from_stats(
            mean[0], sd[0], rows[0], mean[1], sd[1], rows[1], equal_var=False
        )
        return float(found.pvalue)
    common = (rows * mean).sum() / rows.sum()
    between = (rows * (mean - common) ** 2).sum() / (len(rows) - 1)
    within = ((rows - 1) * sd**2).sum() / (rows.sum() - len(rows))
    return float(f.sf(between / within, len(rows) - 1, rows.sum() - len(rows)))


def difference_of_means(mean: Array, sd: Array) -> float:
    """The standardised mean difference (Austin 2009), the largest of all pairs of groups.

    Examples
    --------
    >>> float(difference_of_means(np.array([0.0, 1.0]), np.array([1.0, 1.0])))
    1.0
    """
    pairs = [
        abs(mean[i] - mean[j]) / np.sqrt((sd[i] ** 2 + sd[j] ** 2) / 2)
        for i in range(len(mean))
        for j in range(i)
        if sd[i] ** 2 + sd[j] ** 2 > 0
    ]
    return float(max(pairs, default=float("nan")))


def difference_of_shares(table: Array) -> float:
    """The standardised difference of shares (Yang and Dalton 2012), the largest of all pairs.

    It is the Mahalanobis distance of two groups' shares of all levels but the first.

    Parameters
    ----------
    table : ndarray of shape (n_groups, n_levels)

    Examples
    --------
    >>> round(difference_of_shares(np.array([[50.0, 50.0], [75.0, 25.0]])), 4)
    0.5345
    """
    table = table[:, table.sum(axis=0) > 0]
    if (table.sum(axis=1) <= 0).any() or table.shape[1] < 2:
        return float("nan")
    shares = (table / table.sum(axis=1, keepdims=True))[:, 1:]
    spreads = [np.diag(p) - np.outer(p, p) for p in shares]
    found = []
    for i in range(len(shares)):
        for j in range(i):
            gap = shares[i] - shares[j]
            common = (spreads[i] + spreads[j]) / 2
            found.append(float(np.sqrt(max(gap @ np.linalg.pinv(common) @ gap, 0.0))))
    return max(found, default=float("nan"))
