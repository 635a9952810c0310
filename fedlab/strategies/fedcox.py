"""Exact Newton steps on Cox's partial likelihood, from the sites' risk-set sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import msgspec
import numpy as np

from fedlab.core.cox import CoxRegression
from fedlab.core.parameters import Array, Parameters
from fedlab.core.risk_sets import partial_likelihood
from fedlab.errors import TrainingError
from fedlab.queries import Answer, EventTimes, Query, RiskSets, Sums, Times
from fedlab.strategies.strategy import Problem, State, Strategy

__all__ = ["FedCox"]

# Longest change of a coefficient in one step: a hazard ratio of 150 for a standard deviation.
# Longer ones come from a likelihood that has no maximum, and would overflow.
LONGEST_STEP = 5.0


class FedCox(Strategy, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Newton's method on the partial likelihood of all sites together.

    With ``grid="exact"`` the first round agrees on the times of events; every other round is one
    Newton step. A step that raises the objective is halved in the next round until it does not
    (Nocedal and Wright 2006, algorithm 3.1). Five to eight rounds reach the last digit. The hazard
    of a state belongs to the coefficients of the round before, which differ by rounding once the
    fit has converged. Its sums are exact: it offers no record-level privacy.

    Examples
    --------
    >>> FedCox().can_be_private
    False
    """

    sends_updates: ClassVar[bool] = False

    def init(self, problem: Problem) -> State:
        """The model's start, and no step taken yet."""
        parameters = _cox(problem).init(problem.space)
        size = len(parameters["coef"])
        return State(0, parameters, _carry(np.inf, 1.0, np.zeros(size)))

    def plan(self, problem: Problem, state: State) -> dict[str, Query]:
        """Times of events where the grid needs them, else sums over risk sets; from every site."""
        model, space = _cox(problem), problem.space
        query: Query = RiskSets(model=model, space=space, parameters=state.parameters)
        if len(state.parameters["times"]) == 0:
            query = EventTimes(model=model, space=space)
        return dict.fromkeys(sorted(problem.rows), query)

    def combine(self, problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
        """Unite the times, or take a Newton step, or take back half of one that went too far."""
        directions = [self.direction(answers[site]) for site in sorted(answers)]
        if "times" in directions[0]:
            times = np.unique(np.concatenate([each["times"] for each in directions]))
            if len(times) == 0:
                return _without_events(problem, state, answers)
            return State(state.round + 1, _at(state.parameters["coef"], times), state.carried)
        total = directions[0]
        for part in directions[1:]:
            total = total + part
        if not total["events"].any():
            return _without_events(problem, state, answers)
        model = _cox(problem)
        coef, times = state.parameters["coef"], state.parameters["times"]
        loss, gradient, hessian = partial_likelihood(total, coef, model.ties)
        objective = loss + model.alpha / 2 * float(coef @ coef)
        before, length = float(state.carried["objective"]), float(state.carried["length"])
        # Near the optimum the objective moves by rounding only, which is no ascent.
        if objective > before + 1e-12 * abs(before) and length > 2.0**-30:
            step = state.carried["step"]
            moved = coef - step * (length / 2)
            carried = _carry(before, length / 2, step)
            return State(state.round + 1, _at(moved, times, state.parameters["hazard"]), carried)
        gradient = gradient + model.alpha * coef
        hessian = hessian + model.alpha * np.eye(len(coef))
        # Least squares, since all categories of a column leave the Hessian singular.
        step = np.asarray(-np.linalg.lstsq(hessian, gradient, rcond=None)[0], dtype=np.float64)
        step = step * min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        at_risk = np.where(total["events"] > 0, total["at_risk_0"], 1.0)
        hazard = total["events"] / at_risk
        carried = _carry(objective, 1.0, step)
        return State(state.round + 1, _at(coef + step, times, hazard), carried)

    def joins(self) -> Literal["sum", "mean"]:
        """Sums are all it needs."""
        return "sum"

    def direction(self, answer: Answer) -> Parameters:
        """The site's times or sums."""
        if isinstance(answer, Times):
            return Parameters({"times": answer.values})
        if not isinstance(answer, Sums):
            raise TypeError("FedCox combines times and sums")
        return answer.values


def _at(coef: Array, times: Array, hazard: Array | None = None) -> Parameters:
    jumps = np.zeros(len(times)) if hazard is None else hazard
    return Parameters({"coef": coef, "times": times, "hazard": jumps})


def _carry(objective: float, length: float, step: Array) -> Parameters:
    return Parameters({"objective": objective, "length": length, "step": step})


def _without_events(problem: Problem, state: State, answers: Mapping[str, Answer]) -> State:
    """Stay, where some sites alone are looked at; with all of them there is nothing to fit."""
    if len(answers) == len(problem.rows):
        raise TrainingError(
            "Cox's model needs an event at some site.",
            "none among the training rows, within the grid",
            "Check the event column, and that the grid is in the unit of the target.",
        )
    return State(state.round + 1, state.parameters, state.carried)


def _cox(problem: Problem) -> CoxRegression:
    if not isinstance(problem.model, CoxRegression):
        raise TrainingError(
            "FedCox fits Cox's model.",
            f"{type(problem.model).__name__}",
            "Leave strategy out to use the one that fits the model.",
        )
    return problem.model
