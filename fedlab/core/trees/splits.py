"""The best split of a node from its histogram; ties go to the first feature, then the first cut."""

from __future__ import annotations

import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.trees.compiled import compiled
from fedlab.core.trees.keys import Ints

__all__ = ["best_classes", "best_numbers"]


@compiled
def _middle(occupied: Ints, cut: int, present: int) -> int:
    """A cut in the middle of the empty bins after `cut`, which parts the same rows."""
    following = cut + 1
    while following < present and not occupied[following]:
        following += 1
    return (cut + following - 1) // 2 if following < present else cut


@compiled
def best_classes(
    cells: Ints,
    features: Ints,
    begin: Ints,
    present: Ints,
    widths: Ints,
    class_weight: Array,
    minimum: int,
    ordered: Ints,
) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints, Array]:
    """For each node the cut that lowers the Gini impurity most (Breiman et al. 1984, ch. 4).

    Parameters
    ----------
    cells : ndarray of shape (n_cells, n_classes)
        Rows by bin and class, of each node's features in turn.
    features, begin
        Node ``i`` looks at ``features[begin[i] : begin[i + 1]]``.
    present, widths : ndarray of shape (n_features,)
    class_weight : ndarray of shape (n_classes,)
    minimum : int
        Rows that each side needs.
    ordered : ndarray of shape (n_nodes,)
        Where true only the first feature that takes more than one value counts.

    Returns
    -------
    feature, cut, missing_left : ndarray of shape (n_nodes,)
        A feature of -1 where no cut is possible, of -2 where no feature takes two values.
    total, left : ndarray of shape (n_nodes, n_classes)
        Rows in the node and left of the cut.
    missing : ndarray of shape (n_nodes,)
        Whether the node has rows whose value of the feature is missing.
    gain : ndarray of shape (n_nodes,)
        Decrease of the weighted impurity.
    """
    n_nodes, n_classes = len(begin) - 1, cells.shape[1]
    feature = np.full(n_nodes, -2, dtype=np.int32)
    cut = np.zeros(n_nodes, dtype=np.int32)
    missing_left = np.zeros(n_nodes, dtype=np.int32)
    missing = np.zeros(n_nodes, dtype=np.int32)
    totals = np.zeros((n_nodes, n_classes), dtype=np.int64)
    lefts = np.zeros((n_nodes, n_classes), dtype=np.int64)
    gains = np.zeros(n_nodes)
    below = np.empty(n_classes, dtype=np.int64)
    absent = np.empty(n_classes, dtype=np.int64)
    occupied = np.zeros(257, dtype=np.int32)
    cell = 0
    for node in range(n_nodes):
        total = totals[node]
        for b in range(widths[features[begin[node]]]):
            for k in range(n_classes):
                total[k] += cells[cell + b, k]
        rows = total.sum()
        whole, mass = 0.0, 0.0
        for k in range(n_classes):
            weighted = class_weight[k] * total[k]
            whole += weighted * weighted
            mass += weighted
        best = -1.0
        done = False
        for j in range(begin[node], begin[node + 1]):
            f = features[j]
            bins, start = present[f], cell
            cell += widths[f]
            if done:
                continue
            distinct = 0
            for b in range(widths[f]):
                occupied[b] = 0
                for k in range(n_classes):
                    if cells[start + b, k] > 0:
                        occupied[b] = 1
                        break
                distinct += occupied[b]
            if distinct < 2:
                continue
            if feature[node] == -2:
                feature[node] = -1
            done = ordered[node] != 0
            gap = widths[f] > bins and occupied[bins] != 0
            for k in range(n_classes):
                absent[k] = cells[start + bins, k] if gap else 0
            for side in range(2 if gap else 1):
                for k in range(n_classes):
                    below[k] = absent[k] if side == 1 else 0
                # The last cut parts present values from missing ones.
                for b in range(bins if gap and side == 0 else bins - 1):
                    if occupied[b] == 0:
                        continue
                    n_left = 0
                    for k in range(n_classes):
                        below[k] += cells[start + b, k]
                        n_left += below[k]
                    if n_left < minimum:
                        continue
                    if rows - n_left < minimum or rows == n_left:
                        break
                    s_left, m_left, s_right, m_right = 0.0, 0.0, 0.0, 0.0
                    for k in range(n_classes):
                        w = class_weight[k] * below[k]
                        s_left += w * w
                        m_left += w
                        w = class_weight[k] * (total[k] - below[k])
                        s_right += w * w
                        m_right += w
                    if m_left <= 0.0 or m_right <= 0.0:
                        continue
                    score = s_left / m_left + s_right / m_right
                    if score > best:
                        best = score
                        feature[node] = f
                        cut[node] = _middle(occupied, b, bins)
                        missing[node] = 1 if gap else 0
                        missing_left[node] = side
                        lefts[node] = below
        if feature[node] >= 0:
            gains[node] = max(best - whole / mass, 0.0)
    return feature, cut, missing_left, totals, lefts, missing, gains


@compiled
def best_numbers(
    cells: Ints,
    features: Ints,
    begin: Ints,
    present: Ints,
    widths: Ints,
    minimum: int,
    ordered: Ints,
) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints, Array]:
    """As `best_classes`, for the squared error; cells hold rows, sums and sums of squares."""
    n_nodes = len(begin) - 1
    feature = np.full(n_nodes, -2, dtype=np.int32)
    cut = np.zeros(n_nodes, dtype=np.int32)
    missing_left = np.zeros(n_nodes, dtype=np.int32)
    missing = np.zeros(n_nodes, dtype=np.int32)
    totals = np.zeros((n_nodes, 3), dtype=np.int64)
    lefts = np.zeros((n_nodes, 3), dtype=np.int64)
    gains = np.zeros(n_nodes)
    below = np.empty(3, dtype=np.int64)
    occupied = np.zeros(257, dtype=np.int32)
    cell = 0
    for node in range(n_nodes):
        total = totals[node]
        for b in range(widths[features[begin[node]]]):
            for k in range(3):
                total[k] += cells[cell + b, k]
        rows = total[0]
        whole = float(total[1]) * float(total[1]) / max(rows, 1)
        best = -1.0
        done = False
        for j in range(begin[node], begin[node + 1]):
            f = features[j]
            bins, start = present[f], cell
            cell += widths[f]
            if done:
                continue
            distinct = 0
            for b in range(widths[f]):
                occupied[b] = 1 if cells[start + b, 0] > 0 else 0
                distinct += occupied[b]
            if distinct < 2:
                continue
            if feature[node] == -2:
                feature[node] = -1
            done = ordered[node] != 0
            gap = widths[f] > bins and occupied[bins] != 0
            for side in range(2 if gap else 1):
                for k in range(3):
                    below[k] = cells[start + bins, k] if side == 1 else 0
                for b in range(bins if gap and side == 0 else bins - 1):
                    if occupied[b] == 0:
                        continue
                    for k in range(3):
                        below[k] += cells[start + b, k]
                    if below[0] < minimum:
                        continue
                    if rows - below[0] < minimum or rows == below[0]:
                        break
                    s_left, s_right = float(below[1]), float(total[1] - below[1])
                    score = s_left * s_left / below[0] + s_right * s_right / (rows - below[0])
                    if score > best:
                        best = score
                        feature[node] = f
                        cut[node] = _middle(occupied, b, bins)
                        missing[node] = 1 if gap else 0
                        missing_left[node] = side
                        lefts[node] = below
        if feature[node] >= 0:
            gains[node] = max(best - whole, 0.0)
    return feature, cut, missing_left, totals, lefts, missing, gains
