"""What the inputs of a model from elsewhere are fed, from columns of a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fedlab.core.foreign import Feed, Part
from fedlab.core.parameters import Array

__all__ = ["fed"]


def fed(features: pd.DataFrame, feeds: Sequence[Feed]) -> list[Array | list[str]]:
    """What each input is fed: doubles ``(n_samples, n_parts)``, or as many texts row by row.

    Examples
    --------
    >>> frame = pd.DataFrame({"age": [41.0], "sex": pd.Categorical(["f"])})
    >>> fed(frame, [Feed(name="x", parts=(Part(column="age"), Part(column="sex", category="f")))])
    [array([[41.,  1.]])]
    """
    filled: list[Array | list[str]] = []
    for feed in feeds:
        columns = [features[part.column] for part in feed.parts]
        if feed.text:
            texts = [each.astype("object").where(each.notna(), "") for each in columns]
            filled.append([str(cell) for row in zip(*texts, strict=True) for cell in row])
            continue
        numbers = [_doubles(column, part) for column, part in zip(columns, feed.parts, strict=True)]
        filled.append(np.stack(numbers, axis=1))
    return filled


def _doubles(column: pd.Series, part: Part) -> Array:
    if part.category is None:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    same = (column.astype("object") == part.category).to_numpy(dtype=bool)
    return same.astype(np.float64)
