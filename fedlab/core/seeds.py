"""Randomness that depends on what it is for, never on who came first."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np

__all__ = ["generator"]


def generator(*purpose: str | int) -> np.random.Generator:
    """Random numbers for one purpose, such as ``(seed, round, site, use)``.

    The purpose is hashed whole, so seeds of any size count with all their bits.

    Examples
    --------
    >>> generator(7, 1, "mercy", "batches").permutation(5)
    array([...])
    >>> generator(7, 1, "mercy", "noise").normal() == generator(7, 1, "mercy", "noise").normal()
    True
    """
    digest = hashlib.sha256(msgspec.json.encode([str(part) for part in purpose])).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
