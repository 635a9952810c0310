"""Requests that an actor signs on their way to the sites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fedlab.engines.engine import Connection, Engine
from fedlab.engines.in_process import InProcess
from fedlab.queries import Reply, Request
from fedlab.site import Site
from fedlab.site.actor import Actor

__all__ = ["Signed"]


@dataclass(frozen=True)
class Signed:
    """Ask sites through another engine, in an actor's name.

    Parameters
    ----------
    actor : Actor
        Whose name and signature each request gets.
    engine : Engine
        How the requests then travel.

    Examples
    --------
    >>> Signed(Actor("ann")).engine
    InProcess(wire=False, threads=1)
    """

    actor: Actor
    engine: Engine = field(default_factory=InProcess)

    def connect(self, sites: Sequence[Site]) -> SignedConnection:
        """A line to `sites`."""
        return SignedConnection(self.actor, self.engine.connect(sites))


@dataclass(frozen=True)
class SignedConnection:
    """A line on which every request is signed."""

    actor: Actor
    connection: Connection

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites."""
        return self.connection.sites

    def ask(
        self, requests: Sequence[Request], on_reply: Callable[[Reply], None] | None = None
    ) -> list[Reply]:
        """Sign each request and send it on."""
        return self.connection.ask([self.actor.sign(request) for request in requests], on_reply)
