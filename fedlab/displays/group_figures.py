"""Patients by group and by bin, as bars; what is suppressed is hatched, and not of no height."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.escape import as_label
from fedlab.displays.look import COLOURS, GREY, as_labels, as_numbers, bars_by_site, plain

__all__ = ["counts_figure", "histogram_figure"]

MOST_TICKS = 10
HATCHED: dict[str, Any] = {
    "color": "rgba(128,128,128,0.12)",
    "line": {"color": GREY, "width": 1},
    "pattern": {"shape": "/", "fgcolor": GREY, "size": 5, "solidity": 0.4},
}


def counts_figure(frame: pd.DataFrame, all_sites: str) -> go.Figure:
    """Patients of each site by group, as bars beside each other; hatched where suppressed.

    Parameters
    ----------
    frame : DataFrame
        Columns ``site``, ``group``, ``patients`` and ``status``.
    all_sites : str
        The line of all sites, which is drawn only where it is alone.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"site": ["a"], "group": ["x"], "patients": [12.0], "status": ["shown"]}
    ... )
    >>> counts_figure(frame, "all").data[0].x
    (12.0,)
    """
    sites = frame[frame["site"] != all_sites]
    drawn = sites if len(sites) else frame
    groups = _some(drawn, "group")
    names = list(dict.fromkeys(drawn["site"]))
    labels = dict(zip(names, as_labels(names), strict=True))
    stub = _stub(drawn["patients"], 0.025)
    figure = go.Figure()
    for i, (group, name) in enumerate(zip(groups, as_labels(groups), strict=True)):
        part = drawn[(drawn["group"] == group) & (drawn["status"] != "suppressed")]
        figure.add_bar(
            x=as_numbers(part["patients"]),
            y=[labels[site] for site in part["site"]],
            orientation="h",
            name=name,
            offsetgroup=str(i),
            showlegend=len(groups) > 1,
            marker={"color": COLOURS[i % len(COLOURS)]},
            customdata=_texts(part),
            hovertemplate=f"%{{y}}, {name}: %{{customdata}}<extra></extra>",
        )
    held = drawn[(drawn["status"] == "suppressed") & drawn["group"].isin(groups)]
    for i, (group, name) in enumerate(zip(groups, as_labels(groups), strict=True)):
        part = held[held["group"] == group]
        if len(part):
            figure.add_bar(
                x=[stub] * len(part),
                y=[labels[site] for site in part["site"]],
                orientation="h",
                name="suppressed, not zero",
                offsetgroup=str(i),
                legendgroup="suppressed",
                showlegend=group == held["group"].iloc[0],
                marker=HATCHED,
                hovertemplate=f"%{{y}}, {name}: suppressed<extra></extra>",
            )
    figure.update_layout(barmode="group", bargap=0.3)
    bars_by_site(figure, len(labels), "patients")
    figure.update_yaxes(categoryorder="array", categoryarray=list(labels.values()))
    rows = len(labels) * max(len(groups), 1)
    return figure.update_layout(height=130 + max(17 * rows, 34 * len(labels)))


def histogram_figure(
    frame: pd.DataFrame, column: str, all_sites: str, *, by_group: bool
) -> go.Figure:
    """Patients by bin; sites on top of each other, or groups of all sites beside each other.

    Parameters
    ----------
    frame : DataFrame
        Columns ``site``, ``group``, ``bin``, ``low``, ``high``, ``patients`` and ``status``.
    column : str
        What is along the axis.
    all_sites : str
    by_group : bool

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"site": ["a"], "group": [""], "bin": ["0 to <9"], "low": [0.0], "high": [9.0],
    ...      "patients": [12.0], "status": ["shown"]}
    ... )
    >>> histogram_figure(frame, "age", "all", by_group=False).data[0].x
    (4.5,)
    """
    key = "group" if by_group else "site"
    sites = frame[frame["site"] != all_sites]
    drawn = frame[frame["site"] == all_sites] if by_group else sites if len(sites) else frame
    drawn = drawn[drawn["low"].map(math.isfinite) & drawn["high"].map(math.isfinite)]
    names = _some(drawn, key)
    beside = by_group and len(names) > 1
    stub = _stub(
        drawn.groupby("low")["patients"].sum() if not by_group else drawn["patients"], 0.04
    )
    figure = go.Figure()
    for i, (name, label) in enumerate(zip(names, as_labels(names), strict=True)):
        part = drawn[drawn[key] == name]
        told = part[part["status"] != "suppressed"]
        figure.add_bar(
            **_places(told, len(names) if beside else 1, i if beside else 0),
            y=as_numbers(told["patients"]),
            name=label,
            showlegend=len(names) > 1,
            marker={"color": COLOURS[i % len(COLOURS)]},
            customdata=[
                list(pair) for pair in zip(map(as_label, told["bin"]), _texts(told), strict=True)
            ],
            hovertemplate=f"{label} %{{customdata[0]}}: %{{customdata[1]}}<extra></extra>",
        )
    held = drawn[(drawn["status"] == "suppressed") & drawn[key].isin(names)]
    first = True
    for i, name in enumerate(names if beside else [None]):
        # On top of a stack one mark says that some site is not in it, however many.
        part = held[held[key] == name] if beside else held.drop_duplicates("low")
        if len(part):
            figure.add_bar(
                **_places(part, len(names) if beside else 1, i if beside else 0),
                y=[stub] * len(part),
                name="suppressed, not zero",
                legendgroup="suppressed",
                showlegend=first,
                marker=HATCHED,
                customdata=[as_label(each) for each in part["bin"]],
                hovertemplate="%{customdata}: suppressed<extra></extra>",
            )
            first = False
    figure.update_layout(barmode="overlay" if beside else "stack", legend_traceorder="normal")
    plain(figure, height=330)
    ends = sorted({*drawn["low"], *drawn["high"]})
    ticks = as_numbers(ends[:: math.ceil(len(ends) / MOST_TICKS)] or [0.0])
    texts = [f"{tick:.4g}" for tick in ticks if tick is not None]
    figure.update_xaxes(
        title={"text": as_label(column)}, showgrid=False, tickvals=ticks, ticktext=texts
    )
    return figure.update_yaxes(title={"text": "patients"}, rangemode="tozero")


def _some(frame: pd.DataFrame, key: str) -> list[Any]:
    """Names of what is not nobody everywhere."""
    names = dict.fromkeys(frame[key])
    return [n for n in names if not frame.loc[frame[key] == n, "patients"].eq(0).all()]


def _stub(patients: pd.Series, share: float) -> float:
    """High enough to be seen, low enough not to be read as a count."""
    return share * max(float(patients.fillna(0.0).max()) if len(patients) else 0.0, 1.0)


def _texts(part: pd.DataFrame) -> list[str]:
    pairs = zip(part["status"], part["patients"], strict=True)
    return [f"{'at least ' * (state == 'at least')}{n:,.0f}" for state, n in pairs]


def _places(part: pd.DataFrame, across: int, place: int) -> dict[str, list[float | None]]:
    """Middles and widths of bars that share a bin."""
    width = (part["high"] - part["low"]) / across
    return {"x": as_numbers(part["low"] + (place + 0.5) * width), "width": as_numbers(0.94 * width)}
