"""Rows of one resource, by a ViewDefinition (SQL on FHIR 2.0, "Processing Algorithm")."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

from fedlab.site.reading.faults import RecordError
from fedlab.site.reading.fhir_path import Path, Value, compile_path, compile_value
from fedlab.site.reading.fhir_view import Select, ViewDefinition

__all__ = ["Flatten", "Row", "compile_view"]

Row = dict[str, Value]
Flatten = Callable[[Mapping[str, Any]], list[Row] | None]
_Part = Callable[[Any], list[Row]]


def compile_view(view: ViewDefinition, most_rows: int) -> Flatten:
    """A function from a resource to its rows; None if a condition of the view leaves it out.

    Raises
    ------
    DataError
        For a view whose paths cannot be compiled.
    """
    constants = view.constants()
    conditions = [compile_path(condition.path, constants) for condition in view.where]
    part = _joined([_compiled(select, constants, most_rows) for select in view.select], most_rows)

    def flatten(resource: Mapping[str, Any]) -> list[Row] | None:
        if not all(_holds(condition, resource) for condition in conditions):
            return None
        return part(resource)

    return flatten


def _holds(condition: Path, resource: Mapping[str, Any]) -> bool:
    found = condition(resource)
    if not found:
        return False
    if len(found) > 1 or not isinstance(found[0], bool):
        raise RecordError("not_a_truth")
    return found[0]


def _compiled(select: Select, constants: Mapping[str, object], most_rows: int) -> _Part:
    compile_inner = partial(_compiled, constants=constants, most_rows=most_rows)
    values = {column.name: compile_value(column.path, constants) for column in select.column}
    parts: list[_Part] = [lambda node: [{name: value(node) for name, value in values.items()}]]
    parts += [compile_inner(inner) for inner in select.select]
    if select.union_all:
        union = [compile_inner(inner) for inner in select.union_all]
        parts.append(lambda node: [row for part in union for row in part(node)])
    joined = _joined(parts, most_rows)
    over = select.for_each if select.for_each is not None else select.for_each_or_null
    if over is None:
        return joined
    each = compile_path(over, constants, nodes=True)
    nothing: Row | None = None if select.for_each is not None else dict.fromkeys(select.names())

    def rows(node: Any) -> list[Row]:
        found = [row for item in each(node) for row in joined(item)]
        if len(found) > most_rows:
            raise RecordError("too_many_rows")
        return [dict(nothing)] if not found and nothing is not None else found

    return rows


def _joined(parts: Sequence[_Part], most_rows: int) -> _Part:
    """Each row of one part with each row of the others."""

    def rows(node: Any) -> list[Row]:
        found = [part(node) for part in parts]
        count = 1
        for each in found:
            count *= len(each)
        if count > most_rows:
            raise RecordError("too_many_rows")
        return [
            {name: value for row in rows for name, value in row.items()} for rows in product(*found)
        ]

    return rows
