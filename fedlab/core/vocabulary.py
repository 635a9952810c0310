"""Which indicator columns a category becomes: by the names of its values, never by their codes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pandas as pd

from fedlab.core.parameters import Array

__all__ = ["Vocabulary", "unused_name"]


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one categorical column that have an indicator, and what becomes of others.

    Attributes
    ----------
    kept : tuple of str
        Values with a column of their own, in its order.
    rare : tuple of str
        Declared values with too few rows: they share the bucket or, without one, have no column.
    bucket : str or None
        Name of the shared last column, which is the name of no value.
    unseen : bool
        Whether what is missing or was not declared goes into the bucket; otherwise it is all zeros.
    fill : str or None
        The value that a missing one is taken for.

    Examples
    --------
    >>> stages = Vocabulary(kept=("I", "II"), rare=("III", "IV"), bucket="(other)")
    >>> stages.indicators(pd.Series(["II", "IV", None]))
    array([[0., 1., 0.],
           [0., 0., 1.],
           [0., 0., 0.]])
    """

    kept: tuple[str, ...]
    rare: tuple[str, ...] = ()
    bucket: str | None = None
    unseen: bool = False
    fill: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the indicator columns."""
        return self.kept if self.bucket is None else (*self.kept, self.bucket)

    def indicators(self, values: pd.Series) -> Array:
        """One row of zeros and at most a single one for each value.

        Parameters
        ----------
        values : Series of shape (n_samples,)
            Categorical, with categories in any order, or text.

        Returns
        -------
        ndarray of shape (n_samples, n_columns)
        """
        if not isinstance(values.dtype, pd.CategoricalDtype):
            text = values.astype(object).where(values.notna(), None)
            values = pd.Series(pd.Categorical(text))
        other = -1 if self.bucket is None else len(self.kept)
        places = {name: place for place, name in enumerate(self.kept)}
        places |= dict.fromkeys(self.rare, other)
        unlisted = other if self.unseen else -1
        missing = unlisted if self.fill is None else places.get(self.fill, unlisted)
        # A missing value has code -1, which is the last place.
        of_code = [places.get(name, unlisted) for name in values.cat.categories]
        found = np.array([*of_code, missing])[values.cat.codes.to_numpy()]
        indicators: Array = (found[:, None] == np.arange(len(self.columns))).astype(np.float64)
        return indicators


def unused_name(wanted: str, taken: Sequence[str]) -> str:
    """`wanted`, with as many underscores as it takes to be none of `taken`."""
    while wanted in taken:
        wanted += "_"
    return wanted
