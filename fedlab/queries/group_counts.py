"""Patients by group."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import msgspec
import numpy as np

from fedlab.core.parameters import Array, is_finite_array
from fedlab.core.schema import Schema
from fedlab.errors import RefusedError
from fedlab.privacy import Releases
from fedlab.queries.disclosure import Cells, Codes, Disclosure, Shown
from fedlab.queries.groups import Condition, Factor, beside, cells_of, chosen
from fedlab.queries.query import Answer, Context, Query, Rows, Split

__all__ = [
    "CountGroups",
    "CountTables",
    "GroupCounts",
    "is_tally",
    "shape_of",
    "table_or_nothing",
    "without_value",
]


class GroupCounts(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Patients of each cell, and whether the cell is shown; both add up over sites.

    Attributes
    ----------
    counts : ndarray
        0 where a cell is suppressed.
    shown : ndarray of the same shape
        1 where the site tells the cell and 0 where it is suppressed, so that the sum over sites
        says how many tell it. Empty, of shape ``(0,)``, under noise, where nothing is suppressed.
    """

    counts: Array
    shown: Array


class CountTables(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """How many patients fall into each cell of several tables, each a cross of factors.

    Small cells are suppressed by the site's law, table by table, see `Disclosure`. Under privacy
    every cell has noise instead, and counts rows: a record is in one cell of each table, so the
    sensitivity is the root of the number of tables.

    Attributes
    ----------
    schema : Schema
        Of the columns that are read.
    tables : tuple of tuple of Factor
        A table of no factor is a single count.
    where : tuple of Condition
        Whom it is about; nothing for everybody.
    """

    purpose: ClassVar[str] = "summary"
    guarded: ClassVar[bool] = True

    schema: Schema
    tables: tuple[tuple[Factor, ...], ...]
    where: tuple[Condition, ...] = ()
    split: Split = "all"

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of each table, with missing and unmapped as the last two levels of each factor."""
        return tuple(shape_of(factors) for factors in self.tables)

    @property
    def size(self) -> int:
        """Cells of all tables; the answer has them one table after the other."""
        return sum(math.prod(shape) for shape in self.shapes)

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Counts of the rows that meet all conditions."""
        kept = chosen(rows, self.where)
        found = [cells_of(rows, factors, kept) for factors in self.tables]
        if context.disclosure is None:
            counts = [
                np.bincount(cells[cells >= 0], minlength=math.prod(shape)) for cells, shape in found
            ]
            whole = np.concatenate([np.zeros(0), *counts])
            released = context.release(whole, sensitivity=math.sqrt(len(self.tables)))
            return GroupCounts(released, np.zeros(0))
        context.disclosure.cohort(kept)
        law = context.disclosure
        lacks = [without_value(shape) for _, shape in found]
        veils = [
            None if law.single_values else beside(factors, *each)
            for factors, each in zip(self.tables, found, strict=True)
        ]
        if len(found) == 1:
            told = [law.table(*found[0], missing=lacks[0], veiled=veils[0])]
        else:
            each = zip(found, lacks, veils, strict=True)
            told = [table_or_nothing(law, *table, lack, veil) for table, lack, veil in each]
        return GroupCounts(
            np.concatenate([np.zeros(0), *(np.ravel(each.counts) for each in told)]),
            np.concatenate([np.zeros(0), *(np.ravel(each.shown) for each in told)]),
        )

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy vector of all tables."""
        return Releases(1) if self.tables else None

    def shared_sensitivity(self, n_rows: int, clipping_norm: float) -> float | None:
        """A record is in one cell of each table."""
        return math.sqrt(len(self.tables))

    def accepts(self, answer: Answer) -> bool:
        """Two finite vectors of the agreed length; the second may be empty."""
        return isinstance(answer, GroupCounts) and _fits(answer, (self.size,))


class CountGroups(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """How many patients fall into each cell of one cross of factors, see `CountTables`.

    Attributes
    ----------
    schema : Schema
        Of the columns that are read.
    factors : tuple of Factor
        None for a single count.
    where : tuple of Condition
        Whom it is about; nothing for everybody.
    """

    purpose: ClassVar[str] = "summary"
    guarded: ClassVar[bool] = True

    schema: Schema
    factors: tuple[Factor, ...] = ()
    where: tuple[Condition, ...] = ()
    split: Split = "all"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the table, with missing and unmapped as the last two levels of each factor."""
        return shape_of(self.factors)

    @property
    def _tables(self) -> CountTables:
        return CountTables(
            schema=self.schema, tables=(self.factors,), where=self.where, split=self.split
        )

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Counts of the rows that meet all conditions."""
        answer = self._tables.compute(rows, context)
        if not isinstance(answer, GroupCounts):
            raise TypeError("tables are answered by counts")
        shown = answer.shown.reshape(self.shape) if answer.shown.size else answer.shown
        return GroupCounts(answer.counts.reshape(self.shape), shown)

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy table."""
        return Releases(1)

    def shared_sensitivity(self, n_rows: int, clipping_norm: float) -> float | None:
        """A record is in one cell."""
        return 1.0

    def accepts(self, answer: Answer) -> bool:
        """Two finite tables of the agreed shape; the second may be empty."""
        return isinstance(answer, GroupCounts) and _fits(answer, self.shape)


def shape_of(factors: tuple[Factor, ...]) -> tuple[int, ...]:
    """Of a cross of factors, each with missing and unmapped as its last two levels."""
    return tuple(factor.n_levels + 2 for factor in factors)


def without_value(shape: tuple[int, ...]) -> Cells:
    """Which cells of a cross of factors are of patients without a value of some factor.

    Examples
    --------
    >>> without_value((3,))
    array([False,  True,  True])
    """
    missing = np.zeros(shape, dtype=bool)
    for axis, size in enumerate(shape):
        missing |= (np.arange(size) >= size - 2).reshape([-1] + [1] * (len(shape) - axis - 1))
    return missing


def table_or_nothing(
    law: Disclosure,
    cells: Codes,
    shape: tuple[int, ...],
    missing: Cells | None = None,
    veiled: Cells | None = None,
) -> Shown:
    """A table as it may leave; none of its cells, not even empty ones, where the law refuses it.

    For one of several that an answer has, so that the others may be told.
    """
    try:
        return law.table(cells, shape, missing=missing, veiled=veiled)
    except RefusedError:
        return Shown(np.zeros(shape), np.zeros(shape, dtype=bool))


def _fits(answer: GroupCounts, shape: tuple[int, ...]) -> bool:
    told = is_tally(answer.shown, shape) or is_tally(answer.shown, (0,))
    return is_finite_array(answer.counts, shape) and told


def is_tally(value: Any, shape: tuple[int, ...]) -> bool:
    """Whether an array of the shape holds whole numbers from 0 up."""
    return is_finite_array(value, shape) and bool(((value >= 0) & (value % 1 == 0)).all())
