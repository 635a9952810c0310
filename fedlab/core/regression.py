"""Regression by least squares, plain and ridge, as sums over rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec
import numpy as np

from fedlab.core.estimator import as_pipeline
from fedlab.core.linear import Linear, needs_numbers
from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Schema
from fedlab.core.space import Space, Target
from fedlab.errors import TrainingError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["LinearRegression", "Ridge", "finish"]


def finish(final: Any, parameters: Parameters, space: Space, n_samples: int) -> Pipeline:
    """Give a scikit-learn regressor its coefficients, and the pipeline before it."""
    final.coef_ = np.array(parameters["coef"])
    final.intercept_ = float(parameters["intercept"])
    final.n_features_in_ = len(space.names)
    return as_pipeline(space, final, n_samples=n_samples)


class LeastSquares(Linear):
    """What regressions with a squared error share.

    The summed loss is half the squared error, so that its curvature is 1. People judge by
    the mean squared error and by the coefficient of determination.
    """

    __slots__ = ()

    reads: ClassVar[Literal["classes", "numbers"]] = "numbers"
    loss: ClassVar[str] = "mean_squared_error"
    score: ClassVar[str] = "r2"
    counted: ClassVar[tuple[str, ...]] = ("loss", "target", "squares")

    def check(self, schema: Schema) -> None:
        """Raise TrainingError unless the target holds numbers."""
        needs_numbers(self, schema)

    def smoothness(self, space: Space) -> float:
        """The mean squared length of a row bounds the largest curvature."""
        return space.squared_length

    def losses_at(self, eta: Array, y: Target) -> Array:
        """Half the squared error."""
        return np.asarray((y - eta) ** 2 / 2, dtype=np.float64)

    def slopes_at(self, eta: Array, y: Target) -> Array:
        """The residual, prediction minus target."""
        return np.asarray(eta - y, dtype=np.float64)

    def curvatures_at(self, eta: Array, y: Target) -> Array:
        """One."""
        return np.ones_like(eta)

    def newton_step(
        self, parameters: Parameters, gradient: Array, curvature: Array, ridge: Array
    ) -> Array:
        """The shortest coefficients where several fit equally well, as scikit-learn has them.

        scikit-learn centres before it solves. Here the free intercept is eliminated, which is the
        same: what is left of the Hessian is that of the centred features.
        """
        hessian = curvature + np.diag(ridge)
        across, last = hessian[:-1, -1], hessian[-1, -1]
        centred = hessian[:-1, :-1] - np.outer(across, across) / last
        pull = gradient[:-1] - across * (gradient[-1] / last)
        coef = -np.linalg.lstsq(centred, pull, rcond=None)[0]
        return np.append(coef, -(gradient[-1] + across @ coef) / last)

    def sums(self, parameters: Parameters, x: Array, y: Target) -> dict[str, float]:
        """Summed squared error, and the target's sum and sum of squares."""
        errors = y - self.predictors(parameters, x)
        return {
            "loss": float((errors**2).sum()),
            "target": float(y.sum()),
            "squares": float((y**2).sum()),
        }

    def figures(self, sums: Mapping[str, float], rows: int) -> dict[str, float]:
        """Mean squared error, and R² against the mean of these rows (none where y is constant)."""
        around = sums["squares"] - sums["target"] ** 2 / rows
        # What rounding leaves of a constant target is no spread.
        spread = around > 1e-12 * sums["squares"]
        return {
            "loss": sums["loss"] / rows,
            "r2": 1 - sums["loss"] / around if spread else math.nan,
        }


class LinearRegression(LeastSquares, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Ordinary least squares, as scikit-learn's.

    Examples
    --------
    >>> LinearRegression().penalties(rows=100)
    (0.0, 0.0)
    """

    def penalty(self) -> float:
        """None."""
        return 0.0

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Pipeline:
        """A pipeline that ends in scikit-learn's LinearRegression."""
        from sklearn.linear_model import LinearRegression as Estimator

        return finish(Estimator(), parameters, space, n_samples)


class Ridge(LeastSquares, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Least squares with a squared penalty: ``||y - X coef - intercept||^2 + alpha ||coef||^2``.

    That is scikit-learn's Ridge (Hoerl and Kennard 1970): `alpha` stands against the sum over all
    rows of all sites, and the intercept is free.

    Parameters
    ----------
    alpha : float
        Strength of the penalty, from 0.

    Raises
    ------
    TrainingError
        When alpha is negative or not finite.

    Examples
    --------
    >>> Ridge(alpha=2.0).penalty()
    2.0
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < math.inf:
            raise TrainingError(
                "alpha must be finite and not negative.", f"{self.alpha:g}", "Pass e.g. alpha=1.0."
            )

    def penalty(self) -> float:
        """Alpha, since the summed loss is half the squared error."""
        return self.alpha

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Pipeline:
        """A pipeline that ends in scikit-learn's Ridge."""
        from sklearn.linear_model import Ridge as Estimator

        return finish(Estimator(alpha=self.alpha), parameters, space, n_samples)
