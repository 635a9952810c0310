"""Sums of a model's statistics, for models that follow from sums."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from fedlab.core.model import Summed
from fedlab.core.parameters import Parameters
from fedlab.core.space import Space
from fedlab.privacy import Releases
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = ["Statistics", "Sums"]


class Sums(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """A site's sums, named as the model names them."""

    values: Parameters


class Statistics(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The model's statistics at `parameters`, summed over the rows."""

    purpose: ClassVar[str] = "training"

    model: Summed
    space: Space
    parameters: Parameters

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Sums over the rows."""
        x, y = rows.arrays(self.space, self.model.reads)
        return Sums(self.model.statistics(self.parameters, x, y))

    def releases(self, n_rows: int) -> Releases | None:
        """Rows are not clipped, so no noise hides one."""
        return None

    def accepts(self, answer: Answer) -> bool:
        """Finite sums of the names and shapes that no rows would give."""
        return isinstance(answer, Sums) and answer.values.fits(self.model.empty(self.space))
