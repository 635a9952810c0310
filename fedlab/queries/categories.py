"""Counts of declared categories."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.schema import Schema
from fedlab.core.vocabulary import Vocabulary
from fedlab.privacy import Releases
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = ["CategoryCounts", "CategoryTally"]


class CategoryTally(Answer, msgspec.Struct, frozen=True, tag=True):
    """Rows of each declared category, ``(n_categories,)``."""

    counts: Array


class CategoryCounts(Query, msgspec.Struct, frozen=True, tag=True):
    """How many rows have each declared category, column after column.

    Counts leave the site as they are, however few rows they stand for: which categories are rare
    over all sites could not be told from suppressed ones. A site that must not tell small counts
    answers only with noise (``Policy(exact=False)``), and takes part without `min_count`.

    Attributes
    ----------
    schema : Schema
    """

    purpose: ClassVar[str] = "summary"

    schema: Schema

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Counts over the rows that have a value."""
        counts = [
            Vocabulary(kept=column.categories).indicators(rows.features[column.name]).sum(axis=0)
            for column in self.schema.columns
            if column.kind == "category"
        ]
        return CategoryTally(np.concatenate([np.zeros(0), *counts]))

    def releases(self, n_rows: int) -> Releases | None:
        """Exact counts only."""
        return None

    def accepts(self, answer: Answer) -> bool:
        """A whole count for each declared category."""
        size = sum(len(column.categories) for column in self.schema.columns)
        return (
            isinstance(answer, CategoryTally)
            and answer.counts.shape == (size,)
            and bool((answer.counts >= 0).all() and (answer.counts % 1 == 0).all())
        )
