"""The secure sum in the form."""

from __future__ import annotations

from typing import Literal

import ipywidgets as ipw

from fedlab.displays.escape import as_html
from fedlab.errors import TrainingError
from fedlab.strategies import Averaging, Mean, Strategy

__all__ = ["Adding"]


class Adding:
    """Whether the coordinator sees single answers, or nothing but their sums.

    Attributes
    ----------
    widget : ipywidgets.VBox
    secure : ipywidgets.Checkbox
        Grey, and why is said below it, under a strategy that needs single answers.
    """

    def __init__(self) -> None:
        self.secure = ipw.Checkbox(
            value=False,
            indent=False,
            description="Secure sum",
            tooltip="Sites add under masks; nobody sees what a single one sent",
            layout={"width": "auto"},
        )
        self._why, self._wanted = ipw.HTML(layout={"display": "none"}), False
        self._why.add_class("fedlab-quiet")
        self.widget = ipw.VBox([self.secure, self._why])
        self.secure.observe(self._note, names="value")

    def _note(self, _: object = None) -> None:
        if not self.secure.disabled:
            self._wanted = self.secure.value

    def fit(self, strategy: Strategy) -> None:
        """Offer it where a strategy needs sums only; what was wanted comes back with such a one."""
        why = ""
        try:
            strategy.joins()
        except TrainingError as error:
            rule = f"{error.rule[:1].lower()}{error.rule[1:]}"
            why = as_html(f"Not with {_culprit(strategy)}: {rule}")
        self._why.value, self._why.layout.display = why, "" if why else "none"
        # Grey first, or taking the tick off would count as the analyst's wish.
        self.secure.disabled = bool(why)
        self.secure.value = self._wanted and not why

    def value(self) -> Literal["plain", "secure"]:
        """What `Federation.train` takes as aggregation."""
        return "secure" if self.secure.value else "plain"


def _culprit(strategy: Strategy) -> str:
    """What it is that needs single answers."""
    rule = strategy.aggregator if isinstance(strategy, Averaging) else Mean()
    return type(strategy if isinstance(rule, Mean) else rule).__name__
