"""What forests and boosting share: agree on bins, then grow until nothing is open."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from fedlab.core.model import Model
from fedlab.core.parameters import Parameters
from fedlab.core.trees.boosting import Boosting
from fedlab.core.trees.forest import Forest
from fedlab.queries import Answer, Query
from fedlab.strategies.binning import Binning
from fedlab.strategies.strategy import Problem, State, Strategy
from fedlab.strategies.tree_state import finished_error

__all__ = ["BINNING", "FINISHED", "GROWING", "JUDGING", "Growing", "reads_of"]

BINNING, GROWING, JUDGING, FINISHED = range(4)
"""What a run of trees is at."""


class Growing(Strategy):
    """Grows trees from sums; a round keeps no single answer, which would be large.

    Attributes
    ----------
    what : str
        What is grown, in a word or two.
    """

    __slots__ = ()

    keeps_answers: ClassVar[bool] = False
    sends_updates: ClassVar[bool] = False

    what: ClassVar[str]

    @abstractmethod
    def grown(self, problem: Problem) -> Forest | Boosting:
        """The model that is grown.

        Raises
        ------
        TrainingError
            When it is none that this strategy grows.
        """

    @abstractmethod
    def ask(self, problem: Problem, state: State) -> Query:
        """The question once there are bins."""

    @abstractmethod
    def plant(self, problem: Problem, state: State, known: Binning) -> State:
        """The state with agreed bins and nothing grown on them."""

    @abstractmethod
    def grow(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        """The next state once there are bins."""

    def init(self, problem: Problem) -> State:
        """No split, and nothing counted."""
        model = self.grown(problem)
        start = Binning.start(problem, reads_of(model))
        carried = {"phase": np.array(float(BINNING)), **start.carry()}
        return State(0, model.init(problem.space), Parameters(carried))

    def finished(self, problem: Problem, state: State) -> bool:
        """Whether no node is open and no score is left to ask for."""
        return int(state.carried["phase"]) == FINISHED

    def plan(self, problem: Problem, state: State) -> dict[str, Query]:
        """Counts for bins, then what trees need to grow; of every site the same."""
        model, phase = self.grown(problem), int(state.carried["phase"])
        if phase == FINISHED:
            raise finished_error(self.what)
        query: Query
        if phase == BINNING:
            query = Binning.carried(state.carried).query(problem, reads_of(model), model.max_bins)
        else:
            query = self.ask(problem, state)
        return dict.fromkeys(sorted(problem.rows), query)

    def combine(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        """Take the counts until bins are agreed, then grow."""
        if int(state.carried["phase"]) != BINNING:
            return self.grow(problem, state, answers)
        model = self.grown(problem)
        reads = reads_of(model)
        known = Binning.carried(state.carried).add(reads, model.max_bins, answers)
        if known.done(reads, model.max_bins):
            return self.plant(problem, state, known)
        carried = {"phase": np.array(float(BINNING)), **known.carry()}
        return State(state.round + 1, state.parameters, Parameters(carried))

    def joins(self) -> Literal["sum", "mean"]:
        """Sums are all it needs."""
        return "sum"


def reads_of(model: Model) -> Literal["classes", "numbers"]:
    """Whether trees part rows by classes or by numbers."""
    return "classes" if model.reads == "classes" else "numbers"
