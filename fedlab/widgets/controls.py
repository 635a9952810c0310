"""The buttons that move a run, and where it stands."""

from __future__ import annotations

import ipywidgets as ipw

from fedlab.displays.escape import as_html
from fedlab.training import Training
from fedlab.widgets.style import field

__all__ = ["Controls"]


class Controls:
    """Step, run, pause, rewind.

    Attributes
    ----------
    widget : ipywidgets.VBox
    step, run, pause, rewind : ipywidgets.Button
    n_rounds : ipywidgets.BoundedIntText
        Rounds of the next run.
    to_round : ipywidgets.IntSlider
        Where to rewind to.
    """

    def __init__(self) -> None:
        self._round, self._about = ipw.HTML(), ipw.HTML()
        self._round.add_class("fedlab-round")
        self._about.add_class("fedlab-quiet")
        self._progress = ipw.IntProgress(layout={"width": "auto", "visibility": "hidden"})
        self._progress.add_class("fedlab-progress")
        self.step = _button("Step", "step-forward", "One round (run.step)", "primary")
        self.run = _button("Run", "play", "The rounds below, one after another (run.run)")
        self.pause = _button("Pause", "pause", "Stop after the round under way (run.pause)")
        self.rewind = _button("Rewind", "undo", "Back to the chosen round (run.rewind)")
        self.n_rounds = field(ipw.IntText, "Rounds to run", "What Run takes", value=10)
        self.to_round = field(
            ipw.IntSlider, "Back to", "The round that Rewind goes back to", min=0, max=0, value=0
        )
        forward, back = ipw.Box([self.step, self.run, self.pause]), ipw.Box()
        back.children = [self.to_round, self.rewind]
        for box, look in ((forward, "fedlab-wide"), (back, "fedlab-slider")):
            box.add_class("fedlab-row").add_class(look)
        lines = [self._round, self._about, self._progress, forward, self.n_rounds, back]
        self.widget = ipw.VBox(lines)
        self.widget.add_class("fedlab-card")
        self.show_progress(0, 0)

    def allow(self, run: Training | None, *, busy: bool) -> None:
        """Leave only those buttons that make sense; Pause is `show_progress`'s."""
        over = run is not None and run.strategy.finished(run.problem, run.state)
        self.step.disabled = self.run.disabled = self.n_rounds.disabled = busy or over
        self.rewind.disabled = self.to_round.disabled = busy or run is None or run.round == 0

    def show(self, run: Training | None) -> None:
        """Show which round the run is at; Rewind offers the one before."""
        round = 0 if run is None else run.round
        self._round.value = "No run yet" if run is None else f"Round {round}"
        self._about.value = "Step or Run begins one" if run is None else as_html(_about(run))
        self.to_round.max = max(0, round - 1)
        self.to_round.value = self.to_round.max

    def show_progress(self, done: int, total: int) -> None:
        """Show how many of `total` rounds are done; Pause is for this time only."""
        self._progress.max, self._progress.value = max(total, 1), done
        under_way = done < total
        self._progress.layout.visibility = "visible" if under_way else "hidden"
        self.pause.disabled = not under_way


def _button(label: str, icon: str, tooltip: str, style: str = "") -> ipw.Button:
    button = ipw.Button(description=label, icon=icon, tooltip=tooltip, button_style=style)
    button.add_class(f"fedlab-{label.lower()}")
    return button


def _about(run: Training) -> str:
    promise = run.privacy
    name = f"{type(run.problem.model).__name__} by {type(run.strategy).__name__}"
    if run.secure:
        name += " through secure sums"
    if promise is None:
        return f"{name}, exact answers"
    return (
        f"{name}, ε = {promise.epsilon:g} at δ = {promise.delta:g} for one {promise.unit} over "
        f"{promise.rounds} rounds"
    )
