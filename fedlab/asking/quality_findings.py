"""Which differences between a site's records and the other sites' are worth a look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = [
    "MISSING",
    "OUTSIDE",
    "SHIFT",
    "SPREAD",
    "VARIATION",
    "Noise",
    "findings_of",
    "noise_of",
    "share_of",
]

SHIFT, SPREAD, VARIATION, MISSING, OUTSIDE = 0.5, 2.0, 0.2, 0.1, 0.01
"""From where a difference to the other sites is worth a look: standardised difference of means,
ratio of standard deviations, total variation of categories; share of missing values above the
others'; share outside of the declared range."""
LARGEST_NOISE = 3.0
"""Standard deviations that noise is taken to reach."""


@dataclass(frozen=True)
class Noise:
    """What noise alone may make of figures; 0 without it."""

    share: float
    outside: float
    shift: float
    variation: float


def noise_of(line: dict[str, Any], mine: pd.DataFrame, outside: float) -> Noise:
    """What noise alone may make of the figures of one column at one site.

    Parameters
    ----------
    line : dict
        With ``sd``.
    mine : DataFrame
        The site's rows of a description.
    outside : float
        Standard deviation of the noise on the share that is outside of the range.
    """
    first = mine.iloc[0]
    if "noise" not in first:
        return Noise(0.0, 0.0, 0.0, 0.0)
    far = LARGEST_NOISE * float(first["noise"]) / max(float(mine["patients"].sum()), 1.0)
    sd = line["sd"] if line["sd"] > 0 else math.nan
    shift = LARGEST_NOISE * float(first.get("mean_noise", math.nan)) / sd
    return Noise(
        far,
        0.0 if math.isnan(outside) else LARGEST_NOISE * outside,
        math.inf if math.isnan(shift) else shift,
        far * math.sqrt(len(mine)),
    )


def share_of(part: pd.DataFrame, name: str) -> float:
    """Share of patients that miss a value, or have an unmapped one; NaN where not told."""
    absent = float(part.iloc[0][name])
    has = float(part["patients"].sum(skipna=False))
    other = "unmapped" if name == "missing" else "missing"
    total = has + absent + float(part.iloc[0][other])
    return min(max(absent, 0.0) / total, 1.0) if total > 0 else math.nan


def findings_of(
    line: dict[str, Any], elsewhere: Sequence[float], unit: str | None, noise: Noise
) -> list[str]:
    """What is worth a look in one column of one site, in words.

    Parameters
    ----------
    line : dict
        A row of `DataQuality.frame`.
    elsewhere : sequence of float
        Shares that are missing at the other sites.
    unit : str or None
        In which unit its numbers look to be.
    noise : Noise
    """
    found = []
    if unit is not None:
        found.append(unit)
    elif abs(line["shift"]) >= max(SHIFT, noise.shift):
        found.append(f"mean {line['shift']:+.1f} SD")
    steady = noise.shift < SHIFT
    if (
        unit is None
        and steady
        and not 1 / SPREAD <= (1.0 if math.isnan(s := line["spread"]) else s) <= SPREAD
    ):
        found.append(f"spread × {line['spread']:.2g}")
    if line["variation"] >= max(VARIATION, noise.variation):
        found.append(f"{line['variation']:.0%} in other categories")
    if line["outside"] >= max(OUTSIDE, noise.outside):
        found.append(f"{line['outside']:.1%} outside of range")
    if line["unmapped"] > noise.share:
        found.append(f"{line['unmapped']:.1%} unmapped")
    typical = np.nanmedian(elsewhere) if np.isfinite(elsewhere).any() else math.nan
    if line["missing"] - typical >= max(MISSING, noise.share):
        found.append(f"{line['missing']:.0%} missing, {typical:.0%} elsewhere")
    return found
