"""One round, as a function of where a run stands: ask the sites, combine what they send."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from fedlab.coordinator import Coordinator
from fedlab.core.blas import one_thread
from fedlab.core.seeds import generator
from fedlab.errors import PrivacyError, TrainingError
from fedlab.evaluation import score_sites
from fedlab.privacy import Event, Noise, RecordDP, SiteDP, system_noise, teaching_noise
from fedlab.queries import Answer, Reply
from fedlab.rounds import TOGETHER, Round
from fedlab.strategies import Averaging, Problem, State, Strategy

__all__ = ["check_private", "check_rounds", "scored", "take_round"]


def take_round(
    coordinator: Coordinator,
    run: str,
    problem: Problem,
    strategy: Strategy,
    here: Round,
    *,
    privacy: RecordDP | SiteDP | None,
    heard: Callable[[Reply], None],
    charged: Callable[[], int],
) -> Round:
    """The round after `here`, not yet scored.

    Parameters
    ----------
    coordinator : Coordinator
    run : str
        Names the run to the sites.
    problem : Problem
    strategy : Strategy
    here : Round
        Where the run stands.
    privacy : RecordDP, SiteDP or None
    heard : callable
        Called with each reply as it comes in.
    charged : callable
        How often the run has been charged, this round included, once its replies are in.

    Raises
    ------
    RefusedError
        When a site refuses.
    TrainingError
        When the parameters are no longer finite, or more sites sent garbage than the strategy
        tolerates.
    """
    number = here.number + 1
    plan = strategy.plan(problem, here.state)
    tolerated = strategy.tolerates(problem, here.state)
    weights = _weights(strategy, problem, sorted(plan)) if coordinator.adds else None
    sent = _Sent(heard)
    with one_thread():
        replies = coordinator.ask(
            run, number, plan, privacy, sent.hear, tolerated=tolerated, weights=weights
        )
    if coordinator.adds:
        # What came together counts as the answer of one site that has all the rows.
        together = {site: reply.rows for site, reply in replies.items()}
        problem = msgspec.structs.replace(problem, rows=together)
        plan = dict.fromkeys(replies, next(iter(plan.values())))
    answers = {site: reply.answer for site, reply in replies.items() if reply.answer}
    excluded = dict.fromkeys(sorted(plan.keys() - replies.keys()), "a reply that does not fit")
    excluded |= strategy.excluded(answers)
    if len(excluded) > tolerated:
        raise TrainingError(
            f"The strategy tolerates garbage from {tolerated} of {len(plan)} sites.",
            "; ".join(f"{why} from {site!r}" for site, why in sorted(excluded.items())),
            "Leave those sites out, or provide for more of them.",
            round=number,
        )
    answers = {site: answer for site, answer in answers.items() if site not in excluded}
    source = ""
    with one_thread():
        if isinstance(privacy, SiteDP) and not coordinator.adds:
            source = "seeded" if coordinator.simulated else "system"
            state, norms = _hidden(strategy, problem, here, answers, privacy, source)
            # Exact updates are the coordinator's to add up, and nobody's to look at.
            answers = {}
        else:
            state = strategy.combine(problem, here.state, answers)
            norms = {site: strategy.direction(answer).norm() for site, answer in answers.items()}
    if not np.isfinite(state.parameters.vector).all():
        raise TrainingError(
            "Parameters must stay finite.",
            "infinite or undefined values",
            "Lower the learning rate.",
            round=number,
        )
    return Round(
        state=state,
        answers=answers if strategy.keeps_answers else {},
        rows=sent.rows,
        sizes=sent.sizes,
        norms=norms,
        excluded=excluded,
        charges=sent.charges,
        charged=charged(),
        noise=source,
        strategy=strategy,
        before=here.after,
    )


def _hidden(
    strategy: Strategy,
    problem: Problem,
    here: Round,
    answers: Mapping[str, Answer],
    privacy: SiteDP,
    source: str,
) -> tuple[State, dict[str, float]]:
    if not isinstance(strategy, Averaging):
        raise TypeError("checked before the run")
    noise: Noise = system_noise
    if source == "seeded":
        noise = teaching_noise(generator(problem.seed, here.number + 1, "noise of the mean"))
    state, mean = strategy.combine_hidden(problem, here.state, answers, privacy, noise)
    return state, {TOGETHER: mean.norm()}


class _Sent:
    """What each site sent in a round, in one reply or in several."""

    def __init__(self, heard: Callable[[Reply], None]) -> None:
        self._heard = heard
        self.rows: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self.charges: dict[str, Event] = {}

    def hear(self, reply: Reply) -> None:
        self.sizes[reply.site] = self.sizes.get(reply.site, 0) + reply.size
        if reply.refusal is None and reply.rows:
            self.rows[reply.site] = reply.rows
        if reply.charge is not None:
            self.charges[reply.site] = reply.charge
        self._heard(reply)


def _weights(strategy: Strategy, problem: Problem, sites: list[str]) -> dict[str, int] | None:
    if strategy.joins() == "sum" or not isinstance(strategy, Averaging):
        return None
    weights = strategy.weights(problem, dict.fromkeys(sites))
    return {site: int(weight) for site, weight in weights.items()}


def scored(coordinator: Coordinator, run: str, problem: Problem, done: Round) -> Round:
    """The same round with the scores of its parameters on training and on held-out rows."""
    return msgspec.structs.replace(
        done,
        after=score_sites(coordinator, run, problem, done.state, "train")[0],
        held_out=score_sites(coordinator, run, problem, done.state, "test")[0],
    )


def check_private(
    strategy: Strategy, privacy: RecordDP | SiteDP | None, *, secure: bool = False
) -> None:
    """Raise PrivacyError when `strategy` cannot keep a promise of `privacy`.

    `secure` tells whether answers are added up on their way.
    """
    if privacy is None:
        return
    if not isinstance(privacy, RecordDP | SiteDP):
        raise PrivacyError(
            "privacy must be a promise.",
            type(privacy).__name__,
            "Pass e.g. fl.RecordDP(epsilon=2.0, delta=1e-5, rounds=30).",
        )
    if isinstance(privacy, SiteDP):
        _check_by_site(strategy, privacy, secure=secure)
    elif not strategy.can_be_private:
        raise PrivacyError(
            f"{type(strategy).__name__} has no bounded sensitivity, so no noise makes it private.",
            "RecordDP",
            "Use fl.FedAvg(), or leave privacy out.",
        )


def _check_by_site(strategy: Strategy, privacy: SiteDP, *, secure: bool) -> None:
    if not _takes_means(strategy):
        raise PrivacyError(
            "A promise about whole sites is kept by noise on the mean of their clipped updates.",
            f"{type(strategy).__name__}, or its aggregator, which needs more than that mean",
            "Use e.g. fl.FedAvg(), fl.FedProx() or fl.FedAdam() with its usual aggregator.",
        )
    if secure and privacy.adaptive is not None:
        raise PrivacyError(
            "A clipping norm that adapts needs the norm of each update, which a secure sum hides.",
            "adaptive=fl.AdaptiveClipping(...) with a secure sum",
            "Leave adaptive out, or pass aggregation='plain' where sites trust the coordinator.",
        )


def _takes_means(strategy: Strategy) -> bool:
    """Whether the weighted mean of the updates is all that it takes from the sites."""
    if not isinstance(strategy, Averaging) or not strategy.can_be_private:
        return False
    try:
        own = type(strategy).aggregate is not Averaging.aggregate
        return strategy.joins() == "mean" and not own
    except TrainingError:
        return False


def check_rounds(privacy: RecordDP | SiteDP | None, asked: int, number: int) -> None:
    """Raise PrivacyError when round `number` would come after all that noise was calibrated to."""
    if privacy is not None and asked >= privacy.rounds:
        raise PrivacyError(
            f"The noise of this run was calibrated to {privacy.rounds} rounds.",
            f"a request for one more after {asked}",
            "Start a run with more rounds; rewinding gives none back.",
            round=number,
        )
