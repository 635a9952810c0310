"""How a model from elsewhere is fed and read: from what its file says, or what the analyst adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from fedlab.core.foreign import Feed, Part, Plan, Reads, Seen, Slot
from fedlab.core.schema import Column, Schema
from fedlab.errors import DataError
from fedlab.judging.reading_outputs import (
    method_of,
    output_of,
    reads_of,
    reads_of_method,
    width_of,
)

__all__ = ["Columns", "plan_of"]

Columns = Sequence[str] | Mapping[str, str | Sequence[str]]
"""Columns of a model's one matrix in their order, or of each of its inputs by name."""
SCORES = get_args(Reads)


def plan_of(
    seen: Seen,
    schema: Schema,
    *,
    columns: Columns | None = None,
    output: str | None = None,
    score: str | None = None,
    classes: Sequence[Any] | None = None,
) -> Plan:
    """How to run a model on the columns of `schema`, and to read what it gives.

    Parameters
    ----------
    seen : Seen
        What its file says.
    schema : Schema
        Of the federation.
    columns : sequence of str, or mapping of str to str or sequence of str, optional
        What the model's one matrix is made of, or each of its inputs; ``"ward=north"`` is 1 where
        the category is `north`. By default inputs go by the names of columns.
    output : str, optional
        Which output, or method of an estimator.
    score : str, optional
        What it says, one of `fedlab.core.foreign.Reads`.
    classes : sequence, optional
        The classes in the order of the model's probabilities.

    Raises
    ------
    DataError
        When something is left open that would change figures, with what to pass.
    """
    if score is not None and score not in SCORES:
        raise DataError(
            "score says what the output is.", f"{score!r}", f"Pass one of {', '.join(SCORES)}."
        )
    feeds = _feeds(seen, schema, columns)
    labels = _labels(schema, classes or seen.labels)
    if seen.kind == "skops":
        method = method_of(seen, schema, output)
        reads = score or reads_of_method(method, schema)
        return _plan(feeds, method, reads, schema, labels)
    slot = output_of(seen, schema, output)
    reads = score or reads_of(slot, schema)
    return _plan(feeds, slot.name, reads, schema, labels, mapped=slot.element == "map")


def _plan(
    feeds: tuple[Feed, ...],
    output: str,
    reads: Any,
    schema: Schema,
    labels: tuple[Any, ...],
    *,
    mapped: bool = False,
) -> Plan:
    if (reads == "number") != (not schema.classes):
        raise DataError(
            "A model must predict what the target is: classes or a number.",
            f"{reads} for {schema.target!r} of "
            + (f"{len(schema.classes)} classes" if schema.classes else "numbers"),
            "Pass output= for another output, or score= if this one is read wrongly.",
        )
    if reads in ("probability", "logit", "margin") and len(schema.classes) != 2:
        raise DataError(
            "One score a row is of two classes.",
            f"{len(schema.classes)} classes",
            "Pass output= for an output of probabilities.",
        )
    ordered = tuple(_plain(each) for each in (labels or schema.classes))
    own = _in_our_order(schema, ordered)
    if reads == "label":
        return Plan(feeds=feeds, output=output, reads=reads, labels=own)
    if reads != "probabilities":
        return Plan(feeds=feeds, output=output, reads=reads)
    width = len(schema.classes)
    if mapped:
        return Plan(feeds=feeds, output=output, reads=reads, labels=own, width=width)
    if not labels and list(map(str, schema.classes)) != sorted(map(str, schema.classes)):
        raise DataError(
            "The order of a model's probabilities must be known.",
            f"classes declared in another order than sorted, {', '.join(map(repr, ordered))}",
            f"Pass classes={list(ordered)!r}, in the model's order.",
        )
    order = tuple(ordered.index(label) for label in own)
    return Plan(feeds=feeds, output=output, reads=reads, order=order, width=width)


def _plain(label: Any) -> Any:
    return int(label) if isinstance(label, bool) else label


def _labels(schema: Schema, given: Sequence[Any]) -> tuple[Any, ...]:
    if not schema.classes or not len(given):
        return ()
    labels = tuple(each.item() if hasattr(each, "item") else each for each in given)
    if sorted(map(_text, labels)) != sorted(map(_text, schema.classes)):
        raise DataError(
            f"A model must know the {len(schema.classes)} classes of {schema.target!r}.",
            f"{len(labels)} classes, of other names",
            f"Pass classes= with {', '.join(map(repr, schema.classes))} in the model's order.",
        )
    return labels


def _text(label: Any) -> str:
    return f"{float(label):g}" if isinstance(label, bool | int | float) else str(label)


def _in_our_order(schema: Schema, labels: tuple[Any, ...]) -> tuple[Any, ...]:
    by_text = {_text(label): label for label in labels}
    return tuple(by_text[_text(each)] for each in schema.classes)


