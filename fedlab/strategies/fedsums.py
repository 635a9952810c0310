"""Models that follow from sums: one question, one answer, the pooled fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import msgspec

from fedlab.core.model import Summed
from fedlab.core.parameters import Parameters
from fedlab.errors import TrainingError
from fedlab.queries import Answer, Query, Statistics, Sums
from fedlab.strategies.strategy import Problem, State, Strategy

__all__ = ["FedSums"]


class FedSums(Strategy, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Add up the sites' sufficient statistics and solve; equal to the pooled fit.

    For Bernoulli naive Bayes one round is all, for Gaussian naive Bayes and principal components
    two; k-means takes one for each step of Lloyd's algorithm. The idea is older than its name: Chu
    et al. 2006, "Map-Reduce for machine learning on multicore", section 4.

    Examples
    --------
    >>> FedSums()
    FedSums()
    """

    sends_updates: ClassVar[bool] = False

    def plan(self, problem: Problem, state: State) -> dict[str, Query]:
        """The model's statistics at the common parameters, from every site."""
        query = Statistics(model=_summed(problem), space=problem.space, parameters=state.parameters)
        return dict.fromkeys(sorted(problem.rows), query)

    def combine(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        """Add in the order of names, and solve."""
        parts = [self.direction(answers[site]) for site in sorted(answers)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        solved = _summed(problem).solve(state.parameters, total)
        return State(state.round + 1, solved, state.carried)

    def joins(self) -> Literal["sum", "mean"]:
        """Sums are all it needs."""
        return "sum"

    def finished(self, problem: Problem, state: State) -> bool:
        """Whether the model has had as many rounds as it takes, where that is a fixed number."""
        rounds = _summed(problem).rounds
        return rounds is not None and state.round >= rounds

    def direction(self, answer: Answer) -> Parameters:
        """The site's sums."""
        if not isinstance(answer, Sums):
            raise TypeError("FedSums combines sums")
        return answer.values


def _summed(problem: Problem) -> Summed:
    if not isinstance(problem.model, Summed):
        raise TrainingError(
            "FedSums needs a model that follows from sums.",
            f"{type(problem.model).__name__}",
            "Leave strategy out to use the one that fits the model.",
        )
    return problem.model
