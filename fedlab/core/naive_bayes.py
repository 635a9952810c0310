"""Naive Bayes from counts and sums by class: the pooled fit in one round or two."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import msgspec
import numpy as np

from fedlab.core.bayes import Mask, NaiveBayes, log_shares, members, refuse_gaps
from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Schema
from fedlab.core.space import Space, Target
from fedlab.errors import TrainingError

__all__ = ["BernoulliNB", "GaussianNB"]


class GaussianNB(NaiveBayes, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Gaussian naive Bayes: each feature is normal within a class, independent of the others.

    The first round gives the means of each class, the second the squares about those means, since
    ``E[x^2] - E[x]^2`` would lose digits (Chan, Golub and LeVeque 1983, the two-pass rule). After
    two rounds means, variances and priors are those of scikit-learn on the pooled rows; a round
    more changes nothing but rounding. Indicator columns count as numbers.

    Columns are not scaled. A site with a missing number refuses; a missing category is all zeros.

    Parameters
    ----------
    var_smoothing : float
        Share of the largest variance of all features that is added to every variance.
    priors : tuple of float, optional
        Probabilities of the classes in the order of the schema, adding up to 1. By default their
        shares of the training rows.

    Raises
    ------
    TrainingError
        When `var_smoothing` is negative, or `priors` are no probabilities.

    Examples
    --------
    >>> GaussianNB(priors=(0.5, 0.5))
    GaussianNB(var_smoothing=1e-09, priors=(0.5, 0.5))
    """

    rounds: ClassVar[int | None] = 2

    var_smoothing: float = 1e-9
    priors: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.var_smoothing < math.inf:
            raise TrainingError(
                "var_smoothing must be at least 0.", f"{self.var_smoothing:g}", "Pass e.g. 1e-9."
            )
        if self.priors is None:
            return
        if min(self.priors, default=0.0) < 0 or not math.isclose(sum(self.priors), 1.0):
            raise TrainingError(
                "priors must be probabilities that add up to 1.",
                f"{self.priors}",
                "Pass e.g. priors=(0.5, 0.5), or leave them out.",
            )

    def check(self, schema: Schema) -> None:
        """Raise TrainingError without classes, or with another number of them than of priors."""
        NaiveBayes.check(self, schema)
        if self.priors is not None and len(self.priors) != len(schema.classes):
            raise TrainingError(
                "priors must have one entry a class.",
                f"{len(self.priors)} for {len(schema.classes)} classes",
                "Pass one for each class, in the order of the schema.",
            )

    def init(self, space: Space) -> Parameters:
        """Nothing known: no counts."""
        shape = (len(space.schema.classes), len(space.names))
        return Parameters(
            {"count": np.zeros(shape[0]), "theta": np.zeros(shape), "var": np.ones(shape)}
        )

    def statistics(self, parameters: Parameters, x: Array, y: Target) -> Parameters:
        """Counts, and sums of ``x - theta`` and of its square, by class."""
        refuse_gaps(x)
        rows = members(y, len(parameters["count"]))
        totals, squares = np.zeros_like(parameters["theta"]), np.zeros_like(parameters["theta"])
        for index, mean in enumerate(parameters["theta"]):
            centred = x[rows[:, index] > 0] - mean
            totals[index] = centred.sum(axis=0)
            # Squares about 0 are of no use, so they stay at the site.
            if parameters["count"].any():
                squares[index] = (centred**2).sum(axis=0)
        return Parameters({"count": rows.sum(axis=0), "theta": totals, "var": squares})

    def solve(self, parameters: Parameters, total: Parameters) -> Parameters:
        """Means in the first round, means and variances from the second on."""
        count = np.maximum(total["count"], 1.0)[:, None]
        shift = total["theta"] / count
        theta = parameters["theta"] + shift
        if not parameters["count"].any():
            return Parameters({"count": total["count"], "theta": theta, "var": parameters["var"]})
        within = total["var"] / count - shift**2
        var = within + self._smoothing(total["count"], theta, within)
        if (var[total["count"] > 0] <= 0).any():
            raise TrainingError(
                "Every feature needs a variance above 0 in every class.",
                "a feature that is constant within a class",
                "Raise var_smoothing, or drop the feature.",
            )
        var = np.where(total["count"][:, None] > 0, var, 1.0)
        return Parameters({"count": total["count"], "theta": theta, "var": var})

    def _smoothing(self, count: Array, theta: Array, within: Array) -> float:
        # The variance of all rows, from the classes' by the law of total variance.
        share = (count / count.sum())[:, None]
        middle = (share * theta).sum(axis=0)
        overall = (share * (within + (theta - middle) ** 2)).sum(axis=0)
        return self.var_smoothing * float(overall.max())

    def log_prior(self, parameters: Parameters) -> Array:
        """As passed, or the shares of the training rows."""
        if self.priors is None:
            return log_shares(parameters["count"])
        known = np.where(parameters["count"] > 0, self.priors, 0.0)
        return log_shares(known)

    def log_likelihood(self, parameters: Parameters, x: Array) -> Array:
        """Sums of normal log densities."""
        likelihood = np.empty((len(x), len(parameters["count"])))
        for index, (mean, var) in enumerate(
            zip(parameters["theta"], parameters["var"], strict=True)
        ):
            constant = np.log(2 * np.pi * var).sum()
            likelihood[:, index] = -0.5 * (constant + ((x - mean) ** 2 / var).sum(axis=1))
        return likelihood

    def _final(self, parameters: Parameters, seen: Mask) -> Any:
        from sklearn.naive_bayes import GaussianNB as Estimator

        chosen = None if self.priors is None else np.array(self.priors)[seen]
        final = Estimator(var_smoothing=self.var_smoothing, priors=chosen)
        count, theta, var = (parameters[name] for name in ("count", "theta", "var"))
        final.theta_, final.var_ = np.array(theta[seen]), np.array(var[seen])
        final.class_prior_ = np.exp(self.log_prior(parameters))[seen]
        # Undo the smoothing: overall = smoothed - epsilon and epsilon = var_smoothing * overall.
        smoothed = self._smoothing(count, theta, var)
        final.epsilon_ = smoothed / (1 + self.var_smoothing)
        return final


