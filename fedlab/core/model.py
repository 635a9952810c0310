"""What can be trained: the interfaces between models, queries and strategies.

A model is a frozen description. Its parameters are named arrays that travel apart from it, and all
it computes on rows are sums over them, so that what sites compute adds up to the pooled value.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Schema
from fedlab.core.space import Reads, Space, Target
from fedlab.core.wire import Open

__all__ = ["Classifier", "Differentiable", "Model", "Summed", "Target"]


class Model(Open):
    """What every model tells.

    Attributes
    ----------
    reads : "classes", "numbers", "survival" or "nothing"
        Whether the target is read as class indices, as numbers, as times with events, or not.
    scaled : bool
        Whether numeric features are brought to mean 0 and variance 1 over all sites.
    keeps_missing : bool
        Whether a missing number stays NaN; only where features are not scaled.
    loss : str
        What its loss is, as a heading.
    score : str
        The entry of `figures`, besides ``loss``, by which people judge it.
    counted : tuple of str
        Names of the sums by which parameters are judged.
    """

    __slots__ = ()

    reads: ClassVar[Reads] = "classes"
    scaled: ClassVar[bool] = True
    keeps_missing: ClassVar[bool] = False
    loss: ClassVar[str] = "log_loss"
    score: ClassVar[str] = "accuracy"
    counted: ClassVar[tuple[str, ...]] = ("loss", "correct")

    @abstractmethod
    def check(self, schema: Schema) -> None:
        """Raise TrainingError when the model does not fit the target."""

    @abstractmethod
    def init(self, space: Space) -> Parameters:
        """Starting parameters."""

    @abstractmethod
    def sums(self, parameters: Parameters, x: Array, y: Target) -> dict[str, float]:
        """Sums over rows by which parameters are judged, by the names in `counted`."""

    @abstractmethod
    def figures(self, sums: Mapping[str, float], rows: int) -> dict[str, float]:
        """Figures of merit from sums over any rows: ``loss`` as a mean, and `score`."""

    @abstractmethod
    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Any:
        """The fitted scikit-learn estimator that `parameters` stand for."""

    def pooled_twin(self, fitted: Any, frame: pd.DataFrame, y: Target) -> Any:
        """The estimator that scikit-learn fits on all rows at once, to compare with.

        Parameters
        ----------
        fitted : Pipeline
            What `estimator` gave; the twin has its preprocessing.
        frame : DataFrame of shape (n_samples, n_columns)
            Rows in the sites' own columns.
        y : ndarray of shape (n_samples,)
            Labels, or numbers.

        Returns
        -------
        Pipeline
        """
        from fedlab.core.twins import refitted, tight

        return refitted(fitted, tight(fitted[-1]), frame, y)

    def pooled_references(self, fitted: Any, frame: pd.DataFrame, y: Target) -> dict[str, Any]:
        """Other pooled estimators to be judged beside the twin, by what they are called.

        For models whose twin shares an approximation; by default there are none.
        """
        return {}


class Classifier(Model):
    """A model that gives each class of a row a score."""

    __slots__ = ()

    @abstractmethod
    def scores(self, parameters: Parameters, x: Array) -> Array:
        """Scores from 0 to 1, shape ``(n_samples, n_classes)``; the largest is the predicted class.

        They add up to 1; where the model gives no probabilities they only rank.
        """

    def sums(self, parameters: Parameters, x: Array, y: Target) -> dict[str, float]:
        """Summed log loss, and rows whose class has the largest score."""
        scores = self.scores(parameters, x)
        given = np.take_along_axis(scores, y[:, None], axis=1)
        # As scikit-learn's log_loss does: a class that was held impossible costs 36 nats, not all.
        loss = -np.log(np.maximum(given, np.finfo(np.float64).eps)).sum()
        return {"loss": float(loss), "correct": float((scores.argmax(axis=1) == y).sum())}

    def figures(self, sums: Mapping[str, float], rows: int) -> dict[str, float]:
        """Mean loss, and accuracy."""
        return {"loss": sums["loss"] / rows, "accuracy": sums["correct"] / rows}


class Differentiable(Model):
    """A model that is trained by gradients of a loss that is a sum over rows."""

    __slots__ = ()

    @abstractmethod
    def penalty(self) -> float:
        """Factor of half the squared penalised parameters in the summed objective."""

    def penalties(self, rows: int) -> tuple[float, float]:
        """Factors in the summed objective over `rows` rows, of two penalties.

        The first is that of half the squared penalised parameters, the second that of their
        absolute values.
        """
        return self.penalty(), 0.0

    @abstractmethod
    def penalised(self, parameters: Parameters) -> Parameters:
        """The penalised part of `parameters`, zeros elsewhere."""

    @abstractmethod
    def smoothness(self, space: Space) -> float:
        """Bound on the curvature of the mean loss, for choosing a learning rate."""

    @abstractmethod
    def losses(self, parameters: Parameters, x: Array, y: Target) -> Array:
        """Loss of each row, shape ``(n_samples,)``."""

    @abstractmethod
    def row_gradients(self, parameters: Parameters, x: Array, y: Target) -> Array:
        """Gradient of each row's loss, shape ``(n_samples, n_parameters)``."""

    @abstractmethod
    def gradient(self, parameters: Parameters, x: Array, y: Target) -> Parameters:
        """Gradient of the summed loss."""

    @abstractmethod
    def hessian(self, parameters: Parameters, x: Array, y: Target) -> Array:
        """Hessian of the summed loss, shape ``(n_parameters, n_parameters)``."""

    def curvature_shape(self, parameters: Parameters) -> tuple[int, ...]:
        """Shape of the curvature in `expansion`."""
        size = parameters.vector.size
        return (size, size)

    def expansion(
        self, parameters: Parameters, x: Array, y: Target
    ) -> tuple[float, Parameters, Array]:
        """Summed loss, its gradient and its curvature in one pass over the rows.

        The curvature is the Hessian, or what of it is not zero, in a shape of the model's own.
        """
        loss = float(self.losses(parameters, x, y).sum())
        return loss, self.gradient(parameters, x, y), self.hessian(parameters, x, y)

    def newton_step(
        self, parameters: Parameters, gradient: Array, curvature: Array, ridge: Array
    ) -> Array:
        """The step to the least of the quadratic, shape ``(n_parameters,)``.

        Least squares, since collinear features without a penalty leave the Hessian singular.

        Parameters
        ----------
        parameters : Parameters
        gradient : ndarray of shape (n_parameters,)
            Of the objective.
        curvature : ndarray
            Of the summed loss, as in `expansion`.
        ridge : ndarray of shape (n_parameters,)
            What the squared penalty adds to the diagonal.
        """
        hessian = curvature + np.diag(ridge)
        return np.asarray(-np.linalg.lstsq(hessian, gradient, rcond=None)[0], dtype=np.float64)


class Summed(Model):
    """A model that follows from sums of statistics.

    Attributes
    ----------
    rounds : int or None
        Rounds after which it no longer changes; None when that depends on the rows.
    """

    __slots__ = ()

    rounds: ClassVar[int | None] = 1

    @abstractmethod
    def empty(self, space: Space) -> Parameters:
        """The statistics of no rows: zeros of the right names and shapes."""

    @abstractmethod
    def statistics(self, parameters: Parameters, x: Array, y: Target) -> Parameters:
        """Sums over rows, given the parameters so far."""

    @abstractmethod
    def solve(self, parameters: Parameters, total: Parameters) -> Parameters:
        """The next parameters from the statistics of all sites together."""
