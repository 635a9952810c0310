"""Which output of a model is read, and what it says."""

from __future__ import annotations

from collections.abc import Sequence

from fedlab.core.foreign import Seen, Slot
from fedlab.core.schema import Schema
from fedlab.errors import DataError

__all__ = ["method_of", "output_of", "reads_of", "reads_of_method", "width_of"]

FLOATS = ("float16", "float32", "float64")


def width_of(slot: Slot) -> int | None:
    """How many numbers of a row a slot holds; None where that is not declared."""
    if slot.shape is None:
        return None
    return 1 if len(slot.shape) < 2 else slot.shape[-1]


def method_of(seen: Seen, schema: Schema, output: str | None) -> str:
    """The method of an estimator that is asked.

    Raises
    ------
    DataError
        For one that it does not have.
    """
    if output is not None:
        if output not in seen.operators:
            raise _no_output(output, seen.operators)
        return output
    if not schema.classes or not seen.labels:
        return "predict"
    if "predict_proba" in seen.operators:
        return "predict_proba"
    two = len(schema.classes) == 2 and "decision_function" in seen.operators
    return "decision_function" if two else "predict"


def reads_of_method(method: str, schema: Schema) -> str:
    """What a method says of a row."""
    if not schema.classes:
        return "number"
    return {"predict_proba": "probabilities", "decision_function": "margin"}.get(method, "label")


def _no_output(output: str, names: Sequence[str]) -> DataError:
    return DataError(
        "output must be one that the model gives.",
        f"{output!r}",
        f"Choose from {', '.join(map(repr, names))}.",
    )


def output_of(seen: Seen, schema: Schema, output: str | None) -> Slot:
    """The output of a graph that is read.

    Raises
    ------
    DataError
        When there are several, and none is named.
    """
    if output is not None:
        for slot in seen.outputs:
            if slot.name == output:
                return slot
        raise _no_output(output, [slot.name for slot in seen.outputs])
    mapped = [slot for slot in seen.outputs if slot.element == "map"]
    numbers = [slot for slot in seen.outputs if slot.element in FLOATS]
    probable = [slot for slot in numbers if "prob" in slot.name.lower()]
    for found in (mapped, probable, numbers, list(seen.outputs)):
        if len(found) == 1:
            return found[0]
        if found:
            break
    raise DataError(
        "Which output is judged must be known.",
        f"{len(seen.outputs)} outputs: {', '.join(repr(slot.name) for slot in seen.outputs)}",
        f"Pass e.g. output={seen.outputs[0].name!r}.",
    )


def reads_of(slot: Slot, schema: Schema) -> str:
    """What an output says of a row.

    Raises
    ------
    DataError
        When that is left open.
    """
    n_classes, width = len(schema.classes), width_of(slot)
    if not n_classes:
        return "number"
    if slot.element == "map":
        return "probabilities"
    if slot.element not in FLOATS:
        return "label"
    if width == n_classes:
        return "probabilities"
    if width == 1 and n_classes == 2 and slot.ends == "Sigmoid":
        return "probability"
    raise DataError(
        "What an output says must be known: a single score may be a probability or log odds.",
        f"the output {slot.name!r} of {width or 'unknown'} columns, for {n_classes} classes",
        "Pass score='probability', 'logit' (a sigmoid makes it one), 'margin' (only its rank "
        "counts), 'probabilities' (one a class) or 'label'.",
    )
