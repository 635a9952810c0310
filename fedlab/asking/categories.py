"""Patients by level of several categories, by group."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fedlab.asking.asked import How, Replies, ask
from fedlab.asking.bench import Bench
from fedlab.asking.lines import lines_of, states
from fedlab.asking.naming import flag_values, names_read
from fedlab.core.parameters import Array
from fedlab.core.schema import Column
from fedlab.queries.group_counts import CountTables, GroupCounts, shape_of
from fedlab.queries.groups import Condition, Factor, schema_of

__all__ = ["Shares", "Table", "ask_shares", "levels_of"]

States = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Table:
    """One category by group, each array of shape ``(n_groups, n_levels + 2)``.

    Attributes
    ----------
    patients : ndarray
        NaN where suppressed; the last two are missing and unmapped.
    state : ndarray of object
        "shown", "at least", "suppressed" or "noisy".
    share : ndarray
        Of those with a value, where all levels are told; NaN else, and for missing and unmapped.
    """

    patients: Array
    state: States
    share: Array


@dataclass(frozen=True)
class Shares:
    """Of one site, or of all.

    Attributes
    ----------
    site : str
    n_sites : int
        How many sites it is about.
    tables : dict of str to Table
        By column.
    noise : float
        Standard deviation that noise alone gives a count.
    sizes : Table or None
        Of the groups themselves, as levels of one group; where it was asked for.
    """

    site: str
    n_sites: int
    tables: dict[str, Table]
    noise: float
    sizes: Table | None = None


def levels_of(column: Column) -> tuple[str, ...]:
    """Declared categories, or 0 and 1 of a number that is a flag."""
    return column.categories or flag_values(column)


def ask_shares(
    federation: Bench,
    columns: Sequence[Column],
    groups: tuple[Factor, ...],
    conditioned: tuple[Condition, ...],
    how: How,
    *,
    run: str,
    part: int = 0,
    sizes: bool = False,
) -> tuple[Callable[[int], list[Shares]], Replies]:
    """Patients by level, once it is known how many sites they are about; and the replies.

    All columns are in one question.

    Parameters
    ----------
    federation : Bench
    columns : sequence of Column
        Categories, or flags.
    groups : tuple of Factor
    conditioned : tuple of Condition
    how : How
    run, part
        As of `ask`.
    sizes : bool
        Ask for the sizes of the groups too.
    """
    own = (groups,) if sizes else ()
    names = [column.name for column in columns]
    query = CountTables(
        schema=schema_of(federation.schema, names_read(groups, conditioned, *names)),
        tables=(
            *own,
            *((*groups, Factor(column=c.name, values=levels_of(c))) for c in columns),
        ),
        where=conditioned,
    )
    replies = ask(federation, query, how, run=run, part=part)
    n_groups = math.prod(shape_of(groups))
    ends = np.cumsum([math.prod(shape) for shape in query.shapes])[:-1]

    def told(n_sites: int) -> list[Shares]:
        found = []
        for line in lines_of(replies, GroupCounts, n_sites):
            state = states(line.answer.shown, line.n_sites, line.answer.counts.shape)
            counts, kinds = np.split(line.answer.counts, ends), np.split(state, ends)
            first = len(own)
            tables = {
                name: _table(some.reshape(n_groups, -1), each.reshape(n_groups, -1))
                for name, some, each in zip(names, counts[first:], kinds[first:], strict=True)
            }
            noise = line.noise * math.sqrt(len(query.tables))
            of_groups = _table(counts[0][None], kinds[0][None]) if sizes else None
            found.append(Shares(line.site, line.n_sites, tables, noise, of_groups))
        return found

    return told, replies


def _table(counts: Array, state: States) -> Table:
    own, told = counts[:, :-2], state[:, :-2]
    whole = np.isin(told, ("shown", "noisy")).all(axis=1, keepdims=True)
    total = own.sum(axis=1, keepdims=True)
    share = np.full(counts.shape, np.nan)
    share[:, :-2] = own / np.where(whole & (total > 0), total, np.nan)
    return Table(np.where(state == "suppressed", np.nan, counts), state, share)
