"""Attribute inference: what a model tells about the hidden value of a known record.

Fredrikson, Jha and Ristenpart 2015, "Model inversion attacks that exploit confidence information",
CCS 2015, and Yeom, Giacomelli, Fredrikson and Jha 2018, "Privacy risk in machine learning", IEEE
CSF, arXiv 1709.01604, section 5: put each value in, and see which one the model takes for most
likely. Jayaraman and Evans 2022, "Are attribute inference attacks just imputation?", CCS 2022,
arXiv 2209.01292, for the baseline without which the result says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from fedlab.attacks.checks import check_confidence, check_seed, check_table
from fedlab.attacks.hidden import Hidden, learned_trust
from fedlab.attacks.recipes import Recipe, check_recipe, fitted, in_words
from fedlab.attacks.result import AttackResult
from fedlab.attacks.roc import exact_interval
from fedlab.core.seeds import generator
from fedlab.errors import DataError
from fedlab.partitioning import text_as_categories
from fedlab.strategies.checks import whole

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["AttributeInference", "attribute_inference"]

MOST_VALUES = 20
ADVERSARIES = {
    "most frequent value": "neither",
    "imputation": "other rows",
    "model": "the model",
    "imputation and model": "both",
}


@dataclass(frozen=True, repr=False, kw_only=True)
class AttributeInference(AttackResult):
    """How often an adversary names the hidden value.

    Attributes
    ----------
    frame : DataFrame
        One row an adversary: what it ``uses``, the share it has right among rows of the training
        (``members``) with its interval, and among rows the model has never seen (``others``).
    leak : float
        How much more often the strongest adversary with the model is right about members than the
        imputation without the model.
    """

    title: ClassVar[str] = "Attribute inference: does the model tell a hidden value?"

    @property
    def leak(self) -> float:
        """What the model adds, about members, to what was known without it."""
        shares = self.frame["members"]
        return float(shares["imputation and model"] - shares["imputation"])

    def plot(self) -> go.Figure:
        """Shares that were right, of members with their intervals and of others."""
        from fedlab.displays.attack_figures import attribute_figure

        return attribute_figure(self.frame)


def attribute_inference(
    recipe: Recipe,
    frame: pd.DataFrame,
    *,
    target: str,
    attribute: str,
    n_models: int = 5,
    confidence: float = 0.95,
    seed: int = 0,
) -> AttributeInference:
    """Hide a column of known records and infer it from a model's probabilities.

    Parameters
    ----------
    recipe : FederatedRecipe or scikit-learn classifier
        How the attacked model is trained, on a random third of the rows.
    frame : DataFrame of shape (n_samples, n_columns)
        The target and the attribute among its columns.
    target : str
    attribute : str
        The sensitive column, of few values and none missing.
    n_models : int
        How many models to attack, each on another third; shares are means over them.
    confidence : float
        Of the intervals, which count each row once however often it was attacked.
    seed : int

    Returns
    -------
    AttributeInference

    Raises
    ------
    DataError
        When the table cannot be used, or the attribute has too many values or gaps.
    TrainingError
        When the recipe gives no probabilities, or an argument is out of its range.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> random = np.random.default_rng(0)
    >>> table = pd.DataFrame({"lab": random.normal(size=90), "carrier": random.integers(0, 2, 90)})
    >>> table["died"] = random.integers(0, 2, 90)
    >>> found = attribute_inference(
    ...     DecisionTreeClassifier(), table, target="died", attribute="carrier", n_models=2
    ... )
    >>> list(found.frame.index)
    ['most frequent value', 'imputation', 'model', 'imputation and model']
    """
    check_recipe(recipe)
    check_seed(seed)
    check_confidence(confidence)
    whole("n_models", n_models)
    check_table(frame, target, attribute, least=30)
    known = text_as_categories(frame).reset_index(drop=True)
    hidden = Hidden(target, attribute, _values(known, target, attribute))
    right: dict[str, dict[str, list[float]]] = {
        who: {"members": [], "others": []} for who in ADVERSARIES
    }
    for number in range(n_models):
        parts = np.array_split(generator(seed, number, "thirds").permutation(len(known)), 3)
        tables = [known.iloc[np.sort(part)] for part in parts]
        training, helpers, others = tables
        model = fitted(recipe, training, target, seed=_seed(seed, number, "model"))
        trust = learned_trust(recipe, hidden, helpers, _seed(seed, number, "shadow"))
        rows = pd.concat([training, others])
        fits, truth = hidden.fits(model, rows), hidden.places(rows)
        imputed = hidden.imputed(helpers, rows, _seed(seed, number, "imputer"))
        frequency = np.tile(hidden.frequency(helpers), (len(rows), 1))
        guesses = (frequency, imputed, frequency + fits, imputed + trust * fits)
        for who, likely in zip(ADVERSARIES, guesses, strict=True):
            found = likely.argmax(axis=1) == truth
            right[who]["members"].append(float(found[: len(training)].mean()))
            right[who]["others"].append(float(found[len(training) :].mean()))
    lines = {}
    for who, shares in right.items():
        middle = float(np.mean(shares["members"]))
        attacked = min(len(known), n_models * (len(known) // 3))
        low, high = exact_interval(round(middle * attacked), attacked, confidence)
        lines[who] = {
            "uses": ADVERSARIES[who],
            "members": middle,
            "lower": low,
            "upper": high,
            "others": float(np.mean(shares["others"])),
        }
    table = pd.DataFrame.from_dict(lines, orient="index")
    table.index.name = "adversary"
    return AttributeInference(frame=table, notes=_notes(recipe, attribute, n_models))


def _values(frame: pd.DataFrame, target: str, attribute: str) -> list[Any]:
    if attribute == target:
        raise DataError(
            "The attribute must be a feature.", "the target", "Name a column the model reads."
        )
    column = frame[attribute]
    values = sorted(column.dropna().unique(), key=str)
    if column.isna().any() or not 2 <= len(values) <= MOST_VALUES:
        raise DataError(
            f"The attribute must have 2 to {MOST_VALUES} values and no gaps.",
            f"{len(values)} values and {int(column.isna().sum())} gaps in {attribute!r}",
            "Choose a column of few values, or cut it into groups first.",
        )
    return values


def _seed(seed: int, number: int, use: str) -> int:
    return int(generator(seed, number, use).integers(2**31))


def _notes(recipe: Recipe, attribute: str, n_models: int) -> tuple[str, ...]:
    return (
        f"Attacked: {n_models} × {in_words(recipe)}, each trained on a third of the rows. Hidden: "
        f"{attribute!r} of rows the adversary knows otherwise, the target included.",
        "The adversary has the model's probabilities and another third of the rows, complete, from "
        "which it learns to impute and, by a shadow model, how far to trust the model. What "
        "imputation finds is known without the model: it is no leak of the model, and no "
        "protection of training changes it.",
        "A leak shows where the model helps about members and not about others; what helps about "
        "both is what the model teaches about everyone.",
    )
