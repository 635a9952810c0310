"""The way from a site's own columns to a model, as a scikit-learn pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fedlab.core.space import Space

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["as_pipeline"]


def as_pipeline(space: Space, final: Any, *, n_samples: int) -> Pipeline:
    """A fitted pipeline that takes rows in the sites' own columns and ends in `final`.

    It scales, fills a missing number with the federation's mean and makes indicator columns;
    ``predict`` and the rest work as after an ordinary ``fit``.

    Parameters
    ----------
    space : Space
    final : estimator
        Already fitted, on the columns of ``space.matrix``.
    n_samples : int
        Training rows over all sites.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numeric = make_pipeline(StandardScaler(), SimpleImputer(strategy="constant", fill_value=0.0))
    indicators = OneHotEncoder(
        categories=[np.array(column.categories, dtype=object) for column in space.categories],
        handle_unknown="ignore",
        sparse_output=False,
    )
    blocks = [
        ("numbers", numeric, [column.name for column in space.numbers]),
        ("categories", indicators, [column.name for column in space.categories]),
    ]
    columns = ColumnTransformer([block for block in blocks if block[2]])
    # scikit-learn learns shapes and names from a table of made-up rows; every number it learned
    # from them is then replaced by the federation's.
    columns.fit(_made_up_rows(space))
    if space.numbers:
        scaler = columns.named_transformers_["numbers"].named_steps["standardscaler"]
        scaler.mean_ = np.array(space.scaling["mean"])
        scaler.scale_ = np.array(space.scaling["scale"])
        scaler.var_ = scaler.scale_**2
        scaler.n_samples_seen_ = n_samples
    return make_pipeline(columns, final)


def _made_up_rows(space: Space) -> pd.DataFrame:
    filled = {
        column.name: [0.0, 1.0] if column.kind == "number" else [column.categories[0]] * 2
        for column in space.schema.columns
    }
    return pd.DataFrame(filled)
