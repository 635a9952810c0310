"""Whether a graph's trees fit themselves: they are walked without a look at where nodes lead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["trees_are_sound"]

NODE_LISTS = (
    "nodes_featureids",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "nodes_trueleafs",
    "nodes_falseleafs",
    "nodes_missing_value_tracks_true",
)
LISTS = (*NODE_LISTS, "leaf_targetids", "tree_roots")
TENSORS = ("nodes_splits", "nodes_modes", "leaf_weights")
NUMBERS = {"aggregate_function": 1, "post_transform": 0}


def trees_are_sound(attributes: Mapping[str, Any], width: int) -> bool:
    """Whether all children, leaves, features and targets exist, and no node leads back.

    Parameters
    ----------
    attributes : mapping of str to AttributeProto
        Of a ``TreeEnsemble`` (ai.onnx.ml version 5).
    width : int
        Columns of the matrix that goes down the trees.
    """
    from onnx import numpy_helper

    if set(attributes) != {*LISTS, *TENSORS, *NUMBERS, "n_targets"}:
        return False
    lists = {name: np.array(attributes[name].ints, dtype=np.int64) for name in LISTS}
    splits, modes, weights = (numpy_helper.to_array(attributes[name].t) for name in TENSORS)
    n_nodes, n_leaves = len(lists["nodes_featureids"]), weights.size
    sizes = {len(lists[name]) for name in NODE_LISTS}
    shapes = splits.shape == modes.shape == (n_nodes,) and weights.shape == (n_leaves,)
    if sizes != {n_nodes} or not shapes or len(lists["leaf_targetids"]) != n_leaves:
        return False
    if {splits.dtype, weights.dtype} != {np.dtype(np.float64)} or modes.any():
        return False
    if any(attributes[name].i != value for name, value in NUMBERS.items()):
        return False
    inside = (
        _within(lists["nodes_featureids"], width)
        and _within(lists["tree_roots"], n_nodes)
        and _within(lists["leaf_targetids"], int(attributes["n_targets"].i))
        and _within(lists["nodes_missing_value_tracks_true"], 2)
    )
    return inside and all(
        _leads_on(lists[f"nodes_{side}nodeids"], lists[f"nodes_{side}leafs"], n_leaves)
        for side in ("true", "false")
    )


def _leads_on(child: np.ndarray[Any, Any], leaf: np.ndarray[Any, Any], n_leaves: int) -> bool:
    own = np.arange(len(child))
    # A node that stands behind its parent can lead back to none.
    return (
        _within(leaf, 2)
        and _within(child[leaf == 1], n_leaves)
        and _within(child[leaf == 0], len(child))
        and bool((child > own)[leaf == 0].all())
    )


def _within(values: np.ndarray[Any, Any], below: int) -> bool:
    return len(values) == 0 or bool(values.min() >= 0 and values.max() < below)
