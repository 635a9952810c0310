"""The same scikit-learn estimator, fitted on pooled rows: what a federated fit is measured by."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fedlab.core.parameters import Array
from fedlab.core.space import Target

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["learned", "refitted", "tight"]

# Of these families the optimum is what counts, and not where an iteration stopped.
EXACT = ("sklearn.linear_model", "sklearn.svm", "sklearn.cluster")
TOLERANCE, ITERATIONS = 1e-12, 10_000
# What an estimator keeps of the way to its fit.
ASIDE = frozenset({"t_", "n_iter_", "loss_", "best_loss_", "loss_curve_", "inertia_"})


def tight(estimator: Any) -> Any:
    """A copy that is not fitted yet and will stop late; of trees and naive Bayes a plain copy."""
    from sklearn.base import clone

    twin = clone(estimator)
    settings = twin.get_params(deep=False)
    if type(twin).__module__.startswith(EXACT):
        wanted = {"tol": TOLERANCE, "max_iter": ITERATIONS}
        twin.set_params(**{name: value for name, value in wanted.items() if name in settings})
        if settings.get("solver") == "lbfgs":
            twin.set_params(solver="newton-cholesky")
    return twin


def refitted(fitted: Pipeline, twin: Any, frame: pd.DataFrame, y: Target) -> Pipeline:
    """A pipeline with the first steps of `fitted` that ends in `twin`, fitted on `frame`.

    Parameters
    ----------
    fitted : Pipeline
    twin : estimator
        Not fitted yet.
    frame : DataFrame of shape (n_samples, n_columns)
    y : ndarray of shape (n_samples,)
        As the twin takes it: labels, or numbers.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.pipeline import Pipeline

    with warnings.catch_warnings():
        # A tolerance below rounding is never met.
        warnings.simplefilter("ignore", ConvergenceWarning)
        twin.fit(fitted[:-1].transform(frame), y)
    return Pipeline([*fitted.steps[:-1], (fitted.steps[-1][0], twin)])


def learned(estimator: Any, features: Sequence[str]) -> dict[str, float]:
    """The fractional numbers that an estimator has learned, by readable names.

    Axes that are as long as `features` are named by them, axes of length 1 are left out.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> sorted(learned(Ridge().fit([[0.0], [2.0]], [0.0, 1.0]), ["age"]))
    ['coef_[age]', 'intercept_']
    """
    found: dict[str, float] = {}
    for name, value in vars(estimator).items():
        if name.startswith("_") or not name.endswith("_") or name in ASIDE:
            continue
        layers = isinstance(value, list)
        for index, part in enumerate(value if layers else [value]):
            array = np.asarray(part) if isinstance(part, float | np.ndarray) else np.zeros(0, int)
            if array.dtype.kind == "f":
                found |= _named(f"{name}{index}" if layers else name, array, features)
    return found


def _named(name: str, array: Array, features: Sequence[str]) -> dict[str, float]:
    axes = [
        [""] if n == 1 and len(features) != 1 else features if n == len(features) else range(n)
        for n in array.shape
    ]
    names = [", ".join(str(part) for part in place if part != "") for place in product(*axes)]
    values = array.ravel().tolist()
    return {f"{name}[{n}]" if n else name: v for n, v in zip(names, values, strict=True)}
