"""How many rows look like how many others."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import COLOURS, as_labels, as_numbers, plain

__all__ = ["anonymity_figure"]

BLUE, VERMILLION = COLOURS[:2]


def anonymity_figure(frame: pd.DataFrame) -> go.Figure:
    """A bar a range of class sizes, as high as the share of rows in such classes.

    Parameters
    ----------
    frame : DataFrame
        Columns ``classes``, ``rows``, ``share`` and ``risk``, one row a range, in ascending order.

    Examples
    --------
    >>> one = {"classes": 2, "rows": 2, "share": 0.5, "risk": 1.0}
    >>> anonymity_figure(pd.DataFrame([one], index=["1"])).data[0].y
    (50.0,)
    """
    counts = zip(frame["classes"], frame["rows"], as_numbers(frame["risk"]), strict=True)
    labels = as_labels(frame.index)
    figure = go.Figure()
    figure.add_bar(
        x=labels,
        y=as_numbers(100 * frame["share"]),
        marker={"color": [VERMILLION if label == "1" else BLUE for label in labels]},
        text=[f"{int(rows):,} rows" for rows in frame["rows"]],
        textposition="outside",
        cliponaxis=False,
        customdata=[[f"{int(n):,}", f"{int(rows):,}", risk] for n, rows, risk in counts],
        hovertemplate="size %{x}: %{customdata[1]} rows in %{customdata[0]} classes, "
        "risk at most %{customdata[2]:.3g}<extra></extra>",
        showlegend=False,
    )
    plain(figure, height=320)
    # Without it plotly takes labels like "1" for numbers.
    figure.update_xaxes(
        type="category", title={"text": "rows that agree in all quasi-identifiers"}, showgrid=False
    )
    return figure.update_yaxes(title={"text": "share of rows, %"}, rangemode="tozero")
