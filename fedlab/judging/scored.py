"""All figures of two classes for one group of rows, with intervals and bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from fedlab.core.parameters import Array
from fedlab.judging.bounds import bounds_of
from fedlab.judging.curves import calibration_cuts, expected_error
from fedlab.judging.intervals import auc_variance, resampled, wilson
from fedlab.judging.measures import SHARES, between, figures_of, mean_scores

__all__ = ["CALIBRATED", "VAGUE", "Group", "Line", "Style", "lines_of"]

VAGUE = 0.3
"""A figure that is certain only within bounds further apart has no estimate: the middle of what
blocks leave open would be read as a finding, and always is nearer to chance."""

CALIBRATED = ("brier", "log_loss", "calibration_in_the_large", "calibration_error", "net_benefit")
"""Figures that make sense of probabilities only."""
FEWEST_BLOCKS = 5
"""Half as many as the tenths over which calibration is looked at."""
DRAWN = ("f1", "average_precision", "net_benefit", "calibration_error", "balanced_accuracy")


@dataclass(frozen=True)
class Style:
    """How figures are made.

    Attributes
    ----------
    edges : ndarray of shape (n_bins + 1,)
    threshold, level : float
    times : int
        Of the bootstrap; 0 for none.
    noise : float
        Standard deviation of every count, where noise was added.
    calibrated : bool
        Whether scores are probabilities.
    """

    edges: Array
    threshold: float
    level: float
    times: int
    noise: float = 0.0
    calibrated: bool = True


@dataclass(frozen=True)
class Group:
    """What is known of one group.

    Attributes
    ----------
    lowest, highest : ndarray of shape (2, n_bins)
    rows : float
    sums : ndarray of shape (2, 4) or None
        Of `CLASS_SUMS`, where all sites told them.
    strata : ndarray of shape (n_strata, 2, n_bins)
        What the bootstrap draws from, apart.
    """

    lowest: Array
    highest: Array
    rows: float
    sums: Array | None
    strata: Array

    @property
    def middle(self) -> Array:
        """Rows evenly between the first and the last bins where they may be."""
        return between(self.lowest, self.highest)

    @property
    def unknown(self) -> float:
        """Rows of which neither class nor score is known."""
        return max(self.rows - float(self.lowest.sum()), 0.0)


@dataclass(frozen=True)
class Line:
    """One figure: estimate, confidence interval, and certain bounds."""

    estimate: float
    lower: float = float("nan")
    upper: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")

    def within(self, low: float, high: float) -> Line:
        """Nothing but these bounds."""
        return Line(float("nan"), low=low, high=high)


def lines_of(group: Group, style: Style, random: np.random.Generator) -> dict[str, Line]:
    """Every figure of a group, by name.

    Proportions have Wilson's intervals, the area under the curve DeLong's, all else the percentiles
    of a bootstrap of the counts. Under noise every interval is of the bootstrap, noise included.
    """
    edges, cuts = style.edges, calibration_cuts(group.lowest, group.highest, style.edges)
    middle = group.middle
    estimates = _all(middle, style, cuts)
    exact = _exact(group.sums)
    drawn = (
        _all(resampled(group.strata, random, style.times, style.noise), style, cuts)
        if style.times and middle.sum() > 0
        else {}
    )
    noisy = style.noise > 0
    bounds = (
        {}
        if noisy
        else bounds_of(group.lowest, group.highest, group.unknown, edges, style.threshold)
    )
    tails = 100 * np.array([(1 - style.level) / 2, (1 + style.level) / 2])
    lines = {}
    for name in [*estimates, "log_loss"]:
        if name in CALIBRATED and not style.calibrated:
            continue
        value = float(estimates.get(name, np.nan))
        told = exact.get(name, value)
        lower, upper = _interval(name, middle, value, style)
        if name in drawn and (noisy or lower != lower):
            ends = drawn[name][np.isfinite(drawn[name])]
            if len(ends):
                # Around the exact figure, where the counts know it only up to their bins.
                lower, upper = (float(end) + told - value for end in np.percentile(ends, tails))
        low, high = bounds.get(name, (np.nan, np.nan))
        if name in exact and group.unknown == 0:
            low = high = told
        line = Line(told, lower, upper, low, high)
        vague = name not in exact and high - low > VAGUE
        lines[name] = line.within(low, high) if vague else line
    if "calibration_error" in lines and len(cuts) <= FEWEST_BLOCKS:
        # Over all rows together it is no more than the difference of two means.
        lines["calibration_error"] = Line(np.nan)
    return lines


def _all(counts: Array, style: Style, cuts: Array) -> dict[str, Array]:
    middles = (style.edges[1:] + style.edges[:-1]) / 2
    return {
        **figures_of(counts, style.edges, style.threshold),
        **mean_scores(counts, np.stack([middles, middles])),
        "calibration_error": expected_error(counts, style.edges, cuts),
    }


def _exact(sums: Array | None) -> dict[str, float]:
    if sums is None or not sums[:, 0].sum() > 0:
        return {}
    rows, brier, losses, scores = sums.sum(axis=0)
    return {
        "brier": float(brier / rows),
        "log_loss": float(losses / rows),
        "calibration_in_the_large": float((scores - sums[1, 0]) / rows),
    }


def _interval(name: str, counts: Array, value: float, style: Style) -> tuple[float, float]:
    if name in SHARES and value == value:
        whole = _whole(name, counts, style)
        return wilson(value * whole, whole, style.level)
    if name == "auc" and value == value:
        half = float(ndtri((1 + style.level) / 2)) * np.sqrt(auc_variance(counts))
        return max(value - half, 0.0), min(value + half, 1.0)
    return float("nan"), float("nan")


def _whole(name: str, counts: Array, style: Style) -> float:
    cut = int(np.searchsorted(style.edges[:-1], style.threshold - 1e-12))
    wholes = {
        "sensitivity": counts[1],
        "specificity": counts[0],
        "ppv": counts[:, cut:],
        "npv": counts[:, :cut],
    }
    return float(wholes.get(name, counts).sum())
