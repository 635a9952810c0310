"""What the form offers: models, strategies and rules for combining, and their main settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fedlab.core.cox import CoxRegression
from fedlab.core.kmeans import KMeans
from fedlab.core.logistic import LogisticRegression
from fedlab.core.model import Differentiable, Model
from fedlab.core.naive_bayes import BernoulliNB, GaussianNB
from fedlab.core.pca import PCA
from fedlab.core.poisson import PoissonRegression
from fedlab.core.regression import LinearRegression, Ridge
from fedlab.core.schema import Schema
from fedlab.core.sklearn_model import PartialFitted
from fedlab.core.support_vector import SVC
from fedlab.core.trees.boosting import GradientBoostingClassifier, GradientBoostingRegressor
from fedlab.core.trees.forest import RandomForestClassifier, RandomForestRegressor
from fedlab.errors import TrainingError
from fedlab.strategies import (
    SCAFFOLD,
    CentredClipping,
    Ditto,
    FedAdagrad,
    FedAdam,
    FedAvg,
    FedAvgM,
    FedNewton,
    FedNova,
    FedProx,
    FedSGD,
    FedYogi,
    FineTuning,
    GeometricMedian,
    Krum,
    Mean,
    Median,
    MultiKrum,
    NormClipping,
    TrimmedMean,
    default_strategy,
)
from fedlab.widgets.fields import Setting

__all__ = [
    "AGGREGATORS",
    "Offer",
    "local_settings",
    "models_for",
    "strategies_for",
    "with_given",
]


@dataclass(frozen=True)
class Offer:
    """Something to choose.

    Attributes
    ----------
    start : Model, Strategy or Aggregator
        What it is before a setting is changed.
    hint : str
        What it does, in a word or two.
    settings : tuple of Setting
    """

    start: Any
    hint: str = ""
    settings: tuple[Setting, ...] = ()

    @property
    def name(self) -> str:
        """The name of its class."""
        return type(self.start).__name__

    @property
    def label(self) -> str:
        """What a list of offers shows."""
        return f"{self.name} ({self.hint})" if self.hint else self.name


PENALTY_C = Setting(
    "C",
    "C",
    "Inverse strength of the penalty; empty for none",
    empty=math.inf,
    placeholder="no penalty",
)
ALPHA = Setting("alpha", "Penalty alpha", "Strength of the penalty; 0 for none")
TREES = (
    Setting("n_trees", "Trees", "How many trees are grown", "whole"),
    Setting(
        "max_depth",
        "Depth",
        "Deepest split of a tree; empty for no limit",
        "whole",
        None,
        "no limit",
    ),
)
BOOSTED = (*TREES, Setting("learning_rate", "Shrinkage", "How much each tree counts"))
GRID = Setting(
    "grid",
    "Grid of times",
    "Step and end in the unit of the target; it decides what leaves the sites",
    "times",
    None,
    "30, 3650 or exact",
)
TIES = Setting(
    "ties", "Ties", "How events at one time are counted", "choice", choices=("efron", "breslow")
)
KERNEL = Setting(
    "kernel",
    "Kernel",
    "Curved borders between classes, or flat",
    "choice",
    choices=("rbf", "linear"),
)
MODELS = (
    Offer(LogisticRegression(), "", (PENALTY_C,)),
    Offer(SVC(), "", (KERNEL,)),
    Offer(GaussianNB(), "naive Bayes"),
    Offer(BernoulliNB(), "naive Bayes"),
    Offer(RandomForestClassifier(), "", TREES),
    Offer(GradientBoostingClassifier(), "", BOOSTED),
    Offer(LinearRegression()),
    Offer(Ridge(), "", (ALPHA,)),
    Offer(PoissonRegression(), "counts", (ALPHA,)),
    Offer(RandomForestRegressor(), "", TREES),
    Offer(GradientBoostingRegressor(), "", BOOSTED),
    Offer(
        CoxRegression(),
        "",
        (GRID, TIES, ALPHA),
    ),
    Offer(KMeans(), "clusters", (Setting("n_clusters", "Clusters", "How many centres", "whole"),)),
    Offer(
        PCA(), "components", (Setting("n_components", "Components", "How many are kept", "whole"),)
    ),
)
SERVER_RATE = Setting("server_learning_rate", "Server's rate", "How far the server moves")
# Those that need nothing but updates come first, from whatever model makes them.
UPDATES = (
    Offer(FedAvg(), "averaging"),
    Offer(
        FedAvgM(),
        "server momentum",
        (Setting("momentum", "Momentum", "How much earlier rounds count"), SERVER_RATE),
    ),
    Offer(FedAdam(), "adaptive server", (SERVER_RATE,)),
    Offer(FedYogi(), "adaptive server", (SERVER_RATE,)),
    Offer(FedAdagrad(), "adaptive server", (SERVER_RATE,)),
    Offer(FineTuning(), "personal"),
)
GRADIENTS = (
    Offer(
        FedProx(), "averaging", (Setting("mu", "Pull μ", "How much the common parameters pull"),)
    ),
    Offer(SCAFFOLD(), "averaging", (SERVER_RATE,)),
    Offer(FedNova(), "averaging"),
    Offer(FedSGD(), "one step a round"),
    Offer(Ditto(), "personal", (Setting("lam", "Pull λ", "How much the common parameters pull"),)),
)
TOLERATED = Setting("f", "Bad sites", "From how many sites anything may come", "whole")
AGGREGATORS = (
    Offer(Mean()),
    Offer(Median(), "robust"),
    Offer(TrimmedMean(f=1), "robust", (TOLERATED,)),
    Offer(Krum(f=1), "robust", (TOLERATED,)),
    Offer(
        MultiKrum(f=1, keep=2),
        "robust",
        (TOLERATED, Setting("keep", "Keep", "How many updates are averaged", "whole")),
    ),
    Offer(GeometricMedian(), "robust"),
    Offer(CentredClipping(), "robust"),
    Offer(NormClipping(), "robust"),
)


def local_settings(amount: str) -> tuple[Setting, ...]:
    """What strategies that train at the sites have in common.

    Parameters
    ----------
    amount : "local_epochs" or "local_steps"
        What the work of a site is counted in.
    """
    return (
        Setting(
            amount, amount.replace("_", " ").capitalize(), "Work of each site a round", "whole"
        ),
        Setting(
            "batch_size", "Batch size", "Rows a step; empty for all", "whole", None, "all rows"
        ),
        Setting(
            "learning_rate",
            "Learning rate",
            "Step length; empty for a safe one",
            empty=None,
            placeholder="automatic",
        ),
        Setting(
            "site_fraction", "Share of sites", "Part of the sites drawn each round, above 0 to 1"
        ),
    )


def models_for(schema: Schema) -> list[Offer]:
    """The models whose target is of the kind of this one; the first is what to begin with."""
    kind = "survival" if schema.event else "classes" if schema.classes else "numbers"
    return [offer for offer in MODELS if offer.start.reads in (kind, "nothing")]


def strategies_for(model: Model) -> list[Offer]:
    """The strategies that fit a model; the first is what to begin with."""
    if isinstance(model, Differentiable):
        return [
            UPDATES[0],
            Offer(FedNewton(), "exact"),
            *GRADIENTS[:-1],
            *UPDATES[1:],
            GRADIENTS[-1],
        ]
    if isinstance(model, PartialFitted):
        return list(UPDATES)
    try:
        return [Offer(default_strategy(model, private=False), "sums")]
    except TrainingError:
        return [UPDATES[0]]


def with_given(offers: Sequence[Offer], given: Any) -> list[Offer]:
    """The offers with what was given in code in place of its like, or beside them."""
    if given is None:
        return list(offers)
    known = [offer.name for offer in offers]
    if type(given).__name__ in known:
        return [
            Offer(given, each.hint, each.settings) if each.name == type(given).__name__ else each
            for each in offers
        ]
    return [*offers, Offer(given, "as given")]
