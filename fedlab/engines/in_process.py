"""Sites in the notebook's own process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fedlab.core.wire import decode, encode
from fedlab.errors import MessageError, TrainingError
from fedlab.queries import Reply, Request
from fedlab.site import Site

__all__ = ["InProcess"]


@dataclass(frozen=True, kw_only=True)
class InProcess:
    """Ask sites that live in this process.

    Parameters
    ----------
    wire : bool
        Pass every request and reply through its encoded bytes, as if the site were elsewhere. The
        result has the same bits.
    threads : int
        Sites that compute at once. The result has the same bits with any number.

    Examples
    --------
    >>> InProcess(wire=True)
    InProcess(wire=True, threads=1)
    """

    wire: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.threads, bool) or not isinstance(self.threads, int) or self.threads < 1:
            raise TrainingError(
                "threads must be a whole number of at least 1.",
                f"{self.threads!r}",
                "Pass e.g. threads=2.",
            )

    def connect(self, sites: Sequence[Site]) -> InProcessConnection:
        """A line to `sites`."""
        return InProcessConnection(self, {site.name: site for site in sites})


@dataclass(frozen=True)
class InProcessConnection:
    """Sites by name, and how to carry messages to them."""

    engine: InProcess
    by_name: dict[str, Site]

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites."""
        return tuple(sorted(self.by_name))

    def ask(
        self, requests: Sequence[Request], on_reply: Callable[[Reply], None] | None = None
    ) -> list[Reply]:
        """Ask each site, some at once where the engine has threads."""

        def carry(request: Request) -> Reply:
            site = self.by_name.get(request.site)
            if site is None:
                raise MessageError(
                    "A request must be for a site of this connection.",
                    f"{request.site!r}",
                    "Ask one of the federation's sites.",
                )
            if not self.engine.wire:
                return site.answer(request)
            arrived = decode(encode(request), Request)
            return decode(encode(site.answer(arrived)), Reply)

        replies = []
        if self.engine.threads == 1:
            for request in requests:
                replies.append(carry(request))
                if on_reply is not None:
                    on_reply(replies[-1])
            return replies
        with ThreadPoolExecutor(self.engine.threads) as pool:
            for reply in pool.map(carry, requests):
                replies.append(reply)
                if on_reply is not None:
                    on_reply(reply)
        return replies
