"""What can be read off a fitted model, as the sections of a card that its kind has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedlab.core.space import Space
from fedlab.export.facts import CardFacts
from fedlab.export.kinds import classes_of, final_of
from fedlab.export.markdown import as_code, table
from fedlab.export.wording import penalty, ratio

if TYPE_CHECKING:
    from fedlab.export.kinds import Fitted

__all__ = ["insides"]

MOST = 50


def insides(model: Fitted, space: Space, facts: CardFacts) -> Iterator[str]:
    """Coefficients, importances, centres, components or means by class; nothing for the rest."""
    final = final_of(model)
    if hasattr(final, "_predictors") or hasattr(final, "estimators_"):
        yield from _importances(final, space)
    elif hasattr(final, "cluster_centers_"):
        yield from _centres(final, space)
    elif hasattr(final, "components_"):
        yield from _components(final, space)
    elif hasattr(final, "theta_"):
        yield from _means(final, space)
    elif hasattr(final, "feature_log_prob_"):
        yield from _shares(final, space)
    # Coefficients of random features are of no column.
    elif hasattr(final, "coef_") and "rbfsampler" not in getattr(model, "named_steps", {}):
        yield from _coefficients(model, space, facts)


def _matrix(space: Space, head: Sequence[str], columns: Any) -> str:
    rows = [
        [as_code(name), *(cell if isinstance(cell, str) else f"{cell:.6g}" for cell in cells)]
        for name, cells in zip(space.names, zip(*columns, strict=True), strict=True)
    ]
    return table(["Feature", *head], rows)


def _coefficients(model: Fitted, space: Space, facts: CardFacts) -> Iterator[str]:
    final, classes = final_of(model), [as_code(each) for each in classes_of(model)]
    coef = np.atleast_2d(final.coef_)
    rated = ratio(model)
    heads = ["Coefficient"] if len(coef) == 1 else [f"For {name}" for name in classes]
    columns: list[Any] = [*coef]
    if rated is not None:
        heads.append(rated)
        columns.append([_ratio(beta) for beta in coef[0]])
    if space.scaled:
        blanks = [""] * (len(space.names) - len(space.numbers))
        heads += ["Centre", "Unit"]
        columns += [[*space.scaling["mean"], *blanks], [*space.scaling["scale"], *blanks]]
    text = _matrix(space, heads, columns)
    if hasattr(final, "intercept_"):
        offsets = [f"{value:.6g}" for value in np.atleast_1d(final.intercept_)]
        padding = [""] * (len(heads) - len(offsets))
        text += "\n" + table(["intercept", *offsets, *padding], []).splitlines()[0]
    yield "## Coefficients"
    yield text
    reading, unit = _reading(rated, classes, len(coef)), _unit(space, facts)
    yield (
        f"{reading}, for one unit more of a number {unit} Categories of one column are "
        "compared by the difference of their coefficients. They are "
        f"{penalty(final)} and describe association, not cause."
    )


def _reading(rated: str | None, classes: Sequence[str], n_outputs: int) -> str:
    if rated == "Odds ratio":
        return f"Odds of class {classes[-1]}"
    if rated == "Rate ratio":
        return "Ratio of expected counts"
    if rated == "Hazard ratio":
        return "Ratio of hazards at any time"
    if not classes:
        return "What the prediction rises by"
    if n_outputs == 1:
        return f"What the score for class {classes[-1]} rises by"
    return "What the score of each class, before they are turned into shares, rises by"


def _unit(space: Space, facts: CardFacts) -> str:
    if not space.scaled:
        return "in its column's own unit, or for having the category."
    if facts.privacy is not None:
        return "(a quarter of the declared range) or for having the category."
    return "(the standard deviation over all sites' training rows) or for having the category."


def _ratio(beta: float) -> str:
    return f"{math.exp(beta):.4g}" if abs(beta) < 700 else "beyond counting"


def _importances(final: Any, space: Space) -> Iterator[str]:
    if hasattr(final, "estimators_"):
        shares = final.feature_importances_
        how = "Share of the fall in impurity, or in squared error, over all trees"
    else:
        shares = _gains(final, len(space.names))
        how = "Share of the fall in the loss over all trees"
    order = np.argsort(-shares, kind="stable")[:MOST]
    rows = [[as_code(space.names[place]), f"{shares[place]:.4f}"] for place in order]
    yield "## Importances"
    yield table(["Feature", "Importance"], rows)
    left_out = f" The {MOST} largest of {len(shares)}." if len(shares) > MOST else ""
    yield (
        f"{how}, from training rows.{left_out} Columns with many values are favoured, those that "
        "tell the same share it, and it describes association, not cause."
    )
    if hasattr(final, "oob_score_"):
        name = "accuracy" if hasattr(final, "classes_") else "R²"
        yield (
            f"Out-of-bag score: {name} {final.oob_score_:.4f}, each training row judged by the "
            "trees that were grown without it."
        )


def _gains(final: Any, width: int) -> NDArray[np.float64]:
    gains = np.zeros(width)
    for tree in (each for stage in final._predictors for each in stage):
        inner = tree.nodes[tree.nodes["is_leaf"] == 0]
        np.add.at(gains, inner["feature_idx"].astype(np.int64), inner["gain"].astype(np.float64))
    return gains / max(float(gains.sum()), np.finfo(np.float64).tiny)


def _centres(final: Any, space: Space) -> Iterator[str]:
    own = np.array(final.cluster_centers_)
    n_numbers = len(space.numbers)
    own[:, :n_numbers] = own[:, :n_numbers] * space.scaling["scale"] + space.scaling["mean"]
    yield "## Centres"
    yield _matrix(space, [f"Cluster {number}" for number in range(len(own))], own)
    yield "Numbers in their own units; of a category the share of the cluster's rows that have it."


def _components(final: Any, space: Space) -> Iterator[str]:
    yield "## Components"
    names = [f"Component {number + 1}" for number in range(len(final.components_))]
    yield _matrix(space, names, final.components_)
    shares = ", ".join(f"{share:.4f}" for share in final.explained_variance_ratio_)
    yield f"Weights of the scaled columns. Shares of the training rows' variance: {shares}."


def _means(final: Any, space: Space) -> Iterator[str]:
    spread = np.sqrt(final.var_)
    cells = [
        [f"{m:.6g} ± {d:.4g}" for m, d in zip(mean, deviation, strict=True)]
        for mean, deviation in zip(final.theta_, spread, strict=True)
    ]
    yield "## Means by class"
    yield _matrix(space, [as_code(each) for each in final.classes_.tolist()], cells)
    priors = ", ".join(f"{share:.4g}" for share in final.class_prior_)
    yield f"Mean ± standard deviation, smoothed. Probabilities of the classes beforehand: {priors}."


def _shares(final: Any, space: Space) -> Iterator[str]:
    yield "## Shares by class"
    names = [as_code(each) for each in final.classes_.tolist()]
    yield _matrix(space, names, np.exp(final.feature_log_prob_))
    yield (
        f"Share of the class's rows that have the category, or a number above {final.binarize:g}, "
        f"smoothed by {final.alpha:g}."
    )
