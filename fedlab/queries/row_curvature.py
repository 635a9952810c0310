"""Sums of Hessians of which each row's is clipped: what one row can change is then bounded."""

from __future__ import annotations

import numpy as np

from fedlab.core.linear import Linear
from fedlab.core.model import Differentiable
from fedlab.core.parameters import Array, Parameters
from fedlab.core.space import Target
from fedlab.privacy.clipping import clip_factors

__all__ = ["clipped_curvature"]


def clipped_curvature(
    model: Differentiable, parameters: Parameters, x: Array, y: Target, limit: float
) -> tuple[Array, Array]:
    """Sum of the rows' Hessians, each clipped to a Frobenius norm of `limit`; and by how much.

    Returns
    -------
    curvature : ndarray
        In the shape of the model's `expansion`.
    factors : ndarray of shape (n_samples,)
        What each row's Hessian was multiplied by.
    """
    if isinstance(model, Linear):
        return _of_predictors(model, parameters, x, y, limit)
    total, factors = np.zeros(model.curvature_shape(parameters)), np.ones(len(x))
    for row in range(len(x)):
        one = model.expansion(parameters, x[row : row + 1], y[row : row + 1])[2]
        with np.errstate(over="ignore"):
            norm = np.asarray(np.linalg.norm(one.ravel()), dtype=np.float64)
        factors[row] = float(clip_factors(norm, limit))
        total += one * factors[row]
    return total, factors


def _of_predictors(
    model: Linear, parameters: Parameters, x: Array, y: Target, limit: float
) -> tuple[Array, Array]:
    """The same without a loop over rows.

    A row's Hessian is the Kronecker product of ``diag(a) - b b^T``, its second derivatives by the
    predictors, and ``(z, 1) (z, 1)^T``, so its norm is the product of theirs.
    """
    eta = model.predictors(parameters, x)
    n_outputs = 1 if eta.ndim == 1 else eta.shape[1]
    by_eta = np.zeros((len(x), n_outputs, n_outputs))
    if model.coupled and n_outputs > 1:
        b = model.couplings_at(eta)
        by_eta -= b[:, :, None] * b[:, None, :]
    diagonal = np.arange(n_outputs)
    by_eta[:, diagonal, diagonal] += model.curvatures_at(eta, y).reshape(len(x), n_outputs)
    design = np.hstack([model.features(x), np.ones((len(x), 1))])
    with np.errstate(over="ignore", invalid="ignore"):
        of_eta = np.sqrt((by_eta**2).sum(axis=(1, 2)))
        norms = np.where(of_eta == 0, 0.0, of_eta * (design**2).sum(axis=1))
    factors = clip_factors(norms, limit)

    def block(one: int, other: int) -> Array:
        weights = by_eta[:, one, other] * factors
        product: Array = (design * weights[:, None]).T @ design
        return product

    outputs = range(n_outputs)
    if n_outputs == 1:
        return block(0, 0), factors
    if not model.coupled:
        return np.stack([block(k, k) for k in outputs]), factors
    places = model.by_predictor(parameters)
    total = np.zeros((places.size, places.size))
    for one in outputs:
        for other in outputs:
            total[np.ix_(places[one], places[other])] = block(one, other)
    return total, factors
