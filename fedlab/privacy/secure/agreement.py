"""Keys that two sites share and nobody else: X25519, then HKDF (RFC 7748, RFC 5869)."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fedlab.errors import SecureSumError

__all__ = ["KEY_BYTES", "KeyPair", "derive"]

KEY_BYTES = 32


@dataclass(frozen=True, repr=False, eq=False)
class KeyPair:
    """An X25519 key pair of one site, one round and one use.

    Examples
    --------
    >>> ours, theirs = KeyPair.fresh(), KeyPair.fresh()
    >>> ours.agree(theirs.public, b"pad") == theirs.agree(ours.public, b"pad")
    True
    """

    secret: bytes
    public: bytes

    def __repr__(self) -> str:
        return "KeyPair(...)"

    @classmethod
    def fresh(cls) -> KeyPair:
        """A new pair from the operating system's entropy."""
        return cls.of(X25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def of(cls, secret: bytes) -> KeyPair:
        """The pair of a secret of 32 bytes."""
        private = X25519PrivateKey.from_private_bytes(secret)
        return cls(secret, private.public_key().public_bytes_raw())

    def agree(self, public: bytes, use: bytes) -> bytes:
        """A key of 32 bytes that the holder of `public` derives too.

        Parameters
        ----------
        public : bytes
            The other's public key.
        use : bytes
            What it is for, protocol, run and round included; both public keys are bound as well.

        Raises
        ------
        SecureSumError
            When `public` is none, or one with which every secret gives zeros (RFC 7748, 6.1).
        """
        try:
            other = X25519PublicKey.from_public_bytes(public)
            shared = X25519PrivateKey.from_private_bytes(self.secret).exchange(other)
        except ValueError:
            raise SecureSumError(
                "Keys must be agreed with a public key of X25519.",
                "bytes that are none, or a point of small order",
                "Leave its sender out.",
            ) from None
        return derive(shared, use, *sorted((self.public, public)))


def derive(secret: bytes, use: bytes, *bound: bytes) -> bytes:
    """A key of 32 bytes for one use, by HKDF with SHA-256.

    Each part of ``info`` is preceded by its length, so that no two lists of parts look alike.
    """
    parts = (use, *bound)
    info = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret)
