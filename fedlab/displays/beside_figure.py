"""A federated fit between the pooled one and those of single sites."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import COLOURS, GREY, as_labels, as_numbers, bars_by_site

__all__ = ["beside_figure"]

MARKS = (("accuracy", "circle", "dash"), ("f1", "diamond", "dot"), ("r2", "circle", "dash"))
NAMES = {"accuracy": "accuracy", "f1": "F1", "r2": "R²"}


def beside_figure(frame: pd.DataFrame, spread: pd.DataFrame, federated: str) -> go.Figure:
    """Accuracy and F1 of each fit as points; the federated fit's as lines through all of them.

    Parameters
    ----------
    frame : DataFrame
        One row a fit, with ``training_rows`` and the figures.
    spread : DataFrame
        Standard deviations of the same over splits, NaN where there was one.
    federated : str
        The row through whose points lines are drawn.

    Examples
    --------
    >>> frame = pd.DataFrame({"training_rows": [9, 5], "accuracy": [0.9, 0.8]}, index=["all", "a"])
    >>> [trace.name for trace in beside_figure(frame, frame * float("nan"), "all").data]
    ['accuracy']
    """
    figure = go.Figure()
    labels = [
        f"{label} ({rows:.0f})"
        for label, rows in zip(as_labels(frame.index), frame["training_rows"], strict=True)
    ]
    several = not spread[[name for name in NAMES if name in spread]].isna().all(axis=None)
    chosen = [mark for mark in MARKS if mark[0] in frame]
    for colour, (column, symbol, dash) in zip(COLOURS, chosen, strict=False):
        name = NAMES[column]
        bars = {"array": as_numbers(spread[column]), "color": GREY, "thickness": 1.5}
        figure.add_scatter(
            x=as_numbers(frame[column]),
            y=labels,
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 10},
            error_x=bars if several else None,
            name=f"{name} ± SD" if several else name,
            showlegend=True,
            hovertemplate=f"%{{y}}: {name} %{{x:.4f}}<extra></extra>",
        )
        (here,) = as_numbers(frame.loc[[federated], column])
        if here is not None:
            figure.add_vline(here, line={"color": colour, "width": 1.5, "dash": dash})
    unit = "on the held-out rows of all sites<br>lines: federated; in brackets: training rows"
    unit += "<br>bars: standard deviations over splits" if several else ""
    bars_by_site(figure, len(frame), unit)
    return figure.update_yaxes(showgrid=True)
