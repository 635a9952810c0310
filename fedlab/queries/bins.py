"""Count the rows of columns by cells of their value: the sums from which bins are agreed."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.space import Space
from fedlab.core.trees.cells import WIDTHS, Cells, count_in
from fedlab.core.trees.fixed import SUM_BITS, scaled_target
from fedlab.core.trees.keys import BITS
from fedlab.core.trees.sound import require, within
from fedlab.privacy import Releases
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = ["CellCounts", "CountCells"]


class CellCounts(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Whole numbers that add up over sites.

    Attributes
    ----------
    counts : ndarray of shape (n_cells, parts)
    missing : ndarray of shape (n_features,)
    target : ndarray of shape (n_classes,), (3,) or (0,)
        Rows of each class; or rows, sum and sum of squares of a scaled target.
    """

    counts: np.ndarray[Any, np.dtype[Any]]
    missing: np.ndarray[Any, np.dtype[Any]]
    target: np.ndarray[Any, np.dtype[Any]]


class CountCells(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Rows in each of the ``2 ** width`` parts of each cell.

    The target, where it is a number, is the column after the last feature. Narrow cells tell single
    values, as `fedlab.queries.Ranks` does: a site forbids both by ``Policy(single_values=False)``.

    A row adds 1 to at most one part, or to the missing, of each column, 1 to its class or to the
    rows of the target's sums, and under privacy, where a scaled target is clipped to [-1, 1], at
    most 1 to each of the two others. The sensitivity of them all is the root of the number of
    these ones. Noisy counts are rounded, and none is below 0.

    Attributes
    ----------
    cells : Cells
    width : int
    center, half : float
        With a `half` above 0 the target's sums come too, of ``(y - center) / half`` in units of
        ``2 ** -28`` (`fedlab.core.trees.fixed`).
    """

    purpose: ClassVar[str] = "training"
    tells_values: ClassVar[bool] = True

    space: Space
    reads: Literal["classes", "numbers"]
    cells: Cells
    width: int
    center: float = 0.0
    half: float = 0.0

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Counts over the rows."""
        x, y = rows.arrays(self.space, self.reads)
        cells, n_columns = self.cells, x.shape[1] + (self.reads == "numbers")
        require(
            0 < self.width <= max(WIDTHS)
            and cells.column.shape == cells.start.shape == cells.shift.shape
            and within(cells.column, 0, n_columns)
            and bool((np.diff(cells.column) >= 0).all())
            and within(cells.start, 0, 1 << BITS)
            and within(cells.shift, self.width, BITS + 1),
            "cells",
        )
        missing = np.isnan(x).sum(axis=0).astype(np.int64)
        if self.reads == "classes":
            counts = count_in(self.cells, self.width, x)
            n_classes = len(self.space.schema.classes)
            answer = CellCounts(counts, missing, np.bincount(y, minlength=n_classes))
            return answer if context.privacy is None else self._hidden(answer, context)
        counts = count_in(self.cells, self.width, np.column_stack([x, y]))
        if self.half > 0 and context.privacy is not None:
            y = np.clip(y, self.center - self.half, self.center + self.half)
        sums = np.zeros(0, dtype=np.int64)
        if self.half > 0:
            value, square = scaled_target(y, self.center, self.half)
            sums = np.array([len(y), value.sum(), square.sum()], dtype=np.int64)
        answer = CellCounts(counts, missing, sums)
        return answer if context.privacy is None else self._hidden(answer, context)

    def _hidden(self, exact: CellCounts, context: Context) -> CellCounts:
        ones = len(self.space.names)
        unit = np.ones(exact.target.size)
        if self.reads == "classes":
            ones += 1
        else:
            ones += 1 + exact.target.size
            unit[1:] = 2.0**SUM_BITS
        parts = [exact.counts.ravel(), exact.missing, exact.target / unit]
        noisy = context.release(np.concatenate(parts), sensitivity=math.sqrt(ones))
        counts, missing, target = np.split(noisy, np.cumsum([part.size for part in parts])[:-1])
        whole = np.rint(target * unit).astype(np.int64)
        if self.reads == "classes":
            whole = np.maximum(whole, 0)
        return CellCounts(_counts(counts).reshape(exact.counts.shape), _counts(missing), whole)

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy vector of all counts and sums."""
        return Releases(1)

    def accepts(self, answer: Answer) -> bool:
        """Counts of the asked shapes that are not negative."""
        if not isinstance(answer, CellCounts):
            return False
        n_target = len(self.space.schema.classes) if self.reads == "classes" else 3
        n_target = n_target if self.reads == "classes" or self.half > 0 else 0
        return (
            answer.counts.shape == (len(self.cells.column), 1 << self.width)
            and answer.missing.shape == (len(self.space.names),)
            and answer.target.shape == (n_target,)
            and all(each.dtype.kind == "i" for each in (answer.counts, answer.missing))
            and answer.target.dtype.kind == "i"
            and bool((answer.counts >= 0).all() and (answer.missing >= 0).all())
        )


def _counts(noisy: Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.maximum(np.rint(noisy), 0.0).astype(np.int64)
