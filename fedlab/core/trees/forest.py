"""Random forests as descriptions: what to grow, how to judge it, and the estimator it becomes."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np

from fedlab.core.linear import needs_classes, needs_numbers
from fedlab.core.model import Classifier, Model
from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Schema
from fedlab.core.space import Space
from fedlab.core.trees.nodes import empty_table, reached
from fedlab.core.trees.regression import Regressor
from fedlab.errors import TrainingError

__all__ = ["Forest", "RandomForestClassifier", "RandomForestRegressor"]

MaxFeatures = Literal["sqrt", "log2"] | int | float | None


class Forest(Model):
    """What forests share: their trees, and the mean over them.

    Parameters are the nodes of all trees (`fedlab.core.trees.nodes`); a leaf's value is the shares
    of the classes in it, or the mean of the target.
    """

    __slots__ = ()

    scaled: ClassVar[bool] = False
    keeps_missing: ClassVar[bool] = True

    n_trees: int
    max_depth: int | None
    min_samples_split: int
    min_samples_leaf: int
    max_features: MaxFeatures
    bootstrap: bool
    oob_score: bool
    max_bins: int
    seed: int

    def n_drawn(self, n_features: int) -> int:
        """Features that each node looks at."""
        wanted = self.max_features
        if wanted is None:
            return n_features
        if wanted == "sqrt":
            return max(1, int(math.sqrt(n_features)))
        if wanted == "log2":
            return max(1, int(math.log2(n_features)))
        if isinstance(wanted, int):
            return min(int(wanted), n_features)
        return max(1, int(float(wanted) * n_features))

    def mean(self, parameters: Parameters, x: Array) -> Array:
        """Mean of the leaves' values over the trees, shape ``(n_samples, n_outputs)``."""
        value = parameters["value"]
        total = np.zeros((len(x), value.shape[1]))
        for leaf in reached(parameters, x):
            total += value[leaf]
        return total / len(parameters["roots"])


def check_forest(model: Forest) -> None:
    """Raise TrainingError for an argument out of its range."""
    for name, least in (
        ("n_trees", 1),
        ("max_depth", 1),
        ("min_samples_split", 2),
        ("min_samples_leaf", 1),
    ):
        check_whole(name, getattr(model, name), least, optional=name == "max_depth")
    check_bins(model.max_bins)
    wanted = model.max_features
    sound = wanted in (None, "sqrt", "log2") or (
        not isinstance(wanted, str | bool)
        and wanted is not None
        and (wanted >= 1 if isinstance(wanted, int) else 0 < wanted <= 1)
    )
    if not sound:
        raise TrainingError(
            "max_features must be 'sqrt', 'log2', None, a whole number of features or a share.",
            f"{wanted!r}",
            "Pass e.g. max_features='sqrt'.",
        )
    if model.oob_score and not model.bootstrap:
        raise TrainingError(
            "An out-of-bag score needs rows that a tree has not seen.",
            "oob_score=True with bootstrap=False",
            "Leave one of them out.",
        )


def check_whole(name: str, value: object, least: int, *, optional: bool = False) -> None:
    """Raise TrainingError unless `value` is a whole number of at least `least`."""
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise TrainingError(
            f"{name} must be a whole number of at least {least}{' or None' * optional}.",
            f"{value!r}",
            f"Pass e.g. {name}={max(least, 2)}.",
        )


def check_bins(max_bins: object) -> None:
    """Raise TrainingError unless there are 2 to 255 bins."""
    check_whole("max_bins", max_bins, 2)
    if isinstance(max_bins, int) and max_bins > 255:
        raise TrainingError("max_bins must be at most 255.", f"{max_bins}", "Pass max_bins=255.")


