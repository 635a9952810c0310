"""Binary logistic regression as sums over rows: what sites compute and what adds up.

The objective is that of scikit-learn, ``sum_i loss(x_i, y_i) + ||coef||^2 / (2 C)`` with an
unpenalised intercept. Every function here is a sum over rows, so the value over all sites is the
sum of the sites' values.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from scipy.special import expit

from fedlab.core.estimator import as_estimator
from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Schema
from fedlab.core.space import Space
from fedlab.core.wire import Open
from fedlab.errors import TrainingError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["LogisticRegression", "Model"]

Labels = np.ndarray[tuple[int], np.dtype[np.int64]]


class Model(Open):
    """What is trained: starting parameters, and sums over rows at given parameters."""

    __slots__ = ()

    @abstractmethod
    def check(self, schema: Schema) -> None:
        """Raise TrainingError when the model does not fit the target."""

    @abstractmethod
    def init(self, space: Space) -> Parameters:
        """Starting parameters."""

    @abstractmethod
    def penalty(self) -> float:
        """Factor of half the squared coefficients in the summed objective."""

    @abstractmethod
    def penalised(self, parameters: Parameters) -> Parameters:
        """The penalised part of `parameters`, zeros elsewhere."""

    @abstractmethod
    def smoothness(self, space: Space) -> float:
        """Bound on the curvature of the mean loss, for choosing a learning rate."""

    @abstractmethod
    def losses(self, parameters: Parameters, x: Array, y: Labels) -> Array:
        """Loss of each row, shape ``(n_samples,)``."""

    @abstractmethod
    def scores(self, parameters: Parameters, x: Array) -> Array:
        """Probability of the second class of each row, shape ``(n_samples,)``."""

    @abstractmethod
    def row_gradients(self, parameters: Parameters, x: Array, y: Labels) -> Array:
        """Gradient of each row's loss, shape ``(n_samples, n_parameters)``."""

    @abstractmethod
    def gradient(self, parameters: Parameters, x: Array, y: Labels) -> Parameters:
        """Gradient of the summed loss."""

    @abstractmethod
    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Pipeline:
        """The fitted scikit-learn estimator that `parameters` stand for."""

    @abstractmethod
    def hessian(self, parameters: Parameters, x: Array) -> Array:
        """Hessian of the summed loss, shape ``(n_parameters, n_parameters)``."""


class LogisticRegression(Model, msgspec.Struct, frozen=True, tag=True, kw_only=True):
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

    def _margins(self, parameters: Parameters, x: Array) -> Array:
        margins: Array = x @ parameters["coef"] + parameters["intercept"]
        return margins

    def losses(self, parameters: Parameters, x: Array, y: Labels) -> Array:
        """Negative log-likelihood of each row, in nats."""
        margins = self._margins(parameters, x)
        losses: Array = np.logaddexp(0.0, np.where(y == 1, -margins, margins))
        return losses

    def scores(self, parameters: Parameters, x: Array) -> Array:
        """Probability of the second class."""
        scores: Array = expit(self._margins(parameters, x))
        return scores

    def row_gradients(self, parameters: Parameters, x: Array, y: Labels) -> Array:
        """``(p - y) (x, 1)`` of each row."""
        residuals = self.scores(parameters, x) - y
        return np.hstack([residuals[:, None] * x, residuals[:, None]])

    def gradient(self, parameters: Parameters, x: Array, y: Labels) -> Parameters:
        """``sum (p - y) (x, 1)``."""
        residuals = self.scores(parameters, x) - y
        return Parameters({"coef": residuals @ x, "intercept": residuals.sum()})

    def hessian(self, parameters: Parameters, x: Array) -> Array:
        """``sum p (1 - p) (x, 1) (x, 1)^T``."""
        probability = self.scores(parameters, x)
        design = np.hstack([x, np.ones((len(x), 1))])
        hessian: Array = (design * (probability * (1 - probability))[:, None]).T @ design
        return hessian

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Pipeline:
        """A pipeline that ends in scikit-learn's LogisticRegression."""
        return as_estimator(parameters, space, C=self.C, n_samples=n_samples, n_iter=n_iter)
