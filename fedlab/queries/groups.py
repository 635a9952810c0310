"""Whom a question is about, and into which groups they fall."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pandas as pd

from fedlab.core.schema import Schema
from fedlab.queries.disclosure import Cells, Codes, Flags
from fedlab.queries.query import Rows

__all__ = ["Condition", "Factor", "beside", "cells_of", "chosen", "numeral", "schema_of"]


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One condition on a column: a number from `low` to below `high`, or one of `values`.

    Rows whose value is missing or unmapped do not meet it.

    Attributes
    ----------
    column : str
        A feature, the target or the event.
    low, high : float or None
    values : tuple of str
        Categories, or classes as text.
    """

    column: str
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()

    def met(self, rows: Rows) -> Flags:
        """Which rows meet it, ``(n_samples,)``."""
        series = rows.column(self.column)
        if self.values:
            return texts(_flags(series, self.values)).isin(self.values).to_numpy(dtype=bool)
        numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
        met = ~np.isnan(numbers)
        if self.low is not None:
            met &= numbers >= self.low
        if self.high is not None:
            met &= numbers < self.high
        return np.asarray(met, dtype=bool)


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """One way to group rows: by listed values of a column, or by intervals of its numbers.

    After its own levels come two more: *missing*, and *unmapped* where the site's record holds
    something its mapping has no word for. Values outside of the intervals or the list count as
    missing no more than as any level: they belong to no cell.

    Attributes
    ----------
    column : str
        A feature, the target or the event.
    values : tuple of str
        Categories, or classes as text.
    edges : tuple of float
        Rising; the i-th interval is from the i-th edge to below the next, the last one closed.
    """

    column: str
    values: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()

    @property
    def n_levels(self) -> int:
        """Levels of its own, without missing and unmapped."""
        return len(self.values) or max(len(self.edges) - 1, 0)

    def levels(self, rows: Rows) -> Codes:
        """The level of each row, ``(n_samples,)``; -1 for none.

        `n_levels` stands for missing and ``n_levels + 1`` for unmapped.
        """
        series = rows.column(self.column)
        if self.values:
            named = texts(_flags(series, self.values))
            found = pd.Index(self.values).get_indexer(pd.Index(named))
        else:
            numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
            found = np.searchsorted(self.edges, numbers, side="right") - 1
            found[numbers == self.edges[-1]] = self.n_levels - 1
            found[(found >= self.n_levels) | (found < 0)] = -1
        codes = np.asarray(found, dtype=np.int64)
        codes[series.isna().to_numpy(dtype=bool)] = self.n_levels
        unmapped = rows.unmapped.get(self.column)
        if unmapped is not None:
            codes[unmapped] = self.n_levels + 1
        return codes


def numeral(value: float, digits: int = 15) -> str:
    """A number as the text that it goes by, apart from any other of up to so many digits.

    Examples
    --------
    >>> numeral(1.0), numeral(0.1), numeral(1234567.0)
    ('1', '0.1', '1234567')
    """
    return f"{value + 0.0:.{digits}g}"


def _flags(series: pd.Series, values: Sequence[str]) -> pd.Series:
    """Yes and no as 1 and 0 where they are asked for as such."""
    asked = pd.api.types.is_bool_dtype(series.dtype) and set(values) <= {"0", "1"}
    return series.astype("Int64") if asked else series


def texts(series: pd.Series) -> pd.Series:
    """Values as the texts that conditions and factors name them by."""
    if pd.api.types.is_bool_dtype(series.dtype) or isinstance(series.dtype, pd.CategoricalDtype):
        return series.astype("str").where(series.notna())
    if pd.api.types.is_numeric_dtype(series.dtype):
        # Of a float of 32 bits more digits than 7 are an accident of how it is stored.
        digits = 7 if series.dtype in ("float32", "Float32") else 15
        named = series.map(lambda value: numeral(value, digits), na_action="ignore")
        return named.astype("object")
    return series.astype("str").where(series.notna())


def chosen(rows: Rows, where: Sequence[Condition]) -> Flags:
    """Which rows meet every condition, ``(n_samples,)``."""
    met = np.ones(len(rows), dtype=bool)
    for condition in where:
        met &= condition.met(rows)
    return met


def cells_of(rows: Rows, factors: Sequence[Factor], kept: Flags) -> tuple[Codes, tuple[int, ...]]:
    """The cell of each row in the cross of all factors, and the table's shape.

    Rows that are not `kept`, or that fall into no level of some factor, have cell -1.
    """
    shape = tuple(factor.n_levels + 2 for factor in factors)
    cells = np.zeros(len(rows), dtype=np.int64)
    inside = kept.copy()
    for factor, size in zip(factors, shape, strict=True):
        levels = factor.levels(rows)
        inside &= levels >= 0
        cells = cells * size + levels
    cells[~inside] = -1
    return cells, shape


def beside(factors: Sequence[Factor], cells: Codes, shape: tuple[int, ...]) -> Cells:
    """Cells that only intervals part from cells that somebody is in, of the table's shape.

    That nobody is in one of these tells where values begin and end: asked again with other edges,
    to the last digit.
    """
    flat = np.zeros(math.prod(shape), dtype=bool)
    flat[cells[cells >= 0]] = True
    held = flat.reshape(shape)
    found: Cells = np.zeros(shape, dtype=bool)
    for axis, factor in enumerate(factors):
        if factor.edges:
            own = np.arange(shape[axis]) < factor.n_levels
            line = held.any(axis=axis, keepdims=True)
            found |= line & own.reshape([-1] + [1] * (len(shape) - axis - 1))
    return found


def schema_of(schema: Schema, names: Sequence[str]) -> Schema:
    """The schema of these features alone; target and event stay."""
    kept = tuple(column for column in schema.columns if column.name in names)
    return msgspec.structs.replace(schema, columns=kept)
