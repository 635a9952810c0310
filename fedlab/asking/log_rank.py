"""The log-rank test over all sites: whether groups differ in when their event comes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from fedlab.asking.asked import How
from fedlab.asking.bench import Bench
from fedlab.asking.leaving import Leaving, Steps, steps_of
from fedlab.asking.naming import By, Where
from fedlab.asking.printed import frame_text
from fedlab.asking.survival_asked import SurvivalAsked, ask_survival
from fedlab.core.parameters import Array
from fedlab.displays.tables import counted, to_html
from fedlab.errors import TrainingError
from fedlab.queries.survival_counts import FEWEST, MOST, SPREAD

__all__ = ["LogRank", "log_rank"]

MOST_COMBINED = 4


@dataclass(frozen=True, repr=False)
class LogRank:
    """The test, and what went into it.

    Attributes
    ----------
    frame : DataFrame
        One row a group: ``patients``, ``observed`` events, and ``expected`` ones if all groups had
        the same hazard.
    statistic, degrees, p_value : float
        Chi-square, and its degrees of freedom.
    certain : bool
        Whether the statistic is that of the pooled rows.
    statistic_range : (float, float)
        The least and the largest statistic over ways in which patients of whole groups may have
        left as early, or as late, as sites' counts allow. Examples, not bounds; equal to the
        statistic where it is certain.
    stratified : bool
        Whether patients are compared within their site alone.
    notes : tuple of str
        What has to be known to read the figures.
    """

    frame: pd.DataFrame
    statistic: float
    degrees: int
    p_value: float
    certain: bool
    statistic_range: tuple[float, float]
    stratified: bool
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The result as papers print it."""
        how = ", stratified by site" if self.stratified else ""
        if self.degrees == 0:
            return f"No log-rank test{how}: no event lets groups be compared on the grid."
        p = "< 0.0001" if self.p_value < 1e-4 else f"= {self.p_value:.4f}"
        return f"Log-rank test{how}: χ²({self.degrees}) = {self.statistic:.3f}, p {p}."

    def __repr__(self) -> str:
        return "\n".join([frame_text(self.frame), self.sentence, *self.notes])

    def _repr_html_(self) -> str:
        frame = counted(self.frame, "patients")
        return to_html(frame, title="Events by group, observed and expected", notes=self._lines)

    @property
    def _lines(self) -> list[str]:
        return [self.sentence, *self.notes]


def log_rank(
    federation: Bench,
    by: By,
    where: Where | None,
    how: How,
    *,
    grid: Sequence[float],
    exact: bool,
    stratified: bool,
) -> LogRank:
    """Ask all sites for counts of who leaves when; see `Federation.log_rank`."""
    asked = ask_survival(federation, by, where, grid, how, exact=exact)
    if stratified and len(asked.answers) < len(federation.sites) - len(asked.replies.refusals):
        raise TrainingError(
            "Strata are sites whose own counts are seen.",
            "a secure sum, which hides them",
            "Pass aggregation='plain', or stratified=False.",
        )
    strata = list(asked.answers.values()) if stratified else [asked.total]
    tables = [{name: asked.leaving(each, name) for name in asked.groups} for each in strata]
    sizes = {name: sum(t[name].patients for t in tables) for name in asked.groups}
    groups = [name for name, size in sizes.items() if size > 0]
    if len(groups) < 2:
        raise TrainingError(
            "The log-rank test compares two groups or more.",
            f"{len(groups)} of which sites tell",
            "Pass by=... of a column with two values that have patients.",
        )
    kept = [{name: table[name] for name in groups} for table in tables]
    observed, expected, statistic, degrees = _test(kept, dict.fromkeys(groups, SPREAD))
    certain = not asked.private and all(_known(leaving) for t in kept for leaving in t.values())
    spans = [statistic] if certain or asked.private else _scenarios(kept, groups)
    frame = pd.DataFrame(
        {"patients": [sizes[name] for name in groups], "observed": observed, "expected": expected},
        index=pd.Index(groups, name="group"),
    )
    return LogRank(
        frame=frame,
        statistic=statistic,
        degrees=degrees,
        p_value=float(chdtrc(degrees, statistic)) if degrees else np.nan,
        certain=certain,
        statistic_range=(min(statistic, *spans), max(statistic, *spans)),
        stratified=stratified,
        notes=tuple(_notes(asked, certain, min(spans), max(spans), degrees)),
    )


