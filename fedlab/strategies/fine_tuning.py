"""Local fine-tuning of a common model.

Yu, Bagdasaryan and Shmatikov 2020, "Salvaging federated learning by local adaptation", arXiv
2002.04758, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fedlab.core.parameters import Parameters
from fedlab.queries import Answer, Query
from fedlab.strategies.local_training import LocalTraining, ask_to_train
from fedlab.strategies.personal import Personal
from fedlab.strategies.strategy import Problem, State

__all__ = ["FineTuning"]


class FineTuning(LocalTraining, Personal, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Each site trains on from the common parameters, for itself; the common ones stay.

    The last act of a run: ``run.fork(strategy=fl.FineTuning(local_epochs=5)).step()``, then
    ``personal_model(site)``. Further rounds go on from each site's own parameters. From a fresh
    start it gives what every site would have alone.

    Takes the arguments of `FedAvg`; weighting and aggregator play no part.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> FineTuning(local_epochs=5).local_epochs
    5
    """

    def question(self, problem: Problem, state: State, site: str) -> Query:
        """Plain local training from the site's own parameters."""
        return ask_to_train(problem.model, problem, self.own(state, site), self)

    def combine(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        """Each site's own parameters move by what it sent."""
        carried = dict(state.carried)
        for site in sorted(answers):
            carried[site] = (self.own(state, site) + self.direction(answers[site])).vector
        return State(state.round + 1, state.parameters, Parameters(carried))
