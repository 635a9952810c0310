"""Figures of judged models: curves by model, calibration, net benefit, confusion, subgroups."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from fedlab.displays.look import COLOURS, FAINT, GREY, as_labels, as_numbers, bars_by_site, plain

__all__ = [
    "calibration_figure",
    "compared_figure",
    "confusion_figure",
    "decision_figure",
    "precision_figure",
    "roc_figure",
    "subgroups_figure",
]

HEIGHT = 420
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
WORDS = {
    "auc": "AUC",
    "brier": "Brier score",
    "mae": "mean absolute error",
    "rmse": "root mean square error",
    "r2": "R²",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
    "macro_f1": "macro F1",
}
BOUNDS = "bounds for certain"


def words_of(figure: str) -> str:
    """How a figure is called.

    Examples
    --------
    >>> words_of("auc"), words_of("average_precision")
    ('AUC', 'average precision')
    """
    return WORDS.get(figure, figure.replace("_", " "))


def roc_figure(curves: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Sensitivity against the rate of false positives, with what the curve is at least and at most.

    Examples
    --------
    >>> curve = pd.DataFrame({"threshold": [1.0, 0.0]})
    >>> for name in ("false_positive_rate", "sensitivity"):
    ...     curve[name] = curve[f"{name}_low"] = curve[f"{name}_high"] = [0.0, 1.0]
    >>> [trace.name for trace in roc_figure({"ours": curve}).data]
    ['chance', 'ours']
    """
    figure = go.Figure()
    _diagonal(figure, "chance")
    for place, (name, curve) in enumerate(zip(as_labels(curves), curves.values(), strict=True)):
        # The best that the curve may be is up and to the left of the worst.
        best = (curve["false_positive_rate_low"], curve["sensitivity_high"])
        worst = (curve["false_positive_rate_high"], curve["sensitivity_low"])
        _band(figure, place, best, worst)
        _curve(
            figure,
            place,
            name,
            curve["false_positive_rate"],
            curve["sensitivity"],
            curve["threshold"],
            "sensitivity",
        )
    return _square(figure, "1 − specificity", "sensitivity")


def precision_figure(curves: Mapping[str, pd.DataFrame], prevalence: float) -> go.Figure:
    """Precision against sensitivity, and the precision of calling at random."""
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1],
        y=as_numbers([prevalence] * 2),
        mode="lines",
        line={"color": GREY, "dash": "dot", "width": 1},
        name="at random",
        hoverinfo="skip",
    )
    for place, (name, curve) in enumerate(zip(as_labels(curves), curves.values(), strict=True)):
        known = curve[curve["precision"].notna()]
        best = (known["sensitivity_high"], known["precision_high"])
        worst = (known["sensitivity_low"], known["precision_low"])
        _band(figure, place, best, worst)
        _curve(
            figure,
            place,
            name,
            known["sensitivity"],
            known["precision"],
            known["threshold"],
            "precision",
        )
    return _square(figure, "sensitivity (recall)", "precision (PPV)")


