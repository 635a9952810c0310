"""Harrell's concordance: how often the patient who has the event first was given the higher risk.

A pair can be compared when one row has the event and the other is known to go on without it for
longer (Harrell et al. 1982). Equal risks count one half.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fedlab.core.parameters import Array

__all__ = ["BINS", "concordance_counts", "concordance_interval", "risk_histogram"]

# Closer than this, two risks are equal: rounding must not decide a pair.
TOLERANCE = 1e-8
ROWS_AT_ONCE = 512
BINS = 200


def concordance_counts(time: Array, event: Array, risk: Array) -> tuple[float, float]:
    """Concordant pairs, those of equal risk counted one half, and pairs that can be compared.

    Parameters
    ----------
    time, event, risk : ndarray of shape (n_samples,)

    Examples
    --------
    >>> time, event = np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, 1.0])
    >>> concordance_counts(time, event, np.array([2.0, 1.0, 2.0]))
    (1.5, 2.0)
    """
    order = np.argsort(-time, kind="stable")
    time, happened, risk = time[order], event[order] > 0, risk[order]
    # Latest first, so that all rows of earlier chunks go on for longer than those of this one.
    beyond = np.zeros(0)
    concordant = comparable = 0.0
    for start, end in _chunks(time):
        part = slice(start, end)
        first = np.flatnonzero(happened[part]) + start
        if time[start] == time[end - 1]:
            # Of one time, whoever is censored goes on for longer than whoever has the event.
            beyond = np.sort(np.concatenate([beyond, risk[part][~happened[part]]]))
            late = risk[first]
        else:
            later = time[part] > time[first, None]
            later |= (time[part] == time[first, None]) & ~happened[part]
            difference = risk[first, None] - risk[part]
            concordant += float((later & (difference > TOLERANCE)).sum())
            concordant += 0.5 * float((later & (np.abs(difference) <= TOLERANCE)).sum())
            comparable += float(later.sum())
            late = risk[part]
        lower = np.searchsorted(beyond, risk[first] - TOLERANCE, side="left").sum()
        within = np.searchsorted(beyond, risk[first] + TOLERANCE, side="right").sum()
        concordant += float(lower + within) / 2
        comparable += float(len(first) * len(beyond))
        beyond = np.sort(np.concatenate([beyond, late]), kind="stable")
    return concordant, comparable


def _chunks(time: Array) -> Iterator[tuple[int, int]]:
    """Parts of falling times, each of at most `ROWS_AT_ONCE` rows or of one time alone."""
    ends = [*(np.flatnonzero(np.diff(time)) + 1).tolist(), len(time)]
    start = reached = 0
    for end in ends:
        if end - start > ROWS_AT_ONCE and reached > start:
            yield start, reached
            start = reached
        reached = end
    if reached > start:
        yield start, reached


def risk_histogram(
    time: Array, event: Array, risk: Array, grid: Array, spread: float, bins: int
) -> Array:
    """Counts of rows by event, time and risk, shape ``(2, 2 n_times + 1, bins)``.

    Each time of the grid is a cell of its own, and so is each open interval before, between and
    after them. Risks fall into bins that part the line evenly on a logistic scale.

    Parameters
    ----------
    time, event, risk : ndarray of shape (n_samples,)
    grid : ndarray of shape (n_times,)
    spread : float
        About the standard deviation of the risks.
    bins : int
    """
    counts = np.zeros((2, 2 * len(grid) + 1, bins))
    share = 1 / (1 + np.exp(-np.clip(risk / max(spread, TOLERANCE), -500, 500)))
    places = np.minimum((share * bins).astype(np.int64), bins - 1)
    # Twice the grid times before it, and one more for a time of the grid itself.
    cells = np.searchsorted(grid, time, side="left") + np.searchsorted(grid, time, side="right")
    np.add.at(counts, ((event > 0).astype(np.int64), cells, places), 1.0)
    return counts


def concordance_interval(counts: Array) -> tuple[float, float, float, float]:
    """Concordance over all pairs of rows, as far as a histogram tells.

    Pairs whose times fall into one open interval are left out. Of a pair whose risks fall into one
    bin the order is not known: it counts one half, and the bounds say what it would be if all such
    pairs were discordant, or all concordant.

    Parameters
    ----------
    counts : ndarray of shape (2, 2 n_times + 1, bins)
        Of all sites together, from `risk_histogram`.

    Returns
    -------
    concordance, lower, upper : float
    comparable : float
        Pairs that were compared.
    """
    everyone = counts.sum(axis=0)
    # Rows that go on beyond each cell, by bin, and those of them with a lower risk. At a time of
    # the grid, whoever is censored there goes on beyond an event.
    beyond = np.vstack([np.cumsum(everyone[::-1], axis=0)[::-1][1:], np.zeros(counts.shape[2])])
    beyond[1::2] += counts[0, 1::2]
    below = np.cumsum(beyond, axis=1) - beyond
    higher = float((counts[1] * below).sum())
    equal = float((counts[1] * beyond).sum())
    comparable = float((counts[1].sum(axis=1) * beyond.sum(axis=1)).sum())
    if comparable == 0:
        return np.nan, np.nan, np.nan, 0.0
    return (
        (higher + equal / 2) / comparable,
        higher / comparable,
        (higher + equal) / comparable,
        comparable,
    )
