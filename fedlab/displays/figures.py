"""Figures: computed frames in, plotly figure out; nothing is asked of anyone here."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import COLOURS, FAINT, GREY, as_labels, as_numbers, bars_by_site, plain

__all__ = [
    "contributions_figure",
    "evaluation_figure",
    "history_figure",
    "similarity_figure",
    "spend_figure",
]

BLUE, VERMILLION = COLOURS[:2]
MOST_NAMED = 8
MOST_MARKED = 60
MOST_CELLS_WITH_TEXT = 12


def evaluation_figure(frame: pd.DataFrame, all_sites: str) -> go.Figure:
    """Accuracy and AUC of each site as points; of all sites, the row `all_sites`, as lines.

    Examples
    --------
    >>> frame = pd.DataFrame({"accuracy": [0.8, 0.8], "auc": [0.9, 0.9]}, index=["mercy", "all"])
    >>> [trace.name for trace in evaluation_figure(frame, "all").data]
    ['accuracy', 'AUC']
    """
    figure, sites = go.Figure(), frame.drop(index=all_sites)
    for column, name, colour, symbol, dash in (
        ("accuracy", "accuracy", BLUE, "circle", "dash"),
        ("auc", "AUC", VERMILLION, "diamond", "dot"),
    ):
        figure.add_scatter(
            x=as_numbers(sites[column]),
            y=as_labels(sites.index),
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 10},
            name=name,
            hovertemplate=f"%{{y}}: {name} %{{x:.4f}}<extra></extra>",
        )
        (together,) = as_numbers(frame.loc[[all_sites], column])
        if together is not None:
            figure.add_vline(together, line={"color": colour, "width": 1.5, "dash": dash})
    bars_by_site(figure, len(sites), "on held-out rows (0 to 1); lines: all sites together")
    return figure.update_yaxes(showgrid=True)


def spend_figure(totals: pd.DataFrame) -> go.Figure:
    """ε spent by each site as bars, and what is left of its budget, where it has one."""
    figure, names = go.Figure(), as_labels(totals.index)
    for column, name, colour in (
        ("epsilon_spent", "spent", BLUE),
        ("epsilon_left", "left", FAINT),
    ):
        figure.add_bar(
            x=as_numbers(totals[column]),
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
    figure.update_layout(barmode="stack", bargap=0.35)
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
    return bars_by_site(figure, len(frame), "fall of the held-out log loss (nats a row)")


def similarity_figure(frame: pd.DataFrame) -> go.Figure:
    """Cosine between the updates of pairs of sites, as a heat map."""
    names, n_sites = as_labels(frame.index), len(frame)
    cells = go.Heatmap(
        z=[as_numbers(row) for row in frame.to_numpy()],
        x=names,
        y=names,
        zmin=-1,
        zmax=1,
        colorscale=[[0, VERMILLION], [0.5, "#f2f2f2"], [1, BLUE]],
        texttemplate="%{z:.2f}" if n_sites <= MOST_CELLS_WITH_TEXT else None,
        hovertemplate="%{y} and %{x}: %{z:.4f}<extra></extra>",
        colorbar={"title": {"text": "cosine"}, "thickness": 12, "outlinewidth": 0},
        xgap=1,
        ygap=1,
    )
    figure = bars_by_site(go.Figure(cells), n_sites, "mean cosine of two sites' updates (−1 to 1)")
    return figure.update_xaxes(type="category", showgrid=False)


def history_figure(
    history: pd.DataFrame, norms: pd.DataFrame | None = None, *, promised: float | None = None
) -> go.Figure:
    """Losses, accuracy, ε and update norms by round, one above the other.

    What has no number, such as losses under privacy, takes no space.

    Parameters
    ----------
    history : DataFrame
        One row a round, as of `Training.history`.
    norms : DataFrame, optional
        One row a round and one column a site: the norm of what it sent. Without it, the norm of
        the combined update is drawn.
    promised : float, optional
        ε that the run may spend.

    Examples
    --------
    >>> frame = pd.DataFrame({"train_loss": [0.7, 0.6], "held_out_loss": [0.7, 0.65]})
    >>> [trace.name for trace in history_figure(frame).data]
    ['training rows', 'held-out rows']
    """
    known = history.reindex(
        columns=["train_loss", "held_out_loss", "held_out_accuracy", "epsilon", "update_norm"]
    ).astype(float)
    moved = known[["update_norm"]] if norms is None else norms.reindex(history.index)
    panels = [
        ("log loss<br>(nats a row)", known.iloc[:, :2], ["training rows", "held-out rows"]),
        ("accuracy on<br>held-out (%)", known.iloc[:, 2:3] * 100, ["accuracy"]),
        ("ε so far<br>(one record)", known[["epsilon"]], ["ε"]),
        ("norm of<br>update", moved, ["all sites"] if norms is None else as_labels(norms.columns)),
    ]
    shown = [panel for panel in panels if panel[1].notna().to_numpy().any()] or panels[:1]
    figure, share = go.Figure(), 1 / len(shown)
    for place, (title, frame, names) in enumerate(shown):
        number = str(place + 1) if place else ""
        _lines(figure, frame, names, number)
        top, last = 1 - place * share, place == len(shown) - 1
        under = {"y": -0.16 * share - 0.12, "yanchor": "top"} if place else {"y": 1.0}
        layout: dict[str, Any] = {
            f"yaxis{number}": {"domain": [top - 0.84 * share, top], "title": {"text": title}},
            f"xaxis{number}": {"anchor": f"y{number}", "showticklabels": last},
            f"legend{number}": {"orientation": "h", "x": 0, "yanchor": "bottom", **under},
        }
        if place:
            layout[f"xaxis{number}"]["matches"] = "x"
        if frame.columns[0] == "epsilon" and promised is not None:
            line = {"color": GREY, "dash": "dash", "width": 1.5}
            figure.add_hline(promised, line=line, yref=f"y{number}", xref=f"x{number} domain")
        figure.update_layout(layout)
    plain(figure, height=90 + 130 * len(shown))
    figure.update_layout(hovermode="x")
    figure.update_xaxes(tickformat="d", dtick=1 if len(history) <= MOST_NAMED else None)
    return figure.update_layout({f"xaxis{number}": {"title": {"text": "round"}}})


def _lines(figure: go.Figure, frame: pd.DataFrame, names: list[str], number: str) -> None:
    marked, named = len(frame) <= MOST_MARKED, len(names) <= MOST_NAMED
    for position, name in enumerate(names):
        colour = COLOURS[position % len(COLOURS)] if named else GREY
        figure.add_scatter(
            x=frame.index.tolist(),
            y=as_numbers(frame.iloc[:, position]),
            xaxis=f"x{number}",
            yaxis=f"y{number}",
            legend=f"legend{number}",
            showlegend=named and len(names) > 1,
            name=name,
            mode="lines+markers" if marked else "lines",
            line={"color": colour, "width": 2 if named else 1},
            marker={"size": 6, "symbol": position % len(COLOURS) if named else 0},
            hovertemplate="round %{x}: %{y:.4f}",
        )
