"""What is attacked: a way of training, which can be done again on any rows.

Attacks that compare a model with its twins on other rows (shadow models) must train many. They take
either a scikit-learn classifier, which is quick, or a `FederatedRecipe`, which deals the rows out
to simulated sites and trains as an analyst would, privacy included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fedlab.core.model import Classifier, Model
from fedlab.core.parameters import Array
from fedlab.core.preprocess import Preprocess
from fedlab.core.seeds import generator
from fedlab.errors import TrainingError
from fedlab.federation import Federation
from fedlab.partitioning import partition
from fedlab.privacy import RecordDP
from fedlab.site import Policy
from fedlab.strategies import Strategy
from fedlab.strategies.checks import whole

__all__ = ["FederatedRecipe", "Recipe", "check_recipe", "fitted", "in_words", "probabilities"]


@dataclass(frozen=True, kw_only=True)
class FederatedRecipe:
    """Deal a table out to simulated sites and train a model over them.

    Every training has a seed of its own, from which deal, batches and privacy noise follow. The
    adversary of an attack does not know it, as nobody knows the noise of real sites.

    Parameters
    ----------
    model : Model
        A classifier, e.g. ``fl.LogisticRegression()``.
    strategy : Strategy, optional
    privacy : RecordDP, optional
    preprocess : Preprocess, optional
        As in `Federation.train`.
    rounds : int
    n_sites : int
    ranges : mapping of str to (float, float), optional
        Public ranges of numeric columns, which privacy needs.

    Raises
    ------
    TrainingError
        When the model is no classifier, or a number is out of its range.

    Examples
    --------
    >>> from fedlab.core.logistic import LogisticRegression
    >>> recipe = FederatedRecipe(model=LogisticRegression(), rounds=2, n_sites=2)
    >>> table = pd.DataFrame({"age": range(30, 70), "died": [0, 1] * 20})
    >>> recipe.fit(table, "died", seed=7).predict_proba(table[["age"]]).shape
    (40, 2)
    """

    model: Model
    strategy: Strategy | None = None
    privacy: RecordDP | None = None
    preprocess: Preprocess | None = None
    rounds: int = 10
    n_sites: int = 3
    ranges: Mapping[str, tuple[float, float]] | None = None

    def __post_init__(self) -> None:
        whole("rounds", self.rounds)
        whole("n_sites", self.n_sites)
        if not isinstance(self.model, Classifier):
            raise TrainingError(
                "The attack reads probabilities of classes.",
                type(self.model).__name__,
                "Pass a classifier, e.g. fl.LogisticRegression().",
            )

    def fit(self, frame: pd.DataFrame, target: str, *, seed: int) -> Any:
        """The fitted scikit-learn estimator of the federated model."""
        sites = partition(
            frame,
            self.n_sites,
            target=target,
            seed=seed,
            test_size=0.0,
            ranges=self.ranges,
            policy=Policy(minimum_rows=1),
        )
        run = Federation(sites, seed=seed).train(
            self.model,
            strategy=self.strategy,
            privacy=self.privacy,
            preprocess=self.preprocess,
            evaluate=False,
        )
        run.run(self.rounds, progress=False)
        return run.model


Recipe = Any
"""A `FederatedRecipe`, or a scikit-learn classifier before fitting."""


def check_recipe(recipe: Recipe) -> None:
    """Raise TrainingError unless `recipe` can be trained and gives probabilities."""
    if isinstance(recipe, FederatedRecipe):
        return
    if isinstance(recipe, type) or not (
        hasattr(recipe, "get_params") and hasattr(recipe, "predict_proba")
    ):
        raise TrainingError(
            "What is attacked must be a way of training that gives probabilities of classes.",
            f"the class {recipe.__name__}"
            if isinstance(recipe, type)
            else f"a {type(recipe).__name__}",
            "Pass e.g. fl.attacks.FederatedRecipe(model=fl.LogisticRegression()), or a "
            "scikit-learn classifier with predict_proba.",
        )


def fitted(recipe: Recipe, frame: pd.DataFrame, target: str, *, seed: int) -> Any:
    """Train on all rows of `frame`; the same seed gives the same model."""
    if isinstance(recipe, FederatedRecipe):
        return recipe.fit(frame.reset_index(drop=True), target, seed=seed)
    from sklearn.base import clone

    model = clone(recipe)
    state = int(generator(seed, "random_state").integers(2**31))
    names = [
        name
        for name, value in model.get_params().items()
        if name.split("__")[-1] == "random_state" and value is None
    ]
    model.set_params(**dict.fromkeys(names, state))
    return model.fit(frame.drop(columns=target), frame[target])


def probabilities(model: Any, features: pd.DataFrame, labels: pd.Series) -> Array:
    """What the model gives each row's own label, shape ``(n_samples,)``; 0 for unknown labels."""
    given = np.asarray(model.predict_proba(features), dtype=np.float64)
    places = pd.Index(model.classes_).get_indexer(pd.Index(labels))
    own = given[np.arange(len(given)), np.maximum(places, 0)]
    return np.where(places < 0, 0.0, own)


def in_words(recipe: Recipe) -> str:
    """What was trained, for notes."""
    if not isinstance(recipe, FederatedRecipe):
        return f"scikit-learn's {type(recipe).__name__} on one table"
    promise = recipe.privacy
    kept = (
        "without privacy"
        if promise is None
        else f"under record-level privacy of ε = {promise.epsilon:g}, δ = {promise.delta:g}"
    )
    model = type(recipe.model).__name__
    return f"{model} over {recipe.n_sites} simulated sites, {recipe.rounds} rounds, {kept}"
