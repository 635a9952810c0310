"""Bins agreed from counts: quantiles found digit by digit, from sums alone.

Each column's keys (`fedlab.core.trees.keys`) are counted by their first 12 bits, then the cells
that matter by 8 bits more, then the heaviest by the last 12. It is a radix selection on all
quantiles at once: what crosses a boundary are counts, which add up over sites, so the bins are
those of the pooled rows to the bit. A column of few distinct values gets a bin for each; one of
many is cut where the cumulative count comes closest to an even share.
"""

from __future__ import annotations

import msgspec
import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.trees.keys import BITS, Ints, floats_of, keys_of, largest_key

__all__ = ["WIDTHS", "Cells", "count_in", "cuts", "first_cells", "refine", "worth_refining"]

WIDTHS = (12, 8, 12)
"""Bits that each pass looks at."""

HEAVY = 64
"""The last bits are looked at in cells that hold more than this fraction of the rows."""

TOLERANCE = 8
"""A cell is fine enough when it holds less than this fraction of a bin's even share."""


class Cells(msgspec.Struct, frozen=True):
    """Intervals of keys, one entry each, sorted by column and start; none is empty.

    Attributes
    ----------
    column : ndarray of shape (n_cells,)
    start : ndarray of shape (n_cells,)
        First key.
    shift : ndarray of shape (n_cells,)
        The cell holds ``2 ** shift`` keys.
    count : ndarray of shape (n_cells,)
        Rows over all sites.
    """

    column: Ints
    start: Ints
    shift: Ints
    count: Ints

    def take(self, which: Ints | slice) -> Cells:
        """Some of the cells, by index, mask or slice."""
        return Cells(self.column[which], self.start[which], self.shift[which], self.count[which])


def first_cells(n_columns: int) -> Cells:
    """All keys as one cell a column."""
    zeros = np.zeros(n_columns, dtype=np.int64)
    return Cells(np.arange(n_columns), zeros, zeros + BITS, zeros)


def count_in(cells: Cells, width: int, columns: Array) -> Ints:
    """Rows in each of the ``2 ** width`` equal parts of each cell, shape ``(n_cells, parts)``.

    Parameters
    ----------
    cells : Cells
    width : int
    columns : ndarray of shape (n_samples, n_columns)
        NaN is not counted.
    """
    from fedlab.core.trees import filling

    counts = np.zeros((len(cells.column), 1 << width), dtype=np.int32)
    for column in np.unique(cells.column):
        # Cells are sorted by column.
        begin, end = np.searchsorted(cells.column, [column, column + 1])
        values = columns[:, column]
        keys = keys_of(values[~np.isnan(values)])
        starts, shifts = np.array(cells.start[begin:end]), np.array(cells.shift[begin:end])
        filling.count_parts(keys, starts, shifts, width, counts[begin:end])
    return counts


def refine(cells: Cells, asked: Ints, width: int, counts: Ints) -> Cells:
    """Put the parts of the `asked` cells, where they hold rows, in the place of those cells."""
    whole = cells.take(~asked)
    parent = cells.take(asked)
    index, part = np.nonzero(counts)
    shift = parent.shift[index] - width
    parts = Cells(
        parent.column[index],
        parent.start[index] + (part.astype(np.int64) << shift),
        shift,
        counts[index, part].astype(np.int64),
    )
    joined = Cells(
        *(np.concatenate([getattr(each, name) for each in (whole, parts)]) for name in _FIELDS)
    )
    # Both are sorted already, so that a stable sort has little to do.
    return joined.take(np.argsort((joined.column << BITS) + joined.start, kind="stable"))


_FIELDS = ("column", "start", "shift", "count")


def worth_refining(cells: Cells, max_bins: int) -> Ints:
    """Mask of the cells whose inside decides where bins end.

    Where there are few cells, all that hold two rows; where there are many, those in which an even
    share ends and which hold too many rows to be cut at their ends. The last bits, a relative
    difference below 2^-11, are looked at only in cells that hold a good part of the rows, as with
    times in seconds.
    """
    wanted = np.zeros(len(cells.column), dtype=bool)
    for column in np.unique(cells.column):
        here = slice(*np.searchsorted(cells.column, [column, column + 1]))
        count, shift = cells.count[here], cells.shift[here]
        divisible = (shift > 0) & (count != 1)
        last = shift <= WIDTHS[-1]
        if len(count) <= max_bins:
            wanted[here] = divisible & (~last | (count * HEAVY > count.sum()))
            continue
        after = np.cumsum(count)
        shares = np.arange(1, max_bins) * (after[-1] / max_bins)
        holds = np.zeros(len(count), dtype=bool)
        holds[np.searchsorted(after, shares, side="left")] = True
        fine = np.where(last, 2, TOLERANCE) * max_bins
        wanted[here] = divisible & holds & (count * fine > after[-1])
    return wanted


def cuts(cells: Cells, column: int, max_bins: int) -> Array:
    """Where the bins of a column end, rising, each exact in single precision.

    A number belongs left of a cut when it is at most the cut. Cuts lie halfway between the last
    number that the cell on the left may hold and the first of the cell on the right.
    """
    some = cells.take(slice(*np.searchsorted(cells.column, [column, column + 1])))
    if len(some.start) < 2:
        return np.zeros(0)
    ends = np.minimum(some.start + (1 << some.shift) - 1, largest_key())
    left, right = floats_of(ends[:-1]), floats_of(np.maximum(some.start[1:], _lowest()))
    if len(some.start) > max_bins:
        after = np.cumsum(some.count)
        shares = np.arange(1, max_bins) * (after[-1] / max_bins)
        above = np.searchsorted(after, shares, side="left")
        below = np.maximum(above - 1, 0)
        nearer = np.where(shares - after[below] < after[above] - shares, below, above)
        chosen = np.unique(nearer)
        chosen = chosen[chosen < len(left)]
        left, right = left[chosen], right[chosen]
    middle = left + (right - left) / 2
    rounded = middle.astype(np.float32)
    # Rounded down, since a cut on the number at its right would take that number along.
    down = np.where(rounded > middle, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    return down.astype(np.float64)


def _lowest() -> int:
    return (1 << BITS) - 1 - largest_key()
