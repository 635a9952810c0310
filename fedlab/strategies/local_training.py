"""Local training at the sites: its settings, and the question it is for each kind of model."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch

import msgspec

from fedlab.core.model import Differentiable, Model
from fedlab.core.parameters import Parameters
from fedlab.core.sklearn_model import PartialFitted
from fedlab.errors import TrainingError
from fedlab.queries import LocalFit, Query, count_steps
from fedlab.strategies.averaging import Averaging
from fedlab.strategies.checks import whole
from fedlab.strategies.strategy import Problem, State

__all__ = ["LocalTraining", "ask_to_train"]


class LocalTraining(Averaging, msgspec.Struct, frozen=True, kw_only=True):
    """Averaging of updates that come from more than one step at each site.

    Parameters
    ----------
    local_epochs : int
        Passes over a site's rows a round (E in McMahan et al. 2017).
    local_steps : int, optional
        Gradient steps a round instead of epochs.
    batch_size : int or None
        Rows a step (B in the paper); None takes all of them. Under record-level privacy a batch is
        a Poisson sample of this expected size.
    """

    local_epochs: int = 1
    local_steps: int | None = None
    batch_size: int | None = 32

    def __post_init__(self) -> None:
        Averaging.__post_init__(self)
        whole("local_epochs", self.local_epochs)
        whole("local_steps", self.local_steps, optional=True)
        whole("batch_size", self.batch_size, optional=True)

    def question(self, problem: Problem, state: State, site: str) -> Query:
        """The same training from the common parameters for every site."""
        return ask_to_train(problem.model, problem, state.parameters, self)

    def fit(self, problem: Problem, parameters: Parameters) -> LocalFit:
        """Gradient steps from `parameters`, for strategies that add terms to them."""
        return LocalFit(
            model=problem.differentiable,
            space=problem.space,
            parameters=parameters,
            penalty=problem.penalty,
            learning_rate=self.step_length(problem),
            batch_size=self.batch_size,
            epochs=self.local_epochs,
            steps=self.local_steps,
        )

    def steps(self, problem: Problem, sites: Iterable[str]) -> dict[str, int]:
        """Gradient steps that each site takes in a round, from the rows it declared."""
        model = problem.model
        if isinstance(model, PartialFitted):
            return {site: model.steps(problem.rows[site], self.local_epochs) for site in sites}
        return {
            site: count_steps(
                problem.rows[site],
                batch_size=self.batch_size,
                epochs=self.local_epochs,
                steps=self.local_steps,
            )
            for site in sites
        }


@singledispatch
def ask_to_train(
    model: Model, problem: Problem, parameters: Parameters, settings: LocalTraining
) -> Query:
    """The question whose answer is the `Update` of plain local training, by the kind of `model`.

    A kind of model that trains in its own way registers how
    (``@ask_to_train.register(MyModel)``), and every strategy that needs nothing but updates takes
    it from there.
    """
    raise TrainingError(
        f"{type(settings).__name__} needs a model that sites can train on their own.",
        f"{type(model).__name__}",
        "Leave strategy out to use the one that fits the model.",
    )


@ask_to_train.register
def _(
    model: Differentiable, problem: Problem, parameters: Parameters, settings: LocalTraining
) -> Query:
    return settings.fit(problem, parameters)
