"""Figures of questions: computed frames in, plotly figure out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.escape import as_label
from fedlab.displays.look import COLOURS, GREY, as_labels, as_numbers, bars_by_site

__all__ = [
    "differences_figure",
    "presence_figure",
    "quantiles_figure",
    "shares_figure",
]

BLUE, VERMILLION = COLOURS[:2]
LARGE = 0.1
"""A standardised difference above which groups are usually called unbalanced (Austin 2009)."""


def quantiles_figure(frame: pd.DataFrame, column: str, all_sites: str) -> go.Figure:
    """A point for each quantile, with the bounds between which it lies for certain.

    Parameters
    ----------
    frame : DataFrame
        Columns ``site``, ``group``, ``q``, ``value``, ``low`` and ``high``.
    column : str
    all_sites : str

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"site": ["a"], "group": [""], "q": [0.5], "value": [4.0], "low": [3.0], "high": [6.0]}
    ... )
    >>> quantiles_figure(frame, "age", "all").data[0].x
    (4.0,)
    """
    told = frame.dropna(subset="value")
    told = told.assign(
        line=[f"{s} · {g}" if g else s for s, g in zip(told["site"], told["group"], strict=True)]
    )
    lines = list(dict.fromkeys(told["line"]))
    labels = dict(zip(lines, as_labels(lines), strict=True))
    figure = go.Figure()
    asked = sorted(set(told["q"]))
    for i, q in enumerate(asked):
        part = told[told["q"] == q]
        colour = COLOURS[i % len(COLOURS)]
        # Beyond the edges nothing is known, and nothing is drawn.
        reach_up = (part["high"] - part["value"]).replace(math.inf, 0.0)
        reach_down = (part["value"] - part["low"]).replace(math.inf, 0.0)
        figure.add_scatter(
            x=as_numbers(part["value"]),
            y=[labels[line] for line in part["line"]],
            mode="markers",
            name="median" if q == 0.5 else f"{100 * q:g}%",
            showlegend=True,
            marker={
                "color": colour,
                "size": 9,
                "symbol": ["diamond" if s == all_sites else "circle" for s in part["site"]],
            },
            error_x={
                "array": as_numbers(reach_up),
                "arrayminus": as_numbers(reach_down),
                "thickness": 1.5,
            },
            hovertemplate="%{y}: %{x:.4g}<extra></extra>",
        )
    bars_by_site(figure, len(lines), f"{as_label(column)}<br>bars: certain bounds")
    return figure.update_yaxes(categoryorder="array", categoryarray=list(labels.values()))


def presence_figure(frame: pd.DataFrame, all_sites: str, by: Sequence[str] = ()) -> go.Figure:
    """Share of patients with a value, a cell for each column and site.

    Parameters
    ----------
    frame : DataFrame
        Columns ``site``, ``column``, ``patients``, ``missing``, ``unmapped`` and their statuses.
    all_sites : str
    by : sequence of str
        Columns of groups, which are added up.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"site": ["a"], "column": ["age"], "level": [""], "patients": [15.0],
    ...      "status": ["shown"], "missing": [5.0], "missing_status": ["shown"],
    ...      "unmapped": [0.0], "unmapped_status": ["shown"]}
    ... )
    >>> presence_figure(frame, "all").data[0].z
    ([75.0],)
    """
    sites, columns = list(dict.fromkeys(frame["site"])), list(dict.fromkeys(frame["column"]))
    shares: list[list[float | None]] = []
    texts: list[list[str]] = []
    for column in columns:
        shares.append([])
        texts.append([])
        for site in sites:
            part = frame[(frame["column"] == column) & (frame["site"] == site)]
            share, text = _presence(part, list(by))
            shares[-1].append(share)
            texts[-1].append(text)
    names = as_labels(sites)
    names = [f"<b>{n}</b>" if s == all_sites else n for n, s in zip(names, sites, strict=True)]
    figure = go.Figure()
    figure.add_heatmap(
        z=shares,
        x=names,
        y=as_labels(columns),
        zmin=0,
        zmax=100,
        text=texts,
        texttemplate="%{text}",
        textfont={"color": GREY},
        colorscale=[[0, "rgba(0,114,178,0)"], [1, "rgba(0,114,178,0.25)"]],
        showscale=False,
        xgap=2,
        ygap=2,
        hovertemplate="%{y}, %{x}: %{text}<extra></extra>",
    )
    bars_by_site(figure, len(columns), "% of patients with a value<br>supp.: suppressed, not zero")
    figure.update_layout(height=110 + 24 * len(columns))
    return figure.update_xaxes(type="category", showgrid=False, side="bottom")


def _presence(part: pd.DataFrame, by: list[str]) -> tuple[float | None, str]:
    kinds = set(part["status"]) | set(part["missing_status"]) | set(part["unmapped_status"])
    if kinds & {"suppressed", "at least"}:
        return None, "supp."
    once = part.drop_duplicates(by) if by else part.iloc[:1]
    has = float(part["patients"].sum())
    total = has + float(once["missing"].sum() + once["unmapped"].sum())
    share = min(max(100 * has / total, 0.0), 100.0) if total > 0 else None
    return (None, "—") if share is None else (round(share, 6), f"{share:.0f}")


def shares_figure(frame: pd.DataFrame, rows: str, columns: str, levels: Sequence[str]) -> go.Figure:
    """Within each level of one column, shares of another's, which add up to 100 %.

    Parameters
    ----------
    frame : DataFrame
        Columns of these two names, ``row_share``, ``patients`` and ``status``.
    rows, columns : str
    levels : sequence of str
        Of the second, in order.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"sex": ["f"], "ward": ["a"], "row_share": [1.0], "patients": [9.0],
    ...      "status": ["shown"]}
    ... )
    >>> shares_figure(frame, "sex", "ward", ["a"]).data[0].x
    (100.0,)
    """
    drawn = frame[frame[columns].isin(list(levels))]
    names = [
        n
        for n in dict.fromkeys(drawn[rows])
        if not drawn.loc[drawn[rows] == n, "patients"].eq(0).all()
    ]
    drawn = drawn[drawn[rows].isin(names)]
    places = dict(zip(names, as_labels(names), strict=True))
    figure = go.Figure()
    for i, (level, label) in enumerate(zip(levels, as_labels(levels), strict=True)):
        part = drawn[drawn[columns] == level]
        figure.add_bar(
            x=as_numbers(100 * part["row_share"]),
            y=[places[name] for name in part[rows]],
            orientation="h",
            name=label,
            showlegend=True,
            marker={"color": COLOURS[i % len(COLOURS)]},
            customdata=as_numbers(part["patients"]),
            hovertemplate=f"%{{y}}, {label}: %{{x:.1f}} %, %{{customdata:,.0f}}<extra></extra>",
        )
    whole = drawn.groupby(rows, sort=False)["row_share"].apply(lambda share: share.notna().all())
    figure.update_layout(barmode="stack", bargap=0.35, legend_traceorder="normal")
    bars_by_site(
        figure, len(names), f"% of patients of each {as_label(rows)}, by {as_label(columns)}"
    )
    figure.update_yaxes(categoryorder="array", categoryarray=list(places.values()))
    for name in names:
        if not whole[name]:
            figure.add_annotation(
                x=50,
                y=places[name],
                text="a cell is suppressed",
                showarrow=False,
                font={"color": GREY},
            )
    return figure.update_xaxes(range=[0, 100])


def differences_figure(frame: pd.DataFrame) -> go.Figure:
    """Standardised differences of the groups, a point for each column, 0.1 as a line.

    Parameters
    ----------
    frame : DataFrame
        Column ``smd``, one row a column of the table.

    Examples
    --------
    >>> differences_figure(pd.DataFrame({"smd": [0.2]}, index=["age"])).data[0].x
    (0.2,)
    """
    told = frame.dropna(subset="smd")
    figure, names = go.Figure(), as_labels(told.index)
    large = told["smd"] > LARGE
    figure.add_scatter(
        x=as_numbers(told["smd"]),
        y=names,
        mode="markers",
        marker={
            "size": 10,
            "color": [VERMILLION if each else BLUE for each in large],
            "symbol": ["diamond" if each else "circle" for each in large],
        },
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )
    figure.add_vline(LARGE, line={"color": GREY, "width": 1.5, "dash": "dash"})
    bars_by_site(figure, len(told), "standardised difference of the groups<br>dashed: 0.1")
    figure.update_xaxes(rangemode="tozero")
    return figure.update_yaxes(categoryorder="array", categoryarray=names, showgrid=True)
