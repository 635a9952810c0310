"""The two messages between coordinator and site. Their bytes are all that ever crosses."""

from __future__ import annotations

import hashlib

import msgspec

from fedlab.core.wire import encode, encoded_size
from fedlab.errors import RefusedError
from fedlab.privacy import Event, RecordDP, SiteDP
from fedlab.privacy.secure.signatures import Identity, signed_by
from fedlab.queries.audit_head import labelled
from fedlab.queries.query import Answer, Query

__all__ = ["REFUSALS", "Refusal", "Reply", "Request"]

REFUSALS = {
    "misaddressed": "the request names another site",
    "unfit": "the request asks for columns the site does not have",
    "cohort": "too few rows",
    "differencing": "with an earlier answer it would tell of too few patients",
    "parameters": "too many parameters for so few patients",
    "no-sensitivity": "no noise makes this answer private",
    "exact": "the site's policy forbids answers without noise",
    "times": "the site's policy forbids times as fine as these",
    "values": "the site's policy forbids counts that tell single values",
    "rounds": "more rounds than the noise was calibrated to",
    "budget": "the site's privacy budget does not allow it",
    "reveal": "the site's answers leave only within a secure sum",
    "secure": "the secure sum must not go on",
    "signature": "the request is not signed by an actor the site knows",
    "replay": "the request was seen before, or comes after a later one",
    "role": "the actor's role does not allow the request",
    "purpose": "the site's policy forbids the purpose",
    "query": "the site's policy forbids the kind of query",
    "columns": "the site's policy forbids a column",
    "approval": "the data owner has not approved it, or no longer does",
    "consent": "no patient has consented to the purpose",
    "absent": "the site did not answer",
    "failed": "the computation failed at the site",
    "model": "the site does not run such a model file",
    "limits": "the model was stopped at the site's limits",
}
"""Why a site may say no, by code."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A question to one site.

    Attributes
    ----------
    site, run : str
        Who is asked, and the run it is part of.
    round : int
    seed : int
        The federation's seed; a site derives its randomness from seed, round and its own name.
    query : Query
    privacy : RecordDP, SiteDP or None
        The promise that the answer must keep.
    rehearsal : bool
        Ask only whether it would be answered. Reads no row and costs nothing.
    actor : str
        Who asks, by the name that the site's policy knows.
    sequence : int
        Rises from one request of an actor to the next; a site takes each number once.
    signature : bytes
        Of the actor over all of the above, or empty.
    """

    site: str
    run: str
    round: int
    seed: int
    query: Query
    privacy: RecordDP | SiteDP | None = None
    rehearsal: bool = False
    actor: str = ""
    sequence: int = 0
    signature: bytes = b""

    def signed(self, actor: str, sequence: int, identity: Identity) -> Request:
        """The request as `actor` sends it."""
        request = msgspec.structs.replace(self, actor=actor, sequence=sequence, signature=b"")
        signature = identity.sign(_signed_text(request))
        return msgspec.structs.replace(request, signature=signature)

    def is_signed_by(self, public: bytes) -> bool:
        """Whether the holder of the key signed every part of it."""
        text = _signed_text(msgspec.structs.replace(self, signature=b""))
        return signed_by(public, self.signature, text)


def _signed_text(request: Request) -> bytes:
    # The label names the protocol and its version, so that a signature serves nothing else.
    return labelled("fedlab request 1", encode(request))


def _reply_text(reply: Reply, about: bytes) -> bytes:
    blank = encode(msgspec.structs.replace(reply, signature=b""))
    return labelled("fedlab reply 1", about, hashlib.sha256(blank).digest())


class Refusal(msgspec.Struct, frozen=True):
    """A typed no: a code of `REFUSALS`, and rule, what came and remedy in words."""

    code: str
    rule: str
    came: str
    remedy: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A site's answer, or its refusal; neither for a rehearsal that would be answered.

    Attributes
    ----------
    rows : int
        The number of rows of the split that was read: as declared, or fewer where patients have
        withdrawn since.
    charge : Event or None
        What the site's ledger was charged; None where no noise was asked for.
    signature : bytes
        Of the site over all of the above and what it is about, in a secure sum; or empty.
    """

    site: str
    round: int
    rows: int
    charge: Event | None = None
    answer: Answer | None = None
    refusal: Refusal | None = None
    signature: bytes = b""

    def signed(self, identity: Identity, about: bytes) -> Reply:
        """The reply as a site sends it in a secure sum; `about` names the sum and the step."""
        signature = identity.sign(_reply_text(self, about))
        return msgspec.structs.replace(self, signature=signature)

    def is_signed_by(self, public: bytes, about: bytes) -> bool:
        """Whether the holder of the key signed every part of it, about this."""
        return signed_by(public, self.signature, _reply_text(self, about))

    @property
    def size(self) -> int:
        """Bytes of the encoded reply."""
        return encoded_size(self)

    @property
    def error(self) -> RefusedError | None:
        """The refusal as an error, if there is one."""
        if self.refusal is None:
            return None
        return RefusedError(
            self.refusal.rule,
            self.refusal.came,
            self.refusal.remedy,
            code=self.refusal.code,
            site=self.site,
            round=self.round,
        )
