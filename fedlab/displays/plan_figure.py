"""What a plan would spend, round by round."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import COLOURS, GREY, as_numbers, plain

__all__ = ["plan_figure"]


def plan_figure(frame: pd.DataFrame, *, promised: float, unit: str) -> go.Figure:
    """ε over rounds, its quick upper bound, and what was promised.

    Parameters
    ----------
    frame : DataFrame
        Columns ``epsilon`` and ``epsilon_bound``, one row a round.
    promised : float
    unit : str
        Whose ε it is.

    Examples
    --------
    >>> frame = pd.DataFrame({"epsilon": [0.5, 1.0], "epsilon_bound": [0.6, 1.1]}, index=[1, 2])
    >>> [trace.name for trace in plan_figure(frame, promised=1.0, unit="record").data]
    ['ε', 'by Rényi divergences']
    """
    figure = go.Figure()
    for column, name, colour, dash in (
        ("epsilon", "ε", COLOURS[0], "solid"),
        ("epsilon_bound", "by Rényi divergences", COLOURS[1], "dot"),
    ):
        figure.add_scatter(
            x=[int(number) for number in frame.index],
            y=as_numbers(frame[column]),
            mode="lines+markers" if len(frame) < 60 else "lines",
            name=name,
            line={"color": colour, "dash": dash},
            showlegend=True,
            hovertemplate=f"round %{{x}}: {name} %{{y:.4f}}<extra></extra>",
        )
    figure.add_hline(promised, line={"color": GREY, "width": 1.5, "dash": "dash"})
    plain(figure, height=320)
    figure.update_xaxes(title={"text": "round"})
    return figure.update_yaxes(
        title={"text": f"ε of one {unit} so far<br>dashed: promised"}, rangemode="tozero"
    )
