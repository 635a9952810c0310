"""Numbers as a few wide groups, so that more rows share them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from fedlab.errors import DataError

__all__ = ["generalise"]


def generalise(column: pd.Series, bins: Sequence[float]) -> pd.Series:
    """Numbers as groups between given bounds, the first and the last of them open.

    Open ends keep the least and the greatest value from standing out.

    Parameters
    ----------
    column : Series of shape (n_samples,)
        Numbers.
    bins : sequence of float
        Bounds in ascending order; each begins the group above it.

    Returns
    -------
    Series of shape (n_samples,)
        An ordered category; what is missing stays missing.

    Raises
    ------
    DataError
        When the column holds no numbers, or the bounds are not ascending and finite.

    Examples
    --------
    >>> generalise(pd.Series([18, 40, 64.9, 65, 93]), [40, 65]).tolist()
    ['under 40', '40 to under 65', '40 to under 65', '65 or more', '65 or more']
    """
    if not isinstance(column, pd.Series) or not _numeric(column):
        came = f"a column of {column.dtype}" if isinstance(column, pd.Series) else "no column"
        raise DataError("Numbers are generalised.", came, "Convert the column, e.g. to float.")
    bounds = _bounds(bins)
    names = [
        f"under {bounds[0]:g}",
        *(f"{low:g} to under {high:g}" for low, high in pairwise(bounds)),
        f"{bounds[-1]:g} or more",
    ]
    if len({f"{bound:g}" for bound in bounds}) < len(bounds):
        raise DataError(
            "Bounds differ in their first six digits.", "two alike", "Choose rounder bounds."
        )
    values = column.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    codes = np.where(np.isnan(values), -1, np.searchsorted(bounds, values, side="right"))
    groups = pd.Categorical.from_codes(codes.tolist(), categories=pd.Index(names), ordered=True)
    return pd.Series(groups, index=column.index, name=column.name)


def _numeric(column: pd.Series) -> bool:
    kind = column.dtype
    return pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)


def _bounds(bins: Sequence[float]) -> list[float]:
    try:
        bounds = [float(bound) for bound in bins]
    except (TypeError, ValueError):
        bounds = []
    ascending = all(low < high for low, high in pairwise(bounds))
    if not bounds or not ascending or not np.isfinite(bounds).all():
        raise DataError(
            "bins are finite bounds in ascending order.",
            "others, or none",
            "Pass e.g. bins=[40, 65, 80].",
        )
    return bounds
