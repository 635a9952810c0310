"""The idea of a strategy: ``init``, ``plan`` and ``combine``, all pure."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import msgspec

from fedlab.core.model import Differentiable, Model
from fedlab.core.parameters import Parameters
from fedlab.core.space import Space
from fedlab.core.wire import Open
from fedlab.errors import TrainingError
from fedlab.privacy.events import Unit
from fedlab.queries import Answer, Query

__all__ = ["Problem", "State", "Strategy"]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a run minimises, and over whose rows: fixed for the whole run.

    Attributes
    ----------
    model : Model
    space : Space
    rows : dict of str to int
        Declared number of training rows of each site.
    seed : int
    private : bool
        Whether there is a promise, so that answers have noise.
    unit : "record" or "site"
        Whom the promise is about: rows are clipped one by one, or updates as a whole.
    """

    model: Model
    space: Space
    rows: dict[str, int]
    seed: int
    private: bool = False
    unit: Unit = "record"

    @property
    def total_rows(self) -> int:
        """Training rows over all sites."""
        return sum(self.rows.values())

    @property
    def differentiable(self) -> Differentiable:
        """The model, for strategies that need gradients.

        Raises
        ------
        TrainingError
            When it has none.
        """
        if not isinstance(self.model, Differentiable):
            raise TrainingError(
                "This strategy needs a model with gradients.",
                f"{type(self.model).__name__}",
                "Leave strategy out to use the one that fits the model.",
            )
        return self.model

    @property
    def penalty(self) -> float:
        """The squared penalty's factor when the loss is a mean over all rows.

        Raises
        ------
        TrainingError
            When the model has an absolute penalty too, which gradient steps do not minimise.
        """
        squared, absolute = self.differentiable.penalties(self.total_rows)
        if absolute > 0:
            raise TrainingError(
                "Gradient steps need a penalty that is smooth.",
                f"l1_ratio above 0 in {type(self.model).__name__}",
                "Use fl.FedNewton(), or l1_ratio=0.",
            )
        return squared / self.total_rows


class State(msgspec.Struct, frozen=True):
    """Where a run stands: rounds done, parameters, and what the strategy carries along.

    Attributes
    ----------
    round : int
    parameters, carried : Parameters
    clipping_norm : float or None
        Where a norm that adapts under a promise about sites has got to.
    """

    round: int
    parameters: Parameters
    carried: Parameters
    clipping_norm: float | None = None


class Strategy(Open):
    """What to ask each site, and how answers make the next state.

    Attributes
    ----------
    can_be_private : bool
        Whether its queries have a bounded sensitivity.
    keeps_answers : bool
        Whether a round keeps what each site sent. Not where that is large and says nothing about
        sites apart from its size, as with histograms of a forest.
    sends_updates : bool
        Whether `direction` lies in the space of the parameters, so that its norm says how far a
        site pulls them.
    """

    __slots__ = ()

    can_be_private: ClassVar[bool] = False
    keeps_answers: ClassVar[bool] = True
    sends_updates: ClassVar[bool] = True

    def init(self, problem: Problem) -> State:
        """The state before the first round."""
        return State(0, problem.model.init(problem.space), Parameters({}))

    def past(self, state: State) -> State:
        """What a run keeps of a state once it has gone on; leads to the same next state."""
        return state

    def finished(self, problem: Problem, state: State) -> bool:
        """Whether a round more has nothing to ask."""
        return False

    @abstractmethod
    def plan(self, problem: Problem, state: State) -> dict[str, Query]:
        """What to ask in the coming round, by site; sites that sit it out are left out."""

    @abstractmethod
    def combine(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        """The next state. `answers` come from at least one of the planned sites."""

    @abstractmethod
    def direction(self, answer: Answer) -> Parameters:
        """The way in which one site's answer pulls the parameters."""

    def joins(self) -> Literal["sum", "mean"]:
        """Whether it needs no more than the sum of the answers, or their mean by `weights`.

        Raises
        ------
        TrainingError
            When it needs each site's own answer, which a secure sum hides.
        """
        raise TrainingError(
            "A secure sum hides what each site sent.",
            f"{type(self).__name__}, which needs it",
            "Use e.g. fl.FedAvg() or fl.FedNewton(), or aggregation='plain'.",
        )

    def tolerates(self, problem: Problem, state: State) -> int:
        """From how many sites of the coming round garbage may come without spoiling it."""
        return 0

    def excluded(self, answers: Mapping[str, Answer]) -> dict[str, str]:
        """Sites whose answers `combine` leaves out as garbage, and why."""
        return {}
