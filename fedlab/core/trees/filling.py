"""Inner loops that count and sum what arrives at nodes.

Loaded only when a tree grows. All sums are of whole numbers, so none depends on the order of rows,
sites or threads.
"""

from __future__ import annotations

import numpy as np

from fedlab.core.trees.compiled import compiled
from fedlab.core.trees.keys import Ints

__all__ = ["count_parts", "fill_classes", "fill_numbers", "gather"]


@compiled
def gather(position: Ints, slot: Ints, n_slots: int, weight: Ints) -> tuple[Ints, Ints]:
    """Rows by slot, in their order, and where each slot begins; rows of no weight are left out.

    `slot` maps nodes to slots, or to -1 for nodes of no interest.
    """
    # Rows of no interest go to a last slot. Without a branch, since they cannot be foretold.
    begin = np.zeros(n_slots + 2, dtype=np.int64)
    places = np.empty(len(position), dtype=np.int32)
    nowhere = np.int32(n_slots)
    for row in range(len(position)):
        place = slot[position[row]]
        place = place if (place >= 0) & (weight[row] > 0) else nowhere
        places[row] = place
        begin[place + 1] += 1
    for place in range(n_slots + 1):
        begin[place + 1] += begin[place]
    rows = np.empty(len(position), dtype=np.int32)
    upto = begin[:-1].copy()
    for row in range(len(position)):
        place = places[row]
        rows[upto[place]] = row
        upto[place] += 1
    return rows, begin


@compiled
def fill_classes(
    position: Ints,
    weight: Ints,
    label: Ints,
    codes: Ints,
    tree: Ints,
    node: Ints,
    n_nodes: int,
    features: Ints,
    begin: Ints,
    offset: Ints,
    n_classes: int,
    out: Ints,
    totals: Ints,
) -> None:
    """Add the weight of each row to its node's cell of bin and class.

    Open node ``i`` of `tree` asks for ``features[begin[i] : begin[i + 1]]``, whose bins begin at
    cell ``offset`` of `out`. Nodes are sorted by tree. `totals`, ``(n_open, n_classes)``, are the
    sums over the cells of any one feature.
    """
    slot = np.full(n_nodes, -1, dtype=np.int32)
    from_, upto = 0, 0
    while from_ < len(tree):
        while upto < len(tree) and tree[upto] == tree[from_]:
            slot[node[upto]] = upto - from_
            upto += 1
        own = weight[tree[from_]]
        rows, ends = gather(position[tree[from_]], slot, upto - from_, own)
        for place in range(upto - from_):
            some = rows[ends[place] : ends[place + 1]]
            count = len(some)
            labels = np.empty(count, dtype=np.int32)
            weights = np.empty(count, dtype=np.int32)
            for i in range(count):
                labels[i] = label[some[i]]
                weights[i] = own[some[i]]
                totals[from_ + place, labels[i]] += weights[i]
            stop = begin[from_ + place + 1]
            # Two features at once, so that a row is looked up once for both. Indices without a
            # sign spare the check for negative ones.
            for j in range(begin[from_ + place], stop - 1, 2):
                column, following = codes[features[j]], codes[features[j + 1]]
                one, two = out[offset[j] * n_classes :], out[offset[j + 1] * n_classes :]
                for i in range(count):
                    row = np.uint32(some[i])
                    one[np.uint32(column[row] * n_classes + labels[i])] += weights[i]
                    two[np.uint32(following[row] * n_classes + labels[i])] += weights[i]
            if (stop - begin[from_ + place]) % 2 == 1:
                column = codes[features[stop - 1]]
                one = out[offset[stop - 1] * n_classes :]
                for i in range(count):
                    code = column[np.uint32(some[i])]
                    one[np.uint32(code * n_classes + labels[i])] += weights[i]
        for i in range(from_, upto):
            slot[node[i]] = -1
        from_ = upto


@compiled
def fill_numbers(
    position: Ints,
    weight: Ints,
    value: Ints,
    square: Ints,
    codes: Ints,
    tree: Ints,
    node: Ints,
    n_nodes: int,
    features: Ints,
    begin: Ints,
    offset: Ints,
    out: Ints,
    totals: Ints,
) -> None:
    """As `fill_classes`; each cell holds the rows, their sum and the sum of their squares."""
    slot = np.full(n_nodes, -1, dtype=np.int32)
    from_, upto = 0, 0
    while from_ < len(tree):
        while upto < len(tree) and tree[upto] == tree[from_]:
            slot[node[upto]] = upto - from_
            upto += 1
        own = weight[tree[from_]]
        rows, ends = gather(position[tree[from_]], slot, upto - from_, own)
        for place in range(upto - from_):
            some = rows[ends[place] : ends[place + 1]]
            count = len(some)
            weights = np.empty(count, dtype=np.int64)
            values = np.empty(count, dtype=np.int64)
            squares = np.empty(count, dtype=np.int64)
            for i in range(count):
                weights[i] = own[some[i]]
                values[i] = weights[i] * value[some[i]]
                squares[i] = weights[i] * square[some[i]]
                totals[from_ + place, 0] += weights[i]
                totals[from_ + place, 1] += values[i]
                totals[from_ + place, 2] += squares[i]
            for j in range(begin[from_ + place], begin[from_ + place + 1]):
                column = codes[features[j]]
                for i in range(count):
                    cell = (offset[j] + column[some[i]]) * 3
                    out[cell] += weights[i]
                    out[cell + 1] += values[i]
                    out[cell + 2] += squares[i]
        for i in range(from_, upto):
            slot[node[i]] = -1
        from_ = upto


@compiled
def count_parts(keys: Ints, starts: Ints, shifts: Ints, width: int, counts: Ints) -> None:
    """Add each key to its part of the cell it lies in, if any; `starts` rise.

    Keys have 32 bits, of which the first 12 say between which cells to look.
    """
    upto = np.empty(4097, dtype=np.int64)
    cell = 0
    for first in range(4097):
        while cell < len(starts) and starts[cell] < first << 20:
            cell += 1
        upto[first] = cell
    for key in keys:
        first = key >> 20
        low, high = upto[first], upto[first + 1]
        while low < high:
            middle = (low + high) // 2
            if starts[middle] <= key:
                low = middle + 1
            else:
                high = middle
        cell = low - 1
        if cell >= 0:
            part = (key - starts[cell]) >> (shifts[cell] - width)
            if 0 <= part < counts.shape[1]:
                counts[cell, part] += 1
