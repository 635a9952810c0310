"""Ask for counts of who leaves when, by group: what curves and their tests begin with."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fedlab.asking.asked import How, Replies, ask
from fedlab.asking.bench import Bench
from fedlab.asking.labels import level_names
from fedlab.asking.leaving import Leaving, leaving_of
from fedlab.asking.naming import By, Where, conditions, factors, names_read
from fedlab.errors import DataError, TrainingError
from fedlab.queries.groups import Factor, schema_of
from fedlab.queries.survival_counts import CountSurvival, SurvivalCounts

__all__ = ["EVERYBODY", "SurvivalAsked", "ask_survival", "called", "check_level"]

EVERYBODY = "everybody"
MOST_TIMES, MOST_GROUPS = 5_000, 200


@dataclass(frozen=True)
class SurvivalAsked:
    """What came back.

    Attributes
    ----------
    query : CountSurvival
    groups : dict of str to int
        The cell of each group that has a curve.
    replies : Replies
    private : bool
    """

    query: CountSurvival
    groups: dict[str, int]
    replies: Replies
    private: bool

    @property
    def answers(self) -> dict[str, SurvivalCounts]:
        """By site, or one for all of them."""
        found = {site: reply.answer for site, reply in self.replies.by_site.items()}
        return {site: a for site, a in found.items() if isinstance(a, SurvivalCounts)}

    @property
    def total(self) -> SurvivalCounts:
        """Over all sites, in the order of their names."""
        answers = list(self.answers.values())
        names = ("patients", "left", "told", "hidden")
        return SurvivalCounts(
            **{name: np.sum([getattr(a, name) for a in answers], axis=0) for name in names}
        )

    def leaving(self, answer: SurvivalCounts, group: str) -> Leaving:
        """One group of an answer, or of their sum."""
        return leaving_of(answer, self.groups[group], exact=self.query.exact, noisy=self.private)

    @property
    def notes(self) -> list[str]:
        """Who is not in it, and what sites keep back."""
        notes, total = self.replies.notes, self.total
        own = list(self.groups.values())
        for name, cell in self.groups.items():
            hidden = int(total.hidden[cell])
            if hidden:
                notes.append(
                    f"{_sites(hidden)} not tell of {name}: patients of the group, or of another "
                    "that would follow from it, are fewer than the minimum there. They are not in "
                    "these figures."
                )
        outside = float(np.rint(total.patients.sum() - total.patients[own].sum()))
        if outside > 0 and not self.private:
            notes.append(f"{outside:,.0f} patients without a known group are in none.")
        return notes


def ask_survival(
    federation: Bench,
    by: By | None,
    where: Where | None,
    grid: Sequence[float],
    how: How,
    *,
    exact: bool,
) -> SurvivalAsked:
    """Put the question to all sites.

    Raises
    ------
    DataError
        When the target is no time until an event, the grid does not rise, or groups cannot be made.
    TrainingError
        When no site answers.
    """
    schema = federation.schema
    if schema.event is None:
        raise DataError(
            "Survival needs a target that is a time, and an event that ends it.",
            f"the target {schema.target!r} without an event",
            "Pass e.g. Site(..., target='days', event='died').",
        )
    groups, conditioned = factors(schema, by), conditions(schema, where)
    columns = names_read(groups, conditioned)
    if {schema.target, schema.event} & {each.column for each in groups}:
        raise DataError(
            "Patients are grouped by what is known when their time begins.",
            "groups by the time or the event itself",
            "Group by features.",
        )
    query = CountSurvival(
        schema=schema_of(schema, columns),
        grid=_checked(grid),
        exact=exact,
        factors=groups,
        where=conditioned,
    )
    if query.n_groups > MOST_GROUPS:
        raise DataError(
            f"Curves are of at most {MOST_GROUPS} groups.",
            f"{query.n_groups}, with missing and unmapped",
            "Group by fewer columns.",
        )
    return SurvivalAsked(
        query, _cells(groups), ask(federation, query, how), how.privacy is not None
    )


def _checked(grid: Sequence[float]) -> tuple[float, ...]:
    try:
        times = np.asarray(list(grid), dtype=np.float64)
    except (TypeError, ValueError):
        times = np.zeros(0)
    rising = times.ndim == 1 and 0 < times.size <= MOST_TIMES
    if not (rising and (np.diff(times, prepend=0.0) > 0).all() and math.isfinite(times[-1])):
        raise DataError(
            f"grid must be 1 to {MOST_TIMES:,} positive times that rise.",
            f"{times.size} values" if times.size else type(grid).__name__,
            "Pass e.g. grid=range(30, 3650, 30) for months, where time is in days.",
        )
    return tuple(times.tolist())


def check_level(level: float) -> None:
    """Raise TrainingError unless it is the level of an interval."""
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        raise TrainingError(
            "level must lie between 0 and 1.", f"{level!r}", "Pass e.g. level=0.95."
        )


def _cells(groups: tuple[Factor, ...]) -> dict[str, int]:
    if not groups:
        return {EVERYBODY: 0}
    shape = tuple(factor.n_levels + 2 for factor in groups)
    places = itertools.product(*(range(factor.n_levels) for factor in groups))
    named = [called(factor) for factor in groups]
    return {
        ", ".join(names[i] for names, i in zip(named, place, strict=True)): int(
            np.ravel_multi_index(place, shape)
        )
        for place in places
    }


def called(factor: Factor) -> list[str]:
    """The factor's own levels, as groups of patients are called by them.

    Examples
    --------
    >>> called(Factor(column="age", edges=(0.0, 40.0, 65.0)))
    ['age 0 to <40', 'age 40 to 65']
    >>> called(Factor(column="ward", values=("north",)))
    ['ward = north']
    """
    between = " = " if factor.values else " "
    own = level_names(factor)[: factor.n_levels]
    return [f"{factor.column}{between}{name}" for name in own]


def _sites(count: int) -> str:
    return "One site does" if count == 1 else f"{count} sites do"
