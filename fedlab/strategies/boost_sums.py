"""Sums at the open nodes of boosting, from those that sites are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.trees.keys import Ints
from fedlab.queries import Answer
from fedlab.strategies.strategy import State
from fedlab.strategies.tree_state import histograms_of, in_halves

__all__ = ["Level", "kept_sums", "nodes_asked", "without_sums"]

T = TypeVar("T")


def without_sums(carried: Mapping[str, Array]) -> dict[str, Array]:
    """What a state carries, but for the sums of the nodes that were split last."""
    return {name: values for name, values in carried.items() if name != "sums"}


def kept_sums(cells: Ints, which: Ints) -> Array:
    """Sums of some nodes for a state: whole numbers of 64 bits as the doubles that have their bits.

    Read-only, so that no state copies them.
    """
    kept = np.empty((len(which), *cells.shape[1:]))
    for place, own in zip(kept.view(np.int64), which, strict=True):
        place[:] = cells[own]
    kept.setflags(write=False)
    return kept


def _pairs(state: State) -> Ints:
    """Where, among the open nodes, a left child stands whose sibling follows it."""
    node = state.carried["open"][1]
    # Behind the roots of an iteration come the children, two by two.
    behind = node[:-1] - state.parameters["roots"][-1] - 1
    return np.flatnonzero((behind >= 0) & (behind % 2 == 0) & (np.diff(node) == 1))


def nodes_asked(state: State) -> Ints:
    """Mask of the open nodes that sites are asked for.

    Of two siblings the smaller one, since the larger is what their parent has beside it; both
    where the parent's sums are no longer there.
    """
    asked = np.ones(state.carried["open"].shape[1], dtype=bool)
    if "sums" in state.carried:
        pairs = _pairs(state)
        count = state.parameters["count"][state.carried["open"][1].astype(np.int64)]
        smaller = count[pairs] <= count[pairs + 1]
        asked[np.where(smaller, pairs + 1, pairs)] = False
    return asked


class Level:
    """The open nodes of one round.

    Parameters
    ----------
    state : State
    answers : mapping of str to Answer
        Histograms of the nodes that were asked for.
    n_cells : int

    Attributes
    ----------
    cells : ndarray of shape (n_open, n_cells, 2)
        Filled by `each`.
    """

    def __init__(self, state: State, answers: Mapping[str, Answer], n_cells: int) -> None:
        self.parts = [part.reshape(-1, n_cells, 2) for part in histograms_of(answers)]
        self.asked = nodes_asked(state)
        self.row = np.cumsum(self.asked) - 1
        self.parent: dict[int, Ints] = {}
        if not self.asked.all():
            sums = state.carried["sums"].view(np.int64)
            self.parent = dict(zip(_pairs(state).tolist(), sums, strict=True))
        self.cells: Ints = np.empty((len(self.asked), n_cells, 2), dtype=np.int64)

    def each(self, work: Callable[[Ints], T]) -> list[T]:
        """`work` on the summed cells of some nodes and then others, in the order of nodes.

        Nodes do not depend on each other, so it makes no difference that a second thread takes
        half of them where there are many.
        """
        n_open = len(self.asked)
        middle = n_open // 2
        # Siblings stay together.
        middle += middle - 1 in self.parent
        return in_halves(
            n_open, self.cells.size, lambda begin, end: self._some(begin, end, work), middle
        )

    def _some(self, begin: int, end: int, work: Callable[[Ints], T]) -> T:
        for node in range(begin, end):
            if self.asked[node]:
                self._add(node)
        for left in range(begin, end):
            # One node after the other, while it is in the processor's cache.
            if left in self.parent:
                here, there = (left, left + 1) if self.asked[left] else (left + 1, left)
                np.subtract(self.parent[left], self.cells[here], out=self.cells[there])
        return work(self.cells[begin:end])

    def _add(self, node: int) -> None:
        own, row = self.cells[node], self.row[node]
        own[:] = self.parts[0][row]
        for part in self.parts[1:]:
            own += part[row]
