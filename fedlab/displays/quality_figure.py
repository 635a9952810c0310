"""Scores of sites with their intervals, as told from the sums of rounds."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import COLOURS, GREY, as_labels, as_numbers, bars_by_site
from fedlab.displays.words import loss_words

__all__ = ["quality_figure"]

BLUE, VERMILLION = COLOURS[:2]


def quality_figure(frame: pd.DataFrame, loss: str = "log_loss", level: float = 0.95) -> go.Figure:
    """A point and an interval a site; grey where the interval holds the mean of the sites.

    Parameters
    ----------
    frame : DataFrame
        Columns ``score``, ``lower``, ``upper`` and ``points``, one row a site.
    loss : str
        What falls, as the model names it.
    level : float
        Coverage of the intervals.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"score": [-2.0], "lower": [-3.0], "upper": [-1.0], "points": [-7]}, index=["mercy"]
    ... )
    >>> quality_figure(frame).data[0].x
    (-2.0,)
    """
    figure = go.Figure()
    above, below = frame["lower"] > 0, frame["upper"] < 0
    colours = [
        BLUE if up else VERMILLION if down else GREY for up, down in zip(above, below, strict=True)
    ]
    words, unit = loss_words(loss)
    for name, colour, symbol in (
        ("better than the mean site", BLUE, "triangle-up"),
        ("not told apart", GREY, "circle"),
        ("worse", VERMILLION, "triangle-down"),
    ):
        chosen = [each == colour for each in colours]
        if not any(chosen):
            continue
        some = frame[chosen]
        figure.add_scatter(
            x=as_numbers(some["score"]),
            y=[label for label, one in zip(as_labels(frame.index), chosen, strict=True) if one],
            mode="markers",
            name=name,
            showlegend=True,
            marker={"color": colour, "size": 10, "symbol": symbol},
            error_x={
                "array": as_numbers(some["upper"] - some["score"]),
                "arrayminus": as_numbers(some["score"] - some["lower"]),
                "thickness": 1.5,
            },
            customdata=[[points] for points in as_numbers(some["points"])],
            hovertemplate="%{y}: %{x:.4g}, %{customdata[0]} points<extra></extra>",
        )
    figure.update_yaxes(categoryorder="array", categoryarray=as_labels(frame.index))
    figure.add_vline(0.0, line={"color": GREY, "width": 1.5, "dash": "dash"})
    return bars_by_site(
        figure,
        len(frame),
        f"more fall of the held-out {words} in a round<br>than by the mean site ({unit}), "
        f"with {100 * level:g} % intervals",
    )
