"""Averaging with control variates.

Karimireddy, Kale, Mohri, Reddi, Stich and Suresh 2020, "SCAFFOLD: stochastic controlled averaging
for federated learning", ICML 2020, arXiv 1910.06378.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from fedlab.core.parameters import Parameters
from fedlab.queries import Answer, Query
from fedlab.strategies.checks import positive
from fedlab.strategies.local_training import LocalTraining
from fedlab.strategies.strategy import Problem, State

__all__ = ["SCAFFOLD"]


class SCAFFOLD(LocalTraining, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """`FedAvg` whose local steps are corrected for what the site's rows pull away from all rows.

    Algorithm 1 with option II. A local step is ``y ← y - η (g_i(y) - c_i + c)``; after K of them
    ``c_i ← c_i - c + (x - y) / (K η)``, the mean gradient that the site went down. The server's
    ``c`` is the aggregate of the ``c_i``, which with equal weights is line 17 of the algorithm;
    with weights by rows both means use them, so that the pooled optimum is where all steps rest.

    Sites keep nothing between rounds. The run carries each ``c_i`` by the site's name, where it can
    be rewound and saved, and sends each site its own ``c - c_i`` with the question. A site answers
    with its update alone: ``c_i`` follows from it, so that under record-level privacy it is
    post-processing and costs nothing more; its noise enters the next round's steps a second time.

    Takes the arguments of `FedAvg` and this.

    Parameters
    ----------
    server_learning_rate : float
        η_g of the paper.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> SCAFFOLD(local_epochs=5).server_learning_rate
    1.0
    """

    server_learning_rate: float = 1.0

    def __post_init__(self) -> None:
        LocalTraining.__post_init__(self)
        positive("server_learning_rate", self.server_learning_rate)

    def init(self, problem: Problem) -> State:
        """All control variates are zero, so that the first round is that of `FedAvg`."""
        state = LocalTraining.init(self, problem)
        zero = np.zeros_like(state.parameters.vector)
        return State(0, state.parameters, Parameters(dict.fromkeys(sorted(problem.rows), zero)))

    def question(self, problem: Problem, state: State, site: str) -> Query:
        """Local training with the site's own correction."""
        control = state.parameters.like(state.carried[site])
        return msgspec.structs.replace(
            self.fit(problem, state.parameters),
            correction=self.common(problem, state) - control,
        )

    def common(self, problem: Problem, state: State) -> Parameters:
        """The server's control variate ``c``."""
        controls = {site: state.parameters.like(state.carried[site]) for site in state.carried}
        return self.aggregator.combine(self.weights(problem, controls), controls)

    def combine(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        """Move by the aggregate, and renew the control variates of the sites that took part."""
        updates = self.usable(answers)
        change = self.aggregate(problem, state, updates)
        common, rate = self.common(problem, state).vector, self.step_length(problem)
        carried = dict(state.carried)
        steps = self.steps(problem, updates)
        for site, update in updates.items():
            carried[site] = carried[site] - common - update.vector / (steps[site] * rate)
        moved = state.parameters + self.server_learning_rate * change
        return State(state.round + 1, moved, Parameters(carried))
