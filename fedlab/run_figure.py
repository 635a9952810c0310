"""A run as a figure, thinned to as many rounds as are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from fedlab.standing import Standing

__all__ = ["run_figure"]


def run_figure(run: Standing, most: int | None = None) -> go.Figure:
    """Losses, the model's score, ε and what each site sent, by round.

    What was sent is drawn by its norm where it is an update, and else by its size: sums and
    histograms say nothing by their norm.

    Parameters
    ----------
    run : Training
    most : int, optional
        Rounds to draw, evenly chosen, the first and the last among them.
    """
    from fedlab.displays.history import history_figure

    last = len(run.rounds) - 1
    shown = np.arange(last + 1)
    if most is not None:
        shown = np.unique(np.linspace(0, last, most).round().astype(np.int64))
    norms = [run.rounds[at].norms for at in shown]
    sites = sorted(run.problem.rows)
    return history_figure(
        run.history.iloc[shown],
        pd.DataFrame(norms, index=pd.Index(shown), columns=sites),
        # Said from the start, when nothing has been hidden yet, or panels would change under way.
        sizes=not run.strategy.sends_updates
        or run.secure
        or any(done.hidden for done in run.rounds),
        loss=run.problem.model.loss,
        promised=None if run.privacy is None else run.privacy.epsilon,
        unit_of_epsilon="record" if run.privacy is None else run.privacy.unit,
    )
