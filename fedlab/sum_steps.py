"""One secure sum, step by step, as the coordinator goes through it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from fedlab.coordinator import Coordinator
from fedlab.errors import FedlabError, MessageError, SecureSumError
from fedlab.privacy import Event, RecordDP, SiteDP
from fedlab.privacy.secure.member import check_present, check_signed, survivors_signed
from fedlab.privacy.secure.opening import open_sum
from fedlab.privacy.secure.setting import LEAST_SITES, Setting, graph_of
from fedlab.queries import Query, Reply
from fedlab.queries.packing import Pattern, unpack
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
from fedlab.rounds import TOGETHER

__all__ = ["SumInSteps", "SumRecord"]

STEPS: dict[type[Query], str] = {
    Advertise: "keys",
    ShareSecrets: "shares",
    Mask: "masked values",
    Confirm: "signatures",
    Open: "opening",
}
MOST_RECORDS = 16


@dataclass(frozen=True, kw_only=True)
class SumRecord:
    """What could be seen of one secure sum from outside.

    Attributes
    ----------
    setting : Setting
    query : str
    neighbours : dict of str to tuple of str
    bytes : dict of str to dict of str to int
        Sent by each site, by step.
    lost : dict of str to str
        Sites that were gone before the end, and the step they did not take.
    masked : dict of str to ndarray
        The first numbers of what each site sent.
    """

    setting: Setting
    query: str
    neighbours: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bytes: dict[str, dict[str, int]] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    masked: dict[str, Any] = field(default_factory=dict)


class SumInSteps:
    """One secure sum, step by step."""

    def __init__(
        self,
        coordinator: Coordinator,
        records: list[SumRecord],
        setting: Setting,
        query: Query,
        privacy: RecordDP | SiteDP | None,
        on_reply: Callable[[Reply], None] | None,
    ) -> None:
        self._coordinator, self._setting, self._query = coordinator, setting, query
        self._records = records
        self._privacy, self._on_reply = privacy, on_reply
        self._refused: FedlabError | None = None
        self._record = SumRecord(setting=setting, query=type(query).__name__)

    def reply(self) -> Reply:
        """The sum as one reply, of all sites together."""
        setting, digest = self._setting, self._setting.digest
        self._records.append(self._record)
        del self._records[:-MOST_RECORDS]
        begin = Advertise(digest=digest, setting=setting, query=self._query, privacy=self._privacy)
        adverts = {
            site: reply.answer.advert
            for site, reply in self._ask(dict.fromkeys(setting.sites, begin)).items()
            if isinstance(reply.answer, Advertised)
        }
        self._enough(adverts)
        check_present(setting, adverts)
        check_signed(setting, adverts)
        graph = graph_of(setting, adverts)
        self._record.neighbours.update(graph)
        share = ShareSecrets(digest=digest, adverts=adverts)
        sealed = {
            site: reply.answer.sealed
            for site, reply in self._ask(dict.fromkeys(adverts, share)).items()
            # Without a letter for each neighbour, pads would not cancel and nobody could tell.
            if isinstance(reply.answer, Shared) and set(reply.answer.sealed) == set(graph[site])
        }
        self._enough(sealed)
        posted: dict[str, Query] = {
            site: Mask(
                digest=digest,
                sealed={s: letters[site] for s, letters in sealed.items() if site in letters},
            )
            for site in sealed
        }
        answers = self._ask(posted)
        masked, pattern = self._masked(answers)
        survivors = tuple(sorted(masked))
        confirm = Confirm(digest=digest, survivors=survivors)
        signatures = {
            site: reply.answer.signature
            for site, reply in self._ask(dict.fromkeys(survivors, confirm)).items()
            if isinstance(reply.answer, Confirmed)
        }
        self._enough(signatures)
        survivors_signed(setting, survivors, signatures)
        final = Open(digest=digest, confirmations=signatures)
        openings = {
            site: reply.answer.opening
            for site, reply in self._ask(dict.fromkeys(signatures, final)).items()
            if isinstance(reply.answer, Opened)
        }
        self._enough(openings)
        total = open_sum(setting, adverts, frozenset(sealed), masked, openings)
        # Under a promise about sites the divisor must not tell who is there.
        counted = setting.sites if isinstance(self._privacy, SiteDP) else survivors
        weight = sum(map(setting.weight, counted)) if setting.mean else 1
        answer = unpack(total, pattern, weight=weight, bits=setting.bits)
        if not self._query.accepts(answer):
            raise MessageError(
                "A sum must have the agreed names and shapes, and values that a sum can have.",
                f"a sum of {type(self._query).__name__} that has not",
                "Check that all sites run the same version; one may have sent garbage.",
                round=setting.round,
            )
        rows = sum(answers[site].rows for site in survivors)
        charges = [c for c in (answers[site].charge for site in survivors) if c is not None]
        return Reply(
            site=TOGETHER,
            round=setting.round,
            rows=rows,
            charge=_together(charges, setting, len(survivors)) if charges else None,
            answer=answer,
        )

    def _ask(self, queries: Mapping[str, Query]) -> dict[str, Reply]:
        """Replies of the sites that are still there."""
        coordinator, setting = self._coordinator, self._setting
        signed: dict[int, Reply] = {}

        def hear(reply: Reply) -> None:
            # What was changed on its way must not reach the records of a run either.
            step = queries.get(reply.site)
            fits = step is not None and reply.round == setting.round
            if reply.answer is not None and step is not None:
                fits = fits and step.accepts(reply.answer)
            if fits and step is not None and self._believed(reply, step):
                signed[id(reply)] = reply
            elif reply.refusal is None or reply.charge is not None:
                return
            if self._on_reply is not None:
                self._on_reply(reply)

        replies = coordinator.carry_steps(setting.run, setting.round, queries, hear)
        step = STEPS[type(next(iter(queries.values())))]
        there = {
            site: reply
            for site, reply in replies.items()
            if reply.answer is not None
            and (signed.get(id(reply)) is reply or self._believed(reply, queries[site]))
        }
        for site, reply in there.items():
            self._record.bytes.setdefault(site, {})[step] = reply.size
        self._record.lost.update(dict.fromkeys(sorted(queries.keys() - there.keys()), step))
        refusals = [reply.error for reply in replies.values() if reply.error is not None]
        # A site that says why it stops tells more than one that is merely gone.
        told = [error for error in refusals if error.code != "absent"]
        self._refused = next(iter(told), None) or self._refused or next(iter(refusals), None)
        return there

    def _masked(self, replies: Mapping[str, Reply]) -> tuple[dict[str, Any], Pattern]:
        answers = {s: r.answer for s, r in replies.items() if isinstance(r.answer, Masked)}
        self._enough(answers)
        patterns = Counter(answers[site].pattern for site in sorted(answers))
        usual, _ = patterns.most_common(1)[0]
        odd = [site for site in sorted(answers) if answers[site].pattern != usual]
        if odd:
            raise MessageError(
                "Answers to one question must have one shape.",
                f"another shape of {type(self._query).__name__} than most from "
                + ", ".join(map(repr, odd)),
                "Check that all sites run the same version; leave those out otherwise.",
                site=odd[0] if len(odd) == 1 else None,
                round=self._setting.round,
            )
        self._record.masked.update({s: a.values[:8].copy() for s, a in answers.items()})
        return {s: a.values.view(np.uint64) for s, a in answers.items()}, usual

    def _believed(self, reply: Reply, step: Query) -> bool:
        """Whether the reply is the site's own, whoever carried it, about rows that it may have."""
        if reply.refusal is None:
            declared = self._coordinator.declared
            most = declared.get((reply.site, self._query.split), reply.rows)
            masks = isinstance(step, Mask)
            if not (0 < reply.rows <= most if masks else reply.rows == 0):
                return False
        identity = self._setting.identity(reply.site)
        return isinstance(step, SecureStep) and reply.is_signed_by(identity, step.about)

    def _enough(self, there: Mapping[str, object]) -> None:
        least = LEAST_SITES
        if self._setting.degree == 0:
            least = max(least, self._setting.threshold)
        if len(there) < least:
            why = "" if self._refused is None else f"; the first to leave said: {self._refused}"
            raise SecureSumError(
                f"At least {least} of {len(self._setting.sites)} sites must be there to the end.",
                f"{len(there)}{why}",
                "Take the step again when more are there; nothing was opened.",
                round=self._setting.round,
            )


def _together(charges: Sequence[Event], setting: Setting, survivors: int) -> Event:
    """The noise of a sum: variances add. For reading figures; each site's ledger has its own."""
    if charges[0].mechanism == "concentrated":
        # It is of a sum already, over as few sites as may be left.
        z = charges[0].noise_multiplier * math.sqrt(survivors / setting.noisy)
        return msgspec.structs.replace(charges[0], noise_multiplier=z)
    noise = math.sqrt(sum(charge.noise_multiplier**2 for charge in charges))
    return Event(noise, charges[0].sampling_rate, charges[0].count)
