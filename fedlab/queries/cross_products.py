"""Sums of products of pairs of columns, from which correlations follow."""

from __future__ import annotations

import math
from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.parameters import Array, is_finite_array
from fedlab.core.schema import Schema
from fedlab.privacy import Releases
from fedlab.queries.disclosure import Codes, Disclosure, Flags
from fedlab.queries.group_counts import is_tally
from fedlab.queries.group_sums import FEW_VALUES, nearly_constant, presence
from fedlab.queries.groups import Condition, chosen
from fedlab.queries.query import Answer, Context, Query, Rows, Split

__all__ = ["CrossProducts", "CrossSums"]


class CrossSums(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Sums of each pair of columns, over the rows with a value of all; they add up over sites.

    Attributes
    ----------
    sums : ndarray of shape (4, n_columns, n_columns)
        For columns i and j: rows, sum of i, sum of squares of i, and sum of products, of
        ``(x - center) / scale``. 0 where the site does not tell of the pair.
    shown : ndarray of shape (n_columns, n_columns)
        1 where it does.
    """

    sums: Array
    shown: Array


class CrossProducts(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Products of columns about `center`, over rows that have a value of every column.

    Asked twice, about the middle of the range and then about the federation's mean, it gives
    correlations without cancellation (Chan, Golub and LeVeque 1983, the two-pass rule).

    How many have all values, and how many lack one, passes the site's law. Where columns have at
    most three distinct values, alone or in a pair, their sums say how many rows have each: these
    counts pass the law too, and where one must not be told the pair is suppressed; and so it is
    where all but a few have one value.

    Under privacy ``(x - center) / scale`` is clipped to -1 and 1, so that a row adds at most 1 to
    its number, to each sum and to each product; the root of how many of these there are is the
    sensitivity of all.

    Attributes
    ----------
    schema : Schema
        Of the columns that are read.
    columns : tuple of str
        Numbers.
    center, scale : ndarray of shape (n_columns,)
        Public numbers, the scales positive.
    where : tuple of Condition
    """

    purpose: ClassVar[str] = "summary"
    guarded: ClassVar[bool] = True

    schema: Schema
    columns: tuple[str, ...]
    center: Array
    scale: Array
    where: tuple[Condition, ...] = ()
    split: Split = "all"

    @property
    def n_parameters(self) -> int:
        """A line through the columns, which follows from these sums, has one for each."""
        return len(self.columns)

    @property
    def _sensitivity(self) -> float:
        size = len(self.columns)
        return math.sqrt(1 + size + size * (size + 1) // 2)

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Sums over the rows that meet all conditions and have all values."""
        kept, read = chosen(rows, self.where), [presence(rows, name) for name in self.columns]
        whole = kept & np.all([levels == 0 for _, levels in read], axis=0)
        values = np.column_stack([numbers for numbers, _ in read])[whole]
        if context.disclosure is None:
            scaled = (values - self.center) / self.scale
            return self._hidden(np.clip(scaled, -1.0, 1.0), context)
        context.disclosure.cohort(kept)
        cells = np.where(kept, np.where(whole, 0, 1), -1)
        lacks = np.array([False, True])
        told = context.disclosure.table(cells, (2,), missing=lacks).shown[0] and whole.any()
        context.disclosure.parameters(self.n_parameters, whole)
        if not told:
            nothing = np.zeros((len(self.columns),) * 2)
            return CrossSums(_sums(0, np.zeros(len(nothing)), nothing), nothing)
        shown = _tells(values, whole, context.disclosure)
        return CrossSums(self._about(values) * (shown > 0), shown)

    def _about(self, values: Array) -> Array:
        """Sums about `center` that follow from those about the columns' own means.

        So nothing but these is told, whatever is asked for: of ``(x - center) / scale`` itself
        rounding, and numbers that are too large or too small, tell single values apart.
        """
        size, own = len(values), values.mean(axis=0)
        inner = values - own
        rest, products = inner.sum(axis=0), inner.T @ inner
        away = own - self.center
        with np.errstate(all="ignore"):
            products += np.outer(rest, away) + np.outer(away, rest) + size * np.outer(away, away)
            total = (rest + size * away) / self.scale
            return _sums(size, total, products / self.scale / self.scale[:, None])

    def _hidden(self, scaled: Array, context: Context) -> CrossSums:
        size = len(self.columns)
        exact = np.concatenate(
            [[float(len(scaled))], scaled.sum(axis=0), _upper(scaled.T @ scaled)]
        )
        noisy = context.release(exact, sensitivity=self._sensitivity)
        products = np.zeros((size, size))
        products[np.triu_indices(size)] = noisy[1 + size :]
        products = np.triu(products) + np.triu(products, 1).T
        return CrossSums(_sums(noisy[0], noisy[1 : 1 + size], products), np.ones((size, size)))

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy vector; what is clipped is clipped to what was asked for."""
        shape = (len(self.columns),)
        finite = is_finite_array(self.center, shape) and is_finite_array(self.scale, shape)
        return Releases(1) if self.columns and finite and (self.scale > 0).all() else None

    def shared_sensitivity(self, n_rows: int, clipping_norm: float) -> float | None:
        """As of `compute`."""
        return self._sensitivity

    def accepts(self, answer: Answer) -> bool:
        """Finite arrays of the agreed shapes."""
        size = len(self.columns)
        return (
            isinstance(answer, CrossSums)
            and is_finite_array(answer.sums, (4, size, size))
            and is_tally(answer.shown, (size, size))
        )


def _upper(square: Array) -> Array:
    upper: Array = square[np.triu_indices(len(square))]
    return upper


def _sums(count: float, total: Array, products: Array) -> Array:
    size = len(total)
    of_first = np.broadcast_to(total[:, None], (size, size))
    squares = np.broadcast_to(np.diag(products)[:, None], (size, size))
    return np.stack([np.full((size, size), float(count)), of_first, squares, products])


def _tells(values: Array, whole: Flags, law: Disclosure) -> Array:
    """Pairs of which the site may tell, ``(n_columns, n_columns)``."""
    size = values.shape[1]
    few: dict[int, tuple[Codes, int]] = {}
    shown = np.ones((size, size))
    for i in range(size):
        distinct, codes = np.unique(values[:, i], return_inverse=True)
        if len(distinct) <= FEW_VALUES:
            few[i] = codes.astype(np.int64), len(distinct)
            if not _all_shown(few[i][0], (len(distinct),), whole, law):
                shown[i] = shown[:, i] = 0.0
        else:
            column = np.full(len(whole), np.nan)
            column[whole] = values[:, i]
            if nearly_constant(column, whole, law):
                shown[i] = shown[:, i] = 0.0
    for i, (first, n_first) in few.items():
        for j, (second, n_second) in few.items():
            if i < j and shown[i, j]:
                cells = first * n_second + second
                shown[i, j] = shown[j, i] = _all_shown(cells, (n_first, n_second), whole, law)
    return shown


def _all_shown(codes: Codes, shape: tuple[int, ...], whole: Flags, law: Disclosure) -> bool:
    cells = np.full(len(whole), -1, dtype=np.int64)
    cells[whole] = codes
    return bool(law.table(cells, shape).shown.all())
