"""Sums for fitting a model, of those patients alone whom a question is about."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.parameters import is_finite_array
from fedlab.core.schema import Schema
from fedlab.errors import WithheldError
from fedlab.privacy import Releases
from fedlab.queries.disclosure import Codes, Flags
from fedlab.queries.few_values import all_told
from fedlab.queries.groups import Condition, chosen
from fedlab.queries.moments import Moments
from fedlab.queries.newton import NewtonStep
from fedlab.queries.query import Answer, Context, Query, Rows, Split
from fedlab.queries.score import Tally

__all__ = ["Among", "CountRows"]


class CountRows(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """How many rows there are to fit to; asked within `Among`.

    Attributes
    ----------
    schema : Schema
    parameters : int
        Of the model that is to be fitted, so that a site refuses it before it begins.
    """

    purpose: ClassVar[str] = "summary"

    schema: Schema
    parameters: int = 0
    split: Split = "all"

    @property
    def n_parameters(self) -> int:
        """As many as the model will have."""
        return self.parameters

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Their number."""
        return Tally({"rows": np.array([float(len(rows))])})

    def releases(self, n_rows: int) -> Releases | None:
        """A model of such sums has no errors under noise, so nor has this."""
        return None

    def accepts(self, answer: Answer) -> bool:
        """One number that is not negative."""
        return (
            isinstance(answer, Tally)
            and list(answer.sums) == ["rows"]
            and is_finite_array(answer.sums["rows"], (1,))
            and bool(answer.sums["rows"][0] >= 0)
        )


class Among(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The sums of another query over rows that meet all conditions and have all values.

    Who meets them, and how many lack a value, passes the site's law; where they must not be told
    the site refuses. So it does where parameters are too many for these rows, and where a column
    of at most three distinct values, or of categories, or the target where it is one of these, has
    too few with one of them: sums for fitting tell how many have each. Under a condition the same
    holds of each pair of them.

    Attributes
    ----------
    query : CountRows, Moments or NewtonStep
        What is summed.
    schema : Schema
        Of the columns that conditions read, and of those of the query.
    complete : tuple of str
        Columns of which every row must have a value.
    where : tuple of Condition
    """

    purpose: ClassVar[str] = "summary"
    guarded: ClassVar[bool] = True

    schema: Schema
    query: Query
    complete: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    split: Split = "all"

    def __post_init__(self) -> None:
        if not isinstance(self.query, CountRows | Moments | NewtonStep):
            raise ValueError("only sums for fitting are asked for among chosen rows")

    @property
    def n_parameters(self) -> int:
        """As of the other query, for the patients who are chosen."""
        return self.query.n_parameters

    @property
    def _summed(self) -> Schema:
        query = self.query
        if isinstance(query, NewtonStep):
            return query.space.schema
        return query.schema if isinstance(query, CountRows | Moments) else self.schema

    def compute(self, rows: Rows, context: Context) -> Answer:
        """The answer of the other query, from fewer rows."""
        kept = chosen(rows, self.where)
        whole = kept.copy()
        for name in self.complete:
            whole &= ~rows.column(name).isna().to_numpy(dtype=bool)
            unmapped = rows.unmapped.get(name)
            if unmapped is not None:
                whole &= ~unmapped
        law = context.disclosure
        if law is None:
            raise ValueError("sums for fitting are exact")
        law.cohort(kept)
        cells = np.where(kept, np.where(whole, 0, 1), -1)
        if not law.table(cells, (2,), missing=np.array([False, True])).shown[0] or not whole.any():
            raise WithheldError(
                "A model is fitted to enough patients, and leaves out enough or none.",
                "too few with, or without, a value of every column",
                "Leave out the column that is missing for a few, or pass missing='fill'.",
                code="cohort",
            )
        law.parameters(self.query.n_parameters, whole)
        taken = _taken(rows, whole)
        numbers = isinstance(self.query, Moments)
        if not all_told(self._summed, taken, whole, law, numbers=numbers, pairs=bool(self.where)):
            raise WithheldError(
                "A model is fitted where enough patients have each value that its sums tell of.",
                "a category, a flag or a class that few have",
                "Leave that column out, or ask about a wider group.",
                code="cohort",
            )
        return self.query.compute(taken, context)

    def releases(self, n_rows: int) -> Releases | None:
        """Exact sums only."""
        return None

    def accepts(self, answer: Answer) -> bool:
        """As of the other query."""
        return self.query.accepts(answer)


class _Taken(msgspec.Struct):
    """Chosen rows as they were last taken; a fit asks for the same ones round after round."""

    whole: Flags
    rows: Rows


def _taken(rows: Rows, whole: Flags) -> Rows:
    if whole.all():
        return rows

    def make() -> _Taken:
        places: Codes = np.flatnonzero(whole)
        taken = Rows(
            rows.features.iloc[places].reset_index(drop=True),
            rows.target.iloc[places].reset_index(drop=True),
            None if rows.event is None else rows.event.iloc[places].reset_index(drop=True),
            None if rows.patients is None else rows.patients[places],
            {name: flags[places] for name, flags in rows.unmapped.items()},
        )
        return _Taken(whole, taken)

    return rows.keep(_Taken, make, lambda kept: np.array_equal(kept.whole, whole)).rows
