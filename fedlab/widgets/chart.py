"""The live chart of a run."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from fedlab.core.model import Model
from fedlab.displays.history import history_figure
from fedlab.run_figure import run_figure
from fedlab.strategies import Strategy
from fedlab.training import Training

__all__ = ["Chart"]

MOST_POINTS = 200


class Chart:
    """Losses, the model's score, ε and what sites sent by round, updated in place.

    Attributes
    ----------
    widget : plotly FigureWidget
    """

    def __init__(self, sites: Sequence[str], model: Model, strategy: Strategy) -> None:
        self._sites, self._model, self._strategy = list(sites), model, strategy
        self.widget = go.FigureWidget(self._drawn(None))
        # Names are text, dollar signs included; the logo would be a link off the machine.
        self.widget._config = {
            "typesetMath": False,
            "displaylogo": False,
            "displayModeBar": False,
            "responsive": True,
        }
        self.widget.add_class("fedlab-chart")

    def show(self, run: Training | None) -> None:
        """Draw a run as it stands, or empty axes."""
        here, figure = self.widget, self._drawn(run)
        if _panels(here) == _panels(figure):
            with here.batch_update():
                for old, new in zip(here.data, figure.data, strict=True):
                    old.update(x=new.x, y=new.y, mode=new.mode)
                here.layout.update(figure.layout)
            return
        # A page only adds to its layout: what went has to be taken off by name.
        wanted = figure.layout.to_plotly_json()
        gone = {key: {"visible": False} for key in here.layout.to_plotly_json() if _axis(key)}
        shapes = wanted.get("shapes") or [{"visible": False}]
        # A height that is said again would fix the width as well, for good.
        said = {key: value for key, value in wanted.items() if key not in ("height", "autosize")}
        here.data = ()
        here.plotly_relayout({**gone, **said, "shapes": shapes})
        here.add_traces(figure.data)

    def _drawn(self, run: Training | None) -> go.Figure:
        # Said again to a figure on a page, autosize would fix the width it has there.
        return self._figure(run).update_layout(autosize=None)

    def _figure(self, run: Training | None) -> go.Figure:
        if run is None:
            scores = ["train_loss", "held_out_loss", f"held_out_{self._model.score}"]
            empty = history_figure(
                pd.DataFrame(0.0, index=[0], columns=scores),
                pd.DataFrame(0.0, index=[0], columns=self._sites),
                sizes=not self._strategy.sends_updates,
                loss=self._model.loss,
            )
            return empty.for_each_trace(lambda trace: trace.update(x=[], y=[]))
        # A page that gets ever longer figures falls behind a run, and then behind a click on Pause.
        figure = run_figure(run, MOST_POINTS)
        # Of one height, whatever is drawn, so that nothing below it jumps.
        return figure.update_layout(height=self.widget.layout.height)


def _panels(figure: go.Figure) -> list[tuple[str, str]]:
    return [(trace.name, trace.yaxis) for trace in figure.data]


def _axis(key: str) -> bool:
    return key.startswith(("xaxis", "yaxis"))
