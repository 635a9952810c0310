"""A site's records in SQLite: on its disk where it has a home, in memory otherwise."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pandas as pd

from fedlab.errors import DataError

__all__ = ["Store"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS owner (site TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS spend (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL, run TEXT NOT NULL, round INTEGER NOT NULL, query TEXT NOT NULL,
    purpose TEXT NOT NULL,
    noise_multiplier REAL, sampling_rate REAL, count INTEGER NOT NULL, noise TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL, run TEXT NOT NULL, round INTEGER NOT NULL, query TEXT NOT NULL,
    purpose TEXT NOT NULL, outcome TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS peers (site TEXT PRIMARY KEY, identity TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sums (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL, round INTEGER NOT NULL, question TEXT NOT NULL, survivors TEXT NOT NULL
);
"""
GROWS = """
CREATE TRIGGER IF NOT EXISTS {table}_no_replace BEFORE INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table} WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'records of a site only grow'); END;
CREATE TRIGGER IF NOT EXISTS {table}_no_update BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, 'records of a site only grow'); END;
CREATE TRIGGER IF NOT EXISTS {table}_no_delete BEFORE DELETE ON {table}
BEGIN SELECT RAISE(ABORT, 'records of a site only grow'); END;
"""


class Store:
    """One connection to a site's records, safe to use from several threads and processes.

    Parameters
    ----------
    home : Path or None
        The site's folder, made when missing; None keeps the records in memory.
    site : str
        A home belongs to one site; another name is refused.

    Raises
    ------
    DataError
        When the home cannot be used or belongs to another site.
    """

    def __init__(self, home: Path | None, site: str) -> None:
        self._lock = threading.RLock()
        try:
            if home is not None:
                home.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                ":memory:" if home is None else home / "records.sqlite",
                timeout=60.0,
                isolation_level=None,
                check_same_thread=False,
            )
            self._prepare(site)
        except (OSError, sqlite3.Error) as error:
            raise DataError(
                "A site's home must be a folder that holds readable records.",
                f"{type(error).__name__}",
                "Pass another home, or restore the records from a copy.",
                site=site,
            ) from None

    def _prepare(self, site: str) -> None:
        # A debit must be on the disk before an answer leaves, also when the power fails.
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(SCHEMA)
        for table in ("owner", "spend", "audit", "peers", "sums"):
            self._connection.executescript(GROWS.format(table=table))
        with self.transaction() as connection:
            owner = connection.execute("SELECT site FROM owner").fetchone()
            if owner is None:
                connection.execute("INSERT INTO owner VALUES (?)", (site,))
            elif owner[0] != site:
                raise DataError(
                    "A home belongs to one site.",
                    f"the home of site {owner[0]!r}",
                    "Give each site a home of its own.",
                    site=site,
                )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Read and write as one step that no other request can come between."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def table(self, name: Literal["spend", "audit"]) -> pd.DataFrame:
        """One of the growing tables, oldest row first."""
        statements = {
            "spend": "SELECT * FROM spend ORDER BY sequence",
            "audit": "SELECT * FROM audit ORDER BY sequence",
        }
        with self._lock:
            cursor = self._connection.execute(statements[name])
            return pd.DataFrame(cursor.fetchall(), columns=[c[0] for c in cursor.description])

    def read(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Rows of a query that changes nothing."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()
