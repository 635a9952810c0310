"""Everything that was asked of a site, answered or refused: one line each."""

from __future__ import annotations

import pandas as pd

from fedlab.queries import Request
from fedlab.site.ledger import now
from fedlab.site.store import Store

__all__ = ["AuditLog"]


class AuditLog:
    """The audit log of one site. Lines are added, never changed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(self, request: Request, outcome: str) -> None:
        """Add a line; `outcome` is "answered", "rehearsed" or the code of a refusal."""
        self._store.append(
            "INSERT INTO audit (time, run, round, query, purpose, outcome)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                now(),
                request.run,
                request.round,
                type(request.query).__name__,
                request.query.purpose,
                outcome,
            ),
        )

    @property
    def frame(self) -> pd.DataFrame:
        """One row a request, oldest first."""
        return self._store.table("audit")
