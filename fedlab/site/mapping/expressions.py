"""Features that are computed from others, by a small language of arithmetic and choice.

`pandas.eval` was looked at and left: it takes attributes and calls of methods, so that a mapping
from elsewhere could run code. Here an expression is parsed by `ast`, held against a list of what it
may consist of, and computed on arrays; there are no attributes, no subscripts and no calls but of
the listed functions.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

from fedlab.errors import DataError
from fedlab.site.mapping.evaluation import ARITHMETIC, DATES, FUNCTIONS, ORDER, Operand, computed

__all__ = ["Expression"]

LONGEST, MOST_PARTS = 400, 150
Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]
#: Calls that are neither of numbers nor of dates, and how many arguments they take.
OTHERS = {"where": 3, "missing": 1, "column": 1}
CALLS = sorted([*FUNCTIONS, *DATES, *OTHERS])


class Expression:
    """An expression that was found harmless.

    Parameters
    ----------
    text : str

    Attributes
    ----------
    names : tuple of str
        Of the features and columns it reads, in the order in which they come.
    tells_text : bool
        Whether it ends in texts, which are categories.

    Raises
    ------
    DataError
        When it is no expression, or has a part that is not on the list.

    Examples
    --------
    >>> Expression("weight / height ** 2").names
    ('weight', 'height')
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._tree = _tree(text)
        self._names: dict[str, None] = {}
        self.tells_text = self._check(self._tree)
        self.names = tuple(self._names)
        if not self.names:
            raise _refused("numbers alone", "Name a feature or a column.")

    def _check(self, node: ast.expr) -> bool:
        """Raise DataError for what is not listed; say whether the part is a text."""
        match node:
            case ast.Name():
                self._names[node.id] = None
                return False
            case ast.Constant(value=str()):
                return True
            case ast.Constant(value=value) if _is_number(value):
                return False
            case ast.BinOp() if type(node.op) in ARITHMETIC:
                self._numeric(node.left, node.right)
                return False
            case ast.UnaryOp(op=ast.UAdd() | ast.USub() | ast.Not()):
                self._numeric(node.operand)
                return False
            case ast.BoolOp():
                self._numeric(*node.values)
                return False
            case ast.Compare(ops=[op]) if type(op) in ORDER:
                sides = (node.left, node.comparators[0])
                texts = [self._check(side) for side in sides]
                if any(texts) and not isinstance(op, ast.Eq | ast.NotEq):
                    raise _refused("an order of texts", "Compare texts by == and !=.")
                return False
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in CALLS:
                return self._call(name, args)
        raise _refused(_words(node), f"Use names, numbers, + - * / // % **, comparisons, "
                       f"and, or, not, and {', '.join(CALLS)}.")  # fmt: skip

    def _numeric(self, *nodes: ast.expr) -> None:
        for node in nodes:
            if self._check(node):
                raise _refused("arithmetic with a text", "Compare it by == first.")

    def _call(self, name: str, args: list[ast.expr]) -> bool:
        wanted = FUNCTIONS[name][1] if name in FUNCTIONS else OTHERS.get(name, 2)
        if len(args) != wanted:
            raise _refused(
                f"{name} with {len(args)} arguments", f"{name} takes {wanted} arguments."
            )
        if name in DATES or name == "missing":
            if not all(_named(arg) for arg in args):
                raise _refused(f"{name} of what is no name", "Pass names of columns.")
            for arg in args:
                self._check(arg)
            return False
        if name == "column":
            if not _is_text(args[0]):
                raise _refused("column without a name", 'Write e.g. column("Body weight").')
            self._names[_text(args[0])] = None
            return False
        if name == "where":
            self._numeric(args[0])
            first, second = (self._check(arg) for arg in args[1:])
            if first != second:
                raise _refused("where with a text and a number", "Make both of one kind.")
            return first
        self._numeric(*args)
        return False

    def evaluate(self, operands: Mapping[str, Operand], dates: str | None) -> Numbers | pd.Series:
        """Its value in every row: numbers with NaN where one is missing, or texts.

        Parameters
        ----------
        operands : mapping of str to Operand
            For each of `names`.
        dates : str or None
            How dates are written, as of `datetime.strptime`; None for ISO 8601.
        """
        return computed(self._tree, operands, dates)


def _tree(text: str) -> ast.expr:
    tree = None
    if len(text) <= LONGEST and text.isprintable():
        try:
            with warnings.catch_warnings():
                # What Python only warns of, such as `1if`, is told below like any other fault.
                warnings.simplefilter("ignore")
                tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            tree = None
    if tree is None:
        raise _refused(
            f"{len(text)} signs that are none" if len(text) > LONGEST else "what is none",
            f"Write one line of at most {LONGEST} signs, e.g. weight / height ** 2.",
        )
    if sum(1 for _ in ast.walk(tree)) > MOST_PARTS:
        raise _refused(f"more than {MOST_PARTS} parts", "Make helper features of its parts.")
    return tree


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300  # type: ignore[arg-type]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _text(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _named(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return True
    call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return call and node.func.id == "column"  # type: ignore[attr-defined]


def _words(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return "a call of something else"
    if isinstance(node, ast.Compare):
        return "a comparison of more than two"
    return f"a part of the kind {type(node).__name__}"


def _refused(came: str, remedy: str) -> DataError:
    return DataError("A derived feature must be a simple expression.", came, remedy)
