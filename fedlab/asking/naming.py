"""What analysts name, as what sites are asked: columns, groups and conditions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from fedlab.core.schema import Column, Schema
from fedlab.errors import DataError
from fedlab.queries.groups import Condition, Factor, numeral

__all__ = [
    "By",
    "Where",
    "as_number",
    "as_plain",
    "column_of",
    "conditions",
    "factors",
    "flag_values",
    "listed",
    "names_read",
    "not_counted",
]

Where = Mapping[str, object]
"""Conditions by column: a pair of numbers, from the first to below the second, either None for no
end; a value, or a list of values, those of a number written as texts."""
By = str | Sequence[str] | Mapping[str, Sequence[float] | Sequence[str] | None]
"""Columns to group by; numbers with the edges of their groups, or the values as texts."""


def not_counted(schema: Schema, groups: Sequence[Factor]) -> list[str]:
    """Notes on numbers of which some may be in no group."""
    names = [
        group.column
        for group in groups
        if column_of(schema, group.column).kind == "number"
        and (group.values or math.isfinite(group.edges[0]) or math.isfinite(group.edges[-1]))
    ]
    return [
        f"Patients whose {name} is outside of these groups, if any, are not counted."
        for name in names
    ]


def names_read(groups: Sequence[Factor], where: Sequence[Condition], *others: str) -> list[str]:
    """Columns that a question reads."""
    return [*(each.column for each in groups), *(each.column for each in where), *others]


def column_of(schema: Schema, name: str) -> Column:
    """A feature, the target or the event as a column.

    Raises
    ------
    DataError
        When there is none of that name.
    """
    for column in schema.columns:
        if column.name == name:
            return column
    if name == schema.target:
        classes = tuple(map(str, schema.classes))
        return Column(name, "category" if classes else "number", classes)
    if name == schema.event:
        return Column(name, "category", ("0", "1"))
    raise DataError(
        "A question must be about columns of the federation.",
        f"{name!r}",
        f"Choose from {', '.join(map(repr, (*schema.names, schema.target)))}.",
    )


def listed(names: object, what: str = "columns") -> list[str]:
    """Names that were given as one text or as several.

    Parameters
    ----------
    names : str or sequence of str
    what : str
        What they are, for the error.

    Raises
    ------
    DataError
        When they are neither.

    Examples
    --------
    >>> listed("age"), listed(("age", "ward"))
    (['age'], ['age', 'ward'])
    """
    found = [names] if isinstance(names, str) else as_plain(names)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise DataError(
            f"{what} must be a list of texts.",
            type(names).__name__,
            f"Pass e.g. {what}=['age', 'ward'].",
        )
    return found


def as_plain(given: object) -> object:
    """Lists instead of other iterables, Python's numbers instead of NumPy's."""
    if isinstance(given, np.generic):
        return given.item()
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        return given
    found = [as_plain(each) for each in given]
    # A set has no order, and a question must not depend on one.
    return sorted(found, key=str) if isinstance(given, set | frozenset) else found


def factors(schema: Schema, by: By | None) -> tuple[Factor, ...]:
    """Ways to group rows.

    Raises
    ------
    DataError
        For a column that is not there, numbers without edges, or edges that do not rise.
    """
    named: Mapping[str, object]
    if by is None:
        named = {}
    elif isinstance(by, Mapping):
        named = by
    else:
        named = dict.fromkeys(listed(by, "by"))
    return tuple(_factor(column_of(schema, name), edges) for name, edges in named.items())


def flag_values(column: Column) -> tuple[str, ...]:
    """The values of a number whose declared range is from 0 to 1, read as no or yes; else none."""
    return ("0", "1") if column.kind == "number" and (column.low, column.high) == (0, 1) else ()


def _factor(column: Column, edges: object) -> Factor:
    if column.kind == "category" and edges is None:
        return Factor(column=column.name, values=column.categories)
    if edges is None and flag_values(column):
        return Factor(column=column.name, values=flag_values(column))
    if column.kind == "category":
        raise DataError(
            "Categories are grouped by their declared list.",
            f"edges or values for {column.name!r}",
            f"Pass by={column.name!r}, and where={{{column.name!r}: [...]}} for some of them.",
        )
    given = as_plain(edges)
    if isinstance(given, list) and given and all(isinstance(each, str) for each in given):
        return Factor(column=column.name, values=numerals(column, given))
    numbers = [as_number(each) for each in given] if isinstance(given, list) else []
    if len(numbers) < 2 or not all(a < b for a, b in pairwise(numbers)):
        raise DataError(
            "Numbers are grouped by edges that rise, or by values written as texts.",
            f"{column.name!r}, a number, "
            + ("without edges" if edges is None else "with edges that do not fit"),
            f"Pass e.g. by={{{column.name!r}: [0, 40, 60, 120]}}, or "
            f"by={{{column.name!r}: ['0', '1']}}.",
        )
    return Factor(column=column.name, edges=tuple(numbers))


def as_number(given: object) -> float:
    """A number as a float; NaN for what is none."""
    try:
        return float(given) if isinstance(given, int | float) else math.nan
    except OverflowError:
        return math.nan


def numerals(column: Column, given: Sequence[str]) -> tuple[str, ...]:
    """Values of a number as sites write them, from texts.

    Raises
    ------
    DataError
        For texts that are no finite numbers.
    """
    try:
        numbers = [float(each) for each in given]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise DataError(
            "Values of a number are finite numbers, written as texts.",
            f"{len(given)} texts for {column.name!r}",
            f"Pass e.g. {{{column.name!r}: ['0', '1']}}.",
        )
    return tuple(dict.fromkeys(map(numeral, numbers)))


def conditions(schema: Schema, where: Where | None) -> tuple[Condition, ...]:
    """Conditions that all must be met, in the order of columns' names.

    Raises
    ------
    DataError
        For a column that is not there, or a condition that does not fit it.
    """
    if where is not None and not isinstance(where, Mapping):
        raise DataError(
            "where must be conditions by column.",
            type(where).__name__,
            "Pass e.g. where={'age': (40, None), 'ward': ['north', 'west']}.",
        )
    found = [_condition(column_of(schema, name), given) for name, given in (where or {}).items()]
    return tuple(sorted(found, key=lambda condition: condition.column))


def _condition(column: Column, given: object) -> Condition:
    wanted = as_plain(given)
    several = wanted if isinstance(wanted, list) else [wanted]
    if column.kind == "category":
        values = {_category(column, each) for each in several}
        if values and values <= set(column.categories):
            return Condition(column=column.name, values=tuple(sorted(values)))
        raise DataError(
            f"A condition on {column.name!r} must name some of its categories.",
            type(given).__name__ + (" that names another" if values else ""),
            f"Choose from {', '.join(map(repr, column.categories))}.",
        )
    words = [each for each in several if isinstance(each, str)]
    if words and len(words) == len(several):
        return Condition(column=column.name, values=numerals(column, words))
    if isinstance(wanted, list) and len(wanted) == 2:
        low, high = (None if each is None else as_number(each) for each in wanted)
        below = math.inf if high is None else high
        if (low, high) != (None, None) and (-math.inf if low is None else low) < below:
            return Condition(column=column.name, low=low, high=high)
    if isinstance(wanted, int | float) and math.isfinite(as_number(wanted)):
        return Condition(column=column.name, values=(numeral(as_number(wanted)),))
    raise DataError(
        f"A condition on {column.name!r} must be a value, or a pair of numbers that rise.",
        type(given).__name__,
        f"Pass e.g. where={{{column.name!r}: (40, 60)}}, or None for an end that is open.",
    )


def _category(column: Column, given: object) -> str:
    """A category, or a class, as the text that it goes by."""
    if isinstance(given, str) or str(given) in column.categories:
        return str(given)
    if isinstance(given, bool | int | float):
        words = [numeral(as_number(given)), str(bool(given)) if given in (0, 1) else ""]
        return next((word for word in words if word in column.categories), "")
    return ""
