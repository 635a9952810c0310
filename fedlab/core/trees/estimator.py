"""Grown trees as scikit-learn's own estimators, on rows in the sites' own columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fedlab.core.estimator import as_pipeline
from fedlab.core.parameters import Array, Parameters
from fedlab.core.space import Space
from fedlab.core.trees.keys import Ints
from fedlab.core.trees.nodes import subtree
from fedlab.errors import TrainingError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from fedlab.core.trees.forest import Forest

__all__ = ["class_order", "forest_pipeline", "tree_pipeline"]


def tree_pipeline(space: Space, final: Any, *, n_samples: int = 0) -> Pipeline:
    """A fitted pipeline whose numbers go through as they are, missing ones included.

    Parameters
    ----------
    space : Space
    final : estimator
        Already fitted, on the columns of ``space.matrix``.
    n_samples : int
        Training rows over all sites.
    """
    return as_pipeline(space, final, n_samples=n_samples)


def class_order(space: Space) -> tuple[np.ndarray[Any, Any], Ints]:
    """Classes as scikit-learn sorts them, and where each stands in the schema."""
    order = np.argsort(space.schema.classes)
    return np.array(space.schema.classes)[order], order


def forest_pipeline(
    model: Forest, parameters: Parameters, space: Space, *, n_samples: int
) -> Pipeline:
    """A pipeline that ends in scikit-learn's random forest, its trees set node by node.

    Raises
    ------
    TrainingError
        When nothing has grown yet.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if not parameters["count"].any():
        raise TrainingError(
            "A forest needs at least one split level.",
            "one that has not begun to grow",
            "Call step() until the bins are agreed, and once more.",
        )
    classifies = model.reads == "classes"
    shared: dict[str, Any] = {
        "max_depth": model.max_depth,
        "min_samples_split": model.min_samples_split,
        "min_samples_leaf": model.min_samples_leaf,
        "max_features": 1.0 if model.max_features is None else model.max_features,
        "random_state": model.seed,
    }
    whole = {**shared, "n_estimators": model.n_trees, "bootstrap": model.bootstrap}
    whole["oob_score"] = model.oob_score
    n_features = len(space.names)
    values = np.array(parameters["value"])
    if classifies:
        classes, order = class_order(space)
        values = values[:, order]
        weight = getattr(model, "class_weight", None)
        final = RandomForestClassifier(**whole, class_weight=weight)
        final.classes_, final.n_classes_ = classes, len(classes)
        final.estimator_ = DecisionTreeClassifier()
    else:
        final = RandomForestRegressor(**whole)
        final.estimator_ = DecisionTreeRegressor()
    final.n_features_in_, final.n_outputs_ = n_features, 1
    final._n_samples = final._n_samples_bootstrap = n_samples
    final.estimators_ = []
    for root in parameters["roots"].astype(np.int64):
        tree: Any = (
            DecisionTreeClassifier(**shared) if classifies else DecisionTreeRegressor(**shared)
        )
        tree.n_features_in_, tree.n_outputs_ = n_features, 1
        tree.max_features_ = model.n_drawn(n_features)
        if classifies:
            # As in scikit-learn, a forest's trees call classes by number.
            tree.classes_, tree.n_classes_ = np.arange(len(order), dtype=np.float64), len(order)
        tree.tree_ = _tree(parameters, values, int(root), n_features, classifies)
        final.estimators_.append(tree)
    if "oob" in parameters:
        final.oob_score_ = float(parameters["oob"][0])
    return tree_pipeline(space, final)


def _tree(
    table: Mapping[str, Array], values: Array, root: int, n_features: int, classifies: bool
) -> Any:
    from sklearn.tree._tree import NODE_DTYPE, Tree

    left = table["left"].astype(np.int64)
    own, depth = subtree(left, root)
    number = np.empty(len(left), dtype=np.int64)
    number[own] = np.arange(len(own))
    inner = left[own] >= 0
    nodes = np.zeros(len(own), dtype=NODE_DTYPE)
    nodes["left_child"] = np.where(inner, number[left[own]], -1)
    nodes["right_child"] = np.where(inner, number[left[own] + inner], -1)
    nodes["feature"] = np.where(inner, table["feature"][own], -2)
    nodes["threshold"] = np.where(inner, table["threshold"][own], -2.0)
    nodes["impurity"] = table["impurity"][own]
    nodes["n_node_samples"] = table["count"][own]
    nodes["weighted_n_node_samples"] = table["weight"][own]
    nodes["missing_go_to_left"] = table["missing_left"][own]
    n_values = values.shape[1] if classifies else 1
    tree = Tree(n_features, np.array([n_values], dtype=np.intp), 1)
    state = {
        "max_depth": int(depth[-1]),
        "node_count": len(own),
        "nodes": nodes,
        "values": np.ascontiguousarray(values[own])[:, None, :],
    }
    tree.__setstate__(state)
    return tree
