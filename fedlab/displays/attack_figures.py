"""Figures of the attack lab: computed frames in, plotly figure out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import COLOURS, GREY, as_labels, as_numbers, bars_by_site, plain

__all__ = [
    "attribute_figure",
    "audit_figure",
    "inversion_figure",
    "robustness_figure",
    "roc_figure",
]

BLUE, VERMILLION = COLOURS[:2]
LOWEST_RATE = 1e-3
# What is below is rounding, whose digits differ between machines; figures are compared as text.
LOWEST_ERROR = 1e-12


def roc_figure(roc: pd.DataFrame) -> go.Figure:
    """True against false positives on logarithmic axes, and the line of guessing.

    Examples
    --------
    >>> roc = pd.DataFrame({"false_positive_rate": [0, 1.0], "true_positive_rate": [0, 1.0]})
    >>> [trace.name for trace in roc_figure(roc).data]
    ['attack', 'guessing']
    """
    figure = go.Figure()
    figure.add_scatter(
        x=as_numbers(np.maximum(roc["false_positive_rate"], LOWEST_RATE)),
        y=as_numbers(np.maximum(roc["true_positive_rate"], LOWEST_RATE)),
        mode="lines",
        name="attack",
        line={"color": BLUE, "width": 2, "shape": "hv"},
        hovertemplate="%{y:.3f} of members at %{x:.3f} of others<extra></extra>",
    )
    figure.add_scatter(
        x=[LOWEST_RATE, 1],
        y=[LOWEST_RATE, 1],
        mode="lines",
        name="guessing",
        line={"color": GREY, "width": 1.5, "dash": "dash"},
        hoverinfo="skip",
    )
    plain(figure, height=360)
    ends = [np.log10(LOWEST_RATE), 0.02]
    figure.update_xaxes(type="log", range=ends, title={"text": "others taken for members (share)"})
    return figure.update_yaxes(type="log", range=ends, title={"text": "members found (share)"})


def inversion_figure(errors: pd.DataFrame) -> go.Figure:
    """Error of each feature as a point, one colour a protection; 1 is a standard deviation.

    Examples
    --------
    >>> errors = pd.DataFrame({"none": [1e-16], "secure sum": [0.9]}, index=["age"])
    >>> [trace.name for trace in inversion_figure(errors).data]
    ['none', 'secure sum']
    """
    figure = go.Figure()
    for position, (label, column) in enumerate(
        zip(as_labels(errors.columns), errors.columns, strict=True)
    ):
        shown = np.maximum(errors[column].to_numpy(dtype=np.float64), LOWEST_ERROR)
        figure.add_scatter(
            x=[float(f"{value:.4g}") for value in shown],
            y=as_labels(errors.index),
            mode="markers",
            name=label,
            showlegend=True,
            marker={"color": COLOURS[position % len(COLOURS)], "size": 8},
            hovertemplate=f"%{{y}}: off by %{{x:.2g}}<extra>{label}</extra>",
        )
    unit = "error of what was read<br>(standard deviations; 10<sup>−12</sup> stands for less, too)"
    bars_by_site(figure, max(len(errors) // 2, 4), unit)
    figure.add_vline(1.0, line={"color": GREY, "width": 1.5, "dash": "dash"})
    return figure.update_xaxes(type="log", exponentformat="power")


def attribute_figure(frame: pd.DataFrame) -> go.Figure:
    """Shares that were right, of members with their intervals and of others.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"members": [0.6], "lower": [0.5], "upper": [0.7], "others": [0.6]}, ["imputation"]
    ... )
    >>> [trace.name for trace in attribute_figure(frame).data]
    ['rows of the training', 'other rows']
    """
    figure, names = go.Figure(), as_labels(frame.index)
    figure.add_scatter(
        x=as_numbers(frame["members"]),
        y=names,
        mode="markers",
        name="rows of the training",
        marker={"color": BLUE, "size": 10},
        error_x={
            "array": as_numbers(frame["upper"] - frame["members"]),
            "arrayminus": as_numbers(frame["members"] - frame["lower"]),
            "thickness": 1.5,
        },
        hovertemplate="%{y}: %{x:.3f} of members<extra></extra>",
    )
    figure.add_scatter(
        x=as_numbers(frame["others"]),
        y=names,
        mode="markers",
        name="other rows",
        marker={"color": VERMILLION, "size": 10, "symbol": "diamond-open", "line": {"width": 2}},
        hovertemplate="%{y}: %{x:.3f} of others<extra></extra>",
    )
    bars_by_site(figure, len(frame), "hidden values named correctly (share)")
    return figure.update_xaxes(range=[0, 1.02])


def audit_figure(scores: pd.DataFrame) -> go.Figure:
    """Scores of canaries that were absent and present, in the unit of their deviation.

    Examples
    --------
    >>> scores = pd.DataFrame(
    ...     {"present": [True, False], "score": [1.0, 0.0], "guessed": ["present", "absent"]}
    ... )
    >>> [trace.name for trace in audit_figure(scores).data]
    ['absent', 'present']
    """
    figure = go.Figure()
    values = scores["score"] / (scores["score"].std() or 1.0)
    edges = np.linspace(values.min(), values.max() + 1e-9, 41)
    for present, name, colour in ((False, "absent", VERMILLION), (True, "present", BLUE)):
        counts, _ = np.histogram(values[scores["present"] == present], edges)
        figure.add_scatter(
            x=as_numbers((edges[1:] + edges[:-1]) / 2),
            y=as_numbers(counts),
            mode="lines",
            name=name,
            line={"color": colour, "width": 2, "shape": "hvh"},
            hovertemplate=f"%{{y}} {name} canaries at %{{x:.2f}}<extra></extra>",
        )
    for side, end in (("absent", "max"), ("present", "min")):
        guessed = values[scores["guessed"] == side]
        if len(guessed):
            (place,) = as_numbers([getattr(guessed, end)()])
            figure.add_vline(place, line={"color": GREY, "width": 1.5, "dash": "dash"})
    plain(figure, height=320)
    figure.update_xaxes(title={"text": "how far a canary moved its parameter (deviations)"})
    return figure.update_yaxes(title={"text": "canaries"}, rangemode="tozero")


def robustness_figure(frame: pd.DataFrame) -> go.Figure:
    """Accuracies as a heat map: a line for each deal and poison, a column for each rule.

    Examples
    --------
    >>> index = pd.MultiIndex.from_tuples([("IID", "none")])
    >>> robustness_figure(pd.DataFrame({"median": [0.9]}, index=index)).data[0].y
    ('IID: none',)
    """
    names = as_labels(f"{sites}: {poison}" for sites, poison in frame.index)
    cells = go.Heatmap(
        z=[as_numbers(row) for row in frame.to_numpy()],
        x=as_labels(frame.columns),
        y=names,
        zmin=0,
        zmax=1,
        colorscale=[[0, VERMILLION], [0.5, "#f2f2f2"], [1, BLUE]],
        texttemplate="%{z:.2f}",
        showscale=False,
        hovertemplate="%{y}, %{x}: %{z:.4f}<extra></extra>",
        xgap=1,
        ygap=1,
    )
    figure = bars_by_site(go.Figure(cells), len(frame), "rule (cells: held-out accuracy)")
    return figure.update_xaxes(type="category", showgrid=False)
