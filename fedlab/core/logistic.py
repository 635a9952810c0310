"""Logistic regression of two or more classes as sums over rows.

The objective is that of scikit-learn, ``sum_i loss(x_i, y_i) + ((1 - r) ||coef||_2^2 / 2 +
r ||coef||_1) / C`` with ``r = l1_ratio`` and unpenalised intercepts. Two classes have one linear
predictor; more have one each, under the softmax.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import numpy as np
from scipy.special import expit, log_softmax, softmax

from fedlab.core.estimator import as_pipeline
from fedlab.core.linear import Linear, needs_classes, set_classes
from fedlab.core.model import Classifier
from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Schema
from fedlab.core.space import Space, Target
from fedlab.errors import TrainingError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["LogisticRegression"]


class LogisticRegression(Linear, Classifier, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Logistic regression, the objective scikit-learn minimises.

    Two classes give ``coef`` ``(n_features,)``. K > 2 classes give ``(n_classes, n_features)``: the
    symmetric multinomial model, whose coefficients add up to 0 over the classes unless an absolute
    penalty decides otherwise.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty; ``math.inf`` for none.
    l1_ratio : float
        Share of the absolute penalty, from 0 (squared only) to 1 (Zou and Hastie 2005, the elastic
        net). Above 0 it needs FedNewton.

    Raises
    ------
    TrainingError
        When C is not positive, or l1_ratio is not between 0 and 1.

    Examples
    --------
    >>> model = LogisticRegression(C=10.0)
    >>> model.penalty()
    0.1
    >>> LogisticRegression(C=10.0, l1_ratio=0.5).penalties(rows=100)
    (0.05, 0.05)
    """

    coupled: ClassVar[bool] = True

    C: float = 1.0
    l1_ratio: float = 0.0

    def __post_init__(self) -> None:
        if not self.C > 0:
            raise TrainingError("C must be positive.", f"{self.C}", "Pass e.g. C=1.0.")
        if not 0 <= self.l1_ratio <= 1:
            raise TrainingError(
                "l1_ratio must be from 0 to 1.", f"{self.l1_ratio}", "Pass e.g. l1_ratio=0.5."
            )

    def check(self, schema: Schema) -> None:
        """Raise TrainingError unless the target has two or more classes over all sites."""
        needs_classes(self, schema)

    def n_outputs(self, space: Space) -> int:
        """One for two classes, else one a class."""
        n_classes = len(space.schema.classes)
        return 1 if n_classes == 2 else n_classes

    def penalty(self) -> float:
        """The factor (1 - l1_ratio) / C."""
        return 0.0 if math.isinf(self.C) else (1.0 - self.l1_ratio) / self.C

    def penalties(self, rows: int) -> tuple[float, float]:
        """The squared and the absolute part of the elastic net, whatever the rows."""
        return self.penalty(), self.l1_ratio / self.C

    def smoothness(self, space: Space) -> float:
        """A share of the mean squared length of a row bounds the largest curvature.

        A quarter for two classes, a half for the softmax (Böhning 1992, "Multinomial logistic
        regression algorithm").
        """
        return space.squared_length / (4 if self.n_outputs(space) == 1 else 2)

    def sums(self, parameters: Parameters, x: Array, y: Target) -> dict[str, float]:
        """Summed log loss, and rows whose class is the most probable one."""
        eta = self.predictors(parameters, x)
        right = (eta > 0) == (y == 1) if eta.ndim == 1 else eta.argmax(axis=1) == y
        return {"loss": float(self.losses_at(eta, y).sum()), "correct": float(right.sum())}

    def scores(self, parameters: Parameters, x: Array) -> Array:
        """Probabilities of all classes."""
        eta = self.predictors(parameters, x)
        if eta.ndim == 1:
            second: Array = expit(eta)
            return np.column_stack([1 - second, second])
        probabilities: Array = softmax(eta, axis=1)
        return probabilities

    def losses_at(self, eta: Array, y: Target) -> Array:
        """Negative log-likelihood of each row, in nats."""
        if eta.ndim == 1:
            losses: Array = np.logaddexp(0.0, np.where(y == 1, -eta, eta))
            return losses
        return -np.take_along_axis(log_softmax(eta, axis=1), y[:, None], axis=1)[:, 0]

    def slopes_at(self, eta: Array, y: Target) -> Array:
        """Probability minus what came, ``p - y``."""
        if eta.ndim == 1:
            residuals: Array = expit(eta) - y
            return residuals
        came = y[:, None] == np.arange(eta.shape[1])
        return np.asarray(softmax(eta, axis=1) - came, dtype=np.float64)

    def curvatures_at(self, eta: Array, y: Target) -> Array:
        """``p (1 - p)`` for two classes; ``p`` for more, which `couplings_at` completes."""
        if eta.ndim == 1:
            probability: Array = expit(eta)
            return probability * (1 - probability)
        probabilities: Array = softmax(eta, axis=1)
        return probabilities

    def couplings_at(self, eta: Array) -> Array:
        """``p`` of all classes under the softmax."""
        probabilities: Array = softmax(eta, axis=1)
        return probabilities

    def newton_step(
        self, parameters: Parameters, gradient: Array, curvature: Array, ridge: Array
    ) -> Array:
        """Least squares; with more than two classes, the step that adds up to 0 over them.

        Adding one vector to the coefficients of all classes changes no probability, so the Hessian
        says nothing of that direction but rounding.
        """
        step = Linear.newton_step(self, parameters, gradient, curvature, ridge)
        if parameters["intercept"].ndim == 0:
            return step
        moves = parameters.like(step)
        return Parameters({k: moves[k] - moves[k].mean(axis=0) for k in moves}).vector

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Pipeline:
        """A pipeline that ends in scikit-learn's LogisticRegression."""
        from sklearn.linear_model import LogisticRegression as Estimator

        elastic: dict[str, Any] = {"l1_ratio": self.l1_ratio, "solver": "saga"}
        final = Estimator(C=self.C, **(elastic if self.l1_ratio > 0 else {}))
        set_classes(final, parameters, space)
        final.n_iter_ = np.array([n_iter], dtype=np.int32)
        return as_pipeline(space, final, n_samples=n_samples)
