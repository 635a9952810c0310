"""What a Hessian at the optimum says about the error of the estimates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from fedlab.core.parameters import Array
from fedlab.errors import TrainingError

__all__ = ["inverse_information", "wald"]

# Smallest eigenvalue of a curvature of unit diagonal that still leaves eight digits or so.
COLLINEAR = 1e-9


def inverse_information(curvature: Array, names: Sequence[str]) -> Array:
    """The inverse, found on a unit diagonal, where only collinearity is ill-conditioned.

    Parameters
    ----------
    curvature : ndarray of shape (n_terms, n_terms)
    names : sequence of str
        Of the terms, for the error.

    Raises
    ------
    TrainingError
        When the rows leave a combination of terms open.

    Examples
    --------
    >>> inverse_information(np.diag([4.0, 1e-8]), ["a", "b"]).diagonal()
    array([2.5e-01, 1.0e+08])
    """
    bent = np.diag(curvature)
    if not (bent > 0).all():
        raise TrainingError(
            "Standard errors need rows that tell of every coefficient, and a target that varies.",
            f"{', '.join(repr(name) for name, b in zip(names, bent, strict=True) if not b > 0)}, "
            "of which these rows tell nothing",
            "Ask about rows with more than one value of the target, or leave columns out.",
        )
    scale = 1 / np.sqrt(bent)
    values, vectors = np.linalg.eigh(curvature * np.outer(scale, scale))
    if values[0] < COLLINEAR:
        heavy = np.abs(vectors[:, 0]) > 0.1
        named = dict.fromkeys(name for name, is_heavy in zip(names, heavy, strict=True) if is_heavy)
        raise TrainingError(
            "Standard errors need features of which none follows from the others, or tells classes "
            "apart without an error.",
            f"{', '.join(map(repr, named))}, whose coefficients the rows leave open",
            "Leave one of them out at every site.",
        )
    inverse: Array = (vectors / values) @ vectors.T * np.outer(scale, scale)
    return inverse


def wald(estimate: Array, covariance: Array, degrees: float, level: float) -> dict[str, Array]:
    """Wald's test of no effect and interval of each estimate (Wald 1943).

    Parameters
    ----------
    estimate : ndarray of shape (n_terms,)
    covariance : ndarray of shape (n_terms, n_terms)
    degrees : float
        Of freedom of Student's t; infinite for the normal distribution.
    level : float
        Of the intervals.

    Examples
    --------
    >>> table = wald(np.array([1.96]), np.array([[1.0]]), np.inf, 0.95)
    >>> table["p_value"].round(3), table["lower"].round(3)
    (array([0.05]), array([0.]))
    """
    error = np.sqrt(np.diag(covariance))
    statistic = estimate / error
    normal = np.isinf(degrees)
    tail = ndtr(-np.abs(statistic)) if normal else stdtr(degrees, -np.abs(statistic))
    quantile = ndtri((1 - level) / 2) if normal else stdtrit(degrees, (1 - level) / 2)
    return {
        "estimate": estimate,
        "standard_error": error,
        "statistic": statistic,
        "p_value": np.asarray(2 * tail, dtype=np.float64),
        "lower": estimate + quantile * error,
        "upper": estimate - quantile * error,
    }
