"""Inner loops of boosting: rows kept in the order of the leaves they stand at.

Each tree that grows has its rows in one array, the rows of a node side by side. To split a node is
to part its rows in place, so a question costs no more than the rows of the nodes it is about.
Loaded only when a tree grows. All sums are of whole numbers, so none depends on the order of rows,
sites or threads.
"""

from __future__ import annotations

import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.trees.compiled import brief, compiled
from fedlab.core.trees.keys import Ints

__all__ = ["add_leaves", "asks_soundly", "continues", "fill", "part"]


@brief
def asks_soundly(
    feature: Ints, left: Ints, roots: Ints, n_outputs: int, tree: Ints, node: Ints, n_features: int
) -> bool:
    """Whether trees of iterations stand one behind the other, and leaves of the last are asked for.

    Every child stands behind its only parent, in the nodes of the same iteration, and is no root.
    """
    n_nodes, n_roots = len(left), len(roots)
    claimed = np.zeros(n_nodes, dtype=np.uint8)
    for i in range(n_roots):
        if roots[i] < 0 or roots[i] >= n_nodes or (i > 0 and roots[i] <= roots[i - 1]):
            return False
        claimed[roots[i]] = 1
    for i in range(0, n_roots, n_outputs):
        end = roots[i + n_outputs] if i + n_outputs < n_roots else n_nodes
        for at in range(roots[i], end):
            child = left[at]
            if child < 0:
                continue
            if child <= at or child + 1 >= end or feature[at] < 0 or feature[at] >= n_features:
                return False
            if claimed[child] or claimed[child + 1]:
                return False
            claimed[child], claimed[child + 1] = 1, 1
    first = roots[n_roots - n_outputs]
    for i in range(len(node)):
        if node[i] < first or node[i] >= n_nodes or left[node[i]] >= 0:
            return False
        if tree[i] < 0 or tree[i] >= n_outputs:
            return False
    return True


@brief
def continues(
    feature: Ints,
    cut: Ints,
    left: Ints,
    missing_left: Ints,
    value: Array,
    roots: Ints,
    old_feature: Ints,
    old_cut: Ints,
    old_left: Ints,
    old_missing_left: Ints,
    old_value: Array,
    old_roots: Ints,
    finished: int,
) -> bool:
    """Whether the first nodes are the old ones: the `finished` the same, of the rest leaves split.

    Nodes that are no part of a tree do not matter; `asks_soundly` has looked at both.
    """
    if len(left) < len(old_left) or len(roots) < len(old_roots):
        return False
    for i in range(len(old_roots)):
        if roots[i] != old_roots[i]:
            return False
    for node in range(len(old_left)):
        if node < finished:
            if left[node] != old_left[node] or value[node] != old_value[node]:
                return False
        elif old_left[node] >= 0 and left[node] != old_left[node]:
            return False
        if old_left[node] >= 0 and (
            feature[node] != old_feature[node]
            or cut[node] != old_cut[node]
            or missing_left[node] != old_missing_left[node]
        ):
            return False
    return True


@compiled
def part(
    order: Ints,
    span: Ints,
    first: int,
    end: int,
    feature: Ints,
    cut: Ints,
    left: Ints,
    missing_left: Ints,
    present: Ints,
    codes: Ints,
) -> None:
    """Part the rows of every node of one iteration that has been split since.

    Parameters
    ----------
    order : ndarray of shape (n_outputs, n_samples)
        Rows of each tree, those of a node side by side.
    span : ndarray of shape (n_nodes, 3)
        Where the rows of node ``first + i`` begin and end, and the row of `order`; a beginning of
        -1 where that is not known yet.
    """
    spare = np.empty(order.shape[1], dtype=np.int32)
    for node in range(first, end):
        at, child = node - first, left[node] - first
        if child < 0 or span[at, 0] < 0 or span[child, 0] >= 0:
            continue
        begin, stop, tree = span[at, 0], span[at, 1], span[at, 2]
        rows = order[tree]
        column, bins = codes[feature[node]], present[feature[node]]
        highest, gap = cut[node], np.int64(missing_left[node] != 0)
        here, there = np.int64(begin), np.int64(0)
        # Without a branch, since which way a row goes cannot be foretold.
        for i in range(begin, stop):
            row = rows[i]
            code = column[np.uint32(row)]
            goes_left = gap if code >= bins else np.int64(code <= highest)
            rows[here] = row
            spare[there] = row
            here += goes_left
            there += 1 - goes_left
        rows[here:stop] = spare[:there]
        span[child, 0], span[child, 1], span[child, 2] = begin, here, tree
        span[child + 1, 0], span[child + 1, 1], span[child + 1, 2] = here, stop, tree


@compiled
def add_leaves(
    raw: Array, order: Ints, span: Ints, first: int, end: int, left: Ints, value: Array
) -> None:
    """Add the value of each leaf of one iteration to its rows; `raw` is as `order`."""
    for node in range(first, end):
        at = node - first
        if left[node] < 0 and span[at, 0] >= 0:
            tree = span[at, 2]
            for i in range(span[at, 0], span[at, 1]):
                raw[tree, order[tree, i]] += value[node]


@compiled
def fill(
    order: Ints,
    span: Ints,
    gradient: Ints,
    hessian: Ints,
    codes: Ints,
    tree: Ints,
    place: Ints,
    begin: Ints,
    out: Ints,
    totals: Ints,
) -> None:
    """Add gradients and packed hessians to the cells of every feature at the open nodes.

    Parameters
    ----------
    order, span
        As in `part`.
    gradient, hessian : ndarray of shape (n_outputs, n_samples)
    tree, place : ndarray of shape (n_open,)
        The output and the row of `span` of each open node.
    begin : ndarray of shape (n_features,)
        Where each feature's bins begin in a row of `out`, two numbers a bin.
    out : ndarray of shape (n_open, 2 * n_cells)
    totals : ndarray of shape (n_open, 2)
    """
    slopes = np.empty((order.shape[1], 2), dtype=np.int64)
    n_features = codes.shape[0]
    for i in range(len(place)):
        k, at = tree[i], place[i]
        if span[at, 0] < 0 or span[at, 2] != k:
            continue
        rows = order[k, span[at, 0] : span[at, 1]]
        count = len(rows)
        for j in range(count):
            slopes[j, 0] = gradient[k, rows[j]]
            slopes[j, 1] = hessian[k, rows[j]]
            totals[i, 0] += slopes[j, 0]
            totals[i, 1] += slopes[j, 1]
        # Two features at once, so that a row is looked up once for both. Indices without a sign
        # spare the check for negative ones.
        for f in range(0, n_features - 1, 2):
            column, following = codes[f], codes[f + 1]
            one, two = out[i, begin[f] :], out[i, begin[f + 1] :]
            for j in range(count):
                row = np.uint32(rows[j])
                a = np.uint32(column[row]) * np.uint32(2)
                b = np.uint32(following[row]) * np.uint32(2)
                g, h = slopes[j, 0], slopes[j, 1]
                one[a] += g
                one[a + np.uint32(1)] += h
                two[b] += g
                two[b + np.uint32(1)] += h
        if n_features % 2 == 1:
            column, one = codes[n_features - 1], out[i, begin[n_features - 1] :]
            for j in range(count):
                a = np.uint32(column[np.uint32(rows[j])]) * np.uint32(2)
                one[a] += slopes[j, 0]
                one[a + np.uint32(1)] += slopes[j, 1]
