"""How strategies that average train scikit-learn estimators with ``partial_fit``."""

from __future__ import annotations

from fedlab.core.parameters import Parameters
from fedlab.core.sklearn_model import PartialFitted
from fedlab.errors import PrivacyError, TrainingError
from fedlab.queries import PartialFit, Query
from fedlab.strategies.local_training import LocalTraining, ask_to_train
from fedlab.strategies.strategy import Problem

__all__ = ["ask_for_passes"]


@ask_to_train.register
def ask_for_passes(
    model: PartialFitted, problem: Problem, parameters: Parameters, settings: LocalTraining
) -> Query:
    """The question for an estimator that is trained by passes over a site's rows.

    Raises
    ------
    PrivacyError
        Under a promise about records, since nothing clips a row.
    TrainingError
        Where the strategy sets what the estimator sets itself.
    """
    if problem.private and problem.unit == "record":
        raise PrivacyError(
            "Record-level privacy needs a model whose gradients are clipped row by row.",
            "a scikit-learn estimator, which clips none",
            "Use e.g. fl.LogisticRegression(), fl.SiteDP(...), or leave privacy out.",
        )
    usual = type(settings)()
    for name in ("learning_rate", "local_steps", "batch_size"):
        if getattr(settings, name) != getattr(usual, name):
            raise TrainingError(
                f"A scikit-learn estimator is trained for local_epochs; {name} is its own.",
                f"{name}={getattr(settings, name)!r} of {type(settings).__name__}",
                "Leave it out, and set the estimator's own arguments.",
            )
    return PartialFit(
        model=model, space=problem.space, parameters=parameters, epochs=settings.local_epochs
    )
