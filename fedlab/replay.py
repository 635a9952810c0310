"""The same code on one site that holds all rows, without asking anyone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fedlab.core.trees.forest import Forest
from fedlab.queries import Context, Rows
from fedlab.strategies import FedBoost, FedCox, FedForest, Problem, State, Strategy

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["converged", "same_trees"]

NAME = "(pooled)"
# Newton's steps on a partial likelihood, with halved ones among them.
MOST_ROUNDS = 60
STANDS_STILL = 1e-13


def _rows(problem: Problem, frame: pd.DataFrame) -> Rows:
    schema = problem.space.schema
    event = None if schema.event is None else frame[schema.event]
    target = frame[schema.target] if schema.target in frame else frame.iloc[:, 0]
    return Rows(frame[list(schema.names)], target, event)


def _pooled(problem: Problem, frame: pd.DataFrame) -> Problem:
    return msgspec.structs.replace(problem, rows={NAME: len(frame)})


def _round(strategy: Strategy, problem: Problem, state: State, rows: Rows) -> State:
    plan = strategy.plan(problem, state)
    context = Context((problem.seed, state.round + 1, NAME))
    answers = {site: query.compute(rows, context) for site, query in plan.items()}
    return strategy.combine(problem, state, answers)


def converged(problem: Problem, frame: pd.DataFrame) -> State:
    """Cox's model on all rows, when its coefficients stand still."""
    strategy, one, rows = FedCox(), _pooled(problem, frame), _rows(problem, frame)
    state = strategy.init(one)
    for _ in range(MOST_ROUNDS):
        before, state = state, _round(strategy, one, state, rows)
        step = np.abs(state.parameters["coef"] - before.parameters["coef"])
        # The first round may do no more than agree on times.
        if len(before.parameters["times"]) and step.max(initial=0.0) < STANDS_STILL:
            break
    return state


def same_trees(problem: Problem, state: State, frame: pd.DataFrame) -> bool:
    """Whether as many rounds on `frame` grow the trees of `state`, to the bit.

    Parameters
    ----------
    problem : Problem
    state : State
    frame : DataFrame
        Rows of the sites, one site after another in the order of their names where trees draw
        rows by site.
    """
    strategy: Strategy = FedBoost()
    if isinstance(problem.model, Forest):
        drawn = {site: problem.rows[site] for site in sorted(problem.rows)}
        strategy = FedForest(pooled=drawn if problem.model.bootstrap else {})
    one, rows = _pooled(problem, frame), _rows(problem, frame)
    again = strategy.init(one)
    for _ in range(state.round):
        again = _round(strategy, one, again, rows)
    return again.parameters == state.parameters
