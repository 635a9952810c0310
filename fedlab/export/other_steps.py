"""Graphs of naive Bayes, clusters, components and proportional hazards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fedlab.core.graphs import Graph
from fedlab.export.linear_steps import affine

__all__ = ["OTHER_STEPS"]


def _squares(graph: Graph, x: str, centres: Any, scales: Any | None = None) -> str:
    """Sums over the columns of ``(x - centre)^2 / scale``, ``(n_samples, n_centres)``."""
    spread = graph.add("Unsqueeze", x, graph.constant([1]))
    apart = graph.add("Sub", spread, graph.constant(centres[None, :, :]))
    squares = graph.add("Mul", apart, apart)
    if scales is not None:
        squares = graph.add("Div", squares, graph.constant(scales[None, :, :]))
    return graph.add("ReduceSum", squares, graph.constant([2]), keepdims=0)


def _posterior(graph: Graph, joint: str, classes: Any) -> None:
    graph.labels(classes, graph.add("ArgMax", joint, axis=1, keepdims=0))
    graph.output("probabilities", graph.add("Softmax", joint, axis=1), [None, len(classes)])


def _gaussian(graph: Graph, x: str, final: Any) -> None:
    # A class that was given the prior 0 is impossible: its logarithm is minus infinity.
    with np.errstate(divide="ignore"):
        prior = np.log(final.class_prior_)
    constant = prior - 0.5 * np.log(2.0 * np.pi * final.var_).sum(axis=1)
    squares = _squares(graph, x, final.theta_, final.var_)
    halves = graph.add("Mul", squares, graph.constant([[-0.5]]))
    joint = graph.add("Add", halves, graph.constant(constant[None, :]))
    _posterior(graph, joint, final.classes_)


def _bernoulli(graph: Graph, x: str, final: Any) -> None:
    present = graph.add("Greater", x, graph.constant([[float(final.binarize)]]))
    absent = np.log1p(-np.exp(final.feature_log_prob_))
    weights = (final.feature_log_prob_ - absent).T
    constant = final.class_log_prior_ + absent.sum(axis=1)
    # What is missing is neither present nor absent.
    known = graph.add("Where", graph.add("IsNaN", x), x, graph.doubles(present))
    _posterior(graph, affine(graph, known, weights, constant), final.classes_)


def _clusters(graph: Graph, x: str, final: Any) -> None:
    squares = _squares(graph, x, final.cluster_centers_)
    nearest = graph.add("ArgMin", squares, axis=1, keepdims=0)
    graph.output("label", nearest, [None], "i")
    distances = graph.add("Sqrt", squares)
    graph.output("distances", distances, [None, len(final.cluster_centers_)])


def _components(graph: Graph, x: str, final: Any) -> None:
    centred = graph.add("Sub", x, graph.constant(final.mean_[None, :]))
    components = graph.add("MatMul", centred, graph.constant(final.components_.T))
    graph.output("components", components, [None, len(final.components_)])


def _hazards(graph: Graph, x: str, final: Any) -> None:
    risk = graph.add("MatMul", x, graph.constant(final.coef_[:, None]))
    graph.output("log_hazard", risk, [None, 1])
    baseline = graph.constant(-final.baseline_cumulative_hazard_[None, :])
    survival = graph.add("Exp", graph.add("Mul", graph.add("Exp", risk), baseline))
    n_times = len(final.event_times_)
    graph.output("survival", survival, [None, n_times])
    graph.output("times", graph.constant(final.event_times_), [n_times])


OTHER_STEPS: dict[str, Callable[[Graph, str, Any], Any]] = {
    "BernoulliNB": _bernoulli,
    "CoxEstimator": _hazards,
    "GaussianNB": _gaussian,
    "KMeans": _clusters,
    "PCA": _components,
}
"""How each is drawn."""
