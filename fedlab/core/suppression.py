"""Which cells of a table of patients may be shown, so that its totals give no small cell back.

A cell of fewer patients than the minimum is *small* and suppressed first. Other cells are
suppressed with it until nobody who knows all shown cells and all totals (over every axis, of every
sub-table, and of all) can tell a small cell: its *feasible interval*, between the least and the
most that it may be given all of this, must span as many whole numbers as a small cell may have
(sliding protection, Fischetti and Salazar 2001, "Solving the cell suppression problem on tabular
data with linear constraints", Management Science 47(7), section 2). The United States' Medicare
agency asks for the same without a measure: no cell of 1 to 10 may follow from what is shown (CMS
cell size suppression policy).

* A total that is small itself is no more shown than a small cell, nor is what a table of the totals
  alone would suppress; only the others are taken as known.
* A cell of nobody is shown as 0, which tells that nobody is there. Who asks knows it too, so a
  suppressed cell counts as at least 1, unless all of a line is suppressed: its empty cells are then
  suppressed with it.
* Of few patients in a line, whose total is small, an empty cell would tell where none of them is,
  and so where all of them are: it is suppressed with the others, unless another total tells it.
* Who knows by which rule cells were picked may tell a little more (Wong et al. 2007, "Minimality
  attack in privacy preserving data publishing"); that is not guarded against.

Lines are looked at first, which is cheap: of two suppressed cells in a line both may be anything
that adds up. What lines alone do not protect (cells that several of them determine, Cox 1980,
"Suppression methodology and statistical disclosure control", JASA 75) the audit of
`fedlab.core.protection` finds.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.protection import Cells, Lines, Table, unprotected

__all__ = ["suppress"]

Counts = np.ndarray[Any, np.dtype[Any]]


def suppress(
    counts: Counts,
    minimum: int,
    *,
    hidden: Cells | None = None,
    free: Cells | None = None,
    most: Array | None = None,
) -> Cells:
    """Which cells of a table may be shown, of the shape of `counts`.

    Parameters
    ----------
    counts : ndarray of any dimension
        Patients of each cell.
    minimum : int
        Cells of 1 to one less than this are suppressed.
    hidden : ndarray of bool, optional
        Cells to be suppressed and protected as if they were small.
    free : ndarray of bool, optional
        Cells that may be shown although they are small.
    most : ndarray, optional
        The most that each cell may have, as is known from elsewhere.

    Examples
    --------
    >>> counts = np.array([[50.0, 4.0, 60.0], [30.0, 20.0, 80.0]])
    >>> suppress(counts, 11).astype(int)
    array([[0, 0, 1],
           [0, 0, 1]])
    >>> suppress(np.array([3.0, 0.0, 40.0, 20.0]), 11).astype(int)
    array([0, 1, 1, 0])
    """
    counts = np.asarray(counts, dtype=np.float64)
    whole = counts.shape
    if minimum <= 1:
        return np.ones(whole, dtype=bool)
    small = (counts > 0) & (counts < minimum)
    if free is not None:
        small &= ~free
    if hidden is not None:
        small |= hidden
    shape = tuple(size for size in counts.shape if size > 1)
    if not small.any() or not shape:
        return ~small
    # An axis of one level has the totals over it as its cells.
    counts, small = counts.reshape(shape), small.reshape(shape)
    free = None if free is None else np.asarray(free).reshape(shape)
    veiled = small & (counts == 0)
    table = Table(
        counts,
        small | _beside_few(counts, minimum, free, veiled),
        _known_totals(counts, minimum, free, veiled),
        np.full(shape, np.inf) if most is None else most.reshape(shape),
        max(minimum - 2, 1),
    )
    found = table.small.copy()
    while True:
        found = _lines(table, found)
        more = unprotected(table, found)
        if not (more & ~found).any():
            break
        found |= more
    return ~found.reshape(whole)


def _beside_few(counts: Array, minimum: int, free: Cells | None, veiled: Cells) -> Cells:
    """Empty cells of a total that is small itself, unless another total tells them empty."""
    found, empty = np.zeros_like(veiled), np.zeros_like(veiled)
    for size in range(1, counts.ndim):
        for axes in combinations(range(counts.ndim), size):
            total = counts.sum(axis=axes, keepdims=True)
            few = (total > 0) & (total < minimum)
            if free is not None:
                few &= ~(free | (counts == 0)).all(axis=axes, keepdims=True)
            found |= few & (counts == 0)
            empty |= (total == 0) & ~veiled.any(axis=axes, keepdims=True)
    return found & ~empty


def _known_totals(
    counts: Array, minimum: int, free: Cells | None, veiled: Cells
) -> tuple[Lines, ...]:
    """For all sets of axes, the total over them that each cell is in; -1 where it is not shown."""
    found = []
    for size in range(1, counts.ndim + 1):
        for axes in combinations(range(counts.ndim), size):
            total = np.asarray(counts.sum(axis=axes))
            told = suppress(
                total,
                minimum,
                hidden=np.asarray(veiled.any(axis=axes)) & (total == 0),
                free=None if free is None else np.asarray(free.all(axis=axes)),
            )
            numbers = np.where(told, np.arange(told.size).reshape(told.shape), -1)
            found.append(np.broadcast_to(np.expand_dims(numbers, axes), counts.shape))
    return tuple(found)


def _lines(table: Table, found: Cells) -> Cells:
    """The suppressed cells, and those without which a total would give a small one back."""
    found = found.copy()
    while True:
        before = found.copy()
        for lines in table.totals:
            _over(table, found, lines)
        if (found == before).all():
            return found


def _over(table: Table, found: Cells, lines: Lines) -> None:
    """Suppress one more cell of each total that gives a small one back, or all of its cells."""
    known = lines >= 0
    if not known.any():
        return
    size = int(lines.max()) + 1

    def added(values: Any) -> Any:
        return np.bincount(lines[known], values[known], minlength=size)

    room = added(table.counts * found) - added(table.least(found))
    wanting = (added(found * 1.0) < 2) | (room < table.width)
    wanting &= added((found & table.small) * 1.0) > 0
    left = np.flatnonzero(known & ~found & (table.counts > 0))
    order = left[np.lexsort((left, table.counts.flat[left], lines.flat[left]))]
    line, first = np.unique(lines.flat[order], return_index=True)
    found.flat[order[first[wanting[line]]]] = True
    wanting[line] = False
    # Nobody else is there: from empty cells that are suppressed too nothing follows.
    found |= known & wanting[lines] & ~table.known_empty
