"""Normalised averaging.

Wang, Liu, Liang, Joshi and Poor 2020, "Tackling the objective inconsistency problem in
heterogeneous federated optimization", NeurIPS 2020, arXiv 2007.07481.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fedlab.queries import Answer
from fedlab.strategies.local_training import LocalTraining
from fedlab.strategies.strategy import Problem, State

__all__ = ["FedNova"]


class FedNova(LocalTraining, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """`FedAvg` that divides each update by the number of steps it took.

    In `FedAvg` a site with twice the rows takes twice the steps *and* has twice the weight, so
    that the mean leans to large sites. Here a site's update over its steps ``τ_i`` is averaged by
    weight ``p_i``, and the mean is scaled by ``τ_eff = Σ p_i τ_i`` (section 4 of the paper, for
    plain gradient steps, where the norm of ``a_i`` is ``τ_i``). Steps follow from the rows that a
    site declared. With equal steps it is `FedAvg`.

    Takes the arguments of `FedAvg`.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> FedNova(local_epochs=2).local_epochs
    2
    """

    def combine(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        """Move by ``τ_eff Σ p_i Δ_i / τ_i``."""
        updates = self.usable(answers)
        weights, steps = self.weights(problem, updates), self.steps(problem, updates)
        total = sum(weights.values())
        scaled = {
            site: update * (sum(weights[s] * steps[s] for s in updates) / total / steps[site])
            for site, update in updates.items()
        }
        return self.move(problem, state, self.aggregate(problem, state, scaled))
