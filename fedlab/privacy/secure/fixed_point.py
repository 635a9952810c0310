"""Numbers as whole multiples of a step, modulo 2^64, so that sums have no rounding and no order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fedlab.core.parameters import Array
from fedlab.errors import SecureSumError
from fedlab.privacy.secure.pads import Ring

__all__ = ["count", "largest", "quantise", "read_sum"]

HALF = 2**63


def largest(n_sites: int) -> int:
    """The largest whole number of which `n_sites` still add up below 2^63.

    Examples
    --------
    >>> largest(1) == 2**63 - 1
    True
    """
    return (HALF - 1) // n_sites


def quantise(values: Array, bits: int, n_sites: int) -> Ring:
    """Each value as the nearest multiple of ``2**-bits``, ties to even.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
    bits : int
        Binary digits after the point.
    n_sites : int
        How many such vectors will be added.

    Raises
    ------
    SecureSumError
        When a value is not finite, or so large that a sum of such values might overflow.

    Examples
    --------
    >>> read_sum(quantise(np.array([1.5, -2.2]), 1, n_sites=3), 1)
    array([ 1.5, -2. ])
    """
    # Scaling by a power of two is exact, so that overflow is seen before anything is rounded.
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.multiply(values, 2.0**bits, dtype=np.float64)
        np.rint(scaled, out=scaled)
        _check(scaled, n_sites, lambda: bool(np.isfinite(values).all()))
    return scaled.astype(np.int64).view(np.uint64)


def count(values: np.ndarray[Any, np.dtype[np.int64]], n_sites: int) -> Ring:
    """Whole numbers as they are.

    Raises
    ------
    SecureSumError
        When a sum of such values might overflow.
    """
    _check(values, n_sites, lambda: True)
    return values.view(np.uint64).copy()


def read_sum(total: Ring, bits: int) -> Array:
    """What a sum of quantised values stands for, rounded to a double."""
    return np.ldexp(total.view(np.int64).astype(np.float64), -bits)


def _check(whole: np.ndarray[Any, np.dtype[Any]], n_sites: int, finite: Callable[[], bool]) -> None:
    if not whole.size:
        return
    # Both are NaN where any value is. Python compares them exactly, whatever their kind.
    top, bottom = whole.max().item(), whole.min().item()
    if max(top, -bottom) <= largest(n_sites):
        return
    if not finite():
        raise SecureSumError(
            "Only finite values can be summed.",
            "NaN or infinity",
            "Lower the learning rate, or check the data.",
        )
    raise SecureSumError(
        f"Values of {n_sites} sites must add up to less than 2^63 steps.",
        "a value that is larger than its share",
        "Use fewer digits, e.g. fl.SecureSum(bits=20), or scale the target.",
    )