class BernoulliNB(NaiveBayes, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Bernoulli naive Bayes: each feature is present or absent, independently within a class.

    One round of counts gives the fit of scikit-learn on the pooled rows. Columns are not scaled. A
    site with a missing number refuses; a missing category is all zeros, that is absent.

    Parameters
    ----------
    alpha : float
        Rows added to each count of present and of absent (Laplace smoothing).
    binarize : float
        A feature is present where it is above this, in the column's own unit.

    Raises
    ------
    TrainingError
        When `alpha` is not positive, or `binarize` negative or infinite.

    Examples
    --------
    >>> BernoulliNB(alpha=0.5)
    BernoulliNB(alpha=0.5, binarize=0.0)
    """

    alpha: float = 1.0
    binarize: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < math.inf:
            raise TrainingError("alpha must be positive.", f"{self.alpha:g}", "Pass e.g. alpha=1.")
        if not 0 <= self.binarize < math.inf:
            raise TrainingError(
                "binarize must be at least 0.", f"{self.binarize:g}", "Pass e.g. binarize=0."
            )

    def init(self, space: Space) -> Parameters:
        """No counts."""
        shape = (len(space.schema.classes), len(space.names))
        return Parameters({"count": np.zeros(shape[0]), "present": np.zeros(shape)})

    def statistics(self, parameters: Parameters, x: Array, y: Target) -> Parameters:
        """Rows of each class, and of these the ones in which a feature is present."""
        refuse_gaps(x)
        rows = members(y, len(parameters["count"]))
        present = rows.T @ (x > self.binarize)
        return Parameters({"count": rows.sum(axis=0), "present": present})

    def solve(self, parameters: Parameters, total: Parameters) -> Parameters:
        """The counts themselves."""
        return total

    def log_prior(self, parameters: Parameters) -> Array:
        """Shares of the training rows."""
        return log_shares(parameters["count"])

    def _log_present(self, parameters: Parameters) -> Array:
        smoothed = parameters["count"] + 2 * self.alpha
        log_present: Array = np.log(parameters["present"] + self.alpha) - np.log(smoothed)[:, None]
        return log_present

    def log_likelihood(self, parameters: Parameters, x: Array) -> Array:
        """Sums of logarithms of the probabilities of what is present and absent."""
        present = self._log_present(parameters)
        absent = np.log(-np.expm1(present))
        likelihood: Array = (x > self.binarize) @ (present - absent).T + absent.sum(axis=1)
        return likelihood

    def _final(self, parameters: Parameters, seen: Mask) -> Any:
        from sklearn.naive_bayes import BernoulliNB as Estimator

        final = Estimator(alpha=self.alpha, binarize=self.binarize)
        final.feature_count_ = np.array(parameters["present"][seen])
        final.feature_log_prob_ = self._log_present(parameters)[seen]
        final.class_log_prior_ = self.log_prior(parameters)[seen]
        return final
