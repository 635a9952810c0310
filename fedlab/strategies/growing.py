"""What forests and boosting share: agree on bins, then grow until nothing is open."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np

from fedlab.core.model import Model
from fedlab.core.parameters import Parameters
from fedlab.strategies.binning import Binning
from fedlab.strategies.strategy import Problem, State, Strategy

__all__ = ["BINNING", "FINISHED", "GROWING", "JUDGING", "Growing", "reads_of"]

BINNING, GROWING, JUDGING, FINISHED = range(4)
"""What a run of trees is at."""


class Growing(Strategy):
    """Grows trees from sums; a round keeps no single answer, which would be large."""

    __slots__ = ()

    keeps_answers: ClassVar[bool] = False
    sends_updates: ClassVar[bool] = False

    @abstractmethod
    def grown(self, problem: Problem) -> Model:
        """The model that is grown.

        Raises
        ------
        TrainingError
            When it is none that this strategy grows.
        """

    def init(self, problem: Problem) -> State:
        """No split, and nothing counted."""
        model = self.grown(problem)
        start = Binning.start(problem, reads_of(model))
        carried = {"phase": np.array(float(BINNING)), **start.carry()}
        return State(0, model.init(problem.space), Parameters(carried))

    def finished(self, problem: Problem, state: State) -> bool:
        """Whether no node is open and no score is left to ask for."""
        return int(state.carried["phase"]) == FINISHED

    def joins(self) -> Literal["sum", "mean"]:
        """Sums are all it needs."""
        return "sum"


def reads_of(model: Model) -> Literal["classes", "numbers"]:
    """Whether trees part rows by classes or by numbers."""
    return "classes" if model.reads == "classes" else "numbers"
