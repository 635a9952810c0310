"""Newton steps from summed gradients and Hessians: the pooled fit, without pooling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import msgspec
import numpy as np

from fedlab.core.lasso import absolute_minimum
from fedlab.core.parameters import Array, Parameters
from fedlab.errors import TrainingError
from fedlab.queries import Answer, NewtonStep, Query, Slope
from fedlab.strategies.strategy import Problem, State, Strategy

__all__ = ["FedNewton"]


class FedNewton(
    Strategy, msgspec.Struct, frozen=True, tag=True, kw_only=True, repr_omit_defaults=True
):
    """Newton's method on the summed objective, which equals Newton's method on the pooled rows.

    A step that raises the objective is halved in the next round until it does not (step halving,
    Nocedal and Wright 2006, algorithm 3.1). On logistic regression six to ten rounds reach the
    last digit. With an absolute penalty a step goes to the least of the penalised quadratic (the
    proximal Newton method, Lee, Sun and Saunders 2014, equation 2.2), which sites need not know.

    Under record-level privacy each site clips every row's gradient and Hessian and adds noise to
    both (Ganesh, Haghifam, Steinke and Thakurta 2023, arXiv 2305.13209, whose eigenvalue clipping
    it uses). The Hessian is then made positive definite by post-processing: eigenvalues are raised
    to at least half the largest that its noise alone makes. Losses stay at the sites, so no step
    is halved. Two to four rounds are enough, and each may have more of the budget than one of many
    steps. At ε = 2 and 4 seeds, two rounds gave a held-out log loss of 0.48 on the OPT clinics and
    0.50 on breast cancer, 30 rounds of `FedAvg` 0.51 and 0.57.

    Parameters
    ----------
    curvature_share : float
        Share of the privacy budget that goes to Hessians, above 0 and below 1; the rest goes to
        gradients.

    Raises
    ------
    TrainingError
        When the share is out of its range.

    Examples
    --------
    >>> FedNewton().can_be_private
    True
    """

    can_be_private: ClassVar[bool] = True

    curvature_share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.curvature_share < 1:
            raise TrainingError(
                "curvature_share must be above 0 and below 1.",
                f"{self.curvature_share}",
                "Pass e.g. curvature_share=0.5.",
            )

    def init(self, problem: Problem) -> State:
        """The model's start, and no step taken yet."""
        state = Strategy.init(self, problem)
        nothing = 0.0 * state.parameters
        return State(0, state.parameters, _carry(np.inf, 1.0, nothing.vector))

    def plan(self, problem: Problem, state: State) -> dict[str, Query]:
        """Loss, gradient and Hessian at the common parameters, from every site."""
        model, space = problem.differentiable, problem.space
        query = NewtonStep(
            model=model,
            space=space,
            parameters=state.parameters,
            curvature_share=self.curvature_share,
            # Half of what public ranges allow a row on average; most rows stay below it.
            curvature_norm=model.smoothness(space) / 2 if problem.private else 1.0,
        )
        return dict.fromkeys(sorted(problem.rows), query)

    def combine(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        """Solve for the next step, or take back half of one that went too far."""
        slopes = [_slope(answers[site]) for site in sorted(answers)]
        model = problem.differentiable
        penalised = model.penalised(state.parameters)
        squared, absolute = model.penalties(problem.total_rows)
        objective = sum(s.loss for s in slopes) + squared / 2 * penalised.norm() ** 2
        objective += absolute * float(np.abs(penalised.vector).sum())
        before, length = float(state.carried["objective"]), float(state.carried["length"])
        # Near the optimum the objective moves by rounding only, which is no ascent.
        rose = not problem.private and objective > before + 1e-12 * abs(before)
        if rose and length > 2.0**-30:
            step = state.carried["step"]
            moved = state.parameters - state.parameters.like(step * (length / 2))
            return State(state.round + 1, moved, _carry(before, length / 2, step))
        held = model.penalised(state.parameters.like(np.ones_like(penalised.vector))).vector
        gradient = _sum([s.gradient.vector for s in slopes]) + squared * penalised.vector
        curvature, ridge = _sum([s.hessian for s in slopes]), squared * held
        if problem.private:
            curvature = _raised(curvature, sum(s.variance for s in slopes))
        if absolute > 0:
            hessian = curvature + np.diag(ridge)
            step = absolute_minimum(state.parameters.vector, gradient, hessian, held > 0, absolute)
        else:
            step = model.newton_step(state.parameters, gradient, curvature, ridge)
        moved = state.parameters + state.parameters.like(step)
        return State(state.round + 1, moved, _carry(objective, 1.0, step))

    def joins(self) -> Literal["sum", "mean"]:
        """Sums are all it needs."""
        return "sum"

    def direction(self, answer: Answer) -> Parameters:
        """Down the site's gradient."""
        return -1.0 * _slope(answer).gradient


def _raised(curvature: Array, variance: float) -> Array:
    """`curvature` with no eigenvalue below half of what noise alone makes.

    Symmetric noise with variances v on and v / 2 off the diagonal has a largest eigenvalue near
    ``sqrt(2 n v)`` (Wigner 1958, the edge of the semicircle).
    """
    values, vectors = np.linalg.eigh(curvature)
    least = np.sqrt(2 * curvature.shape[-1] * variance) / 2
    raised: Array = (vectors * np.maximum(values, least)[..., None, :]) @ np.swapaxes(
        vectors, -1, -2
    )
    return raised


def _carry(objective: float, length: float, step: Array) -> Parameters:
    return Parameters({"objective": objective, "length": length, "step": step})


def _slope(answer: Answer) -> Slope:
    if not isinstance(answer, Slope):
        raise TypeError("FedNewton combines slopes")
    return answer


def _sum(parts: list[Array]) -> Array:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
