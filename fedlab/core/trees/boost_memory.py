"""What a site keeps between the rounds of boosting: scores of its rows, and their gradients.

All of it follows from the trees that come with every question, and is computed anew when they are
others than those it was computed from.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.space import Target
from fedlab.core.trees.fixed import SUM_BITS
from fedlab.core.trees.keys import Ints
from fedlab.core.trees.memory import Binned
from fedlab.core.trees.nodes import Nodes

__all__ = ["Boosted"]

Slopes = Callable[[Array, Target, float], tuple[Array, Array | None]]


class Boosted:
    """Rows of a site as far as the trees go.

    Attributes
    ----------
    binned : Binned
    baseline : ndarray of shape (n_outputs,)
    raw : ndarray of shape (n_outputs, n_samples)
        Baseline plus the leaves of the finished iterations.
    finished : int
    value : ndarray of shape (n_nodes,)
        Values of the nodes of those iterations.
    nodes : Nodes or None
        All trees as they came last.
    position : ndarray of shape (n_outputs, n_samples)
        Where rows stand in the iteration that grows.
    gradient, hessian : ndarray of shape (n_outputs, n_samples)
        Whole numbers, of that iteration.
    """

    def __init__(self, binned: Binned, baseline: Array) -> None:
        self.binned, self.baseline = binned, baseline
        shape = (len(baseline), len(binned.y))
        self.raw: Array = np.empty(shape)
        self.raw[:] = baseline[:, None]
        self.position: Ints = np.full(shape, -1, dtype=np.int32)
        self.finished, self.sloped = 0, -1
        self.value: Array = np.zeros(0)
        self.nodes: Nodes | None = None
        self.gradient: Ints = np.zeros(shape, dtype=np.int64)
        self.hessian: Ints = np.zeros(shape, dtype=np.int64)

    def fits(
        self, binned: Binned, baseline: Array, nodes: Nodes, value: Array, finished: int
    ) -> bool:
        """Whether these rows and trees are the ones kept, or grown from them."""
        return (
            self.binned is binned
            and np.array_equal(self.baseline, baseline)
            and self.finished <= finished
            and (self.nodes is None or nodes.extends(self.nodes))
            and np.array_equal(self.value, value[: len(self.value)])
        )

    def follow(self, nodes: Nodes, value: Array, roots: Ints, finished: int) -> None:
        """Add the iterations that are finished; move rows down the one that grows."""
        n_outputs = len(self.baseline)
        for iteration in range(self.finished, finished + 1):
            own = roots[iteration * n_outputs : (iteration + 1) * n_outputs]
            if self.position[0, 0] < own[0]:
                self.position[:] = own[:, None]
            self.binned.advance(self.position, nodes, np.arange(n_outputs))
            if iteration < finished:
                self.raw += value[self.position]
        if finished != self.finished or self.nodes is None:
            self.value = np.array(value[: int(roots[finished * n_outputs])])
        self.finished, self.nodes = finished, nodes

    def slope(self, slopes: Slopes, half: float, bits: int, shift: int) -> None:
        """Gradients and hessians at the finished iterations, as whole numbers."""
        if self.sloped == self.finished:
            return
        gradient, hessian = slopes(self.raw, self.binned.y, half)
        self.gradient = np.rint(gradient * 2.0**SUM_BITS).astype(np.int64)
        packed = np.full(gradient.shape, 1 << shift, dtype=np.int64)
        if hessian is not None:
            packed += np.rint(hessian * 2.0**bits).astype(np.int64)
        self.hessian, self.sloped = packed, self.finished

    def histograms(self, nodes: Nodes, tree: Ints, node: Ints) -> Ints:
        """Sums by bin of every feature at each open node, shape ``(n_open, n_cells, 2)``."""
        from fedlab.core.trees import filling

        binned = self.binned
        out = np.zeros((len(node), binned.bins.n_cells, 2), dtype=np.int64)
        filling.fill_boost(
            self.position,
            self.gradient,
            self.hessian,
            binned.codes,
            tree,
            node,
            len(nodes),
            binned.offset,
            out,
        )
        return out
