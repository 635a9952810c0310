"""Everything that was asked of a site, answered or refused: one line each."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime

import pandas as pd

from fedlab.errors import PrivacyError
from fedlab.queries import Request
from fedlab.queries.audit_head import AuditHead, labelled
from fedlab.site.ledger import now
from fedlab.site.records import guards_of
from fedlab.site.store import Store

__all__ = ["LEAST_YEARS", "AuditLog", "stub_text"]

LEAST_YEARS = 6
"""How long lines are kept at least (45 CFR 164.316(b)(2))."""


class AuditLog:
    """The audit log of one site. Lines are added, never changed.

    Lines of the log, the privacy ledger and all else that the site writes down are entries of one
    chain: see `head`, and ``fl.audit.verify``.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(self, request: Request, outcome: str, actor: str = "") -> None:
        """Add a line; `outcome` is "answered", "rehearsed" or the code of a refusal."""
        self._add(
            actor,
            _storable(request.sequence),
            request.run,
            _storable(request.round),
            type(request.query).__name__,
            request.query.purpose,
            outcome,
        )

    def note(self, event: str, outcome: str, *, actor: str = "site", purpose: str = "") -> None:
        """Add a line about what was done at the site itself."""
        self._add(actor, 0, "", 0, event, purpose, outcome)

    def _add(self, *fields: str | int) -> None:
        self._store.append(
            "INSERT INTO audit (time, actor, number, run, round, query, purpose, outcome)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (now(), *fields),
        )

    @property
    def head(self) -> AuditHead:
        """Where the records stand, signed by the site. Keep it elsewhere than the records."""
        return self._store.head()

    def head_at(self, sequence: int) -> AuditHead:
        """An earlier head; the last one where `sequence` is 0 or there are not so many entries."""
        return self._store.head(sequence)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a request, oldest first."""
        return self._store.table("audit")

    def prune(self, years: float = LEAST_YEARS, *, today: datetime | None = None) -> int:
        """Remove lines older than `years`, and leave a signed stub in their place.

        Their hashes stay, so that later entries, and the privacy ledger, which is never pruned,
        can still be verified.

        Returns
        -------
        int
            How many lines were removed.

        Raises
        ------
        PrivacyError
            When `years` is below six.
        """
        if not years >= LEAST_YEARS:
            raise PrivacyError(
                f"Lines of an audit log are kept for at least {LEAST_YEARS} years.",
                f"{years:g}",
                f"Pass e.g. years={LEAST_YEARS}.",
            )
        end = today or datetime.now(UTC)
        # February has no 29th in most years; a day less removes less.
        start = end.replace(year=end.year - math.ceil(years), day=min(end.day, 28))
        before = start.isoformat(timespec="seconds")
        with self._store.transaction() as connection:
            ((entries, through),) = connection.execute(
                "SELECT count(*), max(chain.sequence) FROM audit JOIN chain"
                " ON chain.record = 'audit' AND chain.row = audit.sequence WHERE time < ?",
                (before,),
            ).fetchall()
            if not entries:
                return 0
            hashes = connection.execute(
                "SELECT hash FROM chain WHERE sequence <= ? ORDER BY sequence", (through,)
            ).fetchall()
            digest = hashlib.sha256(b"".join(each for (each,) in hashes)).digest()
            signature = self._store.identity.sign(stub_text(before, through, entries, digest))
            # In one transaction, so that the guard is never seen to be missing.
            connection.execute("DROP TRIGGER audit_no_delete")
            connection.execute("DELETE FROM audit WHERE time < ?", (before,))
            connection.execute(guards_of("audit", "no_delete"))
            connection.execute(
                "INSERT INTO stubs (time, before, through, entries, digest, signature)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (now(), before, through, entries, digest, signature),
            )
        return int(entries)


def _storable(number: int) -> int:
    """The nearest number of 64 bits, so that no request goes unrecorded for what it holds."""
    return max(-(2**63), min(number, 2**63 - 1))


def stub_text(before: str, through: int, entries: int, digest: bytes) -> bytes:
    """What a site signs when it prunes lines."""
    return labelled("fedlab audit stub 1", before, through, entries, digest)
