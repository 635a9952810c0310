"""The promise of privacy in the form."""

from __future__ import annotations

import ipywidgets as ipw

from fedlab.privacy import RecordDP
from fedlab.widgets.style import field

__all__ = ["Promise"]


class Promise:
    """Whether answers have noise, and how much.

    Attributes
    ----------
    widget : ipywidgets.VBox
    private : ipywidgets.Checkbox
    epsilon, delta, rounds, clip : ipywidgets.Widget
    """

    def __init__(self, privacy: RecordDP | None) -> None:
        promise = privacy or RecordDP(epsilon=2.0, delta=1e-5, rounds=30)
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
        self._how = ipw.VBox([self.epsilon, self.delta, self.rounds, self.clip])
        self.widget = ipw.VBox([self.private, self._how])
        self.private.observe(self._fold, names="value")
        self._fold()

    def _fold(self, _: object = None) -> None:
        self._how.layout.display = "" if self.private.value else "none"

    def value(self) -> RecordDP | None:
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
