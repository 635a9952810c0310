"""The asking side: requests to sites, and replies looked at before they are believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from fedlab.engines import Connection
from fedlab.errors import MessageError, RefusedError
from fedlab.privacy import RecordDP, SiteDP
from fedlab.queries import Query, Reply, Request

__all__ = ["Coordinator"]

Listener = Callable[[Reply], None]


@dataclass(frozen=True)
class Coordinator:
    """Asks over one connection, with the federation's seed.

    Attributes
    ----------
    connection : Connection
    seed : int
    declared : dict of (str, str) to int
        Rows of each site and split, as the site declared them. A reply may come from fewer, since
        patients may withdraw, never from more.
    simulated : bool
        Whether all sites are simulated, so that noise the coordinator adds may be repeated from the
        seed; otherwise it comes from the operating system.
    """

    adds: ClassVar[bool] = False
    """Whether answers are added up on the way, and come as one."""

    connection: Connection
    seed: int
    declared: Mapping[tuple[str, str], int] = field(default_factory=dict)
    simulated: bool = False

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
        """Ask sites; all must answer, and all but `tolerated` with what was asked for.

        Sites whose replies do not fit are left out of the result. Under privacy the sites are first
        asked whether they would, so that none pays for a round that another refuses. `weights` of a
        mean matter only where answers are added on the way.

        Raises
        ------
        RefusedError
            The first refusal by the order of names.
        MessageError
            When more replies than are tolerated do not fit what was asked.
        """
        if privacy is not None:
            _all_willing(self._carry(run, round, queries, privacy, rehearsal=True))
        return _all_willing(
            self._carry(run, round, queries, privacy, on_reply=on_reply, tolerated=tolerated)
        )

    def ask_willing(
        self,
        run: str,
        round: int,
        queries: Mapping[str, Query],
        privacy: RecordDP | SiteDP | None = None,
    ) -> tuple[dict[str, Reply], dict[str, RefusedError]]:
        """Ask sites; those that refuse are told apart from those that answer."""
        replies = self._carry(run, round, queries, privacy)
        refusals = {site: reply.error for site, reply in replies.items() if reply.error is not None}
        answered = {site: reply for site, reply in replies.items() if site not in refusals}
        return answered, refusals

    def _carry(
        self,
        run: str,
        round: int,
        queries: Mapping[str, Query],
        privacy: RecordDP | SiteDP | None,
        *,
        rehearsal: bool = False,
        on_reply: Listener | None = None,
        tolerated: int = 0,
    ) -> dict[str, Reply]:
        requests = [
            Request(
                site=site,
                run=run,
                round=round,
                seed=self.seed,
                query=queries[site],
                privacy=privacy,
                rehearsal=rehearsal,
            )
            for site in sorted(queries)
        ]
        replies = self.connection.ask(requests, on_reply)
        if len(replies) != len(requests):
            raise MessageError(
                "Every request must get one reply.",
                f"{len(replies)} replies to {len(requests)} requests",
                "Check the engine.",
                round=round,
            )
        fitting: dict[str, Reply] = {}
        faults: list[MessageError] = []
        for request, reply in zip(requests, replies, strict=True):
            try:
                self._check(request, reply)
                fitting[request.site] = reply
            except MessageError as fault:
                faults.append(fault)
        if len(faults) > tolerated:
            raise faults[0]
        return fitting

    def _check(self, request: Request, reply: Reply) -> None:
        query = request.query
        fits = reply.site == request.site and reply.round == request.round
        if reply.refusal is None and not request.rehearsal:
            fits = fits and reply.answer is not None and query.accepts(reply.answer)
            steps = not query.reads_rows
            fits = fits and (steps or (request.privacy is None) == (reply.charge is None))
            if query.reads_rows:
                rows = self.declared.get((request.site, query.split), reply.rows)
                fits = fits and 0 < reply.rows <= rows
        if not fits:
            raise MessageError(
                "A reply must come from the site and round that were asked, from no more than the "
                "declared number of rows, with finite values of the agreed names and shapes.",
                f"a reply to {type(query).__name__} that does not",
                "Lower the learning rate if values overflowed; otherwise check the site's version.",
                site=request.site,
                round=request.round,
            )

    def carry_steps(
        self, run: str, round: int, queries: Mapping[str, Query], on_reply: Listener | None = None
    ) -> dict[str, Reply]:
        """Replies that fit, and refusals; whoever sends anything else counts as gone."""
        return self._carry(run, round, queries, None, on_reply=on_reply, tolerated=len(queries))


def _all_willing(replies: dict[str, Reply]) -> dict[str, Reply]:
    for reply in replies.values():
        if reply.error is not None:
            raise reply.error
    return replies
