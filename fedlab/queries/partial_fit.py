"""Local training of a scikit-learn estimator: passes of ``partial_fit`` over a site's own rows."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from fedlab.core.parameters import Parameters
from fedlab.core.sklearn_model import PartialFitted
from fedlab.core.space import Space
from fedlab.privacy import Releases
from fedlab.queries.local_fit import Update
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = ["PartialFit"]


class PartialFit(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The change that `epochs` passes make from the common parameters.

    Attributes
    ----------
    model : PartialFitted
    space : Space
    parameters : Parameters
    epochs : int
    """

    purpose: ClassVar[str] = "training"

    model: PartialFitted
    space: Space
    parameters: Parameters
    epochs: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError("epochs must be at least 1")

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Parameters after training minus those before."""
        x, y = rows.arrays(self.space, self.model.reads)
        _, round_number, _ = context.purpose
        trained = self.model.train(
            self.parameters,
            x,
            y,
            self.space,
            epochs=self.epochs,
            done=self.epochs * (int(round_number) - 1),
            random=context.random("partial_fit"),
        )
        return Update(trained - self.parameters)

    def releases(self, n_rows: int) -> Releases | None:
        """scikit-learn clips no row, so no noise hides one."""
        return None

    def accepts(self, answer: Answer) -> bool:
        """A finite change with the names and shapes of the parameters."""
        return isinstance(answer, Update) and answer.delta.fits(self.parameters)
