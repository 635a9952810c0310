"""What a site has answered and what it cost: grows, never shrinks, composes everything."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pandas as pd

from fedlab.errors import RefusedError
from fedlab.privacy import Event, epsilon_bound, epsilon_spent
from fedlab.queries import Statement, StatementLine
from fedlab.site.policy import Policy
from fedlab.site.store import Store

__all__ = ["Entry", "Ledger", "now", "today"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: who asked for what, and its cost. An event of None is an answer without noise."""

    run: str
    round: int
    query: str
    purpose: str
    event: Event | None
    rounds: int | None = None
    noise: str = "none"


class Ledger:
    """The privacy ledger of one site.

    Rewinding or forking a run gives nothing back, since what was answered is known.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def debit(self, entry: Entry, policy: Policy, *, rehearsal: bool = False) -> None:
        """Write `entry` if the policy allows it, before anything is computed.

        Check and entry are one transaction, so concurrent requests cannot overspend.

        Raises
        ------
        RefusedError
            When the entry would pass the budget, or asks for more rounds than were promised.
        """
        if entry.event is None:
            if not rehearsal:
                self._store.append(*_line(entry))
            return
        with self._store.transaction() as connection:
            self._permit(entry, entry.event, policy)
            if not rehearsal:
                connection.execute(*_line(entry))

    def _permit(self, entry: Entry, event: Event, policy: Policy) -> None:
        answered = self._store.read(
            "SELECT count(*) FROM spend WHERE run = ? AND query = ? AND noise_multiplier = ?",
            entry.run,
            entry.query,
            event.noise_multiplier,
        )[0][0]
        if entry.rounds is not None and isinstance(answered, int) and answered >= entry.rounds:
            raise RefusedError(
                f"The noise of this run was calibrated to {entry.rounds} rounds.",
                f"a request for answer {answered + 1}",
                "Start a run with more rounds; rewinding gives no answer back.",
                code="rounds",
            )
        if policy.epsilon is None:
            return
        events = [*self.events(), event]
        if epsilon_bound(events, policy.delta) <= policy.epsilon:
            return
        after = epsilon_spent(events, policy.delta)
        if after > policy.epsilon:
            spent = self.epsilon(policy.delta)
            raise RefusedError(
                f"The site's privacy budget is epsilon = {policy.epsilon:g} at delta = "
                f"{policy.delta:g}.",
                f"a request that would raise it from {spent:.6g} to {after:.6g}",
                "Ask for more noise or fewer rounds; what was spent does not come back.",
                code="budget",
            )

    def events(self) -> list[Event]:
        """Everything that was answered with noise."""
        rows: list[tuple[Any, ...]] = self._store.read(
            "SELECT noise_multiplier, sampling_rate, count, mechanism FROM spend"
            " WHERE noise_multiplier IS NOT NULL ORDER BY sequence"
        )
        return [Event(*row) for row in rows]

    def epsilon(self, delta: float) -> float:
        """ε of all answers with noise together."""
        return epsilon_spent(self.events(), delta)

    def statement(self, policy: Policy) -> Statement:
        """The ledger summed up by run and query."""
        rows: list[tuple[Any, ...]] = self._store.read(
            "SELECT run, query, purpose, count(*), noise_multiplier, sampling_rate, sum(count),"
            " mechanism, noise FROM spend"
            " GROUP BY run, query, purpose, noise_multiplier, sampling_rate, mechanism, noise"
            " ORDER BY min(sequence)"
        )
        lines = tuple(
            StatementLine(
                run, query, purpose, answers, None if cost[0] is None else Event(*cost), noise
            )
            for run, query, purpose, answers, *cost, noise in rows
        )
        return Statement(
            lines=lines,
            epsilon=self.epsilon(policy.delta),
            budget=policy.epsilon,
            delta=policy.delta,
        )

    @property
    def frame(self) -> pd.DataFrame:
        """One row an answer, oldest first."""
        return self._store.table("spend")


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def today() -> date:
    """The day in UTC, by the site's clock."""
    return datetime.now(UTC).date()


def _line(entry: Entry) -> tuple[str, tuple[object, ...]]:
    cost: tuple[object, ...] = (None, None, 1, "none")
    if entry.event is not None:
        cost = msgspec.structs.astuple(entry.event)
    return (
        "INSERT INTO spend (time, run, round, query, purpose, noise_multiplier,"
        " sampling_rate, count, mechanism, noise) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (now(), entry.run, entry.round, entry.query, entry.purpose, *cost, entry.noise),
    )
