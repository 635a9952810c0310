"""Federated averaging, and its limit of one step on all rows.

McMahan, Moore, Ramage, Hampson and Agüera y Arcas 2017, "Communication-efficient learning of deep
networks from decentralized data", AISTATS 2017, arXiv 1602.05629.
"""

from __future__ import annotations

import msgspec

from fedlab.queries import LocalFit, Query
from fedlab.strategies.averaging import Averaging
from fedlab.strategies.local_training import LocalTraining
from fedlab.strategies.strategy import Problem, State

__all__ = ["FedAvg", "FedSGD"]


class FedAvg(LocalTraining, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Each site takes gradient steps from the common parameters; their mean is the next.

    Algorithm 1 of the paper.

    Parameters
    ----------
    local_epochs : int
        Passes over a site's rows a round (E in the paper).
    local_steps : int, optional
        Gradient steps a round instead of epochs.
    batch_size : int or None
        Rows a step (B in the paper); None takes all of them. Under record-level privacy a batch is
        a Poisson sample of this expected size.
    learning_rate : float, optional
        Step length. By default the inverse of a bound on the curvature of the penalised loss,
        which no step on all rows overshoots.
    site_fraction : float
        Share of sites in a round (C in the paper), drawn from seed and round, at least one.
    weighting : "rows" or "equal"
        Whether a site counts by its training rows, as in the paper, or as one.
    aggregator : Aggregator
        How updates become one; by default their weighted mean. A robust rule such as
        ``fl.Median()`` takes out what bad sites send.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> FedAvg(local_epochs=2).local_epochs
    2
    """


class FedSGD(Averaging, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """One gradient step a round on all rows: gradient descent on the pooled objective.

    Section 2 of the paper: `FedAvg` with one epoch of one batch. A round goes as far as one step of
    gradient descent does, so it needs many times more rounds than `FedAvg`; it is exact in that
    each of them is the pooled step.

    Parameters
    ----------
    learning_rate : float, optional
        Step length. By default the inverse of a bound on the curvature of the
        penalised loss.
    site_fraction : float
        Share of sites in a round, drawn from seed and round, at least one.
    weighting : "rows" or "equal"
        Whether a site counts by its training rows, as in the paper, or as one.
    aggregator : Aggregator
        How updates become one.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> FedSGD(learning_rate=0.5).learning_rate
    0.5
    """

    def question(self, problem: Problem, state: State, site: str) -> Query:
        """One step on all rows."""
        return LocalFit(
            model=problem.differentiable,
            space=problem.space,
            parameters=state.parameters,
            penalty=problem.penalty,
            learning_rate=self.step_length(problem),
            steps=1,
        )
