"""Which scikit-learn estimators may be rebuilt from what travels, and with which settings.

What crosses a boundary is the name of a class of a short list, with numbers and text. A site holds
both against this page whoever asks, so that no coordinator makes it run another class, start
threads or make room for a network that does not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np

from fedlab.errors import TrainingError

__all__ = [
    "ALLOWED",
    "NetworkTooLargeError",
    "Setting",
    "check_settings",
    "check_weights",
    "describe",
    "rebuild",
]

Setting = None | bool | int | float | str | tuple[int | float, ...]
MODULES = {
    "SGDClassifier": "linear_model",
    "Perceptron": "linear_model",
    "MLPClassifier": "neural_network",
    "SGDRegressor": "linear_model",
    "MLPRegressor": "neural_network",
}
ALLOWED = tuple(MODULES)
# How fast a site computes and what it prints is its own business.
PRIVATE = ("n_jobs", "verbose", "warm_start")
MOST_LAYERS, MOST_UNITS = 8, 4096
# 80 MB as float64: an update of that size still fits into a message.
MOST_WEIGHTS = 10_000_000
# Estimators that learn something other than arrays to average, and what does the same.
INSTEAD = {
    "BernoulliNB": "fl.BernoulliNB()",
    "CategoricalNB": "fl.BernoulliNB(), which takes categories as indicators",
    "ComplementNB": "fl.GaussianNB() or fl.BernoulliNB()",
    "CoxPHSurvivalAnalysis": "fl.CoxRegression(grid=...)",
    "GaussianNB": "fl.GaussianNB()",
    "GradientBoostingClassifier": "fl.GradientBoostingClassifier()",
    "GradientBoostingRegressor": "fl.GradientBoostingRegressor()",
    "HistGradientBoostingClassifier": "fl.GradientBoostingClassifier()",
    "HistGradientBoostingRegressor": "fl.GradientBoostingRegressor()",
    "IncrementalPCA": "fl.PCA()",
    "KMeans": "fl.KMeans()",
    "LinearRegression": "fl.LinearRegression()",
    "LinearSVC": "fl.SVC(kernel='linear')",
    "LogisticRegression": "fl.LogisticRegression()",
    "MiniBatchKMeans": "fl.KMeans()",
    "MultinomialNB": "fl.GaussianNB() or fl.BernoulliNB()",
    "PCA": "fl.PCA()",
    "PassiveAggressiveClassifier": "fl.SklearnModel(SGDClassifier(loss='hinge', penalty=None, "
    "learning_rate='pa1', eta0=1.0))",
    "PassiveAggressiveRegressor": "fl.SklearnModel(SGDRegressor(loss='epsilon_insensitive', "
    "penalty=None, learning_rate='pa1', eta0=1.0))",
    "PoissonRegressor": "fl.PoissonRegression()",
    "RandomForestClassifier": "fl.RandomForestClassifier()",
    "RandomForestRegressor": "fl.RandomForestRegressor()",
    "Ridge": "fl.Ridge()",
    "SVC": "fl.SVC()",
}


class NetworkTooLargeError(TrainingError):
    """A network with more layers, units or weights than a site makes room for.

    Of an error at a site the name alone leaves it, so the name says it all.
    """


def describe(estimator: Any) -> tuple[str, dict[str, Setting]]:
    """Name and settings of an estimator, those left at their defaults left out.

    Raises
    ------
    TrainingError
        When it is none of `ALLOWED`, or has settings that partial_fit or averaging cannot keep.
    """
    kind = type(estimator)
    if kind.__name__ not in MODULES or _class(kind.__name__) is not kind:
        raise _refusal_of(estimator)
    name, usual = kind.__name__, kind().get_params(deep=False)
    settings = {
        key: _plain(key, value)
        for key, value in estimator.get_params(deep=False).items()
        if key not in PRIVATE and not _same(value, usual[key])
    }
    check_settings(name, settings)
    return name, settings


def _refusal_of(estimator: Any) -> TrainingError:
    kind = type(estimator)
    name, remedy = kind.__name__, "Pass e.g. fl.SklearnModel(SGDClassifier())."
    bare = name if hasattr(estimator, "partial_fit") else f"{name}, which has no partial_fit"
    if isinstance(estimator, type):
        came = f"the class {estimator.__name__}"
        remedy = f"Pass an instance: {estimator.__name__}()."
    elif hasattr(estimator, "steps"):
        came = f"a {name} of several steps"
        remedy = "Pass its last step alone; scaling and filling is fl.Preprocess()'s."
    elif kind.__module__.startswith(("sklearn.", "sksurv.")) and name in INSTEAD:
        came = bare
        remedy = f"Use {INSTEAD[name]}."
    elif hasattr(estimator, "estimator") or hasattr(estimator, "estimators"):
        came = f"{name}, which is made of other estimators"
    elif inherited := [each.__name__ for each in kind.__mro__[1:] if each.__name__ in MODULES]:
        came = f"{name}, a subclass of {inherited[0]} that sites do not know"
        remedy = f"Pass {inherited[0]} itself."
    elif name in MODULES:
        came = f"a {name} that is not scikit-learn's"
    else:
        came = bare
    return _refusal(came, remedy)


def _refusal(came: str, remedy: str) -> TrainingError:
    listed = ", ".join(ALLOWED)
    return TrainingError(
        f"SklearnModel needs a scikit-learn estimator whose partial_fit moves arrays: {listed}.",
        came,
        remedy,
    )


def _class(name: str) -> Any:
    return getattr(import_module(f"sklearn.{MODULES[name]}"), name, None)


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


def check_settings(name: str, settings: Mapping[str, Setting]) -> None:
    """Raise TrainingError for a class or settings that sites do not take.

    Raises
    ------
    NetworkTooLargeError
        For more hidden layers or units than are allowed.
    TrainingError
        For what cannot be averaged, continued, or is the site's own to say.
    """
    if name not in MODULES:
        raise _refusal(f"{name!r}", "Pass e.g. fl.SklearnModel(SGDClassifier()).")
    adaptive = settings.get("learning_rate") == "adaptive"
    for key, refused, reason in (
        ("average", bool(settings.get("average")), "averages over steps stay at no site"),
        ("early_stopping", bool(settings.get("early_stopping")), "partial_fit holds no rows out"),
        ("class_weight", bool(settings.get("class_weight")), "partial_fit has no class weights"),
        ("learning_rate", adaptive, "partial_fit does not see whether it still improves"),
        ("solver", settings.get("solver") == "lbfgs", "lbfgs has no partial_fit"),
        *((key, key in settings, "that is the site's own to say") for key in PRIVATE),
    ):
        if refused:
            raise TrainingError(
                f"{name} must be trained without {key}={settings[key]!r}: {reason}.",
                f"{key}={settings[key]!r}",
                f"Leave {key} out.",
            )
    _check_layers(settings.get("hidden_layer_sizes", ()))


def _check_layers(sizes: Setting) -> None:
    layers = sizes if isinstance(sizes, tuple) else (sizes,)
    if not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in layers):
        raise TrainingError(
            "hidden_layer_sizes must be whole numbers of at least 1.",
            f"{sizes!r}",
            "Pass e.g. hidden_layer_sizes=(32,).",
        )
    if len(layers) > MOST_LAYERS or any(int(n or 0) > MOST_UNITS for n in layers):
        raise NetworkTooLargeError(
            f"A network may have {MOST_LAYERS} hidden layers of {MOST_UNITS} units each.",
            f"{len(layers)} layers, the largest of {max(int(n or 0) for n in layers)} units",
            "Pass fewer or smaller layers.",
        )


def check_weights(hidden: Sequence[int], n_features: int, n_outputs: int) -> None:
    """Raise NetworkTooLargeError where the arrays would hold more numbers than are allowed.

    Examples
    --------
    >>> check_weights((100, 100), n_features=30, n_outputs=1)
    """
    widths = [n_features, *hidden, n_outputs]
    weights = sum((one + 1) * other for one, other in pairwise(widths))
    if weights > MOST_WEIGHTS:
        raise NetworkTooLargeError(
            f"A model may have {MOST_WEIGHTS:,} weights.",
            f"{weights:,} for {n_features} columns",
            "Pass fewer or smaller layers.",
        )


def rebuild(name: str, settings: Mapping[str, Setting]) -> Any:
    """The estimator as it was before fitting.

    Raises
    ------
    TrainingError
        When it is not allowed, or this version of scikit-learn does not know its settings.
    """
    check_settings(name, settings)
    try:
        return _class(name)(**settings)
    except TypeError:
        raise TrainingError(
            "All sites must have a version of scikit-learn that knows the estimator's settings.",
            f"{name} with {', '.join(sorted(settings))}",
            "Leave out what is new or gone.",
        ) from None
