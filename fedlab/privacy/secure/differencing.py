"""Whether sums of one question, taken together, would tell what fewer than three sites answered.

Sums over lists of survivors, each site with its weight, are the rows of a matrix; whoever has them
has every combination of them. A combination in which only one or two sites are left tells their
answers. The two sums of Pasquini et al. 2022 (arXiv 2111.07380) and of So et al. 2021 (arXiv
2106.03328) that differ by one site are the simplest case; other weights, and three sums of which no
two are close, are as good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from fedlab.privacy.secure.setting import LEAST_SITES

__all__ = ["tells_few"]

# Elimination modulo a prime above every weight; that a rank drops by chance has odds of 2^-61.
PRIME = 2**61 - 1


def tells_few(sums: Sequence[Mapping[str, int]]) -> bool:
    """Whether some combination of `sums` has more than no and fewer than three sites in it.

    Parameters
    ----------
    sums : sequence of mapping of str to int
        The weight of each site that is in the sum, for each sum.

    Examples
    --------
    >>> tells_few([{"a": 1, "b": 1, "c": 1, "d": 1}, {"a": 1, "b": 1, "c": 1}])
    True
    >>> tells_few([{"a": 1, "b": 1, "c": 1}, {"d": 1, "e": 1, "f": 1}])
    False
    """
    sites = sorted(set().union(*sums))
    rows = [[each.get(site, 0) % PRIME for site in sites] for each in sums]
    basis = _reduced(rows)
    few = min(LEAST_SITES - 1, len(sites))
    return any(
        len(_reduced([[v for at, v in enumerate(row) if at not in left] for row in basis]))
        < len(basis)
        for left in combinations(range(len(sites)), few)
    )


def _reduced(rows: list[list[int]]) -> list[list[int]]:
    """Independent rows that span the same."""
    waiting, found = [row for row in rows if any(row)], []
    while waiting:
        first = waiting.pop()
        at = next(here for here, value in enumerate(first) if value)
        inverse = pow(first[at], -1, PRIME)
        found.append(first)
        left = []
        for row in waiting:
            factor = row[at] * inverse % PRIME
            rest = [(v - factor * f) % PRIME for v, f in zip(row, first, strict=True)]
            if any(rest):
                left.append(rest)
        waiting = left
    return found
