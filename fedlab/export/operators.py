"""The operators that fedlab writes into graphs: what each takes and what it gives.

Kinds are as in numpy (``"f"`` doubles, ``"i"`` whole numbers, ``"b"`` true or false, ``"O"`` text),
shapes are tuples with None for the rows. An operator that is used in any other way than fedlab uses
it is strange, and is not run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fedlab.export.sound_trees import trees_are_sound

__all__ = ["OPERATORS", "Shape", "StrangeError", "Value"]

Shape = tuple[int | None, ...]
DOUBLE, INT64 = 11, 7


class StrangeError(ValueError):
    """A node that fedlab would not write."""


@dataclass(frozen=True)
class Value:
    """What is known of a value without running the graph: its kind, its shape, or all of it."""

    kind: str
    shape: Shape
    array: np.ndarray[Any, Any] | None = None


def _need(holds: bool) -> None:
    if not holds:
        raise StrangeError


def _together(*shapes: Shape) -> Shape:
    """The shape of values that are spread over each other, as in numpy."""
    longest = max(map(len, shapes))
    padded = [(1,) * (longest - len(shape)) + shape for shape in shapes]
    merged: list[int | None] = []
    for sizes in zip(*padded, strict=True):
        wide = {size for size in sizes if size != 1}
        _need(len(wide) <= 1)
        merged.append(wide.pop() if wide else 1)
    return tuple(merged)


def _elementwise(takes: str, gives: str) -> Callable[..., Value]:
    def rule(attributes: dict[str, Any], *values: Value) -> Value:
        _need(not attributes and all(each.kind in takes for each in values))
        _need(len({each.kind for each in values}) == 1)
        return Value(gives, _together(*(each.shape for each in values)))

    return rule


def _where(attributes: dict[str, Any], test: Value, one: Value, other: Value) -> Value:
    _need(not attributes and test.kind == "b" and one.kind == other.kind)
    return Value(one.kind, _together(test.shape, one.shape, other.shape))


def _clip(attributes: dict[str, Any], value: Value, low: Value, high: Value) -> Value:
    _need(not attributes and {value.kind, low.kind, high.kind} == {"f"})
    _need(low.shape == high.shape == ())
    return value


def _constant(attributes: dict[str, Any]) -> Value:
    from onnx import numpy_helper

    _need(set(attributes) == {"value"})
    array = numpy_helper.to_array(attributes["value"].t)
    kinds = {np.dtype(np.float64): "f", np.dtype(np.int64): "i", np.dtype(np.bool_): "b"}
    kind = "O" if array.dtype.kind in "OSU" else kinds.get(array.dtype, "")
    _need(bool(kind))
    return Value(kind, array.shape, array)


def _cast(attributes: dict[str, Any], value: Value) -> Value:
    _need(set(attributes) == {"to"} and value.kind == "b")
    to = int(attributes["to"].i)
    _need(to in (DOUBLE, INT64))
    return Value("f" if to == DOUBLE else "i", value.shape)


def _concat(attributes: dict[str, Any], *values: Value) -> Value:
    _axis(attributes, 1)
    widths = [_table(each) for each in values]
    return Value("f", (None, sum(widths)))


def _table(value: Value) -> int:
    """Width of a matrix of doubles with a row for each row of the input."""
    _need(value.kind == "f" and len(value.shape) == 2 and value.shape[0] is None)
    return value.shape[1] or 0


def _axis(attributes: dict[str, Any], axis: int, **others: int) -> None:
    wanted = {"axis": axis, **others}
    _need(set(attributes) == set(wanted))
    _need(all(attributes[name].i == number for name, number in wanted.items()))


def _is_list(value: Value, *numbers: int) -> bool:
    listed = None if value.array is None else value.array.tolist()
    return value.kind == "i" and listed == list(numbers)


def _product(attributes: dict[str, Any], x: Value, weights: Value) -> Value:
    _need(not attributes and weights.kind == "f" and len(weights.shape) == 2)
    _need(weights.array is not None and weights.shape[0] == _table(x))
    return Value("f", (None, weights.shape[1]))


def _sum(attributes: dict[str, Any], value: Value, axes: Value) -> Value:
    _need(set(attributes) == {"keepdims"} and value.kind == "f")
    keep = attributes["keepdims"].i
    if len(value.shape) == 2:
        _need(keep == 1 and _is_list(axes, 1))
        return Value("f", (value.shape[0], 1))
    _need(keep == 0 and _is_list(axes, 2) and len(value.shape) == 3)
    return Value("f", value.shape[:2])


def _unsqueeze(attributes: dict[str, Any], value: Value, axes: Value) -> Value:
    _need(not attributes and _is_list(axes, 1))
    return Value("f", (None, 1, _table(value)))


def _reshape(attributes: dict[str, Any], value: Value, shape: Value) -> Value:
    _need(not attributes and _is_list(shape, -1) and value.shape == (None, 1))
    return Value(value.kind, (None,))


def _softmax(attributes: dict[str, Any], value: Value) -> Value:
    _axis(attributes, 1)
    return Value("f", (None, _table(value)))


def _extreme(attributes: dict[str, Any], value: Value) -> Value:
    _axis(attributes, 1, keepdims=0)
    _need(_table(value) > 0)
    return Value("i", (None,))


def _gather(attributes: dict[str, Any], values: Value, places: Value) -> Value:
    _need(places.kind == "i" and len(places.shape) == 1)
    if len(values.shape) == 1:
        _axis(attributes, 0)
        return Value(values.kind, places.shape)
    _axis(attributes, 1)
    width = _table(values)
    _need(places.array is not None and bool(np.isin(places.array, np.arange(width)).all()))
    return Value("f", (None, places.shape[0]))


def _trees(attributes: dict[str, Any], value: Value) -> Value:
    _need(trees_are_sound(attributes, _table(value)))
    return Value("f", (None, int(attributes["n_targets"].i)))


def _identity(attributes: dict[str, Any], value: Value) -> Value:
    _need(not attributes)
    return value


def _named(names: str, rule: Callable[..., Value], n_inputs: Sequence[int]) -> dict[str, Any]:
    return {name: (rule, tuple(n_inputs)) for name in names.split()}


OPERATORS: dict[str, tuple[Callable[..., Value], tuple[int, ...]]] = {
    **_named("Add Sub Mul Div", _elementwise("f", "f"), [2]),
    **_named("Abs Cos Exp Neg Relu Sigmoid Sqrt Tanh", _elementwise("f", "f"), [1]),
    **_named("Greater Less", _elementwise("f", "b"), [2]),
    **_named("Equal", _elementwise("fO", "b"), [2]),
    **_named("IsNaN", _elementwise("f", "b"), [1]),
    **_named("Where", _where, [3]),
    **_named("Clip", _clip, [3]),
    **_named("Constant", _constant, [0]),
    **_named("Cast", _cast, [1]),
    **_named("Concat", _concat, range(1, 1 << 16)),
    **_named("MatMul", _product, [2]),
    **_named("ReduceSum", _sum, [2]),
    **_named("Unsqueeze", _unsqueeze, [2]),
    **_named("Reshape", _reshape, [2]),
    **_named("Softmax", _softmax, [1]),
    **_named("ArgMax ArgMin", _extreme, [1]),
    **_named("Gather", _gather, [2]),
    **_named("Identity", _identity, [1]),
    **_named("TreeEnsemble", _trees, [1]),
}
"""By name of operator: its rule, and how many values it takes."""
