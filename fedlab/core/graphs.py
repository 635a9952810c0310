"""ONNX graphs in double precision under construction, from a table's own columns on.

The same steps give the same bytes: nodes stand and are named in the order in which they were added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from fedlab.core.schema import Column
from fedlab.core.space import Space
from fedlab.core.vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["OPSETS", "Graph"]

OPSETS = {"": 21, "ai.onnx.ml": 5}
"""Versions of the operators, by domain."""
FORMAT = 10


class Graph:
    """Nodes on their way to a model; every name inside makes way for the columns' names.

    Inputs are one a column, ``(n_samples, 1)``: doubles with NaN for missing, or strings with
    ``""`` for missing.

    Parameters
    ----------
    columns : iterable of Column
    """

    def __init__(self, columns: Iterable[Column]) -> None:
        from onnx import TensorProto, helper

        kinds = {"number": TensorProto.DOUBLE, "category": TensorProto.STRING}
        self.inputs: list[Any] = []
        self._taken: set[str] = set()
        for column in columns:
            kind = kinds[column.kind]
            self.inputs.append(helper.make_tensor_value_info(column.name, kind, [None, 1]))
            self._taken.add(column.name)
        self._names: Iterator[str] = map("inner_{}".format, count())
        self._nodes: list[Any] = []
        self._outputs: list[Any] = []

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node of one output, whose name is returned."""
        from onnx import helper

        name = next(name for name in self._names if name not in self._taken)
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: ArrayLike) -> str:
        """An array in the graph."""
        from onnx import numpy_helper

        return self.add("Constant", value=numpy_helper.from_array(np.array(values)))

    def doubles(self, value: str) -> str:
        """True and false as 1 and 0."""
        from onnx import TensorProto

        return self.add("Cast", value, to=TensorProto.DOUBLE)

    def indices(self, value: str) -> str:
        """True and false as whole numbers."""
        from onnx import TensorProto

        return self.add("Cast", value, to=TensorProto.INT64)

    def output(self, name: str, value: str, shape: Sequence[int | None], kind: str = "f") -> None:
        """Name a value as one that the graph gives.

        Parameters
        ----------
        name : str
            Underscores are added where a column is called so.
        value : str
        shape : sequence of int or None
        kind : str
            As in numpy: ``"f"`` for doubles, ``"i"``, ``"b"``, or ``"O"`` for text.
        """
        from onnx import TensorProto, helper

        kinds = {
            "f": TensorProto.DOUBLE,
            "i": TensorProto.INT64,
            "b": TensorProto.BOOL,
            "O": TensorProto.STRING,
        }
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, kinds[kind], list(shape)))

    def labels(self, classes: np.ndarray[Any, Any], index: str) -> None:
        """Output ``label``, ``(n_samples,)``: the class at each row's index."""
        kind = {"U": "O", "u": "i"}.get(classes.dtype.kind, classes.dtype.kind)
        types: dict[str, Any] = {"O": object, "i": np.int64, "f": np.float64, "b": np.bool_}
        listed = self.constant(classes.astype(types[kind]))
        self.output("label", self.add("Gather", listed, index, axis=0), [None], kind)

    def matrix(self, space: Space) -> str:
        """Rows as ``space.matrix`` has them: numbers, then indicators."""
        blocks = self._numbers(space)
        for name, vocabulary in space.vocabulary.items():
            blocks += self._indicators(name, vocabulary)
        return self.add("Concat", *blocks, axis=1)

    def _numbers(self, space: Space) -> list[str]:
        if not space.numbers:
            return []
        values = self.add("Concat", *(column.name for column in space.numbers), axis=1)
        if space.scaled:
            values = self.add("Sub", values, self.constant(space.scaling["mean"][None, :]))
            values = self.add("Div", values, self.constant(space.scaling["scale"][None, :]))
        if not space.keeps_missing:
            filled = self.constant(space.filled[None, :])
            values = self.add("Where", self.add("IsNaN", values), filled, values)
        return [values]

    def _indicators(self, column: str, vocabulary: Vocabulary) -> list[str]:
        def are(listed: Sequence[str]) -> str:
            same = self.add("Equal", column, self.constant(np.array([listed], dtype=object)))
            return self.doubles(same)

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

    def encode(self) -> bytes:
        """The model's bytes, after ONNX's own check of it."""
        from onnx import checker, helper

        graph = helper.make_graph(self._nodes, "fedlab", self.inputs, self._outputs)
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=FORMAT)
        checker.check_model(model)
        data: bytes = model.SerializeToString(deterministic=True)
        return data
