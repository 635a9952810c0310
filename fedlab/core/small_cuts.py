"""Whether two tellings of the same patients, put together, tell of a few of them.

Each telling parts the patients into groups, all of whose sums are known. Take any groups of the
one and any of the other: the patients who are in the first union and not in the second, or the
other way round, are those whose sums follow by a subtraction. Draw each group as a node, and
between a group of the one and a group of the other an edge that weighs the patients they share:
then those patients are a cut of the graph. So no difference is of fewer patients than the minimum,
unless of none, when no component of the graph has a cut lighter than that (Stoer and Wagner 1997,
"A simple min-cut algorithm", Journal of the ACM 44(4)). It covers complements, and with them the
trackers of Denning, Denning and Schwartz 1979 ("The tracker: a threat to statistical database
security", ACM TODS 4(1)), as far as they take two tellings.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fedlab.core.parameters import Array

__all__ = ["ROUNDING", "Cut", "Overlaps", "cut_of", "small_cut"]

Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
ROUNDING = 1e-9
MOST_NODES = 2000
"""Groups that share few with each other, up to which the lightest cut is looked for."""


class Cut(NamedTuple):
    """The groups on one side, of the one telling and of the other.

    Attributes
    ----------
    first : ndarray of bool of shape (n_first,)
    second : ndarray of bool of shape (n_second,)
    near : ndarray of shape (n_first,)
        Patients that each group of the one shares with those groups of the other that are cut.
    """

    first: Flags
    second: Flags
    near: Array


class Overlaps(NamedTuple):
    """Which groups share patients, and how many.

    Attributes
    ----------
    first, second : ndarray of int of shape (n_overlaps,)
    patients : ndarray of shape (n_overlaps,)
        Above 0.
    n_first, n_second : int
        Number of groups.
    """

    first: Any
    second: Any
    patients: Any
    n_first: int
    n_second: int


def small_cut(shared: Array, minimum: int) -> Cut | None:
    """A difference of fewer than `minimum` patients but not of none; None where there is none.

    Parameters
    ----------
    shared : ndarray of shape (n_first, n_second)
        How many patients each two groups share.
    minimum : int

    Examples
    --------
    >>> small_cut(np.array([[60.0, 0.0], [3.0, 40.0]]), 11)
    Cut(first=array([False,  True]), second=array([False,  True]), near=array([60.,  3.]))
    >>> small_cut(np.array([[60.0, 0.0], [13.0, 40.0]]), 11) is None
    True
    """
    one, two = np.nonzero(shared)
    return cut_of(Overlaps(one, two, shared[one, two], *shared.shape), minimum)


def cut_of(overlaps: Overlaps, minimum: int) -> Cut | None:
    """The same for overlaps in a list. Of a graph that is too large, some cut, heavy or not."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    least = minimum - ROUNDING
    if not (overlaps.patients < least).any():
        return None
    ends = np.stack([overlaps.first, overlaps.second + overlaps.n_first])
    weights: Any = overlaps.patients
    node: Any = np.arange(overlaps.n_first + overlaps.n_second)
    # Who shares as many as the minimum is never cut apart.
    while (heavy := weights >= least).any():
        size = int(node.max()) + 1
        graph = csr_array((np.ones(heavy.sum()), ends[:, heavy]), shape=(size, size))
        _, part = connected_components(graph, directed=False)
        node = part[node]
        ends, weights = _merged(part[ends], weights)
    if not len(weights):
        return None
    size = int(node.max()) + 1
    graph = csr_array((weights, ends), shape=(size, size))
    n_parts, part = connected_components(graph, directed=False)
    for number in range(n_parts):
        nodes = np.flatnonzero(part == number)
        side: Any = None
        if len(nodes) > MOST_NODES:
            side = [int(np.argmin(np.asarray((graph + graph.T)[nodes].sum(axis=1))))]
        elif len(nodes) > 1:
            side = _light_side(graph[nodes][:, nodes].toarray(), least)
        if side is not None:
            on = np.isin(node, nodes[side])
            first, second = on[: overlaps.n_first], on[overlaps.n_first :]
            crossing = first[overlaps.first] != second[overlaps.second]
            cut = np.isin(overlaps.second, overlaps.second[crossing])
            near = np.bincount(overlaps.first, overlaps.patients * cut, minlength=len(first))
            return Cut(first, second, near.astype(np.float64))
    return None


def _merged(ends: Any, weights: Any) -> tuple[Any, Any]:
    """Edges within a node gone, and those between the same two added."""
    ends = np.sort(ends, axis=0)
    apart = ends[0] != ends[1]
    pairs, place = np.unique(ends[:, apart], axis=1, return_inverse=True)
    return pairs, np.bincount(np.ravel(place), weights[apart], minlength=pairs.shape[1])


def _light_side(graph: Array, least: float) -> Any:
    """Nodes on one side of some cut lighter than `least` of a connected graph, or None."""
    weights = graph + graph.T
    members = [[i] for i in range(len(weights))]
    while len(members) > 1:
        order, reach = _phase(weights)
        # The last one is cut from the one before it by all of its edges, at best.
        if reach[-1] < least:
            return members[order[-1]]
        # No lighter cut parts two neighbours in this order than what the second reaches, see
        # Nagamochi and Ibaraki 1992, "Computing edge-connectivity in multigraphs", lemma 2.1.
        group = np.empty(len(order), dtype=np.int64)
        group[order] = np.cumsum(reach < least) - 1
        into = (group == np.arange(group.max() + 1)[:, None]).astype(np.float64)
        weights = into @ weights @ into.T
        np.fill_diagonal(weights, 0.0)
        members = [[i for each in np.flatnonzero(row) for i in members[each]] for row in into]
    return None


def _phase(weights: Array) -> tuple[Any, Array]:
    """Nodes in the order in which each is tied most to those before it, and how much that is."""
    order = np.zeros(len(weights), dtype=np.int64)
    reach, reached = weights[0].copy(), np.zeros(len(weights))
    reach[0] = -np.inf
    for place in range(1, len(weights)):
        closest = int(np.argmax(reach))
        order[place], reached[place] = closest, reach[closest]
        reach += weights[closest]
        reach[closest] = -np.inf
    return order, reached
