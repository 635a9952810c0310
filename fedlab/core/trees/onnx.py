"""Grown trees as an ONNX graph in double precision, with the sites' own columns as inputs.

Trees become one ``TreeEnsemble`` (ai.onnx.ml version 5). Thresholds are the doubles that part rows
as rounding them to single precision does, so every row takes the way it takes in the estimator, and
sums of leaves differ from the estimator's by rounding in double precision only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np

from fedlab.core.model import Model
from fedlab.core.parameters import Array, Parameters
from fedlab.core.space import Space
from fedlab.core.trees.boosted import double_thresholds
from fedlab.core.trees.boosting import Boosting
from fedlab.core.trees.estimator import class_order
from fedlab.core.trees.keys import Ints
from fedlab.core.vocabulary import Vocabulary
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
    from onnx import checker, helper

    if not len(parameters["roots"]):
        raise TrainingError(
            "An exported model needs a tree.", "none yet", "Call step() until one has grown."
        )
    graph = _Graph({column.name for column in space.schema.columns})
    matrix = graph.matrix(space)
    classifies = model.reads == "classes"
    classes, order = class_order(space) if classifies else (np.zeros(0), np.zeros(0, dtype=int))
    if isinstance(model, Boosting):
        n_outputs = len(parameters["baseline"])
        values, targets = parameters["value"], np.arange(len(parameters["roots"])) % n_outputs
        leaves = graph.trees(matrix, parameters, values, targets, n_outputs)
        raw = graph.add("Add", leaves, graph.constant(parameters["baseline"][None, :]))
        result = graph.probabilities(raw, n_outputs) if classifies else raw
    else:
        share = parameters["value"] / len(parameters["roots"])
        result = graph.trees(matrix, parameters, share, None, share.shape[1])
    if classifies:
        order_of = graph.constant(np.asarray(order, dtype=np.int64))
        graph.add("Gather", result, order_of, axis=1, output="probabilities")
        best = graph.add("ArgMax", "probabilities", axis=1, keepdims=0)
        graph.add("Gather", graph.constant(_labels(classes)), best, axis=0, output="label")
        outputs = [
            helper.make_tensor_value_info("label", _label_type(classes), [None]),
            helper.make_tensor_value_info("probabilities", _double(), [None, len(order)]),
        ]
    else:
        graph.add("Identity", result, output="variable")
        outputs = [helper.make_tensor_value_info("variable", _double(), [None, 1])]
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 5)]
    made = helper.make_model(
        helper.make_graph(graph.nodes, "fedlab", graph.inputs, outputs),
        opset_imports=opsets,
        ir_version=10,
    )
    checker.check_model(made)
    data: bytes = made.SerializeToString(deterministic=True)
    return data


def _double() -> int:
    from onnx import TensorProto

    return int(TensorProto.DOUBLE)


def _labels(classes: np.ndarray[Any, Any]) -> Any:
    if classes.dtype.kind in "US" or classes.dtype == object:
        return classes.astype(object)
    return classes.astype(np.float64 if classes.dtype.kind == "f" else np.int64)


def _label_type(classes: np.ndarray[Any, Any]) -> int:
    from onnx import TensorProto

    kinds = {"O": TensorProto.STRING, "f": TensorProto.DOUBLE, "i": TensorProto.INT64}
    return int(kinds[_labels(classes).dtype.kind])


class _Graph:
    """A graph under construction; names inside it make way for columns."""

    def __init__(self, columns: set[str]) -> None:
        taken = columns | {"label", "probabilities", "variable"}
        self.names: Iterator[str] = (n for n in map("inner_{}".format, count()) if n not in taken)
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []

    def add(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        name = output or next(self.names)
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Any) -> str:
        from onnx import numpy_helper

        return self.add("Constant", value=numpy_helper.from_array(np.array(values)))

    def matrix(self, space: Space) -> str:
        """Rows as ``space.matrix`` has them: numbers, then indicators."""
        from onnx import TensorProto, helper

        kinds = {"number": TensorProto.DOUBLE, "category": TensorProto.STRING}
        self.inputs = [
            helper.make_tensor_value_info(column.name, kinds[column.kind], [None, 1])
            for column in space.schema.columns
        ]
        blocks = [column.name for column in space.numbers]
        if not space.keeps_missing:
            blocks = [
                self._filled(name, fill) for name, fill in zip(blocks, space.fill, strict=True)
            ]
        for name, vocabulary in space.vocabulary.items():
            blocks += self._indicators(name, vocabulary)
        return self.add("Concat", *blocks, axis=1)

    def _filled(self, values: str, fill: float) -> str:
        return self.add("Where", self.add("IsNaN", values), self.constant([[fill]]), values)

    def _indicators(self, column: str, vocabulary: Vocabulary) -> list[str]:
        from onnx import TensorProto

        def are(listed: Sequence[str]) -> str:
            same = self.add("Equal", column, self.constant(np.array([listed], dtype=object)))
            return self.add("Cast", same, to=TensorProto.DOUBLE)

        def any_of(listed: Sequence[str]) -> str:
            return self.add("ReduceSum", are(listed), self.constant([1]), keepdims=1)

        if vocabulary.fill is not None:
            missing = self.add("Equal", column, self.constant(np.array([[""]], dtype=object)))
            fill = self.constant(np.array([[vocabulary.fill]], dtype=object))
            column = self.add("Where", missing, fill, column)
        blocks = [are(vocabulary.kept)] if vocabulary.kept else []
        if vocabulary.bucket is None:
            return blocks
        if not vocabulary.unseen:
            return [*blocks, any_of(vocabulary.rare)]
        # Whatever is not kept is in the bucket, missing included; its own name is no value.
        seen = any_of(vocabulary.kept or (vocabulary.bucket,))
        return [*blocks, self.add("Sub", self.constant([[1.0]]), seen)]

    def trees(
        self,
        matrix: str,
        table: Parameters,
        values: Array,
        targets: Ints | None,
        n_outputs: int,
    ) -> str:
        """Sum of the leaves' values; each tree speaks for one target, or each leaf for all."""
        from onnx import helper

        ensemble = _Ensemble(table, values, targets)
        return self.add(
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

    def probabilities(self, raw: str, n_outputs: int) -> str:
        if n_outputs > 1:
            return self.add("Softmax", raw, axis=1)
        second = self.add("Sigmoid", raw)
        first = self.add("Sub", self.constant(np.ones((1, 1))), second)
        return self.add("Concat", first, second, axis=1)


def _tensor(name: str, values: Any) -> Any:
    from onnx import helper

    return helper.make_tensor(name, _double(), [len(values)], values)


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
