"""Noise of which each site adds a share, so that nobody ever holds the sum without it.

Each site adds discrete Gaussian noise to its whole numbers before it masks them; what is opened is
the sum of the values under the sum of the shares (Kairouz, Liu and Steinke 2021, "The distributed
discrete Gaussian mechanism for federated learning with secure aggregation", ICML 2021, arXiv
2102.06387). A sum of discrete Gaussians is no discrete Gaussian, but close to one. Proposition 14
of the paper: for n sites, each with noise of scale σ >= 1/2 on each of d numbers, and values that
one unit changes by at most Δ in Euclidean norm, the Rényi divergence of every order α is at most

    α / 2 (Δ / (sqrt(n) σ) + τ sqrt(d))^2,    τ = 10 Σ_{k=1}^{n-1} exp(-2 π² σ² k / (k + 1)).

It is that of Gaussian noise with the multiplier 1 / (Δ / (sqrt(n) σ) + τ sqrt(d)), which is what
every site's ledger is charged (`event_of`), as a mechanism known by its Rényi divergences only.
Δ counts in steps and includes what rounding to whole numbers can add (`in_steps`). Sites that are
gone take their noise along, so n is the smallest number of survivors the sum may be opened over.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fedlab.errors import PrivacyError
from fedlab.privacy.events import Event
from fedlab.privacy.secure.fixed_point import count, largest
from fedlab.privacy.secure.pads import Ring

__all__ = [
    "Whole",
    "WholeNoise",
    "add_noise",
    "event_of",
    "in_steps",
    "local_scale",
    "noisy_share",
    "system_whole_noise",
    "teaching_whole_noise",
]

Whole = np.ndarray[Any, np.dtype[np.int64]]
WholeNoise = Callable[[int, float], Whole]
"""So many whole numbers of discrete Gaussian noise of a scale."""

# Above it the distance of the sum from a discrete Gaussian is below what a double can hold beside
# the noise itself; less is a sign of too coarse a step.
LEAST_SCALE = 8.0
# The float product that is rounded may be off in its last bits.
SLACK = 1 + 1e-9
# Room that values leave for noise: no sum overflows by as many standard deviations.
ROOM = 64


def in_steps(sensitivity: float, *, weight: int, bits: int, n_values: int) -> float:
    """`sensitivity` of values as it is after weighting and rounding, in steps of ``2**-bits``.

    Rounding moves each of two neighbouring vectors by up to half a step in each number, hence
    their difference by up to ``sqrt(n_values)`` (the unconditional bound of the paper's theorem 1).

    Parameters
    ----------
    sensitivity : float
        Largest Euclidean change of one site's values by one unit.
    weight : int
        The largest by which any site multiplies its values.
    bits : int
    n_values : int

    Examples
    --------
    >>> round(in_steps(1.0, weight=2, bits=10, n_values=4), 3)
    2050.0
    """
    if not 0 < sensitivity < math.inf or weight < 1 or n_values < 0:
        raise PrivacyError(
            "Noise needs a positive sensitivity and whole weights from 1.",
            f"{sensitivity:g} and {weight}",
            "Clip what a unit can change.",
        )
    return math.ldexp(sensitivity * weight, bits) * SLACK + math.sqrt(n_values)


def local_scale(noise_multiplier: float, steps: float, *, least: int) -> float:
    """Scale of one site's noise, in steps, of which `least` sites' together are enough.

    Parameters
    ----------
    noise_multiplier : float
        That the sum must have.
    steps : float
        Sensitivity, as of `in_steps`.
    least : int
        The fewest survivors, less those that might tell the coordinator their noise.

    Raises
    ------
    PrivacyError
        When the steps are too coarse for noise of this size.

    Examples
    --------
    >>> local_scale(2.0, 1000.0, least=4)
    1000.0
    """
    if least < 1:
        raise PrivacyError("At least one site must add noise.", f"{least}", "Ask more sites.")
    scale = noise_multiplier * steps / math.sqrt(least)
    if scale < LEAST_SCALE:
        raise PrivacyError(
            f"A site's noise must be at least {LEAST_SCALE:g} steps.",
            f"{scale:.3g}",
            "Use more digits, e.g. fl.SecureSum(bits=32).",
        )
    return scale


def event_of(scale: float, steps: float, *, n_values: int, least: int, n_sites: int) -> Event:
    """What the opened sum costs each site, whoever of at least `least` sites survives.

    Parameters
    ----------
    scale : float
        Of each site's noise.
    steps : float
        Sensitivity, as of `in_steps`.
    n_values, least, n_sites : int

    Examples
    --------
    >>> event_of(1000.0, 1000.0, n_values=10, least=4, n_sites=6)
    Event(noise_multiplier=2.0, sampling_rate=1.0, count=1, mechanism='concentrated')
    """
    exponents = (k / (k + 1) for k in range(1, n_sites))
    distance = 10 * sum(math.exp(-2 * math.pi**2 * scale**2 * part) for part in exponents)
    loss = steps / (math.sqrt(least) * scale) + distance * math.sqrt(n_values)
    return Event(1 / loss, mechanism="concentrated")


def add_noise(values: Ring, scale: float, n_sites: int, noise: WholeNoise) -> Ring:
    """Whole numbers modulo 2^64 with one site's share of the noise, ready to be masked.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
    scale : float
        As of `local_scale`.
    n_sites : int
        How many such vectors will be added.
    noise : WholeNoise

    Raises
    ------
    PrivacyError
        When the noise itself might overflow the sum.
    SecureSumError
        When values leave no room for it.
    """
    if not 0 < scale * ROOM < largest(n_sites):
        raise PrivacyError(
            "Noise must fit below 2^63 steps.",
            f"a scale of {scale:.3g} steps at {n_sites} sites",
            "Use fewer digits, e.g. fl.SecureSum(bits=20).",
        )
    # Twice as many sites: half of each one's room is for its noise.
    exact = count(values.view(np.int64), 2 * n_sites)
    return exact + noise(len(values), scale).view(np.uint64)


def noisy_share(
    values: Ring,
    noise: WholeNoise,
    *,
    noise_multiplier: float,
    sensitivity: float,
    weight: int,
    bits: int,
    least: int,
    n_sites: int,
) -> tuple[Ring, Event]:
    """One site's whole numbers with its share of the noise, and what the opened sum costs.

    Steps are so fine that the event is the noise multiplier's own to the last bit, so a ledger can
    be charged before anything is computed.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Weighted and rounded to multiples of ``2**-bits``; all of one step.
    noise : WholeNoise
    noise_multiplier : float
        That the sum must have, calibrated as a ``"concentrated"`` mechanism.
    sensitivity, weight, bits : float, int, int
        As in `in_steps`; the same at all sites, or the largest would not be covered.
    least : int
        As in `local_scale`.
    n_sites : int

    Raises
    ------
    PrivacyError, SecureSumError
        When noise and values do not fit each other or the ring.
    """
    n_values = len(values)
    steps = in_steps(sensitivity, weight=weight, bits=bits, n_values=n_values)
    scale = local_scale(noise_multiplier, steps, least=least)
    event = event_of(scale, steps, n_values=n_values, least=least, n_sites=n_sites)
    return add_noise(values, scale, n_sites, noise), event


def system_whole_noise(n_values: int, scale: float) -> Whole:
    """Discrete Gaussian noise from OpenDP's exact sampler, on the operating system's entropy."""
    import opendp.prelude as dp

    if n_values == 0:
        return np.zeros(0, dtype=np.int64)
    dp.enable_features("contrib")
    measure = dp.m.make_gaussian(
        dp.vector_domain(dp.atom_domain(T="i64"), size=n_values),
        dp.l2_distance(T=float),
        scale=scale,
    )
    return np.array(measure([0] * n_values), dtype=np.int64)


def teaching_whole_noise(random: np.random.Generator) -> WholeNoise:
    """Repeatable noise for simulated sites: rounded Gaussian, which protects nobody."""

    def draw(n_values: int, scale: float) -> Whole:
        return np.rint(random.normal(0.0, scale, n_values)).astype(np.int64)

    return draw
