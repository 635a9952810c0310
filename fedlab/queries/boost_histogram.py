"""Sums of gradients and hessians by bin at the open nodes of the trees that grow."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import numpy as np

from fedlab.core.space import Space
from fedlab.core.trees.bins import Bins
from fedlab.core.trees.boost_memory import Boosted, Grown, Loss
from fedlab.core.trees.boosting import Boosting
from fedlab.core.trees.keys import Ints
from fedlab.core.trees.nodes import Nodes
from fedlab.core.trees.sound import require
from fedlab.privacy import Releases
from fedlab.queries.forest_histogram import Histogram, binned_rows
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = ["BoostHistogram"]


class BoostHistogram(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Gradients and hessians at the open nodes, by bin of every feature, as whole numbers.

    Attributes
    ----------
    bins : Bins
    nodes : Nodes
        All trees so far, of which the last iteration grows.
    roots : ndarray of shape (n_iterations * n_outputs,)
    value : ndarray of shape (n_nodes,)
    baseline : ndarray of shape (n_outputs,)
    finished : int
        Iterations before the one that grows.
    tree, node : ndarray of shape (n_open,)
        The output whose tree it is, and the node.
    half : float
        Unit of a target of numbers.
    bits, shift : int
        Binary digits of a hessian, and where the count of rows begins above their sum
        (`fedlab.core.trees.fixed.hessian_bits`).
    """

    purpose: ClassVar[str] = "training"

    model: Boosting
    space: Space
    bins: Bins
    nodes: Nodes
    roots: np.ndarray[Any, np.dtype[Any]]
    value: np.ndarray[Any, np.dtype[Any]]
    baseline: np.ndarray[Any, np.dtype[Any]]
    finished: int
    tree: np.ndarray[Any, np.dtype[Any]]
    node: np.ndarray[Any, np.dtype[Any]]
    half: float
    bits: int
    shift: int

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Sums over the rows; what was computed for earlier questions is used where it fits."""
        classifies = self.model.reads == "classes"
        binned = binned_rows(rows, self.space, "classes" if classifies else "numbers", self.bins)
        grown = Grown.of(self.nodes, self.value, self.roots)
        tree, node = self.tree.astype(np.int64), self.node.astype(np.int64)
        self._require(grown, tree, node)
        loss = Loss(self.model, self.half, self.bits, self.shift)
        kept = rows.keep(
            Boosted,
            lambda: Boosted(binned, loss, self.baseline),
            lambda old: old.take(binned, loss, self.baseline, grown, self.finished),
        )
        kept.follow(grown, self.finished)
        histogram = Histogram(*kept.histograms(tree, node))
        kept.done()
        return histogram

    def _require(self, grown: Grown, tree: Ints, node: Ints) -> None:
        from fedlab.core.trees import parting

        n_outputs = self.model.n_outputs(self.space)
        n_nodes, (feature, _, left, _) = len(self.nodes), grown.nodes
        require(
            {array.shape for array in (*grown.nodes, grown.value)} == {(n_nodes,)}
            and self.finished >= 0
            and grown.roots.shape == ((self.finished + 1) * n_outputs,)
            and self.baseline.shape == (n_outputs,)
            and tree.shape == node.shape == (len(node),)
            and 0 < self.bits <= 30
            and 0 < self.shift < 62
            and parting.asks_soundly(
                feature, left, grown.roots, n_outputs, tree, node, self.bins.n_features
            ),
            "open nodes",
        )

    def releases(self, n_rows: int) -> Releases | None:
        """Exact sums; no noise is offered."""
        return None

    def accepts(self, answer: Answer) -> bool:
        """Whole numbers, two a bin of every feature at each open node."""
        n_cells = len(self.node) * self.bins.n_cells
        return (
            isinstance(answer, Histogram)
            and answer.cells.shape == (n_cells, 2)
            and answer.totals.shape == (len(self.node), 2)
            and answer.cells.dtype == np.int64
            and bool(answer.totals[:, 1].min(initial=0) >= 0)
        )
