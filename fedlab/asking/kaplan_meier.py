"""Survival over all sites: the product-limit curve, intervals, and what it certainly lies in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from fedlab.asking.asked import How
from fedlab.asking.bench import Bench
from fedlab.asking.leaving import Leaving, envelope, steps_of
from fedlab.asking.naming import By, Where
from fedlab.asking.printed import frame_text
from fedlab.asking.survival_asked import ask_survival, check_level
from fedlab.core.parameters import Array
from fedlab.displays.tables import counted, to_html
from fedlab.queries.survival_counts import MOST

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["SurvivalCurves", "kaplan_meier"]


@dataclass(frozen=True, repr=False)
class SurvivalCurves:
    """One survival curve a group, on the grid of times.

    Attributes
    ----------
    frame : DataFrame
        One row a group and time of the grid. ``entering`` patients at the start of the interval
        that ends there, and in it ``events`` and ``censored``; ``survival`` after it, its
        ``standard_error`` (Greenwood); ``low`` and ``high``, between which the curve of these very
        patients certainly lies, and ``certain`` where every site tells this end of an interval on
        its own; and the interval ``lower`` to ``upper`` of log(-log) around these two, for what
        other patients might have given.
    medians : DataFrame
        One row a group: ``patients``, ``events`` in all, the ``median`` time with its interval
        ``lower`` to ``upper``, and ``low`` to ``high``, between which it certainly lies; times of
        the grid, NaN where the curve does not come down to one half on it.
    time, level
        What the times are, and the level of the intervals.
    notes : tuple of str
        What has to be known to read the figures.
    """

    frame: pd.DataFrame
    medians: pd.DataFrame
    time: str
    level: float
    notes: tuple[str, ...]

    @property
    def at_risk(self) -> pd.DataFrame:
        """Patients who are still followed after each time, one row a group; from 0 on."""
        table = self.frame["entering"].unstack("time")
        last = self.frame.groupby(level="group", sort=False).last()
        times = [0.0, *table.columns]
        table = table.reindex(self.medians.index)
        after = last["entering"] - last["events"] - last["censored"]
        table.insert(len(table.columns), "after", after.reindex(table.index))
        return table.set_axis(pd.Index(times, name="time"), axis=1)

    def plot(self) -> go.Figure:
        """Curves as steps, with intervals, what they certainly lie in, and patients at risk."""
        from fedlab.displays.survival_figure import survival_figure

        return survival_figure(
            self.frame, self.at_risk, time=self.time, level=self.level, private=self._private
        )

    @property
    def _private(self) -> bool:
        return bool(self.frame["low"].isna().all())

    def __repr__(self) -> str:
        return "\n".join([frame_text(self.medians), *self.notes])

    def _repr_html_(self) -> str:
        title = f"Survival by {self.time}: medians with {self.level:.0%} intervals"
        return to_html(counted(self.medians, "patients"), title=title, notes=self.notes)


def kaplan_meier(
    federation: Bench,
    by: By | None,
    where: Where | None,
    how: How,
    *,
    grid: Sequence[float],
    exact: bool,
    level: float,
) -> SurvivalCurves:
    """Ask all sites for counts of who leaves when; see `Federation.kaplan_meier`."""
    check_level(level)
    asked = ask_survival(federation, by, where, grid, how, exact=exact)
    total, times = asked.total, np.array(asked.query.grid)
    frames, medians, certain = {}, {}, True
    for name in asked.groups:
        leaving = asked.leaving(total, name)
        curve = _curve(leaving, times, level, exact=exact, private=asked.private)
        if asked.private:
            curve[["low", "high"]], curve["certain"] = np.nan, False
        certain = certain and bool((curve["low"] == curve["high"]).all())
        frames[name] = curve
        medians[name] = {
            "patients": leaving.patients,
            "events": steps_of(leaving).events.sum(),
            "median": _time(times, curve["survival"]),
            "lower": _time(times, curve["lower"]),
            "upper": _time(times, curve["upper"]),
            "low": _time(times, curve["low"]),
            "high": _time(times, curve["high"]),
        }
    table = pd.DataFrame.from_dict(medians, orient="index")
    table.index.name = "group"
    notes = [*_notes(asked.private, certain), *asked.notes]
    untold = {
        name: len(asked.replies.answering) - int(total.told[cell] + total.hidden[cell])
        for name, cell in asked.groups.items()
    }
    named = [f"{name} ({count} of the sites)" for name, count in untold.items() if count]
    if named:
        notes.append(
            "Sites tell when patients leave and not how, where fewer than their minimum leave in "
            f"one way: {', '.join(named)}. The curve takes them as the group's others; between low "
            "and high is whatever they may be."
        )
    return SurvivalCurves(
        frame=pd.concat(frames, names=["group"]),
        medians=table,
        time=str(federation.schema.target),
        level=level,
        notes=tuple(notes),
    )


def _curve(
    leaving: Leaving, times: Array, level: float, *, exact: bool, private: bool
) -> pd.DataFrame:
    steps = steps_of(leaving)
    low, high = envelope(leaving)
    nobody = leaving.patients <= 0
    if nobody:
        low, high = np.full_like(low, np.nan), np.full_like(high, np.nan)
    events, at_risk = steps.events, steps.at_risk
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        factors = np.where(events > 0, 1 - events / at_risk, 1.0)
        terms = np.where(events > 0, events / (at_risk * (at_risk - events)), 0.0)
        survival = np.clip(np.cumprod(factors), low, high)
        if nobody or (leaving.unknown[MOST].any() and np.isnan(leaving.share)):
            survival[:] = np.nan
        greenwood = np.cumsum(terms)
        deviation = survival * np.sqrt(greenwood)
        # Kalbfleisch and Prentice 2002, section 1.4: the interval of log(-log S) stays in (0, 1).
        # It goes out from what the curve certainly lies in, so that chance comes on top of it.
        error = np.nan_to_num(np.sqrt(greenwood) / np.abs(np.log(survival)), posinf=0.0)
        quantile = float(ndtri((1 + level) / 2))
        bottom, top = (survival, survival) if private else (low, high)
        lower = np.where(survival > 0, bottom ** np.exp(quantile * error), np.nan)
        upper = np.where(survival > 0, top ** np.exp(-quantile * error), np.nan)
    width = 2 if exact else 1
    ends = np.arange(len(times)) * width + width - 1
    entering, after = steps.entering[ends - width + 1], steps.entering[ends + 1]
    happened = np.diff(np.cumsum(events)[ends], prepend=0.0)
    return pd.DataFrame(
        {
            "entering": entering,
            "events": happened,
            "censored": np.maximum(entering - after - happened, 0.0),
            "survival": survival[ends],
            "standard_error": deviation[ends],
            "lower": lower[ends],
            "upper": upper[ends],
            "low": low[ends],
            "high": high[ends],
            "certain": leaving.certain[ends],
        },
        index=pd.Index(times, name="time"),
    )


def _time(times: Array, curve: pd.Series) -> float:
    """The first time at which the curve is down to one half."""
    # A product of fractions may stop a rounding above it.
    down = curve.to_numpy(dtype=np.float64) <= 0.5 + 1e-12
    return float(times[np.argmax(down)]) if down.any() else np.nan


def _notes(private: bool, certain: bool) -> list[str]:
    if private:
        return [
            "Counts have noise and were made to rise; standard errors and intervals do not know of "
            "the noise, and there is nothing that the curve certainly lies in."
        ]
    if certain:
        return ["The curve is that of the pooled rows: on this grid nothing is left open."]
    return [
        "low and high certainly hold the curve of the pooled rows, whatever sites put together to "
        "keep counts from being small, and in whatever order patients left within an interval; "
        "the curve between them has everybody at risk as likely to leave all through such a time.",
        "Marks at censored times cannot be drawn: sites tell counts, not times.",
    ]
