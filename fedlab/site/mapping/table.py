"""One table of a mapping's file, taken key by key."""

from __future__ import annotations

from collections.abc import Sequence

from fedlab.site.mapping.faults import Faults, meant, shown
from fedlab.site.mapping.nodes import Node

__all__ = ["Table"]


class Table:
    """The keys of one table, taken one by one; each way of taking notes what does not fit.

    Parameters
    ----------
    node : Node
        Of kind "table".
    path : str
    known : sequence of str
        Keys it may have.
    faults : Faults
    """

    def __init__(self, node: Node, path: str, known: Sequence[str], faults: Faults) -> None:
        self.path, self.line, self._faults = path, node.line, faults
        self._entries = {entry.key: entry for entry in node.entries}
        for entry in node.entries:
            if entry.key not in known:
                faults.add(
                    entry.line,
                    self.at(entry.key),
                    "A key must be one that a mapping has.",
                    repr(shown(entry.key)),
                    meant(entry.key, known, f"Use {', '.join(known)}."),
                )

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def at(self, key: str) -> str:
        """The path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def line_of(self, key: str) -> int | None:
        """The line of a key, or else of the table."""
        return self._entries[key].line if key in self._entries else self.line

    def fault(self, key: str, rule: str, came: str, remedy: str) -> None:
        """Note a fault of a key."""
        path = self.at(key) if key in self._entries else self.path
        self._faults.add(self.line_of(key), path, rule, came, remedy)

    def node(self, key: str) -> Node | None:
        """The value of a key, None where there is none."""
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def text(self, key: str, example: str) -> str | None:
        """A text that is not blank."""
        node = self.node(key)
        if node is None:
            return None
        if node.kind in {"text", "number"} and node.text.strip() and node.text.isprintable():
            return node.text
        self.fault(key, "It must be a text on one line.", node.words, f"Write e.g. {example}.")
        return None

    def number(self, key: str, example: str) -> float | None:
        """A number above zero."""
        node = self.node(key)
        if node is None:
            return None
        if node.kind == "number" and node.number > 0:
            return float(node.number)
        self.fault(key, "It must be a number above 0.", node.words, f"Write e.g. {example}.")
        return None

    def truth(self, key: str) -> bool:
        """True or false; false where it is left out."""
        node = self.node(key)
        if node is None or node.kind == "truth":
            return node is not None and bool(node.number)
        self.fault(key, "It must be true or false.", node.words, f"Write {key}: true.")
        return False

    def texts(self, key: str, example: str, *, blank: bool = False) -> tuple[str, ...] | None:
        """A list of different texts; one text stands for a list of one."""
        node = self.node(key)
        if node is None:
            return None
        items = node.items if node.kind == "list" else (node,)
        plain = [item.text for item in items if item.kind in {"text", "number", "truth"}]
        fits = len(plain) == len(items) > 0 and all(
            each.isprintable() and (blank or each.strip()) for each in plain
        )
        if fits and len(set(plain)) == len(plain):
            return tuple(plain)
        came = f"{node.words}{' with repeats' if fits else ''}"
        self.fault(key, "It must be a list of different texts.", came, f"Write e.g. {example}.")
        return None

    def pair(self, key: str) -> tuple[float, float] | None:
        """Two numbers that rise."""
        node = self.node(key)
        if node is None:
            return None
        numbers = [float(item.number) for item in node.items if item.kind == "number"]
        if len(node.items) == len(numbers) == 2 and numbers[0] < numbers[1]:
            return numbers[0], numbers[1]
        came = node.words if node.kind != "list" else "a list of others"
        self.fault(key, "It must be two numbers that rise.", came, f"Write e.g. {key}: [0, 120].")
        return None

    def choice(self, key: str, allowed: Sequence[str]) -> str | None:
        """One of a few words."""
        node = self.node(key)
        if node is None or node.text in allowed:
            return None if node is None else node.text
        came = repr(shown(node.text)) if node.kind == "text" else node.words
        remedy = meant(node.text, allowed, f"Write {key}: {allowed[0]}.")
        self.fault(key, f"It must be one of {', '.join(allowed)}.", came, remedy)
        return None
