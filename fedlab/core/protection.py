"""The audit of a table with suppressed cells: what its totals still tell of them.

Two means, both of which find whole tables that look the same to whoever asks. Where few cells are
suppressed, linear programs over the suppressed cells give the least and the most of each (Cox 1995,
"Network models for complementary cell suppression", JASA 90); every table that one finds counts for
all cells at once. Otherwise, and to protect a cell that the first finds open, a *hypercube* of
suppressed cells: add to one corner and take as much from its neighbours, and no total changes
(Giessing and Repsilber 2002, "Tools and strategies to protect multiple tables with the GHQUAR cell
suppression engine", LNCS 2316).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from fedlab.core.parameters import Array

__all__ = ["Cells", "Lines", "Table", "unprotected"]

Cells = np.ndarray[Any, np.dtype[np.bool_]]
Lines = np.ndarray[Any, np.dtype[np.int64]]

MOST_PROGRAMS, MOST_UNKNOWN = 60, 600
"""Small cells, and suppressed ones, up to which linear programs are solved: a second or two."""
EXACT = 1e-6


@dataclass(frozen=True)
class Table:
    """A table that is to be protected.

    Attributes
    ----------
    counts : ndarray
    small : ndarray of bool of that shape
        Cells that nobody may tell.
    totals : tuple of ndarray of int of that shape
        For each set of axes, the number of the total over them that each cell is in; -1 where that
        total is not known.
    most : ndarray of that shape
        What is known to be the most of each cell.
    width : int
        Between the least and the most that a small cell may be.
    """

    counts: Array
    small: Cells
    totals: tuple[Lines, ...]
    most: Array
    width: int

    def least(self, found: Cells) -> Array:
        """The fewest that who asks takes each suppressed cell to have; 0 for others."""
        whole = np.zeros_like(found)
        for axis in range(found.ndim):
            whole |= found.all(axis=axis, keepdims=True)
        return (found & ~whole & (self.counts > 0)).astype(np.float64)

    @cached_property
    def known_empty(self) -> Cells:
        """Cells of a total that is known to be of nobody."""
        empty = np.zeros_like(self.small)
        for lines in self.totals:
            known = lines >= 0
            sums = np.bincount(lines[known], self.counts[known], minlength=int(lines.max()) + 1)
            empty |= known & (np.append(sums, 1.0)[lines] == 0)
        return empty


def unprotected(table: Table, found: Cells) -> Cells:
    """Cells to be suppressed beside those that are, as some small one can be told; none if none."""
    few = table.small.sum() <= MOST_PROGRAMS and found.sum() <= MOST_UNKNOWN
    bound = np.any([lines >= 0 for lines in table.totals], axis=0)
    places = _open_cells(table, found) if few else np.argwhere(table.small & bound)
    more = np.zeros_like(found)
    for place in map(tuple, places):
        cube = _hypercube(table, found | more, place)
        if cube is None:
            # Nothing smaller helps: all that is not known to be empty.
            return ~table.known_empty
        more |= cube
    return more


def _hypercube(table: Table, found: Cells, place: tuple[int, ...]) -> Cells | None:
    """The cheapest hypercube that protects a cell; None where there is none."""
    dimensions = table.counts.ndim
    taken = np.where(found, table.least(found), np.minimum(table.counts, 1.0))
    lowered, raised = table.counts - taken, table.most - table.counts
    cost = np.where(found, 0.0, table.counts) + 1e9 * (~found & (table.counts == 0))
    up = np.full(table.counts.shape, np.inf)
    down = np.full(table.counts.shape, np.inf)
    price = np.zeros(table.counts.shape)
    corners = list(product((False, True), repeat=dimensions))
    for corner in corners:
        at = tuple(
            slice(None) if away else slice(i, i + 1) for away, i in zip(corner, place, strict=True)
        )
        rises = sum(corner) % 2 == 0
        up = np.minimum(up, (raised if rises else lowered)[at])
        down = np.minimum(down, (lowered if rises else raised)[at])
        price = price + cost[at]
    price = np.where(up + down >= table.width, price, np.inf)
    for axis, i in enumerate(place):
        np.moveaxis(price, axis, 0)[i] = np.inf
    best = np.unravel_index(np.argmin(price), price.shape)
    if not np.isfinite(price[best]):
        return None
    cube = np.zeros_like(found)
    for corner in corners:
        cube[tuple(int(b) if far else p for far, b, p in zip(corner, best, place, strict=True))] = (
            True
        )
    return cube


def _open_cells(table: Table, found: Cells) -> list[tuple[int, ...]]:
    """Small cells whose interval is too narrow."""
    places = np.argwhere(found)
    number = np.full(found.shape, -1)
    number[found] = np.arange(len(places))
    counts, least = table.counts[found], table.least(found)[found]
    above = np.minimum(table.most[found], counts.sum() + 2 * table.width)
    bounds = np.column_stack([np.minimum(least, counts), np.maximum(above, counts)])
    equations = _equations(table, found, number)
    low, high = counts.copy(), counts.copy()
    still: list[tuple[int, ...]] = []
    for i in np.flatnonzero(table.small[found]):
        for sign in (1.0, -1.0):
            if high[i] - low[i] < table.width:
                other = _extreme(int(i), sign, bounds, equations, counts)
                low, high = np.minimum(low, other), np.maximum(high, other)
        if high[i] - low[i] < table.width:
            still.append(tuple(int(each) for each in places[i]))
    return still


def _equations(table: Table, found: Cells, number: Any) -> Any:
    """Which suppressed cells each known total is over, as a sparse matrix."""
    from scipy.sparse import csr_array

    rows, columns, n_rows = [], [], 0
    for lines in table.totals:
        held = found & (lines >= 0)
        names, row = np.unique(lines[held], return_inverse=True)
        rows.append(row + n_rows)
        columns.append(number[held])
        n_rows += len(names)
    at = (np.concatenate(rows), np.concatenate(columns))
    return csr_array((np.ones(len(at[0])), at), shape=(n_rows, int(found.sum())))


def _extreme(i: int, sign: float, bounds: Any, equations: Any, counts: Array) -> Array:
    """The suppressed cells of a table that looks the same, with the i-th at an end.

    In whole numbers: beyond two dimensions the ends in fractions may lie further out.
    """
    from scipy.optimize import Bounds, LinearConstraint, linprog, milp

    if equations.shape[0] == 0:
        return np.where(
            np.arange(len(counts)) == i, bounds[:, 1] if sign < 0 else bounds[:, 0], counts
        )
    aim: Any = np.zeros(len(counts))
    aim[i] = sign
    totals: Any = equations @ counts
    found = linprog(aim, A_eq=equations, b_eq=totals, bounds=bounds, method="highs-ds")
    if found.x is not None and np.abs(found.x - np.round(found.x)).max() < EXACT:
        return np.asarray(np.round(found.x), dtype=np.float64)
    whole = milp(
        aim,
        constraints=LinearConstraint(equations, totals, totals),
        bounds=Bounds(bounds[:, 0], bounds[:, 1]),
        integrality=np.ones(len(counts), dtype=np.int64),
        options={"time_limit": 5.0},
    )
    return counts if whole.x is None else np.asarray(np.round(whole.x), dtype=np.float64)
