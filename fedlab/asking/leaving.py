"""What is known of who left when: counts of one group, between the fewest and the most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fedlab.core.parameters import Array
from fedlab.queries.disclosure import Flags
from fedlab.queries.survival_counts import (
    CENSORED,
    EVENT,
    FEWEST,
    MOST,
    SPREAD,
    UNKNOWN,
    SurvivalCounts,
)

__all__ = ["Leaving", "Steps", "envelope", "leaving_of", "steps_of"]


@dataclass(frozen=True)
class Leaving:
    """Those of one group who have left by the end of each slot.

    Attributes
    ----------
    patients : float
    events, censored, unknown : ndarray of shape (3, n_slots)
        The fewest, as spread evenly over blocks, and the most.
    points : ndarray of bool of shape (n_slots,)
        Slots that are one time, at which censored patients leave after those with the event.
    """

    patients: float
    events: Array
    censored: Array
    unknown: Array
    points: Flags

    @property
    def share(self) -> float:
        """Of those whose way is known, how many leave with the event; NaN where none is."""
        events, censored = self.events[MOST, -1], self.censored[MOST, -1]
        return float(events / (events + censored)) if events + censored > 0 else np.nan

    @property
    def certain(self) -> Array:
        """Slots at whose end it is certain who has left, and how."""
        parts = (self.events, self.censored)
        known = np.all([part[FEWEST] == part[MOST] for part in parts], axis=0)
        return np.asarray(known & (self.unknown[MOST] == 0))


def leaving_of(answer: SurvivalCounts, group: int, *, exact: bool, noisy: bool) -> Leaving:
    """One group of a sum of answers.

    Counts with noise are made to rise by isotonic regression, which is post-processing (Hay,
    Rastogi, Miklau and Suciu 2010, section 3).
    """
    left = answer.left[:, :, group]
    points = np.zeros(left.shape[-1], dtype=bool)
    points[1::2] = exact
    if noisy:
        from sklearn.isotonic import isotonic_regression

        rising = [isotonic_regression(left[way, SPREAD], y_min=0.0) for way in (EVENT, CENSORED)]
        events, censored = (np.stack([each] * 3) for each in rising)
        patients = float(events[0, -1] + censored[0, -1])
        return Leaving(patients, events, censored, np.zeros_like(events), points)
    # Fewest and most are whole; a secure sum may have left a rounding.
    whole = np.rint(left)
    whole[:, SPREAD] = np.clip(left[:, SPREAD], whole[:, FEWEST], whole[:, MOST])
    patients = float(np.rint(answer.patients[group]))
    return Leaving(patients, whole[EVENT], whole[CENSORED], whole[UNKNOWN], points)


@dataclass(frozen=True)
class Steps:
    """Events and those at risk in each slot, ``(n_slots,)`` each.

    Attributes
    ----------
    events : ndarray
    entering : ndarray
        At the start of the slot.
    at_risk : ndarray
        Of the events: those who enter, less half of those censored within an interval (the
        actuarial estimate, Cutler and Ederer 1958).
    """

    events: Array
    entering: Array
    at_risk: Array


def steps_of(leaving: Leaving, bound: int = SPREAD) -> Steps:
    """Steps as of evenly spread blocks, or as of the fewest or most that may have left.

    Patients who left in an unknown way count as those of their group whose way is known.
    """
    share = leaving.share
    unknown = np.nan_to_num(leaving.unknown[bound] * share) if share == share else 0.0
    events = leaving.events[bound] + unknown
    all_left = leaving.events[bound] + leaving.censored[bound] + leaving.unknown[bound]
    happened = np.diff(events, prepend=0.0)
    entering = leaving.patients - np.append(0.0, all_left[:-1])
    censored = np.diff(all_left - events, prepend=0.0)
    at_risk = entering - np.where(leaving.points, 0.0, censored / 2)
    return Steps(happened, entering, np.maximum(at_risk, happened))


def envelope(leaving: Leaving) -> tuple[Array, Array]:
    """Bounds of the survival after each slot, whatever the times behind the counts are.

    The product-limit estimate (Kaplan and Meier 1958) is a product over events, one by one, of
    ``1 - 1 / r``, with r the patients then at risk; ties need no rule of their own, since
    ``(r - 1) / r`` times ``(r - 2) / (r - 1)`` is ``(r - 2) / r``. The i-th event has the most
    censorings before it when it comes as late as the counts allow and they come as early, and the
    fewest the other way round. Within an interval events and censorings may come in any order.

    Returns
    -------
    low, high : ndarray of shape (n_slots,)
    """
    fewest = leaving.events[FEWEST]
    most = leaving.events[MOST] + leaving.unknown[MOST]
    late, early = leaving.censored[FEWEST], leaving.censored[MOST] + leaving.unknown[MOST]
    earlier = np.append(0.0, early[:-1])
    low = _lowest(fewest, most, leaving.patients - np.where(leaving.points, earlier, early))
    high = _highest(fewest, most, leaving.patients - np.append(0.0, late[:-1]))
    return low, np.maximum(high, low)


def _lowest(fewest: Array, most: Array, remaining: Array) -> Array:
    low, product, before = np.zeros_like(fewest), 1.0, 0.0
    for slot, (least, last, left) in enumerate(zip(fewest, most, remaining, strict=True)):
        product *= _ratio(left, before, least)
        low[slot] = product * _ratio(left, least, last)
        before = least
    return low


def _highest(fewest: Array, most: Array, remaining: Array) -> Array:
    """After the fewest events, each as early as the most would have it."""
    high, product, before, slot = np.zeros_like(fewest), 1.0, 0.0, 0
    for place, least in enumerate(fewest):
        while most[slot] < least:
            product *= _ratio(remaining[slot], before, most[slot])
            before, slot = most[slot], slot + 1
        high[place] = product * _ratio(remaining[slot], before, least)
    return high


def _ratio(remaining: float, first: float, last: float) -> float:
    """Survival of `remaining` less `first` patients after the events from `first` to `last`."""
    if last <= first:
        return 1.0
    return max(remaining - last, 0.0) / (remaining - first) if remaining > first else 0.0
