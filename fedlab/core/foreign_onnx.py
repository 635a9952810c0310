"""ONNX graphs from anywhere: looked at without running them, then run row by row.

A graph can name other files, hold functions and loops, and call what somebody has put into the
runtime; none of that is run. What is left computes the same for the same row, on arrays whose sizes
a process's limit on memory bounds. Shapes are not inferred: that code of onnx has read memory
beside its arrays before.

Each row is run by itself. A graph may look along the rows of what it is fed, and in a table of
patients the score of one row would then tell of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fedlab.core.foreign import Plan, Seen, Slot
from fedlab.core.foreign_outputs import NoShapeError, StrangeFileError, as_numbers
from fedlab.core.parameters import Array

__all__ = ["OPERATORS", "check_graph", "open_graph"]

ELEMENTS = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    8: "string", 9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
}  # fmt: skip
"""Types of tensors, by their codes in ONNX."""
LEAST_OPSET = 7
MOST_NODES = 200_000
_PLAIN = """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization
    BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Compress
    Concat Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumSum
    DepthToSpace DequantizeLinear Det Div Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp
    Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool
    GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid
    HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization
    LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul MatMulInteger Max
    MaxPool Mean MeanVarianceNormalization Min Mish Mod Mul Neg NonZero Not OneHot Or PRelu Pad Pow
    QLinearConv QLinearMatMul QuantizeLinear RMSNormalization RNN Range Reciprocal ReduceL1 ReduceL2
    ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
    Relu Reshape Resize Round ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size
    Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze StringConcat StringNormalizer
    StringSplit Sub Sum Swish Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze
    Upsample Where Xor
"""
_LEARNED = """
    ArrayFeatureExtractor Binarizer CastMap CategoryMapper DictVectorizer FeatureVectorizer Imputer
    LabelEncoder LinearClassifier LinearRegressor Normalizer OneHotEncoder SVMClassifier
    SVMRegressor Scaler TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor ZipMap
"""
OPERATORS: dict[str, frozenset[str]] = {
    "": frozenset(_PLAIN.split()),
    "ai.onnx": frozenset(_PLAIN.split()),
    "ai.onnx.ml": frozenset(_LEARNED.split()),
}
"""By domain, what is run: nothing that loops, draws numbers, or reads a picture."""


def check_graph(file: bytes) -> Seen:
    """Look at a graph without running it.

    Raises
    ------
    StrangeFileError
        When it is none, or holds what is not run.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(file)
    # protobuf raises many kinds for what is damaged.
    except Exception as error:
        raise StrangeFileError(f"bytes that are no ONNX ({type(error).__name__})") from None
    graph = model.graph
    if not len(graph.node) or not len(graph.output):
        raise StrangeFileError("bytes that are no ONNX with a graph in it")
    if model.functions or model.training_info or graph.sparse_initializer:
        raise StrangeFileError("a graph with functions, training or sparse arrays of its own")
    _check_versions(model)
    for tensor in graph.initializer:
        _check_tensor(tensor)
    held = {tensor.name for tensor in graph.initializer}
    operators = tuple(sorted(set(_checked_nodes(graph.node))))
    ends = {name: node.op_type for node in graph.node for name in node.output}
    says = f"{model.producer_name} {model.producer_version}".strip()
    return Seen(
        kind="onnx",
        says=(says or "an unnamed producer")[:120],
        inputs=tuple(_slot(each, "") for each in graph.input if each.name not in held),
        outputs=tuple(_slot(each, ends.get(each.name, "")) for each in graph.output),
        operators=operators,
    )


def _check_versions(model: Any) -> None:
    from onnx import defs

    newest = {"": defs.onnx_opset_version(), "ai.onnx.ml": 5}
    for each in model.opset_import:
        domain = "" if each.domain == "ai.onnx" else each.domain
        # Another domain may be imported, as exporters do, as long as nothing is used of it.
        if domain in newest and not each.version <= newest[domain]:
            raise StrangeFileError(
                f"operators of version {each.version} of {domain or 'ai.onnx'!r}"
            )
        if domain == "" and each.version < LEAST_OPSET:
            raise StrangeFileError(f"operators of version {each.version}, before {LEAST_OPSET}")


def _check_tensor(tensor: Any) -> None:
    from onnx import TensorProto

    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise StrangeFileError("arrays in other files")
    if tensor.data_type not in ELEMENTS:
        raise StrangeFileError("arrays of a type that is not run")


