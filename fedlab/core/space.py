"""The space that models live in: scaled numbers and indicator columns, the same at every site."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np
import pandas as pd

from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Column, Schema
from fedlab.errors import DataError, PrivacyError

__all__ = ["Space", "from_moments", "from_ranges", "numbers", "targets"]


Target = np.ndarray[Any, np.dtype[Any]]


class Space(msgspec.Struct, frozen=True):
    """How a table in a site's own columns becomes a matrix.

    Numbers are shifted by `mean` and divided by `scale`; a missing number becomes 0, which is the
    mean. A category becomes one indicator column per declared category; a missing one is all zeros.

    Attributes
    ----------
    schema : Schema
    scaling : Parameters
        ``mean`` and ``scale``, each ``(n_numbers,)``, in the order of the numeric columns.
    """

    schema: Schema
    scaling: Parameters

    @property
    def numbers(self) -> tuple[Column, ...]:
        """The numeric columns."""
        return tuple(column for column in self.schema.columns if column.kind == "number")

    @property
    def categories(self) -> tuple[Column, ...]:
        """The categorical columns."""
        return tuple(column for column in self.schema.columns if column.kind == "category")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the matrix's columns: numbers first, then ``column=category``."""
        indicators = [
            f"{column.name}={category}"
            for column in self.categories
            for category in column.categories
        ]
        return (*(column.name for column in self.numbers), *indicators)

    @property
    def squared_length(self) -> float:
        """Bound on the mean squared length of a row, an intercept of 1 included."""
        return float(len(self.numbers) + len(self.categories) + 1)

    def matrix(self, frame: pd.DataFrame) -> Array:
        """Rows as a matrix.

        Parameters
        ----------
        frame : DataFrame of shape (n_samples, n_columns)

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        scaled = (numbers(frame, self.schema) - self.scaling["mean"]) / self.scaling["scale"]
        blocks = [np.nan_to_num(scaled, nan=0.0)]
        for column in self.categories:
            codes = frame[column.name].cat.codes.to_numpy()
            blocks.append((codes[:, None] == np.arange(len(column.categories))).astype(float))
        return np.hstack(blocks)


def numbers(frame: pd.DataFrame, schema: Schema) -> Array:
    """Numeric columns of `frame` in the schema's order, missing values as NaN."""
    names = [column.name for column in schema.columns if column.kind == "number"]
    return frame[names].to_numpy(dtype=np.float64, na_value=np.nan)


def targets(values: pd.Series, schema: Schema, reads: Literal["classes", "numbers"]) -> Target:
    """Index of each row's class, or its number, shape ``(n_samples,)``."""
    if reads == "numbers":
        return values.to_numpy(dtype=np.float64)
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(str)
    codes = pd.Index(list(schema.classes)).get_indexer(pd.Index(values)).astype(np.int64)
    if (codes < 0).any():
        raise DataError(
            f"Every row must have one of the {len(schema.classes)} classes of {schema.target!r}.",
            f"{int((codes < 0).sum())} rows with another",
            "Use the same labels at every site.",
        )
    return codes


def from_moments(schema: Schema, mean: Array, variance: Array, count: Array) -> Space:
    """Space scaled to mean 0 and variance 1 over all sites.

    A column that is constant up to rounding keeps scale 1, as scikit-learn's StandardScaler does
    (the bound is that of Chan, Golub and LeVeque 1983 on a computed variance).
    """
    rounding = np.finfo(np.float64).eps
    bound = count * rounding * variance + (count * mean * rounding) ** 2
    scale = np.where(variance <= bound, 1.0, np.sqrt(variance))
    return Space(schema, Parameters({"mean": mean, "scale": scale}))


def from_ranges(schema: Schema) -> Space:
    """Space scaled by public ranges: the middle becomes 0, the ends become -2 and 2.

    Nothing is read from rows, so it costs no privacy.

    Raises
    ------
    PrivacyError
        When a numeric column has no declared range.
    """
    space = Space(schema, Parameters({}))
    unbounded = [column.name for column in space.numbers if column.low is None]
    if unbounded:
        raise PrivacyError(
            "Every numeric feature needs a public range under record-level privacy, since its mean "
            "and variance would be read from rows.",
            f"no range for {', '.join(map(repr, unbounded))}",
            f"Pass e.g. Site(..., ranges={{{unbounded[0]!r}: (0, 120)}}) from domain knowledge.",
        )
    low = np.array([column.low for column in space.numbers], dtype=np.float64)
    high = np.array([column.high for column in space.numbers], dtype=np.float64)
    scaling = Parameters({"mean": (low + high) / 2, "scale": (high - low) / 4})
    return Space(schema, scaling)
