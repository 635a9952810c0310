"""Any scikit-learn estimator that learns plain arrays by ``partial_fit``, as a model to average."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd
from scipy.special import expit, softmax

from fedlab.core.allowed import Setting, check_settings, describe, rebuild
from fedlab.core.estimator import as_pipeline
from fedlab.core.linear import needs_numbers
from fedlab.core.model import Classifier, Model
from fedlab.core.parameters import Array, Parameters
from fedlab.core.partial_fit import arrays_of, blank, put, steps_of_a_pass, train
from fedlab.core.schema import Schema
from fedlab.core.space import Space, Target
from fedlab.core.trees.regression import Regressor
from fedlab.core.twins import refitted
from fedlab.errors import TrainingError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["PartialFitted", "SklearnClassifier", "SklearnModel", "SklearnRegressor"]


class PartialFitted(Model):
    """What models have in common that are scikit-learn estimators with ``partial_fit``.

    Attributes
    ----------
    name : str
        The estimator's class in scikit-learn, one of a short list.
    settings : dict of str to plain values
        Its arguments, those left at their defaults left out.
    """

    __slots__ = ()

    name: str
    settings: dict[str, Setting]

    def start(self, space: Space) -> Any:
        """The estimator before its first step, with classes numbered as in the schema."""
        labels = range(len(space.schema.classes)) if self.reads == "classes" else ()
        return blank(self.name, self.settings, len(space.names), labels)

    def steps(self, n_rows: int, epochs: int) -> int:
        """Gradient steps that `epochs` passes over `n_rows` rows take."""
        network = self.name.startswith("MLP")
        return epochs * steps_of_a_pass(self.settings, n_rows, network=network)

    def init(self, space: Space) -> Parameters:
        """Zeros, or the weights that scikit-learn draws for a network from ``random_state``."""
        return arrays_of(self.start(space))

    def train(
        self,
        parameters: Parameters,
        x: Array,
        y: Target,
        space: Space,
        *,
        epochs: int,
        done: int,
        random: np.random.Generator,
    ) -> Parameters:
        """The parameters after `epochs` passes over the rows, `done` passes having been made."""
        estimator = put(parameters, self.start(space))
        return train(estimator, x, y, epochs=epochs, done=done, random=random)

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Pipeline:
        """A pipeline that ends in the scikit-learn estimator."""
        classes = space.schema.classes if self.reads == "classes" else ()
        final = blank(self.name, self.settings, len(space.names), classes)
        put(_sorted(parameters, np.argsort(classes)) if classes else parameters, final)
        final.n_iter_ = n_iter
        final.t_ += n_iter * n_samples
        return as_pipeline(space, final, n_samples=n_samples)

    def pooled_twin(self, fitted: Any, frame: pd.DataFrame, y: Target) -> Any:
        """The same estimator by its own ``fit``, which stops where its settings say."""
        return refitted(fitted, rebuild(self.name, self.settings), frame, y)

    def _rebuilt(self, parameters: Parameters) -> Any:
        first, last = _layers(parameters)
        n_outputs = max(2, last[-1]) if self.reads == "classes" else 0
        estimator = blank(self.name, self.settings, first[0], range(n_outputs))
        return put(parameters, estimator)


class SklearnClassifier(
    PartialFitted, Classifier, msgspec.Struct, frozen=True, tag=True, kw_only=True
):
    """A scikit-learn classifier with ``partial_fit``; made by `SklearnModel`."""

    name: str
    settings: dict[str, Setting] = {}

    def __post_init__(self) -> None:
        check_settings(self.name, self.settings)

    def check(self, schema: Schema) -> None:
        """Raise TrainingError unless the target has at least two classes over all sites."""
        if len(schema.classes) < 2:
            raise TrainingError(
                f"{self.name} needs a target with classes.",
                f"{len(schema.classes)} in {schema.target!r}",
                "Choose another target, or a regressor such as SGDRegressor().",
            )

    def scores(self, parameters: Parameters, x: Array) -> Array:
        """Probabilities, or the logistic or softmax of the margins where there are none."""
        estimator = self._rebuilt(parameters)
        # Huber's probabilities are cut at 0 and 1, where they would no longer rank.
        if hasattr(estimator, "predict_proba") and self.settings.get("loss") != "modified_huber":
            probabilities: Array = estimator.predict_proba(x)
            return probabilities
        margins: Array = estimator.decision_function(x)
        if margins.ndim == 1:
            second: Array = expit(margins)
            return np.column_stack([1 - second, second])
        shares: Array = softmax(margins, axis=1)
        return shares


class SklearnRegressor(
    PartialFitted, Regressor, msgspec.Struct, frozen=True, tag=True, kw_only=True
):
    """A scikit-learn regressor with ``partial_fit``; made by `SklearnModel`."""

    name: str
    settings: dict[str, Setting] = {}

    def __post_init__(self) -> None:
        check_settings(self.name, self.settings)

    def check(self, schema: Schema) -> None:
        """Raise TrainingError unless the target holds numbers."""
        needs_numbers(self, schema)

    def predict(self, parameters: Parameters, x: Array) -> Array:
        """What the estimator predicts."""
        predicted: Array = self._rebuilt(parameters).predict(x)
        return predicted


def SklearnModel(estimator: Any) -> SklearnClassifier | SklearnRegressor:  # noqa: N802
    """A model of a scikit-learn estimator that learns plain arrays by ``partial_fit``.

    Each site trains it from the common arrays by passes of ``partial_fit`` over its own rows, and
    an averaging strategy joins what they send, as McMahan et al. 2017 average networks. Sites take
    the passes of ``local_epochs``; learning rate and batch size are the estimator's own.

    The arrays (``coef_`` and ``intercept_``, or ``coefs_0``, ``intercepts_0``, …) are all that
    travels, beside the name of the class and its arguments. A network's optimiser begins each round
    afresh: its momenta stay at no site. Learning rates that fall go on falling, with the passes
    over a site's own rows. The order of rows follows from seed, round and site, so `random_state`
    decides no more than the weights that a network starts from.

    Every strategy that averages will do, with any aggregator: FedAvg, FedAvgM, FedNova (for plain
    stochastic descent, whose steps it counts), FedAdagrad, FedAdam, FedYogi and FineTuning. Those
    that need gradients of a loss, as FedProx, SCAFFOLD, Ditto, FedSGD and FedNewton, are refused.

    A site rebuilds scikit-learn's own class from a short list of names and from plain settings,
    and nothing that arrives is executed. It makes no room for more than 8 hidden layers, 4,096
    units in one, or ten million weights.

    Parameters
    ----------
    estimator : SGDClassifier, Perceptron, MLPClassifier, SGDRegressor or MLPRegressor
        Its arguments count; what it may have learned already does not.

    Returns
    -------
    SklearnClassifier or SklearnRegressor

    Raises
    ------
    TrainingError
        For another estimator, or settings under which partial_fit keeps more than arrays.

    Examples
    --------
    >>> from sklearn.linear_model import SGDClassifier
    >>> SklearnModel(SGDClassifier(loss="log_loss"))
    SklearnClassifier(name='SGDClassifier', settings={'loss': 'log_loss'})
    """
    name, settings = describe(estimator)
    if name.endswith("Classifier") or name == "Perceptron":
        return SklearnClassifier(name=name, settings=settings)
    return SklearnRegressor(name=name, settings=settings)


def _layers(parameters: Parameters) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shapes as ``(n_features, …)`` of the first weights, and ``(…, n_outputs)`` of the last."""
    if "coef_" in parameters:
        n_outputs, n_features = np.atleast_2d(parameters["coef_"]).shape
        return (n_features,), (n_outputs,)
    weights = [parameters[name].shape for name in parameters if name.startswith("coefs_")]
    return weights[0], weights[-1]


def _sorted(parameters: Parameters, order: Any) -> Parameters:
    """Arrays of classes in the schema's order as scikit-learn has them, which sorts classes."""
    if "coef_" in parameters:
        last, axis = ("coef_", "intercept_"), 0
    else:
        depth = sum(name.startswith("coefs_") for name in parameters) - 1
        last, axis = (f"coefs_{depth}", f"intercepts_{depth}"), -1
    moved = dict(parameters)
    for name in last:
        array = parameters[name]
        if len(order) > 2:
            moved[name] = np.take(array, order, axis=axis)
        elif order[0] == 1:
            # One output speaks for the second class, which has become the first.
            moved[name] = -array
    return Parameters(moved)
