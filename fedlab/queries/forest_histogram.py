"""Rows by bin and class at the open nodes of a forest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np

from fedlab.core.parameters import Array, Parameters
from fedlab.core.space import Space
from fedlab.core.trees.bins import Bins
from fedlab.core.trees.fixed import scaled_target
from fedlab.core.trees.keys import Ints
from fedlab.core.trees.memory import Binned, Walk
from fedlab.core.trees.nodes import Nodes
from fedlab.core.trees.sampling import bootstrap_weights
from fedlab.core.trees.sound import require, require_nodes, within
from fedlab.privacy import Releases
from fedlab.queries.query import Answer, Context, Query, Rows
from fedlab.queries.score import Tally

__all__ = ["Bootstrap", "ForestHistogram", "Histogram", "OutOfBag", "binned_rows"]


class Histogram(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Whole numbers that add up over sites.

    Attributes
    ----------
    cells : ndarray of shape (n_cells, n_channels)
    totals : ndarray of shape (n_open, n_channels)
        What arrives at each open node: the sum over the cells of any one feature.
    """

    cells: np.ndarray[Any, np.dtype[Any]]
    totals: np.ndarray[Any, np.dtype[Any]]

    @property
    def pull(self) -> Parameters:
        """The totals, as a direction."""
        return Parameters({"totals": self.totals})


class Bootstrap(msgspec.Struct, frozen=True):
    """How rows are drawn for each tree.

    Attributes
    ----------
    seed : int
        The forest's own, beside the federation's.
    sites : dict of str to int
        Where a table holds the rows of several sites one after another, their names and numbers
        of rows, so that each row counts as it would at its site. Empty at a site itself.
    """

    seed: int
    sites: dict[str, int] = {}


def binned_rows(
    rows: Rows, space: Space, reads: Literal["classes", "numbers"], bins: Bins
) -> Binned:
    """The rows in bins, kept from question to question."""
    return rows.keep(
        Binned,
        lambda: Binned(space, bins, reads, *rows.arrays(space, reads)),
        lambda kept: kept.fits(space, bins, reads),
    )


class _Weights:
    """Drawn weights, kept by what they follow from."""

    def __init__(self, key: object, values: Ints) -> None:
        self.key, self.values = key, values


def _weights(
    rows: Rows, context: Context, bootstrap: Bootstrap | None, n_trees: int, n_rows: int
) -> Ints:
    seed, _, site = context.purpose
    drawn: Mapping[str, int] = {}
    if bootstrap is not None:
        drawn = bootstrap.sites or {str(site): n_rows}
        require(sum(drawn.values()) == n_rows and min(drawn.values()) >= 0, "rows of sites")
    key = (seed, bootstrap and bootstrap.seed, tuple(drawn.items()), n_trees, n_rows)

    def make() -> _Weights:
        if bootstrap is None:
            return _Weights(key, np.ones((n_trees, n_rows), dtype=np.uint8))
        return _Weights(key, bootstrap_weights(int(seed), bootstrap.seed, drawn, n_trees))

    return rows.keep(_Weights, make, lambda kept: kept.key == key).values


