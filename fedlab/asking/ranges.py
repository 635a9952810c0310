"""Edges of bins over the public range of a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from fedlab.asking.naming import as_number, as_plain, column_of
from fedlab.core.parameters import Array
from fedlab.core.schema import Column, Schema
from fedlab.errors import DataError

__all__ = ["closed", "even_edges", "given_edges", "number_of", "range_of"]

MOST_BINS = 10_000


def number_of(schema: Schema, name: str) -> Column:
    """A column of numbers.

    Raises
    ------
    DataError
        When there is none of that name, or it is a category.
    """
    column = column_of(schema, name)
    if column.kind != "number":
        raise DataError(
            "This is asked of numbers.",
            f"{name!r}, a category",
            f"Ask e.g. fed.count(by={name!r}).",
        )
    return column


def range_of(
    column: Column, call: str, low: float | None = None, high: float | None = None
) -> tuple[float, float]:
    """The ends that were asked for, else the declared ones.

    Parameters
    ----------
    column : Column
    call : str
        What to call instead, for the remedy.
    low, high : float, optional

    Raises
    ------
    DataError
        When there is no range, or none that rises.
    """
    ends = (
        column.low if low is None else as_number(low),
        column.high if high is None else as_number(high),
    )
    if ends[0] is None or ends[1] is None:
        raise DataError(
            f"Bins of {column.name!r} need a public range, since extremes are not read from rows.",
            "a column without a declared range",
            f"Pass e.g. {call}, or declare Site(..., ranges={{{column.name!r}: (0, 120)}}).",
        )
    if not -math.inf < ends[0] < ends[1] < math.inf:
        raise DataError(
            "A range is of two finite numbers that rise.",
            f"{ends[0]!r} and {ends[1]!r}",
            f"Pass e.g. {call}.",
        )
    return float(ends[0]), float(ends[1])


def even_edges(low: float, high: float, bins: int) -> Array:
    """Edges of bins of one width.

    Raises
    ------
    DataError
        For a number of bins that is none.
    """
    if isinstance(bins, bool) or not isinstance(bins, int) or not 1 <= bins <= MOST_BINS:
        raise DataError(
            f"bins must be a whole number from 1 to {MOST_BINS:,}.", f"{bins!r}", "Pass e.g. 20."
        )
    return np.linspace(low, high, bins + 1)


def given_edges(edges: Sequence[float]) -> Array:
    """Edges that rise.

    Raises
    ------
    DataError
        When they do not.
    """
    given = as_plain(edges)
    numbers = [as_number(each) for each in given] if isinstance(given, list) else []
    sound = 1 < len(numbers) <= MOST_BINS + 1 and all(map(math.isfinite, numbers))
    if not sound or any(a >= b for a, b in pairwise(numbers)):
        raise DataError(
            "edges must be finite numbers that rise.",
            f"{len(numbers)} edges" if numbers else type(edges).__name__,
            "Pass e.g. edges=[0, 20, 40, 60, 80].",
        )
    return np.array(numbers)


def closed(edges: Array) -> Array:
    """The same edges, the last just above itself: bins are from an edge to below the next."""
    return np.append(edges[:-1], np.nextafter(edges[-1], np.inf))
