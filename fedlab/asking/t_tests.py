"""Two groups' means over all sites: Student's and Welch's test, and how far apart they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from fedlab.asking.asked import How, new_run
from fedlab.asking.bench import Bench
from fedlab.asking.labels import level_names
from fedlab.asking.lines import ALL_SITES, privacy_note, suppression_note
from fedlab.asking.moments import Moments, ask_moments
from fedlab.asking.naming import By, Where, column_of, conditions, factors
from fedlab.asking.printed import frame_text, with_p_values
from fedlab.asking.survival_asked import called, check_level
from fedlab.displays.tables import to_html
from fedlab.errors import DataError
from fedlab.queries.groups import Factor

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["MeanDifference", "t_test"]

TESTS = ("student", "welch")


@dataclass(frozen=True, repr=False)
class MeanDifference:
    """The first group's mean less the second's, at each site and over all rows.

    Attributes
    ----------
    frame : DataFrame
        For each site and all sites, and each test, ``student`` (one variance for both groups) and
        ``welch`` (one for each): ``difference`` in the column's unit, its interval ``lower`` to
        ``upper``, ``statistic`` (t), ``degrees`` of freedom, ``p_value`` (two-sided), and
        ``cohens_d``, the difference in units of the pooled standard deviation. NaN where a site
        does not tell of one of the groups.
    groups : DataFrame
        For each site and all sites, and each group: ``rows`` with a value, ``mean``, ``sd``, and
        ``status``: "shown", "in part" where some site suppresses the group, "suppressed", "noisy".
    column : str
    compared : (str, str)
        The groups' names.
    level : float
        Of the intervals.
    notes : tuple of str
        What has to be known to read the figures.
    """

    frame: pd.DataFrame = field(hash=False)
    groups: pd.DataFrame = field(hash=False)
    column: str
    compared: tuple[str, str]
    level: float
    notes: tuple[str, ...]

    def plot(self, test: str = "welch") -> go.Figure:
        """The difference with its interval, one site below the other.

        Parameters
        ----------
        test : "welch" or "student"
        """
        from fedlab.displays.escape import as_label
        from fedlab.displays.forest_plot import forest_figure

        if test not in TESTS:
            raise DataError("test must be 'welch' or 'student'.", f"{test!r}", "Pass 'welch'.")
        rows = self.frame.index.get_level_values("test") == test
        shown = self.frame.loc[rows, ["difference", "lower", "upper"]].droplevel("test").dropna()
        first, second = map(as_label, self.compared)
        unit = f"{as_label(self.column)}: {first} less {second}; {self.level:.0%} interval"
        return forest_figure(
            shown.rename(columns={"difference": "estimate"}), unit=unit, ratio=False
        )

    def __repr__(self) -> str:
        return "\n".join([frame_text(with_p_values(self.frame)), *self.notes])

    def _repr_html_(self) -> str:
        title = f"{self.column}: {self.compared[0]} less {self.compared[1]}"
        return to_html(with_p_values(self.frame), title=title, notes=self.notes)


def t_test(
    federation: Bench,
    column: str,
    by: By,
    levels: Sequence[str] | None,
    where: Where | None,
    how: How,
    *,
    level: float,
) -> MeanDifference:
    """Ask all sites for sums by group; see `Federation.t_test`."""
    check_level(level)
    schema = federation.schema
    asked = column_of(schema, column)
    if asked.kind != "number":
        raise DataError(
            "A t test is about a column of numbers.",
            f"{column!r}, a category",
            "Use fed.cross_tab for two categories.",
        )
    factor, places, names = _compared(factors(schema, by), levels)
    private = how.privacy is not None
    told_of, replies = ask_moments(
        federation,
        [asked],
        (factor,),
        conditions(schema, where),
        how.parts(1),
        run=new_run(),
    )
    tests, groups = {}, {}
    for line in told_of(len(replies.answering)):
        for place, name in zip(places, names, strict=True):
            groups[line.site, name] = _group(line, place)
        sides = [_Side.of(line, place) for place in places]
        for test in TESTS:
            tests[line.site, test] = _test(*sides, welch=test == "welch", level=level)
    told = pd.DataFrame.from_dict(groups, orient="index")
    told.index = pd.MultiIndex.from_tuples(told.index, names=["site", "group"])
    frame = pd.DataFrame.from_dict(tests, orient="index")
    frame.index = pd.MultiIndex.from_tuples(frame.index, names=["site", "test"])
    pooled = f"{ALL_SITES} pools the rows of all sites and does not adjust for the site."
    notes = [pooled, *replies.notes]
    if told["status"].isin(["suppressed", "in part"]).any():
        notes.append(suppression_note(federation.minimums))
    if how.privacy is not None:
        notes.append(privacy_note(how.privacy))
    if private:
        notes.append(
            "Errors of means have the noise of their sums in them, to first order; standard "
            "deviations and degrees of freedom do not."
        )
    return MeanDifference(frame, told, column, names, level, tuple(notes))


def _compared(
    groups: tuple[Factor, ...], levels: Sequence[str] | None
) -> tuple[Factor, tuple[int, int], tuple[str, str]]:
    if len(groups) != 1:
        raise DataError(
            "A t test compares two groups of one column.",
            f"{len(groups)} columns to group by",
            "Pass e.g. by='ward', or by={'age': [0, 60, 120]}.",
        )
    (factor,) = groups
    known = level_names(factor)[: factor.n_levels]
    wanted = known if levels is None else _texts(levels)
    if len(wanted) != 2 or not set(wanted) <= set(known) or wanted[0] == wanted[1]:
        raise DataError(
            "A t test compares two groups.",
            f"{len(wanted)} of {factor.column!r}" if len(wanted) != 2 else "others than it has",
            f"Pass levels=(...) with two of {', '.join(map(repr, known))}.",
        )
    places = (known.index(wanted[0]), known.index(wanted[1]))
    names = called(factor)
    return factor, places, (names[places[0]], names[places[1]])


def _texts(levels: object) -> list[str]:
    sound = isinstance(levels, Iterable) and not isinstance(levels, str | bytes)
    return [str(each) for each in levels] if sound else []  # type: ignore[attr-defined]


def _group(line: Moments, place: int) -> dict[str, object]:
    return {
        "rows": line.rows[place, 0],
        "mean": line.mean[place, 0],
        "sd": line.sd[place, 0],
        "status": str(line.mean_state[place, 0]),
    }


@dataclass(frozen=True)
class _Side:
    rows: float
    away: float
    sd: float
    noise: float

    @classmethod
    def of(cls, line: Moments, place: int) -> _Side:
        parts = (line.rows, line.away, line.sd, line.mean_noise)
        return cls(*(float(part[place, 0]) for part in parts))


def _test(first: _Side, second: _Side, *, welch: bool, level: float) -> dict[str, float]:
    """Student (1908) with one variance; Welch (1947) with two, by Satterthwaite's degrees."""
    difference = first.away - second.away
    with np.errstate(divide="ignore", invalid="ignore"):
        spare = np.array([first.rows - 1, second.rows - 1])
        squares = np.square([first.sd, second.sd])
        rows = np.array([first.rows, second.rows])
        pooled = float((spare * squares).sum() / spare.sum())
        shares = (squares if welch else pooled) / rows
        degrees = spare.sum()
        if welch:
            degrees = shares.sum() ** 2 / (shares**2 / spare).sum()
        error = float(np.sqrt(shares.sum() + first.noise**2 + second.noise**2))
        statistic = difference / error if error > 0 else np.nan
        half = float(-stdtrit(degrees, (1 - level) / 2)) * error
        return {
            "difference": difference,
            "lower": difference - half,
            "upper": difference + half,
            "statistic": statistic,
            "degrees": float(degrees),
            "p_value": float(2 * stdtr(degrees, -abs(statistic))),
            "cohens_d": difference / np.sqrt(pooled) if pooled > 0 else np.nan,
        }
