"""The rows and columns a query may see, and no others."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import numpy as np

from fedlab.queries import Rows
from fedlab.queries.query import Split

__all__ = ["Narrowing"]

MOST_KEPT = 8

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


class Narrowing:
    """Makes and keeps narrowed tables, since rounds ask for the same ones again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[object, Rows] = OrderedDict()

    def rows(
        self,
        whole: Mapping[str, Rows],
        split: Split,
        names: tuple[str, ...] | None,
        kept: Mask | None,
    ) -> Rows:
        """Rows of a split.

        Parameters
        ----------
        whole : mapping of str to Rows
        split : "train" or "test"
        names : tuple of str or None
            Features that the query asks for; None for all.
        kept : ndarray of bool of shape (n_samples,) or None
            Rows of patients who agreed; None for all.
        """
        rows = whole[split]
        features = rows.features
        if names is not None:
            # In the table's order, whatever the order they were asked in.
            names = tuple(name for name in features.columns if name in set(names))
        if kept is None and (names is None or len(names) == features.shape[1]):
            return rows
        key = (id(rows), names, None if kept is None else kept.tobytes())
        if key not in self._kept:
            self._kept[key] = _narrow(rows, names, kept)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def _narrow(rows: Rows, names: tuple[str, ...] | None, kept: Mask | None) -> Rows:
    features, target, event = rows.features, rows.target, rows.event
    if names is not None:
        features = features[list(names)]
    if kept is not None:
        features = features[kept].reset_index(drop=True)
        target = target[kept].reset_index(drop=True)
        event = None if event is None else event[kept].reset_index(drop=True)
    return Rows(features, target, event)
