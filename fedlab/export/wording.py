"""How the card speaks of a kind of model: what it says, and how its coefficients are read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fedlab.core.space import Space
from fedlab.export.kinds import OUTPUTS, classes_of, final_of, outputs_of
from fedlab.export.markdown import as_code

if TYPE_CHECKING:
    from fedlab.export.kinds import Fitted

__all__ = ["meaning", "penalty", "ratio", "says"]

MEANINGS = {
    "auc": "area under the ROC curve, by probabilities or scores in steps of a hundredth",
    "log_loss": "mean logarithmic loss, in nats",
    "squared_hinge": "mean squared hinge loss, summed over the classes where there are several",
    "mean_squared_error": "in the square of the target's unit",
    "r2": "share of the target's variance that is explained, about the mean of the same rows; "
    "below 0 is worse than that mean",
    "mean_poisson_deviance": "of the counts",
    "d2": "share of the Poisson deviance that is explained, about the mean of the same rows; below "
    "0 is worse than that mean",
    "partial_log_loss": "negative log partial likelihood a row, each site a stratum",
    "concordance": "of pairs of patients at one site whose order is known, the share that the risk "
    "puts in that order; 0.5 is chance",
    "inertia_per_row": "mean squared distance to the nearest centre, in the scaled space",
    "reconstruction_error": "mean squared distance of a row from its reconstruction, in the scaled "
    "space",
    "explained_variance_ratio": "share of the variance that the model accounts for",
}
"""What figures of merit mean that are not known everywhere."""
OF_SCORES = "mean logarithmic loss of scores brought between 0 and 1, which are no probabilities"


def meaning(figure: str, model: Fitted) -> str | None:
    """What a figure of merit means for a model, or None where its name says it."""
    if figure == "log_loss" and outputs_of(model) == OUTPUTS["scores"]:
        return OF_SCORES
    return MEANINGS.get(figure)


def says(model: Fitted, space: Space) -> str:
    """What it gives for each row, as the first sentence of a card."""
    outputs, target = outputs_of(model), as_code(space.schema.target)
    classes = ", ".join(map(as_code, classes_of(model)))
    if outputs == OUTPUTS["probabilities"]:
        return f"It predicts {target}: for each row the probability of every class, {classes}, "
    if outputs == OUTPUTS["scores"]:
        return (
            f"It predicts {target}: for each row the class, of {classes}, and a score, which ranks "
            "and is no probability, "
        )
    if outputs == OUTPUTS["number"]:
        count = type(final_of(model)).__name__ == "PoissonRegressor"
        return (
            f"It predicts {target}: for each row {'an expected count' if count else 'a number'}, "
        )
    if outputs == OUTPUTS["clusters"]:
        n_clusters = len(final_of(model).cluster_centers_)
        return f"It puts each row into one of {n_clusters} clusters, "
    if outputs == OUTPUTS["components"]:
        n_components = len(final_of(model).components_)
        return f"It gives each row its {n_components} principal components, "
    event = as_code(space.schema.event or "")
    middle = "all centres" if space.scaled else "zeros"
    return (
        f"It predicts the time {target} until {event}: for each row a logarithm of the hazard "
        f"ratio against a row of {middle} without categories, and the probability of no event "
        "until each time of the baseline hazard, "
    )


def ratio(model: Fitted) -> str | None:
    """What the exponential of a coefficient is, or None where it is nothing.

    Examples
    --------
    >>> from sklearn.linear_model import PoissonRegressor, Ridge
    >>> ratio(PoissonRegressor()), ratio(Ridge())
    ('Rate ratio', None)
    """
    final, n_classes = final_of(model), len(classes_of(model))
    name = type(final).__name__
    odds = name == "LogisticRegression" or (
        name == "SGDClassifier" and getattr(final, "loss", "") == "log_loss"
    )
    if odds and n_classes == 2:
        return "Odds ratio"
    return {"PoissonRegressor": "Rate ratio", "CoxEstimator": "Hazard ratio"}.get(name)


def penalty(final: Any) -> str:
    """How its coefficients were held back, as a part of a sentence.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression, Ridge
    >>> penalty(LinearRegression()), penalty(Ridge(alpha=2.0))
    ('not penalised', 'penalised by their squares (alpha = 2)')
    """
    name, settings = type(final).__name__, final.get_params()
    if name in ("LogisticRegression", "LinearSVC"):
        strength, given = 0.0 if math.isinf(settings["C"]) else 1.0, f"C = {settings['C']:g}"
        kind = {0.0: "l2", 1.0: "l1"}.get(settings.get("l1_ratio", 0.0), "elasticnet")
    elif "penalty" in settings:
        strength, given = settings["alpha"], f"alpha = {settings['alpha']:g}"
        kind = settings["penalty"]
    else:
        strength = settings.get("alpha", 0.0)
        kind, given = "l2", f"alpha = {strength:g}"
    if not strength or kind is None:
        return "not penalised"
    by = {"l2": "their squares", "l1": "their absolute values"}.get(kind)
    if by is None:
        by = "their squares and absolute values, the elastic net"
        given += f", l1_ratio = {settings['l1_ratio']:g}"
    too = ", the intercept too" if name == "LinearSVC" else ""
    return f"penalised by {by} ({given}){too}"
