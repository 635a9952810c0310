"""Names of groups, as frames and figures have them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise, product

from fedlab.queries.groups import Factor, numeral

__all__ = ["group_names", "level_names", "span"]


def span(low: float, high: float, *, closed: bool = False) -> str:
    """An interval in words.

    Examples
    --------
    >>> span(20, 40), span(40, 60, closed=True), span(-math.inf, 20), span(60, math.inf)
    ('20 to <40', '40 to 60', '<20', '≥60')
    """
    if low == -math.inf:
        return f"<{numeral(high)}"
    if high == math.inf:
        return f"≥{numeral(low)}"
    return f"{numeral(low)} to {'' if closed else '<'}{numeral(high)}"


def level_names(factor: Factor) -> list[str]:
    """The factor's own levels, then missing and unmapped, which no level's own name can be.

    Examples
    --------
    >>> level_names(Factor(column="age", edges=(20, 60, 90)))
    ['20 to <60', '60 to 90', '(missing)', '(unmapped)']
    >>> level_names(Factor(column="ward", values=("(missing)",)))
    ['(missing)', '((missing))', '((unmapped))']
    """
    own = list(factor.values)
    if not own:
        pairs = list(pairwise(factor.edges))
        own = [span(low, high, closed=i == len(pairs) - 1) for i, (low, high) in enumerate(pairs)]
    missing, unmapped = "(missing)", "(unmapped)"
    while {missing, unmapped} & set(own):
        missing, unmapped = f"({missing})", f"({unmapped})"
    return [*own, missing, unmapped]


def group_names(factors: Sequence[Factor]) -> list[tuple[str, ...]]:
    """The levels of each cell of a cross of factors, in the order of its cells."""
    return list(product(*(level_names(factor) for factor in factors)))
