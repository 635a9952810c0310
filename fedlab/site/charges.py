"""What an answer costs a site's ledger."""

from __future__ import annotations

import math

from fedlab.errors import PrivacyError, RefusedError
from fedlab.privacy import Event, Releases, SiteDP, calibrate
from fedlab.queries import Query, Request
from fedlab.site.policy import Policy
from fedlab.site.site_level import event_of_update

__all__ = ["charge_of"]


def charge_of(
    request: Request, rows: int, policy: Policy, *, hidden: bool = False, shares: bool = False
) -> Event | None:
    """What an answer from `rows` costs; None for one without noise.

    `hidden` tells whether it leaves within a secure sum, `shares` whether of that sum's noise this
    site adds a share.

    Raises
    ------
    RefusedError
        When no noise keeps the promise, or the policy allows no answer without noise.
    """
    event = None if request.privacy is None else _event(request, rows, hidden=hidden, shares=shares)
    if event is not None and policy.epsilon is None and policy.minimum_rows > 1:
        _check_stand_in(request.query)
    if event is not None and policy.epsilon is not None and _is_beyond(event, policy):
        raise RefusedError(
            f"The site's privacy budget is epsilon = {policy.epsilon:g}.",
            f"a request whose noise is {event.noise_multiplier:.2g} of what one record changes",
            "Ask for more noise.",
            code="budget",
        )
    if event is None and not policy.allows_exact:
        raise RefusedError(
            "The site answers only with noise.",
            f"{type(request.query).__name__} without privacy",
            "Pass privacy=fl.RecordDP(...).",
            code="exact",
        )
    return event


def _is_beyond(event: Event, policy: Policy) -> bool:
    """Whether one release alone is far beyond a budget: then there is nothing to account for.

    With z the noise multiplier and ε = 1 / (2 z^2), a Gaussian release has δ = 1/2 - e^ε Φ(-1 / z)
    (Balle and Wang 2018, "Improving the Gaussian mechanism for differential privacy", theorem 8),
    which by Mills' ratio is above 0.1 where z is at most 1; so is its q-th part at ε + log q, with
    q the sampling rate (Balle, Barthe and Gaboardi 2018, theorem 9). To compose such releases takes
    grids without end.
    """
    z, q = event.noise_multiplier, event.sampling_rate
    if policy.epsilon is None or not 0 < z <= 1 or 0.1 * q <= policy.delta:
        return False
    return 1 / (2 * z**2) + math.log(q) > policy.epsilon


def _check_stand_in(query: Query) -> None:
    """Raise RefusedError where noise would stand in for the law on small cells, and bound nothing.

    With no budget whoever asks chooses how little noise there is, and how often.
    """
    if query.guarded:
        raise RefusedError(
            "Noise stands in for the law on small cells only where a budget bounds what all "
            "answers tell.",
            f"{type(query).__name__} with noise at a site without a budget",
            "Ask without privacy, or have the data owner set one, e.g. Policy(epsilon=3.0).",
            code="budget",
        )


def _event(request: Request, rows: int, *, hidden: bool, shares: bool) -> Event:
    if isinstance(request.privacy, SiteDP):
        try:
            return event_of_update(request.query, request.privacy, hidden=hidden)
        except PrivacyError as error:
            raise RefusedError(error.rule, error.came, error.remedy, code="budget") from None
    releases = request.query.releases(rows)
    if releases is None or request.privacy is None:
        raise RefusedError(
            "An answer under privacy needs a bounded sensitivity.",
            f"{type(request.query).__name__}, which has none",
            "Use a strategy that clips rows, such as FedAvg.",
            code="no-sensitivity",
        )
    if shares:
        limit = request.privacy.clipping_norm
        if releases != Releases(1) or request.query.shared_sensitivity(rows, limit) is None:
            raise RefusedError(
                "Noise comes in shares where an answer is one release on all rows.",
                f"{type(request.query).__name__} with {releases.count} at a sampling rate of "
                f"{releases.sampling_rate:.3g}",
                "Use fl.FedSGD(), or leave shared_noise out.",
                code="no-sensitivity",
            )
    try:
        if shares:
            z = calibrate(request.privacy, releases, mechanism="concentrated")
            return Event(z, mechanism="concentrated")
        noise_multiplier = calibrate(request.privacy, releases)
    except PrivacyError as error:
        raise RefusedError(error.rule, error.came, error.remedy, code="budget") from None
    return Event(noise_multiplier, releases.sampling_rate, releases.count)
