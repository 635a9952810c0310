"""The estimator as an ONNX graph in double precision, with the site's own columns as inputs.

Preprocessing comes from the space, which decides it for model and estimator alike; the last step
from the fitted estimator. Only operators that onnxruntime computes in double precision are used, so
that graph and estimator differ by rounding alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fedlab.core.graphs import Graph
from fedlab.core.schema import Column
from fedlab.core.space import Space
from fedlab.errors import DataError, ExportError
from fedlab.export.kinds import final_of
from fedlab.export.linear_steps import LINEAR_STEPS
from fedlab.export.other_steps import OTHER_STEPS

if TYPE_CHECKING:
    from fedlab.export.kinds import Fitted

__all__ = ["check_names", "onnx_inputs", "refuse_gaps", "session_of", "to_onnx"]

STEPS = LINEAR_STEPS | OTHER_STEPS


def to_onnx(model: Fitted, space: Space) -> bytes:
    """The graph's bytes; the same model gives the same bytes.

    Inputs are one a column, ``(n_samples, 1)``: doubles with NaN for missing, or strings with
    ``""`` for missing. Outputs are as `fedlab.export.kinds.outputs_of` lists them. Trees have their
    own way, `fedlab.core.trees.onnx.to_onnx_trees`.

    Raises
    ------
    ExportError
        When a name or category has no form in ONNX, or the estimator has no graph here.
    """
    check_names(space.schema.columns)
    final = final_of(model)
    name = type(final).__name__
    if name not in STEPS:
        raise ExportError(
            f"An exported model must end in one of {', '.join(sorted(STEPS))}, or in trees that "
            "fedlab has grown.",
            name,
            "Export a model of fedlab, or use run.model in this session.",
        )
    graph = Graph(space.schema.columns)
    x = graph.matrix(space)
    for step in model.steps[1:-1] if hasattr(model, "steps") else ():
        x = STEPS[type(step[1]).__name__](graph, x, step[1])
    STEPS[name](graph, x, final)
    return graph.encode()


def check_names(columns: Iterable[Column]) -> None:
    """Raise ExportError for a column or category without a form in ONNX."""
    for column in columns:
        if not column.name:
            raise ExportError(
                "A column needs a name to be an input in ONNX.", "''", "Rename it at every site."
            )
        if "" in column.categories:
            raise ExportError(
                "A category must not be the empty text, which stands for missing in ONNX.",
                f"'' among the categories of column {column.name!r}",
                "Rename it at every site, e.g. to 'none'.",
            )


def onnx_inputs(frame: pd.DataFrame, columns: Iterable[Column]) -> dict[str, NDArray[Any]]:
    """Rows in a site's own columns as inputs of the graph.

    Parameters
    ----------
    frame : DataFrame of shape (n_samples, n_columns)
        Columns in any order; others than the model's are left out.
    columns : iterable of Column

    Returns
    -------
    dict of str to ndarray of shape (n_samples, 1)
        As in the estimator, a category that was not declared counts as missing.

    Raises
    ------
    DataError
        When a column is missing, or holds what it should not.

    Examples
    --------
    >>> frame = pd.DataFrame({"age": [41, None], "sex": ["f", None]})
    >>> inputs = onnx_inputs(frame, [Column("age"), Column("sex", "category", ("f", "m"))])
    >>> inputs["age"].tolist(), inputs["sex"].tolist()
    ([[41.0], [nan]], [['f'], ['']])
    """
    inputs: dict[str, NDArray[Any]] = {}
    for column in columns:
        if column.name not in frame.columns:
            raise DataError(
                "Rows to score need the columns of the model.",
                f"a table without {column.name!r}",
                "Add the column; its values may be missing.",
            )
        numeric = column.kind == "number"
        try:
            inputs[column.name] = (_doubles if numeric else _texts)(frame[column.name])[:, None]
        except (TypeError, ValueError):
            # Not chained: the library's message quotes the value.
            raise DataError(
                f"Column {column.name!r} must hold {'numbers' if numeric else 'text'}.",
                f"dtype {frame[column.name].dtype}",
                "Convert it as at the sites.",
            ) from None
    return inputs


def refuse_gaps(inputs: Mapping[str, NDArray[Any]]) -> None:
    """Raise DataError where a number is missing, for models that cannot do without."""
    gaps = [
        name
        for name, values in inputs.items()
        if values.dtype == np.float64 and np.isnan(values).any()
    ]
    if gaps:
        raise DataError(
            "This model needs a number in every numeric column.",
            f"rows with gaps in {', '.join(map(repr, gaps))}",
            "Fill them, or train with e.g. fl.Preprocess(impute='median').",
        )


def _doubles(values: pd.Series) -> NDArray[Any]:
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _texts(values: pd.Series) -> NDArray[Any]:
    texts = values.astype(object).where(values.notna(), "").to_numpy(dtype=object)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError
    return texts


def session_of(graph: bytes) -> Any:
    """An onnxruntime session on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
