"""Sites in the notebook's own process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fedlab.core.turns import turn
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

        if self.engine.threads == 1:
            replies = []
            for request in requests:
                replies.append(carry(request))
                if on_reply is not None:
                    on_reply(replies[-1])
            return replies
        return _at_once(self.engine.threads, carry, requests, on_reply)


def _at_once(
    threads: int,
    carry: Callable[[Request], Reply],
    requests: Sequence[Request],
    on_reply: Callable[[Reply], None] | None,
) -> list[Reply]:
    """Replies in the order of requests; this thread takes part, since to wake it takes long."""
    waiting, lock = deque(enumerate(requests)), threading.Lock()
    replies: dict[int, Reply] = {}
    heard: set[int] = set()

    def work(hear: Callable[[], None] | None = None) -> None:
        while True:
            try:
                place, request = waiting.popleft()
            except IndexError:
                return
            with turn(lock):
                replies[place] = carry(request)
            if hear is not None:
                hear()

    def hear() -> None:
        for place in sorted(replies.keys() - heard):
            heard.add(place)
            if on_reply is not None:
                on_reply(replies[place])

    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(work) for _ in range(min(threads, len(requests)) - 1)]
        try:
            work(hear)
        except BaseException:
            waiting.clear()
            raise
        for other in others:
            other.result()
    hear()
    return [replies[place] for place in range(len(requests))]
