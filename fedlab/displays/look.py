"""What all figures share: colours, names as labels, numbers that compare as text, and layout.

Backgrounds are see-through and text is mid-grey, so that a figure reads on a light and on a dark
page.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fedlab.displays.escape import as_label

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["COLOURS", "FAINT", "GREY", "as_labels", "as_numbers", "bars_by_site", "plain"]

# Okabe and Ito's colours, which stay apart under all common kinds of colour blindness; first those
# that also stand out from both white and black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY, FAINT = "#808080", "rgba(128,128,128,0.25)"


def as_labels(names: Iterable[object]) -> list[str]:
    """Names as plain text, shortened, and still different where only their ends differ.

    Plotly would draw two rows of one label on top of each other.

    Examples
    --------
    >>> as_labels(["<b>", "mercy"])
    ['&lt;b&gt;', 'mercy']
    >>> [label[-5:] for label in as_labels(["x" * 50 + "1", "x" * 50 + "2"])]
    ['xxxx…', '… (2)']
    """
    labels: list[str] = []
    for name in names:
        label, count = as_label(name), 1
        while label in labels:
            count += 1
            label = f"{as_label(name)} ({count})"
        labels.append(label)
    return labels


def as_numbers(values: Iterable[object]) -> list[float | None]:
    """Six decimals, None where there is no number: figures are compared as text.

    Examples
    --------
    >>> as_numbers([0.1 + 0.2, float("nan")])
    [0.3, None]
    """
    numbers = (float(str(value)) for value in values)
    return [round(number, 6) if math.isfinite(number) else None for number in numbers]


def plain(figure: go.Figure, height: int) -> go.Figure:
    """Give a figure the common look."""
    axis: dict[str, Any] = {
        "gridcolor": FAINT,
        "linecolor": GREY,
        "zerolinecolor": GREY,
        "automargin": True,
    }
    figure.update_layout(
        template="none",
        autosize=True,
        height=height,
        font={"color": GREY, "size": 12},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 10, "r": 16, "t": 34, "b": 10},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"},
        modebar={
            "remove": ["lasso", "select", "autoScale", "zoomIn", "zoomOut"],
            "bgcolor": "rgba(0,0,0,0)",
            "color": FAINT,
            "activecolor": GREY,
        },
    )
    figure.update_xaxes(**axis, title={"standoff": 8, "font": {"size": 12}})
    return figure.update_yaxes(**axis, title={"font": {"size": 12}})


def bars_by_site(figure: go.Figure, n_sites: int, unit: str) -> go.Figure:
    """Sites from top to bottom, so that long names can be read; what is measured to the right."""
    plain(figure, height=110 + 34 * max(n_sites, 2))
    figure.update_xaxes(title={"text": unit})
    # Names like "2024" or "1e3" are names here, not dates or numbers.
    return figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
