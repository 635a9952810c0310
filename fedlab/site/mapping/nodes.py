"""A mapping as written: values together with the lines they stand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fedlab.errors import DataError

__all__ = ["BIGGEST", "DEEPEST", "Entry", "Kind", "Node", "node_of"]

DEEPEST = 8
# What is larger is the number of something: a text.
BIGGEST, LONGEST_WHOLE = 1e300, 10**18
Kind = Literal["text", "number", "truth", "nothing", "list", "table"]


@dataclass(frozen=True)
class Node:
    """A value.

    Attributes
    ----------
    kind : str
    text : str
        As written; what a code or a category is, so that 001 stays 001 and a bare no stays no.
    number : float or int
        Where it is one.
    items : tuple of Node
        Of a list.
    entries : tuple of Entry
        Of a table.
    line : int or None
    """

    kind: Kind
    text: str = ""
    number: float | int = 0
    items: tuple[Node, ...] = ()
    entries: tuple[Entry, ...] = ()
    line: int | None = None

    @property
    def words(self) -> str:
        """What it is, in words."""
        words = {
            "text": "a text",
            "number": "a number",
            "truth": "true or false",
            "nothing": "nothing",
            "list": "a list",
            "table": "a table of keys",
        }
        return words[self.kind]


@dataclass(frozen=True)
class Entry:
    """A key of a table, its line and its value."""

    key: str
    line: int | None
    value: Node


def node_of(value: object, line: int | None = None, depth: int = 0) -> Node:
    """A Python value as a node.

    Raises
    ------
    DataError
        When a value is of another type, or nested too deeply.
    """
    if depth > DEEPEST:
        raise _wrong(f"tables in tables, more than {DEEPEST} deep")
    if isinstance(value, Mapping):
        if not all(isinstance(key, str | int | float) for key in value):
            raise _wrong("a key that is neither text nor number")
        entries = tuple(
            Entry(_text(key), line, node_of(each, line, depth + 1)) for key, each in value.items()
        )
        return Node("table", entries=entries, line=line)
    if isinstance(value, list | tuple):
        items = tuple(node_of(each, line, depth + 1) for each in value)
        return Node("list", items=items, line=line)
    if isinstance(value, bool):
        return Node("truth", _text(value), int(value), line=line)
    if isinstance(value, int | float):
        if isinstance(value, float) and not abs(value) < BIGGEST:
            return Node("text", str(value), line=line)
        if isinstance(value, int) and abs(value) >= LONGEST_WHOLE:
            return Node("text", f"{value:x}", line=line)
        return Node("number", _text(value), value, line=line)
    if value is None:
        return Node("nothing", line=line)
    if isinstance(value, str):
        return Node("text", value, line=line)
    if type(value).__module__ == "datetime":
        return Node("text", str(value), line=line)
    raise _wrong(f"a {type(value).__name__}")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _wrong(came: str) -> DataError:
    return DataError(
        "A mapping must hold texts, numbers, lists and tables.",
        came,
        "Write e.g. {'target': 'died', 'features': {'age': {'column': 'AGE'}}}.",
    )
