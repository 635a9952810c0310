"""Site-level privacy of averaging: what the ε of a whole site's update rests on.

DP-FedAvg (McMahan, Ramage, Talwar and Zhang 2018, "Learning differentially private recurrent
language models", ICLR 2018, algorithm 1) clips the whole update of each site before averaging and
divides by a denominator that was fixed beforehand. The clipping norm may follow a quantile of the
updates' norms (Andrew, Thakkar, McMahan and Ramaswamy 2021, "Differentially private learning with
adaptive clipping", NeurIPS 2021, arXiv 1905.03871), whose noisy count is paid for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import msgspec
import numpy as np

from fedlab.core.parameters import Array, Parameters
from fedlab.errors import PrivacyError
from fedlab.privacy.clipping import clip_factors
from fedlab.privacy.events import Event, Unit, check_promise
from fedlab.privacy.noise import Noise

__all__ = [
    "AdaptiveClipping",
    "SiteDP",
    "SiteRound",
    "clip_update",
    "for_records",
    "for_site",
    "private_round",
    "sensitivity_of_mean",
    "site_event",
]


class AdaptiveClipping(msgspec.Struct, frozen=True, kw_only=True):
    """Let the clipping norm follow a quantile of the sites' norms.

    Parameters
    ----------
    quantile : float
        Share of sites whose updates are to stay unclipped (gamma in Andrew et al. 2021).
    learning_rate : float
        How fast it follows (eta_C).
    count_share : float
        Share of the privacy budget that goes to counting how many were not clipped; the noise on
        the updates grows accordingly.

    Raises
    ------
    PrivacyError
        When an argument is out of its range.

    Examples
    --------
    >>> AdaptiveClipping().split(1.0)
    (1.05..., 1.58...)
    """

    quantile: float = 0.5
    learning_rate: float = 0.2
    count_share: float = 0.1

    def __post_init__(self) -> None:
        for name, most in (("quantile", 1.0), ("learning_rate", math.inf), ("count_share", 1.0)):
            value = getattr(self, name)
            if not 0 < value < most:
                raise PrivacyError(
                    f"{name} must be above 0 and below {most:g}.", f"{value}", "Leave it out."
                )

    def split(self, noise_multiplier: float) -> tuple[float, float]:
        """Noise multiplier of the updates, and standard deviation of the noise on the count.

        Together they cost what one release with `noise_multiplier` costs: inverse squares add up
        (theorem 1 of the paper). A site changes the count about one half by one half.
        """
        updates = noise_multiplier / math.sqrt(1 - self.count_share)
        return updates, 0.5 * noise_multiplier / math.sqrt(self.count_share)

    def follow(self, norm: float, share: float) -> float:
        """The next clipping norm, when about a `share` of the sites were not clipped."""
        return norm * math.exp(-self.learning_rate * (share - self.quantile))


class SiteDP(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Site-level (ε, δ)-differential privacy of a number of rounds.

    What the ε covers: whether one whole *site*, with all its rows, takes part or not, against
    whoever sees the averages and the final model. With few sites the noise that this takes drowns
    most models: the noise multiplier of ε = 2 over 30 rounds is about 11, and the noise on a mean
    over 5 equal sites is then more than twice the clipping norm in each coordinate.

    Sites are all asked in every round. A share of sites that is drawn without replacement is no
    Poisson sample, so it claims no amplification.

    With ``aggregation="secure"`` each site adds a share of the noise before it masks its update, so
    that nobody ever holds the sum without it. A site of the run can take its own share off again,
    and is left with the noise of the others. With ``aggregation="plain"`` sites send updates as
    they are to a coordinator that they trust to add the noise; sites that answer only with noise
    refuse that.

    A site's own ledger is one of records, and is charged for what a record could change.

    Parameters
    ----------
    epsilon : float
        Privacy loss of all rounds together, in nats.
    delta : float
        Probability that the loss is larger.
    rounds : int
        How many rounds the ε is meant for.
    clipping_norm : float
        Largest Euclidean norm of one site's update; where it adapts, the first one.
    adaptive : AdaptiveClipping, optional
        Without it the norm stays.

    Raises
    ------
    PrivacyError
        When an argument is out of its range.

    Examples
    --------
    >>> promise = SiteDP(epsilon=8.0, delta=1e-3, rounds=10)
    >>> promise.unit, promise.neighbours
    ('site', 'add or remove one site')
    """

    unit: ClassVar[Unit] = "site"
    neighbours: ClassVar[str] = "add or remove one site"

    epsilon: float
    delta: float
    rounds: int = 1
    clipping_norm: float = 1.0
    adaptive: AdaptiveClipping | None = None

    def __post_init__(self) -> None:
        check_promise(self)


class SiteRound(NamedTuple):
    """What a round released: the noisy mean, the next clipping norm, and what both cost."""

    mean: Parameters
    clipping_norm: float
    event: Event


