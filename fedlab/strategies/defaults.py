"""The strategy that fits a model, where the analyst names none."""

from __future__ import annotations

from fedlab.core.model import Differentiable, Model
from fedlab.errors import TrainingError
from fedlab.strategies.fedavg import FedAvg
from fedlab.strategies.fednewton import FedNewton
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
    raise TrainingError(
        "A model of this kind needs a strategy by name.",
        f"{type(model).__name__} without one",
        "Pass strategy=...",
    )
