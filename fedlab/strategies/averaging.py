"""What strategies share that average the sites' updates: whom to ask, how much each site counts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import msgspec

from fedlab.core.parameters import Parameters
from fedlab.core.seeds import generator
from fedlab.errors import TrainingError
from fedlab.privacy import Noise, Releases, SiteDP, calibrate
from fedlab.privacy.site_level import private_round
from fedlab.queries import Answer, Query, Update
from fedlab.strategies.aggregators import Aggregator, Mean
from fedlab.strategies.checks import positive
from fedlab.strategies.strategy import Problem, State, Strategy

__all__ = ["Averaging"]


class Averaging(Strategy, msgspec.Struct, frozen=True, kw_only=True):
    """Sites send updates, an aggregator makes one of them, and the server moves by it.

    A strategy says what it asks (`question`) and, where it is more than adding, how the server
    moves (`move`).

    Parameters
    ----------
    learning_rate : float, optional
        Step length at the sites. By default the inverse of a bound on the curvature of the
        penalised loss, which no step on all rows overshoots.
    site_fraction : float
        Share of sites in a round (C in McMahan et al. 2017), drawn from seed and round, at least
        one.
    weighting : "rows" or "equal"
        Whether a site counts by its training rows or as one.
    aggregator : Aggregator
        How updates become one; by default their weighted mean. A robust rule such as
        ``fl.Median()`` takes out what bad sites send.
    """

    can_be_private: ClassVar[bool] = True

    learning_rate: float | None = None
    site_fraction: float = 1.0
    weighting: Literal["rows", "equal"] = "rows"
    aggregator: Aggregator = Mean()

    def __post_init__(self) -> None:
        positive("learning_rate", self.learning_rate, optional=True, example=0.1)
        if not 0 < self.site_fraction <= 1:
            raise TrainingError(
                "site_fraction must be above 0 and at most 1.",
                f"{self.site_fraction:g}",
                "Pass e.g. site_fraction=0.5.",
            )
        if self.weighting not in ("rows", "equal"):
            raise TrainingError(
                "weighting must be 'rows' or 'equal'.",
                f"{self.weighting!r}",
                "Pass e.g. weighting='rows'.",
            )
        if not isinstance(self.aggregator, Aggregator):
            raise TrainingError(
                "aggregator must be a rule for combining updates.",
                type(self.aggregator).__name__,
                "Pass e.g. aggregator=fl.Median().",
            )

    @abstractmethod
    def question(self, problem: Problem, state: State, site: str) -> Query:
        """What to ask one site; its answer is an `Update`."""

    def move(self, problem: Problem, state: State, change: Parameters) -> State:
        """The next state, given the combined update; by default it is added."""
        return State(state.round + 1, state.parameters + change, state.carried)

    def plan(self, problem: Problem, state: State) -> dict[str, Query]:
        """A question for every site that was drawn."""
        sites = self.drawn(problem, state)
        self.aggregator.check(len(sites))
        return {site: self.question(problem, state, site) for site in sites}

    def combine(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        """Move by the aggregate of the sites' updates."""
        return self.move(problem, state, self.aggregate(problem, state, self.usable(answers)))

    def combine_hidden(
        self,
        problem: Problem,
        state: State,
        answers: Mapping[str, Answer],
        promise: SiteDP,
        noise: Noise,
    ) -> tuple[State, Parameters]:
        """Move by the noisy mean of clipped updates, as a coordinator that sites trust does.

        The divisor is the weight of all sites that were drawn, whoever answered.

        Returns
        -------
        State
        Parameters
            The noisy mean: all that may be shown of the round.

        Raises
        ------
        PrivacyError
            When an update is not finite, or none came.
        """
        adapts = promise.adaptive is not None
        done = private_round(
            self.usable(answers),
            self.weights(problem, dict.fromkeys(self.drawn(problem, state))),
            promise,
            noise,
            noise_multiplier=calibrate(promise, Releases(1), unit="site"),
            clipping_norm=state.clipping_norm if adapts else None,
        )
        moved = self.move(problem, state, done.mean)
        norm = done.clipping_norm if adapts else None
        return msgspec.structs.replace(moved, clipping_norm=norm), done.mean

    def usable(self, answers: Mapping[str, Answer]) -> dict[str, Parameters]:
        """The updates that are not garbage, in the order of the sites' names."""
        kept = sorted(answers.keys() - self.excluded(answers).keys())
        return {site: self.direction(answers[site]) for site in kept}

    def aggregate(
        self, problem: Problem, state: State, updates: Mapping[str, Parameters]
    ) -> Parameters:
        """One update of the usable ones of this round; sites without one count as lost."""
        lost = len(self.drawn(problem, state)) - len(updates)
        return self.aggregator.combine(self.weights(problem, updates), updates, lost=lost)

    def weights(self, problem: Problem, sites: Mapping[str, object]) -> dict[str, float]:
        """How much each of `sites` counts."""
        by_rows = self.weighting == "rows"
        return {site: float(problem.rows[site]) if by_rows else 1.0 for site in sites}

    def step_length(self, problem: Problem, pull: float = 0.0) -> float:
        """The given learning rate, or the inverse of the curvature that a pull adds to."""
        if self.learning_rate is not None:
            return self.learning_rate
        curvature = problem.differentiable.smoothness(problem.space) + problem.penalty
        return 1 / (curvature + pull)

    def drawn(self, problem: Problem, state: State) -> list[str]:
        """The sites of the coming round, sorted."""
        sites = sorted(problem.rows)
        wanted = max(1, round(self.site_fraction * len(sites)))
        if wanted == len(sites):
            return sites
        random = generator(problem.seed, state.round + 1, "sites")
        return sorted(random.choice(sites, wanted, replace=False).tolist())

    def joins(self) -> Literal["sum", "mean"]:
        """The weighted mean is all it needs, unless a robust rule looks at each update.

        Raises
        ------
        TrainingError
            When one does, or the strategy keeps something for each site.
        """
        if type(self).combine is not Averaging.combine:
            return Strategy.joins(self)
        if not isinstance(self.aggregator, Mean):
            raise TrainingError(
                "A robust rule looks at each site's update, which a secure sum hides.",
                f"aggregator=fl.{type(self.aggregator).__name__}(...)",
                "Leave the aggregator out; what a secure sum hides it cannot defend. Bounds on "
                "updates that sites enforce remain, as under fl.RecordDP.",
            )
        return "mean"

    def direction(self, answer: Answer) -> Parameters:
        """The change that local training made."""
        if not isinstance(answer, Update):
            raise TypeError(f"{type(self).__name__} combines updates")
        return answer.delta

    def tolerates(self, problem: Problem, state: State) -> int:
        """As many as the aggregator does."""
        return self.aggregator.tolerates(len(self.drawn(problem, state)))

    def excluded(self, answers: Mapping[str, Answer]) -> dict[str, str]:
        """What the aggregator calls garbage."""
        return self.aggregator.excluded({s: self.direction(a) for s, a in answers.items()})
