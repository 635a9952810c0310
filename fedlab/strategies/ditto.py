"""Common and personal parameters side by side.

Li, Hu, Beirami and Smith 2021, "Ditto: fair and robust federated learning through personalization",
ICML 2021, arXiv 2012.04221.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fedlab.core.parameters import Parameters
from fedlab.queries import Answer, PersonalFit, PersonalUpdate, Query
from fedlab.strategies.checks import nonnegative
from fedlab.strategies.local_training import LocalTraining
from fedlab.strategies.personal import Personal
from fedlab.strategies.strategy import Problem, State

__all__ = ["Ditto"]


class Ditto(LocalTraining, Personal, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """`FedAvg`, and beside it parameters for each site that the common ones pull (algorithm 1).

    Site i's own parameters minimise ``F_i(v) + lam / 2 ||v - w_t||^2``: at 0 they are a model of
    the site alone, and with growing `lam` they become the common ones. The common parameters are
    those of `FedAvg` to the bit; nothing personal enters them. A round's personal steps are as many
    as its common ones.

    Takes the arguments of `FedAvg` and this. Get at them by ``run.personal_model(site)``.

    Parameters
    ----------
    lam : float
        Strength of the pull (λ in the paper).

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> Ditto(lam=1.0).lam
    1.0
    """

    lam: float = 0.1

    def __post_init__(self) -> None:
        LocalTraining.__post_init__(self)
        nonnegative("lam", self.lam, example=1)

    def question(self, problem: Problem, state: State, site: str) -> Query:
        """Both trainings."""
        return PersonalFit(
            common=self.fit(problem, state.parameters),
            own=self.own(state, site),
            learning_rate=self.step_length(problem, self.lam),
            mu=self.lam,
        )

    def combine(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        """The common parameters as in FedAvg; each site's own move by what it sent."""
        moved = LocalTraining.combine(self, problem, state, answers)
        carried = dict(state.carried)
        for site in self.usable(answers):
            answer = answers[site]
            if not isinstance(answer, PersonalUpdate):
                raise TypeError("Ditto combines personal updates")
            carried[site] = (self.own(state, site) + answer.own).vector
        return State(moved.round, moved.parameters, Parameters(carried))
