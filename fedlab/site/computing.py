"""A permitted query's answer from the rows, with its noise or under the law on small cells."""

from __future__ import annotations

from collections.abc import Mapping

from fedlab.core.blas import one_thread
from fedlab.core.parameters import Array
from fedlab.core.turns import aside
from fedlab.privacy import Event, SiteDP, system_noise, teaching_noise
from fedlab.queries import Answer, Context, Request, Rows
from fedlab.queries.query import Split
from fedlab.site.columns import asked_schema
from fedlab.site.disclosure import SmallCells
from fedlab.site.narrowing import Narrowing
from fedlab.site.patients import Cohort
from fedlab.site.policy import Policy
from fedlab.site.site_level import bounded
from fedlab.site.told import Told

__all__ = ["Computing"]


class Computing:
    """Has the queries of one site computed.

    Parameters
    ----------
    site : str
    told : Told
        What the site told before, without noise.
    simulated : bool
        Whether noise is repeated from the federation's seed.
    """

    def __init__(self, site: str, told: Told, *, simulated: bool) -> None:
        self._site, self._told, self._simulated = site, told, simulated
        self._narrowing = Narrowing()

    def answer(
        self,
        request: Request,
        whole: Mapping[Split, Rows],
        policy: Policy,
        event: Event | None,
        cohort: Cohort | None,
        *,
        hidden: bool = False,
    ) -> Answer:
        """The answer as it may leave.

        Parameters
        ----------
        request : Request
            One that was permitted and paid for.
        whole : mapping of split to Rows
        policy : Policy
        event : Event or None
            What was paid; None for an answer without noise.
        cohort : Cohort or None
            Whose rows may be used.
        hidden : bool
            Whether the answer leaves within a secure sum.

        Raises
        ------
        RefusedError
            When the answer would tell of too few.
        """
        query, privacy = request.query, request.privacy
        context = self._context(request, event)
        context.model_limits = policy.model_limits
        kept = None if cohort is None else cohort.kept
        rows = self._narrowing.rows(whole, query.split, asked_schema(query), kept)
        law: SmallCells | None = None
        if event is None:
            law = SmallCells(rows, policy, self._told, query.split, kept, hidden=hidden)
            context.disclosure = law
        with one_thread(), aside():
            answer = query.compute(rows, context)
        context.close()
        if law is not None:
            law.close()
        return bounded(answer, privacy) if isinstance(privacy, SiteDP) else answer

    def _context(self, request: Request, event: Event | None) -> Context:
        context = Context((request.seed, request.round, self._site))
        if event is not None and not isinstance(request.privacy, SiteDP):
            use = f"noise of {type(request.query).__name__}"
            seeded = teaching_noise(context.random(use))
            context.privacy = request.privacy
            context.noise_multiplier = event.noise_multiplier
            context.noise = seeded if self._simulated else system_noise
            if event.mechanism == "concentrated":
                # Its share of the noise is added to the whole numbers that are masked.
                context.noise = _none_yet
            context.secret = not self._simulated
            context.allowed = event.count
        return context


def _none_yet(values: Array, scale: float) -> Array:
    return values
