"""The parts of the workbench on one surface, and what they show of a run."""

from __future__ import annotations

import threading

import ipywidgets as ipw

from fedlab.core.model import Model
from fedlab.federation import Federation
from fedlab.privacy import RecordDP
from fedlab.strategies import Strategy
from fedlab.training import Training
from fedlab.widgets.chart import Chart
from fedlab.widgets.controls import Controls
from fedlab.widgets.form import RunForm
from fedlab.widgets.notice import Notice
from fedlab.widgets.results import Results
from fedlab.widgets.style import Sheet

__all__ = ["Panel"]


class Panel:
    """Shows; knows no verb.

    Attributes
    ----------
    widget : ipywidgets.VBox
    form, controls, results, notice : RunForm, Controls, Results, Notice
    """

    def __init__(
        self,
        fed: Federation,
        model: Model | None,
        strategy: Strategy | None,
        privacy: RecordDP | None,
    ) -> None:
        self.form, self.controls = RunForm(fed.schema, model, strategy, privacy), Controls()
        self.results, self.notice = Results(), Notice()
        chosen = self.form.models.chosen.start, self.form.strategies.chosen.start
        self._chart = Chart(fed.sites, *chosen)
        # Cells and the worker may both show something.
        self._lock = threading.RLock()
        sheet, side = Sheet(), ipw.VBox([self.controls.widget, self.form.widget])
        columns = ipw.Box([side, self._chart.widget])
        self.widget = ipw.VBox([sheet, columns, self.notice.widget, self.results.widget])
        for part, name in (
            (sheet, "fedlab-sheet"),
            (side, "fedlab-side"),
            (columns, "fedlab-columns"),
            (self.widget, "fedlab-bench"),
        ):
            part.add_class(name)

    def allow(self, run: Training | None, *, busy: bool) -> None:
        """Leave only those buttons that make sense."""
        with self._lock:
            self.controls.allow(run, busy=busy)
            self.results.allow(run, busy=busy)
            self.form.start.disabled = busy

    def show(self, run: Training | None) -> None:
        """Show a run as it stands."""
        with self._lock:
            self.controls.show(run)
            self._chart.show(run)
            if run is not None:
                self.results.show_round(run)

    def show_ledgers(self, fed: Federation) -> None:
        """Show the sites, and what they have spent as their ledgers say now."""
        with self._lock:
            self.results.show_sites(fed)
