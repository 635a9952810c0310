"""A run as a figure: small charts one above the other, with rounds in common."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import COLOURS, GREY, as_labels, as_numbers, plain

__all__ = ["history_figure"]

MOST_NAMED = 8
MOST_MARKED = 60


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
            where = {"y0": promised, "y1": promised, "yref": f"y{number}"}
            across = {"x0": 0, "x1": 1, "xref": f"x{number} domain"}
            figure.add_shape(**where, **across, line={"color": GREY, "dash": "dash", "width": 1.5})
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
