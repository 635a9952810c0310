"""How many patients have each value of a column, where exact sums for a model tell it."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from fedlab.core.schema import Schema
from fedlab.queries.disclosure import Cells, Codes, Disclosure, Flags
from fedlab.queries.group_sums import FEW_VALUES, nearly_constant
from fedlab.queries.query import Rows

__all__ = ["all_told"]


class _Levels(NamedTuple):
    """The level of each row, the last of which is of those without a value."""

    codes: Codes
    size: int

    @property
    def missing(self) -> Cells:
        return np.asarray(np.arange(self.size) == self.size - 1)


def all_told(
    schema: Schema, rows: Rows, whole: Flags, law: Disclosure, *, numbers: bool, pairs: bool
) -> bool:
    """Whether the law lets be told how many have each value or none, as sums tell it.

    A number, a sum and a sum of squares say how many rows have each of up to three values; sums
    over indicators, gradients and curvatures say it of categories and classes, and of pairs of all
    of these. DataSHIELD refuses a model for a flag, or an outcome, that too few have (Gaye et al.
    2014, "DataSHIELD: taking the analysis to the data, not the data to the analysis", International
    Journal of Epidemiology 43(6)).

    Parameters
    ----------
    schema : Schema
        Of the columns that are summed.
    rows : Rows
        Those that are summed.
    whole : ndarray of bool of shape (n_samples,)
        Which of the site's rows these are.
    law : Disclosure
    numbers : bool
        Whether sums are of the numbers alone, and of no category, target or event.
    pairs : bool
        Whether pairs of columns are looked at too.
    """
    series = [
        (rows.column(each.name), each.categories)
        for each in schema.columns
        if each.kind == "number" or not numbers
    ]
    if not numbers:
        series += [(each, ()) for each in (rows.target, rows.event) if each is not None]
    for each, categories in series:
        if not categories and pd.api.types.is_numeric_dtype(each.dtype):
            values = np.full(len(whole), np.nan)
            values[whole] = each.to_numpy(dtype=np.float64, na_value=np.nan)
            if nearly_constant(values, whole & ~np.isnan(values), law):
                return False
    found = [_levels(*each) for each in series]
    if not all(_shown(law, whole, each.codes, (each.size,), each.missing) for each in found):
        return False
    return not pairs or all(
        _shown(
            law,
            whole,
            one.codes * two.size + two.codes,
            (one.size, two.size),
            one.missing[:, None] | two.missing,
        )
        for one, two in combinations([each for each in found if each.size > 2], 2)
    )


def _levels(series: pd.Series, categories: tuple[str, ...]) -> _Levels:
    """Categories, or up to three values; of more only whether there is one."""
    if categories:
        codes = pd.Index(categories).get_indexer(pd.Index(series.astype("object")))
        n_values = len(categories)
    else:
        codes, values = pd.factorize(series, sort=True)
        n_values = len(values)
        if n_values > FEW_VALUES:
            codes, n_values = np.minimum(codes, 0), 1
    levels = np.where(codes < 0, n_values, codes).astype(np.int64)
    return _Levels(levels, n_values + 1)


def _shown(
    law: Disclosure, whole: Flags, codes: Codes, shape: tuple[int, ...], missing: Cells
) -> bool:
    cells = np.full(len(whole), -1, dtype=np.int64)
    cells[whole] = codes
    return bool(law.table(cells, shape, missing=missing).shown.all())
