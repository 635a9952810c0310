"""Averaging with a pull to the common parameters.

Li, Sahu, Zaheer, Sanjabi, Talwalkar and Smith 2020, "Federated optimization in heterogeneous
networks", MLSys 2020, arXiv 1812.06127.
"""

from __future__ import annotations

import msgspec

from fedlab.queries import Query
from fedlab.strategies.checks import nonnegative
from fedlab.strategies.local_training import LocalTraining
from fedlab.strategies.strategy import Problem, State

__all__ = ["FedProx"]


class FedProx(LocalTraining, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """`FedAvg` whose sites minimise ``F_i(w) + mu / 2 ||w - w_t||^2`` (algorithm 2, equation 2).

    The pull keeps a site that takes many steps on unlike rows from drifting away; it reads no row,
    so privacy is accounted as for `FedAvg`. Sites with less time are those with fewer
    ``local_steps``; all are asked for the same here.

    Takes the arguments of `FedAvg` and this. The default learning rate allows for the pull:
    ``1 / (L + mu)``.

    Parameters
    ----------
    mu : float
        Strength of the pull; at 0 it is `FedAvg`.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> FedProx(mu=0.1, local_epochs=5).mu
    0.1
    """

    mu: float = 0.1

    def __post_init__(self) -> None:
        LocalTraining.__post_init__(self)
        nonnegative("mu", self.mu)

    def question(self, problem: Problem, state: State, site: str) -> Query:
        """Local training with the pull."""
        return msgspec.structs.replace(
            self.fit(problem, state.parameters),
            mu=self.mu,
            learning_rate=self.step_length(problem, self.mu),
        )
