"""What an exported model gives, by kind of its last step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from fedlab.core.cox_estimator import CoxEstimator

    Fitted: TypeAlias = Pipeline | CoxEstimator

__all__ = [
    "OUTPUTS",
    "WITHOUT_TARGET",
    "Output",
    "classes_of",
    "final_of",
    "grown",
    "outputs_of",
    "refuses_gaps",
]

Output = Literal[
    "label",
    "probabilities",
    "scores",
    "variable",
    "distances",
    "components",
    "log_hazard",
    "survival",
    "times",
]
"""A value that a graph gives for each row (``times``: for all rows together).

* ``label``, ``(n_samples,)``: the class, or the number of the nearest cluster.
* ``probabilities``, ``(n_samples, n_classes)``.
* ``scores``, ``(n_samples, n_classes)``, or ``(n_samples, 1)`` for two classes: distances from the
  boundary that rank, and are no probabilities.
* ``variable``, ``(n_samples, 1)``: the predicted number.
* ``distances``, ``(n_samples, n_clusters)``: to the centres, in the scaled space.
* ``components``, ``(n_samples, n_components)``.
* ``log_hazard``, ``(n_samples, 1)``: log hazard ratio against a row of all means.
* ``survival``, ``(n_samples, n_times)``: probability of no event until each of ``times``.
"""
OUTPUTS: dict[str, tuple[Output, ...]] = {
    "probabilities": ("label", "probabilities"),
    "scores": ("label", "scores"),
    "number": ("variable",),
    "clusters": ("label", "distances"),
    "components": ("components",),
    "survival": ("log_hazard", "survival", "times"),
}
"""The outputs that occur together, in the order in which a graph has them."""
WITHOUT_TARGET = (OUTPUTS["clusters"], OUTPUTS["components"])
"""Outputs of models that read no target."""
TREES = (
    "RandomForestClassifier",
    "RandomForestRegressor",
    "HistGradientBoostingClassifier",
    "HistGradientBoostingRegressor",
)


def final_of(model: Fitted) -> Any:
    """The last step of a pipeline, or what stands for itself."""
    return model.steps[-1][1] if hasattr(model, "steps") else model


def outputs_of(model: Fitted) -> tuple[Output, ...]:
    """What a graph of the model gives.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression, Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> outputs_of(make_pipeline(LogisticRegression())), outputs_of(make_pipeline(Ridge()))
    (('label', 'probabilities'), ('variable',))
    """
    from sklearn.base import is_classifier, is_clusterer

    final = final_of(model)
    if hasattr(final, "predict_survival_function"):
        return OUTPUTS["survival"]
    if is_classifier(final):
        return OUTPUTS["probabilities" if hasattr(final, "predict_proba") else "scores"]
    if is_clusterer(final):
        return OUTPUTS["clusters"]
    return OUTPUTS["number" if hasattr(final, "predict") else "components"]


def classes_of(model: Fitted) -> tuple[Any, ...]:
    """The classes in the order of the columns of probabilities or scores; none without."""
    classes = getattr(final_of(model), "classes_", None)
    return () if classes is None else tuple(np.asarray(classes).tolist())


def grown(model: Fitted) -> bool:
    """Whether it consists of trees."""
    return type(final_of(model)).__name__ in TREES


def refuses_gaps(model: Fitted, keeps_missing: bool) -> bool:
    """Whether a missing number has no answer, in a space that leaves it missing or does not."""
    return keeps_missing and not grown(model)
