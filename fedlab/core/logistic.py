"""Binary logistic regression as sums over rows: what sites compute and what adds up.

The objective is that of scikit-learn, ``sum_i loss(x_i, y_i) + ||coef||^2 / (2 C)`` with an
unpenalised intercept. Every function here is a sum over rows, so the value over all sites is the
sum of the sites' values.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from scipy.special import expit

from fedlab.core.estimator import as_pipeline
from fedlab.core.model import Classifier, Differentiable
from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Schema
from fedlab.core.space import Space, Target
from fedlab.errors import TrainingError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["LogisticRegression"]


class LogisticRegression(
    Differentiable, Classifier, msgspec.Struct, frozen=True, tag=True, kw_only=True
):
    """Binary logistic regression with an L2 penalty, the objective scikit-learn minimises.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty; ``math.inf`` for none.

    Raises
    ------
    TrainingError
        When C is not positive.

    Examples
    --------
    >>> model = LogisticRegression(C=10.0)
    >>> model.penalty()
    0.1
    """

    C: float = 1.0

    def __post_init__(self) -> None:
        if not self.C > 0:
            raise TrainingError("C must be positive.", f"{self.C}", "Pass e.g. C=1.0.")

    def check(self, schema: Schema) -> None:
        """Raise TrainingError unless the target has two classes over all sites."""
        if len(schema.classes) != 2:
            raise TrainingError(
                "LogisticRegression needs a target with two classes over all sites.",
                f"{len(schema.classes)} in {schema.target!r}",
                "Choose another target, or join classes.",
            )

    def init(self, space: Space) -> Parameters:
        """All zeros: every row has probability one half."""
        return Parameters({"coef": np.zeros(len(space.names)), "intercept": 0.0})

    def penalty(self) -> float:
        """The factor 1 / C."""
        return 0.0 if math.isinf(self.C) else 1.0 / self.C

    def penalised(self, parameters: Parameters) -> Parameters:
        """The coefficients; the intercept is free."""
        return Parameters({"coef": parameters["coef"], "intercept": 0.0})

    def smoothness(self, space: Space) -> float:
        """A quarter of the mean squared length of a row bounds the largest curvature."""
        return space.squared_length / 4

    def sums(self, parameters: Parameters, x: Array, y: Target) -> dict[str, float]:
        """Summed log loss, and rows whose class is the more probable one."""
        margins = self._margins(parameters, x)
        right = (margins > 0) == (y == 1)
        return {"loss": float(_log_losses(margins, y).sum()), "correct": float(right.sum())}

    def _margins(self, parameters: Parameters, x: Array) -> Array:
        margins: Array = x @ parameters["coef"] + parameters["intercept"]
        return margins

    def losses(self, parameters: Parameters, x: Array, y: Target) -> Array:
        """Negative log-likelihood of each row, in nats."""
        return _log_losses(self._margins(parameters, x), y)

    def scores(self, parameters: Parameters, x: Array) -> Array:
        """Probabilities of both classes."""
        second = self._probability(parameters, x)
        return np.column_stack([1 - second, second])

    def _probability(self, parameters: Parameters, x: Array) -> Array:
        probability: Array = expit(self._margins(parameters, x))
        return probability

    def row_gradients(self, parameters: Parameters, x: Array, y: Target) -> Array:
        """``(p - y) (x, 1)`` of each row."""
        residuals = self._probability(parameters, x) - y
        return np.hstack([residuals[:, None] * x, residuals[:, None]])

    def gradient(self, parameters: Parameters, x: Array, y: Target) -> Parameters:
        """``sum (p - y) (x, 1)``."""
        residuals = self._probability(parameters, x) - y
        return Parameters({"coef": residuals @ x, "intercept": residuals.sum()})

    def hessian(self, parameters: Parameters, x: Array, y: Target) -> Array:
        """``sum p (1 - p) (x, 1) (x, 1)^T``."""
        probability = self._probability(parameters, x)
        design = np.hstack([x, np.ones((len(x), 1))])
        hessian: Array = (design * (probability * (1 - probability))[:, None]).T @ design
        return hessian

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Pipeline:
        """A pipeline that ends in scikit-learn's LogisticRegression."""
        from sklearn.linear_model import LogisticRegression as Estimator

        final = Estimator(C=self.C)
        # scikit-learn sorts the classes; where the declared order differs, the sign turns.
        final.classes_ = np.sort(space.schema.classes)
        sign = 1.0 if final.classes_[1] == space.schema.classes[1] else -1.0
        final.coef_ = sign * np.array(parameters["coef"])[None, :]
        final.intercept_ = sign * np.array(parameters["intercept"]).reshape(1)
        final.n_iter_ = np.array([n_iter], dtype=np.int32)
        final.n_features_in_ = len(space.names)
        return as_pipeline(space, final, n_samples=n_samples)


def _log_losses(margins: Array, y: Target) -> Array:
    losses: Array = np.logaddexp(0.0, np.where(y == 1, -margins, margins))
    return losses
