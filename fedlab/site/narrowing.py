"""The rows and columns a query may see, and no others."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np

from fedlab.core.schema import Schema
from fedlab.queries import Rows
from fedlab.queries.query import Split

__all__ = ["Narrowing"]

MOST_KEPT = 8

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


class Narrowing:
    """Makes and keeps narrowed tables, since rounds ask for the same ones again."""

    def __init__(self) -> None:
        self._kept: deque[tuple[tuple[Rows, tuple[str, ...] | None, Mask | None], Rows]]
        self._kept = deque(maxlen=MOST_KEPT)
        self._last: tuple[Rows, Schema | None, Mask | None, Rows] | None = None

    def rows(
        self,
        whole: Mapping[Split, Rows],
        split: Split,
        asked: Schema | None,
        kept: Mask | None,
    ) -> Rows:
        """Rows of a split.

        Parameters
        ----------
        whole : mapping of split to Rows
        split : "train", "test" or "all"
        asked : Schema or None
            Whose features the query asks for; None for all.
        kept : ndarray of bool of shape (n_samples,) or None
            Rows of patients who agreed; None for all.
        """
        rows = whole[split]
        # By identity: columns of a table and masks of a cohort are made once and looked up, and in
        # one process the requests of a run share their schema.
        last = self._last
        if last is not None and last[0] is rows and last[1] is asked and last[2] is kept:
            return last[3]
        names = None if asked is None else asked.names
        found = self._found(rows, names, kept)
        self._last = (rows, asked, kept, found)
        return found

    def _found(self, rows: Rows, names: tuple[str, ...] | None, kept: Mask | None) -> Rows:
        for key, found in self._kept:
            if key[0] is rows and key[1] == names and key[2] is kept:
                return found
        narrow = _narrow(rows, names, kept)
        self._kept.appendleft(((rows, names, kept), narrow))
        return narrow


def _narrow(rows: Rows, names: tuple[str, ...] | None, kept: Mask | None) -> Rows:
    features, target, event = rows.features, rows.target, rows.event
    patients, unmapped = rows.patients, rows.unmapped
    # In the table's order, whatever the order they were asked in.
    asked = [name for name in features.columns if names is None or name in names]
    if kept is None and len(asked) == features.shape[1]:
        return rows
    features = features[asked]
    if kept is not None:
        features = features[kept].reset_index(drop=True)
        target = target[kept].reset_index(drop=True)
        event = None if event is None else event[kept].reset_index(drop=True)
        patients = None if patients is None else patients[kept]
        unmapped = {name: flags[kept] for name, flags in unmapped.items()}
    return Rows(features, target, event, patients, unmapped)
