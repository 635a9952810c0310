"""Grown trees as an ONNX graph in double precision, with the sites' own columns as inputs.

Trees become one ``TreeEnsemble`` (ai.onnx.ml version 5). Thresholds are the doubles that part rows
as rounding them to single precision does, so every row takes the way it takes in the estimator, and
sums of leaves differ from the estimator's by rounding in double precision only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fedlab.core.graphs import Graph
from fedlab.core.model import Model
from fedlab.core.parameters import Array, Parameters
from fedlab.core.space import Space
from fedlab.core.trees.boosted import double_thresholds
from fedlab.core.trees.boosting import Boosting
from fedlab.core.trees.estimator import class_order
from fedlab.core.trees.keys import Ints
from fedlab.errors import TrainingError

__all__ = ["to_onnx_trees"]

SUM, NOTHING, LEQ = 1, 0, 0
"""Codes of ``TreeEnsemble``: how trees are joined, what follows, how a node compares."""


def to_onnx_trees(model: Model, parameters: Parameters, space: Space) -> bytes:
    """The graph's bytes; the same parameters give the same bytes.

    Inputs are one a column, ``(n_samples, 1)``: doubles with NaN for missing, or strings with
    ``""`` for missing. Outputs are ``label``, ``(n_samples,)``, and ``probabilities``,
    ``(n_samples, n_classes)``, in the order of the estimator's classes; or ``variable``,
    ``(n_samples, 1)``, for a target of numbers.

    Parameters
    ----------
    model : Forest or Boosting
    parameters : Parameters
    space : Space

    Raises
    ------
    TrainingError
        When no tree has begun to grow.
    """
    if not len(parameters["roots"]):
        raise TrainingError(
            "An exported model needs a tree.", "none yet", "Call step() until one has grown."
        )
    graph = Graph(space.schema.columns)
    matrix = graph.matrix(space)
    classifies = model.reads == "classes"
    if isinstance(model, Boosting):
        n_outputs = len(parameters["baseline"])
        values, targets = parameters["value"], np.arange(len(parameters["roots"])) % n_outputs
        leaves = _ensemble(graph, matrix, parameters, values, targets, n_outputs)
        result = graph.add("Add", leaves, graph.constant(parameters["baseline"][None, :]))
        if classifies:
            result = _probabilities(graph, result, n_outputs)
    else:
        share = parameters["value"] / len(parameters["roots"])
        result = _ensemble(graph, matrix, parameters, share, None, share.shape[1])
    if classifies:
        classes, order = class_order(space)
        sorted_ = graph.add("Gather", result, graph.constant(order.astype(np.int64)), axis=1)
        graph.labels(classes, graph.add("ArgMax", sorted_, axis=1, keepdims=0))
        graph.output("probabilities", sorted_, [None, len(order)])
    else:
        graph.output("variable", result, [None, 1])
    return graph.encode()


def _ensemble(
    graph: Graph,
    matrix: str,
    table: Parameters,
    values: Array,
    targets: Ints | None,
    n_outputs: int,
) -> str:
    """Sum of the leaves' values; each tree speaks for one target, or each leaf for all."""
    from onnx import helper

    ensemble = _Ensemble(table, values, targets)
    return graph.add(
        "TreeEnsemble",
        matrix,
        domain="ai.onnx.ml",
        n_targets=n_outputs,
        aggregate_function=SUM,
        post_transform=NOTHING,
        nodes_splits=_tensor("splits", ensemble.splits),
        nodes_modes=helper.make_tensor("modes", 2, [len(ensemble.splits)], ensemble.modes),
        leaf_weights=_tensor("weights", ensemble.weights),
        **ensemble.lists,
    )


def _probabilities(graph: Graph, raw: str, n_outputs: int) -> str:
    if n_outputs > 1:
        return graph.add("Softmax", raw, axis=1)
    second = graph.add("Sigmoid", raw)
    first = graph.add("Sub", graph.constant(np.ones((1, 1))), second)
    return graph.add("Concat", first, second, axis=1)


def _tensor(name: str, values: Any) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor(name, TensorProto.DOUBLE, [len(values)], values)


class _Ensemble:
    """The lists of ``TreeEnsemble``: inner nodes, and leaves of one target each.

    A leaf of several values is one leaf a value in a copy of its tree: version 5 gives a leaf one
    target. A tree of a single leaf is a node whose sides lead to the same leaf.
    """

    def __init__(self, table: Parameters, values: Array, targets: Ints | None) -> None:
        left = table["left"].astype(np.int64)
        inner = left >= 0
        feature = np.where(inner, table["feature"], 0).astype(np.int64)
        bounds = np.where(inner, double_thresholds(table["threshold"]), 0.0)
        tracks = table["missing_left"].astype(np.int64)
        names = ("featureids", "truenodeids", "falsenodeids", "trueleafs", "falseleafs")
        columns: dict[str, list[int]] = {name: [] for name in names}
        splits: list[float] = []
        weights: list[float] = []
        missing, target_of, starts = list[int](), list[int](), list[int]()
        tree_of = _trees(left, table["roots"].astype(np.int64))
        for output in range(values.shape[1]):
            # Every node of the table is an entry: inner nodes of nodes_*, leaves of leaf_*.
            stumps = ~inner[table["roots"].astype(np.int64)]
            as_node = inner.copy()
            as_node[table["roots"].astype(np.int64)[stumps]] = True
            number = np.cumsum(as_node) - 1 + len(splits)
            is_leaf = ~inner
            leaf_number = np.cumsum(is_leaf) - 1 + len(weights)
            own = np.flatnonzero(as_node)
            yes = np.where(inner[own], left[own], own)
            no = np.where(inner[own], left[own] + 1, own)
            for name, child in (("true", yes), ("false", no)):
                leaf = is_leaf[child]
                ids = np.where(leaf, leaf_number[child], number[child])
                columns[f"{name}nodeids"] += ids.tolist()
                columns[f"{name}leafs"] += leaf.astype(int).tolist()
            columns["featureids"] += feature[own].tolist()
            splits += bounds[own].tolist()
            missing += tracks[own].tolist()
            leaves = np.flatnonzero(is_leaf)
            weights += values[leaves, output].tolist()
            to = np.full(len(leaves), output) if targets is None else targets[tree_of[leaves]]
            target_of += to.tolist()
            starts += number[table["roots"].astype(np.int64)].tolist()
        self.splits, self.weights, self.modes = splits, weights, [LEQ] * len(splits)
        self.lists: dict[str, Any] = {f"nodes_{name}": ids for name, ids in columns.items()}
        self.lists["nodes_missing_value_tracks_true"] = missing
        self.lists["leaf_targetids"] = target_of
        self.lists["tree_roots"] = starts


def _trees(left: Ints, roots: Ints) -> Ints:
    """Number of the tree that each node belongs to."""
    tree = np.full(len(left), -1)
    tree[roots] = np.arange(len(roots))
    # A child stands behind its parent.
    for node in np.flatnonzero(left >= 0):
        tree[left[node]] = tree[left[node] + 1] = tree[node]
    return tree
