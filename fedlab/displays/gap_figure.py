"""A federated fit and its pooled twin, number by number."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import COLOURS, as_labels, as_numbers, bars_by_site

__all__ = ["gap_figure"]

MOST_ROWS = 60


def gap_figure(frame: pd.DataFrame, unit: str = "learned number") -> go.Figure:
    """A ring for each pooled number and a point for the federated one, which fills it when equal.

    Of more than 60 numbers those that differ most are drawn.

    Parameters
    ----------
    frame : DataFrame
        Columns ``federated``, ``pooled`` and ``difference``, one row a number.
    unit : str
        What the numbers are.

    Examples
    --------
    >>> frame = pd.DataFrame({"federated": [1.0], "pooled": [1.0], "difference": [0.0]}, ["age"])
    >>> [trace.name for trace in gap_figure(frame).data]
    ['pooled', 'federated']
    """
    largest = frame["difference"].abs().nlargest(MOST_ROWS).index
    shown = frame[frame.index.isin(largest)]
    figure, names = go.Figure(), as_labels(shown.index)
    for column, colour, symbol, size in (
        ("pooled", COLOURS[1], "circle-open", 14),
        ("federated", COLOURS[0], "circle", 7),
    ):
        figure.add_scatter(
            x=as_numbers(shown[column]),
            y=names,
            mode="markers",
            name=column,
            marker={"color": colour, "symbol": symbol, "size": size, "line": {"width": 2}},
            hovertemplate=f"%{{y}}: {column} %{{x:.6g}}<extra></extra>",
        )
    return bars_by_site(figure, len(shown), unit)
