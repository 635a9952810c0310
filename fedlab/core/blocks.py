"""Neighbouring cells put together until each run of them holds nobody or enough patients."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from fedlab.core.parameters import Array

__all__ = ["blocks_of"]

Counts = np.ndarray[Any, np.dtype[Any]]

Blocks = np.ndarray[tuple[int], np.dtype[np.int64]]
ROUNDING = 1e-9


def blocks_of(counts: Counts, minimum: int, fixed: tuple[int, ...] = ()) -> Blocks:
    """The block of each cell, rising from 0; -1 for cells that cannot be told.

    There are as many blocks as there can be, and of all such partitions the one whose first blocks
    end first. Cells of nobody go with a neighbour: a block of its own would tell where the values
    of single patients begin or end.

    Parameters
    ----------
    counts : ndarray of shape (n_cells,) or (n_cells, n_groups)
        Patients of each cell; in each block every group has nobody or enough.
    minimum : int
    fixed : tuple of int
        Where a block must end: before which cells. Between two of these everybody is told or
        nobody, and there a block may be of nobody.

    Examples
    --------
    >>> blocks_of(np.array([0, 4, 8, 20, 0, 3, 0]), 11)
    array([0, 0, 0, 1, 1, 1, 1])
    >>> blocks_of(np.array([0, 4, 8, 20, 0, 3, 0]), 11, fixed=(2,))
    array([-1, -1,  0,  0,  0,  0,  0])
    """
    counts = np.asarray(counts, dtype=np.float64)
    counts = counts.reshape(len(counts), -1)
    edges = sorted({0, len(counts), *(at for at in fixed if 0 < at < len(counts))})
    blocks = np.empty(len(counts), dtype=np.int64)
    begun = 0
    for start, end in pairwise(edges):
        part = _segment(counts[start:end], minimum)
        blocks[start:end] = np.where(part < 0, -1, part + begun)
        begun += int(part.max()) + 1
    return blocks


def _segment(counts: Array, minimum: int) -> Any:
    """Blocks of cells between two fixed edges."""
    held = np.flatnonzero(counts.sum(axis=1) > 0)
    if not len(held):
        return np.zeros(len(counts), dtype=np.int64)
    ends = (_ends if counts.shape[1] == 1 else _ends_of_groups)(counts[held], minimum)
    if ends is None:
        return np.full(len(counts), -1, dtype=np.int64)
    # A block reaches up to the next cell that holds somebody, and the last one to the end.
    starts = np.zeros(len(counts), dtype=np.int64)
    starts[held[[end for end in ends if end < len(held)]]] = 1
    return np.cumsum(starts)


def _ends(counts: Array, minimum: int) -> list[int] | None:
    """Where blocks end, before which of the cells; those that are left over join the last one."""
    past = np.cumsum(counts[:, 0])
    if past[-1] < minimum - ROUNDING:
        return None
    ends, before = [], 0.0
    while past[-1] - before >= minimum - ROUNDING:
        end = int(np.searchsorted(past, before + minimum - ROUNDING)) + 1
        ends.append(end)
        before = past[end - 1]
    ends[-1] = len(past)
    return ends


def _ends_of_groups(counts: Array, minimum: int) -> list[int] | None:
    """The same where several groups have to be told, by dynamic programming from the end."""
    past = np.concatenate([np.zeros((1, counts.shape[1])), np.cumsum(counts, axis=0)])
    size = len(counts)
    most = np.full(size + 1, -1, dtype=np.int64)
    ends = np.zeros(size + 1, dtype=np.int64)
    most[size] = 0
    for start in range(size - 1, -1, -1):
        inside = past[start + 1 :] - past[start]
        sound = ((inside < ROUNDING) | (inside >= minimum - ROUNDING)).all(axis=1)
        reached = np.where(sound, most[start + 1 :], -1)
        best = int(np.argmax(reached))
        if reached[best] >= 0:
            most[start], ends[start] = reached[best] + 1, start + 1 + best
    if most[0] < 0:
        return None
    found, at = [], 0
    while at < size:
        at = int(ends[at])
        found.append(at)
    return found
