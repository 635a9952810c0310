"""One-way analysis of variance over all sites: whether groups have one mean."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from fedlab.asking.asked import How, new_run
from fedlab.asking.bench import Bench
from fedlab.asking.lines import suppression_note
from fedlab.asking.moments import Moments, ask_moments
from fedlab.asking.naming import By, Where, column_of, conditions, factors
from fedlab.asking.printed import frame_text, with_p_values
from fedlab.asking.survival_asked import called
from fedlab.displays.tables import counted, to_html
from fedlab.errors import DataError

__all__ = ["Variances", "anova"]

MEASURES = (
    "groups",
    "rows",
    "between",
    "within",
    "statistic",
    "degrees_between",
    "degrees_within",
    "p_value",
    "eta_squared",
)


@dataclass(frozen=True, repr=False)
class Variances:
    """The test, at each site and over all rows.

    Attributes
    ----------
    frame : DataFrame
        One row a site and one for all: ``groups`` that are told, ``rows`` in them, ``between`` and
        ``within`` sums of squares, ``statistic`` (F), its degrees ``degrees_between`` and
        ``degrees_within``, ``p_value``, and ``eta_squared``, the share of all squares that is
        between groups.
    groups : DataFrame
        For each site and all sites, and each group: ``rows`` with a value, ``mean``, ``sd``, and
        ``status``: "shown", "in part" where some site suppresses the group, or "suppressed".
    column : str
    notes : tuple of str
        What has to be known to read the figures.
    """

    frame: pd.DataFrame = field(hash=False)
    groups: pd.DataFrame = field(hash=False)
    column: str
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join([frame_text(self._shown), *self.notes])

    def _repr_html_(self) -> str:
        title = f"{self.column}: analysis of variance"
        return to_html(self._shown, title=title, notes=self.notes)

    @property
    def _shown(self) -> pd.DataFrame:
        whole = ("groups", "rows", "degrees_between", "degrees_within")
        return counted(with_p_values(self.frame), *whole)


def anova(federation: Bench, column: str, by: By, where: Where | None, how: How) -> Variances:
    """Ask all sites for sums by group; see `Federation.anova`."""
    asked, groups = column_of(federation.schema, column), factors(federation.schema, by)
    if asked.kind != "number" or len(groups) != 1:
        raise DataError(
            "An analysis of variance is about a column of numbers, grouped by one other.",
            f"{column!r}, a category" if asked.kind != "number" else f"{len(groups)} to group by",
            "Pass e.g. fed.anova('age', by='ward').",
        )
    (factor,) = groups
    told_of, replies = ask_moments(
        federation,
        [asked],
        groups,
        conditions(federation.schema, where),
        how,
        run=new_run(),
    )
    lines = told_of(len(replies.answering))
    names, own = called(factor), slice(0, factor.n_levels)
    frame = pd.DataFrame({line.site: _test(line, own) for line in lines}).T
    frame.index.name = "site"
    told = pd.concat({line.site: _groups(line, own, names) for line in lines}, names=["site"])
    notes = replies.notes
    if told["status"].isin(["suppressed", "in part"]).any():
        notes.append(suppression_note(federation.minimums))
    return Variances(frame, told, column, tuple(notes))


def _groups(line: Moments, own: slice, names: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "rows": line.rows[own, 0],
            "mean": line.mean[own, 0],
            "sd": line.sd[own, 0],
            "status": line.mean_state[own, 0].astype(str),
        },
        index=pd.Index(names, name="group"),
    )


def _test(line: Moments, own: slice) -> dict[str, float]:
    """Fisher (1925): squares between groups over squares within them."""
    rows, mean, sd = (part[own, 0] for part in (line.rows, line.away, line.sd))
    there = rows > 0
    rows, mean, sd = rows[there], mean[there], np.nan_to_num(sd[there])
    first, second = len(rows) - 1, float(rows.sum()) - len(rows)
    if first < 0:
        return dict.fromkeys(MEASURES, np.nan) | {"groups": 0.0}
    within = float(((rows - 1) * sd**2).sum())
    common = (rows * mean).sum() / rows.sum()
    between = float((rows * (mean - common) ** 2).sum())
    total = between + within
    sound = first > 0 and second > 0 and within > 0
    statistic = between / first / (within / second) if sound else np.nan
    return {
        "groups": float(len(rows)),
        "rows": float(rows.sum()),
        "between": between,
        "within": within,
        "statistic": statistic,
        "degrees_between": float(first),
        "degrees_within": max(second, 0.0),
        "p_value": float(fdtrc(first, second, statistic)) if sound else np.nan,
        "eta_squared": between / total if first > 0 and total > 0 else np.nan,
    }
