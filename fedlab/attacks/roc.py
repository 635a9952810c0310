"""How well scores tell two groups apart: areas and rates with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fedlab.core.parameters import Array

__all__ = ["area", "curve", "exact_interval", "rates_at"]

Flags = np.ndarray[Any, np.dtype[np.bool_]]


def area(scores: Array, members: Flags, *, confidence: float = 0.95) -> tuple[float, float, float]:
    """Area under the ROC curve with its interval.

    DeLong, DeLong and Clarke-Pearson 1988, "Comparing the areas under two or more correlated
    receiver operating characteristic curves", Biometrics 44(3): the variance from the share of the
    other group that each score exceeds.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        High for members.
    members : ndarray of bool of shape (n_samples,)
    confidence : float

    Returns
    -------
    tuple of float
        Area, lower and upper end, within 0 and 1.

    Examples
    --------
    >>> area(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))[0]
    0.75
    """
    from scipy.stats import norm, rankdata

    ins, outs = scores[members], scores[~members]
    together = rankdata(np.concatenate([ins, outs]))
    exceeded = (together[: len(ins)] - rankdata(ins)) / len(outs)
    not_exceeded = 1 - (together[len(ins) :] - rankdata(outs)) / len(ins)
    middle = float(exceeded.mean())
    variance = _variance(exceeded) / len(ins) + _variance(not_exceeded) / len(outs)
    reach = float(norm.ppf((1 + confidence) / 2) * np.sqrt(variance))
    return middle, max(0.0, middle - reach), min(1.0, middle + reach)


def _variance(values: Array) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0


def curve(scores: Array, members: Flags) -> pd.DataFrame:
    """The ROC curve, one row a threshold: ``false_positive_rate`` and ``true_positive_rate``.

    Ties are passed together, so that no order among them helps.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    true, false = np.cumsum(members[order])[last], np.cumsum(~members[order])[last]
    return pd.DataFrame(
        {
            "false_positive_rate": np.append(0.0, false / max(int((~members).sum()), 1)),
            "true_positive_rate": np.append(0.0, true / max(int(members.sum()), 1)),
        }
    )


def exact_interval(count: int, of: int, confidence: float) -> tuple[float, float]:
    """Interval of a share (Clopper and Pearson 1934, Biometrika 26(4)).

    Examples
    --------
    >>> low, high = exact_interval(0, 10, 0.95)
    >>> low, round(high, 4)
    (0.0, 0.3085)
    """
    from scipy.stats import beta

    rest = (1 - confidence) / 2
    low = float(beta.ppf(rest, count, of - count + 1)) if count > 0 else 0.0
    high = float(beta.ppf(1 - rest, count + 1, of - count)) if count < of else 1.0
    return low, high


def rates_at(
    scores: Array, members: Flags, levels: Sequence[float], *, confidence: float = 0.95
) -> list[tuple[float, float, float]]:
    """True-positive rate at each false-positive rate in `levels`, with its interval.

    The threshold is the one that admits the most members while no more than that share of the
    others; it is taken as given in the interval.
    """
    found, roc, n_members = [], curve(scores, members), int(members.sum())
    for level in levels:
        within = roc[roc["false_positive_rate"] <= level + 1e-12]
        rate = float(within["true_positive_rate"].max())
        found.append((rate, *exact_interval(round(rate * n_members), n_members, confidence)))
    return found
