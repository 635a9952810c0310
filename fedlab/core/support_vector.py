"""Support vector classifiers with a squared hinge, linear or through random Fourier features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec
import numpy as np
import pandas as pd
from scipy.special import expit, softmax

from fedlab.core.estimator import as_pipeline
from fedlab.core.linear import Linear, needs_classes, set_classes
from fedlab.core.model import Classifier
from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Schema
from fedlab.core.space import Space, Target
from fedlab.errors import TrainingError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["SVC"]

MOST_COMPONENTS = 4000
MOST_KERNEL_ROWS = 20_000


class SVC(Linear, Classifier, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Support vector classifier that minimises the squared hinge.

    ``C sum_i max(0, 1 - y_i f(x_i))^2 + (||coef||^2 + intercept^2) / 2``, the objective of
    scikit-learn's ``LinearSVC(dual=False)``, whose intercept is penalised like a coefficient of a
    constant feature 1. More than two classes are told apart one against the rest. The squared hinge
    has a curvature nearly everywhere, so that Newton's method finds its minimum in a few rounds
    (Keerthi and DeCoste 2005), where support vectors, being rows, would have to travel.

    The RBF kernel ``exp(-gamma ||a - b||^2)`` is taken through random Fourier features (Rahimi and
    Recht 2007, algorithm 1) on the scaled columns. All sites draw the same ones from `seed`, so
    the federated fit is the pooled fit of the same features.

    Parameters
    ----------
    kernel : "rbf" or "linear"
    C : float
        Inverse strength of the penalty, finite.
    gamma : "scale" or float
        Of the RBF kernel; "scale" is 1 / n_features, as scikit-learn has it for features of
        variance 1. Indicator columns count as features.
    n_components : int
        Random features of the RBF kernel. Error falls with their root, and a Newton step sends
        a square of them.
    seed : int
        Draws the random features, from 0 to 2**32 - 1.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> SVC(C=4.0).penalty()
    0.25
    """

    loss: ClassVar[str] = "squared_hinge"

    kernel: Literal["rbf", "linear"] = "rbf"
    C: float = 1.0
    gamma: float | Literal["scale"] = "scale"
    n_components: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kernel not in ("rbf", "linear"):
            raise TrainingError(
                "kernel must be 'rbf' or 'linear'.", f"{self.kernel!r}", "Pass e.g. kernel='rbf'."
            )
        if not 0 < self.C < math.inf:
            raise TrainingError("C must be finite and positive.", f"{self.C}", "Pass e.g. C=1.0.")
        if isinstance(self.gamma, str) and self.gamma != "scale":
            raise TrainingError(
                "gamma must be 'scale' or a number.", f"{self.gamma!r}", "Pass e.g. gamma='scale'."
            )
        if not isinstance(self.gamma, str) and not 0 < self.gamma < math.inf:
            raise TrainingError(
                "gamma must be finite and positive.", f"{self.gamma:g}", "Pass e.g. gamma=0.1."
            )
        for name, low, high in (
            ("n_components", 1, MOST_COMPONENTS),
            ("seed", 0, 2**32 - 1),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise TrainingError(
                    f"{name} must be a whole number from {low} to {high}.",
                    f"{value!r}",
                    f"Pass e.g. {name}={low + 1}.",
                )

    def check(self, schema: Schema) -> None:
        """Raise TrainingError unless the target has two or more classes over all sites."""
        needs_classes(self, schema)

    def features(self, x: Array) -> Array:
        """The columns themselves, or their random Fourier features."""
        if self.kernel == "linear":
            return x
        return np.asarray(self._sampler(x.shape[1]).transform(x), dtype=np.float64)

    def _sampler(self, n_features: int) -> Any:
        gamma = 1 / n_features if isinstance(self.gamma, str) else self.gamma
        return _sampler(gamma, self.n_components, self.seed, n_features)

    def n_features(self, space: Space) -> int:
        """Columns, or random features."""
        return len(space.names) if self.kernel == "linear" else self.n_components

    def n_outputs(self, space: Space) -> int:
        """One for two classes, else one a class."""
        n_classes = len(space.schema.classes)
        return 1 if n_classes == 2 else n_classes

    def penalty(self) -> float:
        """The factor 1 / C."""
        return 1.0 / self.C

    def penalised(self, parameters: Parameters) -> Parameters:
        """All of them, as LinearSVC penalises its intercept too."""
        return parameters

    def smoothness(self, space: Space) -> float:
        """The hinge's curvature, 2, times the mean squared length of a row with a 1 added.

        Random features have a mean squared length near 1, the kernel of a row with itself.
        """
        return 2 * space.squared_length if self.kernel == "linear" else 4.0

    def sums(self, parameters: Parameters, x: Array, y: Target) -> dict[str, float]:
        """Summed squared hinge, and rows whose class has the largest predictor."""
        eta = self.predictors(parameters, x)
        right = (eta > 0) == (y == 1) if eta.ndim == 1 else eta.argmax(axis=1) == y
        return {"loss": float(self.losses_at(eta, y).sum()), "correct": float(right.sum())}

    def figures(self, sums: Mapping[str, float], rows: int) -> dict[str, float]:
        """Mean squared hinge, and accuracy."""
        return {"loss": sums["loss"] / rows, "accuracy": sums["correct"] / rows}

    def scores(self, parameters: Parameters, x: Array) -> Array:
        """The predictors brought between 0 and 1; they rank, and are no probabilities."""
        eta = self.predictors(parameters, x)
        if eta.ndim == 1:
            second: Array = expit(eta)
            return np.column_stack([1 - second, second])
        ranks: Array = softmax(eta, axis=1)
        return ranks

    def losses_at(self, eta: Array, y: Target) -> Array:
        """Squared hinge, summed over the classes where there are more than two."""
        losses: Array = _shortfall(eta, y) ** 2
        return losses if eta.ndim == 1 else losses.sum(axis=1)

    def slopes_at(self, eta: Array, y: Target) -> Array:
        """Minus twice the signed shortfall."""
        return np.asarray(-2 * _signs(eta, y) * _shortfall(eta, y), dtype=np.float64)

    def curvatures_at(self, eta: Array, y: Target) -> Array:
        """Two where a row falls short of its margin, else none."""
        return np.where(_shortfall(eta, y) > 0, 2.0, 0.0)

    def newton_step(
        self, parameters: Parameters, gradient: Array, curvature: Array, ridge: Array
    ) -> Array:
        """Each class for itself; the penalty on all parameters leaves nothing singular."""
        order = self.by_predictor(parameters)
        hessian = (
            curvature.reshape(len(order), order.shape[1], -1) + np.eye(order.shape[1]) / self.C
        )
        step = np.empty_like(gradient)
        step[order] = -np.linalg.solve(hessian, gradient[order][:, :, None])[:, :, 0]
        return step

    def pooled_references(self, fitted: Any, frame: pd.DataFrame, y: Target) -> dict[str, Any]:
        """For the RBF kernel scikit-learn's SVC, which has the kernel itself and no features.

        Its work grows with the square of the rows, so of many it is not fitted.
        """
        from sklearn import svm
        from sklearn.pipeline import Pipeline

        if self.kernel == "linear" or len(frame) > MOST_KERNEL_ROWS:
            return {}
        final = svm.SVC(C=self.C, gamma=fitted[-2].gamma)
        columns = fitted.steps[:-2]
        final.fit(fitted[:-2].transform(frame), y)
        return {"pooled exact kernel": Pipeline([*columns, ("svc", final)])}

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Pipeline:
        """A pipeline that ends in scikit-learn's LinearSVC, after an RBFSampler for that kernel."""
        from sklearn.pipeline import Pipeline
        from sklearn.svm import LinearSVC

        final = LinearSVC(C=self.C, dual=False)
        set_classes(final, parameters, space)
        final.n_iter_ = n_iter
        pipeline = as_pipeline(space, final, n_samples=n_samples)
        if self.kernel == "linear":
            return pipeline
        sampler = ("rbfsampler", self._sampler(len(space.names)))
        return Pipeline([*pipeline.steps[:-1], sampler, pipeline.steps[-1]])


@lru_cache(maxsize=8)
def _sampler(gamma: float, n_components: int, seed: int, n_features: int) -> Any:
    from sklearn.kernel_approximation import RBFSampler

    sampler = RBFSampler(gamma=gamma, n_components=n_components, random_state=seed)
    return sampler.fit(np.zeros((1, n_features)))


def _signs(eta: Array, y: Target) -> Array:
    own = y == 1 if eta.ndim == 1 else y[:, None] == np.arange(eta.shape[1])
    return np.where(own, 1.0, -1.0)


def _shortfall(eta: Array, y: Target) -> Array:
    shortfall: Array = np.maximum(0.0, 1 - _signs(eta, y) * eta)
    return shortfall
