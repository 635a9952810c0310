"""Means and standard deviations by group, at each site and over all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from fedlab.asking.asked import How, Replies, ask
from fedlab.asking.bench import Bench
from fedlab.asking.lines import Line, lines_of, states
from fedlab.asking.naming import names_read
from fedlab.core.parameters import Array
from fedlab.core.schema import Column
from fedlab.errors import PrivacyError
from fedlab.queries.group_sums import GroupSums, SumGroups
from fedlab.queries.groups import Condition, Factor, schema_of

__all__ = ["Moments", "ask_moments"]

MOST_PARTS = 3
"""Questions that it takes where a declared range is far wider than what values fill."""
LEAST_SPREAD = 1e-4
"""Of a scale: a secure sum rounds squares to multiples of 2 to the power of -32."""
States = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Moments:
    """Of one site or of all, each array of shape ``(n_groups, n_columns)``.

    Attributes
    ----------
    site : str
    n_sites : int
        How many sites are in it.
    rows : ndarray
        Of which mean and standard deviation are.
    mean, sd : ndarray
        The second with a divisor of rows less one; NaN where it is not told, or of nobody.
    away : ndarray
        The mean less a center that all groups and sites share, with the digits that a mean far
        from zero cannot hold.
    patients, missing, unmapped : ndarray
        Patients with a value and without; NaN where suppressed. Rows under noise.
    patients_state, missing_state, unmapped_state, mean_state : ndarray of object
        "shown", "at least", "suppressed" or "noisy"; of means "in part" for "at least".
    mean_noise : ndarray
        Standard deviation that noise alone gives the mean.
    count_noise : float
        The same for counts.
    """

    site: str
    n_sites: int
    rows: Array
    mean: Array
    sd: Array
    away: Array
    patients: Array
    missing: Array
    unmapped: Array
    patients_state: States
    missing_state: States
    unmapped_state: States
    mean_state: States
    mean_noise: Array
    count_noise: float


def ask_moments(
    federation: Bench,
    columns: Sequence[Column],
    groups: tuple[Factor, ...],
    conditioned: tuple[Condition, ...],
    how: How,
    *,
    run: str,
    part: int = 0,
) -> tuple[Callable[[int], list[Moments]], Replies]:
    """Moments of numbers, once it is known how many sites they are about; and the replies.

    Without noise it is asked twice, the second time about the mean and in units of the standard
    deviation, so that rounding, also that of a secure sum, stays far below the figures; and once
    more under a secure sum where the first answer was too coarse for that.

    Parameters
    ----------
    federation : Bench
    columns : sequence of Column
        Numbers; under privacy with a declared range each.
    groups : tuple of Factor
    conditioned : tuple of Condition
    how : How
    run, part
        As of `ask`.

    Raises
    ------
    PrivacyError
        For a column without a range under privacy.
    """
    names = tuple(column.name for column in columns)
    center, scale = _public(columns, private=how.privacy is not None)
    query = SumGroups(
        schema=schema_of(federation.schema, names_read(groups, conditioned, *names)),
        columns=names,
        center=center,
        scale=scale,
        factors=groups,
        where=conditioned,
    )
    replies = ask(federation, query, how, run=run, part=part)
    lines = lines_of(replies, GroupSums)
    for again in range(1, MOST_PARTS) if how.privacy is None else ():
        center, scale, resolved = _better(lines[-1].answer, center, scale)
        query = msgspec.structs.replace(query, center=center, scale=scale)
        replies = ask(federation, query, how, run=run, part=part + again)
        lines = lines_of(replies, GroupSums)
        if resolved or how.aggregation == "plain":
            break
    sensitivity = np.sqrt(3 * len(names))

    def told(n_sites: int) -> list[Moments]:
        every = lines_of(replies, GroupSums, n_sites)
        return [_moments(line, center, scale, float(sensitivity)) for line in every]

    return told, replies


def _public(columns: Sequence[Column], *, private: bool) -> tuple[Array, Array]:
    """Middle and half width of each declared range; 0 and 1 where there is none."""
    ends = []
    for column in columns:
        if column.low is not None and column.high is not None and column.low < column.high:
            ends.append((column.low, column.high))
        elif private:
            raise PrivacyError(
                "A mean under privacy needs a public range, to which values are clipped.",
                f"no range for {column.name!r}",
                f"Pass e.g. Site(..., ranges={{{column.name!r}: (0, 120)}}) from domain knowledge, "
                "or leave the column out.",
            )
        else:
            ends.append((-1.0, 1.0))
    low, high = np.array(ends, dtype=np.float64).reshape(-1, 2).T
    return (low + high) / 2, (high - low) / 2


def _better(answer: GroupSums, center: Array, scale: Array) -> tuple[Array, Array, bool]:
    """Mean and standard deviation over all groups, as center and scale of the next question.

    And whether the second is known well enough for that, where a secure sum rounds squares.
    """
    count, total, squares = answer.sums[:3].sum(axis=1)
    n = np.maximum(count, 1.0)
    mean = total / n
    spread = np.sqrt(np.maximum(squares / n - mean**2, 0.0))
    resolved = bool((spread[count > 0] > 10 * LEAST_SPREAD).all())
    return center + scale * mean, scale * np.maximum(spread, LEAST_SPREAD), resolved


def _moments(line: Line[GroupSums], center: Array, scale: Array, sensitivity: float) -> Moments:
    answer = line.answer
    count, total, squares, missing, unmapped = answer.sums
    size = count.shape
    noisy = answer.shown.size == 0
    told = [
        states(s, line.n_sites, size) for s in (answer.shown if not noisy else [answer.shown] * 4)
    ]
    told[3][told[3] == "at least"] = "in part"
    patients = count if noisy else answer.patients
    n = np.where(count >= (1.0 if not noisy else 0.5), count, np.nan)
    inner = total / n
    # At the common center, which is close to the mean, so that little is cancelled.
    variance = (squares - n * inner**2) / np.where(n > 1, n - 1, np.nan)
    # Below zero it is rounding; or noise, under which nothing is known then.
    variance = np.where(variance > 0, variance, np.nan if noisy else np.maximum(variance, 0.0))
    if noisy:
        inner = np.clip(inner, -1.0, 1.0)
    mean = center + scale * inner
    # What is left of a mean of zero is rounding.
    mean[np.abs(mean) < 4 * np.spacing(np.maximum(np.abs(center), scale))] = 0.0
    noise = line.noise * sensitivity
    return Moments(
        site=line.site,
        n_sites=line.n_sites,
        rows=np.where(told[3] == "suppressed", np.nan, count),
        mean=mean,
        sd=scale * np.sqrt(variance),
        away=scale * inner,
        patients=np.where(told[0] == "suppressed", np.nan, patients),
        missing=np.where(told[1] == "suppressed", np.nan, missing),
        unmapped=np.where(told[2] == "suppressed", np.nan, unmapped),
        patients_state=told[0],
        missing_state=told[1],
        unmapped_state=told[2],
        mean_state=told[3],
        # Of a ratio, by the first order of its Taylor series.
        mean_noise=noise * scale * np.sqrt(1 + inner**2) / n,
        count_noise=noise,
    )
