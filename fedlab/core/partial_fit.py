"""scikit-learn estimators as named arrays: rebuilt from a name and plain settings, never unpickled.

Only classes of a short list are rebuilt, so what travels is the name of one of them, numbers and
text. What such an estimator learns by ``partial_fit`` are a few arrays of agreed shapes; everything
else that it keeps from one call to the next is made anew.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from fedlab.core.parameters import Array, Parameters
from fedlab.core.space import Target
from fedlab.errors import TrainingError

__all__ = ["ALLOWED", "Setting", "arrays_of", "blank", "describe", "put", "rebuild", "train"]

Setting = None | bool | int | float | str | tuple[int | float, ...]
MODULES = {
    "SGDClassifier": "linear_model",
    "Perceptron": "linear_model",
    "PassiveAggressiveClassifier": "linear_model",
    "MLPClassifier": "neural_network",
    "SGDRegressor": "linear_model",
    "PassiveAggressiveRegressor": "linear_model",
    "MLPRegressor": "neural_network",
}
ALLOWED = tuple(MODULES)
# How fast it computes and what it prints is the site's own business.
PRIVATE = ("n_jobs", "verbose", "warm_start")
LISTS = ("coefs_", "intercepts_")
PLAIN = ("coef_", "intercept_")
ONE_AT_A_TIME = threading.Lock()
# So short a step that no weight moves, while scikit-learn lays out its arrays.
NO_STEP = 1e-300


def _refuse(
    came: str, remedy: str = "Pass e.g. fl.SklearnModel(SGDClassifier())."
) -> TrainingError:
    return TrainingError(
        f"SklearnModel needs a scikit-learn estimator whose partial_fit moves plain arrays: "
        f"{', '.join(ALLOWED)}.",
        came,
        remedy,
    )


def describe(estimator: Any) -> tuple[str, dict[str, Setting]]:
    """Name and settings of an estimator, those left at their defaults left out.

    Raises
    ------
    TrainingError
        When it is none of `ALLOWED`, or has settings that partial_fit or averaging cannot keep.
    """
    kind = type(estimator)
    name = kind.__name__
    if isinstance(estimator, type):
        raise _refuse(f"the class {estimator.__name__}", "Pass an instance, with brackets.")
    if name not in MODULES or _class(name) is not kind:
        lacks = "" if hasattr(estimator, "partial_fit") else ", which has no partial_fit"
        raise _refuse(f"{name}{lacks}")
    usual = _made(kind, {}).get_params(deep=False)
    settings = {
        key: _plain(key, value)
        for key, value in estimator.get_params(deep=False).items()
        if key not in PRIVATE and not _same(value, usual[key])
    }
    check(name, settings)
    return name, settings


def _class(name: str) -> Any:
    return getattr(import_module(f"sklearn.{MODULES[name]}"), name, None)


def _made(kind: Any, settings: Mapping[str, Setting]) -> Any:
    # Filters of warnings belong to the whole process, and sites may compute at once.
    with ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return kind(**settings)


def _same(value: object, other: object) -> bool:
    return type(value) is type(other) and value == other


def _plain(key: str, value: object) -> Setting:
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or isinstance(plain, bool | int | float | str):
        return plain
    if isinstance(plain, list | tuple):
        numbers = tuple(each.item() if isinstance(each, np.generic) else each for each in plain)
        if all(isinstance(each, int | float) for each in numbers):
            return numbers
    raise TrainingError(
        "Settings of the estimator must be numbers, text or lists of numbers, to travel.",
        f"{key} of type {type(value).__name__}",
        "Pass e.g. random_state=0." if key == "random_state" else f"Leave {key} out.",
    )


def check(name: str, settings: Mapping[str, Setting]) -> None:
    """Raise TrainingError for what cannot be averaged or continued."""
    if name not in MODULES:
        raise _refuse(f"{name}")
    for key, reason in (
        ("average", "averages over steps are not carried from round to round"),
        ("early_stopping", "partial_fit holds no rows out"),
        ("class_weight", "partial_fit knows no weights of classes"),
    ):
        if settings.get(key):
            raise TrainingError(
                f"{name} must be trained without {key}: {reason}.",
                f"{key}={settings[key]!r}",
                f"Leave {key} out.",
            )
    if settings.get("solver") == "lbfgs":
        raise TrainingError(
            f"{name} must be trained by a solver that has partial_fit.",
            "solver='lbfgs'",
            "Pass solver='adam' or 'sgd'.",
        )


def rebuild(name: str, settings: Mapping[str, Setting]) -> Any:
    """The estimator as it was before fitting.

    Raises
    ------
    TrainingError
        When this version of scikit-learn does not have it, or not these settings.
    """
    check(name, settings)
    kind = _class(name)
    try:
        return _made(kind, settings)
    except TypeError:
        raise TrainingError(
            "All sites must have a version of scikit-learn that knows the estimator's settings.",
            f"{name} with {', '.join(sorted(settings))}",
            "Leave out what is new or gone.",
        ) from None


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
    """
    estimator = rebuild(name, settings)
    network = "hidden_layer_sizes" in estimator.get_params(deep=False)
    usual = estimator.get_params(deep=False)
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


def put(parameters: Mapping[str, Array], estimator: Any) -> Any:
    """Give the estimator copies of the arrays."""
    for name in PLAIN:
        if name in parameters:
            setattr(estimator, name, np.array(parameters[name]))
    for name in LISTS:
        if hasattr(estimator, name):
            layers = range(len(getattr(estimator, name)))
            setattr(estimator, name, [np.array(parameters[f"{name}{i}"]) for i in layers])
    return estimator


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
    """
    estimator.t_ += done * len(y)
    batch = estimator.get_params(deep=False).get("batch_size")
    if isinstance(batch, int) and batch > len(y):
        # A small site takes all its rows at once, as scikit-learn does with a warning.
        estimator.set_params(batch_size=len(y))
    for _ in range(epochs):
        estimator.set_params(random_state=int(random.integers(2**31)))
        estimator.partial_fit(x, y)
    return arrays_of(estimator)
