"""Sealed messages from one site to another, which the coordinator carries and cannot read."""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fedlab.errors import SecureSumError

__all__ = ["open_sealed", "seal"]

NONCE_BYTES = 12


def seal(key: bytes, context: bytes, text: bytes) -> bytes:
    """Encrypt and authenticate by AES-256-GCM, bound to `context`.

    Parameters
    ----------
    key : bytes
        Of length 32, of one round and direction.
    context : bytes
        What both sides know and nobody may change: the sum, sender, receiver and kind.
    text : bytes

    Examples
    --------
    >>> open_sealed(b"k" * 32, b"a to b", seal(b"k" * 32, b"a to b", b"share"))
    b'share'
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, text, context)


def open_sealed(key: bytes, context: bytes, sealed: bytes) -> bytes:
    """Decrypt what `seal` gave.

    Raises
    ------
    SecureSumError
        When a byte was changed, or it was sealed for another context.
    """
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise SecureSumError(
            "A sealed message must arrive as it was sent.",
            "one that was changed, or sealed for another sum or site",
            "Start the sum again; nothing was opened.",
        ) from None
