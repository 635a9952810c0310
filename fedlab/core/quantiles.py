"""Order statistics of a federation from counts alone, exact to the last bit.

Floating-point numbers in their order are whole numbers in theirs, so bisection on those finds the
k-th smallest value in a fixed number of steps, whatever the unit and without a range.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fedlab.core.parameters import Array

__all__ = ["medians", "order_statistics"]

Counts = Callable[[Array], Array]
# Cuts of an interval a step: 256 parts a step leave eight steps of 64 bits.
CUTS = 255
LAST = int(np.float64(np.finfo(np.float64).max).view(np.int64))


def _place(value: float) -> int:
    bits = int(np.float64(abs(value)).view(np.int64))
    return bits if value >= 0 else -bits


def _value(place: int) -> float:
    size = float(np.int64(abs(place)).view(np.float64))
    return size if place >= 0 else -size


def order_statistics(counts: Counts, ranks: list[list[int]]) -> Array:
    """The values of given ranks in each column.

    Parameters
    ----------
    counts : callable
        From edges ``(n_columns, n_edges)`` to how many values of a column, over all sites, are at
        most each edge.
    ranks : list of list of int
        Of each column, equally many: 1 is the smallest value, and the largest is their number.

    Returns
    -------
    ndarray of shape (n_columns, n_ranks)
    """
    wanted = [rank for column in ranks for rank in column]
    low, high = [-LAST] * len(wanted), [LAST] * len(wanted)
    while any(below < above for below, above in zip(low, high, strict=True)):
        # In Python's integers: the widest interval is longer than 64 bits with a sign.
        cuts = [
            [below + (above - below) * cut // (CUTS + 1) for cut in range(1, CUTS + 1)]
            for below, above in zip(low, high, strict=True)
        ]
        edges = np.array([[_value(place) for place in places] for places in cuts])
        reached = counts(edges.reshape(len(ranks), -1)).reshape(edges.shape)
        for index, (places, found) in enumerate(zip(cuts, reached, strict=True)):
            enough = int(np.searchsorted(found, wanted[index]))
            high[index] = places[enough] if enough < CUTS else high[index]
            low[index] = min(places[enough - 1] + 1, high[index]) if enough else low[index]
    return np.array([_value(place) for place in low]).reshape(len(ranks), -1)


def medians(counts: Counts, n_columns: int) -> Array:
    """The median of each column over all sites, as numpy would give it for the pooled values.

    Returns
    -------
    ndarray of shape (n_columns,)
        NaN for a column without values.

    Examples
    --------
    >>> pooled = np.array([[3.0, 1.0, 2.5, 9.0]])
    >>> medians(lambda edges: (pooled[:, :, None] <= edges[:, None]).sum(axis=1), 1)
    array([2.75])
    """
    if not n_columns:
        return np.zeros(0)
    sizes = counts(np.full((n_columns, 1), _value(LAST)))[:, 0]
    ranks = [[max(1, (int(size) + 1) // 2), max(1, int(size) // 2 + 1)] for size in sizes]
    found = order_statistics(counts, ranks)
    middle: Array = np.where(sizes[:, None] > 0, found, np.nan).mean(axis=1)
    return middle
