"""Privacy as data: what is promised, what a query releases, and what was spent."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Protocol

import msgspec

from fedlab.errors import PrivacyError

__all__ = [
    "Event",
    "Mechanism",
    "Neighbours",
    "Promise",
    "RecordDP",
    "Releases",
    "Unit",
    "check_promise",
]

Mechanism = Literal["gaussian", "laplace", "concentrated"]
"""What an accountant knows of a mechanism.

``"gaussian"`` and ``"laplace"`` are noise of that distribution; the scale of the second is its
standard deviation over the square root of 2. ``"concentrated"`` is any mechanism whose Rényi
divergences are at most those of Gaussian noise (Bun and Steinke 2016), such as a sum of discrete
Gaussians; nothing tighter is known of it.
"""

Neighbours = Literal["add or remove", "replace"]
"""Which data sets an ε compares."""

Unit = Literal["record", "site"]
"""Whose presence an ε is about."""


class Releases(msgspec.Struct, frozen=True):
    """What one answer gives away: `count` noisy values, each seeing a row with `sampling_rate`.

    A rate below 1 is claimed only for Poisson sampling: each row in or out on its own coin.
    """

    count: int
    sampling_rate: float = 1.0


class Event(msgspec.Struct, frozen=True):
    """`count` mechanisms of one kind and noise multiplier, each on a Poisson sample of the rows.

    Attributes
    ----------
    noise_multiplier : float
        Scale of the noise (of Gaussian noise its standard deviation) over the sensitivity of what
        it hides.
    sampling_rate : float
        Probability of a row to be in the sample; 1 for all rows.
    count : int
    mechanism : "gaussian", "laplace" or "concentrated"
    """

    noise_multiplier: float
    sampling_rate: float = 1.0
    count: int = 1
    mechanism: Mechanism = "gaussian"

    def __post_init__(self) -> None:
        if self.mechanism == "concentrated" and self.sampling_rate != 1:
            raise PrivacyError(
                "A concentrated mechanism is accounted for all rows, without amplification.",
                f"a sampling rate of {self.sampling_rate:g}",
                "Charge it with a sampling rate of 1.",
            )
        if not (self.noise_multiplier > 0 and 0 < self.sampling_rate <= 1 and self.count >= 1):
            raise PrivacyError(
                "An event needs a positive noise multiplier, a sampling rate up to 1, and a count.",
                f"{self.noise_multiplier:g}, {self.sampling_rate:g} and {self.count}",
                "Charge what was released.",
            )


class RecordDP(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Record-level (ε, δ)-differential privacy of a number of rounds, kept by each site.

    Each site clips every row's gradient to `clipping_norm`, adds Gaussian noise of its own, and
    only then lets the update go (Abadi et al. 2016, algorithm 1). The noise is calibrated at the
    site so that `rounds` answers together cost at most `epsilon`. With
    ``aggregation=fl.SecureSum(shared_noise=True)`` the sites share the noise of a sum instead.

    What the ε covers: one *record* (row) being added to or removed from one site's training rows.
    It does not cover a patient with several rows, and takes a site's declared number of rows as
    public.

    Parameters
    ----------
    epsilon : float
        Privacy loss of all rounds together, in nats.
    delta : float
        Probability that the loss is larger; well below one over the number of rows.
    rounds : int
        How many rounds the ε is meant for. A site answers no more.
    clipping_norm : float
        Largest Euclidean norm of one row's gradient, in units of the scaled features.

    Raises
    ------
    PrivacyError
        When an argument is out of its range.

    Examples
    --------
    >>> RecordDP(epsilon=2.0, delta=1e-5, rounds=30).unit
    'record'
    >>> RecordDP(epsilon=-1.0, delta=1e-5, rounds=30)
    Traceback (most recent call last):
    ...
    fedlab.errors.PrivacyError: epsilon must be positive. Got -1. Pass e.g. epsilon=2.0.
    """

    unit: ClassVar[Unit] = "record"
    neighbours: ClassVar[str] = "add or remove one record"

    epsilon: float
    delta: float
    rounds: int = 1
    clipping_norm: float = 1.0

    def __post_init__(self) -> None:
        check_promise(self)


class Promise(Protocol):
    """What all promises have: a unit, an ε and δ for a number of rounds, and a clipping norm."""

    unit: ClassVar[Unit]

    @property
    def epsilon(self) -> float: ...  # noqa: D102
    @property
    def delta(self) -> float: ...  # noqa: D102
    @property
    def rounds(self) -> int: ...  # noqa: D102
    @property
    def clipping_norm(self) -> float: ...  # noqa: D102


def check_promise(promise: Promise) -> None:
    """Raise PrivacyError when an argument of a promise is out of its range."""
    epsilon, delta, rounds = promise.epsilon, promise.delta, promise.rounds
    if not 0 < epsilon < math.inf:
        raise PrivacyError("epsilon must be positive.", f"{epsilon:g}", "Pass e.g. epsilon=2.0.")
    if not 0 < delta < 1:
        raise PrivacyError("delta must lie between 0 and 1.", f"{delta:g}", "Pass e.g. delta=1e-5.")
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise PrivacyError(
            "rounds must be a whole number of at least 1.",
            f"{rounds!r}",
            "Pass the number of rounds you mean to run, e.g. rounds=30.",
        )
    if not 0 < promise.clipping_norm < math.inf:
        raise PrivacyError(
            "clipping_norm must be positive.",
            f"{promise.clipping_norm:g}",
            "Pass e.g. clipping_norm=1.0.",
        )
