"""Federated averaging. McMahan et al. 2017, arXiv 1602.05629, algorithm 1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import msgspec

from fedlab.core.parameters import Parameters, weighted_mean
from fedlab.core.seeds import generator
from fedlab.errors import TrainingError
from fedlab.queries import Answer, LocalFit, Query, Update
from fedlab.strategies.strategy import Problem, State, Strategy

__all__ = ["FedAvg"]


class FedAvg(Strategy, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Each site takes gradient steps from the common parameters; their mean is the next.

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

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> FedAvg(local_epochs=2).local_epochs
    2
    """

    can_be_private: ClassVar[bool] = True

    local_epochs: int = 1
    local_steps: int | None = None
    batch_size: int | None = 32
    learning_rate: float | None = None
    site_fraction: float = 1.0
    weighting: Literal["rows", "equal"] = "rows"

    def __post_init__(self) -> None:
        for name in ("local_epochs", "local_steps", "batch_size"):
            value = getattr(self, name)
            optional = name != "local_epochs"
            if value is None and optional:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise TrainingError(
                    f"{name} must be a whole number of at least 1{' or None' * optional}.",
                    f"{value!r}",
                    f"Pass e.g. {name}=1.",
                )
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise TrainingError(
                "learning_rate must be positive.",
                f"{self.learning_rate:g}",
                "Pass e.g. learning_rate=0.1, or leave it out.",
            )
        if not 0 < self.site_fraction <= 1:
            raise TrainingError(
                "site_fraction must be above 0 and at most 1.",
                f"{self.site_fraction:g}",
                "Pass e.g. site_fraction=0.5.",
            )
        if self.weighting not in ("rows", "equal"):
            raise TrainingError(
                "weighting must be 'rows' or 'equal'.",
                f"{self.weighting!r}",
                "Pass e.g. weighting='rows'.",
            )

    def plan(self, problem: Problem, state: State) -> dict[str, Query]:
        """The same local training for every site that was drawn."""
        curvature = problem.differentiable.smoothness(problem.space) + problem.penalty
        step = self.learning_rate or 1 / curvature
        query = LocalFit(
            model=problem.differentiable,
            space=problem.space,
            parameters=state.parameters,
            penalty=problem.penalty,
            learning_rate=step,
            batch_size=self.batch_size,
            epochs=self.local_epochs,
            steps=self.local_steps,
        )
        return dict.fromkeys(self._draw(problem, state), query)

    def _draw(self, problem: Problem, state: State) -> list[str]:
        sites = sorted(problem.rows)
        wanted = max(1, round(self.site_fraction * len(sites)))
        if wanted == len(sites):
            return sites
        random = generator(problem.seed, state.round + 1, "sites")
        return sorted(random.choice(sites, wanted, replace=False).tolist())

    def combine(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        """Move by the mean of the sites' changes, weighted by rows (the paper's last line)."""
        by_rows = self.weighting == "rows"
        weights = {site: float(problem.rows[site]) if by_rows else 1.0 for site in answers}
        mean = weighted_mean(weights, {site: self.direction(a) for site, a in answers.items()})
        return State(state.round + 1, state.parameters + mean, state.carried)

    def direction(self, answer: Answer) -> Parameters:
        """The change that local training made."""
        if not isinstance(answer, Update):
            raise TypeError("FedAvg combines updates")
        return answer.delta
