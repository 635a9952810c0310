"""The analyst's verbs as buttons, around one run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import ipywidgets as ipw

from fedlab.core.model import Model
from fedlab.errors import TrainingError
from fedlab.federation import Federation
from fedlab.privacy import RecordDP
from fedlab.strategies import Strategy
from fedlab.training import Training
from fedlab.widgets.panel import Panel
from fedlab.widgets.verbs import Verbs
from fedlab.widgets.worker import Worker

__all__ = ["Workbench"]

# Buttons that were grey for less would only flicker, and drop the keyboard's focus.
SECONDS_TO_GREY = 0.3


class Workbench:
    """A panel over a federation: start a run, step, run, pause, rewind, look, export.

    Each button calls one public method of `Federation` or `Training`; Step and Run begin a run by
    the form where there is none. The work goes on beside the notebook, whose cells stay free.

    Parameters
    ----------
    fed : Federation
    model : Model, optional
        What the form starts with; by default the first that fits the target, such as
        ``LogisticRegression()`` for classes.
    strategy : Strategy, optional
        What the form starts with; by default ``FedAvg()`` where the model can be averaged.
    privacy : RecordDP, optional
        What the form starts with; by default none.

    Attributes
    ----------
    widget : ipywidgets.VBox
        To place the panel among other widgets; the workbench itself shows as last line of a cell.
    form, controls, results : RunForm, Controls, Results
        The parts with their buttons: ``bench.controls.step.click()`` is a click.
    error : Exception or None
        What the last click ended in.

    Examples
    --------
    ::

        bench = fl.widgets.Workbench(fed)
        bench                        # the last line of a cell
        bench.run.history            # and on in code, with the run of the panel
    """

    error: Exception | None

    def __init__(
        self,
        fed: Federation,
        model: Model | None = None,
        strategy: Strategy | None = None,
        privacy: RecordDP | None = None,
    ) -> None:
        for name, value, kind, example in (
            ("fed", fed, Federation, "fl.Federation(sites)"),
            ("model", model, Model, "fl.LogisticRegression()"),
            ("strategy", strategy, Strategy, "fl.FedAvg()"),
            ("privacy", privacy, RecordDP, "fl.RecordDP(epsilon=2.0, delta=1e-5, rounds=30)"),
        ):
            if not (isinstance(value, kind) or (value is None and name != "fed")):
                came = type(value).__name__
                rule = f"{name} of a workbench must be a {kind.__name__}."
                raise TrainingError(rule, f"something of type {came}", f"Pass e.g. {example}.")
        self.fed, self.error, self._words = fed, None, "Ready."
        self._worker, self._panel = Worker(), Panel(fed, model, strategy, privacy)
        self._verbs = Verbs(fed, self._panel)
        self.form, self.controls, self.results = (
            self._panel.form,
            self._panel.controls,
            self._panel.results,
        )
        self.widget = self._panel.widget
        self._listen()
        self._panel.notice.say(self._words)
        self.refresh()

    def __repr__(self) -> str:
        run = "no run yet" if self.run is None else repr(self.run)
        return f"Workbench({len(self.fed.sites)} sites, {run})"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = self.widget._repr_mimebundle_(**kwargs)
        # The widget's own text would list every part, with ids that differ each time.
        return {**bundle, "text/plain": repr(self)}

    @property
    def run(self) -> Training | None:
        """The run of the panel; set it to go on with another."""
        return self._verbs.run

    @run.setter
    def run(self, run: Training | None) -> None:
        if run is not None and sorted(run.problem.rows) != list(self.fed.sites):
            raise TrainingError(
                "A workbench takes runs of its own sites.",
                f"a run of {', '.join(map(repr, sorted(run.problem.rows)))}",
                "Make a workbench of that run's federation.",
            )
        if self._worker.busy:
            raise TrainingError(
                "A workbench changes its run between two clicks.",
                "another run while one is under way",
                "Click Pause, or call bench.wait().",
            )
        self._verbs.run = run
        self.results.forget()
        self.refresh()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the work of the last click, at most `timeout` seconds; say whether it ended."""
        return self._worker.wait(timeout)

    def refresh(self) -> None:
        """Show the run as it stands, after code has moved it."""
        self._panel.show(self.run)
        self._panel.show_ledgers(self.fed)
        self._panel.allow(self.run, busy=self._worker.busy)

    def _listen(self) -> None:
        controls, results, verbs = self.controls, self.results, self._verbs
        clicks: dict[ipw.Button, tuple[str, Callable[[], str]]] = {
            self.form.start: ("Starting a run…", verbs.start),
            controls.step: ("A round is under way…", verbs.step),
            controls.run: ("Rounds are under way…", verbs.run_rounds),
            controls.rewind: ("Rewinding…", verbs.rewind),
            results.contribute: ("Judging coalitions of sites…", verbs.contribute),
            results.evaluate: ("Asking the sites to judge…", verbs.evaluate),
            results.export: ("Writing the model…", verbs.export),
        }
        for button, (words, verb) in clicks.items():
            # A click while another's work is under way does nothing.
            button.on_click(
                lambda _, words=words, verb=verb: self._worker.start(
                    lambda: self._do(words, verb), self._look
                )
            )
        controls.pause.on_click(lambda _: verbs.pause() if self._worker.busy else None)

    def _do(self, words: str, verb: Callable[[], str]) -> None:
        """One verb; what it ends in is kept for `_look`."""
        self.error, self._words = None, words
        grey = threading.Timer(SECONDS_TO_GREY, self._grey)
        self._panel.notice.say(words)
        grey.start()
        self._try(verb)
        self._verbs.pausing = False
        grey.cancel()
        grey.join()

    def _look(self) -> None:
        """Show what came of a verb; an error ends in words on the panel."""
        self.controls.show_progress(0, 0)
        self._try(self.refresh)
        self._panel.allow(self.run, busy=False)
        if self.error is None:
            self._panel.notice.say(self._words)
        else:
            self._panel.notice.complain(self.error)

    def _try(self, work: Callable[[], str | None]) -> None:
        try:
            self._words = work() or self._words
        except Exception as error:
            self.error = self.error or error

    def _grey(self) -> None:
        self._panel.allow(self.run, busy=True)
