"""Sums of numbers by group, from which means and variances follow."""

from __future__ import annotations

import math
from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.parameters import Array, is_finite_array
from fedlab.core.schema import Schema
from fedlab.privacy import Releases
from fedlab.queries.disclosure import Cells, Codes, Disclosure, Flags
from fedlab.queries.group_counts import is_tally, shape_of, table_or_nothing
from fedlab.queries.groups import Condition, Factor, beside, cells_of, chosen
from fedlab.queries.query import Answer, Context, Query, Rows, Split

__all__ = ["GroupSums", "SumGroups", "nearly_constant", "presence", "present_cells"]

FEW_VALUES = 3
"""So many distinct values have counts that follow from a number, a sum and a sum of squares."""


class GroupSums(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Sums of each group and column; all of it adds up over sites.

    Attributes
    ----------
    sums : ndarray of shape (5, n_groups, n_columns)
        Rows in the two sums that follow: of ``(x - center) / scale`` and of its square; patients
        with a missing value; patients with an unmapped one. 0 where suppressed.
    patients : ndarray of shape (n_groups, n_columns)
        Patients with a value; empty, of shape ``(0,)``, under noise, which counts rows.
    shown : ndarray of shape (4, n_groups, n_columns)
        Whether the site tells those with a value, the missing, the unmapped, and the two sums.
        Empty, of shape ``(0,)``, under noise, where nothing is suppressed.
    """

    sums: Array
    patients: Array
    shown: Array


class SumGroups(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Number, sum and sum of squares of columns by group, missing values left out.

    Asked twice, about the middle of the range and then about the federation's mean, it gives a
    variance without the cancellation that ``E[x^2] - E[x]^2`` suffers (Chan, Golub and LeVeque
    1983, the two-pass rule).

    How many have a value, miss it or have an unmapped one passes the site's law as a table, since
    two of these give away the third. Where a group has at most three distinct values of a column,
    its three sums say how many have each (the mean of 0 and 1 is a share): these counts pass the
    law too, and where one must not be told the two sums are suppressed; and so they are where all
    but a few of the group have one value, as they are then sums of those few.

    Under privacy ``(x - center) / scale`` is clipped to -1 and 1. A row adds at most 1 to the
    number, the sum and the squares of one group, or 1 to its missing or unmapped, so the root of
    three times the number of columns is the sensitivity of all.

    Attributes
    ----------
    schema : Schema
        Of the columns that are read.
    columns : tuple of str
        Numbers to be summed.
    center, scale : ndarray of shape (n_columns,)
        Public numbers, the scales positive.
    factors : tuple of Factor
        Groups; none for all together.
    where : tuple of Condition
    """

    purpose: ClassVar[str] = "summary"
    guarded: ClassVar[bool] = True

    schema: Schema
    columns: tuple[str, ...]
    center: Array
    scale: Array
    factors: tuple[Factor, ...] = ()
    where: tuple[Condition, ...] = ()
    split: Split = "all"

    @property
    def _size(self) -> tuple[int, int]:
        return math.prod(shape_of(self.factors)), len(self.columns)

    @property
    def _sensitivity(self) -> float:
        return math.sqrt(3 * len(self.columns))

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Sums over the rows that meet all conditions and have a value."""
        kept = chosen(rows, self.where)
        groups, group_shape = cells_of(rows, self.factors, kept)
        if context.disclosure is not None:
            context.disclosure.cohort(kept)
        n_groups, n_columns = self._size
        sums, patients = np.zeros((5, n_groups, n_columns)), np.zeros((n_groups, n_columns))
        shown = np.ones((4, n_groups, n_columns))
        for j, name in enumerate(self.columns):
            values, levels = presence(rows, name)
            has = (levels == 0) & (groups >= 0)
            if context.privacy is not None:
                scaled = np.clip((values[has] - self.center[j]) / self.scale[j], -1.0, 1.0)
                for layer, weights in enumerate((None, scaled, scaled**2)):
                    sums[layer, :, j] = np.bincount(groups[has], weights, minlength=n_groups)
            else:
                sums[:3, :, j] = self._about(j, values[has], groups[has])
            for layer, level in ((3, 1), (4, 2)):
                lacks = (levels == level) & (groups >= 0)
                sums[layer, :, j] = np.bincount(groups[lacks], minlength=n_groups)
            if context.disclosure is None:
                continue
            cells, missing = present_cells(groups, levels, n_groups)
            veiled = None
            if not context.disclosure.single_values:
                veiled = beside(self.factors, np.where(has, groups, -1), group_shape)
                veiled = np.ravel(veiled)[:, None] & ~missing
            told = table_or_nothing(context.disclosure, cells, missing.shape, missing, veiled)
            counts, shown[:3, :, j] = told.counts, told.shown.T
            patients[:, j], sums[3, :, j], sums[4, :, j] = counts.T
            for group in range(n_groups):
                mine = has & (groups == group)
                tells = told.shown[group, 0] and _tells_sums(values, mine, context.disclosure)
                shown[3, group, j] = tells
            sums[:3, :, j] *= shown[3, :, j]
        if context.disclosure is not None:
            return GroupSums(sums, patients, shown)
        released = context.release(sums, sensitivity=self._sensitivity)
        return GroupSums(released, np.zeros(0), np.zeros(0))

    def _about(self, column: int, values: Array, groups: Codes) -> Array:
        """Sums about `center` that follow from those about the groups' own means.

        So nothing but these is told, whatever is asked for: of ``(x - center) / scale`` itself
        rounding, and numbers that are too large or too small, tell single values apart.
        """
        n_groups, _ = self._size

        def added(weights: Array | None) -> Array:
            return np.bincount(groups, weights, minlength=n_groups).astype(np.float64)

        size = added(None)
        own = added(values) / np.maximum(size, 1.0)
        inner = values - own[groups]
        rest, squares = added(inner), added(inner**2)
        away, scale = np.where(size > 0, own - self.center[column], 0.0), self.scale[column]
        with np.errstate(all="ignore"):
            squares += 2 * away * rest + size * away**2
            total = (rest + size * away) / scale
            return np.stack([size, total, np.maximum(squares, 0.0) / scale / scale])

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy array; what is clipped is clipped to what was asked for."""
        return Releases(1) if self.columns and self._is_sound() else None

    def _is_sound(self) -> bool:
        shape = (len(self.columns),)
        finite = is_finite_array(self.center, shape) and is_finite_array(self.scale, shape)
        return finite and bool((self.scale > 0).all())

    def shared_sensitivity(self, n_rows: int, clipping_norm: float) -> float | None:
        """As of `compute`."""
        return self._sensitivity

    def accepts(self, answer: Answer) -> bool:
        """Finite arrays of the agreed shapes; those that noise needs not may be empty."""
        if not isinstance(answer, GroupSums) or not is_finite_array(answer.sums, (5, *self._size)):
            return False
        if answer.shown.shape == answer.patients.shape == (0,):
            return True
        return (
            is_tally(answer.patients, self._size)
            and is_tally(answer.shown, (4, *self._size))
            and is_tally(answer.sums[[0, 3, 4]], (3, *self._size))
            and bool((answer.sums[2] >= 0).all())
        )


def presence(rows: Rows, name: str) -> tuple[Array, Codes]:
    """Numbers of a column, and for each row 0 where there is one, 1 missing, 2 unmapped."""
    values = rows.column(name).to_numpy(dtype=np.float64, na_value=np.nan)
    levels = np.isnan(values).astype(np.int64)
    unmapped = rows.unmapped.get(name)
    if unmapped is not None:
        levels[unmapped] = 2
    return values, levels


def present_cells(groups: Codes, levels: Codes, n_groups: int) -> tuple[Codes, Cells]:
    """The cell of each row in groups by presence, and which cells are of those without a value."""
    cells = np.where(groups >= 0, groups * 3 + levels, -1)
    return cells, np.tile([False, True, True], (n_groups, 1))


def nearly_constant(values: Array, mine: Flags, law: Disclosure) -> bool:
    """Whether all but a few of these rows have one value: their sums are then of those few.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
    mine : ndarray of bool of shape (n_samples,)
        Rows that have a value.
    law : Disclosure
    """
    distinct, codes, counts = np.unique(values[mine], return_inverse=True, return_counts=True)
    if len(distinct) < 2 or 2 * counts.max() <= counts.sum():
        return False
    others = mine.copy()
    others[mine] = codes != counts.argmax()
    return law.few(others)


def _tells_sums(values: Array, mine: Flags, law: Disclosure) -> bool:
    distinct, codes = np.unique(values[mine], return_inverse=True)
    if not 0 < len(distinct) <= FEW_VALUES:
        return not nearly_constant(values, mine, law)
    cells = np.full(len(values), -1, dtype=np.int64)
    cells[mine] = codes
    return bool(table_or_nothing(law, cells, (len(distinct),)).shown.all())
