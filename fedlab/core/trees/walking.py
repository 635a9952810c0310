"""Inner loops that send rows down trees.

Loaded only when a tree grows or predicts.
"""

from __future__ import annotations

import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.trees.compiled import brief, compiled
from fedlab.core.trees.keys import Ints

__all__ = ["advance", "find_cuts", "grown_from", "is_sound", "leaves"]


@brief
def find_cuts(feature: Ints, threshold: Array, cuts: Array, first: Ints) -> Ints:
    """Index of each node's threshold among the cuts of its feature."""
    found = np.zeros(len(feature), dtype=np.int32)
    for node in range(len(feature)):
        if feature[node] >= 0:
            low, high = first[feature[node]], first[feature[node] + 1]
            while low < high:
                middle = (low + high) // 2
                if cuts[middle] < threshold[node]:
                    low = middle + 1
                else:
                    high = middle
            found[node] = low - first[feature[node]]
    return found


@compiled
def advance(
    position: Ints,
    trees: Ints,
    feature: Ints,
    cut: Ints,
    left: Ints,
    missing_left: Ints,
    present: Ints,
    codes: Ints,
) -> None:
    """Move each row of each of `trees` on to a leaf; `position` is ``(n_trees, n_samples)``."""
    for tree in trees:
        for row in range(position.shape[1]):
            node = position[tree, row]
            while left[node] >= 0:
                code, gap = codes[feature[node], row], np.int32(missing_left[node] == 0)
                # Without a branch, since which way a row goes cannot be foretold.
                goes_right = gap if code >= present[feature[node]] else np.int32(code > cut[node])
                node = left[node] + goes_right
            position[tree, row] = node


@brief
def grown_from(
    feature: Ints,
    cut: Ints,
    left: Ints,
    missing_left: Ints,
    old_feature: Ints,
    old_cut: Ints,
    old_left: Ints,
    old_missing_left: Ints,
) -> bool:
    """Whether the first nodes are the old ones, of which only leaves may have been split."""
    if len(left) < len(old_left):
        return False
    for node in range(len(old_left)):
        if old_left[node] >= 0 and (
            left[node] != old_left[node]
            or feature[node] != old_feature[node]
            or cut[node] != old_cut[node]
            or missing_left[node] != old_missing_left[node]
        ):
            return False
    return True


@compiled
def leaves(
    x: Ints,
    root: int,
    feature: Ints,
    threshold: Ints,
    left: Ints,
    missing_left: Ints,
    reached: Ints,
) -> None:
    """The leaf of one tree that each row of `x` (single precision) comes to, into `reached`."""
    for row in range(len(x)):
        node = root
        while left[node] >= 0:
            value = x[row, feature[node]]
            goes_left = missing_left[node] != 0 if np.isnan(value) else value <= threshold[node]
            node = left[node] if goes_left else left[node] + 1
        reached[row] = node


@brief
def is_sound(feature: Ints, left: Ints, n_features: int) -> bool:
    """Whether every child stands behind its parent and every feature exists."""
    for node in range(len(left)):
        if left[node] >= 0 and (
            left[node] <= node
            or left[node] + 1 >= len(left)
            or feature[node] < 0
            or feature[node] >= n_features
        ):
            return False
    return True
