"""The space that models live in: scaled numbers and indicator columns, the same at every site."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np
import pandas as pd

from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Column, Schema
from fedlab.core.vocabulary import Vocabulary
from fedlab.errors import DataError, PrivacyError

__all__ = ["Reads", "Space", "from_moments", "from_ranges", "numbers", "targets", "unscaled"]


Target = np.ndarray[Any, np.dtype[Any]]
Reads = Literal["classes", "numbers", "survival", "nothing"]
"""How a model reads the target."""


class Space(msgspec.Struct, frozen=True):
    """How a table in a site's own columns becomes a matrix.

    A missing number becomes ``fill``, and numbers are shifted by ``mean`` and divided by ``scale``.
    A category becomes indicator columns, by default one for each declared category and all zeros
    where it is missing.

    Attributes
    ----------
    schema : Schema
    scaling : Parameters
        ``mean`` and ``scale``, each ``(n_numbers,)``, in the order of the numeric columns. Where
        they differ from what they stand for by default: ``fill``, else ``mean``; ``square``, the
        mean square of a column of the matrix, else 1; ``center``, its mean, else 0.
    keeps_missing : bool
        Leave a missing number NaN, for models that know what to do with it.
    vocabularies : tuple of Vocabulary
        One for each categorical column; without any, each declared category has its column.
    """

    schema: Schema
    scaling: Parameters
    keeps_missing: bool = False
    vocabularies: tuple[Vocabulary, ...] = ()

    @property
    def numbers(self) -> tuple[Column, ...]:
        """The numeric columns."""
        return tuple(column for column in self.schema.columns if column.kind == "number")

    @property
    def vocabulary(self) -> dict[str, Vocabulary]:
        """What becomes of each categorical column, by its name."""
        columns = [column for column in self.schema.columns if column.kind == "category"]
        chosen = self.vocabularies or [Vocabulary(kept=column.categories) for column in columns]
        return {column.name: each for column, each in zip(columns, chosen, strict=True)}

    @property
    def categories(self) -> tuple[Column, ...]:
        """The categorical columns that have indicator columns, each with the names of those."""
        return tuple(
            Column(name, "category", vocabulary.columns)
            for name, vocabulary in self.vocabulary.items()
            if vocabulary.columns
        )

    @property
    def scaled(self) -> bool:
        """Whether any number is shifted or divided."""
        return bool((self.scaling["mean"] != 0).any() or (self.scaling["scale"] != 1).any())

    @property
    def fill(self) -> Array:
        """What a missing number is taken for, in its own unit, shape ``(n_numbers,)``."""
        return self.scaling.get("fill", self.scaling["mean"])

    @property
    def filled(self) -> Array:
        """What a missing number becomes in the matrix, shape ``(n_numbers,)``."""
        filled: Array = (self.fill - self.scaling["mean"]) / self.scaling["scale"]
        return filled

    @property
    def center(self) -> Array:
        """The mean of the matrix's numeric columns over all sites, shape ``(n_numbers,)``."""
        return self.scaling.get("center", np.zeros(len(self.numbers)))

    @property
    def spread(self) -> Array:
        """How far they go from there: their standard deviation, shape ``(n_numbers,)``."""
        squares = self.scaling.get("square", np.ones(len(self.numbers)))
        spread: Array = np.sqrt(np.maximum(squares - self.center**2, 0.0))
        return spread

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
        squares = self.scaling.get("square", np.ones(len(self.numbers)))
        longest = np.maximum(squares, self.filled**2).sum()
        return float(longest + len(self.categories) + 1)

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
        if not self.keeps_missing:
            scaled = np.where(np.isnan(scaled), self.filled, scaled)
        vocabulary = self.vocabulary.items()
        return np.hstack([scaled, *(each.indicators(frame[name]) for name, each in vocabulary)])


def numbers(frame: pd.DataFrame, schema: Schema) -> Array:
    """Numeric columns of `frame` in the schema's order, missing values as NaN."""
    names = [column.name for column in schema.columns if column.kind == "number"]
    return frame[names].to_numpy(dtype=np.float64, na_value=np.nan)


def targets(
    values: pd.Series, schema: Schema, reads: Reads, event: pd.Series | None = None
) -> Target:
    """Index of each row's class, or its number, shape ``(n_samples,)``.

    For survival, time and event of each row, shape ``(n_samples, 2)``; for a model that reads
    nothing, zeros.
    """
    if reads == "nothing":
        return np.zeros(len(values))
    if reads == "survival":
        if event is None:
            raise DataError(
                "A model of survival needs to know where times end in the event.",
                "a target without an event",
                "Pass e.g. Site(..., target='time', event='died').",
            )
        return np.column_stack([values.to_numpy(np.float64), event.to_numpy(np.float64)])
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


def unscaled(schema: Schema, *, keeps_missing: bool = False) -> Space:
    """Space of the numbers as they are; a missing one becomes 0, or stays missing."""
    numeric = sum(column.kind == "number" for column in schema.columns)
    scaling = Parameters({"mean": np.zeros(numeric), "scale": np.ones(numeric)})
    return Space(schema, scaling, keeps_missing)


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
