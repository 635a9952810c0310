"""Asking through secure sums: what all sites answer together, and what no site answers alone."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from fedlab.coordinator import Coordinator, Listener
from fedlab.core.wire import encode
from fedlab.errors import PrivacyError, RefusedError, TrainingError
from fedlab.privacy import RecordDP, Releases, SiteDP
from fedlab.privacy.secure.setting import Setting, floor
from fedlab.privacy.secure.topology import sparse_degree
from fedlab.queries import Query, Reply
from fedlab.queries.secure_sum import digest_of_promise
from fedlab.rounds import TOGETHER
from fedlab.sum_steps import SumInSteps, SumRecord

__all__ = ["SecureCoordinator", "SecureSum"]


@dataclass(frozen=True, kw_only=True)
class SecureSum:
    """How answers are added so that nobody sees a single one.

    Parameters
    ----------
    bits : int
        Binary digits after the point: floats are rounded to multiples of ``2**-bits``.
    threshold : int, optional
        How many holders recover the secret of a site that is gone; by default, and at least, more
        than half of them.
    degree : int, optional
        Neighbours of each site, an even number; 0 for all others, which is the default below 30
        sites.
    collusion : bool
        Hold out against a coordinator that works with fewer than a third of the sites: more than
        two thirds must then be there.
    shared_noise : bool
        Under ``fl.RecordDP``, have each site add only its share of the noise, so that the sum has
        once what else each site adds. A record is then hidden by the noise of the other sites too:
        it rests on as many of them being honest as the threshold says. For answers of one release
        on all rows: one step on all rows (``fl.FedSGD()``), statistics, and judging. Under
        ``fl.SiteDP`` noise comes in shares in any case.
    """

    bits: int = 32
    threshold: int | None = None
    degree: int | None = None
    collusion: bool = False
    shared_noise: bool = False

    def setting(self, **named: Any) -> Setting:
        """The setting of one sum."""
        n_sites = len(named["sites"])
        degree = sparse_degree(n_sites) if self.degree is None else self.degree
        holders = n_sites if degree == 0 else degree + 1
        setting = Setting(
            degree=degree,
            bits=self.bits,
            collusion=self.collusion,
            threshold=self.threshold or floor(holders, collusion=self.collusion),
            attempt=secrets.randbelow(2**53),
            **named,
        )
        setting.check()
        return setting


@dataclass(frozen=True)
class SecureCoordinator(Coordinator):
    """Has every answer that comes from rows added under masks.

    Attributes
    ----------
    how : SecureSum
    identities : mapping of str to bytes
        The sites' public keys, as pinned.
    records : list of SumRecord
        The latest sums, for looking at them.
    """

    adds: ClassVar[bool] = True

    how: SecureSum = SecureSum()
    identities: Mapping[str, bytes] = field(default_factory=dict)
    records: list[SumRecord] = field(default_factory=list)

    def ask(
        self,
        run: str,
        round: int,
        queries: Mapping[str, Query],
        privacy: RecordDP | SiteDP | None = None,
        on_reply: Listener | None = None,
        *,
        tolerated: int = 0,
        weights: Mapping[str, int] | None = None,
    ) -> dict[str, Reply]:
        """One reply for all sites together, the sum of their answers or their weighted mean.

        Raises
        ------
        RefusedError
            When a site will not take part.
        SecureSumError
            When too few sites are left, or something does not fit. Nothing is opened then.
        TrainingError
            When sites are asked different questions.
        """
        if not any(query.reads_rows for query in queries.values()):
            return super().ask(run, round, queries, privacy, on_reply, tolerated=tolerated)
        reply, refusals = self._sum(run, round, queries, privacy, on_reply, weights)
        for site in sorted(refusals):
            raise refusals[site]
        return reply

    def ask_willing(
        self,
        run: str,
        round: int,
        queries: Mapping[str, Query],
        privacy: RecordDP | SiteDP | None = None,
    ) -> tuple[dict[str, Reply], dict[str, RefusedError]]:
        """The sum over the sites that are willing, and who is not."""
        return self._sum(run, round, queries, privacy, None, None, leave_out=True)

    def _sum(
        self,
        run: str,
        round: int,
        queries: Mapping[str, Query],
        privacy: RecordDP | SiteDP | None,
        on_reply: Listener | None,
        weights: Mapping[str, int] | None,
        *,
        leave_out: bool = False,
    ) -> tuple[dict[str, Reply], dict[str, RefusedError]]:
        sites = sorted(queries)
        query = _one_question(queries)
        # Whoever refuses is known before a key is made, so that the sum is over the others.
        willing = super()._carry(run, round, queries, privacy, rehearsal=True)
        refusals = {
            site: reply.error
            for site, reply in willing.items()
            # A site says this last: within a sum, where nothing leaves on its own, it would answer.
            if reply.error is not None and reply.error.code != "reveal"
        }
        if refusals and not leave_out:
            return {}, refusals
        there = tuple(site for site in sites if site not in refusals)
        if not there:
            return {}, refusals
        setting = self.how.setting(
            run=run,
            round=round,
            question=hashlib.sha256(encode(query)).digest(),
            sites=there,
            identities=tuple(self.identities[site] for site in there),
            weights=tuple((weights or {}).get(site, 1) for site in there),
            mean=weights is not None,
            promise=digest_of_promise(privacy),
            seed=self.seed,
            **self._shared(query, there, privacy, weights),
        )
        sum_of = SumInSteps(self, self.records, setting, query, privacy, on_reply)
        return {TOGETHER: sum_of.reply()}, refusals

    def _shared(
        self,
        query: Query,
        sites: Sequence[str],
        privacy: RecordDP | SiteDP | None,
        weights: Mapping[str, int] | None,
    ) -> dict[str, Any]:
        """What noise that comes in shares must hide, where a record is to be hidden by it."""
        if not self.how.shared_noise or not isinstance(privacy, RecordDP):
            return {}
        sensitivities = []
        for site in sites:
            rows = self.declared.get((site, query.split), 0)
            releases = query.releases(rows) if rows else None
            own = query.shared_sensitivity(rows, privacy.clipping_norm) if rows else None
            if own is None or releases != Releases(1):
                raise PrivacyError(
                    "Noise comes in shares where an answer is one release on all rows.",
                    f"{type(query).__name__}, which is more",
                    "Use fl.FedSGD() or fl.FedAvg(local_steps=1, batch_size=None), or leave "
                    "shared_noise out.",
                )
            sensitivities.append(own * (weights or {}).get(site, 1))
        return {"shares": True, "sensitivity": max(sensitivities)}


def _one_question(queries: Mapping[str, Query]) -> Query:
    asked = list(queries.values())
    if any(query != asked[0] for query in asked[1:]):
        raise TrainingError(
            "A secure sum needs one question for all sites.",
            "different questions, as of a strategy that keeps something for each site",
            "Use e.g. fl.FedAvg() or fl.FedNewton(), or aggregation='plain'.",
        )
    if not asked[0].adds:
        raise TrainingError(
            "A secure sum needs answers that add up.",
            f"{type(asked[0]).__name__}, whose answers are values of rows",
            "Agree on a grid of times, e.g. fl.CoxRegression(grid=...).",
        )
    return asked[0]
