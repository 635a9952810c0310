"""Graphs of linear models, networks and the random features before them.

Each step takes a graph, the name of its matrix of rows and a fitted scikit-learn estimator, and
computes what that computes, in its order of operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fedlab.core.graphs import Graph

__all__ = ["LINEAR_STEPS", "affine", "two_columns"]


def affine(graph: Graph, x: str, weights: Any, offset: Any) -> str:
    """``x @ weights + offset``, weights of shape ``(n_features, n_outputs)``."""
    product = graph.add("MatMul", x, graph.constant(weights))
    return graph.add("Add", product, graph.constant(np.reshape(offset, (1, -1))))


def two_columns(graph: Graph, second: str) -> str:
    """Probabilities of two classes from that of the second, ``(n_samples, 1)``."""
    first = graph.add("Sub", graph.constant([[1.0]]), second)
    return graph.add("Concat", first, second, axis=1)


def _scores(graph: Graph, x: str, final: Any) -> str:
    coef, intercept = np.atleast_2d(final.coef_), np.atleast_1d(final.intercept_)
    return affine(graph, x, coef.T, intercept)


def _label(graph: Graph, classes: Any, scores: str) -> None:
    if len(classes) == 2:
        positive = graph.add("Greater", scores, graph.constant([[0.0]]))
        flat = graph.add("Reshape", positive, graph.constant([-1]))
        graph.labels(classes, graph.indices(flat))
    else:
        graph.labels(classes, graph.add("ArgMax", scores, axis=1, keepdims=0))


def _with_probabilities(graph: Graph, x: str, final: Any) -> None:
    scores, n_classes = _scores(graph, x, final), len(final.classes_)
    _label(graph, final.classes_, scores)
    if n_classes == 2:
        probabilities = two_columns(graph, graph.add("Sigmoid", scores))
    else:
        probabilities = graph.add("Softmax", scores, axis=1)
    graph.output("probabilities", probabilities, [None, n_classes])


def _one_against_rest(graph: Graph, x: str, final: Any) -> None:
    if not hasattr(final, "predict_proba"):
        _with_scores(graph, x, final)
        return
    scores, n_classes = _scores(graph, x, final), len(final.classes_)
    _label(graph, final.classes_, scores)
    if final.loss == "log_loss":
        each = _careful_sigmoid(graph, scores)
    else:
        # The modified Huber loss (Zhang 2002): scores cut at -1 and 1.
        cut = graph.add("Clip", scores, graph.constant(-1.0), graph.constant(1.0))
        raised = graph.add("Add", cut, graph.constant([[1.0]]))
        each = graph.add("Div", raised, graph.constant([[2.0]]))
    if n_classes == 2:
        graph.output("probabilities", two_columns(graph, each), [None, 2])
        return
    total = graph.add("ReduceSum", each, graph.constant([1]), keepdims=1)
    # Where no class is possible all are alike.
    none = graph.add("Equal", total, graph.constant([[0.0]]))
    each = graph.add("Where", none, graph.constant(np.ones((1, n_classes))), each)
    total = graph.add("Where", none, graph.constant([[float(n_classes)]]), total)
    graph.output("probabilities", graph.add("Div", each, total), [None, n_classes])


def _careful_sigmoid(graph: Graph, scores: str) -> str:
    """Right in all its digits far below 0 too, as is needed where shares of it are taken."""
    fall = graph.add("Exp", graph.add("Neg", graph.add("Abs", scores)))
    whole = graph.add("Add", fall, graph.constant([[1.0]]))
    negative = graph.add("Less", scores, graph.constant([[0.0]]))
    part = graph.add("Where", negative, fall, graph.constant([[1.0]]))
    return graph.add("Div", part, whole)


def _with_scores(graph: Graph, x: str, final: Any) -> None:
    scores, n_classes = _scores(graph, x, final), len(final.classes_)
    _label(graph, final.classes_, scores)
    graph.output("scores", scores, [None, 1 if n_classes == 2 else n_classes])


def _number(graph: Graph, x: str, final: Any) -> None:
    graph.output("variable", _scores(graph, x, final), [None, 1])


def _count(graph: Graph, x: str, final: Any) -> None:
    graph.output("variable", graph.add("Exp", _scores(graph, x, final)), [None, 1])


ACTIVATIONS = {"identity": "Identity", "logistic": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}


def _layers(graph: Graph, x: str, final: Any) -> str:
    """The last layer, before its activation."""
    for weights, offset in zip(final.coefs_[:-1], final.intercepts_[:-1], strict=True):
        x = graph.add(ACTIVATIONS[final.activation], affine(graph, x, weights, offset))
    return affine(graph, x, final.coefs_[-1], final.intercepts_[-1])


def _network_of_classes(graph: Graph, x: str, final: Any) -> None:
    scores, n_classes = _layers(graph, x, final), len(final.classes_)
    _label(graph, final.classes_, scores)
    if n_classes == 2:
        probabilities = two_columns(graph, graph.add("Sigmoid", scores))
    else:
        probabilities = graph.add("Softmax", scores, axis=1)
    graph.output("probabilities", probabilities, [None, n_classes])


def _network_of_numbers(graph: Graph, x: str, final: Any) -> None:
    last = {"identity": "Identity", "exp": "Exp"}[final.out_activation_]
    graph.output("variable", graph.add(last, _layers(graph, x, final)), [None, 1])


def _random_features(graph: Graph, x: str, sampler: Any) -> str:
    """``sqrt(2 / D) cos(x W + b)`` (Rahimi and Recht 2007, algorithm 1)."""
    waves = graph.add("Cos", affine(graph, x, sampler.random_weights_, sampler.random_offset_))
    height = np.sqrt(2.0 / sampler.random_offset_.size)
    return graph.add("Mul", waves, graph.constant([[height]]))


LINEAR_STEPS: dict[str, Callable[[Graph, str, Any], Any]] = {
    "LinearRegression": _number,
    "LinearSVC": _with_scores,
    "LogisticRegression": _with_probabilities,
    "MLPClassifier": _network_of_classes,
    "MLPRegressor": _network_of_numbers,
    "Perceptron": _with_scores,
    "PoissonRegressor": _count,
    "RBFSampler": _random_features,
    "Ridge": _number,
    "SGDClassifier": _one_against_rest,
    "SGDRegressor": _number,
}
"""How each is drawn; a step that is not the last returns its matrix."""
