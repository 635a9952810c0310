"""The secure sums a site takes part in: secrets in memory, what it has confirmed on its disk."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from typing import NamedTuple

import msgspec
import numpy as np

from fedlab.core.wire import encode
from fedlab.errors import RefusedError, SecureSumError
from fedlab.privacy.secure.member import Member
from fedlab.privacy.secure.setting import LEAST_SITES, Setting
from fedlab.privacy.secure.signatures import Identity
from fedlab.queries import Answer, Request
from fedlab.queries.packing import pack
from fedlab.queries.secure_sum import (
    Advertise,
    Advertised,
    Confirm,
    Confirmed,
    Mask,
    Masked,
    Open,
    Opened,
    SecureStep,
    Shared,
    ShareSecrets,
)
from fedlab.site.policy import Policy
from fedlab.site.store import Store

__all__ = ["SecureSums"]

# A coordinator that begins sums and never ends them must not fill the memory.
MOST_AT_ONCE = 16


class _Sum(NamedTuple):
    member: Member
    request: Request


class SecureSums:
    """What one site knows of secure sums.

    Parameters
    ----------
    site : str
    identity : Identity
    store : Store
        Remembers peers' identities, and under which lists of survivors sums were opened.
    policy : Policy
    """

    def __init__(self, site: str, identity: Identity, store: Store, policy: Policy) -> None:
        self._site, self.identity, self._store, self._policy = site, identity, store, policy
        self._open: OrderedDict[bytes, _Sum] = OrderedDict()

    def inner(self, request: Request) -> Request | None:
        """What a step asks of the rows: a rehearsal at the start, the answer when it is masked.

        Raises
        ------
        RefusedError
            When the step belongs to no sum that goes on here.
        """
        step = request.query
        if isinstance(step, Advertise):
            return msgspec.structs.replace(
                request, query=step.query, privacy=step.privacy, rehearsal=True
            )
        if isinstance(step, SecureStep) and step.digest not in self._open:
            raise RefusedError(
                "A step must belong to a secure sum that was begun here and not ended.",
                f"{type(step).__name__} of another",
                "Start the sum again.",
                code="secure",
            )
        if isinstance(step, Mask):
            member, asked = self._open[step.digest]
            # Once it is masked it is paid for: no second request may have it paid for again.
            return asked if member.awaits == "mask" else None
        return None

    def take(self, request: Request, answer: Answer | None) -> Answer:
        """Take a step.

        Parameters
        ----------
        request : Request
            Of the step.
        answer : Answer or None
            To the query of the sum, where the step is to mask it.

        Raises
        ------
        SecureSumError
            When it is not the next, or something does not fit. The sum is then over for this site.
        """
        step = request.query
        if isinstance(step, Advertise):
            return self._begin(request, step)
        assert isinstance(step, SecureStep)  # noqa: S101
        member = self._open[step.digest].member
        try:
            if isinstance(step, ShareSecrets):
                return Shared(member.share(step.adverts))
            if isinstance(step, Mask) and answer is not None:
                return self._mask(member, step, answer)
            if isinstance(step, Confirm):
                return Confirmed(self._confirm(member, step))
            if isinstance(step, Open):
                opened = Opened(member.open(step.confirmations))
                del self._open[step.digest]
                return opened
        except SecureSumError:
            self._open.pop(step.digest, None)
            raise
        raise TypeError(f"{type(step).__name__} is no step of a secure sum")

    def _begin(self, request: Request, step: Advertise) -> Answer:
        setting = step.setting
        question = hashlib.sha256(encode(step.query)).digest()
        named = (setting.run, setting.round) == (request.run, request.round)
        if setting.digest != step.digest or setting.question != question or not named:
            raise SecureSumError(
                "A secure sum must be of the question, run and round that are asked.",
                "a digest of others",
                "Start the sum again.",
            )
        least = max(LEAST_SITES, self._policy.minimum_sites)
        if len(setting.sites) < least:
            raise SecureSumError(
                f"The site takes part in sums of at least {least} sites.",
                f"{len(setting.sites)}",
                "Ask more sites.",
            )
        self._pin(setting)
        member = Member(setting, self._site, self.identity)
        inner = msgspec.structs.replace(request, query=step.query, privacy=step.privacy)
        self._open[step.digest] = _Sum(member, inner)
        while len(self._open) > MOST_AT_ONCE:
            self._open.popitem(last=False)
        return Advertised(member.advertise())

    def _mask(self, member: Member, step: Mask, answer: Answer) -> Answer:
        setting = member.setting
        values, pattern = pack(
            answer,
            weight=setting.weight(self._site),
            bits=setting.bits,
            n_sites=len(setting.sites),
        )
        return Masked(member.mask(values, step.sealed).view(np.int64), pattern)

    def _confirm(self, member: Member, step: Confirm) -> bytes:
        signature = member.confirm(step.survivors)
        here = set(step.survivors)
        if len(here) < self._policy.minimum_sites:
            raise SecureSumError(
                f"The site takes part in sums of at least {self._policy.minimum_sites} sites.",
                f"{len(here)} that are left",
                "Ask again when more sites are there; nothing was opened.",
            )
        question = member.setting.question.hex()
        with self._store.transaction() as connection:
            for (listed,) in connection.execute(
                "SELECT survivors FROM sums WHERE question = ?", (question,)
            ).fetchall():
                if 0 < len(here ^ set(json.loads(listed))) < LEAST_SITES:
                    raise SecureSumError(
                        "Two sums of one question must not differ by fewer than "
                        f"{LEAST_SITES} sites, whose own answer their difference would tell.",
                        "a list of survivors close to one that was confirmed",
                        "Take another step of the run, with other parameters.",
                    )
            connection.execute(
                "INSERT INTO sums (run, round, question, survivors) VALUES (?, ?, ?, ?)",
                (member.setting.run, member.setting.round, question, json.dumps(sorted(here))),
            )
        return signature

    def _pin(self, setting: Setting) -> None:
        """Remember who each peer is on first sight, and know them from then on."""
        with self._store.transaction() as connection:
            known = dict(connection.execute("SELECT site, identity FROM peers").fetchall())
            for site, identity in zip(setting.sites, setting.identities, strict=True):
                expected = self._policy.peers.get(site) or known.get(site)
                if expected is None:
                    connection.execute(
                        "INSERT INTO peers (site, identity) VALUES (?, ?)", (site, identity.hex())
                    )
                elif expected != identity.hex():
                    raise SecureSumError(
                        "A peer must have the identity it is known by.",
                        f"another one of {site!r}",
                        "Find out why; its data owner can tell the right one.",
                    )
