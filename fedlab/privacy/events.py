"""Privacy as data: what is promised, what a query releases, and what was spent."""

from __future__ import annotations

import math
from typing import ClassVar

import msgspec

from fedlab.errors import PrivacyError

__all__ = ["Event", "RecordDP", "Releases"]


class Releases(msgspec.Struct, frozen=True):
    """What one answer gives away: `count` noisy values, each seeing a row with `sampling_rate`.

    A rate below 1 is claimed only for Poisson sampling: each row in or out on its own coin.
    """

    count: int
    sampling_rate: float = 1.0


class Event(msgspec.Struct, frozen=True):
    """`count` Gaussian mechanisms of one noise multiplier, each on a Poisson sample of the rows.

    Attributes
    ----------
    noise_multiplier : float
        Standard deviation of the noise over the sensitivity of what it hides.
    sampling_rate : float
        Probability of a row to be in the sample; 1 for all rows.
    count : int
    """

    noise_multiplier: float
    sampling_rate: float = 1.0
    count: int = 1

    def __post_init__(self) -> None:
        if not (self.noise_multiplier > 0 and 0 < self.sampling_rate <= 1 and self.count >= 1):
            raise PrivacyError(
                "An event needs a positive noise multiplier, a sampling rate up to 1, and a count.",
                f"{self.noise_multiplier:g}, {self.sampling_rate:g} and {self.count}",
                "Charge what was released.",
            )


class RecordDP(msgspec.Struct, frozen=True, kw_only=True):
    """Record-level (ε, δ)-differential privacy of a number of rounds, kept by each site.

    Each site clips every row's gradient to `clipping_norm`, adds Gaussian noise of its own, and
    only then lets the update go (Abadi et al. 2016, algorithm 1). The noise is calibrated at the
    site so that `rounds` answers together cost at most `epsilon`.

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

    unit: ClassVar[str] = "record"
    neighbours: ClassVar[str] = "add or remove one record"

    epsilon: float
    delta: float
    rounds: int = 1
    clipping_norm: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < math.inf:
            raise PrivacyError(
                "epsilon must be positive.", f"{self.epsilon:g}", "Pass e.g. epsilon=2.0."
            )
        if not 0 < self.delta < 1:
            raise PrivacyError(
                "delta must lie between 0 and 1.", f"{self.delta:g}", "Pass e.g. delta=1e-5."
            )
        if isinstance(self.rounds, bool) or not isinstance(self.rounds, int) or self.rounds < 1:
            raise PrivacyError(
                "rounds must be a whole number of at least 1.",
                f"{self.rounds!r}",
                "Pass the number of rounds you mean to run, e.g. rounds=30.",
            )
        if not 0 < self.clipping_norm < math.inf:
            raise PrivacyError(
                "clipping_norm must be positive.",
                f"{self.clipping_norm:g}",
                "Pass e.g. clipping_norm=1.0.",
            )