def calibration_figure(curves: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Observed share against the mean score of each block, with Wilson's intervals."""
    figure = go.Figure()
    _diagonal(figure, "as observed")
    for place, (name, curve) in enumerate(zip(as_labels(curves), curves.values(), strict=True)):
        colour = COLOURS[place % len(COLOURS)]
        figure.add_scatter(
            x=as_numbers(curve["mean_score"]),
            y=as_numbers(curve["observed"]),
            error_y={
                "array": as_numbers(curve["upper"] - curve["observed"]),
                "arrayminus": as_numbers(curve["observed"] - curve["lower"]),
                "color": colour,
                "thickness": 1,
            },
            customdata=as_numbers(curve["rows"]),
            mode="lines+markers",
            marker={"color": colour, "size": 7},
            line={"color": colour, "width": 1.5, "dash": DASHES[place % len(DASHES)]},
            name=name,
            showlegend=True,
            hovertemplate=f"{name}: %{{y:.3f}} of %{{customdata:,}} rows at a mean score of "
            "%{x:.3f}<extra></extra>",
        )
    return _square(figure, "mean score", "observed share")


def decision_figure(curves: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Net benefit at each threshold beside treating all and nobody."""
    figure = go.Figure()
    highest = 0.05
    for place, (name, curve) in enumerate(zip(as_labels(curves), curves.values(), strict=True)):
        if place == 0:
            figure.add_scatter(
                x=as_numbers(curve["threshold"]),
                y=as_numbers(curve["treat_all"]),
                mode="lines",
                line={"color": GREY, "width": 1.5, "dash": "dot"},
                name="treat all",
                hoverinfo="skip",
            )
        highest = max(highest, float(curve["high"].max()), float(curve["treat_all"].max()))
        x = curve["threshold"]
        _band(figure, place, (x, curve["high"]), (x, curve["low"]))
        _curve(figure, place, name, x, curve["net_benefit"], x, "net benefit")
    figure.add_hline(0, line={"color": GREY, "width": 1}, annotation_text="treat nobody")
    plain(figure, HEIGHT)
    figure.update_xaxes(title={"text": "threshold"}, range=[0, 1])
    # Far below zero nobody would use it.
    return figure.update_yaxes(
        title={"text": "net benefit per patient"}, range=[-0.3 * highest, 1.1 * highest]
    )


def confusion_figure(frame: pd.DataFrame) -> go.Figure:
    """Rows by true and by called class; suppressed cells say so."""
    names = as_labels(frame.index)
    text = [
        ["suppressed" if cell != cell else f"{cell:,.0f}" for cell in row]
        for row in frame.to_numpy()
    ]
    cells = go.Heatmap(
        z=[as_numbers(row) for row in frame.to_numpy()],
        x=names,
        y=names,
        text=text,
        texttemplate="%{text}",
        colorscale=[[0, "#f2f2f2"], [1, COLOURS[0]]],
        showscale=False,
        hoverongaps=False,
        hovertemplate="%{y} called %{x}: %{z:,} rows<extra></extra>",
        xgap=1,
        ygap=1,
    )
    figure = bars_by_site(go.Figure(cells), max(len(names), 4), "called class")
    figure.update_yaxes(title={"text": "true class"})
    return figure.update_xaxes(type="category", showgrid=False)


def subgroups_figure(lines: pd.DataFrame, name: str, level: float) -> go.Figure:
    """A figure of each subgroup with its interval, and everybody's as a line.

    Parameters
    ----------
    lines : DataFrame
        Columns ``group``, ``estimate``, ``lower`` and ``upper``, and ``low`` and ``high``, drawn as
        a faint bar where they are apart; everybody first.
    name : str
        Of the figure.
    level : float
        Of the intervals.
    """
    figure = go.Figure()
    labels = as_labels(lines["group"])
    apart = (lines["high"] - lines["low"] > 1e-9).to_numpy()
    if apart.any():
        figure.add_bar(
            x=as_numbers((lines["high"] - lines["low"]).where(apart)),
            base=as_numbers(lines["low"].where(apart)),
            y=labels,
            orientation="h",
            width=0.5,
            marker={"color": FAINT},
            name=BOUNDS,
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=as_numbers(lines["estimate"]),
        y=labels,
        error_x={
            "array": as_numbers(lines["upper"] - lines["estimate"]),
            "arrayminus": as_numbers(lines["estimate"] - lines["lower"]),
            "color": GREY,
            "thickness": 1.5,
        },
        mode="markers",
        marker={"color": COLOURS[0], "size": 10},
        name=f"{words_of(name)}, {100 * level:g}% interval",
        showlegend=True,
        hovertemplate=f"%{{y}}: {words_of(name)} %{{x:.4f}}<extra></extra>",
    )
    (everybody,) = as_numbers(lines["estimate"].iloc[:1]) if len(lines) else (None,)
    if everybody is not None:
        figure.add_vline(everybody, line={"color": COLOURS[1], "width": 1.5, "dash": "dash"})
    return bars_by_site(figure, len(lines), f"{words_of(name)}<br>line: everybody").update_yaxes(
        showgrid=True
    )


def compared_figure(frame: pd.DataFrame, name: str, level: float) -> go.Figure:
    """A figure of several models, by subgroup.

    Parameters
    ----------
    frame : DataFrame
        Columns ``model``, ``group``, ``estimate``, ``lower`` and ``upper``.
    name : str
    level : float
    """
    figure = go.Figure()
    models = list(dict.fromkeys(frame["model"]))
    groups = list(dict.fromkeys(frame["group"]))
    known = dict(zip(groups, as_labels(groups), strict=True))
    for place, (model, label) in enumerate(zip(models, as_labels(models), strict=True)):
        mine = frame[frame["model"] == model]
        colour = COLOURS[place % len(COLOURS)]
        figure.add_bar(
            x=as_numbers(mine["estimate"]),
            y=[known[group] for group in mine["group"]],
            orientation="h",
            error_x={
                "array": as_numbers(mine["upper"] - mine["estimate"]),
                "arrayminus": as_numbers(mine["estimate"] - mine["lower"]),
                "color": GREY,
                "thickness": 1.5,
            },
            marker={"color": colour},
            name=label,
            showlegend=True,
            hovertemplate=f"%{{y}}, {label}: {words_of(name)} %{{x:.4f}}<extra></extra>",
        )
    figure.update_layout(barmode="group", bargap=0.3, legend_traceorder="normal")
    unit = f"{words_of(name)}, {100 * level:g}% interval"
    figure = bars_by_site(figure, len(groups) * max(len(models), 2) // 2, unit)
    return figure.update_xaxes(rangemode="tozero")


def _diagonal(figure: go.Figure, name: str) -> None:
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": GREY, "dash": "dot", "width": 1},
        name=name,
        hoverinfo="skip",
    )


def _band(
    figure: go.Figure,
    place: int,
    best: tuple[pd.Series, pd.Series],
    worst: tuple[pd.Series, pd.Series],
) -> None:
    """Between the best and the worst that a curve may be, where they are apart."""
    apart = any(((a - b).abs() > 1e-9).any() for a, b in zip(best, worst, strict=True))
    if not apart:
        return
    colour = COLOURS[place % len(COLOURS)]
    x = [*as_numbers(best[0]), *as_numbers(worst[0])[::-1]]
    y = [*as_numbers(best[1]), *as_numbers(worst[1])[::-1]]
    figure.add_scatter(
        x=x,
        y=y,
        fill="toself",
        fillcolor=colour,
        opacity=0.18,
        mode="lines",
        line={"width": 0, "color": colour},
        name=BOUNDS,
        hoverinfo="skip",
        showlegend=not any(trace.name == BOUNDS for trace in figure.data),
    )


def _curve(
    figure: go.Figure,
    place: int,
    name: str,
    x: pd.Series,
    y: pd.Series,
    thresholds: pd.Series,
    unit: str,
) -> None:
    figure.add_scatter(
        x=as_numbers(x),
        y=as_numbers(y),
        customdata=as_numbers(thresholds),
        mode="lines",
        line={
            "color": COLOURS[place % len(COLOURS)],
            "width": 2,
            "dash": DASHES[place % len(DASHES)],
        },
        name=name,
        showlegend=True,
        hovertemplate=f"{name}: {unit} %{{y:.3f}} at %{{customdata:.2f}}<extra></extra>",
    )


def _square(figure: go.Figure, x: str, y: str) -> go.Figure:
    plain(figure, HEIGHT)
    figure.update_xaxes(title={"text": x}, range=[-0.01, 1.01])
    return figure.update_yaxes(title={"text": y}, range=[-0.01, 1.02])