def _feeds(seen: Seen, schema: Schema, columns: Columns | None) -> tuple[Feed, ...]:
    if seen.kind == "skops":
        if seen.names is None:
            return (_matrix("", columns, seen.n_features or None, schema),)
        named = columns if isinstance(columns, Mapping) else {}
        if columns is not None and not isinstance(columns, Mapping):
            named = _by_place(seen.names, columns)
        return tuple(_named(name, named.get(name, name), schema, text=None) for name in seen.names)
    if not seen.inputs:
        raise DataError("A model must read columns.", "one without inputs", "Export it again.")
    known = {column.name for column in schema.columns}
    if isinstance(columns, Mapping):
        strange = sorted(set(columns) - {slot.name for slot in seen.inputs})
        if strange:
            raise DataError(
                "columns must name inputs of the model.",
                f"{strange[0]!r}",
                f"Choose from {', '.join(repr(slot.name) for slot in seen.inputs)}.",
            )
        return tuple(
            _input(slot, columns.get(slot.name, slot.name), schema) for slot in seen.inputs
        )
    if len(seen.inputs) == 1 and (columns is not None or seen.inputs[0].name not in known):
        slot = seen.inputs[0]
        if slot.element == "string":
            return (_text_matrix(slot, columns, schema),)
        return (_matrix(slot.name, columns, width_of(slot), schema),)
    if columns is not None:
        named = _by_place([slot.name for slot in seen.inputs], columns)
        return tuple(_input(slot, named[slot.name], schema) for slot in seen.inputs)
    return tuple(_input(slot, slot.name, schema) for slot in seen.inputs)


def _by_place(names: Sequence[str], columns: Columns) -> dict[str, str]:
    listed = [columns] if isinstance(columns, str) else list(columns)
    if len(listed) != len(names):
        raise DataError(
            f"columns must name one column for each of the model's {len(names)} inputs.",
            f"{len(listed)}",
            f"The inputs are {', '.join(map(repr, names))}.",
        )
    return dict(zip(names, listed, strict=True))


def _matrix(name: str, columns: Columns | None, width: int | None, schema: Schema) -> Feed:
    listed = [columns] if isinstance(columns, str) else list(columns or ())
    if not listed or isinstance(columns, Mapping):
        raise DataError(
            "A model of one matrix without names must be told which columns it is made of.",
            f"a matrix of {width or 'some'} columns" + (f", {name!r}" if name else ""),
            f"Pass columns={[column.name for column in schema.columns][:3]!r} and so on, in the "
            "model's order.",
        )
    if width is not None and width != len(listed):
        raise DataError(
            f"columns must name the {width} columns of the model's matrix.",
            f"{len(listed)}",
            "Name each once, in the model's order.",
        )
    return Feed(name=name, parts=tuple(_number(each, schema) for each in listed))


def _text_matrix(slot: Slot, columns: Columns | None, schema: Schema) -> Feed:
    listed = [columns] if isinstance(columns, str) else list(columns or (slot.name,))
    parts = []
    for each in listed:
        column = _column(each, schema)
        if column.kind != "category":
            raise _misfit(slot.name, column, "text")
        parts.append(Part(column=column.name))
    return Feed(name=slot.name, parts=tuple(parts), text=True)


def _input(slot: Slot, wanted: str | Sequence[str], schema: Schema) -> Feed:
    if not isinstance(wanted, str):
        if slot.element == "string":
            return _text_matrix(slot, wanted, schema)
        return _matrix(slot.name, wanted, width_of(slot), schema)
    return _named(slot.name, wanted, schema, text=slot.element == "string")


def _named(name: str, wanted: str | Sequence[str], schema: Schema, *, text: bool | None) -> Feed:
    column = wanted if isinstance(wanted, str) else next(iter(wanted))
    part = _part(column, schema)
    found = _column(part.column, schema)
    textual = found.kind == "category" and part.category is None
    if text is not None and text != textual:
        raise _misfit(name, found, "text" if text else "numbers")
    return Feed(name=name, parts=(part,), text=textual)


def _number(name: str, schema: Schema) -> Part:
    part = _part(name, schema)
    column = _column(part.column, schema)
    if column.kind == "category" and part.category is None:
        raise _misfit("its matrix", column, "numbers")
    return part


def _part(name: str, schema: Schema) -> Part:
    if name not in schema.names and "=" in name:
        for column in schema.columns:
            category = name.removeprefix(f"{column.name}=")
            if category != name and category in column.categories:
                return Part(column=column.name, category=category)
    return Part(column=_column(name, schema).name)


def _column(name: str, schema: Schema) -> Column:
    for column in schema.columns:
        if column.name == name:
            return column
    raise DataError(
        "A model reads columns of the federation.",
        f"{name!r}",
        f"Pass columns={{{name!r}: ...}} with one of "
        f"{', '.join(repr(column.name) for column in schema.columns)}.",
    )


def _misfit(where: str, column: Column, wanted: str) -> DataError:
    one = f"{column.name}={column.categories[0]}" if column.categories else column.name
    return DataError(
        f"The input {where!r} takes {wanted}.",
        f"{column.name!r}, a {column.kind}",
        f"Pass e.g. {one!r} in columns=, which is 1 where it is so and 0 elsewhere."
        if column.kind == "category"
        else "Pass another column.",
    )
