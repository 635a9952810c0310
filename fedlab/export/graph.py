"""The estimator as an ONNX graph in double precision, with the site's own columns as inputs.

skl2onnx does the conversion. Three of its ways are corrected here:

* ONNX's ``Imputer`` has no double-precision kernel in onnxruntime, so filling a missing number
  becomes ``Where(IsNaN(x), fill, x)``.
* Indicators come as floats, and a model of categories alone would then be computed in floats to
  its end (an error of 3e-8); they are cast to doubles at once.
* It turns names of columns into identifiers (``"mean radius"`` into ``mean_radius``); inputs get
  their real names back, since people and programs look columns up by them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fedlab.core.schema import Column
from fedlab.core.space import Space
from fedlab.errors import DataError, ExportError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["onnx_inputs", "session_of", "to_onnx"]


def to_onnx(model: Pipeline, space: Space) -> bytes:
    """The graph's bytes; the same model gives the same bytes.

    Inputs are one a column, ``(n_samples, 1)``: doubles with NaN for missing, or strings with
    ``""`` for missing. Outputs are the label ``(n_samples,)`` and the probabilities
    ``(n_samples, n_classes)``.

    Raises
    ------
    ExportError
        When a name or category has no form in ONNX, or skl2onnx does not know the estimator.
    """
    from onnx import TensorProto
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder

    columns = space.schema.columns
    _check_names(columns)
    types = {"number": DoubleTensorType, "category": StringTensorType}
    try:
        graph = convert_sklearn(
            model,
            "fedlab",
            initial_types=[(column.name, types[column.kind]([None, 1])) for column in columns],
            options={"zipmap": False},
            custom_conversion_functions={SimpleImputer: _fill, OneHotEncoder: _indicate},
            custom_shape_calculators={SimpleImputer: _filled_out, OneHotEncoder: _doubles_out},
        )
    # skl2onnx raises many kinds; whatever it is, nothing has been written yet.
    except Exception as error:
        raise ExportError(
            "The model must have a form in ONNX.",
            f"{type(error).__name__} from skl2onnx",
            "Export a model of this version of fedlab, with columns named by valid text.",
        ) from error
    # Declared from the first input's type, which may be text, before the operators are known.
    graph.graph.output[1].type.tensor_type.elem_type = TensorProto.DOUBLE
    _name(graph.graph, [column.name for column in columns])
    data: bytes = graph.SerializeToString(deterministic=True)
    return data


def _check_names(columns: Iterable[Column]) -> None:
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


def _doubles_out(operator: Any) -> None:
    from skl2onnx.common.data_types import DoubleTensorType

    width = len(operator.raw_operator.get_feature_names_out())
    operator.outputs[0].type = DoubleTensorType([None, width])


def _filled_out(operator: Any) -> None:
    from skl2onnx.common.data_types import StringTensorType

    if operator.raw_operator.statistics_.dtype == object:
        width = len(operator.raw_operator.statistics_)
        operator.outputs[0].type = StringTensorType([None, width])
    else:
        _doubles_out(operator)


def _indicate(scope: Any, operator: Any, container: Any) -> None:
    from onnx import TensorProto
    from skl2onnx.algebra.onnx_ops import (
        OnnxCast,
        OnnxConcat,
        OnnxOneHotEncoder,
        OnnxReduceSum,
        OnnxReshape,
        OnnxSub,
    )

    version, encoder = container.target_opset, operator.raw_operator

    def indicators(values: Any, listed: list[str]) -> Any:
        # Zeros for a category that is not listed, "" for missing among them.
        cube = OnnxOneHotEncoder(
            values, cats_strings=[*map(str.encode, listed)], zeros=1, op_version=version
        )
        flat = OnnxReshape(cube, np.array([-1, len(listed)], np.int64), op_version=version)
        return OnnxCast(flat, to=TensorProto.DOUBLE, op_version=version)

    def any_of(values: Any, listed: list[str]) -> Any:
        across = np.array([1], np.int64)
        return OnnxReduceSum(indicators(values, listed), across, keepdims=1, op_version=version)

    blocks: list[Any] = []
    for values, listed, rare in zip(
        _single_columns(operator.inputs, len(encoder.categories_), version),
        encoder.categories_,
        _infrequent(encoder),
        strict=True,
    ):
        kept = [name for name in listed if name not in rare]
        if kept:
            blocks.append(indicators(values, kept))
        if not rare:
            continue
        if encoder.handle_unknown != "infrequent_if_exist":
            blocks.append(any_of(values, rare))
        else:
            # Whatever is not kept, missing included; the last of `rare` is no value at all.
            seen = any_of(values, kept) if kept else any_of(values, rare[-1:])
            blocks.append(OnnxSub(np.array([1.0]), seen, op_version=version))
    joined = OnnxConcat(*blocks, axis=1, op_version=version, output_names=operator.outputs[:1])
    joined.add_to(scope, container)


def _infrequent(encoder: Any) -> list[list[str]]:
    if encoder.min_frequency is None:
        return [[] for _ in encoder.categories_]
    return [[] if rare is None else rare.tolist() for rare in encoder.infrequent_categories_]


def _single_columns(inputs: list[Any], width: int, version: int) -> list[Any]:
    from skl2onnx.algebra.onnx_ops import OnnxGather

    if len(inputs) == width:
        return inputs
    places = (np.array([place], np.int64) for place in range(width))
    return [OnnxGather(inputs[0], place, axis=1, op_version=version) for place in places]


def _fill(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.algebra.onnx_ops import OnnxConcat, OnnxEqual, OnnxIsNaN, OnnxWhere

    version, fill = container.target_opset, operator.raw_operator.statistics_
    values = operator.inputs[0]
    if len(operator.inputs) > 1:
        values = OnnxConcat(*operator.inputs, axis=1, op_version=version)
    if fill.dtype == object:
        missing = OnnxEqual(values, np.array([""]), op_version=version)
        fill = fill.astype(str)
    else:
        missing = OnnxIsNaN(values, op_version=version)
        fill = fill.astype(np.float64)
    filled = OnnxWhere(missing, fill, values, op_version=version, output_names=operator.outputs[:1])
    filled.add_to(scope, container)


def _name(graph: Any, columns: list[str]) -> None:
    names = dict(zip([each.name for each in graph.input], columns, strict=True))
    taken = set(columns)

    def renamed(name: Any) -> Any:
        # A name inside the graph makes way for a column of the same name. "" is no name in ONNX.
        if name and name not in names:
            names[name] = name
            while names[name] in taken:
                names[name] += "_"
            taken.add(names[name])
        return names.get(name, name)

    for value in [*graph.input, *graph.output, *graph.initializer, *graph.value_info]:
        value.name = renamed(value.name)
    for node in graph.node:
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]


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
