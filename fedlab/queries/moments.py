"""Sums from which the federation's means and variances follow."""

from __future__ import annotations

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
    """

    purpose: ClassVar[str] = "summary"

    schema: Schema
    center: Array

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Sums over the rows that have a value."""
        centred = numbers(rows.features, self.schema) - self.center
        return MomentSums(
            (~np.isnan(centred)).sum(axis=0).astype(np.float64),
            np.nansum(centred, axis=0),
            np.nansum(centred**2, axis=0),
        )

    def releases(self, n_rows: int) -> Releases | None:
        """Columns have no bound here, so no noise hides a row."""
        return None

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
