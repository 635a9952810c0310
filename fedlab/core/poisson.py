"""Poisson regression of counts, with a log link, as sums over rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec
import numpy as np
from scipy.special import xlogy

from fedlab.core.linear import Linear, needs_numbers
from fedlab.core.parameters import Array, Parameters
from fedlab.core.regression import finish
from fedlab.core.schema import Schema
from fedlab.core.space import Space, Target
from fedlab.errors import DataError, TrainingError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["NegativeCountsError", "PoissonRegression"]

# exp(300) is past any count, and its square is still a number: a step that went too far comes back
# as a large loss, which step halving can act on, and not as an overflow.
LARGEST = 300.0
HEADROOM = 4.0


class NegativeCountsError(DataError):
    """A target that holds negative numbers.

    A site tells of an error no more than its name, so the name says it all.
    """


class PoissonRegression(Linear, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Counts whose expectation is ``exp(x @ coef + intercept)``.

    The objective is that of scikit-learn's PoissonRegressor, ``mean_i (mu_i - y_i log mu_i) + alpha
    ||coef||^2 / 2``: `alpha` stands against a *mean* over the rows, unlike that of Ridge.

    Parameters
    ----------
    alpha : float
        Strength of the squared penalty, from 0.
    rate : float
        A typical count, from public knowledge. The intercept starts at its logarithm, and averaging
        strategies choose a step length that suits expected counts up to four times as large (the
        curvature of this loss has no bound of its own). FedNewton reaches the same fit
        from any, in more rounds from a far one.

    Raises
    ------
    TrainingError
        When alpha is negative or rate is not positive.

    Examples
    --------
    >>> PoissonRegression(alpha=0.1).penalties(rows=200)
    (20.0, 0.0)
    """

    reads: ClassVar[Literal["classes", "numbers"]] = "numbers"
    loss: ClassVar[str] = "mean_poisson_deviance"
    score: ClassVar[str] = "d2"
    counted: ClassVar[tuple[str, ...]] = ("loss", "target", "entropy")

    alpha: float = 0.0
    rate: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < math.inf:
            raise TrainingError(
                "alpha must be finite and not negative.", f"{self.alpha:g}", "Pass e.g. alpha=0.1."
            )
        if not 0 < self.rate < math.inf:
            raise TrainingError(
                "rate must be finite and positive.", f"{self.rate:g}", "Pass e.g. rate=2.0."
            )

    def check(self, schema: Schema) -> None:
        """Raise TrainingError unless the target holds numbers.

        Whether one is negative only the sites know; they refuse then, with NegativeCountsError.
        """
        needs_numbers(self, schema)

    def init(self, space: Space) -> Parameters:
        """Every row has the typical count."""
        return Parameters({"coef": np.zeros(len(space.names)), "intercept": math.log(self.rate)})

    def penalty(self) -> float:
        """Alpha, for each row."""
        return self.alpha

    def penalties(self, rows: int) -> tuple[float, float]:
        """Alpha times the rows."""
        return self.alpha * rows, 0.0

    def smoothness(self, space: Space) -> float:
        """The mean squared length of a row, times the largest counts that `rate` speaks of."""
        return HEADROOM * self.rate * space.squared_length

    def losses_at(self, eta: Array, y: Target) -> Array:
        """``mu - y log mu``: the negative log-likelihood but for a constant of `y`."""
        _check_counts(y)
        return np.asarray(_expected(eta) - y * eta, dtype=np.float64)

    def slopes_at(self, eta: Array, y: Target) -> Array:
        """Expected count minus what came."""
        _check_counts(y)
        return np.asarray(_expected(eta) - y, dtype=np.float64)

    def curvatures_at(self, eta: Array, y: Target) -> Array:
        """The expected count."""
        return _expected(eta)

    def sums(self, parameters: Parameters, x: Array, y: Target) -> dict[str, float]:
        """Summed deviance, and the sums of ``y`` and of ``y log y``."""
        _check_counts(y)
        eta = self.predictors(parameters, x)
        deviance = 2 * (xlogy(y, y) - y * eta - y + _expected(eta))
        return {
            "loss": float(deviance.sum()),
            "target": float(y.sum()),
            "entropy": float(xlogy(y, y).sum()),
        }

    def figures(self, sums: Mapping[str, float], rows: int) -> dict[str, float]:
        """Mean deviance, and D²: the share of the deviance around the mean that is explained."""
        around = 2 * (sums["entropy"] - xlogy(sums["target"], sums["target"] / rows))
        # What rounding leaves of a constant target is no spread.
        spread = around > 1e-12 * (abs(sums["entropy"]) + sums["target"])
        return {
            "loss": sums["loss"] / rows,
            "d2": float(1 - sums["loss"] / around) if spread else math.nan,
        }

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Pipeline:
        """A pipeline that ends in scikit-learn's PoissonRegressor."""
        from sklearn.linear_model import PoissonRegressor

        # scikit-learn makes its link function while it fits; what it learned from made-up rows is
        # then replaced.
        final = PoissonRegressor(alpha=self.alpha)
        final.fit(np.zeros((2, len(space.names))), np.ones(2))
        final.n_iter_ = n_iter
        return finish(final, parameters, space, n_samples)


def _expected(eta: Array) -> Array:
    expected: Array = np.exp(np.minimum(eta, LARGEST))
    return expected


def _check_counts(y: Target) -> None:
    if (y < 0).any():
        raise NegativeCountsError(
            "PoissonRegression needs a target that is never negative.",
            "negative numbers",
            "Choose another target, or use fl.LinearRegression().",
        )
