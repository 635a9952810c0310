"""Answers as one vector modulo 2^64 and back, so that sums of them can be hidden.

Floats become multiples of a step, whole numbers stay what they are. What an answer looks like (its
kind, names and shapes) goes beside the vector: it follows from the question and tells nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from fedlab.core.parameters import Parameters
from fedlab.core.wire import member
from fedlab.errors import SecureSumError
from fedlab.privacy.secure.fixed_point import count, quantise, read_sum
from fedlab.privacy.secure.pads import Ring
from fedlab.queries.query import Answer

__all__ = ["Pattern", "pack", "unpack"]


class Leaf(msgspec.Struct, frozen=True):
    """One array of an answer.

    Attributes
    ----------
    path : tuple of str
        The field, and the name within it where the field holds several.
    shape : tuple of int
    whole : bool
        Whether it holds whole numbers.
    """

    path: tuple[str, ...]
    shape: tuple[int, ...]
    whole: bool


class Pattern(msgspec.Struct, frozen=True):
    """What an answer looks like, without its values."""

    kind: str
    leaves: tuple[Leaf, ...]

    @property
    def size(self) -> int | None:
        """How many values there are; None where it is no pattern of an answer."""
        if any(
            not 1 <= len(leaf.path) <= 2 or min(leaf.shape, default=0) < 0 for leaf in self.leaves
        ):
            return None
        return sum(math.prod(leaf.shape) for leaf in self.leaves)


def pack(answer: Answer, *, weight: int, bits: int, n_sites: int) -> tuple[Ring, Pattern]:
    """All numbers of an answer, each times `weight`, shape ``(n_values,)``; and what it looks like.

    Parameters
    ----------
    answer : Answer
    weight : int
        Of the site in a mean; 1 in a sum.
    bits : int
        Binary digits of floats after the point.
    n_sites : int
        How many such vectors will be added.

    Raises
    ------
    SecureSumError
        When a value is not finite or too large, or is no number at all.
    """
    parts, leaves = [np.zeros(0, dtype=np.uint64)], []
    for path, value in _arrays(answer):
        array = np.asarray(value)
        whole = array.dtype.kind == "i"
        if array.dtype.kind not in "fi" or (whole and weight != 1):
            raise SecureSumError(
                "Only numbers can be summed, and only fractional ones averaged.",
                f"{'whole numbers' if whole else array.dtype.kind} in {type(answer).__name__}",
                "Ask without a secure sum.",
            )
        leaves.append(Leaf(path, array.shape, whole))
        flat = np.ascontiguousarray(array).ravel()
        parts.append(
            count(flat.astype(np.int64), n_sites)
            if whole
            else quantise(flat * weight, bits, n_sites)
        )
    return np.concatenate(parts), Pattern(type(answer).__name__, tuple(leaves))


def unpack(total: Ring, pattern: Pattern, *, weight: int, bits: int) -> Answer:
    """The answer that a sum of packed ones stands for.

    Parameters
    ----------
    total : ndarray of shape (n_values,)
    pattern : Pattern
    weight : int
        Sum of the weights, by which floats are divided.
    bits : int

    Raises
    ------
    SecureSumError
        When pattern and values do not fit each other.
    """
    if pattern.size != len(total):
        raise SecureSumError(
            "A sum must have as many values as its answer.",
            f"{len(total)} instead of {pattern.size}",
            "Check that all sites run the same version.",
        )
    try:
        return _filled(total, pattern, weight, bits)
    except (TypeError, ValueError, AttributeError, LookupError):
        raise SecureSumError(
            "A sum must look like an answer.",
            "kinds, names or shapes of none",
            "Check that all sites run the same version.",
        ) from None


def _filled(total: Ring, pattern: Pattern, weight: int, bits: int) -> Answer:
    sizes = [math.prod(leaf.shape) for leaf in pattern.leaves]
    found: dict[str, Any] = {}
    for leaf, piece in zip(pattern.leaves, np.split(total, np.cumsum(sizes)[:-1]), strict=True):
        values = piece.view(np.int64) if leaf.whole else read_sum(piece, bits) / weight
        name, *inner = leaf.path
        if inner:
            found.setdefault(name, {})[inner[0]] = values.reshape(leaf.shape)
        else:
            found[name] = values.reshape(leaf.shape)
    kind = member(Answer, pattern.kind)
    for field in msgspec.structs.fields(kind):
        if field.type in (float, int):
            found[field.name] = found[field.name].item()
        elif field.type is Parameters:
            found[field.name] = Parameters(found.get(field.name, {}))
    answer: Answer = kind(**found)
    return answer


def _arrays(answer: Answer) -> Iterator[tuple[tuple[str, ...], Any]]:
    fields: Any = msgspec.structs.fields(type(answer))  # type: ignore[arg-type]
    for field in fields:
        value = getattr(answer, field.name)
        if isinstance(value, Parameters | dict):
            # In the order the model has its parameters: names of all sites come in the same one.
            yield from (((field.name, name), array) for name, array in value.items())
        else:
            yield (field.name,), value
