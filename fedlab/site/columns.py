"""The columns a query says it reads: whether a site has them and its policy lets them be read."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from fedlab.core.schema import Schema
from fedlab.core.space import Space
from fedlab.errors import RefusedError
from fedlab.queries import Query
from fedlab.queries.groups import Condition, Factor
from fedlab.site.policy import Policy

__all__ = ["Fitting", "asked_schema", "check_columns", "check_groups", "narrowed"]

MOST_CELLS = 1_000_000
"""Of one cross of factors: a table that large tells of nobody, and fills the memory."""


class Fitting:
    """Whether a schema that is asked for fits a site's; remembers the last one that did.

    In one process the requests of a run share their schema, which never changes.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._last: Schema | None = None

    def has(self, asked: Schema) -> bool:
        """Whether the site has all columns that are asked for."""
        if asked is not self._last:
            if not _has(self._schema, asked):
                return False
            self._last = asked
        return True


def _has(schema: Schema, asked: Schema) -> bool:
    mine = {column.name: column for column in schema.columns}
    same = (asked.target, asked.event) == (schema.target, schema.event)
    # Categories that only other sites declare are allowed: rows are matched by their names.
    return same and all(
        column.name in mine
        and column.kind == mine[column.name].kind
        and set(column.categories) >= set(mine[column.name].categories)
        for column in asked.columns
    )


def check_columns(query: Query, policy: Policy) -> None:
    """Raise RefusedError where a query asks for features that the policy keeps back.

    A query that does not say what it reads gets nothing where the policy names columns.
    """
    if policy.columns is None or not query.reads_rows:
        return
    asked = asked_schema(query)
    if asked is None or not set(asked.names) <= set(policy.columns):
        raise RefusedError(
            f"The site lets {len(policy.columns)} features be read, as it describes.",
            "a query that does not say what it reads" if asked is None else "a query for others",
            "Describe the site again, and ask for those.",
            code="columns",
        )


def asked_schema(query: Query) -> Schema | None:
    """The columns that a query says it reads; None where it does not say."""
    for name in getattr(query, "__struct_fields__", ()):
        value = getattr(query, name)
        if isinstance(value, Query):
            value = asked_schema(value)
        if isinstance(value, Space):
            value = value.schema
        if isinstance(value, Schema):
            return value
    return None


def narrowed(schema: Schema, policy: Policy) -> Schema:
    """A site's schema without the features that its policy keeps back."""
    if policy.columns is None:
        return schema
    kept = tuple(column for column in schema.columns if column.name in policy.columns)
    return msgspec.structs.replace(schema, columns=kept)


def check_groups(query: Query) -> None:
    """Raise RefusedError where conditions or factors are of columns that a query does not ask for.

    Target and event may be named by all: what a site offers to learn about, it describes.
    """
    asked = asked_schema(query)
    named = {each.column for each in _groupings(query)}
    if not named:
        return
    told = set() if asked is None else {*asked.names, asked.target, asked.event}
    if not named <= told:
        raise RefusedError(
            "Conditions and factors are of columns that the query says it reads.",
            f"{len(named - told)} others",
            "Put them in the query's schema.",
            code="unfit",
        )
    if any(
        math.prod(each.n_levels + 2 for each in cross) > MOST_CELLS for cross in _crosses(query)
    ):
        raise RefusedError(
            f"A cross of factors has at most {MOST_CELLS:,} cells.",
            "one with more",
            "Leave a factor out, or give it fewer levels.",
            code="unfit",
        )


def _groupings(value: object) -> Iterator[Condition | Factor]:
    """All conditions and factors in a query, and in those within it."""
    if isinstance(value, Condition | Factor):
        yield value
    elif isinstance(value, Query):
        for name in getattr(value, "__struct_fields__", ()):
            yield from _groupings(getattr(value, name))
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _groupings(each)


def _crosses(value: object) -> Iterator[tuple[Factor, ...]]:
    """All tuples of factors in a query, and in those within it."""
    if isinstance(value, Query):
        for name in getattr(value, "__struct_fields__", ()):
            yield from _crosses(getattr(value, name))
    elif isinstance(value, tuple | list):
        factors = tuple(each for each in value if isinstance(each, Factor))
        yield factors
        for each in value:
            yield from _crosses(each)
