"""The pooled oracle of a simulation: how far a federated fit is from one on all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from fedlab.core.blas import one_thread
from fedlab.core.cox import CoxRegression
from fedlab.core.model import Model
from fedlab.core.space import Space, Target, targets
from fedlab.core.trees.boosting import Boosting
from fedlab.core.trees.forest import Forest
from fedlab.core.twins import final_of, judged, learned
from fedlab.errors import DataError, TrainingError
from fedlab.gap import Gap
from fedlab.pooled_rows import checked_rows, row_notes
from fedlab.replay import converged, same_trees
from fedlab.strategies import Problem, State

__all__ = ["Gap", "gap_to_pooled"]


def gap_to_pooled(
    problem: Problem,
    state: State,
    frame: pd.DataFrame,
    *,
    held_out: pd.DataFrame | None = None,
    withheld: int = 0,
) -> Gap:
    """Fit the model's twin on `frame` and compare.

    For simulations, where the analyst holds all rows. No site is asked. The twin is scikit-learn's
    estimator behind the federation's preprocessing, run to its end. Cox's model, which scikit-learn
    has not, is fitted by the same code on one site of all rows; trees are grown anew in this way
    too, besides scikit-learn's, to tell whether they are the same to the bit.

    Parameters
    ----------
    problem : Problem
    state : State
        Whose parameters are compared.
    frame : DataFrame of shape (n_samples, n_columns)
        The training rows of all sites in one table, the target among its columns: of simulated
        sites ``fl.site.reveal(sites, "train")``. With other rows, their effect is part of the gap.
    held_out : DataFrame, optional
        More rows, on which both are judged too.
    withheld : int
        How many rows the sites hold out, to tell when `frame` has those as well.

    Raises
    ------
    DataError
        When a column or a target is missing, or scikit-learn cannot be fitted on the rows.
    TrainingError
        Before the first round.
    """
    model, space = problem.model, problem.space
    if state.round == 0:
        raise TrainingError(
            "What is compared with the pooled fit must have been fitted.",
            "a run at round 0",
            "Call step() first.",
        )
    frame = checked_rows(frame, model, space, "pooled")
    if held_out is not None:
        held_out = checked_rows(held_out, model, space, "held-out")
    notes = row_notes(problem, frame, held_out, withheld)
    with one_thread():
        fitted = model.estimator(
            state.parameters, space, n_samples=problem.total_rows, n_iter=state.round
        )
        fits = {"federated": fitted, **_pooled_fits(problem, fitted, frame)}
        ours, theirs = (
            learned(final_of(fits[one]), space.names) for one in ("federated", "pooled")
        )
        figures = {name: _figures(fit, model, space, frame, held_out) for name, fit in fits.items()}
        identical = None
        if isinstance(model, Forest | Boosting) and len(frame) == problem.total_rows:
            identical = same_trees(problem, state, frame)
            notes += _about_trees(model, identical)
        unseen = _unseen(model, space, frame)
    if unseen:
        notes.append(
            f"No pooled row has the class {', '.join(map(repr, unseen))}, so scikit-learn's fit "
            "does not know it; what the federated one makes of it is part of the gap."
        )
    if isinstance(model, CoxRegression):
        notes.append(
            "scikit-learn has no Cox model: the pooled fit is fedlab's own on one site of all "
            "rows. statsmodels' PHReg and scikit-survival are independent ones."
        )
    table = _compared(ours, theirs)
    lines = pd.DataFrame.from_dict(figures, orient="index")
    lines.loc["difference"] = lines.loc["federated"] - lines.loc["pooled"]
    lines.index.name = "fit"
    return Gap(table, lines, fits["pooled"], tuple(notes), identical)


def _pooled_fits(problem: Problem, fitted: Any, frame: pd.DataFrame) -> dict[str, Any]:
    model, space = problem.model, problem.space
    if isinstance(model, CoxRegression):
        end = converged(problem, frame)
        n_rows = len(frame)
        return {
            "pooled": model.estimator(end.parameters, space, n_samples=n_rows, n_iter=end.round)
        }
    y = _labels(model, space, frame)
    try:
        twin = model.pooled_twin(fitted, frame, y)
        return {"pooled": twin, **model.pooled_references(fitted, frame, y)}
    # Our own are ValueErrors too.
    except (DataError, TrainingError):
        raise
    # Not chained: the library's text may quote values.
    except ValueError as error:
        raise DataError(
            "The pooled rows must be rows that scikit-learn's estimator can be fitted on.",
            f"{type(error).__name__} from {type(final_of(fitted)).__name__}",
            "Check that they are the sites' training rows, with every class among them.",
        ) from None


def _labels(model: Model, space: Space, frame: pd.DataFrame) -> Target:
    if model.reads in ("nothing", "survival"):
        return np.zeros(len(frame))
    y = targets(frame[space.schema.target], space.schema, model.reads)
    return np.array(space.schema.classes)[y] if model.reads == "classes" else y


def _unseen(model: Model, space: Space, frame: pd.DataFrame) -> list[object]:
    if model.reads != "classes":
        return []
    seen = set(np.unique(_labels(model, space, frame)))
    return [label for label in space.schema.classes if label not in seen]


def _figures(
    fitted: Any, model: Model, space: Space, frame: pd.DataFrame, held_out: pd.DataFrame | None
) -> dict[str, float]:
    positive = space.schema.classes[1] if len(space.schema.classes) == 2 else None
    tables = {"": frame, "held_out_": held_out}
    return {
        f"{split}{name}": value
        for split, table in tables.items()
        if table is not None
        for name, value in judged(fitted, table, _labels(model, space, table), positive).items()
    }


def _compared(ours: dict[str, float], theirs: dict[str, float]) -> pd.DataFrame:
    shared = [name for name in ours if name in theirs]
    table = pd.DataFrame(
        {
            "federated": [ours[name] for name in shared],
            "pooled": [theirs[name] for name in shared],
        },
        index=pd.Index(shared, name="parameter", dtype="str"),
        dtype=np.float64,
    )
    table["difference"] = table["federated"] - table["pooled"]
    return table


def _about_trees(model: Forest | Boosting, identical: bool) -> list[str]:
    if identical:
        return ["The trees are those that the same code grows on the pooled table, to the bit."]
    said = ["The same code grows other trees on the pooled table."]
    if isinstance(model, Forest) and model.bootstrap:
        said.append(
            "Rows are drawn by site: to be repeated, the table must hold the rows of the sites "
            "one after another, in the order of the sites' names."
        )
    return [" ".join(said)]
