"""Gradient and curvature of the summed loss, for exact federated Newton steps."""

from __future__ import annotations

import math
from typing import ClassVar

import msgspec

from fedlab.core.model import Differentiable
from fedlab.core.parameters import Array, Parameters, is_finite_array
from fedlab.core.space import Space
from fedlab.privacy import Releases
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = ["NewtonStep", "Slope"]


class Slope(Answer, msgspec.Struct, frozen=True, eq=False, tag=True, kw_only=True):
    """Loss, gradient and Hessian of a site's summed loss, the last as its model's `expansion`."""

    loss: float
    gradient: Parameters
    hessian: Array


class NewtonStep(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The site's summed loss, its gradient and its Hessian at `parameters`."""

    purpose: ClassVar[str] = "training"

    model: Differentiable
    space: Space
    parameters: Parameters

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Sums over the rows."""
        x, y = rows.arrays(self.space, self.model.reads)
        loss, gradient, hessian = self.model.expansion(self.parameters, x, y)
        return Slope(loss=loss, gradient=gradient, hessian=hessian)

    def releases(self, n_rows: int) -> Releases | None:
        """Exact sums only: rows are not clipped, so no noise hides one."""
        return None

    def accepts(self, answer: Answer) -> bool:
        """A finite loss, a gradient like the parameters, a Hessian of the model's shape."""
        shape = self.model.curvature_shape(self.parameters)
        return (
            isinstance(answer, Slope)
            and math.isfinite(answer.loss)
            and answer.gradient.fits(self.parameters)
            and is_finite_array(answer.hessian, shape)
        )
