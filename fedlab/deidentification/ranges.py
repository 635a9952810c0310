"""Sizes of classes in a few ranges, for tables and figures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

__all__ = ["by_range"]

# 11 is the fewest patients that a cell may count by the default policy of a site.
BOUNDS = (1, 2, 3, 5, 11, 20, 50, 100)


def by_range(frame: pd.DataFrame) -> pd.DataFrame:
    """Classes, rows and share of rows by range of sizes, and the greatest risk in each.

    Parameters
    ----------
    frame : DataFrame
        One row a size, as `KAnonymity.frame`.

    Examples
    --------
    >>> sizes = {"classes": [1, 2], "rows": [1, 8], "share": [1 / 9, 8 / 9], "risk": [1.0, 0.25]}
    >>> by_range(pd.DataFrame(sizes, index=[1, 4])).query("rows > 0").index.tolist()
    ['1', '3 to 4']
    """
    names = [
        *(
            f"{low}" if high == low + 1 else f"{low} to {high - 1}"
            for low, high in pairwise(BOUNDS)
        ),
        f"{BOUNDS[-1]} or more",
    ]
    place = np.searchsorted(BOUNDS, frame.index, side="right") - 1
    grouped = frame.groupby(place)
    joined = grouped[["classes", "rows", "share"]].sum()
    joined["risk"] = grouped["risk"].max()
    if "least_values" in frame:
        joined["least_values"] = grouped["least_values"].min()
    # Ranges without a class are shown as such up to the last that has one.
    joined = joined.reindex(range(int(place.max()) + 1))
    counted = {"classes": 0, "rows": 0, "share": 0.0}
    joined = joined.fillna(counted).astype({"classes": "int64", "rows": "int64"})
    if "least_values" in joined:
        joined["least_values"] = joined["least_values"].astype("Int64")
    joined.index = pd.Index([names[number] for number in joined.index], name="size of class")
    return joined
