"""The five questions of a secure sum, and what a site says to each."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

import msgspec
import numpy as np

from fedlab.core.wire import encode
from fedlab.privacy import RecordDP, Releases, SiteDP
from fedlab.privacy.secure.member import Opening
from fedlab.privacy.secure.setting import Advert, Setting
from fedlab.privacy.secure.shamir import SHARE_BYTES
from fedlab.queries.audit_head import labelled
from fedlab.queries.packing import Pattern
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = [
    "Advertise",
    "Advertised",
    "Confirm",
    "Confirmed",
    "Mask",
    "Masked",
    "Open",
    "Opened",
    "SecureStep",
    "ShareSecrets",
    "Shared",
    "digest_of_promise",
]


# Two shares with their names, sealed: whatever is longer holds something else.
MOST_SEALED = 256


def digest_of_promise(privacy: RecordDP | SiteDP | None) -> bytes:
    """What a `Setting` holds of the promise, so that all sites know it to be one."""
    return b"" if privacy is None else hashlib.sha256(encode(privacy)).digest()


class SecureStep(Query):
    """A step of a secure sum. Sites answer it from what they hold of the sum, not from rows.

    Attributes
    ----------
    digest : bytes
        Of the sum's `Setting`.
    """

    __slots__ = ()

    purpose: ClassVar[str] = "secure sum"
    reads_rows: ClassVar[bool] = False

    digest: bytes

    @property
    def about(self) -> bytes:
        """What a reply to it is signed as being about."""
        return labelled(type(self).__name__, self.digest)

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Never asked: the site answers it."""
        raise TypeError("a step of a secure sum is answered by the site")

    def releases(self, n_rows: int) -> Releases | None:
        """Nothing of its own."""
        return None


class Advertised(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """A site's fresh keys."""

    advert: Advert


class Advertise(SecureStep, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Take part in a sum of answers to `query`.

    Attributes
    ----------
    setting : Setting
    query : Query
        Whose answers will be added.
    privacy : RecordDP, SiteDP or None
        The promise they must keep, or, about sites, their sum.
    """

    digest: bytes
    setting: Setting
    query: Query
    privacy: RecordDP | SiteDP | None = None

    def accepts(self, answer: Answer) -> bool:
        """Keys of the right length."""
        if not isinstance(answer, Advertised):
            return False
        advert = answer.advert
        lengths = [len(each) for each in (advert.seal, advert.pad, advert.promise)]
        return lengths == [32, 32, 32] and len(advert.signature) == 64


class Shared(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Shares of a site's secrets, sealed for each neighbour."""

    sealed: dict[str, bytes]


class ShareSecrets(SecureStep, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Whose keys came: share your secrets among your neighbours."""

    digest: bytes
    adverts: dict[str, Advert]

    def accepts(self, answer: Answer) -> bool:
        """Sealed for sites that are there, and no longer than shares are."""
        return (
            isinstance(answer, Shared)
            and set(answer.sealed) <= set(self.adverts)
            and all(len(letter) <= MOST_SEALED for letter in answer.sealed.values())
        )


class Masked(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """A site's values under all its masks.

    Attributes
    ----------
    values : ndarray of shape (n_values,)
        Numbers modulo 2^64, as int64.
    pattern : Pattern
        Kind, names and shapes of the answer.
    """

    values: np.ndarray[Any, np.dtype[Any]]
    pattern: Pattern


class Mask(SecureStep, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Answer the query of the sum, masked, given the shares that neighbours sealed for you."""

    digest: bytes
    sealed: dict[str, bytes]

    def accepts(self, answer: Answer) -> bool:
        """Whole numbers, as many as it says; if they fit the query shows when they are opened."""
        return (
            isinstance(answer, Masked)
            and answer.values.dtype == np.int64
            and answer.values.ndim == 1
            and answer.pattern.size == len(answer.values)
        )


class Confirmed(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """A site's signature under the list of survivors."""

    signature: bytes


class Confirm(SecureStep, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Whose masked values came: sign that list."""

    digest: bytes
    survivors: tuple[str, ...]

    def accepts(self, answer: Answer) -> bool:
        """A signature."""
        return isinstance(answer, Confirmed) and len(answer.signature) == 64


class Opened(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Shares by which the sum can be opened."""

    opening: Opening


class Open(SecureStep, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Who signed the list: give the shares."""

    digest: bytes
    confirmations: dict[str, bytes]

    def accepts(self, answer: Answer) -> bool:
        """Shares, of their length."""
        if not isinstance(answer, Opened):
            return False
        shares = [*answer.opening.pads.values(), *answer.opening.own.values()]
        return all(len(share) == SHARE_BYTES for share in shares)
