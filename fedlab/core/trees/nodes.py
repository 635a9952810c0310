"""Nodes of many trees as one table: named arrays in a state, and how rows go down them.

Nodes stand in the order in which they were made, so that a table only grows at its end and a node
keeps its number. The right child stands behind the left one. ``roots`` says where trees begin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

from fedlab.core.parameters import Array, Parameters
from fedlab.core.trees.bins import Bins
from fedlab.core.trees.keys import Ints, as_single
from fedlab.errors import TrainingError

__all__ = ["Nodes", "add_children", "empty_table", "frozen", "nodes_of", "reached", "subtree"]


class Nodes(msgspec.Struct, frozen=True, eq=False):
    """What sites need of the trees to send rows down them, by number of bin.

    Attributes
    ----------
    feature, cut, left, missing_left : ndarray of shape (n_nodes,)
        ``feature`` and ``left`` are -1 at a leaf.
    """

    feature: np.ndarray[Any, np.dtype[Any]]
    cut: np.ndarray[Any, np.dtype[Any]]
    left: np.ndarray[Any, np.dtype[Any]]
    missing_left: np.ndarray[Any, np.dtype[Any]]

    def __len__(self) -> int:
        return len(self.left)

    def extends(self, other: Nodes) -> bool:
        """Whether these are the nodes of `other`, of which only leaves may have been split."""
        from fedlab.core.trees import walking

        return walking.grown_from(*self.writable(), *other.writable())

    def writable(self) -> tuple[Ints, Ints, Ints, Ints]:
        """The four arrays; copies of those off the wire, for which numba would compile anew."""
        feature, cut, left, missing_left = (
            array if array.flags.writeable else np.array(array)
            for array in (self.feature, self.cut, self.left, self.missing_left)
        )
        return feature, cut, left, missing_left


def empty_table(n_roots: int, values: Array) -> dict[str, Array]:
    """Trees of one leaf each, which say `values`, ``(n_outputs,)``."""
    whole = np.zeros(n_roots)
    return {
        "roots": np.arange(n_roots, dtype=np.float64),
        "feature": whole - 1,
        "threshold": whole,
        "left": whole - 1,
        "missing_left": whole,
        "value": np.tile(values, (n_roots, 1)),
        "count": whole,
        "weight": whole,
        "impurity": whole,
        "gain": whole,
    }


def add_children(
    table: Mapping[str, Array], split: Ints, fields: Mapping[str, Array]
) -> tuple[dict[str, Array], Ints]:
    """Give each node of `split` two children, with `fields` of shape ``(2 * n_split, ...)``.

    Returns
    -------
    table : dict of str to ndarray
    left : ndarray of shape (n_split,)
        Number of each left child.
    """
    n_before, n_new = len(table["left"]), 2 * len(split)
    grown: dict[str, Array] = {}
    for name, old in table.items():
        if name == "roots":
            grown[name] = old
            continue
        blank = -1.0 if name in ("feature", "left") else 0.0
        new = fields.get(name, np.full((n_new, *old.shape[1:]), blank))
        grown[name] = np.concatenate([old, new])
    left = n_before + 2 * np.arange(len(split))
    grown["left"][split] = left
    return grown, left


def frozen(table: Mapping[str, Array]) -> Parameters:
    """A table that nobody writes to any more, as parameters without another copy."""
    for values in table.values():
        values.setflags(write=False)
    return Parameters(table)


def nodes_of(table: Mapping[str, Array], bins: Bins) -> Nodes:
    """The nodes of a table, thresholds as numbers of cuts."""
    feature = table["feature"].astype(np.int32)
    return Nodes(
        feature,
        bins.cut_of(feature, table["threshold"]),
        table["left"].astype(np.int32),
        table["missing_left"].astype(np.uint8),
    )


def reached(parameters: Parameters, x: Array) -> Iterator[Ints]:
    """The leaf that each row comes to, ``(n_samples,)``, tree by tree; the array is reused."""
    from fedlab.core.trees import walking

    single = np.ascontiguousarray(as_single(x))
    feature = parameters["feature"].astype(np.int32)
    threshold = parameters["threshold"].astype(np.float32)
    left = parameters["left"].astype(np.int32)
    missing_left = parameters["missing_left"].astype(np.uint8)
    found = np.empty(len(x), dtype=np.int32)
    roots = parameters["roots"].astype(np.int64)
    shapes = {array.shape for array in (feature, threshold, left, missing_left)}
    inside = ((roots >= 0) & (roots < len(left))).all()
    if len(shapes) > 1 or not inside or not walking.is_sound(feature, left, x.shape[1]):
        raise TrainingError(
            "Trees must be whole.",
            "nodes that do not fit each other",
            "Use parameters that a run of this version has grown.",
        )
    for root in roots:
        walking.leaves(single, int(root), feature, threshold, left, missing_left, found)
        yield found


def subtree(left: Ints, root: int) -> tuple[Ints, Ints]:
    """Nodes of one tree, level by level from its root, and the depth of each."""
    levels = [np.array([root])]
    while True:
        parents = levels[-1][left[levels[-1]] >= 0]
        if not len(parents):
            break
        children = left[parents]
        levels.append(np.column_stack([children, children + 1]).ravel())
    depth = np.repeat(np.arange(len(levels)), [len(level) for level in levels])
    return np.concatenate(levels), depth
