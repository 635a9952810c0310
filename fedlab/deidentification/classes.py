"""Rows as numbers of the classes they are in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fedlab.errors import DataError

__all__ = ["classes_of", "codes_of"]

Codes = np.ndarray[tuple[int], np.dtype[np.int64]]


def codes_of(column: pd.Series, name: str) -> Codes:
    """A number a value, from 0; missing is one of them.

    Raises
    ------
    DataError
        When values cannot be compared.

    Examples
    --------
    >>> codes_of(pd.Series(["a", None, "b", "a"]), "x").tolist()
    [1, 0, 2, 1]
    """
    try:
        codes, _ = pd.factorize(column)
    except TypeError:
        codes = None
    if codes is None:
        raise DataError(
            f"Values of {name!r} can be compared.",
            "lists or the like",
            "Leave the column out.",
        )
    return np.asarray(codes, dtype=np.int64) + 1 - (0 if (codes < 0).any() else 1)


def classes_of(codes: Sequence[Codes]) -> Codes:
    """The class of each row, from 0: rows are in one that agree in all of `codes`.

    Examples
    --------
    >>> import numpy as np
    >>> classes_of([np.array([0, 0, 1]), np.array([5, 5, 5])]).tolist()
    [0, 0, 1]
    """
    classes, _ = pd.factorize(codes[0])
    for more in codes[1:]:
        # Both are below the number of rows, so their product fits.
        classes, _ = pd.factorize(classes.astype(np.int64) * (int(more.max()) + 1) + more)
    return np.asarray(classes, dtype=np.int64)
