"""Estimates with their confidence intervals, one below the other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import COLOURS, GREY, as_labels, bars_by_site

__all__ = ["forest_figure"]

# exp(30) is past any ratio one could draw.
LARGEST = 30.0


def forest_figure(frame: pd.DataFrame, *, unit: str, ratio: bool) -> go.Figure:
    """A forest plot: a point and an interval a row, and a line where there is no effect.

    Parameters
    ----------
    frame : DataFrame
        Columns ``estimate``, ``lower`` and ``upper``, one row a term; an index of two levels is
        drawn in one colour for each value of the first.
    unit : str
        Heading of the axis.
    ratio : bool
        Draw the exponential of the values, on a logarithmic axis around 1.

    Examples
    --------
    >>> frame = pd.DataFrame({"estimate": [0.0], "lower": [-1.0], "upper": [1.0]}, index=["age"])
    >>> forest_figure(frame, unit="odds ratio", ratio=True).data[0].x
    (1.0,)
    """
    figure, one_group = go.Figure(), frame.index.nlevels == 1
    groups = [("", frame)] if one_group else [(str(n), g) for n, g in frame.groupby(level=0)]
    labels = as_labels(name for name, _ in groups)
    for position, (label, (_, group)) in enumerate(zip(labels, groups, strict=True)):
        terms = as_labels(group.index.get_level_values(-1))
        middle, low, high = (_values(group[c], ratio) for c in ("estimate", "lower", "upper"))
        figure.add_scatter(
            x=middle,
            y=terms,
            mode="markers",
            name=label,
            showlegend=not one_group,
            marker={"color": COLOURS[position % len(COLOURS)], "size": 9, "symbol": "square"},
            error_x={
                "array": _rounded(np.subtract(high, middle)),
                "arrayminus": _rounded(np.subtract(middle, low)),
                "thickness": 1.5,
            },
            customdata=[list(pair) for pair in zip(low, high, strict=True)],
            hovertemplate="%{y}: %{x:.4g} (%{customdata[0]:.4g} to %{customdata[1]:.4g})"
            f"<extra>{label}</extra>",
        )
    n_terms = len(frame) // max(len(groups), 1)
    bars_by_site(figure, n_terms * (1 + (len(groups) - 1) // 2), unit)
    figure.add_vline(1.0 if ratio else 0.0, line={"color": GREY, "width": 1.5, "dash": "dash"})
    if not one_group:
        figure.update_layout(scattermode="group")
    return figure.update_xaxes(type="log") if ratio else figure


def _values(values: pd.Series, ratio: bool) -> list[float]:
    numbers = values.to_numpy(dtype=np.float64)
    return _rounded(np.exp(np.clip(numbers, -LARGEST, LARGEST)) if ratio else numbers)


def _rounded(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    # Digits that differ between machines would make two equal figures differ as text.
    return [float(f"{value:.6g}") for value in values]