def _checked_nodes(nodes: Sequence[Any]) -> Iterator[str]:
    if len(nodes) > MOST_NODES:
        raise StrangeFileError(f"{len(nodes):,} nodes")
    for node in nodes:
        if node.op_type not in OPERATORS.get(node.domain, ()):
            name = f"{node.domain or 'ai.onnx'}.{node.op_type}"
            raise StrangeFileError(f"the operator {name[:80]!r}")
        if node.op_type == "Dropout" and len(node.input) > 2:
            raise StrangeFileError("the operator 'ai.onnx.Dropout' as in training")
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise StrangeFileError("a graph within a graph")
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                raise StrangeFileError("sparse arrays")
            for tensor in [attribute.t] if attribute.HasField("t") else attribute.tensors:
                _check_tensor(tensor)
        yield node.op_type


def _slot(value: Any, ends: str) -> Slot:
    kind = value.type
    if kind.HasField("sequence_type"):
        return Slot(name=value.name, element="map", ends=ends)
    tensor = kind.tensor_type
    if tensor.elem_type not in ELEMENTS:
        raise StrangeFileError("an input or output that is no array")
    shape = None
    if tensor.HasField("shape"):
        shape = tuple(
            each.dim_value if each.HasField("dim_value") else None for each in tensor.shape.dim
        )
    return Slot(name=value.name, element=ELEMENTS[tensor.elem_type], shape=shape, ends=ends)


def open_graph(file: bytes, plan: Plan | None) -> tuple[Callable[[list[Any], int], Array], Seen]:
    """A graph that was looked at, ready to run as planned.

    Raises
    ------
    StrangeFileError
        When it is not run.
    """
    import onnxruntime

    seen = check_graph(file)
    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # The graph as it stands: nothing is computed before a row comes, and less code reads it.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    try:
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        if isinstance(error, MemoryError) or "alloc" in str(error):
            raise MemoryError from None
        # Its text is of the file alone, and may be long.
        raise StrangeFileError(
            f"a graph that onnxruntime does not load ({type(error).__name__})"
        ) from None

    def run(inputs: list[Any], n_rows: int) -> Array:
        if plan is None:
            raise NoShapeError
        slots = {slot.name: slot for slot in seen.inputs}
        ready = [
            (feed.name, *_cast(array, slots[feed.name]))
            for feed, array in zip(plan.feeds, inputs, strict=True)
        ]
        values = np.empty((n_rows, plan.width))
        for row in range(n_rows):
            fed = {name: _one(array[row], shape) for name, array, shape in ready}
            (given,) = session.run([plan.output], fed)
            values[row] = _first(plan, given)
        return values

    return run, seen


def _cast(array: Any, slot: Slot) -> tuple[Any, tuple[int, ...]]:
    """Rows in the type of an input, and the shape that one of them takes."""
    if slot.element != "string":
        whole = np.dtype(slot.element).kind not in "f"
        # A gap has no whole number.
        if whole and not np.isfinite(array).all():
            raise NoShapeError
        array = array.astype(slot.element)
    width = array.shape[1]
    declared = slot.shape
    if declared is None or len(declared) == 0:
        return array, (1, width)
    # A graph for batches of a fixed size gets as many copies of the row.
    n_copies = declared[0] or 1
    if len(declared) == 1:
        if width != 1:
            raise NoShapeError
        return array, (n_copies,)
    inner = tuple(
        size or (width if place == len(declared) - 2 else 1)
        for place, size in enumerate(declared[1:])
    )
    if int(np.prod(inner)) != width:
        raise NoShapeError
    return array, (n_copies, *inner)


def _one(row: Any, shape: tuple[int, ...]) -> Any:
    if shape[0] == 1:
        return row.reshape(shape)
    return np.tile(row, shape[0]).reshape(shape)


def _first(plan: Plan, given: Any) -> Array:
    """What one row got, in one or more copies, ``(width,)``."""
    array = given[:1] if isinstance(given, list) else np.asarray(given)
    if not isinstance(array, list) and (array.ndim > 1 or plan.width == 1):
        array = array[:1] if array.ndim else array.reshape(1)
    numbers: Array = as_numbers(plan, array, 1)[0]
    if numbers.shape != (plan.width,):
        raise NoShapeError
    return numbers
