"""Sums from which the federation's means and variances follow."""

from __future__ import annotations

import math
from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.parameters import Array, is_finite_array
from fedlab.core.schema import Schema
from fedlab.core.space import numbers
from fedlab.privacy import Releases
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = ["MomentSums", "Moments"]


class MomentSums(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Count, sum and sum of squares of ``x - center``, each ``(n_numbers,)``."""

    count: Array
    total: Array
    squares: Array


class Moments(Query, msgspec.Struct, frozen=True, tag=True):
    """Count, sum and sum of squares of each numeric column about `center`, missing values left out.

    Asked twice, about 0 and then about the federation's mean, it gives a variance without the
    cancellation that ``E[x^2] - E[x]^2`` suffers (Chan, Golub and LeVeque 1983, the two-pass rule).

    Under privacy values are clipped to the declared ranges of their columns. With m the largest
    distance of a range's ends from `center`, a row adds at most 1 to each of count, sum over m and
    squares over m^2, so that the root of three times the number of columns is the sensitivity of
    them all. Without a range for every column no answer is private.
    """

    purpose: ClassVar[str] = "summary"

    schema: Schema
    center: Array

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Sums over the rows that have a value."""
        values = numbers(rows.features, self.schema)
        if context.privacy is not None:
            return self._hidden(values, context)
        centred = values - self.center
        return MomentSums(
            (~np.isnan(centred)).sum(axis=0).astype(np.float64),
            np.nansum(centred, axis=0),
            np.nansum(centred**2, axis=0),
        )

    def _hidden(self, values: Array, context: Context) -> MomentSums:
        low, high = _ranges(self.schema)
        reach = np.maximum(
            np.maximum(np.abs(low - self.center), np.abs(high - self.center)), 1e-300
        )
        scaled = (np.clip(values, low, high) - self.center) / reach
        # Dividing rounds; what is at most 1 must not become more.
        scaled = np.clip(scaled, -1.0, 1.0)
        sums = [~np.isnan(scaled), np.nan_to_num(scaled), np.nan_to_num(scaled) ** 2]
        total = np.array([part.sum(axis=0, dtype=np.float64) for part in sums])
        count, first, second = context.release(total, sensitivity=math.sqrt(total.size))
        return MomentSums(np.maximum(count, 0.0), first * reach, np.maximum(second, 0.0) * reach**2)

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy vector where every column has a declared range, else none."""
        low, high = _ranges(self.schema)
        bounded = np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()
        return Releases(1) if bounded and np.isfinite(self.center).all() else None

    def accepts(self, answer: Answer) -> bool:
        """Three finite vectors of one entry a column; counts and squares are not negative."""
        return (
            isinstance(answer, MomentSums)
            and all(
                is_finite_array(part, self.center.shape)
                for part in (answer.count, answer.total, answer.squares)
            )
            and bool((answer.count >= 0).all() and (answer.squares >= 0).all())
        )


def _ranges(schema: Schema) -> tuple[Array, Array]:
    """Declared ends of the numeric columns, NaN where there are none."""
    columns = [column for column in schema.columns if column.kind == "number"]
    ends = [(c.low, c.high) for c in columns if c.low is not None and c.high is not None]
    if len(ends) < len(columns):
        return np.full(len(columns), np.nan), np.full(len(columns), np.nan)
    low, high = np.array(ends, dtype=np.float64).reshape(-1, 2).T
    return low, high
