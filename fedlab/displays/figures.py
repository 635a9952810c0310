"""Figures: computed frames in, plotly figure out; nothing is asked of anyone here."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.history import history_figure
from fedlab.displays.look import COLOURS, FAINT, GREY, as_labels, as_numbers, bars_by_site
from fedlab.displays.tables import rounded_up

__all__ = [
    "comparison_figure",
    "contributions_figure",
    "evaluation_figure",
    "history_figure",
    "similarity_figure",
    "spend_figure",
]

BLUE, VERMILLION = COLOURS[:2]
MOST_CELLS_WITH_TEXT = 12


def evaluation_figure(frame: pd.DataFrame, all_sites: str) -> go.Figure:
    """Accuracy and AUC of each site as points; of all sites, the row `all_sites`, as lines.

    Accuracy from noisy counts has bars of one standard deviation of the noise, and no AUC.

    Examples
    --------
    >>> frame = pd.DataFrame({"accuracy": [0.8, 0.8], "auc": [0.9, 0.9]}, index=["mercy", "all"])
    >>> [trace.name for trace in evaluation_figure(frame, "all").data]
    ['accuracy', 'AUC']
    """
    figure, sites = go.Figure(), frame.drop(index=all_sites)
    noisy = "accuracy_noise" in frame
    noise = as_numbers(sites["accuracy_noise"]) if noisy else None
    for column, name, colour, symbol, dash in (
        ("accuracy", "accuracy ± noise" if noisy else "accuracy", BLUE, "circle", "dash"),
        ("auc", "AUC", VERMILLION, "diamond", "dot"),
    ):
        if column not in frame:
            continue
        if column not in frame:
            continue
        figure.add_scatter(
            x=as_numbers(sites[column]),
            y=as_labels(sites.index),
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 10},
            error_x={"array": noise, "color": GREY, "thickness": 1.5} if noise else None,
            name=name,
            showlegend=True,
            hovertemplate=f"%{{y}}: {name} %{{x:.4f}}<extra></extra>",
        )
        noise = None
        (together,) = as_numbers(frame.loc[[all_sites], column])
        if together is not None:
            figure.add_vline(together, line={"color": colour, "width": 1.5, "dash": dash})
    bars_by_site(figure, len(sites), "on held-out rows (0 to 1)<br>lines: all sites together")
    figure.update_xaxes(autorangeoptions={"clipmin": -0.02, "clipmax": 1.02})
    return figure.update_yaxes(showgrid=True)


def comparison_figure(by_site: pd.DataFrame) -> go.Figure:
    """Accuracy at each site, one bar a run."""
    figure = go.Figure()
    for position, name in enumerate(as_labels(by_site.columns)):
        figure.add_bar(
            x=as_numbers(by_site.iloc[:, position]),
            y=as_labels(by_site.index),
            orientation="h",
            name=name,
            showlegend=True,
            marker={"color": COLOURS[position % len(COLOURS)]},
            hovertemplate="%{y}: accuracy %{x:.4f}",
        )
    figure.update_layout(barmode="group", bargap=0.35)
    bars_by_site(figure, len(by_site), "accuracy on held-out rows (0 to 1)")
    return figure.update_xaxes(range=[0, 1])


def spend_figure(totals: pd.DataFrame) -> go.Figure:
    """ε spent by each site as bars, and what is left of its budget, where it has one."""
    figure, names = go.Figure(), as_labels(totals.index)
    for name, epsilon, colour in (
        ("spent", rounded_up(totals["epsilon_spent"]), BLUE),
        ("left", -rounded_up(-totals["epsilon_left"]), FAINT),
    ):
        figure.add_bar(
            x=as_numbers(epsilon),
            y=names,
            orientation="h",
            name=name,
            marker={"color": colour, "line": {"color": BLUE, "width": 1}},
            hovertemplate=f"%{{y}}: ε %{{x:.4f}} {name}<extra></extra>",
        )
    for name, budget in zip(names, totals["budget"], strict=True):
        if pd.isna(budget):
            where = {"x": 1, "xref": "paper", "xanchor": "right", "y": name, "showarrow": False}
            figure.add_annotation(text="no limit", **where)
    deltas = ", ".join(sorted({str(delta) for delta in totals["delta"]}))
    figure.update_layout(barmode="stack", bargap=0.35, legend_traceorder="normal")
    bars_by_site(figure, len(totals), f"privacy loss ε of one record at δ = {deltas}")
    return figure.update_xaxes(rangemode="tozero")


def contributions_figure(frame: pd.DataFrame) -> go.Figure:
    """Shapley values, with standard errors where they were sampled, beside leave-one-out."""
    figure, names = go.Figure(), as_labels(frame.index)
    errors = as_numbers(frame["standard_error"])
    sampled = {"array": errors, "color": GREY, "thickness": 1.5} if any(errors) else None
    for column, name, colour, error in (
        ("shapley", "Shapley ± standard error" if sampled else "Shapley", BLUE, sampled),
        ("leave_one_out", "leave one out", VERMILLION, None),
    ):
        figure.add_bar(
            x=as_numbers(frame[column]),
            y=names,
            orientation="h",
            name=name,
            marker={"color": colour},
            error_x=error,
            hovertemplate=f"%{{y}}: {name} %{{x:.4f}}<extra></extra>",
        )
    figure.update_layout(barmode="group", bargap=0.35)
    return bars_by_site(figure, len(frame), "fall of the held-out<br>log loss (nats a row)")


def similarity_figure(frame: pd.DataFrame) -> go.Figure:
    """Cosine between the updates of pairs of sites, as a heat map."""
    names, n_sites = as_labels(frame.index), len(frame)
    written = n_sites <= MOST_CELLS_WITH_TEXT
    cells = go.Heatmap(
        z=[as_numbers(row) for row in frame.to_numpy()],
        x=names,
        y=names,
        zmin=-1,
        zmax=1,
        colorscale=[[0, VERMILLION], [0.5, "#f2f2f2"], [1, BLUE]],
        texttemplate="%{z:.2f}" if written else None,
        showscale=not written,
        hovertemplate="%{y} and %{x}: %{z:.4f}<extra></extra>",
        colorbar={"title": {"text": "cosine"}, "thickness": 12, "outlinewidth": 0},
        xgap=1,
        ygap=1,
    )
    figure = bars_by_site(go.Figure(cells), n_sites, "mean cosine of updates (−1 to 1)")
    return figure.update_xaxes(type="category", showgrid=False)
