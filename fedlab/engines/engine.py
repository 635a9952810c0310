"""The seam between coordinator and sites: requests out, replies in, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from fedlab.queries import Reply, Request
from fedlab.site import Site

__all__ = ["Connection", "Engine"]


class Connection(Protocol):
    """A line to sites that are there."""

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites that can be asked."""

    def ask(
        self, requests: Sequence[Request], on_reply: Callable[[Reply], None] | None = None
    ) -> list[Reply]:
        """Carry each request to its site; replies in the order of the requests.

        `on_reply` hears of each reply as it arrives.
        """


class Engine(Protocol):
    """How to reach sites: plain settings, which connect as often as asked."""

    def connect(self, sites: Sequence[Site]) -> Connection:
        """Open a line to `sites`."""
