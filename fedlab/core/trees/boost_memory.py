"""What a site keeps between the rounds of boosting: its rows by leaf, and their gradients.

All of it follows from the trees that come with every question, and is computed anew when they are
others than those it was computed from.
"""

from __future__ import annotations

import threading

import msgspec
import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.trees.boosting import Boosting
from fedlab.core.trees.fixed import SUM_BITS
from fedlab.core.trees.keys import Ints
from fedlab.core.trees.memory import Binned
from fedlab.core.trees.nodes import Nodes

__all__ = ["Boosted", "Grown", "Loss"]


class Loss(msgspec.Struct, frozen=True):
    """What the gradients of rows follow from, beside the trees.

    Attributes
    ----------
    model : Boosting
    half : float
    bits, shift : int
    """

    model: Boosting
    half: float
    bits: int
    shift: int


class Grown(msgspec.Struct, frozen=True, eq=False):
    """The trees as they come with a question, in arrays that inner loops take.

    Attributes
    ----------
    nodes : tuple of ndarray of shape (n_nodes,)
        Feature, cut, left and missing_left.
    value : ndarray of shape (n_nodes,)
    roots : ndarray of shape (n_iterations * n_outputs,)
    """

    nodes: tuple[Ints, Ints, Ints, Ints]
    value: Array
    roots: Ints

    @staticmethod
    def of(nodes: Nodes, value: Array, roots: Ints) -> Grown:
        """From what came over the wire."""
        return Grown(nodes.writable(), np.array(value), roots.astype(np.int64))


class Boosted:
    """Rows of a site as far as the trees go.

    Attributes
    ----------
    binned : Binned
    loss : Loss
    baseline : ndarray of shape (n_outputs,)
    raw : ndarray of shape (n_outputs, n_samples)
        Baseline plus the leaves of the finished iterations.
    finished : int
    grown : Grown or None
        All trees as they came last.
    first : int
        First node of the iteration that grows.
    order : ndarray of shape (n_outputs, n_samples)
        Rows of each tree that grows, those of a node side by side.
    span : ndarray of shape (n_nodes, 3)
        Where the rows of each node of that iteration begin and end, and whose they are.
    gradient, hessian : ndarray of shape (n_outputs, n_samples)
        Whole numbers, of that iteration.
    """

    def __init__(self, binned: Binned, loss: Loss, baseline: Array) -> None:
        self.binned, self.loss, self.baseline = binned, loss, baseline
        shape = (len(baseline), len(binned.y))
        self.raw: Array = np.empty(shape)
        self.raw[:] = baseline[:, None]
        self.grown: Grown | None = None
        self.finished, self.first, self.sloped = 0, 0, -1
        self.order: Ints = np.empty(shape, dtype=np.int32)
        self.span: Ints = np.zeros((0, 3), dtype=np.int32)
        self.gradient: Ints = np.zeros(shape, dtype=np.int64)
        self.hessian: Ints = np.zeros(shape, dtype=np.int64)
        self._in_use = threading.Lock()
        self._in_use.acquire()

    def take(
        self, binned: Binned, loss: Loss, baseline: Array, grown: Grown, finished: int
    ) -> bool:
        """Whether these rows and trees are the ones kept, or grown from them; if so, until `done`.

        What another thread uses, or has left half done, is nobody's.
        """
        from fedlab.core.trees import parting

        if not self._in_use.acquire(blocking=False) or self.grown is None:
            return False
        old = self.grown
        return (
            self.binned is binned
            and self.loss == loss
            and self.finished <= finished
            and self.baseline.tobytes() == baseline.tobytes()
            and parting.continues(
                *grown.nodes, grown.value, grown.roots, *old.nodes, old.value, old.roots, self.first
            )
        )

    def done(self) -> None:
        """Keep what is here for the next question."""
        self._in_use.release()

    def follow(self, grown: Grown, finished: int) -> None:
        """Add the iterations that are finished; part the rows of the one that grows."""
        from fedlab.core.trees import parting

        binned, n_outputs, left = self.binned, len(self.baseline), grown.nodes[2]
        roots = [*grown.roots.tolist(), len(left)]
        for iteration in range(self.finished, finished + 1):
            begin = iteration * n_outputs
            first, end = roots[begin], roots[begin + n_outputs]
            if iteration > self.finished or self.grown is None:
                self._plant(grown.roots[begin : begin + n_outputs] - first)
            known = self.span
            self.span = np.empty((end - first, 3), dtype=np.int32)
            self.span[: len(known)] = known
            self.span[len(known) :] = -1
            parting.part(
                self.order, self.span, first, end, *grown.nodes, binned.present, binned.codes
            )
            if iteration < finished:
                parting.add_leaves(
                    self.raw, self.order, self.span, first, end, left, grown.value
                )  # fmt: skip
        self.grown, self.finished, self.first = grown, finished, first
        self._slope()

    def _plant(self, roots: Ints) -> None:
        """All rows at each root."""
        n_outputs, n_rows = self.order.shape
        self.order[:] = np.arange(n_rows)
        self.span = np.full((roots[-1] + 1, 3), -1, dtype=np.int32)
        self.span[roots] = np.column_stack(
            [np.zeros(n_outputs), np.full(n_outputs, n_rows), np.arange(n_outputs)]
        )

    def _slope(self) -> None:
        """Gradients and hessians at the finished iterations, as whole numbers."""
        if self.sloped == self.finished:
            return
        loss = self.loss
        gradient, hessian = loss.model.slopes(self.raw, self.binned.y, loss.half)
        self.gradient = np.rint(gradient * 2.0**SUM_BITS).astype(np.int64)
        packed = np.full(gradient.shape, 1 << loss.shift, dtype=np.int64)
        if hessian is not None:
            packed += np.rint(hessian * 2.0**loss.bits).astype(np.int64)
        self.hessian, self.sloped = packed, self.finished

    def histograms(self, tree: Ints, node: Ints) -> tuple[Ints, Ints]:
        """Sums by bin of every feature at each open node, and over any one feature.

        Returns
        -------
        cells : ndarray of shape (n_open * n_cells, 2)
        totals : ndarray of shape (n_open, 2)
        """
        from fedlab.core.trees import parting

        binned = self.binned
        cells = np.zeros((len(node), 2 * binned.bins.n_cells), dtype=np.int64)
        totals = np.zeros((len(node), 2), dtype=np.int64)
        parting.fill(
            self.order,
            self.span,
            self.gradient,
            self.hessian,
            binned.codes,
            tree,
            node - self.first,
            2 * binned.offset,
            cells,
            totals,
        )
        return cells.reshape(-1, 2), totals
