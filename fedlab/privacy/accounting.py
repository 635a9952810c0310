"""ε of what was released, by Google's dp-accounting; adding or removing one record.

The figure shown is that of privacy loss distributions (Koskela et al. 2020; Doroshenko et al. 2022,
pessimistic discretisation, so never too small). Rényi DP (Mironov 2017) is the quick upper bound.
The library is imported on first use, since most sessions never account.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from fedlab.errors import PrivacyError
from fedlab.privacy.events import Event, RecordDP, Releases

MOST_NOISE = 1e4
# Loss distributions grow with ε until they take half a minute; Rényi DP then errs to more noise.
MOST_EXACT = 20.0

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

    with _quiet():
        return _compose(rdp.RdpAccountant(), events, delta)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the Rényi accountant, which warns of single orders that it then leaves out."""
    logger = logging.getLogger("absl")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


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
    total = releases.count * privacy.rounds
    found = _calibrated(privacy.epsilon, privacy.delta, total, releases.sampling_rate)
    if found > MOST_NOISE:
        raise PrivacyError(
            f"A noise multiplier of at most {MOST_NOISE:,.0f} must keep the promise.",
            f"epsilon={privacy.epsilon:g}, delta={privacy.delta:g} over {total} releases",
            "Raise epsilon or delta, or ask for fewer rounds.",
        )
    return found


@lru_cache(maxsize=1024)
def _calibrated(epsilon: float, delta: float, count: int, sampling_rate: float) -> float:
    """Noise multiplier, infinite when there is none."""
    import dp_accounting
    from dp_accounting import pld, rdp

    def event(noise_multiplier: float) -> Any:
        return dp_accounting.SelfComposedDpEvent(_mechanism(noise_multiplier, sampling_rate), count)

    def search(accountant: Any, bracket: Any) -> float:
        found = dp_accounting.calibrate_dp_mechanism(
            accountant, event, epsilon, delta, bracket_interval=bracket, tol=1e-4
        )
        return float(found)

    nowhere = (dp_accounting.mechanism_calibration.NoBracketIntervalFoundError, ValueError)
    try:
        with _quiet():
            anywhere = dp_accounting.LowerEndpointAndGuess(0.0, 1.0)
            enough = search(rdp.RdpAccountant, anywhere)
    except nowhere:
        return math.inf
    if enough > MOST_NOISE or epsilon > MOST_EXACT:
        return enough
    # Rényi DP is quick and errs a little to more noise, so the slower search begins just below it.
    for share in (0.85, 0.5, 0.1):
        try:
            below = dp_accounting.ExplicitBracketInterval(share * enough, enough)
            return search(pld.PLDAccountant, below)
        except nowhere:
            continue
    return enough
