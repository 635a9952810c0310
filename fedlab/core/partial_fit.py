"""What scikit-learn estimators learn by ``partial_fit``, as named arrays.

It is a few arrays of agreed shapes; everything else that such an estimator keeps from one call to
the next is made anew. Estimators are rebuilt from name and settings, never unpickled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fedlab.core.allowed import Setting, check_weights, rebuild
from fedlab.core.parameters import Array, Parameters
from fedlab.core.space import Target
from fedlab.errors import TrainingError

__all__ = ["DivergedError", "arrays_of", "blank", "put", "steps_of_a_pass", "train"]

LISTS = ("coefs_", "intercepts_")
PLAIN = ("coef_", "intercept_")
# So short a step that no weight moves, while scikit-learn lays out its arrays.
NO_STEP = 1e-300


class DivergedError(TrainingError):
    """Steps at a site that went past the largest number.

    Of an error at a site the name alone leaves it, so the name says it all.
    """


def blank(
    name: str, settings: Mapping[str, Setting], n_features: int, labels: Sequence[Any]
) -> Any:
    """The estimator with arrays of the right shapes, as before its first step.

    scikit-learn lays them out itself, on made-up rows of zeros. Linear models start at zero; a
    network as scikit-learn draws it from ``random_state``, or from 0 where there is none, so that
    all sites start alike.

    Parameters
    ----------
    name, settings
        As `describe` has them.
    n_features : int
    labels : sequence
        The classes, or nothing for a regressor.

    Raises
    ------
    NetworkTooLargeError
        Before any room is made for it.
    TrainingError
        When the estimator is not allowed, or scikit-learn cannot train it with these settings.
    """
    estimator = rebuild(name, settings)
    usual = estimator.get_params(deep=False)
    network = "hidden_layer_sizes" in usual
    hidden = usual.get("hidden_layer_sizes", ())
    layers = hidden if isinstance(hidden, Sequence) else (hidden,)
    check_weights(layers, n_features, max(len(labels), 1))
    seed = usual["random_state"]
    estimator.set_params(random_state=0 if seed is None else seed)
    if network:
        estimator.set_params(learning_rate_init=NO_STEP, batch_size="auto")
    try:
        if len(labels):
            rows = np.zeros((len(labels), n_features))
            estimator.partial_fit(rows, np.array(labels), classes=np.sort(np.array(labels)))
        else:
            estimator.partial_fit(np.zeros((2, n_features)), np.array([0.0, 1.0]))
    # scikit-learn says in its own words which setting is out of its range.
    except ValueError as error:
        raise TrainingError(
            f"scikit-learn must be able to train {name}.", f"{error}", "Correct the setting."
        ) from None
    estimator.set_params(**usual)
    # What it keeps of the made-up rows, and makes anew when it is trained.
    for kept in ("_optimizer", "_random_state", "_loss_function_", "loss_"):
        if hasattr(estimator, kept):
            delattr(estimator, kept)
    if network:
        estimator.loss_curve_, estimator._no_improvement_count = [], 0
        estimator.best_loss_, estimator.t_ = np.inf, 0
    else:
        estimator.coef_ = np.zeros_like(estimator.coef_)
        estimator.intercept_ = np.zeros_like(estimator.intercept_)
        estimator.t_ = 1.0
    return estimator


def arrays_of(estimator: Any) -> Parameters:
    """What the estimator has learned, by the names of its attributes."""
    found: dict[str, Array] = {}
    for name in PLAIN:
        if hasattr(estimator, name):
            found[name] = getattr(estimator, name)
    for name in LISTS:
        for layer, array in enumerate(getattr(estimator, name, [])):
            found[f"{name}{layer}"] = array
    return Parameters(found)


def put(parameters: Parameters, estimator: Any) -> Any:
    """Give a `blank` estimator copies of the arrays.

    Raises
    ------
    TrainingError
        When they have other names or shapes than its own, or are not finite.
    """
    if not parameters.fits(arrays_of(estimator)):
        raise TrainingError(
            "Parameters must have the names and shapes of the estimator's arrays.",
            f"others for {type(estimator).__name__}",
            "Check that both sides run the same version of fedlab and of scikit-learn.",
        )
    for name in PLAIN:
        if name in parameters:
            setattr(estimator, name, np.array(parameters[name]))
    for name in LISTS:
        if hasattr(estimator, name):
            layers = range(len(getattr(estimator, name)))
            setattr(estimator, name, [np.array(parameters[f"{name}{i}"]) for i in layers])
    return estimator


def steps_of_a_pass(settings: Mapping[str, Setting], n_rows: int, *, network: bool) -> int:
    """Gradient steps that one pass over `n_rows` rows takes.

    Examples
    --------
    >>> steps_of_a_pass({}, 450, network=True), steps_of_a_pass({}, 450, network=False)
    (3, 450)
    """
    if not network:
        return n_rows
    batch = settings.get("batch_size")
    return math.ceil(n_rows / min(batch if isinstance(batch, int) else 200, n_rows))


def train(
    estimator: Any, x: Array, y: Target, *, epochs: int, done: int, random: np.random.Generator
) -> Parameters:
    """Passes of ``partial_fit`` over the rows, in an order that `random` decides.

    Parameters
    ----------
    estimator : estimator
        A `blank` one with the parameters to start from.
    x : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    epochs : int
    done : int
        Passes that were made before, on which learning rates that fall depend.
    random : Generator

    Raises
    ------
    DivergedError
        When the steps are too long.
    """
    estimator.t_ += done * len(y)
    batch = estimator.get_params(deep=False).get("batch_size")
    if isinstance(batch, int) and batch > len(y):
        # A small site takes all its rows at once, as scikit-learn does with a warning.
        estimator.set_params(batch_size=len(y))
    for _ in range(epochs):
        estimator.set_params(random_state=int(random.integers(2**31)))
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                estimator.partial_fit(x, y)
        except ValueError as error:
            if "overflow" in str(error) or "non-finite" in str(error):
                raise DivergedError(
                    "Passes over the rows must stay finite.",
                    f"an overflow in {type(estimator).__name__}",
                    "Lower its learning rate, or let numbers be scaled.",
                ) from None
            raise
    return arrays_of(estimator)
