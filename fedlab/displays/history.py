"""A run as a figure: small charts one above the other, with rounds in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import COLOURS, GREY, as_labels, as_numbers, plain
from fedlab.displays.tables import rounded_up
from fedlab.displays.words import loss_words, score_of

__all__ = ["history_figure"]

HELD_OUT = "held_out_"
MOST_NAMED = 8
MOST_MARKED = 60
# More than an eye can tell apart; a page that has to draw far more at each round stands still.
MOST_DRAWN = 400


def history_figure(
    history: pd.DataFrame,
    norms: pd.DataFrame | None = None,
    *,
    sizes: bool = False,
    loss: str = "log_loss",
    promised: float | None = None,
    unit_of_epsilon: str = "record",
) -> go.Figure:
    """Losses, the model's score, ε and what sites sent by round, one above the other.

    What has no number, such as losses under privacy, takes no space. Of a run longer than 400
    rounds every second, third... round is drawn, and always the last.

    Parameters
    ----------
    history : DataFrame
        One row a round, as of `Training.history`; the score is its column ``held_out_<score>``.
    norms : DataFrame, optional
        One row a round and one column a site: the norm of what it sent, drawn even before there is
        one. Without it, the norm of the combined update is drawn.
    sizes : bool
        Draw how much all sites sent in place of norms, where it is no update.
    loss : str
        What the losses are, as `Model.loss` says.
    promised : float, optional
        ε that the run may spend.
    unit_of_epsilon : str
        Whose ε it is.

    Examples
    --------
    >>> frame = pd.DataFrame({"train_loss": [0.7, 0.6], "held_out_loss": [0.7, 0.65]})
    >>> [trace.name for trace in history_figure(frame).data]
    ['training rows', 'held-out rows']
    """
    every = max(1, -(-len(history) // MOST_DRAWN))
    kept = history.index[[*range(0, len(history) - 1, every), *range(len(history))[-1:]]]
    column = _score_column(history)
    known = history.reindex(
        index=kept, columns=["train_loss", "held_out_loss", column, "epsilon"]
    ).astype(float)
    words, unit = loss_words(loss)
    score = score_of(column.removeprefix(HELD_OUT))
    percent = " (%)" if score.factor == 100 else ""
    panels = [
        (f"{words}<br>({unit})", known.iloc[:, :2], ["training rows", "held-out rows"]),
        (f"{score.name} on<br>held-out{percent}", known[[column]] * score.factor, [score.name]),
        (f"ε so far<br>(one {unit_of_epsilon})", known[["epsilon"]].apply(rounded_up), ["ε"]),
        _sent(history, norms, kept, sizes=sizes),
    ]
    empty = [panels[-1][0]] if sizes or norms is not None else []
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
        first = str(frame.columns[0])
        modes = {"bytes": "tozero", column: "nonnegative" if score.lowest == 0 else "normal"}
        layout[f"yaxis{number}"]["rangemode"] = modes.get(first, "nonnegative")
        if place:
            layout[f"xaxis{number}"]["matches"] = "x"
        if first == "epsilon" and promised is not None:
            where = {"y0": promised, "y1": promised, "yref": f"y{number}"}
            across = {"x0": 0, "x1": 1, "xref": f"x{number} domain"}
            figure.add_shape(**where, **across, line={"color": GREY, "dash": "dash", "width": 1.5})
        figure.update_layout(layout)
    plain(figure, height=90 + 130 * len(shown))
    figure.update_layout(hovermode="x")
    figure.update_yaxes(zeroline=False)
    figure.update_xaxes(
        zeroline=False,
        rangemode="nonnegative",
        tickformat="d",
        dtick=_every(history.index),
    )
    return figure.update_layout({f"xaxis{number}": {"title": {"text": "round"}}})


def _score_column(history: pd.DataFrame) -> str:
    found = [str(name) for name in history.columns if str(name).startswith(HELD_OUT)]
    return next((name for name in found if name != "held_out_loss"), "held_out_accuracy")


def _sent(
    history: pd.DataFrame, norms: pd.DataFrame | None, kept: pd.Index, *, sizes: bool
) -> tuple[str, pd.DataFrame, list[str]]:
    """What sites sent: title, values and names of the lines."""
    if norms is not None and not sizes:
        return "norm of<br>update", norms.reindex(kept), as_labels(norms.columns)
    known = history.reindex(index=kept, columns=["update_norm", "bytes"]).astype(float)
    if not sizes:
        return "norm of<br>update", known[["update_norm"]], ["all sites"]
    # At the start nothing has been sent, which is not a round of nothing.
    size = known[["bytes"]].replace(0, np.nan)
    factor, unit = (1e6, "MB") if history.get("bytes", pd.Series([0])).max() >= 1e6 else (1e3, "kB")
    return f"sent by all<br>sites ({unit})", size / factor, ["all sites"]


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
