"""Who shares masks and secrets with whom: everybody, or in large cohorts a few neighbours each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

__all__ = ["SPARSE_FROM", "connected", "neighbours", "sparse_degree"]

SPARSE_FROM = 30
"""From so many sites up a complete graph costs more than it protects."""
DROPOUT_SHARE = 0.2
FAILURE = 1e-6


def neighbours(sites: Sequence[str], degree: int, beacon: bytes) -> dict[str, tuple[str, ...]]:
    """The neighbours of each site, sorted.

    A Harary graph on an order of the sites that `beacon` decides: each site and the ``degree / 2``
    on either side of it (Bell et al. 2020, section 3). Nobody may choose the beacon alone.

    Parameters
    ----------
    sites : sequence of str
    degree : int
        Even; 0 for all other sites.
    beacon : bytes

    Examples
    --------
    >>> neighbours(["a", "b", "c"], 0, b"")["b"]
    ('a', 'c')
    """
    if degree == 0 or degree >= len(sites) - 1:
        return {site: tuple(sorted(set(sites) - {site})) for site in sites}
    ring = sorted(sites, key=lambda site: hashlib.sha256(beacon + site.encode()).digest())
    reach = [step for step in range(-degree // 2, degree // 2 + 1) if step]
    return {
        site: tuple(sorted(ring[(here + step) % len(ring)] for step in reach))
        for here, site in enumerate(ring)
    }


def sparse_degree(n_sites: int) -> int:
    """The smallest even degree at which dropouts leave every site enough neighbours.

    With a fifth of the sites dropping out at random, the probability that any site keeps no more
    than half of the holders of its secrets is at most one in a million, by the hypergeometric tail
    and the union bound (Bell et al. 2020, section 3.4). 0, all others, for small cohorts.

    Examples
    --------
    >>> sparse_degree(20), sparse_degree(100) < 50
    (0, True)
    """
    if n_sites < SPARSE_FROM:
        return 0
    from scipy.stats import hypergeom

    gone = int(DROPOUT_SHARE * n_sites)
    for degree in range(4, n_sites - 1, 2):
        # Of the site and its neighbours, more than half must be there.
        lost = hypergeom(n_sites - 1, gone, degree).sf((degree + 1) - (degree + 1) // 2 - 2)
        if n_sites * lost <= FAILURE:
            return degree
    return 0


def connected(sites: Sequence[str], graph: Mapping[str, Sequence[str]]) -> bool:
    """Whether masks tie all of `sites` together, so that no part of them has a sum of its own."""
    left = set(sites)
    waiting = [left.pop()] if left else []
    while waiting:
        found = left.intersection(graph[waiting.pop()])
        left -= found
        waiting += found
    return not left