def clip_update(update: Parameters, norm: float) -> Parameters:
    """`update`, made no longer than `norm`.

    Raises
    ------
    PrivacyError
        When it is not finite: it is not clear then what a clipped one would be.

    Examples
    --------
    >>> clip_update(Parameters({"w": [3.0, 4.0]}), 1.0)["w"].tolist()
    [0.6..., 0.8...]
    """
    vector = update.vector
    if not np.isfinite(vector).all():
        raise PrivacyError(
            "Only finite updates can be clipped.",
            "NaN or infinity",
            "Lower the learning rate, or leave the site out.",
        )
    return float(clip_factors(_length(vector), norm)) * update


def sensitivity_of_mean(weights: Mapping[str, float], clipping_norm: float) -> float:
    """Largest Euclidean change of a weighted mean when one site is there or not.

    The mean is divided by the sum of the weights of all sites that were *asked*, which does not
    depend on who answers or on any row, so that the site of the largest weight decides.

    Examples
    --------
    >>> sensitivity_of_mean({"a": 9.0, "b": 0.5, "c": 0.5}, clipping_norm=2.0)
    1.8
    """
    if not weights or not all(0 < weight < math.inf for weight in weights.values()):
        raise PrivacyError(
            "Sites need positive weights.", f"{len(weights)} sites", "Weigh by rows, or equally."
        )
    return max(weights.values()) / sum(weights.values()) * clipping_norm


def site_event(
    noise: float, weights: Mapping[str, float], clipping_norm: float, *, count: int = 1
) -> Event:
    """What `count` means cost that have Gaussian noise of standard deviation `noise`.

    Examples
    --------
    >>> equal = dict.fromkeys("abcde", 1.0)
    >>> site_event(0.2, equal, clipping_norm=1.0).noise_multiplier
    1.0
    """
    return Event(noise / sensitivity_of_mean(weights, clipping_norm), count=count)


def for_records(event: Event) -> Event:
    """What a site-level release costs in a ledger of records.

    A record that is added or removed may turn its site's update around, which moves it by up to
    twice the clipping norm, so it is hidden by half the noise multiplier.

    Examples
    --------
    >>> for_records(Event(4.0)).noise_multiplier
    2.0
    """
    return msgspec.structs.replace(event, noise_multiplier=event.noise_multiplier / 2)


def for_site(event: Event) -> Event:
    """The site-level release that a ledger of records was charged for: undoes `for_records`.

    Examples
    --------
    >>> for_site(for_records(Event(4.0))).noise_multiplier
    4.0
    """
    return msgspec.structs.replace(event, noise_multiplier=2 * event.noise_multiplier)


def private_round(
    updates: Mapping[str, Parameters],
    weights: Mapping[str, float],
    promise: SiteDP,
    noise: Noise,
    *,
    noise_multiplier: float,
    clipping_norm: float | None = None,
) -> SiteRound:
    """The noisy mean of one round, by a coordinator that sites trust with their updates.

    Parameters
    ----------
    updates : mapping of str to Parameters
        Of the sites that answered; one that did not counts as an update of zeros.
    weights : mapping of str to float
        Of all sites that were asked, fixed before any answered.
    promise : SiteDP
    noise : Noise
    noise_multiplier : float
        As `fedlab.privacy.calibrate` finds it for one release a round.
    clipping_norm : float, optional
        Where it has got to; by default that of the promise.

    Raises
    ------
    PrivacyError
        When an update is not finite, or none came. Nothing is released then.
    """
    if not updates or not set(updates) <= set(weights):
        raise PrivacyError(
            "A mean is over updates of sites that were asked.",
            f"{len(updates)} updates for {len(weights)} weights",
            "Pass the weights of all sites that were asked.",
        )
    limit = promise.clipping_norm if clipping_norm is None else clipping_norm
    total = sum(weights.values())
    multiplier, count_noise = noise_multiplier, 0.0
    if promise.adaptive is not None:
        multiplier, count_noise = promise.adaptive.split(noise_multiplier)
    sites = sorted(updates)
    mean: Array = np.zeros(updates[sites[0]].vector.size)
    unclipped = 0.0
    for site in sites:
        mean = mean + weights[site] / total * clip_update(updates[site], limit).vector
        unclipped += float(_length(updates[site].vector) <= limit) - 0.5
    hidden = noise(mean, multiplier * sensitivity_of_mean(weights, limit))
    following = limit
    if promise.adaptive is not None:
        counted = float(noise(np.array([unclipped]), count_noise)[0])
        following = promise.adaptive.follow(limit, counted / len(weights) + 0.5)
    return SiteRound(updates[sites[0]].like(hidden), following, Event(noise_multiplier))


def _length(vector: Array) -> Array:
    """Infinite where it is too long to square, shape ()."""
    with np.errstate(over="ignore"):
        return np.asarray(np.linalg.norm(vector), dtype=np.float64)
