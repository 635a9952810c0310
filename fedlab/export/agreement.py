"""Graph and estimator side by side on made-up rows, before anything is signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fedlab.core.space import Space
from fedlab.errors import ExportError
from fedlab.export.graph import onnx_inputs, session_of
from fedlab.export.kinds import final_of, outputs_of, refuses_gaps
from fedlab.export.made_up import landmarks, made_up_rows

if TYPE_CHECKING:
    from fedlab.export.kinds import Fitted, Output

__all__ = ["TOLERANCE", "check_agreement", "made_up_rows"]

TOLERANCE = 1e-6
Values = NDArray[Any]


def check_agreement(model: Fitted, graph: bytes, space: Space) -> float:
    """Largest difference between onnxruntime and the estimator.

    Probabilities differ by their difference; what has no bound, such as predicted numbers, by a
    difference relative to its size where that is above 1.

    Raises
    ------
    ExportError
        When it passes `TOLERANCE`, is undefined, or where labels differ that are no near ties.
    """
    whole = refuses_gaps(model, space.keeps_missing)
    final = final_of(model)
    rows = made_up_rows(space, gaps=not whole, around=landmarks(final, len(space.numbers)))
    rows = rows[~_beyond_numbers(model, rows)]
    outputs = outputs_of(model)
    values = session_of(graph).run(None, onnx_inputs(rows, space.schema.columns))
    expected = {output: _expected(model, output, rows) for output in outputs}
    found = dict(zip(outputs, values, strict=True))
    labels = True
    if "label" in outputs:
        ties = _near_ties(expected[outputs[1]], outputs[1])
        labels = bool(np.all((found.pop("label") == expected["label"]) | ties))
    differences = [_difference(values, expected[output]) for output, values in found.items()]
    difference = float(np.max(differences))
    if not difference <= TOLERANCE or not labels:
        raise ExportError(
            f"The ONNX graph must agree with the estimator to {TOLERANCE:g}.",
            f"{difference:.3g}{'' if labels else ' and other labels'} on made-up rows",
            "Rescale columns whose values are far larger than their spread, or report this model.",
        )
    return difference


def _expected(model: Fitted, output: Output, rows: pd.DataFrame) -> Values:
    # Far rows may pass the largest number; then both are infinite.
    with np.errstate(over="ignore"):
        if output == "probabilities":
            found = model.predict_proba(rows)
        elif output == "scores":
            found = model.decision_function(rows).reshape(len(rows), -1)
        elif output in ("variable", "log_hazard"):
            found = model.predict(rows)[:, None]
        elif output in ("distances", "components"):
            found = model.transform(rows)
        elif output == "survival":
            found = model.predict_survival_function(rows).to_numpy()
        elif output == "times":
            found = model.event_times_
        else:
            found = model.predict(rows)
    return np.asarray(found)


def _beyond_numbers(model: Fitted, rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows for which the estimator has no digits left: shares of what are nearly no numbers."""
    final = final_of(model)
    odds = type(final).__name__ == "SGDClassifier" and final.loss == "log_loss"
    if not odds or len(final.classes_) == 2:
        return np.zeros(len(rows), dtype=np.bool_)
    beyond: NDArray[np.bool_] = model.decision_function(rows).max(axis=1) < -700
    return beyond


def _difference(found: Values, expected: Values) -> float:
    if found.shape != expected.shape:
        return float("nan")
    with np.errstate(invalid="ignore"):
        apart = np.where(found == expected, 0.0, np.abs(found - expected))
    return float(np.max(apart / np.maximum(1.0, np.abs(expected)), initial=0.0))


def _near_ties(values: Values, output: Output) -> NDArray[np.bool_]:
    """Rows in which rounding may decide on the label."""
    if values.shape[1] == 1:
        # One score, whose sign decides; or one cluster, about which there is nothing to decide.
        return np.abs(values[:, 0]) <= 2 * TOLERANCE
    ordered = np.sort(-values if output == "distances" else values, axis=1)[:, -2:]
    ties: NDArray[np.bool_] = np.ptp(ordered, axis=1) <= 2 * TOLERANCE * np.maximum(
        1.0, np.abs(ordered).max(axis=1)
    )
    return ties
