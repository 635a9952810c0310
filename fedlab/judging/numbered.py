"""Figures of a predicted number from sums of its errors."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from fedlab.core.parameters import Array
from fedlab.judging.scored import Line
from fedlab.queries.judge_sums import NUMBER_SUMS

__all__ = ["number_lines"]


def number_lines(sums: Array, level: float) -> dict[str, Line]:
    """Mean absolute error, root mean square error, bias and R² of one group.

    Intervals are of the normal distribution, that of the root by the delta method; R² has none.

    Parameters
    ----------
    sums : ndarray of shape (7,)
        Of `NUMBER_SUMS`.
    level : float

    Examples
    --------
    >>> lines = number_lines(np.array([4.0, 0.0, 8.0, 0.0, 2.0, 2.0, 2.0]), 0.95)
    >>> lines["mae"].estimate, lines["r2"].estimate
    (0.5, 0.75)
    """
    told = dict(zip(NUMBER_SUMS, sums.tolist(), strict=True))
    rows = told["rows"]
    if not rows > 0:
        return {}
    z = float(ndtri((1 + level) / 2)) / np.sqrt(rows)
    mae, mse, bias = (told[name] / rows for name in ("absolute", "squares", "error"))
    rmse = float(np.sqrt(mse))
    spread = told["spread"] - told["target"] ** 2 / rows
    r2 = 1 - told["squares"] / spread if spread > 0 else np.nan
    of_mse = float(np.sqrt(max(told["fourths"] / rows - mse**2, 0.0)))
    halves = {
        "mae": z * np.sqrt(max(mse - mae**2, 0.0)),
        "rmse": z * of_mse / (2 * rmse) if rmse > 0 else 0.0,
        "bias": z * np.sqrt(max(mse - bias**2, 0.0)),
    }
    lines = {
        name: Line(value, float(value - halves[name]), float(value + halves[name]), value, value)
        for name, value in (("mae", mae), ("rmse", rmse), ("bias", bias))
    }
    return {**lines, "r2": Line(float(r2), low=float(r2), high=float(r2))}
