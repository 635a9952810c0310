"""YAML as nodes with lines: no tags, no aliases, every key once."""

from __future__ import annotations

import re
from typing import Any

from fedlab.site.mapping.faults import Faults, shown
from fedlab.site.mapping.nodes import BIGGEST, DEEPEST, Entry, Node

__all__ = ["yaml_nodes"]

WHOLE = re.compile(r"[-+]?(0|[1-9]\d{0,17})")
FRACTION = re.compile(r"[-+]?(\d{1,18}\.?\d{0,30}|\.\d{1,30})([eE][-+]?\d{1,3})?")
TAG = "tag:yaml.org,2002:"
KINDS = ["str", "int", "float", "bool", "null", "timestamp", "merge", "value", "seq", "map"]
PLAIN = {f"{TAG}{kind}" for kind in KINDS}


def yaml_nodes(text: str, faults: Faults) -> Node | None:
    """The nodes of a YAML text; None after a fault that ends the reading.

    Scalars are read as YAML 1.2 has them, so that a bare ``no`` is a text and ``012`` no octal
    number.
    """
    import yaml

    line, problem = 1, ""
    try:
        root = _loader()(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        # Its text names signs of the file; what it looked for is enough.
        problem = "an alias" if type(error).__name__ == "_Alias" else type(error).__name__
        root = None
    except yaml.reader.ReaderError as error:
        line, problem = text[: error.position].count("\n") + 1, "a sign that is not printable"
        root = None
    except (RecursionError, ValueError, IndexError):
        problem, root = "what no reader of YAML takes", None
    if problem:
        faults.add(
            line,
            "",
            "It must be plain YAML without aliases.",
            {
                "ScannerError": "a sign or an indent that does not fit",
                "ParserError": "a line that does not fit the one before",
                "ComposerError": "a second document",
            }.get(problem, problem),
            "Look at this line and the one before: indents, colons, quotes.",
        )
        return None
    if root is None:
        faults.add(1, "", "It must not be empty.", "nothing", "Write e.g. target: died.")
        return None
    return _node(root, "", faults, 0)


def _loader() -> Any:
    import yaml

    class _Alias(yaml.MarkedYAMLError):
        """An alias, which would let a small file stand for a large one."""

    class Loader(yaml.SafeLoader):
        """Composes nodes and refuses aliases."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
                raise _Alias(None, None, "alias", mark)
            return super().compose_node(parent, index)

    return Loader


def _node(node: Any, path: str, faults: Faults, depth: int) -> Node:
    line = node.start_mark.line + 1
    if node.tag not in PLAIN:
        faults.add(line, path, "It must have no tags.", "one", "Take away what begins with !.")
    if depth > DEEPEST:
        faults.add(line, path, f"It must be at most {DEEPEST} deep.", "more", "Write it flat.")
        return Node("nothing", line=line)
    if node.id == "sequence":
        items = tuple(_node(each, path, faults, depth + 1) for each in node.value)
        return Node("list", items=items, line=line)
    if node.id == "mapping":
        return _table(node, path, faults, depth)
    return _scalar(node.value, quoted=node.style is not None, line=line)


def _table(node: Any, path: str, faults: Faults, depth: int) -> Node:
    entries: dict[str, Entry] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.id != "scalar":
            faults.add(line, path, "A key must be a text.", "a list or a table", "Name it.")
            continue
        name = key.value
        inner = f"{path}.{name}" if path else name
        if name in entries:
            faults.add(
                line,
                inner,
                "A key must stand once.",
                f"{shown(name)!r} again, first on line {entries[name].line}",
                "Take one away.",
            )
            continue
        entries[name] = Entry(name, line, _node(value, inner, faults, depth + 1))
    return Node("table", entries=tuple(entries.values()), line=node.start_mark.line + 1)


def _scalar(text: str, *, quoted: bool, line: int) -> Node:
    if not quoted:
        if text in {"", "~", "null", "Null", "NULL"}:
            return Node("nothing", text, line=line)
        if text.lower() in {"true", "false"}:
            return Node("truth", text, int(text.lower() == "true"), line=line)
        if WHOLE.fullmatch(text):
            return Node("number", text, int(text), line=line)
        if FRACTION.fullmatch(text) and not re.match(r"[-+]?(0\d|\d+$)", text):
            number = float(text)
            if abs(number) < BIGGEST:
                return Node("number", text, number, line=line)
    return Node("text", text, line=line)
