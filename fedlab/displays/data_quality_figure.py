"""Columns by sites, and how far each is from the other sites."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import GREY, as_labels, as_numbers, plain

__all__ = ["data_quality_figure"]

FARTHEST = 2.0
"""Standardised differences from here on share a colour."""


def data_quality_figure(frame: pd.DataFrame) -> go.Figure:
    """A cell a site and column, coloured by its distance to the others; a dot for a finding.

    Parameters
    ----------
    frame : DataFrame
        Columns ``site``, ``column``, ``kind``, ``shift``, ``variation`` and ``findings``.

    Examples
    --------
    >>> line = {"site": "a", "column": "age", "kind": "number", "shift": 0.5}
    >>> line |= {"variation": float("nan"), "findings": ""}
    >>> figure = data_quality_figure(pd.DataFrame([line]))
    >>> figure.data[0].z
    ([0.5],)
    """
    sites, columns = list(dict.fromkeys(frame["site"])), list(dict.fromkeys(frame["column"]))
    # A total variation of 1 is as far as can be, as is a shift of two standard deviations.
    distance = frame["shift"].abs().clip(upper=FARTHEST).fillna(frame["variation"] * FARTHEST)
    cells = frame.assign(distance=distance)
    z = _wide(cells, "distance").reindex(index=columns, columns=sites)
    said = _wide(cells, "findings").reindex(index=columns, columns=sites).fillna("")
    names, labels = as_labels(sites), as_labels(columns)
    figure = go.Figure(
        go.Heatmap(
            z=tuple(tuple(as_numbers(row)) for row in z.to_numpy()),
            x=names,
            y=labels,
            zmin=0,
            zmax=FARTHEST,
            colorscale=[[0, "rgba(128,128,128,0.08)"], [1, "#0072B2"]],
            xgap=2,
            ygap=2,
            text=[[_words(text) for text in row] for row in said.to_numpy()],
            hovertemplate="%{y} at %{x}: %{z:.2f}<br>%{text}<extra></extra>",
            colorbar={"title": {"text": "distance"}, "thickness": 12, "outlinewidth": 0},
        )
    )
    dots = [
        (names[j], labels[i])
        for i, row in enumerate(said.to_numpy())
        for j, text in enumerate(row)
        if text
    ]
    figure.add_scatter(
        x=[x for x, _ in dots],
        y=[y for _, y in dots],
        mode="markers",
        marker={"color": "#D55E00", "size": 9, "line": {"color": GREY, "width": 1}},
        name="worth a look",
        hoverinfo="skip",
    )
    plain(figure, height=140 + 26 * len(columns))
    figure.update_xaxes(type="category", side="bottom", showgrid=False)
    return figure.update_yaxes(type="category", autorange="reversed", showgrid=False)


def _wide(frame: pd.DataFrame, values: str) -> pd.DataFrame:
    return frame.pivot(index="column", columns="site", values=values)


def _words(text: str) -> str:
    return "<br>".join(as_labels([part])[0] for part in text.split("; ") if part)
