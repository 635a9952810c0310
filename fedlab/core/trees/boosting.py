"""Gradient boosting as a description: what to grow, how to judge it, the estimator it becomes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import msgspec
import numpy as np
from scipy.special import expit, softmax

from fedlab.core.linear import needs_classes, needs_numbers
from fedlab.core.model import Classifier, Model
from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Schema
from fedlab.core.space import Space, Target
from fedlab.core.trees.forest import check_bins, check_whole
from fedlab.core.trees.nodes import empty_table, reached
from fedlab.core.trees.regression import Regressor
from fedlab.errors import TrainingError

__all__ = ["Boosting", "GradientBoostingClassifier", "GradientBoostingRegressor"]


class Boosting(Model):
    """What boosted trees share: a baseline plus the leaves of all trees.

    Parameters are the nodes of all trees (`fedlab.core.trees.nodes`), of which each iteration adds
    one an output, and ``baseline``, ``(n_outputs,)``.
    """

    __slots__ = ()

    scaled: ClassVar[bool] = False
    keeps_missing: ClassVar[bool] = True

    n_trees: int
    learning_rate: float
    max_leaf_nodes: int | None
    max_depth: int | None
    min_samples_leaf: int
    l2: float
    max_bins: int

    @abstractmethod
    def n_outputs(self, space: Space) -> int:
        """Trees of each iteration."""

    @abstractmethod
    def baseline(self, target: Array, center: float, half: float) -> Array:
        """Where boosting starts, from rows by class or from the mean of the scaled target."""

    @abstractmethod
    def slopes(self, raw: Array, y: Target, half: float) -> tuple[Array, Array | None]:
        """Gradient and hessian of each row's loss by its outputs, each ``(n_outputs, n_samples)``.

        Gradients of a target of numbers are in units of `half`; a hessian of None is 1.
        """

    def init(self, space: Space) -> Parameters:
        """No tree, and a baseline of 0."""
        table = empty_table(0, np.zeros(1))
        return Parameters({**table, "baseline": np.zeros(self.n_outputs(space))})

    def raw(self, parameters: Parameters, x: Array) -> Array:
        """Baseline plus the leaves' values, shape ``(n_samples, n_outputs)``."""
        value, n_outputs = parameters["value"][:, 0], len(parameters["baseline"])
        total = np.tile(parameters["baseline"], (len(x), 1))
        for index, leaf in enumerate(reached(parameters, x)):
            total[:, index % n_outputs] += value[leaf]
        return total


def check_boosting(model: Boosting) -> None:
    """Raise TrainingError for an argument out of its range."""
    check_whole("n_trees", model.n_trees, 1)
    check_whole("max_leaf_nodes", model.max_leaf_nodes, 2, optional=True)
    check_whole("max_depth", model.max_depth, 1, optional=True)
    check_whole("min_samples_leaf", model.min_samples_leaf, 1)
    check_bins(model.max_bins)
    if model.max_leaf_nodes is None and model.max_depth is None:
        raise TrainingError(
            "A boosted tree needs a bound.",
            "neither max_leaf_nodes nor max_depth",
            "Pass e.g. max_leaf_nodes=31.",
        )
    if not 0 < model.learning_rate <= 1:
        raise TrainingError(
            "learning_rate must be above 0 and at most 1.",
            f"{model.learning_rate:g}",
            "Pass e.g. learning_rate=0.1.",
        )
    if not 0 <= model.l2 < np.inf:
        raise TrainingError("l2 must be at least 0.", f"{model.l2:g}", "Pass e.g. l2=1.0.")


