"""What an archive of skops is made of, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["DESCRIPTION", "LOWEST_PROTOCOL", "nodes"]

DESCRIPTION = "schema.json"
LOWEST_PROTOCOL = 2
"""A lower one would bring back the loaders of older versions."""


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object that a description has skops build, at any depth.

    Examples
    --------
    >>> inner = {"__class__": "dict"}
    >>> list(nodes({"protocol": 2, "content": [inner]})) == [inner]
    True
    """
    if isinstance(value, dict):
        if "__loader__" in value or "__class__" in value:
            yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)
