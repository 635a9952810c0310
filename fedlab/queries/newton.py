"""Gradient and curvature of the summed loss, for federated Newton steps.

Without privacy both are exact. With record-level privacy each row's gradient is clipped in its
Euclidean norm and each row's share of the curvature in its Frobenius norm, and the two sums get
Gaussian noise; what is done with them is post-processing (Ganesh, Haghifam, Steinke and Thakurta
2023, "Faster differentially private convex optimization via second-order methods", NeurIPS 2023,
arXiv 2305.13209, the two noises of its Newton step).
"""

from __future__ import annotations

import math
from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.model import Differentiable
from fedlab.core.parameters import Array, Parameters, is_finite_array
from fedlab.core.space import Space, Target
from fedlab.privacy import RecordDP, Releases
from fedlab.privacy.clipping import clipped_sum, pack_symmetric, unpack_symmetric
from fedlab.queries.query import Answer, Context, Query, Rows
from fedlab.queries.row_curvature import clipped_curvature

__all__ = ["NewtonStep", "Slope"]


class Slope(Answer, msgspec.Struct, frozen=True, eq=False, tag=True, kw_only=True):
    """Loss, gradient and Hessian of a site's summed loss, the last as its model's `expansion`.

    Attributes
    ----------
    loss : float
        0 under privacy, since no bound of it is known.
    gradient : Parameters
    hessian : ndarray
    variance : float
        Of the noise on a diagonal entry of `hessian`; off the diagonal it is half of it.
    """

    loss: float
    gradient: Parameters
    hessian: Array
    variance: float = 0.0


class NewtonStep(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The site's summed loss, its gradient and its Hessian at `parameters`.

    Under privacy gradient and Hessian leave as one vector, in units in which a row changes it by
    at most 1: the gradient over its clipping norm, times the root of ``1 - curvature_share``, and
    the upper triangle of the Hessian over `curvature_norm`, times the root of `curvature_share`.

    Attributes
    ----------
    curvature_norm : float
        Largest Frobenius norm of one row's Hessian, under privacy.
    curvature_share : float
        Share of the privacy budget that the Hessian takes, above 0 and below 1.
    """

    purpose: ClassVar[str] = "training"

    model: Differentiable
    space: Space
    parameters: Parameters
    curvature_norm: float = 1.0
    curvature_share: float = 0.5

    def __post_init__(self) -> None:
        if not (0 < self.curvature_norm < math.inf and 0 < self.curvature_share < 1):
            raise ValueError("curvature_norm must be positive, and curvature_share between 0 and 1")

    @property
    def n_parameters(self) -> int:
        """As many as there are coefficients and intercepts."""
        return len(self.parameters.vector)

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Sums over the rows."""
        x, y = rows.arrays(self.space, self.model.reads)
        if context.privacy is not None:
            return self._hidden(x, y, context, context.privacy)
        loss, gradient, hessian = self.model.expansion(self.parameters, x, y)
        return Slope(loss=loss, gradient=gradient, hessian=hessian)

    def _hidden(self, x: Array, y: Target, context: Context, privacy: RecordDP) -> Slope:
        by_gradient = privacy.clipping_norm / math.sqrt(1 - self.curvature_share)
        by_curvature = self.curvature_norm / math.sqrt(self.curvature_share)
        curvature, factors = clipped_curvature(
            self.model, self.parameters, x, y, self.curvature_norm
        )
        # A row whose curvature counts less pulls less, or steps would be longer than Newton's.
        rows = self.model.row_gradients(self.parameters, x, y) * factors[:, None]
        gradient = clipped_sum(rows, privacy.clipping_norm)
        exact = np.append(gradient / by_gradient, pack_symmetric(curvature) / by_curvature)
        noisy = context.release(exact, sensitivity=1.0)
        size = len(gradient)
        return Slope(
            loss=0.0,
            gradient=self.parameters.like(noisy[:size] * by_gradient),
            hessian=unpack_symmetric(noisy[size:] * by_curvature, curvature.shape),
            variance=(context.noise_multiplier * by_curvature) ** 2,
        )

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy vector over all rows."""
        return Releases(1)

    def accepts(self, answer: Answer) -> bool:
        """A finite loss, a gradient like the parameters, a Hessian of the model's shape."""
        shape = self.model.curvature_shape(self.parameters)
        return (
            isinstance(answer, Slope)
            and math.isfinite(answer.loss)
            and 0 <= answer.variance < math.inf
            and answer.gradient.fits(self.parameters)
            and is_finite_array(answer.hessian, shape)
        )
