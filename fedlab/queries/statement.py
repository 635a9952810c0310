"""Ask a site what it has answered and what that cost; reads no row."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from fedlab.privacy import Event, Releases
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = ["ReadLedger", "Statement", "StatementLine"]


class StatementLine(msgspec.Struct, frozen=True):
    """Answers of one kind: `event` is their cost together, None for answers without noise."""

    run: str
    query: str
    purpose: str
    answers: int
    event: Event | None
    noise: str


class Statement(Answer, msgspec.Struct, frozen=True, eq=False, tag=True, kw_only=True):
    """A site's ledger, summed up.

    Attributes
    ----------
    lines : tuple of StatementLine
    epsilon : float
        ε of all answers with noise together, at `delta`.
    budget : float or None
    delta : float
    """

    lines: tuple[StatementLine, ...]
    epsilon: float
    budget: float | None
    delta: float


class ReadLedger(Query, msgspec.Struct, frozen=True, tag=True):
    """What the site's ledger says; answered by the door itself."""

    purpose: ClassVar[str] = "statement"
    reads_rows: ClassVar[bool] = False

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Not computed from rows."""
        raise TypeError("a statement is read from the ledger, not computed")

    def releases(self, n_rows: int) -> Releases | None:
        """Nothing about a row is released."""
        return Releases(0)

    def accepts(self, answer: Answer) -> bool:
        """Any statement will do."""
        return isinstance(answer, Statement)