def _known(leaving: Leaving) -> bool:
    """Whether counts say all that the test asks: events come at points, or not at all."""
    events = np.diff(leaving.events[MOST], prepend=0.0)
    # What comes after the grid's last time is not tested.
    shown = slice(0, -1)
    return bool(leaving.certain[shown].all() and (events[shown][~leaving.points[shown]] == 0).all())


def _test(
    tables: Sequence[Mapping[str, Leaving]], at: Mapping[str, int]
) -> tuple[Array, Array, float, int]:
    """Observed, expected, statistic and degrees of freedom, summed over strata.

    At each time the events fall on groups as drawn from those at risk (Mantel 1966): with d of n,
    of which group i has n_i, it expects ``d n_i / n``, with the covariance of the multivariate
    hypergeometric distribution (Kalbfleisch and Prentice 2002, equations 1.20 and 1.21).
    """
    parts = [_moments([steps_of(table[name], at[name]) for name in table]) for table in tables]
    observed, expected = (np.sum([part[i] for part in parts], axis=0) for i in (0, 1))
    covariance = np.sum([part[2] for part in parts], axis=0)
    there = np.diag(covariance) > 1e-12
    apart, between = (observed - expected)[there][:-1], covariance[np.ix_(there, there)][:-1, :-1]
    degrees = max(int(there.sum()) - 1, 0)
    statistic = float(apart @ np.linalg.pinv(between, hermitian=True) @ apart) if degrees else 0.0
    return observed, expected, statistic, degrees


def _moments(steps: Sequence[Steps]) -> tuple[Array, Array, Array]:
    # What comes after the grid's last time has no end in which it could be compared.
    events = np.array([each.events for each in steps])[:, :-1]
    at_risk = np.array([each.at_risk for each in steps])[:, :-1]
    died, whole = events.sum(axis=0), at_risk.sum(axis=0)
    share = np.divide(at_risk, whole, out=np.zeros_like(at_risk), where=whole > 0)
    spare = np.divide(whole - died, whole - 1, out=np.zeros_like(whole), where=whole > 1)
    weight = died * np.clip(spare, 0.0, 1.0)
    covariance = np.diag((share * weight).sum(axis=1)) - (share * weight) @ share.T
    return events.sum(axis=1), (share * died).sum(axis=1), covariance


def _scenarios(tables: Sequence[Mapping[str, Leaving]], groups: Sequence[str]) -> list[float]:
    ends = (FEWEST, MOST)
    if len(groups) <= MOST_COMBINED:
        chosen = [
            dict(zip(groups, c, strict=True)) for c in itertools.product(ends, repeat=len(groups))
        ]
    else:
        other = {FEWEST: MOST, MOST: FEWEST}
        chosen = [
            {name: end if name == one else other[end] for name in groups}
            for one in groups
            for end in ends
        ] + [dict.fromkeys(groups, end) for end in ends]
    return [_test(tables, at)[2] for at in chosen]


def _notes(
    asked: SurvivalAsked, certain: bool, least: float, largest: float, degrees: int
) -> list[str]:
    last = f"Events after {asked.query.grid[-1]:g}, the last time of the grid, are not compared."
    if asked.private:
        how = "Counts have noise, which the p-value does not know of: it is too small."
    elif certain:
        how = "The statistic is that of the pooled rows."
    else:
        p = " to ".join(f"{chdtrc(degrees, each):.2g}" for each in (largest, least))
        how = (
            "Not exact: some counts are of longer intervals, in which patients are taken to leave "
            "with equal chance. Were those of whole groups to leave as early or as late as the "
            f"counts allow, the statistic would go from {least:.3g} to {largest:.3g} (p from {p}); "
            "these are examples, and no bounds."
        )
    return [*[how] * (degrees > 0), last, *asked.notes]
