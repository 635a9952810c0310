"""Whether a site's records are what was written: from the file alone, and against kept heads."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedlab.errors import DataError
from fedlab.privacy.secure.signatures import signed_by
from fedlab.queries.audit_head import AuditHead, head_text
from fedlab.site.audit import stub_text
from fedlab.site.records import GUARDED, GUARDS, NAMES, RECORDS, VERSION, entry_hash
from fedlab.site.store import INTERVAL

__all__ = ["Fault", "check_records", "explained"]


@dataclass(frozen=True)
class Fault:
    """One thing that is not as it was written.

    Attributes
    ----------
    entry : int or None
        Number of the entry in the chain; None where it is about the file.
    record : str
        The table it is about; empty where it is about the file.
    what : str
        What is wrong, in words.
    """

    entry: int | None
    record: str
    what: str


def check_records(
    path: Path, heads: Sequence[AuditHead], identity: bytes | None
) -> tuple[str, int, list[Fault]]:
    """The site, the number of entries, and all faults of the records at `path`.

    Raises
    ------
    DataError
        When there is no file, or its last transaction was cut off and waits to be rolled back.
    """
    if not path.is_file():
        raise DataError("Records must be a file.", f"{path.name!r}", "Pass the site's home.")
    try:
        with closing(_opened(path)) as connection:
            # One snapshot, while the site may go on writing.
            connection.execute("BEGIN")
            check = _Check(connection)
            check.everything(heads, identity)
            return check.site, check.last, check.faults
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_READONLY"):
            raise DataError(
                "Records must be whole.",
                "a transaction that was cut off and waits to be rolled back",
                "Open the site once, or copy the journal along with the file.",
            ) from None
        return "", 0, [Fault(None, "", "the file cannot be read as records")]
    except (sqlite3.DatabaseError, OverflowError, UnicodeError, TypeError, ValueError):
        return "", 0, [Fault(None, "", "the file cannot be read as records")]


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=60.0
    )
    # Text that is no UTF-8 is a fault to be found, not an error of reading.
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    return connection


class _Check:
    """One reading of a file; faults are collected, none stops it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.site, self.last = "", 0
        self.faults: list[Fault] = []
        self._hashes: dict[int, bytes] = {}
        self._pruned = 0

    def everything(self, heads: Sequence[AuditHead], identity: bytes | None) -> None:
        if not self._layout():
            return
        self._hashes = dict(self._all("SELECT sequence, hash FROM chain ORDER BY sequence"))
        self.last = max(self._hashes, default=0)
        owners = [site for (site,) in self._all("SELECT site FROM owner")]
        self.site = owners[0] if len(owners) == 1 and isinstance(owners[0], str) else ""
        known = self._signed_heads(identity)
        self._stubs(known)
        self._walk()
        self._loose()
        self._cut()
        for head in heads:
            self._against(head, known)

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, values).fetchall()

    def _fault(self, what: str, entry: int | None = None, record: str = "") -> None:
        self.faults.append(Fault(entry, record, what))

    def _layout(self) -> bool:
        if self._all("PRAGMA integrity_check") != [("ok",)]:
            self._fault("the file is damaged: SQLite's own check fails")
        if self._all("PRAGMA user_version") != [(VERSION,)]:
            self._fault(f"the layout is not {VERSION}")
        kinds: dict[str, str] = dict(self._all("SELECT name, type FROM sqlite_master"))
        for table in (*GUARDED, "counters"):
            if kinds.get(table) != "table":
                self._fault("the table is missing", record=table)
                return False
        for record, names in NAMES.items():
            found = tuple(name for _, name, *_ in self._all(f"PRAGMA table_info({record})"))
            if found != ("sequence", *names):
                self._fault("the table has other columns", record=record)
                return False
        for table in GUARDED:
            for guard in GUARDS:
                if kinds.get(f"{table}_{guard}") != "trigger":
                    self._fault("the guard that lets it only grow is missing", record=table)
        return True

    def _signed_heads(self, identity: bytes | None) -> bytes | None:
        """The identity that signed the heads in the file."""
        rows = self._all("SELECT sequence, hash, identity, signature FROM heads ORDER BY sequence")
        known = rows[0][2] if rows else None
        if identity is not None and known != identity:
            self._fault("the heads in the file are signed by another identity", 1, "heads")
        for sequence, digest, signer, signature in rows:
            text = head_text(self.site, sequence, digest)
            if signer != known or not signed_by(signer, signature, text):
                self._fault("the head here is not signed by the site", sequence, "heads")
            if sequence in self._hashes and self._hashes[sequence] != digest:
                self._fault("the chain was rebuilt after its head was signed", sequence, "heads")
        due = {1, *range(INTERVAL, self.last + 1, INTERVAL)}
        for sequence in sorted(due ^ {row[0] for row in rows}):
            what = "a signed head is missing" if sequence in due else "entries were cut off here"
            self._fault(what, sequence, "heads")
        return known

    def _stubs(self, known: bytes | None) -> None:
        for before, through, entries, digest, signature in self._all(
            "SELECT before, through, entries, digest, signature FROM stubs ORDER BY sequence"
        ):
            kept = b"".join(self._hashes.get(n, b"") for n in range(1, through + 1))
            text = stub_text(before, through, entries, digest)
            if known is None or not signed_by(known, signature, text):
                self._fault("the stub of pruned lines is not signed by the site", record="stubs")
            elif hashlib.sha256(kept).digest() != digest:
                self._fault("hashes before the stub of pruned lines were changed", through, "stubs")
            else:
                self._pruned = max(self._pruned, through)

    def _walk(self) -> None:
        previous, expected = None, 1
        reached = dict.fromkeys(RECORDS, 0)
        for sequence, record, row, digest in self._all(
            "SELECT sequence, record, row, hash FROM chain ORDER BY sequence"
        ):
            if sequence != expected:
                gone = f"entries {expected} to {sequence - 1} were removed"
                self._fault(gone if sequence - expected > 1 else "it was removed", expected)
            expected = sequence + 1
            if record not in RECORDS:
                self._fault("it belongs to no table", sequence, str(record))
            elif row <= reached[record]:
                self._fault("it stands out of its order, or twice", sequence, record)
            else:
                reached[record] = row
                self._entry(sequence, record, row, digest, previous)
            previous = digest

    def _entry(
        self, sequence: int, record: str, row: int, digest: bytes, previous: bytes | None
    ) -> None:
        fields = ", ".join(NAMES[record])
        found = self._all(f"SELECT {fields} FROM {record} WHERE sequence = ?", row)  # noqa: S608
        if not found:
            if record != "audit" or sequence > self._pruned:
                self._fault("it was removed", sequence, record)
            return
        try:
            same = entry_hash(previous, record, row, *found[0]) == digest
        except UnicodeEncodeError:
            same = False
        if not same:
            self._fault("it was changed, or stands in another's place", sequence, record)

    def _loose(self) -> None:
        for record in RECORDS:
            for (row,) in self._all(
                f"SELECT sequence FROM {record} WHERE sequence NOT IN"  # noqa: S608
                " (SELECT row FROM chain WHERE record = ?) ORDER BY sequence",
                record,
            ):
                self._fault(f"row {row} was added beside the chain", None, record)

    def _cut(self) -> None:
        counted: dict[str, int] = dict(self._all("SELECT name, seq FROM sqlite_sequence"))
        for table in (*RECORDS, "chain"):
            ((last,),) = self._all(f"SELECT coalesce(max(sequence), 0) FROM {table}")  # noqa: S608
            pruned = table == "audit" and self._pruned
            if counted.get(table, 0) != last and not pruned:
                entry = self.last + 1 if table == "chain" else None
                self._fault("the last entries were cut off", entry, table)

    def _against(self, head: AuditHead, known: bytes | None) -> None:
        if head.site != self.site or not head.sound:
            self._fault("the kept head is not one that this site signed", head.sequence)
        elif head.identity != known:
            self._fault("the kept head is signed by another identity than these", head.sequence)
        if head.sequence > self.last:
            self._fault(
                f"entries {self.last + 1} to {head.sequence} were cut off or rolled back",
                self.last + 1,
            )
        elif self._hashes.get(head.sequence) != head.hash:
            self._fault(
                "the chain up to here is another than the kept head's: rebuilt, or rolled back and"
                " gone on differently",
                head.sequence,
            )


def explained(faults: Sequence[Fault]) -> Iterator[str]:
    """Faults in words, in the order of entries."""
    for fault in sorted(faults, key=lambda f: (f.entry is None, f.entry or 0)):
        where = "the file" if fault.entry is None else f"entry {fault.entry}"
        table = f" ({fault.record})" if fault.record else ""
        yield f"{where}{table}: {fault.what}"
