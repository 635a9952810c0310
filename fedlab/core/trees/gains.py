"""The best split of a node from sums of gradients and hessians; ties go to the first cut."""

from __future__ import annotations

import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.trees.compiled import compiled
from fedlab.core.trees.keys import Ints

__all__ = ["best_boost"]


@compiled
def best_boost(
    cells: Ints,
    present: Ints,
    widths: Ints,
    shift: int,
    gradient_unit: float,
    hessian_unit: float,
    l2: float,
    minimum: int,
    minimum_hessian: float,
) -> tuple[Ints, Ints, Ints, Ints, Array, Array]:
    """For each node the cut of largest gain to second order (Chen and Guestrin 2016, eq. 7).

    Parameters
    ----------
    cells : ndarray of shape (n_nodes, n_cells, 2)
        Sums of gradients, and of hessians packed with the rows above bit `shift`.
    gradient_unit, hessian_unit : float
        What one unit of the sums is; a `hessian_unit` of 0 says that each hessian is 1.

    Returns
    -------
    feature, cut, missing_left, missing : ndarray of shape (n_nodes,)
        A feature of -1 where no cut gains.
    gain : ndarray of shape (n_nodes,)
    sums : ndarray of shape (n_nodes, 2, 3)
        Gradient, hessian and rows in the node and left of the cut.
    """
    n_nodes = cells.shape[0]
    mask = (np.int64(1) << np.int64(shift)) - np.int64(1)
    feature = np.full(n_nodes, -1, dtype=np.int32)
    cut = np.zeros(n_nodes, dtype=np.int32)
    missing_left = np.zeros(n_nodes, dtype=np.int32)
    missing = np.zeros(n_nodes, dtype=np.int32)
    gains = np.zeros(n_nodes)
    sums = np.zeros((n_nodes, 2, 3))
    for node in range(n_nodes):
        own = cells[node]
        g_all, h_all = np.int64(0), np.int64(0)
        for b in range(widths[0]):
            g_all += own[b, 0]
            h_all += own[b, 1]
        rows = h_all >> shift
        g_total = g_all * gradient_unit
        h_total = (h_all & mask) * hessian_unit if hessian_unit > 0 else float(rows)
        sums[node, 0, 0], sums[node, 0, 1], sums[node, 0, 2] = g_total, h_total, rows
        before = g_total * g_total / (h_total + l2 + 1e-15)
        start = 0
        for f in range(len(widths)):
            bins = present[f]
            gap = widths[f] > bins and own[start + bins, 1] != 0
            for side in range(2 if gap else 1):
                g, h = np.int64(0), np.int64(0)
                if side == 1:
                    g, h = own[start + bins, 0], own[start + bins, 1]
                for b in range(bins if gap and side == 0 else bins - 1):
                    if own[start + b, 1] == 0:
                        continue
                    g += own[start + b, 0]
                    h += own[start + b, 1]
                    n_left = h >> shift
                    if n_left < minimum:
                        continue
                    if rows - n_left < minimum:
                        break
                    h_left = (h & mask) * hessian_unit if hessian_unit > 0 else float(n_left)
                    h_right = h_total - h_left
                    if h_left < minimum_hessian:
                        continue
                    if h_right < minimum_hessian:
                        break
                    g_left = g * gradient_unit
                    g_right = g_total - g_left
                    gain = (
                        g_left * g_left / (h_left + l2) + g_right * g_right / (h_right + l2)
                    ) - before
                    if gain > gains[node] and gain > 1e-12 * before:
                        gains[node] = gain
                        feature[node] = f
                        cut[node] = b
                        missing[node] = 1 if gap else 0
                        missing_left[node] = side
                        sums[node, 1, 0], sums[node, 1, 1] = g_left, h_left
                        sums[node, 1, 2] = n_left
            start += widths[f]
    return feature, cut, missing_left, missing, gains, sums
