"""The pooled oracle of a simulation: how far a federated fit is from one on all rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fedlab.core.blas import one_thread
from fedlab.core.model import Model
from fedlab.core.space import Space, Target, targets
from fedlab.core.twins import learned
from fedlab.displays.tables import to_html
from fedlab.errors import DataError, TrainingError
from fedlab.strategies import Problem, State

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Gap", "gap_to_pooled"]

ROWS = ("federated", "pooled", "difference")


@dataclass(frozen=True, repr=False)
class Gap:
    """A federated fit beside its pooled twin, which scikit-learn fitted on one table.

    Attributes
    ----------
    frame : DataFrame
        One row a number that both have learned: ``federated``, ``pooled`` and their
        ``difference``. Empty for models that share no such numbers, as forests.
    figures : DataFrame
        Rows ``federated``, ``pooled`` and ``difference``; how well both do on the table and, if
        there is one, on a table of held-out rows.
    twin : Pipeline
        The pooled fit, with the preprocessing of the federated one.
    notes : tuple of str
        What has to be known to read it.
    """

    frame: pd.DataFrame
    figures: pd.DataFrame
    twin: Any
    notes: tuple[str, ...] = ()

    @property
    def largest(self) -> float:
        """The largest difference of a learned number, NaN where none is shared."""
        return float(self.frame["difference"].abs().max())

    def plot(self) -> go.Figure:
        """Each learned number, federated and pooled."""
        from fedlab.displays.gap_figure import gap_figure

        return gap_figure(self.frame)

    def __repr__(self) -> str:
        parts = [f"Largest difference of a parameter: {self.largest:.3g}", self.figures.to_string()]
        return "\n".join([*parts, *self.notes])

    def _repr_html_(self) -> str:
        title = f"Gap to the pooled fit; largest difference of a parameter {self.largest:.3g}"
        return to_html(self.figures, title=title, notes=list(self.notes))


def gap_to_pooled(
    problem: Problem, state: State, frame: pd.DataFrame, *, held_out: pd.DataFrame | None = None
) -> Gap:
    """Fit the model's twin on `frame` and compare.

    For simulations, where the analyst holds all rows. No site is asked.

    Parameters
    ----------
    problem : Problem
    state : State
        Whose parameters are compared.
    frame : DataFrame of shape (n_samples, n_columns)
        The training rows of all sites in one table, the target among its columns. With other rows,
        their effect is part of the gap.
    held_out : DataFrame, optional
        More rows, on which both are judged too.

    Raises
    ------
    DataError
        When a column is missing.
    TrainingError
        When the model has no twin in scikit-learn.
    """
    model, space = problem.model, problem.space
    with one_thread():
        fitted = model.estimator(
            state.parameters, space, n_samples=problem.total_rows, n_iter=state.round
        )
        labels = _labels(model, space, frame)
        twin = model.pooled_twin(fitted, frame, labels)
        ours, theirs = (learned(each[-1], space.names) for each in (fitted, twin))
        figures = pd.DataFrame(
            [_figures(each, model, space, frame, held_out) for each in (fitted, twin)]
        )
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
    figures.loc[2] = figures.loc[0] - figures.loc[1]
    figures.index = pd.Index(ROWS, name="fit")
    notes = []
    if len(frame) != problem.total_rows:
        notes.append(
            f"The table has {len(frame)} rows and the sites trained on {problem.total_rows}: "
            "what other rows change is part of the gap."
        )
    return Gap(table, figures, twin, tuple(notes))


def _labels(model: Model, space: Space, frame: pd.DataFrame) -> Target:
    schema = space.schema
    wanted = [*schema.names, schema.target, *([schema.event] if schema.event else [])]
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise DataError(
            "The pooled table needs the sites' columns, the target among them.",
            f"a table without {', '.join(map(repr, missing))}",
            "Pass the rows that the sites were made of.",
        )
    if model.reads == "survival":
        raise TrainingError(
            "The pooled fit needs a model that scikit-learn has.",
            f"{type(model).__name__}",
            "Compare with statsmodels' PHReg or scikit-survival on the pooled rows.",
        )
    y = targets(frame[schema.target], schema, model.reads)
    return np.array(schema.classes)[y] if model.reads == "classes" else y


def _figures(
    fitted: Any, model: Model, space: Space, frame: pd.DataFrame, held_out: pd.DataFrame | None
) -> dict[str, float]:
    tables = {"": frame, "held_out_": held_out}
    return {
        f"{split}{name}": value
        for split, table in tables.items()
        if table is not None
        for name, value in _judged(fitted, table, _labels(model, space, table)).items()
    }


def _judged(fitted: Any, frame: pd.DataFrame, y: Target) -> dict[str, float]:
    from sklearn.base import is_classifier, is_regressor
    from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score

    if is_classifier(fitted):
        found = {"accuracy": float(accuracy_score(y, fitted.predict(frame)))}
        if hasattr(fitted, "predict_proba") and set(y) <= set(fitted.classes_):
            probabilities = fitted.predict_proba(frame)
            found["log_loss"] = float(log_loss(y, probabilities, labels=fitted.classes_))
        return found
    if is_regressor(fitted):
        predicted = fitted.predict(frame)
        return {
            "r2": float(r2_score(y, predicted)),
            "mean_squared_error": float(mean_squared_error(y, predicted)),
        }
    return {"score": float(fitted.score(frame))}
