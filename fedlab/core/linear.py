"""Models of a linear predictor: what they share, given a loss of the predictor.

Each row enters only through ``eta = z @ coef.T + intercept``, with ``z = features(x)``. A model
says what its loss, slope and curvature are in ``eta``; gradients and Hessians follow by the chain
rule and are sums over rows, so what sites compute adds up to the pooled value.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from fedlab.core.model import Differentiable
from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Schema
from fedlab.core.space import Space, Target
from fedlab.errors import TrainingError

__all__ = ["Linear", "needs_classes", "needs_numbers", "set_classes"]

Places = np.ndarray[Any, np.dtype[np.int64]]


def needs_classes(model: object, schema: Schema) -> None:
    """Raise TrainingError unless the target has two or more classes over all sites."""
    if len(schema.classes) < 2:
        raise TrainingError(
            f"{type(model).__name__} needs a target with two or more classes over all sites.",
            f"{len(schema.classes)} in {schema.target!r}",
            f"Choose another target, or pass categories={{{schema.target!r}: [...]}} with its "
            "classes to every site.",
        )


def needs_numbers(model: object, schema: Schema) -> None:
    """Raise TrainingError when the target holds text or true and false."""
    if any(isinstance(label, str | bool) for label in schema.classes):
        raise TrainingError(
            f"{type(model).__name__} needs a target of numbers.",
            f"{len(schema.classes)} classes of {type(schema.classes[0]).__name__} "
            f"in {schema.target!r}",
            "Choose another target, or use fl.LogisticRegression().",
        )


def set_classes(final: Any, parameters: Parameters, space: Space) -> None:
    """Give a scikit-learn classifier its classes and coefficients.

    scikit-learn sorts the classes, whatever order they were declared in.
    """
    order = np.argsort(space.schema.classes)
    coef = np.atleast_2d(np.array(parameters["coef"]))
    intercept = np.atleast_1d(np.array(parameters["intercept"]))
    final.classes_ = np.array(space.schema.classes)[order]
    if len(order) == 2:
        # The predictor is that of the second class, which may have become the first.
        sign = -1.0 if order[0] == 1 else 1.0
        final.coef_, final.intercept_ = sign * coef, sign * intercept
    else:
        final.coef_, final.intercept_ = coef[order], intercept[order]
    final.n_features_in_ = coef.shape[1]


class Linear(Differentiable):
    """A model whose loss is a function of one linear predictor a row, or of one for each class.

    Parameters are ``coef``, shape ``(n_features,)``, with a scalar ``intercept``; or, for a model
    of several predictors, ``coef`` of shape ``(n_outputs, n_features)`` with ``intercept``
    ``(n_outputs,)``.

    Attributes
    ----------
    coupled : bool
        Whether several predictors of a row share in one loss. Where they do not, the Hessian has
        blocks on its diagonal only, and only those travel.
    """

    __slots__ = ()

    coupled: ClassVar[bool] = False

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

    def couplings_at(self, eta: Array) -> Array:
        """What couples the predictors of a row, in the shape of `eta`.

        With curvatures ``a`` and couplings ``b`` a row's matrix of second derivatives is
        ``diag(a) - b b^T``. Asked for where the model is `coupled`.
        """
        return np.zeros_like(eta)

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
        return np.hstack([by_coef.reshape(len(z), slopes.shape[1] * z.shape[1]), slopes])

    def gradient(self, parameters: Parameters, x: Array, y: Target) -> Parameters:
        """``sum slope (z, 1)``."""
        z = self.features(x)
        return _gradient(self.slopes_at(_predictors(parameters, z), y), z)

    def hessian(self, parameters: Parameters, x: Array, y: Target) -> Array:
        """``sum curvature (z, 1) (z, 1)^T``, a block for each pair of predictors."""
        curvature = self.expansion(parameters, x, y)[2]
        if curvature.ndim == 2:
            return curvature
        hessian = np.zeros((parameters.vector.size,) * 2)
        for block, places in zip(curvature, self.by_predictor(parameters), strict=True):
            hessian[np.ix_(places, places)] = block
        return hessian

    def by_predictor(self, parameters: Parameters) -> Places:
        """Where the coefficients and the intercept of each predictor stand among all parameters.

        Shape ``(n_outputs, n_features + 1)``.
        """
        n_outputs, n_features = np.atleast_2d(parameters["coef"]).shape
        coef = np.arange(n_outputs * n_features).reshape(n_outputs, n_features)
        return np.column_stack([coef, n_outputs * n_features + np.arange(n_outputs)])

    def curvature_shape(self, parameters: Parameters) -> tuple[int, ...]:
        """The Hessian's, or its blocks' ``(n_outputs, n_features + 1, n_features + 1)``."""
        size = parameters.vector.size
        if self.coupled or parameters["intercept"].ndim == 0:
            return (size, size)
        n_outputs = len(parameters["intercept"])
        return (n_outputs, size // n_outputs, size // n_outputs)

    def expansion(
        self, parameters: Parameters, x: Array, y: Target
    ) -> tuple[float, Parameters, Array]:
        """Loss, gradient and curvature from predictors that are computed once."""
        z = self.features(x)
        eta = _predictors(parameters, z)
        loss = float(self.losses_at(eta, y).sum())
        gradient = _gradient(self.slopes_at(eta, y), z)
        return loss, gradient, self._curvature(parameters, z, eta, self.curvatures_at(eta, y))

    def _curvature(self, parameters: Parameters, z: Array, eta: Array, weights: Array) -> Array:
        design = np.hstack([z, np.ones((len(z), 1))])
        if eta.ndim == 1:
            return _weighted(design, weights)
        if not self.coupled:
            return np.stack([_weighted(design, weights[:, k]) for k in range(eta.shape[1])])
        couplings, places = self.couplings_at(eta), self.by_predictor(parameters)
        hessian = np.zeros((places.size, places.size))
        for one in range(len(places)):
            for other in range(one + 1):
                block = -_weighted(design, couplings[:, one] * couplings[:, other])
                if other == one:
                    block += _weighted(design, weights[:, one])
                hessian[np.ix_(places[one], places[other])] = block
                hessian[np.ix_(places[other], places[one])] = block
        return hessian


def _predictors(parameters: Parameters, z: Array) -> Array:
    eta: Array = z @ parameters["coef"].T + parameters["intercept"]
    return eta


def _gradient(slopes: Array, z: Array) -> Parameters:
    return Parameters({"coef": slopes.T @ z, "intercept": slopes.sum(axis=0)})


def _weighted(design: Array, weights: Array) -> Array:
    product: Array = (design * weights[:, None]).T @ design
    return product
