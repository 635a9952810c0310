"""ε of what was released, by Google's dp-accounting; by default for adding or removing one record.

The figure shown is that of privacy loss distributions (Koskela et al. 2020; Doroshenko et al. 2022,
pessimistic discretisation, so never too small). Rényi DP (Mironov 2017) is the quick upper bound,
and the figure where a mechanism is known by its Rényi divergences only.
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
from fedlab.privacy.events import Event, Mechanism, Neighbours, Promise, Releases, Unit

MOST_NOISE = 1e4
# Loss distributions grow with ε until they take half a minute; Rényi DP then errs to more noise.
MOST_EXACT = 20.0

__all__ = ["calibrate", "epsilon_bound", "epsilon_spent"]


def _merged(events: Iterable[Event]) -> tuple[Event, ...]:
    """Equal mechanisms as one event with their count: fewer convolutions and equal cache keys."""
    counts: dict[tuple[Mechanism, float, float], int] = {}
    for event in events:
        kind = (event.mechanism, event.noise_multiplier, event.sampling_rate)
        counts[kind] = counts.get(kind, 0) + event.count
    return tuple(Event(z, rate, count, name) for (name, z, rate), count in sorted(counts.items()))


def _mechanism(noise_multiplier: float, sampling_rate: float, mechanism: Mechanism) -> Any:
    import dp_accounting

    if noise_multiplier == 0:
        return dp_accounting.NonPrivateDpEvent()
    if mechanism == "concentrated":
        # A Gaussian's Rényi divergence of order alpha is alpha / (2 z^2).
        return dp_accounting.ZCDpEvent(rho=0.5 / noise_multiplier**2)
    known = {"gaussian": dp_accounting.GaussianDpEvent, "laplace": dp_accounting.LaplaceDpEvent}
    noise = known[mechanism](noise_multiplier)
    return (
        noise if sampling_rate == 1 else dp_accounting.PoissonSampledDpEvent(sampling_rate, noise)
    )


def _compose(accountant: Any, events: tuple[Event, ...], delta: float) -> float:
    try:
        for event in events:
            kind = _mechanism(event.noise_multiplier, event.sampling_rate, event.mechanism)
            accountant.compose(kind, event.count)
    except _unsupported() as error:
        raise PrivacyError(
            "The accountant must know each mechanism under the relation that is asked for.",
            f"{type(error).__name__}",
            "Ask for neighbours='add or remove'.",
        ) from None
    return float(accountant.get_epsilon(delta))


def _unsupported() -> type[Exception]:
    import dp_accounting

    kind: type[Exception] = dp_accounting.UnsupportedEventError
    return kind


def _relation(neighbours: Neighbours) -> Any:
    import dp_accounting

    known = dp_accounting.NeighboringRelation
    return known.REPLACE_ONE if neighbours == "replace" else known.ADD_OR_REMOVE_ONE


@lru_cache(maxsize=4096)
def _by_pld(events: tuple[Event, ...], delta: float, neighbours: Neighbours) -> float:
    from dp_accounting import pld

    return _compose(pld.PLDAccountant(_relation(neighbours)), events, delta)


@lru_cache(maxsize=4096)
def _by_rdp(events: tuple[Event, ...], delta: float, neighbours: Neighbours) -> float:
    from dp_accounting import rdp

    with _quiet():
        accountant = rdp.RdpAccountant(neighboring_relation=_relation(neighbours))
        return _compose(accountant, events, delta)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the Rényi accountant, which warns of single orders that it then leaves out."""
    logger = logging.getLogger("absl")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def epsilon_spent(
    events: Iterable[Event], delta: float, *, neighbours: Neighbours = "add or remove"
) -> float:
    """ε of all `events` together at `delta`.

    Parameters
    ----------
    events : iterable of Event
        Their noise multipliers are relative to the sensitivity to adding or removing one unit.
    delta : float
    neighbours : "add or remove" or "replace"
        Whether the ε is for a unit being there or not, or for its being another one. Replacing is
        removing and adding, so its ε is larger for the same noise.

    Raises
    ------
    PrivacyError
        When the accountant does not know one of them under `neighbours`.

    Examples
    --------
    >>> round(epsilon_spent([Event(noise_multiplier=1.0)], delta=1e-5), 3)
    4.377
    >>> epsilon_spent([], delta=1e-5)
    0.0
    """
    merged = _merged(events)
    if any(event.mechanism == "concentrated" for event in merged):
        return epsilon_bound(merged, delta, neighbours=neighbours)
    return _by_pld(merged, delta, neighbours) if merged else 0.0


def epsilon_bound(
    events: Iterable[Event], delta: float, *, neighbours: Neighbours = "add or remove"
) -> float:
    """Upper bound on `epsilon_spent`, quicker where many kinds of events were mixed."""
    merged = _merged(events)
    if merged and neighbours == "replace" and any(e.mechanism == "concentrated" for e in merged):
        raise PrivacyError(
            "A concentrated mechanism is accounted for adding or removing one unit.",
            "neighbours='replace'",
            "Ask for neighbours='add or remove'.",
        )
    return _by_rdp(merged, delta, neighbours) if merged else 0.0


def calibrate(
    privacy: Promise,
    releases: Releases,
    *,
    unit: Unit = "record",
    mechanism: Mechanism = "gaussian",
) -> float:
    """Smallest noise multiplier with which all rounds of `releases` keep the promise.

    Parameters
    ----------
    privacy : RecordDP or SiteDP
    releases : Releases
        What one round gives away.
    unit : "record" or "site"
        Whose presence the sensitivity is about that the noise will be scaled by.
    mechanism : "gaussian" or "concentrated"

    Raises
    ------
    PrivacyError
        When the promise is about another unit, or no noise multiplier up to 10,000 keeps it.

    Examples
    --------
    >>> from fedlab.privacy import RecordDP
    >>> z = calibrate(RecordDP(epsilon=2.0, delta=1e-5, rounds=30), Releases(count=1))
    >>> round(z, 2)
    10.92
    """
    if privacy.unit != unit:
        raise PrivacyError(
            f"Noise that hides one {unit} keeps no promise about a {privacy.unit}.",
            type(privacy).__name__,
            "Pass e.g. privacy=fl.RecordDP(...), whose unit is a record.",
        )
    total = releases.count * privacy.rounds
    rate = releases.sampling_rate
    found = _calibrated(privacy.epsilon, privacy.delta, total, rate, mechanism)
    if found > MOST_NOISE:
        raise PrivacyError(
            f"A noise multiplier of at most {MOST_NOISE:,.0f} must keep the promise.",
            f"epsilon={privacy.epsilon:g}, delta={privacy.delta:g} over {total} releases",
            "Raise epsilon or delta, or ask for fewer rounds.",
        )
    return found


@lru_cache(maxsize=1024)
def _calibrated(
    epsilon: float, delta: float, count: int, sampling_rate: float, mechanism: Mechanism
) -> float:
    """Noise multiplier, infinite when there is none."""
    import dp_accounting
    from dp_accounting import pld, rdp

    def event(noise_multiplier: float) -> Any:
        once = _mechanism(noise_multiplier, sampling_rate, mechanism)
        return dp_accounting.SelfComposedDpEvent(once, count)

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
    if enough > MOST_NOISE or epsilon > MOST_EXACT or mechanism == "concentrated":
        return enough
    # Rényi DP is quick and errs a little to more noise, so the slower search begins just below it.
    for share in (0.85, 0.5, 0.1):
        try:
            below = dp_accounting.ExplicitBracketInterval(share * enough, enough)
            return search(pld.PLDAccountant, below)
        except nowhere:
            continue
    return enough
