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

__all__ = ["ITERATIONS", "final_of", "judged", "learned", "refitted", "tight"]

# Of these families the optimum is what counts, and not where an iteration stopped.
EXACT = ("sklearn.linear_model", "sklearn.svm", "sklearn.cluster")
TOLERANCE, ITERATIONS = 1e-12, 10_000
# A line for each weight of a large layer is a table that nobody reads.
MOST_NUMBERS = 100_000
# What an estimator keeps of the way to its fit.
ASIDE = frozenset({"t_", "n_iter_", "loss_", "best_loss_", "loss_curve_", "inertia_", "oob_score_"})


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
    from scipy.linalg import LinAlgWarning
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.pipeline import Pipeline

    with warnings.catch_warnings():
        # A tolerance below rounding is never met.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Columns that say the same, without a penalty: it goes on with another solver.
        warnings.simplefilter("ignore", LinAlgWarning)
        twin.fit(fitted[:-1].transform(frame), y)
    return Pipeline([*fitted.steps[:-1], (fitted.steps[-1][0], twin)])


def final_of(fitted: Any) -> Any:
    """The last step of a pipeline; another estimator is its own."""
    return fitted[-1] if hasattr(fitted, "steps") else fitted


def learned(estimator: Any, features: Sequence[str]) -> dict[str, float]:
    """The fractional numbers that an estimator has learned, by readable names.

    Axes as long as there are `features`, or classes, are named by them; axes of length 1 are left
    out, and others are counted. Arrays of more than 100,000 numbers are passed over.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> sorted(learned(Ridge().fit([[0.0], [2.0]], [0.0, 1.0]), ["age"]))
    ['coef_[age]', 'intercept_']
    """
    found: dict[str, float] = {}
    classes = [str(label) for label in getattr(estimator, "classes_", ())]
    for name, value in vars(estimator).items():
        if name.startswith("_") or not name.endswith("_") or name in ASIDE:
            continue
        layers = isinstance(value, list)
        # Weights of a network go from columns to classes, those of all others the other way.
        across = [features, classes] if layers else [classes, features]
        for index, part in enumerate(value if layers else [value]):
            array = np.asarray(part) if isinstance(part, float | np.ndarray) else np.zeros(0, int)
            if array.dtype.kind == "f" and array.size <= MOST_NUMBERS:
                found |= _named(f"{name}{index}" if layers else name, array, across)
    return found


def _named(name: str, array: Array, across: Sequence[Sequence[str]]) -> dict[str, float]:
    axes: list[Sequence[object]] = []
    for place, n in enumerate(array.shape):
        # Of two axes the first is looked up first in what comes first.
        known = across if place == 0 and array.ndim == 2 else across[::-1]
        fitting = [each for each in known if len(each) == n]
        axes.append(fitting[0] if fitting else [""] if n == 1 else range(n))
    names = [", ".join(str(part) for part in place if part != "") for place in product(*axes)]
    values = array.ravel().tolist()
    return {f"{name}[{n}]" if n else name: v for n, v in zip(names, values, strict=True)}


def judged(
    fitted: Any, frame: pd.DataFrame, y: Target, positive: object = None
) -> dict[str, float]:
    """Figures of merit of a fitted estimator on rows, as scikit-learn computes them.

    Parameters
    ----------
    fitted : estimator
    frame : DataFrame of shape (n_samples, n_columns)
    y : ndarray of shape (n_samples,)
        Labels or numbers; not looked at where the estimator takes no target.
    positive : label, optional
        Of two classes the one that F1 is about; otherwise it is the mean over all classes.

    Returns
    -------
    dict of str to float
        A figure that these rows leave undefined is NaN.
    """
    from sklearn.base import is_classifier, is_regressor
    from sklearn.metrics import mean_squared_error, r2_score

    if is_classifier(fitted):
        return _classified(fitted, frame, y, positive)
    final = final_of(fitted)
    if hasattr(final, "components_"):
        centred = fitted[:-1].transform(frame) - final.mean_
        left = centred - centred @ final.components_.T @ final.components_
        return {"explained_variance_ratio": float(1 - (left**2).sum() / (centred**2).sum())}
    if is_regressor(fitted):
        predicted = fitted.predict(frame)
        figures = {
            "r2": float(r2_score(y, predicted)) if len(y) > 1 else float("nan"),
            "mean_squared_error": float(mean_squared_error(y, predicted)),
        }
        if type(final).__name__ == "PoissonRegressor":
            figures["d2"] = float(fitted.score(frame, y)) if len(y) > 1 else float("nan")
        return figures
    score = float(fitted.score(frame))
    if hasattr(final, "cluster_centers_"):
        return {"inertia_per_row": -score / len(frame)}
    return {"concordance": score}


def _classified(fitted: Any, frame: pd.DataFrame, y: Target, positive: object) -> dict[str, float]:
    from sklearn.metrics import f1_score, log_loss, roc_auc_score

    said = fitted.predict(frame)
    present = np.unique(y)
    recalls = [float((said[y == label] == label).mean()) for label in present]
    figures = {
        "accuracy": float((said == y).mean()),
        "balanced_accuracy": float(np.mean(recalls)),
    }
    if positive is None:
        figures["f1_macro"] = float(f1_score(y, said, average="macro", zero_division=0))
    else:
        figures["f1"] = float(f1_score(y == positive, said == positive, zero_division=0))
    classes = list(fitted.classes_)
    probable = fitted.predict_proba(frame) if hasattr(fitted, "predict_proba") else None
    if positive is not None:
        figures["auc"] = float("nan")
        if len(present) == 2 and len(classes) == 2:
            ranks = fitted.decision_function(frame) if probable is None else probable[:, 1]
            figures["auc"] = float(roc_auc_score(y == classes[1], ranks))
    if probable is not None and set(present) <= set(classes) and len(classes) > 1:
        # It takes columns in the order of sorted labels, whatever order it is given.
        order = np.argsort(classes)
        figures["log_loss"] = float(log_loss(y, probable[:, order], labels=np.sort(classes)))
    return figures
