"""A list of offers, and below it the settings of the chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as ipw

from fedlab.widgets.fields import Fields, changed
from fedlab.widgets.offers import Offer
from fedlab.widgets.style import field

__all__ = ["Choice"]


class Choice:
    """One of some offers, with its settings.

    What was typed for an offer is kept while another is chosen.

    Attributes
    ----------
    kind : ipywidgets.Dropdown
        Its value is the name of the chosen class.
    widget : ipywidgets.VBox
    """

    def __init__(self, label: str, tooltip: str, offers: Sequence[Offer]) -> None:
        self._offers: dict[str, Offer] = {}
        self._fields: dict[str, Fields] = {}
        self.kind = field(ipw.Dropdown, label, tooltip)
        self._inputs = ipw.VBox()
        self.widget = ipw.VBox([self.kind, self._inputs])
        self.kind.observe(self._unfold, names="value")
        self.offer(offers)

    def offer(self, offers: Sequence[Offer], first: str | None = None) -> None:
        """Offer these; what is chosen stays if it is among them, or else is `first`."""
        names = [offer.name for offer in offers]
        before = self.kind.value
        self._offers = {offer.name: offer for offer in offers}
        wanted = first if first in names else names[0]
        self.kind.options = [(offer.label, offer.name) for offer in offers]
        self.kind.value = before if before in names else wanted
        self._unfold()

    def _unfold(self, _: object = None) -> None:
        self._inputs.children = tuple(self.fields.inputs.values())

    @property
    def chosen(self) -> Offer:
        """The offer that is chosen."""
        return self._offers[self.kind.value]

    @property
    def fields(self) -> Fields:
        """The inputs of the chosen offer."""
        offer = self.chosen
        if offer.name not in self._fields:
            self._fields[offer.name] = Fields(offer.settings, offer.start)
        return self._fields[offer.name]

    def value(self, **more: Any) -> Any:
        """What is chosen, as filled in.

        Parameters
        ----------
        **more : object
            Arguments from elsewhere, of which it takes those it has.

        Raises
        ------
        TrainingError
            When an argument is not of its kind, or out of its range.
        """
        values = self.fields.values()
        return (
            changed(self.chosen.start, {**more, **values}) if values or more else self.chosen.start
        )
