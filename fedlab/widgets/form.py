"""The form that says how the next run trains, and under which promise."""

from __future__ import annotations

import ipywidgets as ipw
import msgspec

from fedlab.errors import TrainingError
from fedlab.privacy import RecordDP
from fedlab.strategies import FedAvg, FedNewton, Strategy
from fedlab.widgets.style import field

__all__ = ["RunForm"]


class RunForm:
    """Strategy, its main settings, privacy.

    It checks nothing but that a number is a number: the rest is said by the verb that takes it.

    Parameters
    ----------
    strategy : Strategy, optional
        What the form starts with. Settings it does not show are kept; a strategy it does not know
        is offered as it is.
    privacy : RecordDP, optional

    Attributes
    ----------
    widget : ipywidgets.VBox
    start : ipywidgets.Button
    """

    def __init__(self, strategy: Strategy | None, privacy: RecordDP | None) -> None:
        self._given = FedAvg() if strategy is None else strategy
        base = self._given if isinstance(self._given, FedAvg) else FedAvg()
        self._base, promise = base, privacy or RecordDP(epsilon=2.0, delta=1e-5, rounds=30)
        kinds = [("FedAvg", "FedAvg"), ("FedNewton", "FedNewton")]
        chosen = type(self._given).__name__
        if not isinstance(self._given, FedAvg | FedNewton):
            kinds.append((f"{chosen}, as given", chosen))
        self.kind = field(
            ipw.Dropdown, "Strategy", "How sites' answers make a round", options=kinds, value=chosen
        )
        self._amount = "local_epochs" if base.local_steps is None else "local_steps"
        label = "Local epochs" if base.local_steps is None else "Local steps"
        self.amount = field(
            ipw.IntText, label, "Work of each site a round", value=getattr(base, self._amount)
        )
        self.batch = field(
            ipw.Text,
            "Batch size",
            "Rows a step; empty for all",
            value=_shown(base.batch_size),
            placeholder="all rows",
        )
        self.rate = field(
            ipw.Text,
            "Learning rate",
            "Step length; empty for a safe one",
            value=_shown(base.learning_rate),
            placeholder="automatic",
        )
        self.share = field(
            ipw.FloatText,
            "Share of sites",
            "Part of the sites drawn each round, above 0 to 1",
            value=base.site_fraction,
        )
        self.private = ipw.Checkbox(
            value=privacy is not None,
            indent=False,
            description="Record-level privacy",
            tooltip="Sites clip and add noise, and charge their ledgers",
            layout={"width": "auto"},
        )
        self.epsilon = field(
            ipw.FloatText, "ε", "Privacy loss of all rounds together", value=promise.epsilon
        )
        self.delta = field(ipw.FloatText, "δ", "Far below 1 / rows", value=promise.delta)
        self.rounds = field(
            ipw.IntText, "Rounds", "The noise is calibrated to so many", value=promise.rounds
        )
        self.clip = field(
            ipw.FloatText, "Clipping norm", "Bound on a row's gradient", value=promise.clipping_norm
        )
        self.start = ipw.Button(
            description="New run",
            icon="plus",
            tooltip="Start a run with these settings (fed.train)",
            layout={"width": "auto"},
        )
        self.start.add_class("fedlab-start")
        self._averaging = ipw.VBox([self.amount, self.batch, self.rate, self.share])
        self._promise = ipw.VBox([self.epsilon, self.delta, self.rounds, self.clip])
        self.widget = ipw.VBox(
            [self.kind, self._averaging, self.private, self._promise, self.start]
        )
        self.widget.add_class("fedlab-card")
        for switch in (self.kind, self.private):
            switch.observe(self._fold, names="value")
        self._fold()

    def _fold(self, _: object = None) -> None:
        self._averaging.layout.display = "" if self.kind.value == "FedAvg" else "none"
        self._promise.layout.display = "" if self.private.value else "none"

    def strategy(self) -> Strategy:
        """The strategy as filled in.

        Raises
        ------
        TrainingError
            When a setting is not a number, or out of its range.
        """
        if self.kind.value == type(self._given).__name__ and not isinstance(self._given, FedAvg):
            return self._given
        if self.kind.value == "FedNewton":
            return FedNewton()
        changes = {
            self._amount: self.amount.value,
            "batch_size": _number("Batch size", self.batch.value, int),
            "learning_rate": _number("Learning rate", self.rate.value, float),
            "site_fraction": self.share.value,
        }
        return msgspec.structs.replace(self._base, **changes)

    def privacy(self) -> RecordDP | None:
        """The promise as filled in, or None.

        Raises
        ------
        PrivacyError
            When a value is out of its range.
        """
        if not self.private.value:
            return None
        return RecordDP(
            epsilon=self.epsilon.value,
            delta=self.delta.value,
            rounds=self.rounds.value,
            clipping_norm=self.clip.value,
        )


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _number(label: str, text: str, kind: type[int] | type[float]) -> float | None:
    if not text.strip():
        return None
    try:
        return kind(text)
    except ValueError:
        word = "whole number" if kind is int else "number"
        raise TrainingError(
            f"{label} must be a {word}.", f"{text!r}", "Correct it, or leave it empty."
        ) from None
