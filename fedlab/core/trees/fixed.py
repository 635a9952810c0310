"""Numbers as whole multiples of a unit, whose sums are exact in any order.

Floating-point sums depend on the order of rows and sites in their last bits, and a tree that meets
a tie would then depend on it too. Sums of 64-bit whole numbers do not, and a secure sum can hide
them as they are.
"""

from __future__ import annotations

import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.trees.keys import Ints

__all__ = ["SUM_BITS", "hessian_bits", "scaled_target"]

SUM_BITS = 28
"""A value of size 1 is 2^28 units: sums of 2^33 rows fit, with twice the digits of float32."""


def scaled_target(y: Array, center: float, half: float) -> tuple[Ints, Ints]:
    """``(y - center) / half`` and its square in units of ``2 ** -SUM_BITS``."""
    scaled = (y - center) / half
    unit = 2.0**SUM_BITS
    return np.rint(scaled * unit).astype(np.int64), np.rint(scaled**2 * unit).astype(np.int64)


def hessian_bits(rows: int) -> tuple[int, int]:
    """Bits of a hessian's fraction, and where the count of rows begins in the same number.

    Hessians are at most 1/4, so ``n`` rows sum to less than ``n 2^(bits - 2)``; the count above
    them takes as many bits as `rows` has, and a sign bit stays free.

    Examples
    --------
    >>> hessian_bits(100_000)
    (30, 45)
    """
    length = rows.bit_length()
    bits = min(30, 65 - 2 * length - 1)
    return bits, bits - 2 + length
