"""Counts of values up to given edges, from which quantiles follow by bisection."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.schema import Schema
from fedlab.core.space import numbers
from fedlab.privacy import Releases
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = ["RankCounts", "Ranks"]


class RankCounts(Answer, msgspec.Struct, frozen=True, tag=True):
    """How many values are at most each edge, ``(n_numbers, n_edges)``."""

    counts: Array


class Ranks(Query, msgspec.Struct, frozen=True, tag=True):
    """How many values of each numeric column are at most each of its edges.

    Missing values are left out. The counts of all sites add up, so a quantile found with them is
    that of the pooled rows.

    A count is over at least ``Policy.minimum_rows`` rows, but the difference of two counts at edges
    that lie close together may be a single row: who asks on can find values of the site to the last
    bit, though not whose they are. A median that is exact does so by its nature, since it is a
    value of some row or lies halfway between two. A site that must not tell single values says so
    by ``Policy(single_values=False)``, and no median is taken over it.

    Attributes
    ----------
    schema : Schema
    edges : ndarray of shape (n_numbers, n_edges)
    """

    purpose: ClassVar[str] = "summary"
    tells_values: ClassVar[bool] = True

    schema: Schema
    edges: Array

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Counts over the rows that have a value."""
        columns = numbers(rows.features, self.schema).T
        counts = [
            np.searchsorted(np.sort(column[~np.isnan(column)]), edges, side="right")
            for column, edges in zip(columns, self.edges, strict=True)
        ]
        return RankCounts(np.array(counts, dtype=np.float64).reshape(self.edges.shape))

    def releases(self, n_rows: int) -> Releases | None:
        """Bisection asks many times about one row, so no useful noise hides it."""
        return None

    def accepts(self, answer: Answer) -> bool:
        """Whole counts of the edges' shape."""
        return (
            isinstance(answer, RankCounts)
            and answer.counts.shape == self.edges.shape
            and bool((answer.counts >= 0).all() and (answer.counts % 1 == 0).all())
        )
