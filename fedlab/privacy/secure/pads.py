"""Pads: as many numbers modulo 2^64 as there are values, from a key, by AES-256 counter mode."""

from __future__ import annotations

from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

__all__ = ["Ring", "add_pad", "pad"]

Ring = np.ndarray[Any, np.dtype[np.uint64]]
"""Numbers modulo 2^64."""

# A piece stays in the processor's cache between being made and being added.
PIECE = 1 << 15
BLOCK_BYTES = 16
ZEROS = bytes(8 * PIECE)


def add_pad(values: Ring, key: bytes, *, subtract: bool = False) -> None:
    """Add the pad of `key` to `values`, in place.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
    key : bytes
        Of length 32, used for one pad only: the counter starts at 0.
    subtract : bool
        Take the pad away instead.

    Examples
    --------
    >>> values = np.array([5, 7], dtype=np.uint64)
    >>> add_pad(values, b"k" * 32)
    >>> add_pad(values, b"k" * 32, subtract=True)
    >>> values
    array([5, 7], dtype=uint64)
    """
    stream = Cipher(AES256(key), CTR(bytes(BLOCK_BYTES))).encryptor()
    room = bytearray(8 * PIECE + BLOCK_BYTES - 1)
    made = np.frombuffer(room, "<u8", PIECE)
    join = np.subtract if subtract else np.add
    for begin in range(0, len(values), PIECE):
        piece = values[begin : begin + PIECE]
        stream.update_into(memoryview(ZEROS)[: 8 * len(piece)], room)
        join(piece, made[: len(piece)], out=piece)


def pad(key: bytes, n_values: int) -> Ring:
    """The pad of `key`, shape ``(n_values,)``."""
    values = np.zeros(n_values, dtype=np.uint64)
    add_pad(values, key)
    return values
