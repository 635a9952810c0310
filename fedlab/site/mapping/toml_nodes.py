"""TOML as nodes with lines.

The reader of the standard library gives no positions, so each statement is read a second time by
itself: the fewest lines that make a whole document are one statement, since a bracket or a quote
that is still open makes none.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from fedlab.site.mapping.faults import Faults
from fedlab.site.mapping.nodes import DEEPEST, Entry, Node, node_of

__all__ = ["toml_nodes"]

LONGEST = 100
Path = tuple[str, ...]


def toml_nodes(text: str, faults: Faults) -> Node | None:
    """The nodes of a TOML text; None after a fault that ends the reading."""
    tree, line, rule = _loaded(text)
    if tree is None:
        faults.add(
            line,
            "",
            rule,
            "a line that is not, or a key that stands twice",
            "Look at this line and the one before: quotes, brackets, repeated keys.",
        )
        return None
    lines: dict[Path, int] = {}
    if not tree:
        faults.add(1, "", "It must not be empty.", "nothing", 'Write e.g. target = "died".')
        return None
    for path, at in _statements(text):
        # A table that is only named within a longer key stands where the first such key does.
        for length in range(len(path), 0, -1):
            lines.setdefault(path[:length], at)
        if not path:
            lines[path] = at
    if () in lines:
        faults.add(
            lines[()],
            "",
            f"A value must end within {LONGEST} lines.",
            "a longer one",
            "Write a table with one key on each line.",
        )
        return None
    return _node(tree, (), 1, lines, faults)


def _loaded(text: str) -> tuple[dict[str, Any] | None, int, str]:
    rule = "It must be TOML."
    try:
        return tomllib.loads(text), 0, ""
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column \d+\)$", str(error))
        return None, int(found[1]) if found else text.count("\n") + 1, rule
    # Brackets in brackets; a whole number of thousands of digits; a date that is none.
    except (RecursionError, ValueError):
        return None, 1, rule


def _statements(text: str) -> Iterator[tuple[Path, int]]:
    """The path of every key that stands for itself, and its line; `()` for one that never ends."""
    table: Path = ()
    repeats: dict[Path, int] = {}
    waiting: list[str] = []
    start = 1
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not waiting:
            start = number
        waiting.append(line)
        if len(waiting) > LONGEST:
            yield (), start
            return
        tree, _, _ = _loaded("\n".join(waiting))
        if tree is None:
            continue
        if not tree:
            waiting = []
            continue
        header = waiting[0].lstrip().startswith("[")
        waiting = []
        for path in _paths(tree):
            if header:
                table = _counted(path, line, repeats)
                yield table, start
            else:
                yield (*table, *path), start


def _counted(path: Path, line: str, repeats: dict[Path, int]) -> Path:
    """The path of a header, with the place of a table in a list of tables."""
    if line.lstrip().startswith("[["):
        repeats[path] = repeats.get(path, -1) + 1
        return (*path, str(repeats[path]))
    return path


def _paths(tree: Any) -> Iterator[Path]:
    """Every path in what one statement made."""
    if isinstance(tree, list) and tree and isinstance(tree[0], dict):
        tree = tree[0]
    if not isinstance(tree, dict) or not tree:
        yield ()
        return
    for key, value in tree.items():
        for rest in _paths(value):
            yield (key, *rest)


def _node(value: Any, path: Path, line: int, lines: dict[Path, int], faults: Faults) -> Node:
    here = lines.get(path, line)
    if isinstance(value, dict):
        if len(path) > DEEPEST:
            faults.add(here, "", f"It must be at most {DEEPEST} deep.", "more", "Write it flat.")
            return Node("nothing", line=here)
        entries = []
        for key, each in value.items():
            inner = (*path, key)
            at = lines.get(inner, here)
            entries.append(Entry(key, at, _node(each, inner, at, lines, faults)))
        return Node("table", entries=tuple(entries), line=here)
    if isinstance(value, list) and len(path) <= DEEPEST:
        items = tuple(
            _node(each, (*path, str(place)), here, lines, faults)
            for place, each in enumerate(value)
        )
        return Node("list", items=items, line=here)
    if isinstance(value, list):
        faults.add(here, "", f"It must be at most {DEEPEST} deep.", "more", "Write it flat.")
        return Node("nothing", line=here)
    return node_of(value, here)
