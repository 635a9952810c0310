"""Rows on which an export is tried: none of them a patient's, and hard ones among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fedlab.core.seeds import generator
from fedlab.core.space import Space

__all__ = ["landmarks", "made_up_rows"]

SPREADS = (0.3, 1.0, 3.0, 30.0)
# Within single precision, the value itself, and one or two steps of single precision off.
NEARLY = (-1e-7, -1e-9, 0.0, 1e-9, 1e-7)
Doubles = NDArray[np.float64]


def made_up_rows(
    space: Space, *, gaps: bool = True, around: Sequence[Doubles] | None = None
) -> pd.DataFrame:
    """Rows around the centre of `space`, none of them a patient's.

    Numbers lie up to many scales off the centre, every category occurs, each column is missing
    somewhere, and one row is missing whole.

    Parameters
    ----------
    space : Space
    gaps : bool
        Whether numbers may be missing; categories always may.
    around : sequence of ndarray, optional
        For each numeric column values that a model turns on; half of its numbers lie on one of
        them, or as near as single precision can tell or just cannot.
    """
    random = generator("made-up rows", *space.names)
    longest = max((len(column.categories) for column in space.schema.columns), default=0)
    half = max(128, longest + 1)
    n_rows = 2 * half
    # Whole rows first, in which the lists of categories run through; then rows with gaps.
    present = random.random((n_rows, len(space.schema.columns))) < 0.8
    present[0], present[1:half] = False, True
    spread = np.resize(SPREADS, n_rows)
    scaling = iter(zip(space.scaling["mean"], space.scaling["scale"], strict=True))
    turns = iter(around if around is not None else [np.zeros(0)] * len(space.numbers))
    filled: dict[str, object] = {}
    for column, here in zip(space.schema.columns, present.T, strict=True):
        if column.kind == "number":
            mean, scale = next(scaling)
            values = mean + scale * spread * random.standard_normal(n_rows)
            some = next(turns)
            if len(some):
                near = random.choice(some, n_rows) * (1 + random.choice(NEARLY, n_rows))
                values = np.where(random.random(n_rows) < 0.5, near, values)
            filled[column.name] = np.where(here, values, np.nan) if gaps else values
        else:
            n_categories = len(column.categories)
            codes = random.integers(n_categories, size=n_rows)
            codes[1:half] = np.arange(half - 1) % n_categories
            filled[column.name] = pd.Categorical.from_codes(
                np.where(here, codes, -1), categories=pd.Index(list(column.categories))
            )
    return pd.DataFrame(filled)


def landmarks(final: Any, n_numbers: int) -> list[Doubles]:
    """Values of each number at which trees part rows, or around which naive Bayes sees classes.

    Both take numbers unscaled, so that the space does not tell where they lie.
    """
    if hasattr(final, "theta_"):
        theta, deviation = final.theta_[:, :n_numbers], np.sqrt(final.var_[:, :n_numbers])
        steps = np.concatenate([theta + k * deviation for k in (-3, -1, 0, 1, 3)])
        return list(steps.T)
    if hasattr(final, "binarize"):
        return [np.array([final.binarize, final.binarize + 1.0])] * n_numbers
    features, thresholds = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for each in getattr(final, "estimators_", ()):
        features.append(each.tree_.feature)
        thresholds.append(each.tree_.threshold)
    for each in (tree for stage in getattr(final, "_predictors", ()) for tree in stage):
        inner = each.nodes["is_leaf"] == 0
        features.append(each.nodes["feature_idx"][inner].astype(np.int64))
        thresholds.append(each.nodes["num_threshold"][inner])
    feature, threshold = np.concatenate(features), np.concatenate(thresholds)
    # A threshold beyond all numbers parts what is missing from the rest.
    finite = np.abs(threshold) < np.finfo(np.float32).max
    return [np.unique(threshold[(feature == place) & finite]) for place in range(n_numbers)]
