"""A fitted Cox model in the manner of scikit-learn, on rows in the sites' own columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from fedlab.core.concordance import concordance_counts
from fedlab.core.estimator import as_pipeline
from fedlab.core.parameters import Array, Parameters
from fedlab.core.space import Space
from fedlab.errors import DataError, TrainingError

if TYPE_CHECKING:
    from fedlab.core.cox import CoxRegression

__all__ = ["CoxEstimator", "fitted"]


class CoxEstimator(BaseEstimator):  # type: ignore[misc]
    """Proportional hazards that a federation has fitted.

    Parameters
    ----------
    ties : "efron" or "breslow"
    alpha : float
        Penalty it was fitted with.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Of the scaled numbers and of the indicators, in the order of `names_`.
    names_ : tuple of str
    feature_names_in_ : ndarray of str
        The columns it takes.
    event_times_ : ndarray of shape (n_times,)
    baseline_cumulative_hazard_ : ndarray of shape (n_times,)
        Breslow's, for a row of all means and no category.
    n_iter_ : int
    """

    def __init__(self, ties: str = "efron", alpha: float = 0.0) -> None:
        self.ties = ties
        self.alpha = alpha

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")

    def fit(self, X: object, y: object = None) -> NoReturn:
        """Always raises: fitting takes rounds with sites.

        Raises
        ------
        TrainingError
        """
        raise TrainingError(
            "A federation fits this model.",
            "a call to fit",
            "Use fl.Federation(sites).train(fl.CoxRegression(grid=...)).",
        )

    def predict(self, X: pd.DataFrame) -> Array:
        """Risk scores, shape ``(n_samples,)``: log hazard ratios against a row of all means."""
        risk: Array = np.asarray(self._columns.transform(X)) @ self.coef_
        return risk

    def predict_cumulative_hazard_function(
        self, X: pd.DataFrame, times: Array | None = None
    ) -> pd.DataFrame:
        """Cumulative hazard of each row at `times`, by default the event times.

        Returns
        -------
        DataFrame of shape (n_samples, n_times)
            Columns are the times.
        """
        at = self.event_times_ if times is None else np.asarray(times, dtype=np.float64)
        cumulative = np.concatenate([[0.0], self.baseline_cumulative_hazard_])
        baseline = cumulative[np.searchsorted(self.event_times_, at, side="right")]
        columns = pd.Index(at, name="time")
        return pd.DataFrame(np.outer(np.exp(self.predict(X)), baseline), X.index, columns)

    def predict_survival_function(
        self, X: pd.DataFrame, times: Array | None = None
    ) -> pd.DataFrame:
        """Probability of no event until each of `times`, by default the event times.

        Returns
        -------
        DataFrame of shape (n_samples, n_times)
            Columns are the times.
        """
        hazard = self.predict_cumulative_hazard_function(X, times)
        return pd.DataFrame(np.exp(-hazard.to_numpy()), hazard.index, hazard.columns)

    def score(self, X: pd.DataFrame, y: Any = None) -> float:
        """Harrell's concordance.

        Parameters
        ----------
        X : DataFrame
        y : array_like of shape (n_samples, 2), optional
            Time and event of each row; by default the columns of `X` that the sites call so.
        """
        if y is None:
            missing = [name for name in self._outcome if name not in X.columns]
            if missing:
                raise DataError(
                    "A score needs times and events.",
                    f"no y, and no column {' or '.join(map(repr, missing))}",
                    "Pass y with time and event as two columns.",
                )
            y = X[list(self._outcome)]
        known = np.asarray(y, dtype=np.float64)
        concordant, comparable = concordance_counts(known[:, 0], known[:, 1], self.predict(X))
        return concordant / comparable if comparable else float("nan")


def fitted(
    model: CoxRegression, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
) -> CoxEstimator:
    """The estimator that `parameters` stand for."""
    final = CoxEstimator(ties=model.ties, alpha=model.alpha)
    final.coef_ = np.array(parameters["coef"])
    final.names_ = space.names
    final.event_times_ = np.array(parameters["times"])
    final.baseline_cumulative_hazard_ = np.cumsum(parameters["hazard"])
    final.n_iter_ = n_iter
    final._columns = as_pipeline(space, "passthrough", n_samples=n_samples)
    final._outcome = (space.schema.target, space.schema.event)
    final.feature_names_in_ = np.array(space.schema.names, dtype=object)
    final.n_features_in_ = len(space.schema.names)
    return final
