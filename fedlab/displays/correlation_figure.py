"""Correlations of pairs of columns as a heat map."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import COLOURS, as_labels, as_numbers, bars_by_site

__all__ = ["correlation_figure"]

MOST_CELLS_WITH_TEXT = 12


def correlation_figure(matrix: pd.DataFrame) -> go.Figure:
    """A heat map from -1 to 1; a pair without a figure stays empty.

    Examples
    --------
    >>> matrix = pd.DataFrame({"age": [1.0, 0.5], "lab": [0.5, 1.0]}, index=["age", "lab"])
    >>> correlation_figure(matrix).data[0].z[0]
    [1.0, 0.5]
    """
    names, size = as_labels(matrix.index), len(matrix)
    written = size <= MOST_CELLS_WITH_TEXT
    cells = go.Heatmap(
        z=[as_numbers(row) for row in matrix.to_numpy()],
        x=names,
        y=names,
        zmin=-1,
        zmax=1,
        # A number is told from its colour in print too: the middle is light, the ends are dark.
        colorscale=[[0, COLOURS[1]], [0.5, "#f2f2f2"], [1, COLOURS[0]]],
        texttemplate="%{z:.2f}" if written else None,
        showscale=not written,
        hoverongaps=False,
        hovertemplate="%{y} and %{x}: %{z:.4f}<extra></extra>",
        colorbar={"title": {"text": "r"}, "thickness": 12, "outlinewidth": 0},
        xgap=1,
        ygap=1,
    )
    figure = bars_by_site(go.Figure(cells), size, "Pearson's correlation (−1 to 1)")
    return figure.update_xaxes(type="category", showgrid=False)
