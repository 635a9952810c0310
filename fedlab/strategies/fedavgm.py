"""Averaging with momentum at the server.

Hsu, Qi and Brown 2019, "Measuring the effects of non-identical data distribution for federated
visual classification", arXiv 1909.06335.
"""

from __future__ import annotations

import msgspec

from fedlab.core.parameters import Parameters
from fedlab.strategies.checks import positive, share
from fedlab.strategies.local_training import LocalTraining
from fedlab.strategies.strategy import Problem, State

__all__ = ["FedAvgM"]


class FedAvgM(LocalTraining, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """`FedAvg` whose server keeps going in the direction of earlier rounds.

    With the mean update ``Δ``: ``v ← β v + Δ``, ``w ← w + η v`` (section 4 of the paper, whose Δ
    has the other sign). In the long run a round moves ``η / (1 - β)`` times as far as in `FedAvg`.

    Takes the arguments of `FedAvg` and these. The paper tries momenta from 0.7 to 0.997 with tuned
    rates; the defaults here are those with which small tables settle within thirty rounds. With
    more momentum a far start is overshot for longer: its error falls by ``√β`` a round at best.

    Parameters
    ----------
    momentum : float
        β, from 0 to below 1; at 0 with server_learning_rate 1 it is `FedAvg`.
    server_learning_rate : float
        η.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> FedAvgM(momentum=0.5).momentum
    0.5
    """

    momentum: float = 0.8
    server_learning_rate: float = 0.5

    def __post_init__(self) -> None:
        LocalTraining.__post_init__(self)
        share("momentum", self.momentum)
        positive("server_learning_rate", self.server_learning_rate)

    def move(self, problem: Problem, state: State, change: Parameters) -> State:
        """Along the momentum, which is carried from round to round."""
        velocity = change
        if "velocity" in state.carried:
            velocity = state.parameters.like(self.momentum * state.carried["velocity"]) + change
        moved = state.parameters + self.server_learning_rate * velocity
        return State(state.round + 1, moved, Parameters({"velocity": velocity.vector}))
