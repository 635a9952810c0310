"""Parameters as the scikit-learn estimator they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fedlab.core.parameters import Parameters
from fedlab.core.space import Space

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["as_estimator"]


def as_estimator(
    parameters: Parameters, space: Space, *, C: float, n_samples: int, n_iter: int
) -> Pipeline:
    """A fitted pipeline that takes rows in the sites' own columns.

    It scales, fills a missing number with the federation's mean, makes indicator columns, and
    classifies: ``predict``, ``predict_proba`` and the rest work as after an ordinary ``fit``.

    Parameters
    ----------
    parameters : Parameters
        ``coef`` of shape ``(n_features,)`` and ``intercept``.
    space : Space
    C : float
        Inverse penalty, as scikit-learn names it.
    n_samples : int
        Training rows over all sites.
    n_iter : int
        Rounds.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
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
    pipeline = make_pipeline(columns, LogisticRegression(C=C))
    # scikit-learn fits shapes and names on a table of made-up rows; every number it learned from
    # them is then replaced by the federation's.
    made_up = _made_up_rows(space)
    pipeline.fit(made_up, np.array(space.schema.classes))
    if space.numbers:
        scaler = columns.named_transformers_["numbers"].named_steps["standardscaler"]
        scaler.mean_ = np.array(space.scaling["mean"])
        scaler.scale_ = np.array(space.scaling["scale"])
        scaler.var_ = scaler.scale_**2
        scaler.n_samples_seen_ = n_samples
    classifier: Any = pipeline.named_steps["logisticregression"]
    # scikit-learn sorts the classes; where the declared order differs, the sign turns.
    sign = 1.0 if classifier.classes_[1] == space.schema.classes[1] else -1.0
    classifier.coef_ = sign * np.array(parameters["coef"])[None, :]
    classifier.intercept_ = sign * np.array(parameters["intercept"]).reshape(1)
    classifier.n_iter_ = np.array([n_iter], dtype=np.int32)
    return pipeline


def _made_up_rows(space: Space) -> pd.DataFrame:
    filled = {
        column.name: [0.0, 1.0] if column.kind == "number" else [column.categories[0]] * 2
        for column in space.schema.columns
    }
    return pd.DataFrame(filled)
