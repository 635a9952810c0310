"""Gradient inversion: one site's update of one step on one record gives the record away.

Zhu, Liu and Han 2019, "Deep leakage from gradients", arXiv 1906.08935, search for a record that
would explain a gradient. Where the first thing a model does to a record is linear, nothing has to
be searched (Phong, Aono, Hayashi, Wang and Moriai 2018, "Privacy-preserving deep learning via
additively homomorphic encryption", IEEE Transactions on Information Forensics and Security 13(5),
section III): the gradient by the weights is the record times the gradient by the intercept, so
their ratio is the record.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fedlab.core.model import Model
from fedlab.core.parameters import Array, Parameters
from fedlab.core.sklearn_model import PartialFitted
from fedlab.errors import TrainingError
from fedlab.queries import LocalFit, PartialFit, Query

__all__ = ["check_invertible", "invert"]

# Where nothing at all came through there is no ratio, and the guess is the mean of the features.
NOTHING = 1e-300


def invert(query: Query, update: Parameters) -> tuple[Array, int | None]:
    """The scaled features of the record that explains `update`, and its class.

    What the adversary needs is what a coordinator has: the question it asked, with parameters,
    penalty and learning rate in it, and what came back. A record that wakes no unit of a network's
    first layer leaves no trace in it, and is guessed to be the mean.

    Parameters
    ----------
    query : LocalFit or PartialFit
        A step from its parameters on one record.
    update : Parameters
        Parameters after it minus those before.

    Returns
    -------
    x : ndarray of shape (n_features,)
        In units of the scaled features.
    label : int or None
        Index of the class; None where a network has hidden layers, or the model has no classes.

    Raises
    ------
    TrainingError
        When the update is not of a kind whose first layer can be read.

    Examples
    --------
    An update of a logistic regression from zeros on the record ``(2, -1)`` of class 1:

    >>> from fedlab.core.logistic import LogisticRegression
    >>> from fedlab.core.schema import Column, Schema
    >>> from fedlab.core.space import unscaled
    >>> schema = Schema((Column("a", "number"), Column("b", "number")), "died", (0, 1))
    >>> model, space = LogisticRegression(), unscaled(schema)
    >>> start = model.init(space)
    >>> query = LocalFit(model=model, space=space, parameters=start, penalty=0.0, learning_rate=0.1)
    >>> x, y = np.array([[2.0, -1.0]]), np.array([1])
    >>> invert(query, -0.1 * model.gradient(start, x, y))
    (array([ 2., -1.]), 1)
    """
    if isinstance(query, LocalFit):
        weights, intercepts = _linear(query, update)
        return _ratio(weights, intercepts), _label(intercepts, query)
    if isinstance(query, PartialFit):
        check_invertible(query.model)
        weights, intercepts = _first_layer(query, update)
        return _ratio(weights, intercepts), None
    raise TrainingError(
        "Only a step on one record can be turned back.",
        type(query).__name__,
        "Attack fl.FedAvg with a linear model or a network.",
    )


def _linear(query: LocalFit, update: Parameters) -> tuple[Array, Array]:
    """Gradients by coefficients ``(n_outputs, n_features)`` and by intercepts ``(n_outputs,)``."""
    gradient = (-1 / query.learning_rate) * update
    gradient = gradient - query.penalty * query.model.penalised(query.parameters)
    return np.atleast_2d(gradient["coef"]), np.atleast_1d(gradient["intercept"])


def _first_layer(query: PartialFit, update: Parameters) -> tuple[Array, Array]:
    start, settings = query.parameters, _settings(query.model)
    # scikit-learn's first step is the gradient times a length; Nesterov's adds the momentum once.
    length = settings["learning_rate_init"]
    if settings["nesterovs_momentum"]:
        length *= 1 + settings["momentum"]
    weights = -update["coefs_0"].T / length - settings["alpha"] * start["coefs_0"].T
    return weights, -update["intercepts_0"] / length


def _ratio(weights: Array, intercepts: Array) -> Array:
    # Any output with a gradient tells all; the largest is the least rounded.
    best = int(np.abs(intercepts).argmax())
    if abs(intercepts[best]) < NOTHING:
        return np.zeros(weights.shape[1])
    return np.asarray(weights[best] / intercepts[best], dtype=np.float64)


def _label(intercepts: Array, query: LocalFit) -> int | None:
    if query.model.reads != "classes":
        return None
    # The slope of a class is its probability, less one for the class that came.
    return int(intercepts[0] < 0) if len(intercepts) == 1 else int(intercepts.argmin())


def _settings(model: PartialFitted) -> dict[str, Any]:
    from fedlab.core.allowed import rebuild

    settings: dict[str, Any] = rebuild(model.name, model.settings).get_params()
    return settings


def check_invertible(model: Model) -> None:
    """Raise TrainingError unless one step of `model` on one record can be read."""
    linear = hasattr(model, "slopes_at") and model.reads in ("classes", "numbers")
    if linear:
        return
    if isinstance(model, PartialFitted) and model.name.startswith("MLP"):
        solver = _settings(model)["solver"]
        if solver == "sgd":
            return
        raise TrainingError(
            "Turning back a network's step needs steps along the gradient.",
            f"solver={solver!r}, whose first step keeps little more than signs",
            "Pass e.g. fl.SklearnModel(MLPClassifier(solver='sgd')).",
        )
    raise TrainingError(
        "Gradient inversion needs a model whose first layer is linear.",
        type(model).__name__,
        "Pass e.g. fl.LogisticRegression().",
    )
