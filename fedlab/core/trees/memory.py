"""What a site keeps between the rounds of one forest, so that a round costs one look at a row.

Nothing of it changes an answer: whatever does not fit the question is computed anew, and all of it
can be.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.space import Reads, Space, Target
from fedlab.core.trees.bins import Bins
from fedlab.core.trees.keys import Ints
from fedlab.core.trees.nodes import Nodes
from fedlab.core.trees.sound import require, require_bins, within

__all__ = ["Binned", "Walk"]


class Binned:
    """Rows as numbers of bins, with their targets.

    Attributes
    ----------
    space : Space
    bins : Bins
    reads : "classes" or "numbers"
    codes : ndarray of shape (n_features, n_samples)
    y : ndarray of shape (n_samples,)
    present : ndarray of shape (n_features,)
        ``bins.present``.
    offset : ndarray of shape (n_features,)
        Cell in which each feature's bins begin, where all features have theirs.
    """

    def __init__(self, space: Space, bins: Bins, reads: Reads, x: Array, y: Target) -> None:
        self.space, self.bins, self.reads, self.y = space, bins, reads, y
        require_bins(bins, x.shape[1])
        self.codes, self.present = bins.codes(x), bins.present
        # A missing value where none was counted has no cell, nor has a class not asked for.
        fits = (self.codes.max(axis=1, initial=0) < bins.widths).all()
        require(bool(fits) and (y.dtype.kind == "f" or within(y, 0, 1 << 31)), "bins")
        self.offset = (np.cumsum(bins.widths) - bins.widths).astype(np.int64)

    def fits(self, space: Space, bins: Bins, reads: Reads) -> bool:
        """Whether these are the rows of this space in these bins, with such targets."""
        same_space = self.space is space or self.space == space
        if self.reads != reads or not same_space or not self.bins.same(bins):
            return False
        # The next question of the run brings the very same ones.
        self.space, self.bins = space, bins
        return True

    def advance(self, position: Ints, nodes: Nodes, trees: Ints) -> None:
        """Move rows of some trees on to leaves, in place."""
        from fedlab.core.trees import walking

        walking.advance(position, trees, *nodes.writable(), self.present, self.codes)


@dataclass
class Walk:
    """Where the rows of a forest stand.

    Attributes
    ----------
    binned : Binned
    nodes : Nodes or None
        The trees as they were when the rows were moved last.
    position : ndarray of shape (n_trees, n_samples)
    """

    binned: Binned
    nodes: Nodes | None = None
    position: Ints = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int32))

    def move(self, nodes: Nodes, n_trees: int, trees: Ints) -> Ints:
        """Rows at the leaves of `trees`; from where they stood if the trees have only grown."""
        shape = (n_trees, self.binned.codes.shape[1])
        known = self.nodes is not None and self.position.shape == shape
        if self.nodes is None or not known or not nodes.extends(self.nodes):
            # Tree t begins at node t.
            self.position = np.empty(shape, dtype=np.int32)
            self.position[:] = np.arange(n_trees)[:, None]
        self.binned.advance(self.position, nodes, trees.astype(np.int64))
        self.nodes = nodes
        return self.position
