"""The secure sums a site takes part in: secrets in memory, what it has confirmed on its disk."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import NamedTuple

import msgspec
import numpy as np

from fedlab.core.seeds import generator
from fedlab.core.wire import encode
from fedlab.errors import PrivacyError, RefusedError, SecureSumError
from fedlab.privacy import Releases, SiteDP, calibrate
from fedlab.privacy.secure.distributed_noise import (
    WholeNoise,
    noisy_share,
    system_whole_noise,
    teaching_whole_noise,
)
from fedlab.privacy.secure.member import Member
from fedlab.privacy.secure.pads import Ring
from fedlab.privacy.secure.setting import LEAST_SITES, Setting
from fedlab.privacy.secure.signatures import Identity
from fedlab.queries import Answer, Request
from fedlab.queries.packing import Pattern, pack
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
    digest_of_promise,
)
from fedlab.site.policy import Policy
from fedlab.site.store import Store
from fedlab.site.sum_records import begin_once, check_known, keep_survivors, pin

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
    simulated : bool
        Whether noise is repeated from the federation's seed.
    """

    def __init__(
        self, site: str, identity: Identity, store: Store, policy: Policy, *, simulated: bool
    ) -> None:
        self._simulated = simulated
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
        begun = self._open.get(step.digest) if isinstance(step, SecureStep) else None
        if isinstance(step, SecureStep) and begun is None:
            raise _no_such_sum(step)
        if isinstance(step, Mask) and begun is not None:
            member, asked = begun
            # Once it is masked it is paid for: no second request may have it paid for again.
            return asked if member.awaits == "mask" else None
        return None

    def shares(self, request: Request) -> bool:
        """Whether of the noise of this step's sum the site adds a share, for a record's sake."""
        step = request.query
        if isinstance(step, Advertise):
            return step.setting.shares
        begun = self._open.get(step.digest) if isinstance(step, SecureStep) else None
        return begun is not None and begun.member.setting.shares

    def take(self, request: Request, answer: Answer | None, rows: int = 0) -> Answer:
        """Take a step.

        Parameters
        ----------
        request : Request
            Of the step.
        answer : Answer or None
            To the query of the sum, where the step is to mask it.
        rows : int
            From which the answer comes.

        Raises
        ------
        SecureSumError
            When it is not the next, or something does not fit. The sum is then over for this site.
        """
        step = request.query
        if isinstance(step, Advertise):
            return self._begin(request, step)
        assert isinstance(step, SecureStep)  # noqa: S101
        begun = self._open.get(step.digest)
        if begun is None:
            raise _no_such_sum(step)
        member = begun.member
        try:
            if isinstance(step, ShareSecrets):
                return Shared(member.share(step.adverts))
            if isinstance(step, Mask) and answer is not None:
                return self._mask(begun, step, answer, rows)
            if isinstance(step, Confirm):
                return Confirmed(self._confirm(member, step))
            if isinstance(step, Open):
                opened = Opened(member.open(step.confirmations))
                pin(self._store, member.setting, member.holders & set(step.confirmations))
                self._open.pop(step.digest, None)
                return opened
        except Exception:
            # Whatever went wrong: the sum is over here, and what the site hid stays hidden.
            self._open.pop(step.digest, None)
            raise
        raise TypeError(f"{type(step).__name__} is no step of a secure sum")

    def _begin(self, request: Request, step: Advertise) -> Answer:
        setting = step.setting
        question = hashlib.sha256(encode(step.query)).digest()
        named = (setting.run, setting.round) == (request.run, request.round)
        promised = setting.promise == digest_of_promise(step.privacy)
        named = named and setting.seed == request.seed
        same = setting.question == question and promised and named
        if setting.digest != step.digest or not same:
            raise SecureSumError(
                "A secure sum is of the question, promise, seed, run and round that are asked.",
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
        if self._policy.collusion and not setting.collusion:
            raise SecureSumError(
                "The site takes part in sums that hold out against collusion.",
                "one that does not",
                "Pass aggregation=fl.SecureSum(collusion=True).",
            )
        check_known(self._store, setting, self._site, self._policy.peers)
        member = Member(setting, self._site, self.identity)
        begin_once(self._store, setting)
        inner = msgspec.structs.replace(request, query=step.query, privacy=step.privacy)
        self._open[step.digest] = _Sum(member, inner)
        while len(self._open) > MOST_AT_ONCE:
            self._open.popitem(last=False)
        return Advertised(member.advertise())

    def _mask(self, begun: _Sum, step: Mask, answer: Answer, rows: int) -> Answer:
        member, privacy = begun.member, begun.request.privacy
        setting = member.setting
        values, pattern = pack(
            answer,
            weight=setting.weight(self._site),
            bits=setting.bits,
            n_sites=len(setting.sites),
        )
        if isinstance(privacy, SiteDP):
            limit = privacy.clipping_norm * max(setting.weights)
            values = self._with_noise(values, pattern, setting, begun.request, limit)
        elif privacy is not None and setting.shares:
            own = begun.request.query.shared_sensitivity(rows, privacy.clipping_norm)
            # In floats both are a product of few factors.
            if own is None or own * setting.weight(self._site) > setting.sensitivity * (1 + 1e-12):
                raise SecureSumError(
                    "A sum's noise must cover what one record can change at every site.",
                    "a sensitivity that is smaller than this site's",
                    "Describe the sites again: rows may have been withdrawn.",
                )
            values = self._with_noise(values, pattern, setting, begun.request, setting.sensitivity)
        return Masked(member.mask(values, step.sealed).view(np.int64), pattern)

    def _with_noise(
        self, values: Ring, pattern: Pattern, setting: Setting, request: Request, limit: float
    ) -> Ring:
        """Values with the site's share of the noise that hides a change by up to `limit`."""
        privacy = request.privacy
        assert privacy is not None  # noqa: S101
        if any(leaf.whole for leaf in pattern.leaves):
            raise SecureSumError(
                "Noise that sites share is scaled for fractional numbers of one step.",
                f"whole numbers in {pattern.kind}",
                "Use a strategy that averages updates, such as fl.FedAvg().",
            )
        try:
            z = calibrate(privacy, Releases(1), unit=privacy.unit, mechanism="concentrated")
            hidden, event = noisy_share(
                values,
                self._noise(request),
                noise_multiplier=z,
                sensitivity=limit,
                weight=1,
                bits=setting.bits,
                least=setting.noisy,
                n_sites=len(setting.sites),
            )
        except PrivacyError as error:
            raise SecureSumError(error.rule, error.came, error.remedy) from None
        # The ledger was charged for z, up to what a float of it may be off.
        if event.noise_multiplier < z * (1 - 1e-9):
            raise SecureSumError(
                "The noise of a sum must be what the ledger was charged for.",
                f"a noise multiplier of {event.noise_multiplier:.6g} instead of {z:.6g}",
                "Use more digits, e.g. fl.SecureSum(bits=40).",
            )
        return hidden

    def _noise(self, request: Request) -> WholeNoise:
        if not self._simulated:
            return system_whole_noise
        use = f"share of the noise of {type(request.query).__name__}"
        return teaching_whole_noise(generator(request.seed, request.round, self._site, use))

    def _confirm(self, member: Member, step: Confirm) -> bytes:
        signature = member.confirm(step.survivors)
        here = set(step.survivors)
        if len(here) < self._policy.minimum_sites:
            raise SecureSumError(
                f"The site takes part in sums of at least {self._policy.minimum_sites} sites.",
                f"{len(here)} that are left",
                "Ask again when more sites are there; nothing was opened.",
            )
        keep_survivors(self._store, member.setting, here)
        return signature


def _no_such_sum(step: SecureStep) -> RefusedError:
    return RefusedError(
        "A step must belong to a secure sum that was begun here and not ended.",
        f"{type(step).__name__} of another",
        "Start the sum again.",
        code="secure",
    )
