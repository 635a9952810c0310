"""A site's records in SQLite: on its disk where it has a home, in memory otherwise."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from fedlab.errors import DataError
from fedlab.privacy.secure.signatures import Identity
from fedlab.queries.audit_head import AuditHead, head_text
from fedlab.site.identity import keep_identity
from fedlab.site.records import (
    GUARDED,
    RECORDS,
    SCHEMA,
    VERSION,
    entry_hash,
    guards_of,
    link_of,
)

__all__ = ["INTERVAL", "Store"]

INTERVAL = 256
"""Every so many entries a signed head is kept beside them."""


class Store:
    """One connection to a site's records, safe to use from several threads and processes.

    Every row that is added becomes an entry of one chain, in the same transaction.

    Parameters
    ----------
    home : Path or None
        The site's folder, made when missing; None keeps the records in memory.
    site : str
        A home belongs to one site; another name is refused.

    Attributes
    ----------
    identity : Identity
        What the site signs with: the key in its home, or a fresh one.

    Raises
    ------
    DataError
        When the home cannot be used or belongs to another site.
    """

    def __init__(self, home: Path | None, site: str) -> None:
        self._lock = threading.RLock()
        self._site, self._signed, self._due = site, 0, 0
        self._alone = home is None
        try:
            if home is not None:
                home.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                ":memory:" if home is None else home / "records.sqlite",
                timeout=60.0,
                isolation_level=None,
                check_same_thread=False,
            )
            self.identity = Identity.fresh() if home is None else keep_identity(home, site)
            self._prepare(site)
        except (OSError, sqlite3.Error) as error:
            raise DataError(
                "A site's home must be a folder that holds readable records.",
                f"{type(error).__name__}",
                "Pass another home, or restore the records from a copy.",
                site=site,
            ) from None

    def _prepare(self, site: str) -> None:
        connection = self._connection
        # A debit must be on the disk before an answer leaves, also when the power fails.
        connection.execute("PRAGMA synchronous = FULL")
        connection.create_function("entry_hash", -1, entry_hash, deterministic=True)
        self._lay_out(site)
        connection.executescript("".join(map(link_of, RECORDS)))
        with self.transaction():
            owner = connection.execute("SELECT site FROM owner").fetchone()
            if owner is None:
                connection.execute("INSERT INTO owner (site) VALUES (?)", (site,))
            elif owner[0] != site:
                raise DataError(
                    "A home belongs to one site.",
                    f"the home of site {owner[0]!r}",
                    "Give each site a home of its own.",
                    site=site,
                )

    def _lay_out(self, site: str) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute("COMMIT")
        if tables and version != VERSION:
            raise DataError(
                f"Records must have layout {VERSION}.",
                f"layout {version}",
                "Open them with the version of fedlab that wrote them, or pass another home.",
                site=site,
            )
        guards = "".join(map(guards_of, GUARDED))
        # Whole or not at all: a site killed here begins anew.
        connection.executescript(
            f"BEGIN IMMEDIATE; {SCHEMA} {guards} PRAGMA user_version = {VERSION}; COMMIT;"
        )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Read and write as one step that no other request can come between."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                if self._is_due():
                    self._sign_heads()
            except BaseException:
                self._signed, self._due = 0, 0
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def append(self, statement: str, values: tuple[object, ...]) -> None:
        """Add one line; in memory a single statement is a transaction of its own."""
        with self._lock:
            if not self._alone or self._is_due():
                with self.transaction() as connection:
                    connection.execute(statement, values)
            else:
                self._connection.execute(statement, values)

    def _is_due(self) -> bool:
        # A home may have other holders, who add entries too.
        return not self._alone or self._connection.total_changes >= self._due

    def _sign_heads(self) -> None:
        """Keep a signed head at the first entry and at every `INTERVAL`-th."""
        (last,) = self._connection.execute("SELECT max(sequence) FROM chain").fetchone()
        if last is None:
            return
        # Each entry is two changes, its line and its link; to ask for the last one each time would
        # cost as much as the entry.
        self._due = self._connection.total_changes + 2 * (INTERVAL - last % INTERVAL)
        # The next one due is at the next multiple, wherever other holders of the home have got to.
        if self._signed and last < (self._signed // INTERVAL + 1) * INTERVAL:
            return
        for sequence, digest in self._connection.execute(
            "SELECT sequence, hash FROM chain WHERE sequence > ? AND (sequence = 1 OR"
            " sequence % ? = 0) AND sequence NOT IN (SELECT sequence FROM heads)",
            (self._signed, INTERVAL),
        ).fetchall():
            signature = self.identity.sign(head_text(self._site, sequence, digest))
            self._connection.execute(
                "INSERT INTO heads VALUES (?, ?, ?, ?)",
                (sequence, digest, self.identity.public, signature),
            )
        self._signed = max(1, last // INTERVAL * INTERVAL)

    def head(self, at: int = 0) -> AuditHead:
        """Entry `at` of the chain, signed; the last one for 0, or where there are not so many."""
        ((sequence, digest),) = self.read(
            "SELECT sequence, hash FROM chain WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1",
            at if 0 < at < 2**63 else 2**63 - 1,
        )
        return AuditHead(
            site=self._site,
            sequence=sequence,
            hash=digest,
            identity=self.identity.public,
            signature=self.identity.sign(head_text(self._site, sequence, digest)),
        )

    def table(self, name: Literal["spend", "audit"]) -> pd.DataFrame:
        """One of the growing tables, oldest row first."""
        statements = {
            "spend": "SELECT * FROM spend ORDER BY sequence",
            "audit": "SELECT * FROM audit ORDER BY sequence",
        }
        with self._lock:
            cursor = self._connection.execute(statements[name])
            return pd.DataFrame(cursor.fetchall(), columns=[c[0] for c in cursor.description])

    def read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a query that changes nothing."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()
