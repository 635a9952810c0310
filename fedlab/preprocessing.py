"""Agree over the federation on how a table's columns become a model's matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from fedlab.coordinator import Coordinator
from fedlab.core.model import Model
from fedlab.core.parameters import Array, Parameters
from fedlab.core.preprocess import Filling, Preprocess
from fedlab.core.quantiles import medians
from fedlab.core.schema import Column, Schema
from fedlab.core.space import Space, from_moments, from_ranges
from fedlab.core.vocabulary import Vocabulary, unused_name
from fedlab.errors import DataError, TrainingError
from fedlab.queries import (
    Answer,
    CategoryCounts,
    CategoryTally,
    Moments,
    MomentSums,
    Query,
    RankCounts,
    Ranks,
)

__all__ = ["agree_space"]

BUCKET = "(other)"
# Whole values that are looked for in a column without a public range, and the longest range.
CODES = (0, 20)
LONGEST_RANGE = 200


def agree_space(
    coordinator: Coordinator,
    sites: Sequence[str],
    schema: Schema,
    model: Model,
    preprocess: Preprocess | None = None,
    *,
    private: bool = False,
) -> Space:
    """Ask the sites for the sums that preprocessing needs, and no more.

    Parameters
    ----------
    coordinator : Coordinator
    sites : sequence of str
    schema : Schema
        On which they agreed.
    model : Model
        Tells whether its numbers are scaled, and whether it takes missing values.
    preprocess : Preprocess, optional
        By default numbers are scaled and filled by their mean, or stay as they are where the
        model takes them so, and each declared category has a column.
    private : bool
        Use declared ranges and categories alone, and ask nothing.

    Raises
    ------
    TrainingError, PrivacyError
        See `Preprocess.check`; and where no column is left.
    RefusedError
        When a site refuses its sums.
    """
    plan = preprocess or Preprocess(impute="keep" if model.keeps_missing else "mean")
    plan.check(schema, private=private, keeps_missing=model.keeps_missing)
    scaled = model.scaled and plan.standardise
    survey = _Survey(coordinator, tuple(sites), schema)
    if plan.impute == "keep" and not scaled:
        space = Space(schema, _as_they_are(schema))
    elif private:
        space = from_ranges(schema)
    else:
        mean, variance, count = survey.moments()
        space = from_moments(schema, mean, variance, count)
    # As a mapping, so that the mean of a space that is scaled by it needs no entry.
    entries = dict(space.scaling)
    ways = [plan.filling(column) for column in space.numbers]
    if plan.impute != "keep" and set(ways) != {"mean"}:
        entries["fill"] = _fills(survey, space, ways)
    if plan.impute != "keep" and not scaled:
        entries = _unscaled(space, entries, private=private)
    counts = survey.categories([column for column in space.categories if _counted(column, plan)])
    vocabularies = tuple(
        _vocabulary(column, plan, counts.get(column.name)) for column in space.categories
    )
    plain = tuple(Vocabulary(kept=column.categories) for column in space.categories)
    agreed = Space(
        schema,
        Parameters(entries),
        keeps_missing=plan.impute == "keep",
        vocabularies=() if vocabularies == plain else vocabularies,
    )
    if not agreed.names:
        raise TrainingError(
            "Preprocessing must leave a model something to learn from.",
            f"{len(schema.columns)} columns of which none is left",
            "Lower min_count, or pass rare='bucket'.",
        )
    return agreed


def _counted(column: Column, plan: Preprocess) -> bool:
    filled = plan.impute != "keep" and plan.filling(column) is not None
    return plan.min_count > 0 or filled


def _as_they_are(schema: Schema) -> Parameters:
    n_numbers = sum(column.kind == "number" for column in schema.columns)
    return Parameters({"mean": np.zeros(n_numbers), "scale": np.ones(n_numbers)})


def _unscaled(space: Space, entries: dict[str, Array], *, private: bool) -> dict[str, Array]:
    if private:
        square = np.array([max(abs(c.low or 0.0), abs(c.high or 0.0)) for c in space.numbers]) ** 2
    else:
        square = space.scaling["scale"] ** 2 + space.scaling["mean"] ** 2
    mean = space.scaling["mean"]
    fill = entries.get("fill", mean)
    return {**_as_they_are(space.schema), "fill": fill, "square": square, "center": mean}


def _fills(survey: _Survey, space: Space, ways: Sequence[Filling | None]) -> Array:
    columns = dict(zip(space.numbers, ways, strict=True))
    fills = {
        column: float(mean) for column, mean in zip(columns, space.scaling["mean"], strict=True)
    }
    fills |= {column: 0.0 for column, way in columns.items() if way == "zero"}
    frequent = survey.frequent(
        [column for column, way in columns.items() if way == "most_frequent"]
    )
    # A measurement hardly repeats.
    middle = [column for column, value in frequent.items() if math.isnan(value)]
    middle += [column for column, way in columns.items() if way == "median"]
    return np.array([*(fills | frequent | survey.medians(middle)).values()])


def _vocabulary(column: Column, plan: Preprocess, counts: Array | None) -> Vocabulary:
    kept, rare = column.categories, column.categories[:0]
    fill = None
    if counts is not None:
        enough = dict(zip(column.categories, counts >= plan.min_count, strict=True))
        kept = tuple(name for name in column.categories if enough[name])
        rare = tuple(name for name in column.categories if not enough[name])
        if plan.filling(column) == "most_frequent":
            fill = column.categories[int(counts.argmax())]
    unseen = plan.unseen == "bucket"
    shared = unseen or (bool(rare) and plan.rare == "bucket")
    return Vocabulary(
        kept=kept,
        rare=rare,
        bucket=unused_name(BUCKET, column.categories) if shared else None,
        unseen=unseen,
        fill=fill,
    )


@dataclass(frozen=True)
class _Survey:
    """Sums over all sites, added in the order of their names."""

    coordinator: Coordinator
    sites: tuple[str, ...]
    schema: Schema

    def _ask(self, run: str, query: Query) -> list[Answer]:
        replies = self.coordinator.ask(run, 0, dict.fromkeys(self.sites, query))
        answers = [replies[site].answer for site in sorted(replies)]
        return [answer for answer in answers if answer is not None]

    @property
    def _n_numbers(self) -> int:
        return sum(column.kind == "number" for column in self.schema.columns)

    def _only(self, columns: Sequence[Column]) -> Schema:
        """The schema of these columns, so that sites tell nothing of others."""
        chosen = tuple(column for column in self.schema.columns if column in columns)
        return msgspec.structs.replace(self.schema, columns=chosen)

    def moments(self) -> tuple[Array, Array, Array]:
        """Mean, variance and number of the values of each numeric column."""
        first = self._moments(np.zeros(self._n_numbers))
        if (first.count == 0).any():
            names = [column.name for column in self.schema.columns if column.kind == "number"]
            raise DataError(
                "Every numeric column needs a value among the training rows of some site.",
                f"none in {names[int(np.argmin(first.count))]!r}",
                "Drop the column, or hold out other rows by Site(..., seed=...).",
            )
        mean = first.total / first.count
        second = self._moments(mean)
        # The second pass also takes off the rounding that was left in the mean.
        shift = second.total / second.count
        return mean + shift, second.squares / second.count - shift**2, second.count

    def _moments(self, center: Array) -> MomentSums:
        answers = self._ask("moments", Moments(self.schema, center))
        parts = [answer for answer in answers if isinstance(answer, MomentSums)]
        return MomentSums(
            np.sum([part.count for part in parts], axis=0),
            np.sum([part.total for part in parts], axis=0),
            np.sum([part.squares for part in parts], axis=0),
        )

    def _counts(self, columns: Sequence[Column], edges: Array) -> Array:
        answers = self._ask("quantiles", Ranks(self._only(columns), edges))
        counts = [answer.counts for answer in answers if isinstance(answer, RankCounts)]
        total: Array = np.sum(counts, axis=0)
        return total

    def medians(self, columns: Sequence[Column]) -> dict[Column, float]:
        """The median of each of these columns, 0 where no site has a value."""
        asked = [column for column in self.schema.columns if column in columns]
        found = medians(lambda edges: self._counts(asked, edges), len(asked))
        return dict(zip(asked, np.nan_to_num(found).tolist(), strict=True))

    def frequent(self, columns: Sequence[Column]) -> dict[Column, float]:
        """The most frequent whole value of each column; NaN where values are not whole or far."""
        if not columns:
            return {}
        ranges = [
            CODES if column.low is None or column.high is None else (column.low, column.high)
            for column in columns
        ]
        starts = np.ceil([low for low, _ in ranges])
        lengths = np.floor([high for _, high in ranges]) - starts
        length = int(min(max(lengths), LONGEST_RANGE))
        values = starts[:, None] + np.arange(length + 1)
        # A value's own count is what is at most it but not at most the number just below.
        edges = np.stack([np.nextafter(values, -np.inf), values], axis=2)
        everywhere = np.full((len(columns), 1), np.finfo(np.float64).max)
        flat = np.hstack([edges.reshape(len(columns), -1), everywhere])
        counts = self._counts(columns, flat)
        each = np.diff(counts[:, :-1].reshape(edges.shape), axis=2)[:, :, 0]
        whole = (each.sum(axis=1) == counts[:, -1]) & (counts[:, -1] > 0)
        most = np.take_along_axis(values, each.argmax(axis=1)[:, None], 1)[:, 0]
        return dict(zip(columns, np.where(whole, most, np.nan).tolist(), strict=True))

    def categories(self, columns: Sequence[Column]) -> dict[str, Array]:
        """Rows of each declared category, by column."""
        if not columns:
            return {}
        answers = self._ask("categories", CategoryCounts(self._only(columns)))
        total = np.sum([a.counts for a in answers if isinstance(a, CategoryTally)], axis=0)
        ends = np.cumsum([len(column.categories) for column in columns])[:-1]
        parts = np.split(total, ends)
        return {column.name: part for column, part in zip(columns, parts, strict=True)}
