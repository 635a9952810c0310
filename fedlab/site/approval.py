"""What a data owner allows, signed, until a date."""

from __future__ import annotations

from datetime import date

import msgspec

from fedlab.core.foreign import digest_of
from fedlab.core.wire import decode, encode
from fedlab.errors import DataError, MessageError, RefusedError
from fedlab.privacy.secure.signatures import Identity, signed_by
from fedlab.queries import Request
from fedlab.queries.audit_head import labelled
from fedlab.site.ledger import now, today
from fedlab.site.policy import Policy
from fedlab.site.store import Store

__all__ = ["Approval", "Approvals", "model_of"]


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """One approval. What is None is not restricted.

    Attributes
    ----------
    site, owner : str
        The site it is for, and who gives it.
    expires : date
        The last day it holds, by the site's clock.
    run, purpose, model : str or None
        The run, the purpose of queries, and the model that it is for: its class, or for a model
        file ``"sha256:"`` and its hash in hexadecimal. A query that names no model, such as a
        summary of columns, is covered only where `model` is None.
    signature : bytes

    Examples
    --------
    >>> owner = Identity.fresh()
    >>> wish = Approval(site="mercy", owner="dr. lee", expires=date(2030, 1, 31))
    >>> wish.signed(owner).is_signed_by(owner.public)
    True
    """

    site: str
    owner: str
    expires: date
    run: str | None = None
    purpose: str | None = None
    model: str | None = None
    signature: bytes = b""

    def signed(self, identity: Identity) -> Approval:
        """The same, with the owner's signature."""
        return msgspec.structs.replace(self, signature=identity.sign(self._text))

    def is_signed_by(self, public: bytes) -> bool:
        """Whether the holder of the key signed every part of it."""
        return signed_by(public, self.signature, self._text)

    def covers(self, request: Request, day: date) -> bool:
        """Whether it is for such a request and still holds."""
        return (
            day <= self.expires
            and self.run in (None, request.run)
            and self.purpose in (None, request.query.purpose)
            and self.model in (None, model_of(request))
        )

    @property
    def _text(self) -> bytes:
        unsigned = msgspec.structs.replace(self, signature=b"")
        return labelled("fedlab approval 1", encode(unsigned))


def model_of(request: Request) -> str:
    """The model a request is about: its class, or the hash of its file; empty where it names none.

    The hash is the site's own, of the bytes that came.
    """
    query = request.query
    file = getattr(query, "file", None)
    if isinstance(file, bytes):
        return digest_of(file)
    model = getattr(getattr(query, "common", query), "model", None)
    return "" if model is None else type(model).__name__


class Approvals:
    """The approvals a site has been given, in its records."""

    def __init__(self, site: str, store: Store) -> None:
        self._site, self._store = site, store

    def take(self, approval: Approval, policy: Policy) -> None:
        """Write an approval down.

        Raises
        ------
        DataError
            When it is for another site, or not signed by an owner that the policy names.
        """
        public = policy.owners.get(approval.owner)
        signed = public is not None and approval.is_signed_by(bytes.fromhex(public))
        if approval.site != self._site or not signed:
            raise DataError(
                "An approval must be for the site and signed by one of its owners.",
                f"one for {approval.site!r} by {approval.owner!r}"
                + ("" if signed else ", whose signature does not fit"),
                "Ask the data owner; the site's policy names the owners and their keys.",
                site=self._site,
            )
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT INTO approvals (time, approval) VALUES (?, ?)", (now(), encode(approval))
            )

    def check(self, request: Request, policy: Policy) -> None:
        """Raise RefusedError unless an owner's approval covers the request today."""
        day = today()
        for (data,) in self._store.read("SELECT approval FROM approvals ORDER BY sequence DESC"):
            try:
                approval = decode(data, Approval)
            except MessageError:
                continue
            public = policy.owners.get(approval.owner)
            # Checked again: an owner who was dropped from the policy approves nothing any more.
            if (
                public is not None
                and approval.site == self._site
                and approval.covers(request, day)
                and approval.is_signed_by(bytes.fromhex(public))
            ):
                return
        raise RefusedError(
            "The data owner must have approved the request, and still do.",
            f"no approval of run {request.run!r} for {request.query.purpose}"
            + (f" of model {named!r}" if (named := model_of(request)) else ""),
            "Ask the data owner for a signed fl.Approval of the run, the purpose or the model.",
            code="approval",
        )
