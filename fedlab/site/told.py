"""The groups of patients that a site has told of, kept in its records."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from fedlab.core.small_cuts import Cut
from fedlab.core.tellings import Telling, Tellings
from fedlab.errors import WithheldError
from fedlab.queries.query import Split
from fedlab.site.identities import MARK_BYTES, Identities
from fedlab.site.store import Store

__all__ = ["Told", "refusal"]


def refusal(minimum: int) -> WithheldError:
    """What a site says to a question that tells of a few, together with one that it answered."""
    return WithheldError(
        f"No two answers may together tell of fewer than {minimum} patients.",
        "a group that differs by fewer from what was answered before",
        "Ask a question that was answered again, or about a group that is wider or narrower.",
        code="differencing",
    )


class Told:
    """What one site has told, across all of its history, without noise.

    Two kinds of records: the rows that it has ever had, as marks in the order in which it came to
    have them, and each telling as the group of each of these. A telling of 10,000 rows is some
    kilobytes in the records and 10 kB in memory.

    Parameters
    ----------
    store : Store
    identities : Identities
    """

    def __init__(self, store: Store, identities: Identities) -> None:
        self._store, self._identities = store, identities
        self._batches = 0
        self._place: dict[bytes, int] = {}
        self._owner: dict[bytes, int] = {}
        self._owners: list[int] = []
        self._upto = 0
        self._digests: set[bytes] = set()
        self._tellings = Tellings()
        self._here: Any = None
        # Taken after the lock of the store, never before.
        self._lock = threading.RLock()

    def places(self, split: Split) -> Any:
        """The place of each row of a split among all rows that the site ever had."""
        if self._here is None:
            rows, owners = self._identities.marks
            with self._store.transaction() as connection:
                self._read_rows()
                fresh = [i for i, row in enumerate(rows) if row not in self._place]
                if fresh:
                    marks = b"".join(rows[i] for i in fresh)
                    whose = b"" if rows is owners else b"".join(owners[i] for i in fresh)
                    connection.execute(
                        "INSERT INTO known (marks, owners) VALUES (?, ?)", (marks, whose)
                    )
            # Only what is on the disk has a place.
            self._read_rows()
            self._here = np.array([self._place[row] for row in rows], dtype=np.int64)
        return self._here[self._identities.part(split)]

    def _read_rows(self) -> None:
        rows = self._store.read(
            "SELECT sequence, marks, owners FROM known WHERE sequence > ? ORDER BY sequence",
            self._batches,
        )
        with self._lock:
            for number, marks, owners in rows:
                for mark, owner in zip(_split(marks), _split(owners or marks), strict=True):
                    self._place.setdefault(mark, len(self._place))
                    self._owners.append(self._owner.setdefault(owner, len(self._owner)))
                self._batches = number

    def _refresh(self) -> None:
        rows = self._store.read(
            "SELECT sequence, digest, telling FROM told WHERE sequence > ? ORDER BY sequence",
            self._upto,
        )
        with self._lock:
            for number, digest, telling in rows:
                self._tellings.add(Telling.read(telling))
                self._digests.add(digest)
                self._upto = number

    @property
    def size(self) -> int:
        """How many rows the site ever had."""
        return len(self._place)

    @property
    def _several(self) -> Any:
        if len(self._owner) == len(self._owners):
            return None
        return np.array(self._owners, dtype=np.int64)

    def conflict(
        self, telling: Telling, minimum: int, beside: Sequence[Telling], start: int = 0
    ) -> tuple[int, Cut] | None:
        """The first telling that must not be told beside this one, and what both tell of.

        Parameters
        ----------
        telling : Telling
        minimum : int
        beside : sequence of Telling
            Others of the same answer; they come first.
        start : int
            From which on to look.
        """
        now = Tellings()
        for each in beside:
            now.add(each)
        found = now.conflict(telling, minimum, self.size, self._several, start)
        with self._lock:
            # What was told before was compared with all that was told before and after it.
            if found is not None or telling.digest in self._digests:
                return found
            past = max(start - len(now), 0)
            found = self._tellings.conflict(telling, minimum, self.size, self._several, past)
        return None if found is None else (found[0] + len(now), found[1])

    def refresh(self) -> int:
        """Take note of what was told since; how many tellings there are."""
        with self._store.transaction():
            self._read_rows()
            self._refresh()
            return len(self._tellings)

    def keep(self, tellings: Sequence[Telling], minimum: int, since: int) -> None:
        """Write down what an answer is about to tell, unless too much was told meanwhile.

        Parameters
        ----------
        tellings : sequence of Telling
        minimum : int
        since : int
            How many tellings there were when the answer was begun.

        Raises
        ------
        WithheldError
            When another answer since does not go with it; then nothing is written.
        """
        with self._store.transaction() as connection:
            self._read_rows()
            self._refresh()
            with self._lock:
                new = [each for each in tellings if each.digest not in self._digests]
                several = self._several
                if any(
                    self._tellings.conflict(each, minimum, self.size, several, since)
                    for each in new
                ):
                    raise refusal(minimum)
            for digest, each in {each.digest: each for each in new}.items():
                connection.execute(
                    "INSERT INTO told (digest, telling) VALUES (?, ?)", (digest, each.written)
                )


def _split(marks: bytes) -> list[bytes]:
    return [marks[at : at + MARK_BYTES] for at in range(0, len(marks), MARK_BYTES)]
