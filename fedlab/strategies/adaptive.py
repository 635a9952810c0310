"""Adaptive optimizers at the server.

Reddi, Charles, Zaheer, Garrett, Rush, Konečný, Kumar and McMahan 2021, "Adaptive federated
optimization", ICLR 2021, arXiv 2003.00295, algorithm 2.

No parameter moves much further than ``server_learning_rate`` in a round, whatever the sites found.
Coefficients of classifiers on scaled features are of order 1 and are reached in thirty rounds by
the defaults. Those of a regression have the unit of the target: on scikit-learn's diabetes data,
whose target has a mean of 152 and a standard deviation of 77, the defaults have not left their
start after thirty rounds. There FedAdagrad with a rate of 40 to 77 comes within 2 points of the
pooled R²; FedAdam and FedYogi at their best rate, 10, stay 3 to 9 below it, since their steps do
not shorten. `FedAvg` needs no such choice.
"""

from __future__ import annotations

from abc import abstractmethod

import msgspec
import numpy as np

from fedlab.core.parameters import Array, Parameters
from fedlab.strategies.checks import positive, share
from fedlab.strategies.local_training import LocalTraining
from fedlab.strategies.strategy import Problem, State

__all__ = ["FedAdagrad", "FedAdam", "FedYogi"]


class Adaptive(LocalTraining, msgspec.Struct, frozen=True, kw_only=True):
    """What the three share: the mean update takes the place of a gradient.

    ``m ← β1 m + (1 - β1) Δ`` and ``w ← w + η m / (√v + τ)``, from ``m = 0`` and ``v = τ²``; they
    differ in ``v``.
    """

    server_learning_rate: float = 0.05
    beta1: float = 0.9
    tau: float = 1e-3

    def __post_init__(self) -> None:
        LocalTraining.__post_init__(self)
        positive("server_learning_rate", self.server_learning_rate, example=0.1)
        share("beta1", self.beta1)
        positive("tau", self.tau, example=1e-3)

    @abstractmethod
    def second(self, before: Array, squares: Array) -> Array:
        """The next ``v``, given the last one and the squares of the mean update."""

    def move(self, problem: Problem, state: State, change: Parameters) -> State:
        """Along the first moment, over the root of the second; both are carried."""
        delta = change.vector
        first = state.carried.get("first_moment", np.zeros_like(delta))
        second = state.carried.get("second_moment", np.full_like(delta, self.tau**2))
        first = self.beta1 * first + (1 - self.beta1) * delta
        second = self.second(second, delta**2)
        step = self.server_learning_rate * first / (np.sqrt(second) + self.tau)
        moved = state.parameters + state.parameters.like(step)
        moments = Parameters({"first_moment": first, "second_moment": second})
        return State(state.round + 1, moved, moments)


class FedAdagrad(Adaptive, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Adagrad at the server: ``v ← v + Δ²``, so that steps shorten with every round.

    Takes the arguments of `FedAvg` and these.

    Parameters
    ----------
    server_learning_rate : float
        η of the paper, about the length of a round's first step in each scaled parameter.
    beta1 : float
        Momentum; the paper uses none with this optimizer.
    tau : float
        Degree of adaptivity: parameters whose updates are smaller move in proportion to them.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> FedAdagrad().beta1
    0.0
    """

    server_learning_rate: float = 0.3
    beta1: float = 0.0

    def second(self, before: Array, squares: Array) -> Array:
        """All squares so far."""
        return before + squares


class FedAdam(Adaptive, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Adam at the server: ``v ← β2 v + (1 - β2) Δ²``, a moving mean.

    Takes the arguments of `FedAvg` and these.

    Parameters
    ----------
    server_learning_rate : float
        η of the paper, about the length of a round's step in each scaled parameter.
    beta1, beta2 : float
        How much of the moments stays from round to round.
    tau : float
        Degree of adaptivity: parameters whose updates are smaller move in proportion to them.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> FedAdam(server_learning_rate=0.1).beta2
    0.99
    """

    beta2: float = 0.99

    def __post_init__(self) -> None:
        Adaptive.__post_init__(self)
        share("beta2", self.beta2, example=0.99)

    def second(self, before: Array, squares: Array) -> Array:
        """A mean that forgets."""
        return self.beta2 * before + (1 - self.beta2) * squares


class FedYogi(FedAdam, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Yogi at the server: ``v ← v - (1 - β2) Δ² sign(v - Δ²)``, which changes by what came alone.

    Takes the arguments of `FedAdam`; where updates become small, ``v`` falls more slowly.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> FedYogi().beta1
    0.9
    """

    def second(self, before: Array, squares: Array) -> Array:
        """A mean that moves by the newest squares, up or down."""
        moved: Array = before - (1 - self.beta2) * squares * np.sign(before - squares)
        return moved
