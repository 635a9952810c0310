"""What can be said of a hidden value: by its frequency, by the other columns, by a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fedlab.attacks.recipes import Recipe, fitted, probabilities
from fedlab.core.parameters import Array

__all__ = ["Hidden", "learned_trust"]

SMALLEST = 1e-6
TRUSTS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


@dataclass(frozen=True)
class Hidden:
    """A column of few values, left out of rows that are known otherwise."""

    target: str
    attribute: str
    values: list[Any]

    def places(self, rows: pd.DataFrame) -> Any:
        """Which of the values each row has."""
        return pd.Index(self.values).get_indexer(pd.Index(rows[self.attribute]))

    def frequency(self, helpers: pd.DataFrame) -> Array:
        """Log-frequency of each value, shape ``(n_values,)``."""
        counts = np.bincount(self.places(helpers), minlength=len(self.values)) + 1.0
        return np.asarray(np.log(counts / counts.sum()), dtype=np.float64)

    def imputed(self, helpers: pd.DataFrame, rows: pd.DataFrame, seed: int) -> Array:
        """Log-probability of each value by the other columns, shape ``(n_samples, n_values)``."""
        imputer = _imputer(seed).fit(helpers.drop(columns=self.attribute), self.places(helpers))
        likely = np.full((len(rows), len(self.values)), SMALLEST)
        likely[:, imputer.classes_] += imputer.predict_proba(rows.drop(columns=self.attribute))
        return np.asarray(np.log(likely), dtype=np.float64)

    def fits(self, model: Any, rows: pd.DataFrame) -> Array:
        """Log-probability of the target with each value put in, ``(n_samples, n_values)``."""
        features, column = rows.drop(columns=self.target), rows[self.attribute]
        answers = []
        for value in self.values:
            put = pd.Series([value] * len(rows), column.index, column.dtype)
            tried = features.assign(**{self.attribute: put})
            answers.append(probabilities(model, tried, rows[self.target]))
        return np.asarray(np.log(np.column_stack(answers) + SMALLEST), dtype=np.float64)


def learned_trust(recipe: Recipe, hidden: Hidden, helpers: pd.DataFrame, seed: int) -> float:
    """How much the adversary makes of a model's answers, learned from a shadow model.

    A model that has learned its rows by heart gives small differences that mean much, which no
    likelihood tells.
    """
    members, rest = helpers.iloc[::2], helpers.iloc[1::2]
    shadow = fitted(recipe, members, hidden.target, seed=seed)
    imputed, fits = hidden.imputed(rest, members, seed), hidden.fits(shadow, members)
    truth = hidden.places(members)
    right = [((imputed + trust * fits).argmax(axis=1) == truth).mean() for trust in TRUSTS]
    return TRUSTS[int(np.argmax(right))]


def _imputer(seed: int) -> Any:
    """Guesses the attribute from the other columns, the target among them."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    columns = make_column_transformer(
        (
            OneHotEncoder(handle_unknown="ignore"),
            make_column_selector(dtype_include=["category", "object", "string"]),
        ),
        remainder=SimpleImputer(keep_empty_features=True),
    )
    return make_pipeline(
        columns, RandomForestClassifier(100, min_samples_leaf=3, random_state=seed)
    )
