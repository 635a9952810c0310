"""What a site writes down, and the chain of hashes that holds it together.

Each entry's hash is over the hash before it and over all fields of the entry, each with its type
and length, so that no field can pass for two and no entry can be changed, left out or moved without
changing every hash after it.
"""

from __future__ import annotations

import hashlib

import msgspec

__all__ = [
    "GUARDED",
    "GUARDS",
    "NAMES",
    "RECORDS",
    "SCHEMA",
    "START",
    "VERSION",
    "entry_hash",
    "guards_of",
    "link_of",
]

VERSION = 3
"""Of the file's layout, kept as SQLite's `user_version`."""

RECORDS: dict[str, str] = {
    "owner": "site TEXT NOT NULL",
    "spend": "time TEXT NOT NULL, run TEXT NOT NULL, round INTEGER NOT NULL, query TEXT NOT NULL,"
    " purpose TEXT NOT NULL, noise_multiplier REAL, sampling_rate REAL, count INTEGER NOT NULL,"
    " mechanism TEXT NOT NULL, noise TEXT NOT NULL",
    "audit": "time TEXT NOT NULL, actor TEXT NOT NULL, number INTEGER NOT NULL, run TEXT NOT NULL,"
    " round INTEGER NOT NULL, query TEXT NOT NULL, purpose TEXT NOT NULL, outcome TEXT NOT NULL",
    "peers": "site TEXT NOT NULL UNIQUE, identity TEXT NOT NULL",
    "sums": "run TEXT NOT NULL, round INTEGER NOT NULL, question TEXT NOT NULL,"
    " survivors TEXT NOT NULL",
    "approvals": "time TEXT NOT NULL, approval BLOB NOT NULL",
    "withdrawals": "time TEXT NOT NULL, patient BLOB NOT NULL, purpose TEXT NOT NULL",
    "cohorts": "digest BLOB NOT NULL UNIQUE, patients BLOB NOT NULL",
    "participation": "time TEXT NOT NULL, run TEXT NOT NULL, purpose TEXT NOT NULL,"
    " model TEXT NOT NULL, cohort INTEGER NOT NULL, UNIQUE (run, purpose, model, cohort)",
    "known": "marks BLOB NOT NULL, owners BLOB NOT NULL",
    "told": "digest BLOB NOT NULL UNIQUE, telling BLOB NOT NULL",
    "stubs": "time TEXT NOT NULL, before TEXT NOT NULL, through INTEGER NOT NULL,"
    " entries INTEGER NOT NULL, digest BLOB NOT NULL, signature BLOB NOT NULL",
}
"""Tables of records and their columns, all in one chain."""

NAMES: dict[str, tuple[str, ...]] = {
    record: tuple(
        part.split()[0] for part in columns.split(" UNIQUE (")[0].split(",") if part.strip()
    )
    for record, columns in RECORDS.items()
}
"""Names of the columns of each table."""

SCHEMA = "".join(
    f"CREATE TABLE IF NOT EXISTS {record}"
    f" (sequence INTEGER PRIMARY KEY AUTOINCREMENT, {columns});\n"
    for record, columns in RECORDS.items()
)
SCHEMA += """
CREATE TABLE IF NOT EXISTS chain (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    record TEXT NOT NULL, row INTEGER NOT NULL, hash BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS heads (
    sequence INTEGER PRIMARY KEY,
    hash BLOB NOT NULL, identity BLOB NOT NULL, signature BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS counters (actor TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS sums_by_question ON sums (question);
CREATE TRIGGER IF NOT EXISTS counters_only_rise BEFORE UPDATE ON counters
WHEN NEW.number <= OLD.number
BEGIN SELECT RAISE(ABORT, 'numbers of requests only rise'); END;
"""

GUARDS: dict[str, str] = {
    "no_replace": "BEFORE INSERT ON {table}"
    " WHEN EXISTS (SELECT 1 FROM {table} WHERE rowid = NEW.rowid)",
    "no_update": "BEFORE UPDATE ON {table}",
    "no_delete": "BEFORE DELETE ON {table}",
}
GUARDED = (*RECORDS, "chain", "heads")

START = bytes(32)
"""In the place of the hash before the first entry."""


def guards_of(table: str, *guards: str) -> str:
    """The triggers that let a table only grow."""
    return "".join(
        f"CREATE TRIGGER IF NOT EXISTS {table}_{guard} {GUARDS[guard].format(table=table)}"
        " BEGIN SELECT RAISE(ABORT, 'records of a site only grow'); END;\n"
        for guard in guards or GUARDS
    )


def link_of(record: str) -> str:
    """The trigger of one connection that appends each new row of a table to the chain."""
    fields = ", ".join(f"NEW.{name}" for name in NAMES[record])
    return (
        f"CREATE TEMP TRIGGER {record}_chained AFTER INSERT ON main.{record} BEGIN"  # noqa: S608
        f" INSERT INTO chain (record, row, hash) VALUES ('{record}', NEW.sequence, entry_hash("
        f"(SELECT hash FROM chain ORDER BY sequence DESC LIMIT 1), '{record}', NEW.sequence,"
        f" {fields})); END;\n"
    )


def entry_hash(previous: bytes | None, record: str, row: int, *fields: object) -> bytes:
    """SHA-256 over the hash before and all there is of an entry.

    Examples
    --------
    >>> entry_hash(None, "audit", 1, "a", "b") == entry_hash(None, "audit", 1, "a;b", "")
    False
    """
    # MessagePack gives each field its type and length.
    framed = msgspec.msgpack.encode((previous or START, record, row, *fields))
    return hashlib.sha256(b"fedlab record 1" + framed).digest()
