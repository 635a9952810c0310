"""Hold out rows for judging, at the site, by the site's seed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fedlab.core.seeds import generator
from fedlab.errors import DataError

__all__ = ["Indices", "split_rows"]

Indices = np.ndarray[tuple[int], np.dtype[np.int64]]


def split_rows(
    target: pd.Series, test_size: float, seed: int, site: str
) -> tuple[Indices, Indices]:
    """Positions of training and held-out rows, both in the table's order.

    Stratified by class where every class has a row for both sides, otherwise plain. A site whose
    share would leave either side without rows trains on all of them and holds none out.

    Raises
    ------
    DataError
        When `test_size` is not a share from 0 to below 1.
    """
    if not isinstance(test_size, int | float) or not 0 <= test_size < 1:
        raise DataError(
            "test_size must be a share from 0 to below 1.",
            f"{test_size!r}",
            "Pass e.g. test_size=0.2.",
            site=site,
        )
    n_rows = len(target)
    held_out = round(n_rows * test_size)
    if held_out == 0 or held_out == n_rows:
        return np.arange(n_rows), np.arange(0)
    from sklearn.model_selection import train_test_split

    counts = target.value_counts()
    counts = counts[counts > 0]
    fits = counts.min() >= 2 and min(held_out, n_rows - held_out) >= len(counts)
    state = int(generator(seed, site, "split").integers(2**32))
    train, test = train_test_split(
        np.arange(n_rows),
        test_size=held_out,
        stratify=target.to_numpy() if fits and len(counts) > 1 else None,
        random_state=state,
    )
    return np.sort(train), np.sort(test)
