"""What naive Bayes models share: counts of classes, and scores from joint log-likelihoods."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import softmax

from fedlab.core.estimator import as_pipeline
from fedlab.core.model import Classifier, Summed
from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Schema
from fedlab.core.space import Space, Target
from fedlab.errors import DataError, TrainingError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["Mask", "MissingNumbersError", "NaiveBayes", "log_shares", "members", "refuse_gaps"]

Mask = np.ndarray[Any, np.dtype[np.bool_]]


class MissingNumbersError(DataError):
    """Rows with gaps that a model cannot take; of an error at a site the name alone leaves it."""


class NaiveBayes(Summed, Classifier):
    """What both share: classes with counts, and scores from joint log-likelihoods.

    Features are taken as they are, not scaled, as scikit-learn does, and like it they refuse a
    missing number. A class without a training row at any site is never predicted, and is left out
    of the estimator.
    """

    __slots__ = ()

    scaled: ClassVar[bool] = False
    # Not to use them, but to see and refuse them: 0 would be a made-up value.
    keeps_missing: ClassVar[bool] = True

    def check(self, schema: Schema) -> None:
        """Raise TrainingError unless the target has at least two classes over all sites."""
        if len(schema.classes) < 2:
            raise TrainingError(
                f"{type(self).__name__} needs a target with classes.",
                f"{len(schema.classes)} in {schema.target!r}",
                "Choose another target, or cut this one into classes.",
            )

    @abstractmethod
    def log_likelihood(self, parameters: Parameters, x: Array) -> Array:
        """Logarithm of the density of each row in each class, ``(n_samples, n_classes)``."""

    @abstractmethod
    def log_prior(self, parameters: Parameters) -> Array:
        """Logarithm of the probability of each class, ``(n_classes,)``."""

    def scores(self, parameters: Parameters, x: Array) -> Array:
        """Posterior probabilities; all classes alike before the first round."""
        refuse_gaps(x)
        if not parameters["count"].any():
            return np.full((len(x), len(parameters["count"])), 1 / len(parameters["count"]))
        joint = self.log_likelihood(parameters, x) + self.log_prior(parameters)
        probabilities: Array = softmax(joint, axis=1)
        return probabilities

    def empty(self, space: Space) -> Parameters:
        """Zeros."""
        return 0.0 * self.init(space)

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Pipeline:
        """A pipeline that ends in scikit-learn's estimator of the same name."""
        seen = parameters["count"] > 0
        if not seen.any():
            raise TrainingError(
                "Naive Bayes knows nothing before its first round.",
                "a run at round 0",
                "Call step() first.",
            )
        final = self._final(parameters, seen)
        final.classes_ = np.array(space.schema.classes)[seen]
        final.class_count_ = np.array(parameters["count"][seen])
        final.n_features_in_ = len(space.names)
        return as_pipeline(space, final, n_samples=n_samples)

    @abstractmethod
    def _final(self, parameters: Parameters, seen: Mask) -> Any:
        """The fitted estimator of the classes that were seen."""


def members(y: Target, n_classes: int) -> Array:
    """Indicators of the classes, shape ``(n_samples, n_classes)``.

    Examples
    --------
    >>> members(np.array([1, 0]), 2).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    indicators: Array = (y[:, None] == np.arange(n_classes)).astype(np.float64)
    return indicators


def refuse_gaps(x: Array) -> None:
    """Raise MissingNumbersError where a number is missing."""
    gaps = int(np.isnan(x).any(axis=1).sum())
    if gaps:
        raise MissingNumbersError(
            "Naive Bayes needs a number in every numeric column.",
            f"{gaps} of {len(x)} rows with a gap",
            "Fill the gaps or drop the column at every site.",
        )


def log_shares(counts: Array) -> Array:
    """Logarithms of shares of the whole; of nothing, minus infinity.

    Examples
    --------
    >>> np.exp(log_shares(np.array([3.0, 0.0, 1.0]))).tolist()
    [0.75, 0.0, 0.25]
    """
    shares = counts / counts.sum()
    logs: Array = np.log(shares, out=np.full(len(counts), -np.inf), where=shares > 0)
    return logs
