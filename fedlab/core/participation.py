"""What taking part in a round does, told from sums alone: effects with error bars, and points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fedlab.core.parameters import Array

__all__ = ["Effects", "holm", "participation_effects", "participation_points"]

TINY = 1e-8


class Effects(NamedTuple):
    """Effects of sites against their mean, each of shape ``(n_sites,)``; NaN where none is known.

    Attributes
    ----------
    estimate, standard_error, lower, upper : ndarray
    p_value : ndarray
        Of no effect, two-sided, not adjusted for the number of sites.
    degrees : int
        Degrees of freedom that are left for the error; below 1 all else is NaN.
    """

    estimate: Array
    standard_error: Array
    lower: Array
    upper: Array
    p_value: Array
    degrees: int


def participation_effects(
    before: Array, after: Array, took_part: Array, *, level: float = 0.95
) -> Effects:
    """Regress the fall of the loss in a round on who took part in it.

    The fall is explained by an intercept, the loss before the round (far from the optimum a round
    gains more, and after a bad round the next one makes up for it), and one effect for each site.
    Where cohorts are drawn at random, apart from the past, the difference between two effects is
    the mean gain of exchanging one site for the other, even if the rest of the model is wrong
    (Freedman 2008; Lin 2013, "Agnostic notes on regression adjustments to experimental data").
    Standard errors are HC3 (MacKinnon and White 1985): falls need not vary equally in all rounds.

    Parameters
    ----------
    before, after : ndarray of shape (n_rounds,)
        The loss before and after each round.
    took_part : ndarray of shape (n_rounds, n_sites)
        1 where a site took part, 0 where not.
    level : float
        Coverage of each interval, by Student's t.

    Examples
    --------
    >>> took_part = np.array([[1, 0], [0, 1]] * 4)
    >>> before, noise = np.arange(8.0, 0, -1), np.tile([0.0, 0.0, 0.1, 0.1], 2)
    >>> found = participation_effects(before, before - took_part[:, 0] - noise, took_part)
    >>> found.estimate.round(2).tolist(), found.degrees
    ([0.51, -0.51], 5)
    """
    from scipy import stats

    n_sites = took_part.shape[1]
    there = took_part.astype(float)
    # One round with a site, or without it, gives an effect but no idea of its error.
    varied = (np.minimum(there.sum(axis=0), (1 - there).sum(axis=0)) >= 2).nonzero()[0]
    unknown = np.full(n_sites, np.nan)
    nothing = Effects(unknown, unknown, unknown, unknown, unknown, 0)
    if len(varied) < 2:
        return nothing
    level_before = np.column_stack([np.ones(len(before)), before - before.mean()])
    basis, sizes, _ = np.linalg.svd(level_before, full_matrices=False)
    basis = basis[:, sizes > TINY * sizes[0]]
    design = there[:, varied] - basis @ (basis.T @ there[:, varied])
    fall = before - after
    fall = fall - basis @ (basis.T @ fall)
    inverse = np.linalg.pinv(design, rcond=TINY)
    hat = design @ inverse
    degrees = len(before) - basis.shape[1] - round(float(np.trace(hat)))
    if degrees < 1:
        return nothing._replace(degrees=degrees)
    contrast = np.eye(len(varied)) - 1 / len(varied)
    weights = contrast @ inverse
    slack = 1 - np.square(basis).sum(axis=1) - np.diag(hat)
    alone = slack < TINY
    residual = np.where(alone, 0.0, fall - hat @ fall) / np.where(alone, 1.0, slack)
    # Known is what the rounds tell apart, and what does not hang on a single one of them.
    same = np.abs(contrast @ (inverse @ design) - contrast).max(axis=1) < np.sqrt(TINY)
    known = same & ~(np.abs(weights[:, alone]) > TINY).any(axis=1)
    estimate, error = unknown.copy(), unknown.copy()
    estimate[varied[known]] = (weights @ fall)[known]
    error[varied[known]] = np.sqrt(np.square(weights * residual).sum(axis=1))[known]
    reach = stats.t.ppf((1 + level) / 2, degrees) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * stats.t.sf(np.abs(estimate) / error, degrees)
    return Effects(estimate, error, estimate - reach, estimate + reach, p_value, degrees)


def holm(p_values: Array) -> Array:
    """Adjust p-values for their number, by the steps of Holm (1979); NaN stays out of it.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, np.nan, 0.02])).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    adjusted = np.full_like(p_values, np.nan)
    order = np.argsort(p_values)[: np.isfinite(p_values).sum()]
    steps = p_values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def participation_points(falls: Array, took_part: Array) -> Array:
    """Points of Pejó and Biczók (2023, arXiv 2007.06236): the good, the bad and the ugly.

    A round that gains more than the one before it gives each of its sites one point (good) and
    takes one from each site of the one before (bad); a round that loses takes one from each of its
    sites (ugly).

    Parameters
    ----------
    falls : ndarray of shape (n_rounds,)
        Fall of the loss in each round; NaN where it is not known.
    took_part : ndarray of shape (n_rounds, n_sites)

    Examples
    --------
    >>> took_part = np.array([[1, 0], [0, 1], [0, 1]])
    >>> participation_points(np.array([0.1, 0.2, -0.1]), took_part).tolist()
    [-1, 0]
    """
    there = took_part.astype(int)
    better = falls[1:] > falls[:-1]
    good = there[1:][better].sum(axis=0)
    bad = there[:-1][better].sum(axis=0)
    ugly = there[falls < 0].sum(axis=0)
    points: Array = good - bad - ugly
    return points
