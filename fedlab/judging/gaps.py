"""How far subgroups of one factor are apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import ndtri

from fedlab.core.parameters import Array
from fedlab.judging.intervals import auc_variance, newcombe
from fedlab.judging.measures import figures_of

__all__ = ["gaps_of"]

NAMES = ["factor", "level", "reference", "figure", "gap", "lower", "upper"]


def gaps_of(
    tables: Mapping[tuple[str, str], Array], edges: Array, threshold: float, level: float
) -> pd.DataFrame:
    """Differences of each subgroup from the largest one of its factor.

    Sensitivity, specificity and selection rate have the intervals of Newcombe 1998, the area under
    the curve that of two independent ones by DeLong's variances.

    Parameters
    ----------
    tables : mapping of (factor, level) to ndarray of shape (2, n_bins)
    edges : ndarray of shape (n_bins + 1,)
    threshold, level : float

    Returns
    -------
    DataFrame
        One row a subgroup and figure.
    """
    lines = []
    for factor in dict.fromkeys(factor for factor, _ in tables):
        mine = {name: table for (of, name), table in tables.items() if of == factor}
        mine = {name: table for name, table in mine.items() if table.sum() > 0}
        if len(mine) < 2:
            continue
        reference = max(mine, key=lambda name: mine[name].sum())
        for name in mine:
            if name != reference:
                for figure, gap in _between(
                    mine[name], mine[reference], edges, threshold, level
                ).items():
                    lines.append([factor, name, reference, figure, *gap])
    return pd.DataFrame(lines, columns=NAMES)


def _between(
    one: Array, other: Array, edges: Array, threshold: float, level: float
) -> dict[str, tuple[float, float, float]]:
    first, second = (figures_of(each, edges, threshold) for each in (one, other))
    cut = int(np.searchsorted(edges[:-1], threshold - 1e-12))
    parts = {
        "sensitivity": [(each[1, cut:].sum(), each[1].sum()) for each in (one, other)],
        "specificity": [(each[0, :cut].sum(), each[0].sum()) for each in (one, other)],
        "selection_rate": [(each[:, cut:].sum(), each.sum()) for each in (one, other)],
    }
    found = {}
    for figure, (mine, theirs) in parts.items():
        gap = float(first[figure] - second[figure])
        found[figure] = (gap, *newcombe(mine, theirs, level))
    gap = float(first["auc"] - second["auc"])
    half = float(ndtri((1 + level) / 2)) * np.sqrt(auc_variance(one) + auc_variance(other))
    found["auc"] = (gap, gap - half, gap + half)
    return found
