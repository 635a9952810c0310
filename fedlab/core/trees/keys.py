"""Numbers in single precision as whole numbers of the same order.

scikit-learn's forests and ONNX's tree operators compare in single precision. Rounding to it first
means that a row takes the same way everywhere; and 32 ordered bits can be counted digit by digit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fedlab.core.parameters import Array

__all__ = ["BITS", "LARGEST", "Ints", "as_single", "floats_of", "keys_of", "largest_key"]

Ints = np.ndarray[Any, np.dtype[Any]]
"""Whole numbers of any width."""

BITS = 32
LARGEST = float(np.finfo(np.float32).max)


def as_single(x: Array) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Round to single precision; NaN stays, what is too large becomes the largest, -0 becomes 0."""
    rounded: np.ndarray[Any, np.dtype[np.float32]] = np.clip(x, -LARGEST, LARGEST).astype(
        np.float32
    ) + np.float32(0)
    return rounded


def keys_of(x: Array) -> Ints:
    """Whole numbers from 0 to 2^32 - 1 in the order of `x`, which holds no NaN.

    The sign bit is turned over, and for negative numbers all others too, so that the bits of IEEE
    754 rise with the number.

    Examples
    --------
    >>> bool((np.diff(keys_of(np.array([-2.0, -0.5, 0.0, 1e-9, 3.0]))) > 0).all())
    True
    """
    bits = as_single(x).view(np.uint32)
    negative = bits >> np.uint32(31) == 1
    return np.where(negative, ~bits, bits | np.uint32(1 << 31)).astype(np.int64)


def floats_of(keys: Ints) -> Array:
    """The numbers that have these keys; undoes `keys_of`."""
    bits = np.asarray(keys).astype(np.uint32)
    negative = bits >> np.uint32(31) == 0
    original = np.where(negative, ~bits, bits & np.uint32((1 << 31) - 1)).astype(np.uint32)
    return original.view(np.float32).astype(np.float64)


def largest_key() -> int:
    """Key of the largest finite number."""
    return int(keys_of(np.array([LARGEST]))[0])
