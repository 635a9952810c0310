"""ε of what was released, by Google's dp-accounting; adding or removing one record.

The figure shown is that of privacy loss distributions (Koskela et al. 2020; Doroshenko et al. 2022,
pessimistic discretisation, so never too small). Rényi DP (Mironov 2017) is the quick upper bound.
The library is imported on first use, since most sessions never account.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from fedlab.errors import PrivacyError
from fedlab.privacy.events import Event, RecordDP, Releases

__all__ = ["calibrate", "epsilon_bound", "epsilon_spent"]


def _merged(events: Iterable[Event]) -> tuple[Event, ...]:
    """Equal mechanisms as one event with their count: fewer convolutions and equal cache keys."""
    counts: dict[tuple[float, float], int] = {}
    for event in events:
        kind = (event.noise_multiplier, event.sampling_rate)
        counts[kind] = counts.get(kind, 0) + event.count
    return tuple(Event(z, rate, count) for (z, rate), count in sorted(counts.items()))


def _mechanism(noise_multiplier: float, sampling_rate: float) -> Any:
    import dp_accounting

    gaussian = dp_accounting.GaussianDpEvent(noise_multiplier)
    if sampling_rate == 1.0:
        return gaussian
    return dp_accounting.PoissonSampledDpEvent(sampling_rate, gaussian)


def _compose(accountant: Any, events: tuple[Event, ...], delta: float) -> float:
    for event in events:
        accountant.compose(_mechanism(event.noise_multiplier, event.sampling_rate), event.count)
    return float(accountant.get_epsilon(delta))


@lru_cache(maxsize=4096)
def _by_pld(events: tuple[Event, ...], delta: float) -> float:
    from dp_accounting import pld

    return _compose(pld.PLDAccountant(), events, delta)


@lru_cache(maxsize=4096)
def _by_rdp(events: tuple[Event, ...], delta: float) -> float:
    from dp_accounting import rdp

    return _compose(rdp.RdpAccountant(), events, delta)


def epsilon_spent(events: Iterable[Event], delta: float) -> float:
    """ε of all `events` together at `delta`.

    Examples
    --------
    >>> round(epsilon_spent([Event(noise_multiplier=1.0)], delta=1e-5), 3)
    4.377
    >>> epsilon_spent([], delta=1e-5)
    0.0
    """
    merged = _merged(events)
    return _by_pld(merged, delta) if merged else 0.0


def epsilon_bound(events: Iterable[Event], delta: float) -> float:
    """Upper bound on `epsilon_spent`, quicker where many kinds of events were mixed."""
    merged = _merged(events)
    return _by_rdp(merged, delta) if merged else 0.0


@lru_cache(maxsize=1024)
def calibrate(privacy: RecordDP, releases: Releases) -> float:
    """Smallest noise multiplier with which all rounds of `releases` keep the promise.

    Raises
    ------
    PrivacyError
        When no noise multiplier up to 10,000 keeps it.

    Examples
    --------
    >>> z = calibrate(RecordDP(epsilon=2.0, delta=1e-5, rounds=30), Releases(count=1))
    >>> round(z, 2)
    10.92
    """
    import dp_accounting
    from dp_accounting import pld

    total = releases.count * privacy.rounds

    def event(noise_multiplier: float) -> Any:
        return dp_accounting.SelfComposedDpEvent(
            _mechanism(noise_multiplier, releases.sampling_rate), total
        )

    try:
        found = float(
            dp_accounting.calibrate_dp_mechanism(
                pld.PLDAccountant, event, privacy.epsilon, privacy.delta, tol=1e-4
            )
        )
    except dp_accounting.mechanism_calibration.NoBracketIntervalFoundError:
        found = math.inf
    if found > 1e4:
        raise PrivacyError(
            "A noise multiplier of at most 10,000 must keep the promise.",
            f"epsilon={privacy.epsilon:g}, delta={privacy.delta:g} over {total} releases",
            "Raise epsilon or delta, or ask for fewer rounds.",
        )
    return found
