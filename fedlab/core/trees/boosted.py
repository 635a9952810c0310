"""Boosted trees as scikit-learn's histogram gradient boosting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fedlab.core.parameters import Array, Parameters
from fedlab.core.space import Space
from fedlab.core.trees.estimator import class_order, tree_pipeline
from fedlab.core.trees.keys import LARGEST
from fedlab.core.trees.nodes import subtree
from fedlab.errors import TrainingError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from fedlab.core.trees.boosting import Boosting

__all__ = ["boosting_pipeline", "double_thresholds"]


def double_thresholds(thresholds: Array) -> Array:
    """For each threshold the largest double that single precision rounds to at most it.

    scikit-learn's boosting compares in double precision. With these a row goes the way it goes when
    it is rounded first.

    Examples
    --------
    >>> bound = double_thresholds(np.array([0.5]))
    >>> np.float32(bound[0]) <= 0.5, np.float32(np.nextafter(bound[0], 1)) <= 0.5
    (np.True_, np.False_)
    """
    single = thresholds.astype(np.float32)
    below_largest = np.minimum(single, np.nextafter(np.float32(LARGEST), np.float32(0)))
    above = np.nextafter(below_largest, np.float32(np.inf)).astype(np.float64)
    middle = single + (above - single) / 2
    # A tie goes to the even one of both neighbours.
    even = single.view(np.uint32) % 2 == 0
    bound = np.where(even, middle, np.nextafter(middle, -np.inf))
    return np.where(thresholds >= LARGEST, np.finfo(np.float64).max, bound)


def boosting_pipeline(model: Boosting, parameters: Parameters, space: Space) -> Pipeline:
    """A pipeline that ends in scikit-learn's histogram gradient boosting, set node by node.

    Raises
    ------
    TrainingError
        When no tree has begun to grow.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if not len(parameters["roots"]):
        raise TrainingError(
            "A boosted model needs its bins.",
            "a run that has not begun to grow",
            "Call step() until the bins are agreed.",
        )
    shared: dict[str, Any] = {
        "learning_rate": model.learning_rate,
        "max_iter": model.n_trees,
        "max_leaf_nodes": model.max_leaf_nodes,
        "max_depth": model.max_depth,
        "min_samples_leaf": model.min_samples_leaf,
        "l2_regularization": model.l2,
        "max_bins": model.max_bins,
        "categorical_features": None,
        "early_stopping": False,
    }
    n_outputs, n_features = len(parameters["baseline"]), len(space.names)
    # scikit-learn learns shapes and names from made-up rows; all it learned is then replaced.
    if model.reads == "classes":
        classes, order = class_order(space)
        final: Any = HistGradientBoostingClassifier(max_iter=1, categorical_features=None)
        made_up = np.repeat(classes, 2)
        final.fit(np.zeros((len(made_up), n_features)), made_up)
        # The one output of two classes speaks for the second of the schema.
        sign = -1.0 if n_outputs == 1 and order[0] == 1 else 1.0
        outputs = np.arange(1) if n_outputs == 1 else order
    else:
        final = HistGradientBoostingRegressor(max_iter=1, categorical_features=None)
        final.fit(np.zeros((2, n_features)), np.zeros(2))
        sign, outputs = 1.0, np.arange(1)
    final.set_params(**shared)
    final._baseline_prediction = sign * np.array(parameters["baseline"])[outputs][None, :]
    roots = parameters["roots"].astype(np.int64).reshape(-1, n_outputs)
    final._predictors = [
        [_predictor(parameters, int(each[output]), sign) for output in outputs] for each in roots
    ]
    return tree_pipeline(space, final)


def _predictor(table: Parameters, root: int, sign: float) -> Any:
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

    left = table["left"].astype(np.int64)
    own, depth = subtree(left, root)
    number = np.empty(len(left), dtype=np.int64)
    number[own] = np.arange(len(own))
    inner = left[own] >= 0
    nodes = np.zeros(len(own), dtype=PREDICTOR_RECORD_DTYPE)
    nodes["value"] = sign * table["value"][own, 0]
    nodes["count"] = table["count"][own]
    nodes["feature_idx"] = np.where(inner, table["feature"][own], 0)
    nodes["num_threshold"] = np.where(inner, double_thresholds(table["threshold"][own]), 0.0)
    nodes["missing_go_to_left"] = table["missing_left"][own]
    nodes["left"] = np.where(inner, number[left[own]], 0)
    nodes["right"] = np.where(inner, number[left[own] + inner], 0)
    nodes["gain"] = table["gain"][own]
    nodes["depth"] = depth
    nodes["is_leaf"] = ~inner
    no_categories = np.zeros((0, 8), dtype=np.uint32)
    return TreePredictor(nodes, no_categories, no_categories)
