"""An engine with bad sites on the line: what they send is changed between site and coordinator.

Nothing behind a site's door is touched. The bad site's own reply is replaced on its way, as a site
with its own software would; replies of honest sites pass as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from fedlab.attacks.poisons import Poison, check_poison
from fedlab.core.parameters import Array
from fedlab.engines import Connection, Engine, InProcess
from fedlab.errors import TrainingError
from fedlab.queries import Reply, Request, Update
from fedlab.site import Site

__all__ = ["Hostile"]


@dataclass(frozen=True)
class Hostile:
    """Another engine, on which some sites send what their poison says.

    Only updates are poisoned; what such a site says of its rows, its scores and its ledger passes,
    and so do masked values: under a secure sum a bad site would have to lie before it masks.
    A poison that is omniscient is shown the honest updates of the round, which the line sees in
    a simulation and no real site does.

    Parameters
    ----------
    bad : mapping of str to Poison
        By name of the site.
    engine : Engine, optional
        What carries the messages; by default this process.

    Raises
    ------
    TrainingError
        When something is no poison or, on connecting, a name is no site.

    Examples
    --------
    ``fl.Federation(sites, engine=fl.attacks.Hostile({"mercy": fl.attacks.SignFlip()}))``
    """

    bad: Mapping[str, Poison]
    engine: Engine = field(default_factory=InProcess)

    def __post_init__(self) -> None:
        for name, poison in self.bad.items():
            check_poison(name, poison)

    def connect(self, sites: Sequence[Site]) -> HostileConnection:
        """A line to `sites`, the bad ones among them."""
        unknown = sorted(self.bad.keys() - {site.name for site in sites})
        if unknown:
            raise TrainingError(
                "A bad site must be one of the federation's.",
                ", ".join(map(repr, unknown)),
                "Check the names.",
            )
        return HostileConnection(self.engine.connect(sites), dict(self.bad))


@dataclass(frozen=True)
class HostileConnection:
    """A line on which replies of bad sites are replaced."""

    inner: Connection
    bad: dict[str, Poison]

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites."""
        return self.inner.sites

    def ask(
        self, requests: Sequence[Request], on_reply: Callable[[Reply], None] | None = None
    ) -> list[Reply]:
        """Carry each request; the bad sites' updates are replaced when all have come."""
        replies = self._poisoned(self.inner.ask(requests))
        if on_reply is not None:
            for reply in replies:
                on_reply(reply)
        return replies

    def _poisoned(self, replies: list[Reply]) -> list[Reply]:
        # By name, so that the result does not depend on who was asked first.
        updates = {
            reply.site: reply.answer
            for reply in sorted(replies, key=lambda reply: reply.site)
            if isinstance(reply.answer, Update)
        }
        honest = [answer.delta.vector for site, answer in updates.items() if site not in self.bad]
        if not honest or len(honest) == len(updates):
            return replies
        others, n_bad = np.array(honest), len(updates) - len(honest)
        return [
            self._replaced(reply, reply.answer, others, n_bad)
            if reply.site in self.bad and isinstance(reply.answer, Update)
            else reply
            for reply in replies
        ]

    def _replaced(self, reply: Reply, answer: Update, honest: Array, n_bad: int) -> Reply:
        own = answer.delta
        sent = self.bad[reply.site].sent(own.vector, honest, n_bad)
        changed = msgspec.structs.replace(answer, delta=own.like(sent))
        return msgspec.structs.replace(reply, answer=changed)
