"""The least of a quadratic with an absolute penalty: the inner problem of proximal Newton."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fedlab.core.parameters import Array

__all__ = ["absolute_minimum"]

Mask = np.ndarray[Any, np.dtype[np.bool_]]


def absolute_minimum(
    at: Array, gradient: Array, hessian: Array, penalised: Mask, strength: float
) -> Array:
    """The step from `at` to the least of the quadratic plus ``strength * sum |penalised|``.

    Free entries are eliminated, which leaves a problem that scikit-learn's coordinate descent
    solves (Friedman, Hastie and Tibshirani 2010). It finds which entries are zero and the signs of
    the others; given those, the rest is a linear system, solved to the last digit.

    Parameters
    ----------
    at, gradient : ndarray of shape (n_parameters,)
    hessian : ndarray of shape (n_parameters, n_parameters)
        Positive semidefinite.
    penalised : ndarray of bool, shape (n_parameters,)
    strength : float
        Above 0.

    Examples
    --------
    Each coordinate of a diagonal quadratic moves to its soft threshold.

    >>> start, curvature = np.zeros(3), np.diag([1.0, 2.0, 1.0])
    >>> penalised = np.array([True, True, False])
    >>> absolute_minimum(start, np.array([-3.0, 0.5, -1.0]), curvature, penalised, 1.0)
    array([2., 0., 1.])
    """
    free = ~penalised
    linear = gradient - hessian @ at
    across = hessian[np.ix_(penalised, free)]
    # Multinomial intercepts may all move together: their block is singular, nothing pulls there.
    inverse = np.linalg.pinv(hessian[np.ix_(free, free)], hermitian=True)
    curvature = hessian[np.ix_(penalised, penalised)] - across @ inverse @ across.T
    pull = linear[penalised] - across @ (inverse @ linear[free])
    least = _lasso(curvature, pull, strength, at[penalised])
    moved = np.zeros_like(at)
    moved[penalised] = least - at[penalised]
    # The shortest move of the free entries, so that what is undetermined stays where it was.
    moved[free] = -inverse @ (gradient[free] + across.T @ moved[penalised])
    return moved


def _lasso(curvature: Array, pull: Array, strength: float, start: Array) -> Array:
    """Minimise ``u' curvature u / 2 + pull' u + strength |u|``."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Lasso

    values, vectors = np.linalg.eigh(curvature)
    kept = values > len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)
    if not kept.any():
        return np.zeros_like(pull)
    roots = np.sqrt(values[kept])
    design = np.asfortranarray(roots[:, None] * vectors[:, kept].T)
    answer = -(vectors[:, kept].T @ pull) / roots
    lasso = Lasso(
        alpha=strength / len(answer),
        fit_intercept=False,
        warm_start=True,
        tol=1e-12,
        max_iter=10_000,
    )
    lasso.coef_ = np.array(start)
    with warnings.catch_warnings():
        # What is left is for the next Newton step.
        warnings.simplefilter("ignore", ConvergenceWarning)
        lasso.fit(design, answer)
    rough = np.asarray(lasso.coef_, dtype=np.float64)
    active = rough != 0
    if not active.any():
        return rough
    fine = np.zeros_like(rough)
    within = curvature[np.ix_(active, active)]
    wanted = -(pull[active] + strength * np.sign(rough[active]))
    fine[active] = np.linalg.lstsq(within, wanted, rcond=None)[0]
    inside = (np.sign(fine) == np.sign(rough)).all()
    outside = (np.abs(curvature @ fine + pull)[~active] <= strength * (1 + 1e-9)).all()
    return fine if inside and outside else rough
