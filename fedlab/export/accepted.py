"""Which graphs are read: those of the few operators that fedlab writes, whole in themselves.

A graph of ONNX can name other files, hold functions and loops, and lead compiled code beside its
arrays; neither onnx nor onnxruntime looks everywhere. So before any of their compiled code sees it,
each node is held against a short list that knows what goes in and what comes out.
"""

from __future__ import annotations

from typing import Any

from fedlab.core.graphs import OPSETS
from fedlab.errors import ExportError
from fedlab.export.kinds import Output
from fedlab.export.manifest import Manifest
from fedlab.export.operators import OPERATORS, Shape, StrangeError, Value

__all__ = ["check_graph"]

# Codes of types in ONNX, as kinds in numpy.
KINDS = {11: "f", 7: "i", 9: "b", 8: "O"}
COLUMNS = {"number": "f", "category": "O"}


def check_graph(data: bytes, manifest: Manifest) -> None:
    """Look at a graph without running it.

    Raises
    ------
    ExportError
        When it holds anything else than fedlab writes, or other columns and outputs than the
        manifest tells.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(data)
        found = _strange(model) or _misnamed(model, manifest) or _misfit(model, manifest)
    # protobuf and numpy raise many kinds for what is damaged.
    except Exception as error:
        found = f"a graph that fails to read ({type(error).__name__})"
    if found:
        raise ExportError(
            "model.onnx must be a graph as fedlab writes it.",
            found,
            "Do not use it; export it again with this version of fedlab.",
        )


def _strange(model: Any) -> str:
    from onnx import AttributeProto

    imports = {each.domain: each.version for each in model.opset_import}
    if imports != OPSETS or model.functions or model.training_info:
        return "one of other versions, or with functions of its own"
    graph = model.graph
    if graph.initializer or graph.sparse_initializer or graph.value_info:
        return "arrays or shapes outside of its nodes"
    plain = (AttributeProto.INT, AttributeProto.INTS, AttributeProto.TENSOR)
    for node in graph.node:
        domain = "ai.onnx.ml" if node.op_type == "TreeEnsemble" else ""
        if node.domain != domain or node.op_type not in OPERATORS:
            return f"the operator {node.op_type[:80]!r}"
        for attribute in node.attribute:
            if attribute.type not in plain or attribute.ref_attr_name:
                return f"an attribute of another kind at {node.op_type!r}"
            if attribute.t.data_location or attribute.t.external_data:
                return "an array that lies in another file"
    return ""


def _misnamed(model: Any, manifest: Manifest) -> str:
    wanted = [(column.name, COLUMNS[column.kind], (None, 1)) for column in manifest.inputs]
    found = [(each.name, *_declared(each)) for each in model.graph.input]
    # A name makes way for a column of the same name by underscores.
    given = tuple(each.name.rstrip("_") for each in model.graph.output)
    if found != wanted or given != manifest.outputs:
        return "other columns or outputs than manifest.json tells"
    return ""


def _declared(value: Any) -> tuple[str, Shape]:
    tensor = value.type.tensor_type
    sizes = tuple(
        each.dim_value if each.HasField("dim_value") else None for each in tensor.shape.dim
    )
    return KINDS.get(tensor.elem_type, ""), sizes


def _misfit(model: Any, manifest: Manifest) -> str:
    """The first node that does not fit those before it, or output that does not fit them."""
    known = {each.name: Value(*_declared(each)) for each in model.graph.input}
    for node in model.graph.node:
        rule, n_inputs = OPERATORS[node.op_type]
        attributes = {each.name: each for each in node.attribute}
        names = [name for name in node.output if name and isinstance(name, str)]
        whole = len(node.input) in n_inputs and len(attributes) == len(node.attribute)
        if not whole or len(node.output) != 1 or len(names) != 1 or names[0] in known:
            return f"a node of its own kind at {node.op_type!r}"
        if any(name not in known for name in node.input):
            return f"a node that stands before what it needs at {node.op_type!r}"
        try:
            known[names[0]] = rule(attributes, *(known[name] for name in node.input))
        except StrangeError:
            return f"nodes that do not fit each other at {node.op_type!r}"
    for output, each in zip(manifest.outputs, model.graph.output, strict=True):
        value = known.get(each.name)
        if value is None or (value.kind, value.shape) != _declared(each):
            return f"another output than it declares as {output!r}"
        if not _fits(output, value, len(manifest.classes)):
            return f"an output {output!r} that does not fit manifest.json"
    return ""


def _fits(output: Output, value: Value, n_classes: int) -> bool:
    widths = {
        "probabilities": n_classes,
        "scores": 1 if n_classes == 2 else n_classes,
        "variable": 1,
        "log_hazard": 1,
    }
    if output == "label":
        return value.shape == (None,)
    if output == "times":
        return value.kind == "f" and len(value.shape) == 1
    width = widths.get(output, value.shape[-1] if value.shape else None)
    return value.kind == "f" and value.shape == (None, width)
