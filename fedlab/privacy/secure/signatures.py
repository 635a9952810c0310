"""Signatures of sites: Ed25519 (RFC 8032)."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["Identity", "signed_by"]


class Identity:
    """What a site signs with.

    Examples
    --------
    >>> mercy = Identity.fresh()
    >>> signed_by(mercy.public, mercy.sign(b"whole"), b"whole")
    True
    """

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()

    @classmethod
    def fresh(cls) -> Identity:
        """A new one from the operating system's entropy."""
        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    def __repr__(self) -> str:
        return f"Identity({self.public.hex()[:16]}…)"

    @property
    def secret(self) -> bytes:
        """The 32 bytes to keep where nobody else reads."""
        return self._key.private_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """Signature of `data`, 64 bytes."""
        return self._key.sign(data)


def signed_by(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether `signature` over `data` was made by the holder of the key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