class ForestHistogram(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What arrives at the open nodes of a forest, by bin of the features each node looks at.

    Under privacy, with classes and without a bootstrap, a row arrives at no more than one open
    node of each tree, and adds 1 to one cell of each feature this node looks at. The sensitivity
    of all cells is the root of the sum over trees of the most features that one of its open nodes
    looks at. Noisy counts are rounded, and none is below 0. A bootstrap lets a row count up to 255
    times, and a target of numbers has no bound, so neither is answered under privacy.

    Attributes
    ----------
    bins : Bins
    nodes : Nodes
        All trees so far; tree ``t`` begins at node ``t``.
    n_trees : int
    tree, node : ndarray of shape (n_open,)
        The open nodes, sorted by tree.
    features : ndarray of shape (n_features_asked,)
    begin : ndarray of shape (n_open + 1,)
        Open node ``i`` looks at ``features[begin[i] : begin[i + 1]]``.
    bootstrap : Bootstrap or None
        None lets each row count once in each tree.
    center, half : float
        A target of numbers is summed as ``(y - center) / half``.
    """

    purpose: ClassVar[str] = "training"

    space: Space
    reads: Literal["classes", "numbers"]
    bins: Bins
    nodes: Nodes
    n_trees: int
    tree: np.ndarray[Any, np.dtype[Any]]
    node: np.ndarray[Any, np.dtype[Any]]
    features: np.ndarray[Any, np.dtype[Any]]
    begin: np.ndarray[Any, np.dtype[Any]]
    bootstrap: Bootstrap | None = None
    center: float = 0.0
    half: float = 1.0

    @property
    def _shape(self) -> tuple[int, int]:
        classes = self.reads == "classes"
        channels = len(self.space.schema.classes) if classes else 3
        return int(self.bins.widths[self.features].sum()), channels

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Weighted rows by class; or rows, sums and sums of squares."""
        from fedlab.core.trees import filling

        binned = binned_rows(rows, self.space, self.reads, self.bins)
        self._require()
        weights = _weights(rows, context, self.bootstrap, self.n_trees, len(binned.y))
        walk = rows.keep(Walk, lambda: Walk(binned), lambda kept: kept.binned is binned)
        position = walk.move(self.nodes, self.n_trees, np.unique(self.tree))
        widths = self.bins.widths[self.features]
        offset = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(np.int64)
        asked = (
            binned.codes,
            self.tree.astype(np.int32),
            self.node.astype(np.int32),
            len(self.nodes),
            self.features.astype(np.int32),
            self.begin.astype(np.int64),
            offset,
        )
        n_cells, channels = self._shape
        totals = np.zeros((len(self.node), channels), dtype=np.int64)
        if self.reads == "classes":
            counts = np.zeros(n_cells * channels, dtype=np.int32)
            filling.fill_classes(position, weights, binned.y, *asked, channels, counts, totals)
            cells = counts.reshape(n_cells, channels)
            if context.privacy is None:
                return Histogram(cells, totals)
            noisy = context.release(cells.astype(np.float64), self._sensitivity())
            cells = np.maximum(np.rint(noisy), 0.0).astype(np.int64)
            # From the noisy cells, so that nothing exact goes beside them.
            return Histogram(cells, _node_totals(cells, offset, widths, self.begin))
        value, square = scaled_target(binned.y, self.center, self.half)
        sums = np.zeros(n_cells * channels, dtype=np.int64)
        filling.fill_numbers(position, weights, value, square, *asked, sums, totals)
        return Histogram(sums.reshape(n_cells, channels), totals)

    def _sensitivity(self) -> float:
        looked_at = np.diff(self.begin)
        return math.sqrt(sum(looked_at[self.tree == tree].max() for tree in np.unique(self.tree)))

    def _require(self) -> None:
        n_features, steps = self.bins.n_features, np.diff(self.begin)
        require_nodes(self.nodes, n_features)
        require(
            0 < self.n_trees <= len(self.nodes)
            and self.tree.shape == self.node.shape == steps.shape
            and within(self.tree, 0, self.n_trees)
            and bool((np.diff(self.tree) >= 0).all())
            and within(self.node, 0, len(self.nodes))
            and within(self.features, 0, n_features)
            and within(steps, 1, n_features + 1)
            and self.begin[0] == 0
            and self.begin[-1] == len(self.features),
            "open nodes",
        )

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy histogram of classes; none with a bootstrap or a target of numbers."""
        return Releases(1) if self.reads == "classes" and self.bootstrap is None else None

    def accepts(self, answer: Answer) -> bool:
        """Whole numbers of the asked shape, with no negative count of rows."""
        if not isinstance(answer, Histogram) or answer.cells.shape != self._shape:
            return False
        if answer.totals.shape != (len(self.node), self._shape[1]):
            return False
        counts = answer.cells if self.reads == "classes" else answer.cells[:, 0]
        return answer.cells.dtype.kind == "i" and bool(counts.min(initial=0) >= 0)


def _node_totals(cells: Ints, offset: Ints, widths: Ints, begin: Ints) -> Ints:
    """Sums over the cells of the first feature that each open node looks at."""
    first = begin[:-1]
    parts = [cells[offset[i] : offset[i] + widths[i]].sum(axis=0) for i in first]
    return np.array(parts, dtype=np.int64).reshape(len(first), cells.shape[1])


class OutOfBag(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """How the trees do on the training rows that they have not seen (Breiman 2001, section 3.1).

    Attributes
    ----------
    bins, nodes, n_trees, bootstrap
        As in `ForestHistogram`.
    value : ndarray of shape (n_nodes, n_outputs)
    """

    purpose: ClassVar[str] = "training"

    space: Space
    reads: Literal["classes", "numbers"]
    bins: Bins
    nodes: Nodes
    n_trees: int
    value: np.ndarray[Any, np.dtype[Any]]
    bootstrap: Bootstrap

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Sums over the rows that at least one tree has not seen."""
        binned = binned_rows(rows, self.space, self.reads, self.bins)
        y = binned.y
        require_nodes(self.nodes, self.bins.n_features)
        require(0 < self.n_trees <= len(self.nodes) == len(self.value), "nodes")
        weights = _weights(rows, context, self.bootstrap, self.n_trees, len(y))
        walk = rows.keep(Walk, lambda: Walk(binned), lambda kept: kept.binned is binned)
        position = walk.move(self.nodes, self.n_trees, np.arange(self.n_trees))
        votes: Array = np.zeros((len(y), self.value.shape[1]))
        unseen = weights == 0
        for tree in range(self.n_trees):
            votes[unseen[tree]] += self.value[position[tree][unseen[tree]]]
        count = unseen.sum(axis=0)
        some = count > 0
        mean, y = votes[some] / count[some, None], y[some]
        if self.reads == "classes":
            correct = float((mean.argmax(axis=1) == y).sum())
            return Tally({"rows": np.array([float(len(y))]), "correct": np.array([correct])})
        squares = float(((mean[:, 0] - y) ** 2).sum())
        sums = {"rows": float(len(y)), "squares": squares, "y": float(y.sum())}
        sums["y_squares"] = float((y**2).sum())
        return Tally({name: np.array([total]) for name, total in sums.items()})

    def releases(self, n_rows: int) -> Releases | None:
        """Exact sums; no noise is offered."""
        return None

    def accepts(self, answer: Answer) -> bool:
        """One finite number a sum."""
        classes = ("rows", "correct")
        names = classes if self.reads == "classes" else ("rows", "squares", "y", "y_squares")
        return isinstance(answer, Tally) and Parameters(answer.sums).fits(
            Parameters({name: np.zeros(1) for name in names})
        )
