"""How numbers are spread, by group, in blocks of neighbouring bins that may be told."""

from __future__ import annotations

import math
from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.schema import Schema
from fedlab.errors import RefusedError
from fedlab.privacy import Releases
from fedlab.queries.disclosure import Codes, Disclosure, Flags
from fedlab.queries.group_counts import is_tally, shape_of, table_or_nothing
from fedlab.queries.group_sums import presence, present_cells
from fedlab.queries.groups import Condition, Factor, cells_of, chosen
from fedlab.queries.query import Answer, Context, Query, Rows, Split

__all__ = ["BlockCounts", "CountBlocks"]


class BlockCounts(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Rows by bin, as early and as late as they may lie; all of it adds up over sites.

    Attributes
    ----------
    earliest : ndarray of shape (n_columns, n_groups, n_bins)
        The rows of each block at its first bin.
    latest : ndarray of shape (n_columns, n_groups, n_bins)
        The same at its last bin. The rows up to any edge are between the two running sums.
    shown : ndarray of shape (n_columns, n_groups)
        1 where the site tells the group.
    """

    earliest: Array
    latest: Array
    shown: Array


class CountBlocks(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """How many rows have a value up to each edge, by group, within certain bounds.

    The site puts neighbouring bins together until each block holds nobody or as many patients as
    its law asks for, so that no two of its answers at edges tell fewer apart. Of a group, how many
    have a value passes the law first, as their number follows from the blocks.

    Attributes
    ----------
    schema : Schema
        Of the columns that are read.
    columns : tuple of str
        Numbers.
    edges : ndarray of shape (n_columns, n_edges)
        Finite and rising. Bins are from below the first to from the last one up.
    factors : tuple of Factor
    where : tuple of Condition
    """

    purpose: ClassVar[str] = "summary"
    guarded: ClassVar[bool] = True

    schema: Schema
    columns: tuple[str, ...]
    edges: Array
    factors: tuple[Factor, ...] = ()
    where: tuple[Condition, ...] = ()
    split: Split = "all"

    @property
    def _size(self) -> tuple[int, int, int]:
        n_columns, n_edges = self.edges.shape
        return n_columns, math.prod(shape_of(self.factors)), n_edges + 1

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Blocks of the rows that meet all conditions and have a value."""
        kept = chosen(rows, self.where)
        groups, _ = cells_of(rows, self.factors, kept)
        law = context.disclosure
        if law is not None:
            law.cohort(kept)
        earliest, latest = np.zeros(self._size), np.zeros(self._size)
        shown = np.ones(self._size[:2])
        for column, name in enumerate(self.columns):
            values, levels = presence(rows, name)
            bins = np.searchsorted(self.edges[column], values, side="right").astype(np.int64)
            if law is not None:
                cells, missing = present_cells(groups, levels, self._size[1])
                shown[column] = table_or_nothing(law, cells, missing.shape, missing).shown[:, 0]
            for group in np.flatnonzero(shown[column]):
                mine = (groups == group) & (levels == 0)
                blocks = _blocks(law, bins, mine, self._size[2])
                if blocks.min() < 0:
                    shown[column, group] = 0
                    continue
                totals = np.bincount(blocks[bins[mine]], minlength=blocks[-1] + 1)
                each = np.arange(len(totals))
                first = np.searchsorted(blocks, each, side="left")
                last = np.searchsorted(blocks, each, side="right") - 1
                earliest[column, group, first] = latest[column, group, last] = totals
        return BlockCounts(earliest, latest, shown)

    def releases(self, n_rows: int) -> Releases | None:
        """Bounds that are certain leave no room for noise; a histogram has it."""
        return None

    def accepts(self, answer: Answer) -> bool:
        """Whole counts, as many early as late."""
        return (
            isinstance(answer, BlockCounts)
            and is_tally(answer.earliest, self._size)
            and is_tally(answer.latest, self._size)
            and is_tally(answer.shown, self._size[:2])
            and bool((answer.earliest.sum(axis=-1) == answer.latest.sum(axis=-1)).all())
            and bool((answer.earliest.cumsum(axis=-1) >= answer.latest.cumsum(axis=-1)).all())
        )


def _blocks(law: Disclosure | None, bins: Codes, mine: Flags, n_bins: int) -> Codes:
    """The block of each bin, -1 where nothing may be told."""
    if law is None or not mine.any():
        return np.arange(n_bins)
    # That nobody is beyond the edges may be told, and then bounds lie within them; but not where
    # the least and the greatest value could be found by asking on.
    first = int(law.single_values and bins[mine].min() > 0)
    last = n_bins - int(law.single_values and bins[mine].max() < n_bins - 1)
    try:
        found = law.blocks(np.where(mine, bins - first, -1), last - first)
    except RefusedError:
        return np.full(n_bins, -1)
    if found.min() < 0:
        return found
    outer = np.full(n_bins - last, found[-1] + first + 1)
    return np.concatenate([np.zeros(first, dtype=np.int64), found + first, outer])
