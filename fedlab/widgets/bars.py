"""Bars in plain HTML: as light as a table, in the page's own colours.

A live plotly figure brings five megabytes; the workbench has one, and draws the rest like this.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from fedlab.displays.escape import as_html
from fedlab.displays.look import COLOURS
from fedlab.displays.tables import rounded_up

__all__ = ["gauges", "worths"]

GAIN, LOSS = COLOURS[:2]


def gauges(totals: pd.DataFrame) -> str:
    """ε that each site has spent of its budget.

    Parameters
    ----------
    totals : DataFrame
        As of `PrivacySpend.totals`.
    """
    if totals["budget"].isna().all():
        return '<div class="fedlab-quiet">No site has set a limit.</div>'
    lines = []
    shown = rounded_up(totals["epsilon_spent"])
    for site, spent, budget in zip(totals.index, shown, totals["budget"], strict=True):
        if math.isnan(budget):
            lines.append((str(site), "<div>—</div>", f"ε {spent:.4f} spent, no limit"))
            continue
        name = as_html(f"privacy spent by {site}")
        meter = (
            f'<div class="track" role="meter" aria-label="{name}" aria-valuemin="0" '
            f'aria-valuemax="{budget:g}" aria-valuenow="{spent:.4f}">'
            f"{_fill(0, min(spent / budget, 1.0), GAIN)}</div>"
        )
        lines.append((str(site), meter, f"ε {spent:.4f} of {budget:g} spent"))
    return _grid(lines)


def worths(frame: pd.DataFrame) -> str:
    """Shapley value of each site, to the right of a common zero for gain and to the left for loss.

    Parameters
    ----------
    frame : DataFrame
        As of `Contributions.frame`.
    """
    values = frame["shapley"].to_numpy()
    low, high = min(0.0, *values), max(0.0, *values)
    width = (high - low) or 1.0
    lines = []
    for site, value, error in zip(frame.index, values, frame["standard_error"], strict=True):
        start, end = (min(value, 0.0) - low) / width, (max(value, 0.0) - low) / width
        bar = f'<div class="track">{_fill(start, end, GAIN if value >= 0 else LOSS)}</div>'
        sampled = f" ± {error:.4f}" if error else ""
        lines.append((str(site), bar, f"{value:+.4f}{sampled}"))
    return _grid(lines)


def _fill(start: float, end: float, colour: str) -> str:
    where = f"left:{100 * start:.2f}%;width:{100 * (end - start):.2f}%"
    return f'<div class="fill" style="{where};background:{colour}"></div>'


def _grid(lines: Iterable[tuple[str, str, str]]) -> str:
    cells = "".join(
        f'<div class="name">{as_html(name)}</div>{bar}<div class="number">{text}</div>'
        for name, bar, text in lines
    )
    return f'<div class="fedlab-bars tex2jax_ignore mathjax_ignore">{cells}</div>'
