"""Put one question to all sites, and tell what they answered from whom they left out."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from fedlab.asking.bench import Bench
from fedlab.errors import PrivacyError, TrainingError
from fedlab.privacy import RecordDP
from fedlab.queries import Query, Reply
from fedlab.secure_sum import SecureCoordinator

if TYPE_CHECKING:
    from fedlab.secure_sum import SecureSum

__all__ = ["How", "Replies", "ask", "new_run", "partly", "together"]

LOST_IN_TIME = ("keys", "shares", "masked values")
"""Steps of a secure sum at which a site that is gone has given nothing to it."""


@dataclass(frozen=True, kw_only=True)
class How:
    """How a question is put.

    Attributes
    ----------
    privacy : RecordDP or None
        The promise that answers keep; then noise protects small groups and nothing is suppressed.
    aggregation : "plain", "secure" or SecureSum
        Whether single sites' answers are seen, or nothing but their sum.
    """

    privacy: RecordDP | None = None
    aggregation: str | SecureSum = "plain"

    def parts(self, count: int) -> How:
        """The same promise for a question that takes `count` answers of each site.

        Raises
        ------
        PrivacyError
            For a promise that is not about records.
        """
        if self.privacy is None:
            return self
        if not isinstance(self.privacy, RecordDP):
            raise PrivacyError(
                "Questions are asked under a promise about records.",
                type(self.privacy).__name__,
                "Pass e.g. privacy=fl.RecordDP(epsilon=0.5, delta=1e-5).",
            )
        return replace(self, privacy=msgspec.structs.replace(self.privacy, rounds=count))


@dataclass(frozen=True)
class Replies:
    """What came back.

    Attributes
    ----------
    by_site : dict of str to Reply
        Of the sites that answered, in the order of names; one for all of them under a secure sum.
    refusals : dict of str to str
        Sites that did not answer, and why.
    answering : frozenset of str
        Sites that are in the answers.
    """

    by_site: dict[str, Reply]
    refusals: dict[str, str]
    answering: frozenset[str]

    @property
    def notes(self) -> list[str]:
        """Who is not in the figures."""
        return [f"Site {site!r} is not in it. {why}" for site, why in self.refusals.items()]


def new_run() -> str:
    """A name for the answers of one question: a promise is kept by those of one run."""
    return f"asked-{secrets.token_hex(6)}"


def ask(federation: Bench, query: Query, how: How, *, run: str = "", part: int = 0) -> Replies:
    """Ask every site; those that refuse are named.

    Parameters
    ----------
    federation : Bench
    query : Query
    how : How
        For a question of several answers, its `How.parts`.
    run : str
        Of which the answer is one; by default of a run of its own.
    part : int
        Which answer of the run.

    Raises
    ------
    TrainingError
        When no site answers.
    """
    coordinator = federation.asked_by(how.aggregation)
    queries = dict.fromkeys(federation.sites, query)
    replies, refused = coordinator.ask_willing(run or new_run(), part, queries, how.privacy)
    if not replies:
        site, why = min(refused.items())
        raise TrainingError(
            "At least one site must answer the question.",
            f"refusals from all {len(refused)} sites, the first by {site!r}: {why.rule} "
            f"Got {why.came}",
            why.remedy,
        )
    refusals = {site: f"{error.rule} Got {error.came}." for site, error in refused.items()}
    if isinstance(coordinator, SecureCoordinator):
        lost = coordinator.records[-1].lost
        refusals |= {
            site: "It was gone before the sum was closed."
            for site, step in lost.items()
            if step in LOST_IN_TIME
        }
    return Replies(
        {site: replies[site] for site in sorted(replies)},
        {site: refusals[site] for site in sorted(refusals)},
        frozenset(federation.sites) - refusals.keys(),
    )


def together(parts: Sequence[Replies]) -> Replies:
    """Whom the answers of several parts are about: the sites that are in any of them.

    Their replies stay with the parts. A site that refuses some parts is not left out: what it
    does not tell is suppressed there.
    """
    answering = frozenset[str]().union(*(part.answering for part in parts))
    refusals = {site: why for part in parts for site, why in part.refusals.items()}
    out = {site: refusals[site] for site in sorted(refusals) if site not in answering}
    return Replies({}, out, answering)


def partly(parts: Sequence[Replies]) -> list[str]:
    """Notes on sites that refused some of the parts."""
    whole = together(parts)
    refusals = {site: why for part in parts for site, why in part.refusals.items()}
    return [
        f"Site {site!r} does not tell some of it. {refusals[site]}"
        for site in sorted(refusals)
        if site in whole.answering
    ]
