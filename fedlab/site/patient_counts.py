"""Patients, not rows, by cell of a table."""

from __future__ import annotations

import math

import numpy as np

from fedlab.core.parameters import Array
from fedlab.queries import Rows
from fedlab.queries.disclosure import Codes, Flags

__all__ = ["PatientCounts"]


class PatientCounts:
    """Counts of the patients whose rows these are; each row is another's where it is not known."""

    def __init__(self, rows: Rows) -> None:
        self._n_rows = len(rows)
        self._patients = np.arange(len(rows)) if rows.patients is None else rows.patients
        self._several: bool | None = False if rows.patients is None else None

    def of(self, chosen: Flags) -> int:
        """Patients with any row that is chosen."""
        return len(np.unique(self._patients[chosen]))

    def by_cell(self, cells: Codes, size: int) -> Array:
        """Patients of each cell."""
        inside = cells >= 0
        mine, whose = cells[inside], self._patients[inside]
        if self._has_several:
            span = int(self._patients.max()) + 1
            mine = np.unique(mine * span + whose) // span
        return np.bincount(mine, minlength=size).astype(np.float64)

    @property
    def _has_several(self) -> bool:
        if self._several is None:
            self._several = len(np.unique(self._patients)) < self._n_rows
        return self._several

    def most(self, cells: Codes, shape: tuple[int, ...]) -> Array | None:
        """No cell has more patients than any of its lines, where that does not follow from sums."""
        if not self._has_several or not shape:
            return None
        most = np.full(shape, np.inf)
        inside = cells >= 0
        places = np.unravel_index(cells[inside], shape)
        for axis in range(len(shape)):
            lines = tuple(size for each, size in enumerate(shape) if each != axis)
            along = tuple(place for each, place in enumerate(places) if each != axis)
            numbers = np.full(self._n_rows, -1, dtype=np.int64)
            numbers[inside] = np.ravel_multi_index(along, lines) if lines else 0
            total = self.by_cell(numbers, math.prod(lines)).reshape(lines)
            most = np.minimum(most, np.expand_dims(total, axis))
        return most

    def in_parts(self, cells: Codes, kinds: Codes, n_cells: int, n_kinds: int) -> Array:
        """Patients by cell and kind, those in several shared out among these."""
        inside = cells >= 0
        mine, whose = cells[inside] * n_kinds + kinds[inside], self._patients[inside]
        size = n_cells * n_kinds
        weights = None
        if self._has_several and len(mine):
            both = np.unique(whose * size + mine)
            mine = both % size
            weights = 1.0 / np.bincount(both // size)[both // size]
        found = np.bincount(mine, weights, minlength=size)
        return found.reshape(n_cells, n_kinds).astype(np.float64)
