"""Models of a linear predictor: what they share, given a loss of the predictor.

Each row enters only through ``eta = z @ coef.T + intercept``, with ``z = features(x)``. A model says
what its loss, slope and curvature are in ``eta``; gradients and Hessians follow by the chain rule
and are sums over rows, so what sites compute adds up to the pooled value.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from fedlab.core.model import Differentiable
from fedlab.core.parameters import Array, Parameters
from fedlab.core.space import Space, Target

__all__ = ["Linear"]


class Linear(Differentiable):
    """A model whose loss is a function of one linear predictor a row, or of one for each class.

    Parameters are ``coef``, shape ``(n_features,)``, with a scalar ``intercept``; or, for a model of
    several predictors, ``coef`` of shape ``(n_outputs, n_features)`` with ``intercept``
    ``(n_outputs,)``.
    """

    __slots__ = ()

    def features(self, x: Array) -> Array:
        """What the predictor is linear in, shape ``(n_samples, n_features)``; by default `x`."""
        return x

    def n_features(self, space: Space) -> int:
        """Columns of `features`."""
        return len(space.names)

    def n_outputs(self, space: Space) -> int:
        """Predictors of a row."""
        return 1

    @abstractmethod
    def losses_at(self, eta: Array, y: Target) -> Array:
        """Loss of each row, shape ``(n_samples,)``, at predictors `eta`."""

    @abstractmethod
    def slopes_at(self, eta: Array, y: Target) -> Array:
        """Derivative of each row's loss by its predictors, in the shape of `eta`."""

    @abstractmethod
    def curvatures_at(self, eta: Array, y: Target) -> Array:
        """Second derivative of each row's loss by each of its predictors, in the shape of `eta`."""

    def couplings_at(self, eta: Array) -> Array | None:
        """What couples the predictors of a row, in the shape of `eta`; None where nothing does.

        With curvatures ``a`` and couplings ``b`` a row's matrix of second derivatives is
        ``diag(a) - b b^T``.
        """
        return None

    def init(self, space: Space) -> Parameters:
        """All zeros."""
        n_features, n_outputs = self.n_features(space), self.n_outputs(space)
        if n_outputs == 1:
            return Parameters({"coef": np.zeros(n_features), "intercept": 0.0})
        return Parameters(
            {"coef": np.zeros((n_outputs, n_features)), "intercept": np.zeros(n_outputs)}
        )

    def penalised(self, parameters: Parameters) -> Parameters:
        """The coefficients; the intercept is free."""
        return Parameters(
            {"coef": parameters["coef"], "intercept": np.zeros_like(parameters["intercept"])}
        )

    def predictors(self, parameters: Parameters, x: Array) -> Array:
        """``eta``, shape ``(n_samples,)`` or ``(n_samples, n_outputs)``."""
        return _predictors(parameters, self.features(x))

    def losses(self, parameters: Parameters, x: Array, y: Target) -> Array:
        """Loss of each row."""
        return self.losses_at(self.predictors(parameters, x), y)

    def row_gradients(self, parameters: Parameters, x: Array, y: Target) -> Array:
        """``slope (z, 1)`` of each row, coefficients of all predictors before their intercepts."""
        z = self.features(x)
        slopes = self.slopes_at(_predictors(parameters, z), y)
        if slopes.ndim == 1:
            return np.hstack([slopes[:, None] * z, slopes[:, None]])
        by_coef = slopes[:, :, None] * z[:, None, :]
        return np.hstack([by_coef.reshape(len(z), -1), slopes])

    def gradient(self, parameters: Parameters, x: Array, y: Target) -> Parameters:
        """``sum slope (z, 1)``."""
        z = self.features(x)
        return _gradient(self.slopes_at(_predictors(parameters, z), y), z)

    def hessian(self, parameters: Parameters, x: Array, y: Target) -> Array:
        """``sum curvature (z, 1) (z, 1)^T``, a block for each pair of predictors."""
        z = self.features(x)
        eta = _predictors(parameters, z)
        return _hessian(self.curvatures_at(eta, y), self.couplings_at(eta), z)

    def expansion(
        self, parameters: Parameters, x: Array, y: Target
    ) -> tuple[float, Parameters, Array]:
        """Loss, gradient and Hessian from predictors that are computed once."""
        z = self.features(x)
        eta = _predictors(parameters, z)
        loss = float(self.losses_at(eta, y).sum())
        gradient = _gradient(self.slopes_at(eta, y), z)
        return loss, gradient, _hessian(self.curvatures_at(eta, y), self.couplings_at(eta), z)


def _predictors(parameters: Parameters, z: Array) -> Array:
    eta: Array = z @ parameters["coef"].T + parameters["intercept"]
    return eta


def _gradient(slopes: Array, z: Array) -> Parameters:
    return Parameters({"coef": slopes.T @ z, "intercept": slopes.sum(axis=0)})


def _hessian(curvatures: Array, couplings: Array | None, z: Array) -> Array:
    design = np.hstack([z, np.ones((len(z), 1))])
    if curvatures.ndim == 1:
        return _weighted(design, curvatures)
    n_outputs, width = curvatures.shape[1], design.shape[1]
    blocks = np.zeros((n_outputs, width, n_outputs, width))
    for one in range(n_outputs):
        blocks[one, :, one] = _weighted(design, curvatures[:, one])
        if couplings is not None:
            for other in range(one + 1):
                block = _weighted(design, couplings[:, one] * couplings[:, other])
                blocks[one, :, other] -= block
                if other < one:
                    blocks[other, :, one] -= block
    # From (predictor, column) to the order of the parameters: all coefficients, then intercepts.
    place = np.arange(n_outputs * width).reshape(n_outputs, width)
    order = np.concatenate([place[:, :-1].ravel(), place[:, -1]])
    return blocks.reshape(n_outputs * width, -1)[np.ix_(order, order)]


def _weighted(design: Array, weights: Array) -> Array:
    hessian: Array = (design * weights[:, None]).T @ design
    return hessian
