"""Which class a model calls patients: counts by true and by called class."""

from __future__ import annotations

import msgspec
import numpy as np

from fedlab.core.parameters import Array, is_finite_array
from fedlab.privacy import Releases
from fedlab.queries.disclosure import Codes, Flags
from fedlab.queries.group_counts import is_tally
from fedlab.queries.judge import Judging, told_cells
from fedlab.queries.query import Answer, Context, Rows

__all__ = ["Confusion", "JudgeConfusion"]


class Confusion(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Rows by group, true class and called class; all of it adds up over sites.

    Attributes
    ----------
    counts : ndarray of shape (n_groups, n_classes, n_classes)
        0 where a cell is suppressed.
    cells : ndarray of the same shape
        1 where the site tells the cell.
    rows : ndarray of shape (n_groups,)
        Of groups that are told, suppressed cells included; 0 elsewhere.
    shown : ndarray of shape (n_groups,)
        1 where the site tells the group.
    """

    counts: Array
    cells: Array
    rows: Array
    shown: Array


class JudgeConfusion(Judging, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Counts of rows by group, true class and called class, small ones suppressed.

    Under privacy every cell has noise instead; a record is in one cell of everybody and in one for
    each factor.
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the counts."""
        n_classes = len(self.schema.classes)
        return self.n_groups, n_classes, n_classes

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Counts of the rows that meet all conditions."""
        kept = self.begin(rows, context)
        values = self.predicted(rows, kept, context)
        called = values[:, 0] if self.plan.reads == "label" else values.argmax(axis=1)
        n_classes = self.shape[1]
        codes = self.classes(rows, kept) * n_classes + called.astype(np.int64)
        if context.privacy is not None:
            return self._hidden(rows, kept, codes, context)
        counts, cells = np.zeros(self.shape), np.zeros(self.shape)
        counted, shown = np.zeros(self.n_groups), np.zeros(self.n_groups)
        for grouping in self.groupings(rows, kept):
            told = told_cells(context, kept, grouping, np.zeros_like(codes), ())
            inner = told_cells(context, kept, grouping, codes, (n_classes, n_classes))
            for level in np.flatnonzero(told):
                group, mine = grouping.first + level, grouping.levels == level
                counted[group], shown[group] = mine.sum(), 1.0
                table = np.bincount(codes[mine], minlength=n_classes**2).reshape(self.shape[1:])
                counts[group] = np.where(inner[level], table, 0)
                cells[group] = inner[level]
        return Confusion(counts, cells, counted, shown)

    def _hidden(self, rows: Rows, kept: Flags, codes: Codes, context: Context) -> Confusion:
        counts = np.zeros((self.n_groups, self.shape[1] ** 2))
        for grouping in self.groupings(rows, kept):
            inside = grouping.levels >= 0
            np.add.at(counts, (grouping.first + grouping.levels[inside], codes[inside]), 1.0)
        noisy = context.release(counts.reshape(self.shape), sensitivity=self.sensitivity)
        ones = np.ones(self.n_groups)
        return Confusion(noisy, np.ones(self.shape), noisy.sum(axis=(1, 2)), ones)

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy table."""
        return Releases(1)

    def accepts(self, answer: Answer) -> bool:
        """Finite tables of the agreed shapes."""
        return (
            isinstance(answer, Confusion)
            and is_finite_array(answer.counts, self.shape)
            and is_tally(answer.cells, self.shape)
            and is_finite_array(answer.rows, self.shape[:1])
            and is_tally(answer.shown, self.shape[:1])
        )
