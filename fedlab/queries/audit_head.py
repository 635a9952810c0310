"""Ask a site where its records stand, signed; reads no row."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from fedlab.privacy import Releases
from fedlab.privacy.secure.signatures import signed_by
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = ["AuditHead", "ReadAuditHead", "head_text", "labelled"]

HASH_BYTES = 32


def labelled(*parts: str | bytes | int) -> bytes:
    """Each part after its length, so that no two lists of parts give the same bytes.

    Examples
    --------
    >>> labelled("ab", "c") == labelled("a", "bc")
    False
    """
    texts = [p if isinstance(p, bytes) else str(p).encode("utf-8", "surrogatepass") for p in parts]
    return b"".join(len(text).to_bytes(8, "big") + text for text in texts)


class AuditHead(Answer, msgspec.Struct, frozen=True, eq=False, tag=True, kw_only=True):
    """The last entry of a site's records, which stands for all entries before it.

    Kept elsewhere, it shows whether the records were changed, cut off or rolled back since.

    Attributes
    ----------
    site : str
    sequence : int
        Number of the entry, from 1.
    hash : bytes
        SHA-256 over the entry and the hash of the one before.
    identity, signature : bytes
        The site's Ed25519 public key, and its signature of the above.
    """

    site: str
    sequence: int
    hash: bytes
    identity: bytes
    signature: bytes

    @property
    def signed(self) -> bytes:
        """What the signature is over."""
        return head_text(self.site, self.sequence, self.hash)

    @property
    def sound(self) -> bool:
        """Whether the holder of the identity signed it."""
        return signed_by(self.identity, self.signature, self.signed)


def head_text(site: str, sequence: int, digest: bytes) -> bytes:
    """What a site signs of a head."""
    return labelled("fedlab audit head 1", site, sequence, digest)


class ReadAuditHead(Query, msgspec.Struct, frozen=True, tag=True):
    """Where the site's records stand; answered by the door itself.

    Attributes
    ----------
    at : int
        Number of an earlier entry, to see whether it is still what it was; 0 for the last.
    """

    purpose: ClassVar[str] = "audit"
    reads_rows: ClassVar[bool] = False

    at: int = 0

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Not computed from rows."""
        raise TypeError("a head is read from the records, not computed")

    def releases(self, n_rows: int) -> Releases | None:
        """Nothing about a row is released."""
        return Releases(0)

    def accepts(self, answer: Answer) -> bool:
        """A head of an entry, signed by the identity in it."""
        return (
            isinstance(answer, AuditHead)
            and answer.sequence > 0
            and len(answer.hash) == HASH_BYTES
            and answer.sound
        )
