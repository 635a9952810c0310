"""Membership inference: which rows a model was trained on.

Carlini, Chien, Nasr, Song, Terzis and Tramèr 2022, "Membership inference attacks from first
principles", IEEE Symposium on Security and Privacy, arXiv 2112.03570: the likelihood-ratio attack
(LiRA, algorithm 1, online).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from fedlab.attacks.checks import check_confidence, check_levels, check_seed, check_table
from fedlab.attacks.recipes import Recipe, check_recipe, fitted, in_words, probabilities
from fedlab.attacks.result import AttackResult
from fedlab.attacks.roc import Flags, area, curve, rates_at
from fedlab.core.parameters import Array
from fedlab.core.seeds import generator
from fedlab.partitioning import text_as_categories
from fedlab.strategies.checks import whole

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["MembershipInference", "likelihood_ratios", "membership_inference"]

# Below so many shadow models on each side of a row a variance of its own is mostly chance
# (section VI.B of the paper uses one for all rows below 64 models in all).
OWN_VARIANCE = 32
SMALLEST = 1e-6


@dataclass(frozen=True, repr=False, kw_only=True)
class MembershipInference(AttackResult):
    """How well an adversary tells training rows from others.

    Attributes
    ----------
    frame : DataFrame
        Rows ``AUC`` and ``TPR at … FPR``; columns ``estimate``, ``lower``, ``upper`` and
        ``guessing``, what an adversary without the model gets.
    roc : DataFrame
        Columns ``false_positive_rate`` and ``true_positive_rate``.
    """

    title: ClassVar[str] = "Membership inference: which rows were in training?"

    roc: pd.DataFrame

    @property
    def auc(self) -> float:
        """Area under the ROC curve; 0.5 is guessing."""
        return float(self.frame["estimate"]["AUC"])

    def plot(self) -> go.Figure:
        """The ROC curve on logarithmic axes, so that the low rates can be seen."""
        from fedlab.displays.attack_figures import roc_figure

        return roc_figure(self.roc)


def membership_inference(
    recipe: Recipe,
    frame: pd.DataFrame,
    *,
    target: str,
    n_shadows: int = 32,
    at: Sequence[float] = (0.01, 0.05, 0.1),
    confidence: float = 0.95,
    seed: int = 0,
) -> MembershipInference:
    """Attack a model that was trained on a random half of `frame`.

    Parameters
    ----------
    recipe : FederatedRecipe or scikit-learn classifier
        How the model is trained; the adversary trains shadow models in the same way.
    frame : DataFrame of shape (n_samples, n_columns)
        Rows, the target among the columns. The adversary holds all of them and asks which half the
        attacked model has seen.
    target : str
        The column to predict.
    n_shadows : int
        Shadow models, an even number; each row is in the training of half of them.
    at : sequence of float
        False-positive rates at which to show the true-positive rate.
    confidence : float
        Of the intervals, over the rows and for this one attacked model.
    seed : int

    Returns
    -------
    MembershipInference

    Raises
    ------
    DataError
        When the table or its columns cannot be used.
    TrainingError
        When the recipe gives no probabilities, or an argument is out of its range.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> random = np.random.default_rng(0)
    >>> table = pd.DataFrame(random.normal(size=(60, 3)), columns=list("abc"))
    >>> table["died"] = random.integers(0, 2, 60)
    >>> found = membership_inference(KNeighborsClassifier(1), table, target="died", n_shadows=16)
    >>> found.auc > 0.8
    True
    """
    check_recipe(recipe)
    check_table(frame, target, least=8)
    check_seed(seed)
    check_confidence(confidence)
    check_levels(at)
    whole("n_shadows", n_shadows, least=2)
    halves = _halves(len(frame), n_shadows + n_shadows % 2, seed)
    members = generator(seed, "members").permutation(len(frame)) < len(frame) // 2
    frame = text_as_categories(frame).reset_index(drop=True)
    features, labels = frame.drop(columns=target), frame[target]
    outputs = []
    for number, inside in enumerate([members, *halves]):
        model = fitted(recipe, frame.loc[inside], target, seed=_seed(seed, number))
        outputs.append(_logits(probabilities(model, features, labels)))
    scores = likelihood_ratios(outputs[0], np.array(outputs[1:]), halves)
    middle, low, high = area(scores, members, confidence=confidence)
    lines = {"AUC": (middle, low, high, 0.5)}
    for level, found in zip(at, rates_at(scores, members, at, confidence=confidence), strict=True):
        lines[f"TPR at {level:g} FPR"] = (*found, level)
    columns = ["estimate", "lower", "upper", "guessing"]
    table = pd.DataFrame.from_dict(lines, orient="index", columns=columns)
    table.index.name = "figure"
    return MembershipInference(
        frame=table, roc=curve(scores, members), notes=_notes(recipe, len(halves), confidence)
    )


def likelihood_ratios(observed: Array, shadows: Array, inside: Flags) -> Array:
    """Log of how much likelier each row's output is if the row was in training (equation 4).

    Parameters
    ----------
    observed : ndarray of shape (n_samples,)
        Log-odds that the attacked model gives each row's own label.
    shadows : ndarray of shape (n_shadows, n_samples)
        The same of the shadow models.
    inside : ndarray of bool of shape (n_shadows, n_samples)
        Which rows each of them was trained on.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    ratios = np.zeros(len(observed))
    for sign, group in ((1, inside), (-1, ~inside)):
        count = group.sum(axis=0)
        mean = np.where(group, shadows, 0.0).sum(axis=0) / count
        squares = np.where(group, (shadows - mean) ** 2, 0.0).sum(axis=0)
        variance = squares / np.maximum(count - 1, 1)
        if count.min() < OWN_VARIANCE:
            variance = np.full_like(variance, squares.sum() / max((count - 1).sum(), 1))
        variance = np.maximum(variance, SMALLEST)
        ratios -= sign * ((observed - mean) ** 2 / variance + np.log(variance)) / 2
    return ratios


def _halves(n_rows: int, n_shadows: int, seed: int) -> Flags:
    """Random halves, two by two each other's complement, so that each row is in half of them."""
    halves = []
    for pair in range(n_shadows // 2):
        first = generator(seed, pair, "shadows").permutation(n_rows) < n_rows // 2
        halves += [first, ~first]
    return np.array(halves)


def _seed(seed: int, number: int) -> int:
    return int(generator(seed, number, "training").integers(2**62))


def _logits(own: Array) -> Array:
    # The log-odds are near a Gaussian where the probabilities are not (section V.B).
    inner = np.clip(own, SMALLEST, 1 - SMALLEST)
    return np.asarray(np.log(inner) - np.log1p(-inner), dtype=np.float64)


def _notes(recipe: Recipe, n_shadows: int, confidence: float) -> tuple[str, ...]:
    return (
        f"Attacked: {in_words(recipe)}, trained on a random half of the rows.",
        "The adversary has the model's probabilities, all rows with their labels, and knows how "
        f"it was trained, so that it can train {n_shadows} shadow models; it knows neither the "
        "seed nor the noise.",
        f"Intervals at {confidence:.0%} are over the rows, for this one model. 0.5 is guessing: "
        "few rows per parameter and long training raise the area, regularisation and record-level "
        "privacy lower it.",
    )
