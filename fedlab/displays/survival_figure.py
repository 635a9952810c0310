"""Survival curves, what they certainly lie in, and how many are still followed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import COLOURS, GREY, as_labels, as_numbers, plain

__all__ = ["survival_figure"]

TICKS = 8
LINE_HEIGHT = 22


def survival_figure(
    frame: pd.DataFrame,
    at_risk: pd.DataFrame,
    *,
    time: str,
    level: float,
    private: bool = False,
) -> go.Figure:
    """Step curves with bands, and below the axis the patients at risk.

    A band is the interval of the level; dotted steps are the bounds between which the curve of
    these patients certainly lies, where counts leave it open. There are no marks at censored times:
    sites tell counts, not times.

    Parameters
    ----------
    frame : DataFrame
        Index of group and time; columns ``survival``, ``lower``, ``upper``, ``low`` and ``high``.
    at_risk : DataFrame
        One row a group, one column a time from 0 on; the last column is not drawn.
    time : str
        What the times are.
    level : float
        Of the bands.
    private : bool
        Whether there are no bounds to draw.

    Examples
    --------
    >>> index = pd.MultiIndex.from_product([["everybody"], [10.0, 20.0]], names=["group", "time"])
    >>> curve = pd.DataFrame({"survival": [0.9, 0.5]}, index=index)
    >>> curve = curve.assign(lower=0.3, upper=0.95, low=0.5, high=0.9)
    >>> table = pd.DataFrame([[10.0, 9.0, 5.0]], index=["everybody"], columns=[0.0, 10.0, "after"])
    >>> survival_figure(curve, table, time="days", level=0.95).data[0].y
    (1.0, 0.9, 0.5)
    """
    from plotly.subplots import make_subplots

    groups, n_groups = list(at_risk.index), len(at_risk)
    labels = as_labels(groups)
    below = LINE_HEIGHT * max(n_groups, 2)
    figure = make_subplots(
        rows=2,
        shared_xaxes=True,
        row_heights=[300, below],
        vertical_spacing=60 / (360 + below),
    )
    for position, (group, label) in enumerate(zip(groups, labels, strict=True)):
        colour = COLOURS[position % len(COLOURS)]
        _curve(figure, frame.loc[group], label, colour, private=private)
    _at_risk(figure, at_risk, labels)
    plain(figure, height=394 + below)
    open_ = not private and not np.array_equal(frame["low"], frame["high"])
    bounds = "; dotted: certain bounds" if open_ else ""
    figure.update_xaxes(rangemode="tozero", zeroline=False)
    figure.update_xaxes(title={"text": _text(time)}, showticklabels=True, row=1)
    figure.update_xaxes(showgrid=False, showticklabels=False, ticks="", showline=False, row=2)
    figure.update_yaxes(
        title={"text": f"survival<br>band: {level:.0%} interval{bounds}"},
        range=[0, 1.02],
        row=1,
    )
    figure.update_layout(hovermode="x unified" if n_groups > 1 else "closest")
    return figure.update_yaxes(
        type="category",
        autorange="reversed",
        showgrid=False,
        showline=False,
        ticks="",
        ticklabelstandoff=18,
        title={"text": "at risk", "standoff": 6},
        row=2,
    )


def _text(name: object) -> str:
    return as_labels([name])[0]


def _curve(
    figure: go.Figure, curve: pd.DataFrame, label: str, colour: str, *, private: bool
) -> None:
    steps = {"shape": "hv", "color": colour}
    figure.add_scatter(
        x=as_numbers([0.0, *curve.index]),
        y=as_numbers([1.0, *curve["survival"]]),
        mode="lines",
        name=label,
        legendgroup=label,
        showlegend=True,
        line={**steps, "width": 2},
        hovertemplate="%{x:.4g}: %{y:.4f}",
        row=1,
        col=1,
    )
    quiet = {"showlegend": False, "legendgroup": label, "hoverinfo": "skip", "row": 1, "col": 1}
    band = curve.dropna(subset=["lower", "upper"])
    for name, fill in (("lower", None), ("upper", "tonexty")):
        figure.add_scatter(
            x=as_numbers([0.0, *band.index]),
            y=as_numbers([1.0, *band[name]]),
            mode="lines",
            line={**steps, "width": 0},
            fill=fill,
            fillcolor=_faint(colour),
            **quiet,
        )
    if private or np.array_equal(curve["low"], curve["high"]):
        return
    for name, shape in (("low", "vh"), ("high", "hv")):
        figure.add_scatter(
            x=as_numbers([0.0, *curve.index]),
            y=as_numbers([1.0, *curve[name]]),
            mode="lines",
            # Between two times of the grid the curve may already be as low as at the next.
            line={**steps, "shape": shape, "width": 1.2, "dash": "dot"},
            **quiet,
        )


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.16)"


def _at_risk(figure: go.Figure, at_risk: pd.DataFrame, labels: list[str]) -> None:
    times = list(at_risk.columns)[:-1]
    places = sorted({round(i) for i in np.linspace(0, len(times) - 1, min(TICKS, len(times)))})
    shown = at_risk.iloc[:, places]
    for position, label in enumerate(labels):
        figure.add_scatter(
            x=as_numbers(times[i] for i in places),
            y=[label] * len(places),
            mode="text",
            text=[_count(value) for value in shown.iloc[position]],
            textfont={"color": GREY, "size": 12},
            cliponaxis=False,
            showlegend=False,
            hoverinfo="skip",
            row=2,
            col=1,
        )


def _count(value: float) -> str:
    return "" if value != value else f"{value:,.0f}"
