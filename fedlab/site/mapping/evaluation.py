"""An expression computed on columns, once it was found harmless."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from fedlab.site.mapping.codes import numbers_of, texts_of
from fedlab.site.mapping.dates import days_between, years_between

__all__ = ["ARITHMETIC", "DATES", "FUNCTIONS", "ORDER", "Operand", "Texts", "computed"]

Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]

ARITHMETIC: dict[type[ast.operator], Callable[..., Numbers]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
    ast.Pow: np.float_power,
}
ORDER: dict[type[ast.cmpop], Callable[..., Numbers]] = {
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}
#: Functions of numbers, and how many they take.
FUNCTIONS: dict[str, tuple[Callable[..., Numbers], int]] = {
    "abs": (np.abs, 1),
    "sqrt": (np.sqrt, 1),
    "log": (np.log, 1),
    "log10": (np.log10, 1),
    "exp": (np.exp, 1),
    "floor": (np.floor, 1),
    "ceil": (np.ceil, 1),
    "round": (np.rint, 1),
    "min": (np.minimum, 2),
    "max": (np.maximum, 2),
}
DATES = {"years_between": years_between, "days_between": days_between}


@dataclass(frozen=True, repr=False)
class Operand:
    """What a name in an expression stands for: one column of the table.

    Attributes
    ----------
    cells : Series of shape (n_samples,)
    known : ndarray of bool of shape (n_samples,)
        False where a value is missing.
    unmapped : ndarray of bool of shape (n_samples,)
        Where a feature's mapping did not know the value.
    decimal : "." or ","
        The decimal sign of numbers that are written as text.
    """

    cells: pd.Series
    known: Flags
    unmapped: Flags
    decimal: str = "."

    @property
    def _neither(self) -> bool:
        """Dates and the like are read by the functions that take them."""
        return self.cells.dtype.kind in "mMc"

    @cached_property
    def number(self) -> Numbers:
        """As numbers, NaN where it is missing or none, shape ``(n_samples,)``."""
        if self._neither:
            return np.full(len(self.cells), np.nan)
        numbers, _ = numbers_of(self.cells, (), self.decimal)
        return np.where(self.known, numbers, np.nan)

    @cached_property
    def text(self) -> pd.Series:
        """As text, missing where it is missing, shape ``(n_samples,)``."""
        text = self.cells if self._neither else texts_of(self.cells)
        return text.where(self.known)


@dataclass(frozen=True)
class Texts:
    """A part that is text, shape ``(n_samples,)``."""

    values: pd.Series


Value = Numbers | Texts


def computed(
    tree: ast.expr, operands: Mapping[str, Operand], dates: str | None
) -> Numbers | pd.Series:
    """The value of a tree of listed parts in every row; parameters as of `Expression.evaluate`."""
    n_rows = len(next(iter(operands.values())).known)
    # Dividing by zero and the like end in what is not finite, which the caller flags.
    with np.errstate(all="ignore"):
        found = _Evaluation(operands, dates, n_rows).of(tree)
    return found.values if isinstance(found, Texts) else found


class _Evaluation:
    def __init__(self, operands: Mapping[str, Operand], dates: str | None, n_rows: int) -> None:
        self._operands, self._dates, self._n_rows = operands, dates, n_rows

    def of(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                return Texts(pd.Series([node.value] * self._n_rows, dtype="str"))
            return np.full(self._n_rows, float(node.value))  # type: ignore[arg-type]
        if isinstance(node, ast.Name):
            return self._operands[node.id].number
        if isinstance(node, ast.BinOp):
            return ARITHMETIC[type(node.op)](self._number(node.left), self._number(node.right))
        if isinstance(node, ast.UnaryOp):
            value = self._number(node.operand)
            if isinstance(node.op, ast.Not):
                return np.where(np.isnan(value), np.nan, (value == 0).astype(float))
            return -value if isinstance(node.op, ast.USub) else value
        if isinstance(node, ast.BoolOp):
            return self._joined(node)
        if isinstance(node, ast.Compare):
            return self._compared(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._called(node.func.id, node.args)
        raise TypeError(type(node).__name__)

    def _number(self, node: ast.expr) -> Numbers:
        value = self.of(node)
        if isinstance(value, Texts):
            raise TypeError("text")
        return value

    def _joined(self, node: ast.BoolOp) -> Numbers:
        """Kleene's logic: what one side decides, a missing other side does not undo."""
        values = np.stack([self._number(each) for each in node.values])
        unknown = np.isnan(values).any(axis=0)
        if isinstance(node.op, ast.And):
            no = (values == 0).any(axis=0)
            return np.where(no, 0.0, np.where(unknown, np.nan, 1.0))
        yes = ((values != 0) & ~np.isnan(values)).any(axis=0)
        return np.where(yes, 1.0, np.where(unknown, np.nan, 0.0))

    def _compared(self, node: ast.Compare) -> Numbers:
        sides, order = (node.left, node.comparators[0]), node.ops[0]
        first, second = (self.of(side) for side in sides)
        if isinstance(first, Texts) or isinstance(second, Texts):
            left = self._as_text(sides[0], first)
            right = self._as_text(sides[1], second)
            same = (left == right).fillna(False).to_numpy(dtype=bool)
            known = (left.notna() & right.notna()).to_numpy(dtype=bool)
            wanted = same if isinstance(order, ast.Eq) else ~same
            return np.where(known, wanted.astype(float), np.nan)
        unknown = np.isnan(first) | np.isnan(second)
        return np.where(unknown, np.nan, ORDER[type(order)](first, second).astype(float))

    def _as_text(self, node: ast.expr, value: Value) -> pd.Series:
        if isinstance(value, Texts):
            return value.values
        operand = self._operand(node)
        if operand is not None:
            return operand.text
        return pd.Series(value).map(lambda each: f"{each:g}", na_action="ignore").astype("str")

    def _operand(self, node: ast.expr) -> Operand | None:
        if isinstance(node, ast.Name):
            return self._operands[node.id]
        match node:
            case ast.Call(func=ast.Name(id="column"), args=[name]):
                return self._operands[_name(name)]
        return None

    def _called(self, name: str, args: list[ast.expr]) -> Value:
        if name == "column":
            return self._operands[_name(args[0])].number
        if name in DATES:
            first, second = (self._operand(arg) for arg in args)
            if first is None or second is None:
                raise TypeError(name)
            return DATES[name](first.text, second.text, self._dates)
        if name == "missing":
            operand = self._operand(args[0])
            if operand is None:
                raise TypeError(name)
            # A value that the mapping does not know is not missing either.
            return np.where(operand.unmapped, np.nan, (~operand.known).astype(float))
        if name == "where":
            return self._chosen(*args)
        return FUNCTIONS[name][0](*(self._number(arg) for arg in args))

    def _chosen(self, condition: ast.expr, first: ast.expr, second: ast.expr) -> Value:
        asked = self._number(condition)
        yes, unknown = asked != 0, np.isnan(asked)
        left, right = self.of(first), self.of(second)
        if isinstance(left, Texts) and isinstance(right, Texts):
            chosen = left.values.where(yes, right.values)
            return Texts(chosen.mask(unknown))
        if isinstance(left, Texts) or isinstance(right, Texts):
            raise TypeError("where")
        return np.where(unknown, np.nan, np.where(yes, left, right))


def _name(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""
