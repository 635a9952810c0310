"""The strategy that fits a model, where the analyst names none."""

from __future__ import annotations

from fedlab.core.cox import CoxRegression
from fedlab.core.model import Differentiable, Model, Summed
from fedlab.core.sklearn_model import PartialFitted
from fedlab.core.trees.boosting import Boosting
from fedlab.core.trees.forest import Forest
from fedlab.errors import TrainingError
from fedlab.strategies.fedavg import FedAvg
from fedlab.strategies.fedboost import FedBoost
from fedlab.strategies.fedcox import FedCox
from fedlab.strategies.fedforest import FedForest
from fedlab.strategies.fednewton import FedNewton
from fedlab.strategies.fedsums import FedSums
from fedlab.strategies.strategy import Strategy

__all__ = ["default_strategy"]


def default_strategy(model: Model, *, private: bool) -> Strategy:
    """Exact where exact is possible; averaging where noise has to fit in.

    Examples
    --------
    >>> from fedlab.core.logistic import LogisticRegression
    >>> default_strategy(LogisticRegression(), private=False)
    FedNewton()
    """
    if isinstance(model, Differentiable):
        return FedAvg() if private else FedNewton()
    if isinstance(model, PartialFitted):
        return FedAvg()
    if isinstance(model, Summed):
        return FedSums()
    if isinstance(model, CoxRegression):
        return FedCox()
    if isinstance(model, Forest):
        return FedForest()
    if isinstance(model, Boosting):
        return FedBoost()
    raise TrainingError(
        "A model of this kind needs a strategy by name.",
        f"{type(model).__name__} without one",
        "Pass strategy=...",
    )