class GradientBoostingClassifier(
    Boosting, Classifier, msgspec.Struct, frozen=True, tag=True, kw_only=True
):
    """Gradient boosted trees for two or more classes, grown from summed histograms.

    Second-order boosting of the log loss (Friedman 2001; Chen and Guestrin 2016, equations 5 to 7)
    on at most 255 bins. Sums are of whole multiples of 2^-28 (hessians: up to 2^-30), which are
    exact in any order, so the trees are those of the pooled rows.

    Trees grow a level a round, the leaves of largest gain first until `max_leaf_nodes` is reached;
    with 31 leaves that is five rounds a tree. Several classes have a tree each, grown at once.
    Numbers, missing values and categories enter as in `RandomForestClassifier`.

    Parameters
    ----------
    n_trees : int
        Iterations, each one tree, or one a class where there are more than two.
    learning_rate : float
        Share of a leaf's Newton step that is taken.
    max_leaf_nodes, max_depth : int or None
    min_samples_leaf : int
    l2 : float
        Added to the hessian of every leaf.
    max_bins : int

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> GradientBoostingClassifier(n_trees=20).learning_rate
    0.1
    """

    n_trees: int = 100
    learning_rate: float = 0.1
    max_leaf_nodes: int | None = 31
    max_depth: int | None = None
    min_samples_leaf: int = 20
    l2: float = 0.0
    max_bins: int = 255

    def __post_init__(self) -> None:
        check_boosting(self)

    def check(self, schema: Schema) -> None:
        """Raise TrainingError unless the target has two or more classes over all sites."""
        needs_classes(self, schema)

    def n_outputs(self, space: Space) -> int:
        """One for two classes, otherwise one each."""
        n_classes = len(space.schema.classes)
        return 1 if n_classes == 2 else n_classes

    def baseline(self, target: Array, center: float, half: float) -> Array:
        """Logarithms of the classes' odds, or of their shares about their mean."""
        shares = np.clip(target / target.sum(), np.finfo(np.float32).eps, None)
        if len(shares) == 2:
            return np.array([np.log(shares[1] / shares[0])])
        logs = np.log(shares)
        return np.asarray(logs - logs.mean(), dtype=np.float64)

    def slopes(self, raw: Array, y: Target, half: float) -> tuple[Array, Array | None]:
        """``p - y`` and ``p (1 - p)``."""
        if len(raw) == 1:
            p = expit(raw)
            return p - y, p * (1 - p)
        p = softmax(raw, axis=0)
        return p - (y == np.arange(len(raw))[:, None]), p * (1 - p)

    def scores(self, parameters: Parameters, x: Array) -> Array:
        """Probabilities of the classes."""
        raw = self.raw(parameters, x)
        if raw.shape[1] == 1:
            second = expit(raw[:, 0])
            return np.column_stack([1 - second, second])
        probabilities: Array = softmax(raw, axis=1)
        return probabilities

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Any:
        """A pipeline that ends in scikit-learn's HistGradientBoostingClassifier."""
        from fedlab.core.trees.boosted import boosting_pipeline

        return boosting_pipeline(self, parameters, space)


class GradientBoostingRegressor(
    Boosting, Regressor, msgspec.Struct, frozen=True, tag=True, kw_only=True
):
    """Gradient boosted trees for a target of numbers, grown from summed histograms.

    Squared error; for the rest see `GradientBoostingClassifier`.

    Parameters
    ----------
    n_trees, learning_rate, max_leaf_nodes, max_depth, min_samples_leaf, l2, max_bins
        As in `GradientBoostingClassifier`.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> GradientBoostingRegressor().max_leaf_nodes
    31
    """

    n_trees: int = 100
    learning_rate: float = 0.1
    max_leaf_nodes: int | None = 31
    max_depth: int | None = None
    min_samples_leaf: int = 20
    l2: float = 0.0
    max_bins: int = 255

    def __post_init__(self) -> None:
        check_boosting(self)

    def check(self, schema: Schema) -> None:
        """Raise TrainingError unless the target is a number."""
        needs_numbers(self, schema)

    def n_outputs(self, space: Space) -> int:
        """One."""
        return 1

    def baseline(self, target: Array, center: float, half: float) -> Array:
        """The mean over all sites."""
        return np.array([center + half * target[1]])

    def slopes(self, raw: Array, y: Target, half: float) -> tuple[Array, Array | None]:
        """The residual, prediction minus target, in units of `half`."""
        return (raw - y) / half, None

    def predict(self, parameters: Parameters, x: Array) -> Array:
        """The mean plus what the trees add."""
        return self.raw(parameters, x)[:, 0]

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Any:
        """A pipeline that ends in scikit-learn's HistGradientBoostingRegressor."""
        from fedlab.core.trees.boosted import boosting_pipeline

        return boosting_pipeline(self, parameters, space)
