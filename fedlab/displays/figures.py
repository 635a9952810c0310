"""Figures: computed frames in, plotly figure out; nothing is asked of anyone here."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.history import history_figure
from fedlab.displays.look import COLOURS, FAINT, GREY, as_labels, as_numbers, bars_by_site
from fedlab.displays.tables import rounded_up
from fedlab.displays.words import SCORES, loss_words, score_of

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
    """Scores of each site as points; of all sites, the row `all_sites`, as lines.

    Those by which people judge: accuracy and AUC, R², concordance..., each also of the sites' own
    parameters as ``personal_<score>``, an open point. Accuracy from noisy counts has bars of one
    standard deviation of the noise, and no AUC.

    Examples
    --------
    >>> frame = pd.DataFrame({"accuracy": [0.8, 0.8], "auc": [0.9, 0.9]}, index=["mercy", "all"])
    >>> [trace.name for trace in evaluation_figure(frame, "all").data]
    ['accuracy', 'AUC']
    """
    figure, sites = go.Figure(), frame.drop(index=all_sites)
    noisy = "accuracy_noise" in frame
    noise = as_numbers(sites["accuracy_noise"]) if noisy else None
    looks = zip(COLOURS, ("circle", "diamond", "square"), ("dash", "dot", "dashdot"), strict=False)
    drawn = [score for score in SCORES if score in frame]
    shown = [
        (column, score, own, *look)
        for score, look in zip(drawn, looks, strict=False)
        for column, own in ((score, False), (f"personal_{score}", True))
        if column in frame
    ]
    for column, score, own, colour, symbol, dash in shown:
        name = f"{'own ' if own else ''}{score_of(score).name}{' ± noise' if noise else ''}"
        figure.add_scatter(
            x=as_numbers(sites[column]),
            y=as_labels(sites.index),
            mode="markers",
            marker={
                "color": colour,
                "symbol": f"{symbol}-open" if own else symbol,
                # Around the other where both are equal.
                "size": 15 if own else 10,
            },
            error_x={"array": noise, "color": GREY, "thickness": 1.5} if noise else None,
            name=name,
            showlegend=True,
            hovertemplate=f"%{{y}}: {name} %{{x:.4f}}<extra></extra>",
        )
        noise = None
        (together,) = as_numbers(frame.loc[[all_sites], column])
        if together is not None and not own:
            figure.add_vline(together, line={"color": colour, "width": 1.5, "dash": dash})
    bounded = all(score_of(score).lowest == 0 for score in drawn)
    span = "0 to 1" if bounded else "at most 1"
    bars_by_site(figure, len(sites), f"on held-out rows ({span})<br>lines: all sites together")
    clip = {"clipmin": -0.02} if bounded else {}
    figure.update_xaxes(autorangeoptions={**clip, "clipmax": 1.02})
    return figure.update_yaxes(showgrid=True)


def comparison_figure(by_site: pd.DataFrame, score: str = "accuracy") -> go.Figure:
    """The score at each site, one bar a run."""
    figure, drawn = go.Figure(), score_of(score)
    for position, name in enumerate(as_labels(by_site.columns)):
        figure.add_bar(
            x=as_numbers(by_site.iloc[:, position]),
            y=as_labels(by_site.index),
            orientation="h",
            name=name,
            showlegend=True,
            marker={"color": COLOURS[position % len(COLOURS)]},
            hovertemplate=f"%{{y}}: {drawn.name} %{{x:.4f}}",
        )
    figure.update_layout(barmode="group", bargap=0.35)
    span = "at most 1" if drawn.lowest is None else "0 to 1"
    bars_by_site(figure, len(by_site), f"{drawn.name} on held-out rows ({span})")
    return figure if drawn.lowest is None else figure.update_xaxes(range=[0, 1])


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


def contributions_figure(frame: pd.DataFrame, loss: str = "log_loss") -> go.Figure:
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
    words, unit = loss_words(loss)
    return bars_by_site(figure, len(frame), f"fall of the held-out<br>{words} ({unit})")


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
