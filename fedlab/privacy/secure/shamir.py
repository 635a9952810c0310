"""Shamir's secret sharing over a prime field, in Python's whole numbers (Shamir 1979).

A secret of 32 bytes is the value at 0 of a random polynomial; each holder gets the value at its own
place. As many holders as the polynomial has coefficients find it again, one fewer learn nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from functools import lru_cache

from fedlab.errors import SecureSumError

__all__ = ["PRIME", "SECRET_BYTES", "SHARE_BYTES", "recover", "split"]

PRIME = 2**256 + 297
"""The smallest prime above every secret of 32 bytes."""
SECRET_BYTES, SHARE_BYTES = 32, 33


def split(secret: bytes, places: Sequence[int], threshold: int) -> dict[int, bytes]:
    """A share for each holder, any `threshold` of which give the secret back.

    Parameters
    ----------
    secret : bytes
        Of length 32.
    places : sequence of int
        Where the polynomial is evaluated: from 1, one for each holder.
    threshold : int
        From 1 to the number of holders.

    Raises
    ------
    SecureSumError
        When the secret has another length, a place is 0 or repeated, or the threshold is out of
        its range.

    Examples
    --------
    >>> shares = split(b"k" * 32, places=[1, 2, 3], threshold=2)
    >>> recover({1: shares[1], 3: shares[3]}, threshold=2) == b"k" * 32
    True
    """
    _check_places(places)
    if len(secret) != SECRET_BYTES:
        raise SecureSumError(
            f"A secret that is shared has {SECRET_BYTES} bytes.",
            f"{len(secret)}",
            "Derive a key of that length from it.",
        )
    if not 1 <= threshold <= len(places):
        raise SecureSumError(
            f"The threshold of a secret lies between 1 and its {len(places)} holders.",
            f"{threshold}",
            "Choose another threshold.",
        )
    chance = [secrets.randbelow(PRIME) for _ in range(threshold - 1)]
    coefficients = [*chance, int.from_bytes(secret, "big")]
    shares = {}
    for place in places:
        value = 0
        for coefficient in coefficients:
            value = (value * place + coefficient) % PRIME
        shares[place] = value.to_bytes(SHARE_BYTES, "big")
    return shares


def recover(shares: Mapping[int, bytes], threshold: int) -> bytes:
    """The secret that `shares` are of, by Lagrange's formula at 0.

    The first `threshold` of them by their places are used.

    Raises
    ------
    SecureSumError
        When there are too few, one has a wrong length or value, or they are of no secret.
    """
    if len(shares) < threshold:
        raise SecureSumError(
            f"A secret needs {threshold} shares.", f"{len(shares)}", "Ask more holders."
        )
    places = tuple(sorted(shares)[:threshold])
    _check_places(places)
    values = [int.from_bytes(shares[place], "big") for place in places]
    sized = all(len(shares[place]) == SHARE_BYTES for place in places)
    if not sized or any(value >= PRIME for value in values):
        raise SecureSumError(
            f"A share has {SHARE_BYTES} bytes and a value below the prime.",
            "a share that has not",
            "Leave its sender out.",
        )
    weighted = zip(_weights(places), values, strict=True)
    secret = sum(weight * value for weight, value in weighted) % PRIME
    if secret >= 2 ** (8 * SECRET_BYTES):
        raise SecureSumError(
            "Shares of one secret must lie on one polynomial.",
            "shares that do not",
            "One holder sent a wrong share; nothing was opened.",
        )
    return secret.to_bytes(SECRET_BYTES, "big")


@lru_cache(maxsize=1024)
def _weights(places: tuple[int, ...]) -> tuple[int, ...]:
    weights = []
    for here in places:
        above = below = 1
        for other in places:
            if other != here:
                above = above * other % PRIME
                below = below * (other - here) % PRIME
        weights.append(above * pow(below, -1, PRIME) % PRIME)
    return tuple(weights)


def _check_places(places: Sequence[int]) -> None:
    if len(set(places)) < len(places) or not all(0 < place < PRIME for place in places):
        raise SecureSumError(
            "Each holder of a share has a place of its own, from 1.",
            "place 0, or two holders at one place",
            "Number the holders from 1.",
        )
