"""The form that says what the next run trains, how, and under which promise."""

from __future__ import annotations

from typing import Any, Literal

import ipywidgets as ipw

from fedlab.core.model import Model
from fedlab.core.schema import Schema
from fedlab.privacy import RecordDP
from fedlab.strategies import Averaging, FineTuning, LocalTraining, Strategy
from fedlab.widgets.adding import Adding
from fedlab.widgets.choice import Choice
from fedlab.widgets.fields import Fields, changed
from fedlab.widgets.offers import (
    AGGREGATORS,
    UPDATES,
    local_settings,
    models_for,
    strategies_for,
    with_given,
)
from fedlab.widgets.promise import Promise

__all__ = ["RunForm"]


class RunForm:
    """Model, strategy, their main settings, privacy, secure sum.

    It offers what fits the target and the model, and checks nothing but that a number is a number:
    the rest is said by the verb that takes it.

    Parameters
    ----------
    schema : Schema
        Of the federation; its target decides which models are offered.
    model : Model, optional
        What the form starts with; by default the first that fits.
    strategy : Strategy, optional
        Settings it does not show are kept; a strategy or model that it does not know is offered as
        it is.
    privacy : RecordDP, optional

    Attributes
    ----------
    widget : ipywidgets.VBox
    models, strategies, rules : Choice
        Of a model, of a strategy, and of the rule that combines updates.
    promise : Promise
    adding : Adding
    start : ipywidgets.Button
    """

    def __init__(
        self,
        schema: Schema,
        model: Model | None,
        strategy: Strategy | None,
        privacy: RecordDP | None,
    ) -> None:
        self._strategy, self.promise, self.adding = strategy, Promise(privacy), Adding()
        base = strategy if isinstance(strategy, LocalTraining) else UPDATES[0].start
        self._local = Fields(
            local_settings("local_epochs" if base.local_steps is None else "local_steps"), base
        )
        self.models = Choice("Model", "What is fitted", with_given(models_for(schema), model))
        if model is not None:
            self.models.kind.value = type(model).__name__
        given = strategy.aggregator if isinstance(strategy, Averaging) else None
        self.rules = Choice("Combined by", "How updates become one", with_given(AGGREGATORS, given))
        if given is not None:
            self.rules.kind.value = type(given).__name__
        self.strategies = Choice("Strategy", "How sites' answers make a round", self._fitting())
        if strategy is not None:
            self.strategies.kind.value = type(strategy).__name__
        self.start = ipw.Button(
            description="New run",
            icon="plus",
            tooltip="Start a run with these settings (fed.train)",
            layout={"width": "auto"},
        )
        self.start.add_class("fedlab-start")
        self._training = ipw.VBox()
        parts = [self.models.widget, self.strategies.widget, self._training]
        parts += [self.rules.widget, self.promise.widget, self.adding.widget]
        self.widget = ipw.VBox([*parts, self.start])
        self.widget.add_class("fedlab-card")
        self.models.kind.observe(self._fit, names="value")
        self.strategies.kind.observe(self._fold, names="value")
        self.rules.kind.observe(self._fold, names="value")
        self._fold()

    def _fitting(self) -> list[Any]:
        return with_given(strategies_for(self.models.chosen.start), self._strategy)

    def _fit(self, _: object = None) -> None:
        """Offer the strategies of the model that was chosen."""
        self.strategies.offer(self._fitting())
        self._fold()

    def _fold(self, _: object = None) -> None:
        """Show the settings that the chosen strategy has."""
        chosen = self.strategies.chosen.start
        shown = [part for name, part in self._local.inputs.items() if hasattr(chosen, name)]
        # A strategy that is offered as it is shows nothing.
        known = isinstance(chosen, Averaging) and self.strategies.chosen.hint != "as given"
        self._training.children = tuple(shown) if known else ()
        combines = known and not isinstance(chosen, FineTuning)
        self.rules.widget.layout.display = "" if combines else "none"
        rule = {"aggregator": self.rules.chosen.start} if combines else {}
        self.adding.fit(changed(chosen, rule) if rule else chosen)

    def model(self) -> Model:
        """The model as filled in.

        Raises
        ------
        TrainingError
            When a setting is not a number, or out of its range.
        """
        found: Model = self.models.value()
        return found

    def strategy(self) -> Strategy:
        """The strategy as filled in.

        Raises
        ------
        TrainingError
            When a setting is not a number, or out of its range.
        """
        more: dict[str, Any] = {}
        if self._training.children:
            more = self._local.values()
        if self.rules.widget.layout.display == "":
            more["aggregator"] = self.rules.value()
        found: Strategy = self.strategies.value(**more)
        return found

    def privacy(self) -> RecordDP | None:
        """The promise as filled in, or None.

        Raises
        ------
        PrivacyError
            When a value is out of its range.
        """
        return self.promise.value()

    def aggregation(self) -> Literal["plain", "secure"]:
        """Whether single answers are seen."""
        return self.adding.value()

    @property
    def kind(self) -> ipw.Dropdown:
        """The list of strategies."""
        kind: ipw.Dropdown = self.strategies.kind
        return kind

    @property
    def local(self) -> dict[str, Any]:
        """Inputs of what training at the sites has in common, by name of the argument."""
        return self._local.inputs