class RandomForestClassifier(
    Forest, Classifier, msgspec.Struct, frozen=True, tag=True, kw_only=True
):
    """Random forest of Breiman 2001 for two or more classes, grown from summed histograms.

    All trees grow a level a round. Every site counts its rows by bin and class at the open nodes,
    for the features drawn there; the sums are those of the pooled rows, so the trees are too.
    Bins are agreed from counts first, in two or three rounds. `run` takes as many rounds as it
    needs, about ``max_depth + 3``.

    Numbers are not scaled and rounded to single precision, as scikit-learn does; a missing one
    goes to the side where it helps most. A category enters as one indicator for each declared
    value, so that no order is made up, and a missing one as none of them.

    Parameters
    ----------
    n_trees : int
    max_depth : int or None
        None grows until leaves are pure or small; deep trees take more rounds.
    min_samples_split, min_samples_leaf : int
        Rows that a node needs to be split and that each side needs. A row that was drawn twice
        counts as two.
    max_features : "sqrt", "log2", int, float or None
        Features drawn at each node: their square root or logarithm, a number, a share, or all.
        Where all those drawn are constant in the node, as many more are looked at as it takes to
        find one that is not.
    class_weight : None or "balanced"
        "balanced" weighs classes by the inverse of their rows over all sites.
    bootstrap : bool
        Draw each tree's rows, with Poisson weights (see `bootstrap_weights`).
    oob_score : bool
        In one more round judge each row by the trees that have not seen it.
    max_bins : int
        At most 255. More cost bytes: a node sends ``n_drawn * max_bins * n_classes`` counts.
    seed : int
        With the federation's it decides what is drawn.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> RandomForestClassifier(max_features=0.5).n_drawn(30)
    15
    """

    n_trees: int = 100
    max_depth: int | None = 8
    min_samples_split: int = 2
    min_samples_leaf: int = 1
    max_features: MaxFeatures = "sqrt"
    class_weight: Literal["balanced"] | None = None
    bootstrap: bool = True
    oob_score: bool = False
    max_bins: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        check_forest(self)
        if self.class_weight not in (None, "balanced"):
            raise TrainingError(
                "class_weight must be None or 'balanced'.",
                f"{self.class_weight!r}",
                "Pass class_weight='balanced'.",
            )

    def check(self, schema: Schema) -> None:
        """Raise TrainingError unless the target has two or more classes over all sites."""
        needs_classes(self, schema)

    def init(self, space: Space) -> Parameters:
        """Trees of one leaf, to which all classes are alike."""
        n_classes = len(space.schema.classes)
        return Parameters(empty_table(self.n_trees, np.full(n_classes, 1 / n_classes)))

    def scores(self, parameters: Parameters, x: Array) -> Array:
        """Mean over the trees of the shares of each class in the leaf."""
        return self.mean(parameters, x)

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Any:
        """A pipeline that ends in scikit-learn's RandomForestClassifier."""
        from fedlab.core.trees.estimator import forest_pipeline

        return forest_pipeline(self, parameters, space, n_samples=n_samples)


class RandomForestRegressor(Forest, Regressor, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Random forest of Breiman 2001 for a target of numbers, grown from summed histograms.

    Splits lower the squared error; sums are of whole multiples of 2^-28 of the target's half
    range, which are exact in any order. For the rest see `RandomForestClassifier`.

    Parameters
    ----------
    n_trees, max_depth, min_samples_split, min_samples_leaf, bootstrap, oob_score, max_bins, seed
        As in `RandomForestClassifier`.
    max_features : "sqrt", "log2", int, float or None
        By default all, as in scikit-learn.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> RandomForestRegressor().n_drawn(10)
    10
    """

    n_trees: int = 100
    max_depth: int | None = 8
    min_samples_split: int = 2
    min_samples_leaf: int = 1
    max_features: MaxFeatures = None
    bootstrap: bool = True
    oob_score: bool = False
    max_bins: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        check_forest(self)

    def check(self, schema: Schema) -> None:
        """Raise TrainingError unless the target is a number."""
        needs_numbers(self, schema)

    def init(self, space: Space) -> Parameters:
        """Trees of one leaf, which say 0."""
        return Parameters(empty_table(self.n_trees, np.zeros(1)))

    def predict(self, parameters: Parameters, x: Array) -> Array:
        """Mean over the trees of the leaves' means."""
        return self.mean(parameters, x)[:, 0]

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Any:
        """A pipeline that ends in scikit-learn's RandomForestRegressor."""
        from fedlab.core.trees.estimator import forest_pipeline

        return forest_pipeline(self, parameters, space, n_samples=n_samples)
