"""Whether trees of scikit-learn fit themselves: it follows nodes without a look at where to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["parts_of", "trees_are_sound"]

DEEPEST = 50
MOST_PARTS = 1_000_000


def trees_are_sound(model: Any) -> bool:
    """Whether all children and features of a fitted model's trees exist, and no node leads back.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> trees_are_sound(DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1]))
    True
    """
    parts = list(parts_of(model))
    grown = {id(part.tree_) for part in parts if hasattr(part, "tree_")}
    held = {id(tree) for part in parts for tree in _predictors(part)}
    for part in parts:
        kind = type(part).__name__
        if hasattr(part, "tree_") and not _tree(part.tree_, int(part.n_features_in_)):
            return False
        if hasattr(part, "_predictors") and not _histogram_trees(part):
            return False
        # One that is nowhere near its estimator is used by something that is not known here.
        if (kind == "Tree" and id(part) not in grown) or (
            kind == "TreePredictor" and id(part) not in held
        ):
            return False
    return True


def parts_of(model: Any) -> Iterator[Any]:
    """The model and every object it holds, each once."""
    waiting: list[tuple[Any, int]] = [(model, 0)]
    known: set[int] = set()
    while waiting:
        part, depth = waiting.pop()
        if id(part) in known or isinstance(part, str | bytes | int | float | bool | type(None)):
            continue
        known.add(id(part))
        if depth > DEEPEST or len(known) > MOST_PARTS:
            raise ValueError("a model of too many parts")
        inner: list[Any] = []
        if isinstance(part, dict):
            inner = list(part.values())
        elif isinstance(part, list | tuple | set):
            inner = list(part)
        elif isinstance(part, np.ndarray):
            inner = list(part.ravel()) if part.dtype == object else []
        else:
            yield part
            inner = list(getattr(part, "__dict__", {}).values())
        waiting += [(each, depth + 1) for each in inner]


def _predictors(part: Any) -> list[Any]:
    return [tree for stage in getattr(part, "_predictors", ()) for tree in stage]


def _tree(tree: Any, width: int) -> bool:
    if tree.capacity < tree.node_count or tree.n_features != width:
        return False
    nodes = tree.__getstate__()["nodes"]
    inner = nodes["left_child"] != -1
    return _leads_on(nodes["left_child"], nodes["right_child"], nodes["feature"], inner, width)


def _leads_on(left: Any, right: Any, feature: Any, inner: Any, width: int) -> bool:
    """Whether children of inner nodes come after them, as both kinds of trees are written."""
    places, n_nodes = np.flatnonzero(inner), len(left)
    children = np.stack([left[places], right[places]]).astype(np.int64)
    features = feature[places].astype(np.int64)
    return bool(
        n_nodes > 0
        and (children > places).all()
        and (children < n_nodes).all()
        and ((features >= 0) & (features < width)).all()
    )


def _histogram_trees(model: Any) -> bool:
    width = int(model._bin_mapper.n_bins_non_missing_.shape[0])
    listed = np.flatnonzero(np.asarray(model._bin_mapper.is_categorical_))
    for tree in _predictors(model):
        nodes, sets = tree.nodes, np.asarray(tree.raw_left_cat_bitsets)
        inner = nodes["is_leaf"] == 0
        if not _leads_on(nodes["left"], nodes["right"], nodes["feature_idx"], inner, width):
            return False
        by_list = nodes[inner & (nodes["is_categorical"] != 0)]
        if sets.ndim != 2 or sets.shape[1] != 8 or (by_list["bitset_idx"] >= len(sets)).any():
            return False
        if not np.isin(by_list["feature_idx"], listed).all():
            return False
    return True
