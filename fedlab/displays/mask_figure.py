"""Pads of a secure sum, which cancel in pairs."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.figures import BLUE, VERMILLION
from fedlab.displays.look import as_labels, as_numbers, bars_by_site

__all__ = ["mask_figure"]


def mask_figure(pads: pd.DataFrame) -> go.Figure:
    """What each site adds for each other one; the two halves are equal and opposite.

    Parameters
    ----------
    pads : DataFrame of shape (n_sites, n_sites)
        Shares of 2^64, from -0.5 to 0.5.

    Examples
    --------
    >>> pads = pd.DataFrame([[0.0, 0.2], [-0.2, 0.0]], ["a", "b"], ["a", "b"])
    >>> [len(trace.z) for trace in mask_figure(pads).data]
    [2]
    """
    names = as_labels(pads.index)
    cells = go.Heatmap(
        z=[as_numbers(row) for row in pads.to_numpy()],
        x=names,
        y=names,
        zmin=-0.5,
        zmax=0.5,
        colorscale=[[0, VERMILLION], [0.5, "#f2f2f2"], [1, BLUE]],
        texttemplate="%{z:+.3f}",
        showscale=False,
        hovertemplate="%{y} adds for %{x}: %{z:+.6f} of 2^64<extra></extra>",
        xgap=1,
        ygap=1,
    )
    title = "pad that the site in the row adds for the one in the column (shares of 2^64)"
    figure = bars_by_site(go.Figure(cells), len(pads), title)
    return figure.update_xaxes(type="category", showgrid=False)
