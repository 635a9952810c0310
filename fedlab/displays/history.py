"""A run as a figure: small charts one above the other, with rounds in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import COLOURS, GREY, as_labels, as_numbers, plain
from fedlab.displays.tables import rounded_up

__all__ = ["history_figure"]

MOST_NAMED = 8
MOST_MARKED = 60
# More than an eye can tell apart; a page that has to draw far more at each round stands still.
MOST_DRAWN = 400


def history_figure(
    history: pd.DataFrame, norms: pd.DataFrame | None = None, *, promised: float | None = None
) -> go.Figure:
    """Losses, accuracy, ε and update norms by round, one above the other.

    What has no number, such as losses under privacy, takes no space. Of a run longer than 400
    rounds every second, third... round is drawn, and always the last.

    Parameters
    ----------
    history : DataFrame
        One row a round, as of `Training.history`.
    norms : DataFrame, optional
        One row a round and one column a site: the norm of what it sent, drawn even before there is
        one. Without it, the norm of the combined update is drawn.
    promised : float, optional
        ε that the run may spend.

    Examples
    --------
    >>> frame = pd.DataFrame({"train_loss": [0.7, 0.6], "held_out_loss": [0.7, 0.65]})
    >>> [trace.name for trace in history_figure(frame).data]
    ['training rows', 'held-out rows']
    """
    every = max(1, -(-len(history) // MOST_DRAWN))
    kept = history.index[[*range(0, len(history) - 1, every), *range(len(history))[-1:]]]
    known = history.reindex(
        index=kept,
        columns=["train_loss", "held_out_loss", "held_out_accuracy", "epsilon", "update_norm"],
    ).astype(float)
    moved = known[["update_norm"]] if norms is None else norms.reindex(kept)
    panels = [
        ("log loss<br>(nats a row)", known.iloc[:, :2], ["training rows", "held-out rows"]),
        ("accuracy on<br>held-out (%)", known.iloc[:, 2:3] * 100, ["accuracy"]),
        ("ε so far<br>(one record)", known[["epsilon"]].apply(rounded_up), ["ε"]),
        ("norm of<br>update", moved, ["all sites"] if norms is None else as_labels(norms.columns)),
    ]
    empty = [] if norms is None else [panels[-1][0]]
    shown = [p for p in panels if p[1].notna().to_numpy().any() or p[0] in empty] or panels[:1]
    figure, share = go.Figure(), 1 / len(shown)
    for place, (title, frame, names) in enumerate(shown):
        number = str(place + 1) if place else ""
        _lines(figure, frame, names, number)
        top, last = 1 - place * share, place == len(shown) - 1
        # Below the axis and its title, which take about 34 pixels where a panel has 130.
        under = {"y": -34 / 130 * share, "yanchor": "top"} if place else {"y": 1.0}
        layout: dict[str, Any] = {
            f"yaxis{number}": {"domain": [top - 0.84 * share, top], "title": {"text": title}},
            f"xaxis{number}": {"anchor": f"y{number}", "showticklabels": last},
            f"legend{number}": {"orientation": "h", "yanchor": "bottom", **under},
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
    figure.update_yaxes(zeroline=False, rangemode="nonnegative")
    figure.update_xaxes(
        zeroline=False,
        rangemode="nonnegative",
        tickformat="d",
        dtick=_every(history.index),
    )
    return figure.update_layout({f"xaxis{number}": {"title": {"text": "round"}}})


def _every(rounds: Iterable[int]) -> int:
    """Rounds between two ticks: 1, 2 or 5 times a power of ten, for ten ticks or fewer.

    Always said, since a figure that is updated in place would keep the spacing of fewer rounds, and
    thousands of ticks keep a page busy for a minute.
    """
    steps = (step * 10**power for power in range(12) for step in (1, 2, 5))
    last = max(rounds, default=0)
    found: int = next(step for step in steps if last <= 10 * step)
    return found


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
            cliponaxis=False,
            mode="lines+markers" if marked else "lines",
            line={"color": colour, "width": 2 if named else 1},
            marker={"size": 6, "symbol": position % len(COLOURS) if named else 0},
            hovertemplate="round %{x}: %{y:.4f}",
        )
