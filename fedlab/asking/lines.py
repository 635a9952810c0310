"""What each site said, and all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np

from fedlab.asking.asked import Replies
from fedlab.core.parameters import Array
from fedlab.evaluation import ALL_SITES
from fedlab.privacy import RecordDP
from fedlab.queries import Answer

__all__ = [
    "ALL_SITES",
    "Line",
    "added",
    "lines_of",
    "privacy_note",
    "states",
    "suppression_note",
]

A = TypeVar("A", bound=Answer)


@dataclass(frozen=True)
class Line(Generic[A]):
    """An answer of one site, or the sum of all.

    Attributes
    ----------
    site : str
    answer : Answer
    n_sites : int
        How many sites are in it.
    noise : float
        Standard deviation of the noise over the sensitivity; 0 for none.
    """

    site: str
    answer: A
    n_sites: int
    noise: float


def lines_of(replies: Replies, kind: type[A], n_sites: int | None = None) -> list[Line[A]]:
    """A line a site and one for all; under a secure sum the last alone.

    Parameters
    ----------
    replies : Replies
    kind : type
        Of the answers.
    n_sites : int, optional
        How many sites the line of all is about, by default those that answered. A site that
        refused this part and no other tells nothing here, and counts as one that suppresses.
    """
    every = len(replies.answering) if n_sites is None else n_sites
    found: list[Line[A]] = []
    for site, reply in replies.by_site.items():
        if isinstance(reply.answer, kind):
            z = 0.0 if reply.charge is None else reply.charge.noise_multiplier
            found.append(Line(site, reply.answer, 1, z))
    if list(replies.by_site) == [ALL_SITES]:
        return [Line(ALL_SITES, found[0].answer, every, found[0].noise)]
    noise = float(np.sqrt(sum(line.noise**2 for line in found)))
    return [*found, Line(ALL_SITES, _sum([line.answer for line in found]), every, noise)]


def _sum(answers: Sequence[A]) -> A:
    fields: Any = msgspec.structs.fields(type(answers[0]))  # type: ignore[arg-type]
    # In the order of the sites' names, whichever answered first.
    sums = [np.sum([getattr(a, f.name) for a in answers], axis=0) for f in fields]
    return type(answers[0])(*sums)


def states(shown: Array, n_sites: int, size: tuple[int, ...]) -> np.ndarray[Any, np.dtype[Any]]:
    """Whether each cell is told.

    "shown" by all its sites, "at least" where some suppress it, "suppressed" by all, or "noisy"
    where nothing is suppressed since all have noise.
    """
    if shown.size == 0 and np.prod(size) > 0:
        return np.full(size, "noisy", dtype=object)
    full = np.full(size, "at least", dtype=object)
    full[shown >= n_sites] = "shown"
    full[shown == 0] = "suppressed"
    return full


def added(values: Iterable[float], kinds: Iterable[str]) -> tuple[float, str]:
    """The sum of the counts that are told, and whether it is all of them.

    Examples
    --------
    >>> added([12.0, float("nan")], ["shown", "suppressed"])
    (12.0, 'at least')
    """
    found, told = set(kinds), float(np.nansum(list(values)))
    if "noisy" in found:
        return told, "noisy"
    if found == {"suppressed"}:
        return float("nan"), "suppressed"
    return told, "shown" if found == {"shown"} else "at least"


def suppression_note(minimums: Mapping[str, int]) -> str:
    """What suppressed means, with the sites' minimums."""
    least = sorted(set(minimums.values()))
    words = f"{least[0]}" if len(least) == 1 else f"{least[0]} to {least[-1]}, by site"
    return (
        f"Suppressed: a group of fewer patients than the site tells of ({words}), or one that "
        "would give such a group away. It is neither zero nor missing. At least (≥): without the "
        "suppressed."
    )


def privacy_note(privacy: RecordDP) -> str:
    """What was promised, and what it means for the figures."""
    return (
        f"With noise: at most ε = {privacy.epsilon:g} at δ = {privacy.delta:g} for one record "
        "(row) of one site, charged at each site. Counts are of rows, may be fractions or below "
        "zero, and nothing is suppressed; noise is the standard deviation that noise alone gives "
        "a figure."
    )
