"""Sums of a model's statistics, for models that follow from sums."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.model import Summed
from fedlab.core.parameters import Parameters
from fedlab.core.space import Space
from fedlab.privacy import Releases
from fedlab.privacy.clipping import clipped_sum
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = ["Statistics", "Sums"]


class Sums(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """A site's sums, named as the model names them."""

    values: Parameters


class Statistics(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The model's statistics at `parameters`, summed over the rows.

    Under privacy all that one row adds, its count included, is clipped as one vector to the
    promise's clipping norm, which therefore is the sensitivity. A row that is clipped counts as
    less than one row, so means over rows stay means, of rows that weigh differently.
    """

    purpose: ClassVar[str] = "training"

    model: Summed
    space: Space
    parameters: Parameters

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Sums over the rows."""
        x, y = rows.arrays(self.space, self.model.reads)
        if context.privacy is None:
            return Sums(self.model.statistics(self.parameters, x, y))
        empty, limit = self.model.empty(self.space), context.privacy.clipping_norm
        each = [
            self.model.statistics(self.parameters, x[i : i + 1], y[i : i + 1]).vector
            for i in range(len(y))
        ]
        total = clipped_sum(np.reshape(each, (len(y), empty.vector.size)), limit)
        return Sums(empty.like(context.release(total, sensitivity=limit)))

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy vector of sums over all rows."""
        return Releases(1)

    def shared_sensitivity(self, n_rows: int, clipping_norm: float) -> float | None:
        """What a row adds is clipped as a whole."""
        return clipping_norm

    def accepts(self, answer: Answer) -> bool:
        """Finite sums of the names and shapes that no rows would give."""
        return isinstance(answer, Sums) and answer.values.fits(self.model.empty(self.space))
