"""People who ask sites or approve what is asked, each with a key of their own."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import date
from pathlib import Path

from fedlab.errors import DataError
from fedlab.privacy.secure.signatures import Identity
from fedlab.queries import Request
from fedlab.site.approval import Approval
from fedlab.site.identity import keep_identity

__all__ = ["Actor"]

BLOCK = 1024
"""Numbers that are set aside on disk at once, so that not every request waits for the disk."""


class Actor:
    """An analyst, auditor or data owner. Which of them, each site's policy says.

    Parameters
    ----------
    name : str
        By which sites know the actor.
    home : path, optional
        Folder of the key and of the count of requests; without it both live as long as the kernel.
        Sites take requests in order, so one kernel at a time should use it.

    Raises
    ------
    DataError
        When the name is empty, or the home cannot be used.

    Examples
    --------
    >>> ann = Actor("ann")
    >>> len(ann.public)
    64
    """

    def __init__(self, name: str, home: str | Path | None = None) -> None:
        if not isinstance(name, str) or not name.strip():
            raise DataError("An actor needs a name.", f"{name!r}", "Pass e.g. fl.Actor('ann').")
        self.name, self._home = name, None if home is None else Path(home)
        self._next, self._end = 1, 1 if home is not None else 2**63
        self._lock = threading.Lock()
        if self._home is None:
            self.identity = Identity.fresh()
            return
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            self.identity = keep_identity(self._home, name)
            with closing(self._counter()):
                pass
        except (OSError, sqlite3.Error) as error:
            raise DataError(
                "An actor's home must be a folder with a key and a count of requests.",
                type(error).__name__,
                "Pass another home, or restore it from a copy.",
            ) from None

    def __repr__(self) -> str:
        return f"Actor({self.name!r}, {self.public[:16]}…)"

    @property
    def public(self) -> str:
        """The Ed25519 public key, hexadecimal, as a site's policy takes it."""
        return self.identity.public.hex()

    def sign(self, request: Request) -> Request:
        """The request in the actor's name, with the next number, signed."""
        return request.signed(self.name, self._number(), self.identity)

    def approve(
        self,
        site: str,
        *,
        expires: date,
        run: str | None = None,
        purpose: str | None = None,
        model: str | None = None,
    ) -> Approval:
        """An approval for `site`, as a data owner gives it; ``Site.approve`` takes it.

        Parameters
        ----------
        site : str
        expires : date
            The last day it holds.
        run, purpose, model : str, optional
            What it is for: a run's id, a purpose of queries, a class of models. None is any.
        """
        approval = Approval(
            site=site, owner=self.name, expires=expires, run=run, purpose=purpose, model=model
        )
        return approval.signed(self.identity)

    def _number(self) -> int:
        with self._lock:
            if self._next >= self._end:
                # Set aside before one is used: after a crash some are left out, none comes twice.
                with closing(self._counter()) as connection:
                    ((self._end,),) = connection.execute(
                        "UPDATE counter SET next = next + ? RETURNING next", (BLOCK,)
                    ).fetchall()
                self._next = self._end - BLOCK
            self._next += 1
            return self._next - 1

    def _counter(self) -> sqlite3.Connection:
        assert self._home is not None  # noqa: S101
        connection = sqlite3.connect(
            self._home / "requests.sqlite", timeout=60.0, isolation_level=None
        )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS counter (next INTEGER NOT NULL)")
        connection.execute("INSERT INTO counter SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM counter)")
        return connection
