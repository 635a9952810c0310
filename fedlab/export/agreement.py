"""Graph and estimator side by side on made-up rows, before anything is signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fedlab.core.seeds import generator
from fedlab.core.space import Space
from fedlab.errors import ExportError
from fedlab.export.graph import onnx_inputs, session_of

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["TOLERANCE", "check_agreement", "made_up_rows"]

TOLERANCE = 1e-6
SPREADS = (0.3, 1.0, 3.0, 30.0)


def made_up_rows(space: Space) -> pd.DataFrame:
    """Rows around the centre of `space`, none of them a patient's.

    Numbers lie up to many scales off the centre, every category occurs, each column is missing
    somewhere, and one row is missing whole.
    """
    random = generator("made-up rows", *space.names)
    longest = max((len(column.categories) for column in space.categories), default=0)
    half = max(128, longest + 1)
    n_rows = 2 * half
    # Whole rows first, in which the lists of categories run through; then rows with gaps.
    present = random.random((n_rows, len(space.schema.columns))) < 0.8
    present[0], present[1:half] = False, True
    spread = np.resize(SPREADS, n_rows)
    scaling = iter(zip(space.scaling["mean"], space.scaling["scale"], strict=True))
    filled: dict[str, object] = {}
    for column, here in zip(space.schema.columns, present.T, strict=True):
        if column.kind == "number":
            mean, scale = next(scaling)
            values = mean + scale * spread * random.standard_normal(n_rows)
            filled[column.name] = np.where(here, values, np.nan)
        else:
            n_categories = len(column.categories)
            codes = random.integers(n_categories, size=n_rows)
            codes[1:half] = np.arange(half - 1) % n_categories
            filled[column.name] = pd.Categorical.from_codes(
                np.where(here, codes, -1), categories=pd.Index(list(column.categories))
            )
    return pd.DataFrame(filled)


def check_agreement(model: Pipeline, graph: bytes, space: Space) -> float:
    """Largest difference in probability between onnxruntime and the estimator.

    Raises
    ------
    ExportError
        When it passes `TOLERANCE`, is undefined, or where labels differ that are no near ties.
    """
    rows = made_up_rows(space)
    labels, found = session_of(graph).run(None, onnx_inputs(rows, space.schema.columns))
    expected = model.predict_proba(rows)
    difference = float(np.abs(found - expected).max()) if found.shape == expected.shape else np.nan
    near_tie = np.ptp(np.sort(expected, axis=1)[:, -2:], axis=1) <= 2 * TOLERANCE
    same = bool(np.all((labels == model.predict(rows)) | near_tie))
    if not difference <= TOLERANCE or not same:
        raise ExportError(
            f"The ONNX graph must agree with the estimator to {TOLERANCE:g} in probability.",
            f"{difference:.3g}{'' if same else ' and other labels'} on made-up rows",
            "Rescale columns whose values are far larger than their spread, or report this model.",
        )
    return difference
