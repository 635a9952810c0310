"""Train the same model at each site alone, and judge all fits where the federated one is judged."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from fedlab.beside import FEDERATED, POOLED, Beside
from fedlab.coordinator import Coordinator
from fedlab.core.blas import one_thread
from fedlab.core.metrics import from_histogram
from fedlab.core.model import Classifier, Model
from fedlab.core.preprocess import Preprocess
from fedlab.core.space import Space, targets
from fedlab.errors import PrivacyError, RefusedError, TrainingError
from fedlab.evaluation import ALL_SITES, Evaluation, evaluate
from fedlab.preprocessing import agree_space
from fedlab.rounds import Round
from fedlab.site import Site, reveal
from fedlab.stepping import take_round
from fedlab.strategies import Problem, State, Strategy

__all__ = ["beside_single_sites"]

# As many as a site's histogram of scores has, so that areas are equally coarse.
BINS = 100


def beside_single_sites(
    coordinator: Coordinator,
    run: str,
    problem: Problem,
    strategy: Strategy,
    state: State,
    *,
    pooled: Sequence[Site] | None = None,
    preprocess: Preprocess | None = None,
) -> Beside:
    """Train the same model at each site alone, and judge all fits on the rows of all sites.

    Parameters
    ----------
    coordinator : Coordinator
    run : str
        Names the run to the sites.
    problem : Problem
    strategy : Strategy
    state : State
        Where the federated run stands.
    pooled : sequence of Site, optional
        The run's own sites, when they are simulated; scikit-learn's fit on their rows joins in.
    preprocess : Preprocess, optional
        As the run was given it.

    Raises
    ------
    PrivacyError
        When the run is private, or the sites that are to be pooled are not simulated.
    TrainingError
        When no site judges, or scikit-learn has no twin of the model.
    """
    if problem.private:
        raise PrivacyError(
            "Single sites are compared by exact answers.",
            "a run with privacy",
            "Compare a run without privacy, on simulated sites.",
        )
    judged = evaluate(coordinator, run, state.round, problem, state.parameters, None, loss=False)
    lines = {FEDERATED: _line(judged, problem.total_rows)}
    notes = list(judged.notes)
    if pooled is not None:
        lines[POOLED] = _pooled_line(problem, state, list(pooled), judged)
    for site in sorted(problem.rows):
        try:
            alone, end = _alone(coordinator, run, problem, strategy, state, site, preprocess)
            everywhere = msgspec.structs.replace(alone, rows=problem.rows)
            found = evaluate(
                coordinator, run, end.round, everywhere, end.parameters, None, loss=False
            )
        except (RefusedError, TrainingError) as error:
            notes.append(f"Site {site!r} alone has no model. {error.rule} Got {error.came}.")
            continue
        lines[site] = _line(found, problem.rows[site])
    frame = pd.DataFrame.from_dict(lines, orient="index")
    frame.index.name = "fit"
    return Beside((frame,), tuple(notes))


def _alone(
    coordinator: Coordinator,
    run: str,
    problem: Problem,
    strategy: Strategy,
    state: State,
    site: str,
    preprocess: Preprocess | None,
) -> tuple[Problem, State]:
    """As many rounds as the federated run took; on to the end, where there is one it reached."""
    model, schema = problem.model, problem.space.schema
    space = agree_space(coordinator, [site], schema, model, preprocess)
    alone = msgspec.structs.replace(problem, space=space, rows={site: problem.rows[site]})
    # A run of its own to the site, whose ledger tells it from the federated one.
    name = f"{run}-alone-{secrets.token_hex(4)}"
    here = Round(state=strategy.init(alone))
    to_the_end = strategy.finished(problem, state)
    while not strategy.finished(alone, here.state) and (to_the_end or here.number < state.round):
        here = take_round(
            coordinator,
            name,
            alone,
            strategy,
            here,
            privacy=None,
            heard=lambda reply: None,
            charged=lambda: 0,
        )
    return alone, here.state


def _line(judged: Evaluation, training_rows: int) -> dict[str, float]:
    figures = {str(name): float(column[ALL_SITES]) for name, column in judged.frame.items()}
    rows = figures.pop("rows")
    return {"training_rows": training_rows, "held_out_rows": rows, **figures}


def _pooled_line(
    problem: Problem, state: State, sites: list[Site], judged: Evaluation
) -> dict[str, float]:
    model, space = problem.model, problem.space
    names = sorted(site.name for site in sites if isinstance(site, Site))
    if names != sorted(problem.rows):
        raise TrainingError(
            "The pooled fit needs the sites of the run.",
            f"{', '.join(map(repr, names)) or 'none'}",
            "Pass those that the federation was made of.",
        )
    train = reveal(sites, "train")
    # Of sites that did not judge the federated fit, no row may judge the pooled one.
    held_out = reveal([site for site in sites if site.name in judged.frame.index], "test")
    with one_thread():
        fitted = model.estimator(
            state.parameters, space, n_samples=problem.total_rows, n_iter=state.round
        )
        twin = model.pooled_twin(fitted, train, _labels(model, space, train))
        figures = _judge(twin, model, space, held_out)
    return {"training_rows": len(train), "held_out_rows": len(held_out), **figures}


def _labels(model: Model, space: Space, frame: pd.DataFrame) -> Any:
    y = targets(frame[space.schema.target], space.schema, model.reads)
    return np.array(space.schema.classes)[y] if model.reads == "classes" else y


def _judge(twin: Any, model: Model, space: Space, held_out: pd.DataFrame) -> dict[str, float]:
    """By the histogram that sites answer with, so that a coarse area is as coarse as theirs."""
    if not isinstance(model, Classifier) or len(space.schema.classes) != 2:
        return {model.score: float(twin.score(held_out, _labels(model, space, held_out)))}
    second = space.schema.classes[1]
    if hasattr(twin, "predict_proba"):
        score = twin.predict_proba(held_out)[:, list(twin.classes_).index(second)]
    else:
        sign = 1 if twin.classes_[1] == second else -1
        score = 1 / (1 + np.exp(-sign * twin.decision_function(held_out)))
    positive = _labels(model, space, held_out) == second
    cells = np.clip(np.ceil(score * BINS).astype(int) - 1, 0, BINS - 1)
    counts = np.stack([np.bincount(cells[positive == each], minlength=BINS) for each in (0, 1)])
    return from_histogram(counts.astype(np.float64))
