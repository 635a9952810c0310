"""Updates under a promise about whole sites: what a site bounds, and what its records pay."""

from __future__ import annotations

import msgspec

from fedlab.errors import RefusedError
from fedlab.privacy import Event, Releases, SiteDP, calibrate
from fedlab.privacy.events import Mechanism
from fedlab.privacy.site_level import clip_update, for_records
from fedlab.queries import Answer, LocalFit, PartialFit, Query, Update

__all__ = ["bounded", "event_of_update"]

# By their very types: an answer that holds more than the update would leave unbounded.
CLIPPED = (LocalFit, PartialFit)


def event_of_update(query: Query, privacy: SiteDP, *, hidden: bool) -> Event:
    """What a noisy mean with this site's update in it costs the site's ledger of records.

    Parameters
    ----------
    query : Query
    privacy : SiteDP
    hidden : bool
        Whether the update is masked, with a share of the noise; otherwise a coordinator that the
        site trusts adds the noise.

    Raises
    ------
    RefusedError
        When the answer is no update, or the clipping norm would have to follow hidden updates.
    PrivacyError
        When no noise keeps the promise.
    """
    if type(query) not in CLIPPED:
        raise RefusedError(
            "A promise about whole sites covers updates, which are clipped as a whole.",
            f"{type(query).__name__}",
            "Use a strategy that averages updates, such as fl.FedAvg().",
            code="no-sensitivity",
        )
    if hidden and privacy.adaptive is not None:
        raise RefusedError(
            "A clipping norm that adapts needs the norm of each update, which a secure sum hides.",
            "adaptive clipping in a secure sum",
            "Leave adaptive out, or pass aggregation='plain'.",
            code="no-sensitivity",
        )
    # A sum of the sites' shares is known by its Rényi divergences only.
    mechanism: Mechanism = "concentrated" if hidden else "gaussian"
    z = calibrate(privacy, Releases(1), unit="site", mechanism=mechanism)
    return for_records(Event(z, mechanism=mechanism))


def bounded(answer: Answer, privacy: SiteDP) -> Answer:
    """The update as it may go into the mean.

    Where the clipping norm adapts, the coordinator clips, since it counts who is above.

    Raises
    ------
    PrivacyError
        When it is not finite.
    """
    if type(answer) is not Update:
        raise TypeError(f"{type(answer).__name__} is no update")
    if privacy.adaptive is not None:
        return answer
    return msgspec.structs.replace(answer, delta=clip_update(answer.delta, privacy.clipping_norm))
