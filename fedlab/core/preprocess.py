"""What is done to a table's columns before a model sees them: one description for all models."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from fedlab.core.schema import Column, Schema
from fedlab.errors import PrivacyError, TrainingError

__all__ = ["Filling", "Preprocess"]

Filling = Literal["mean", "median", "most_frequent", "zero", "keep"]
FILLINGS = get_args(Filling)


class Preprocess(msgspec.Struct, frozen=True, kw_only=True):
    """How numbers are scaled, gaps filled and categories turned into indicator columns.

    All of it is agreed over the federation, from sums over the sites' training rows, and becomes a
    part of the model and of its export. Categories are matched by name.

    Parameters
    ----------
    standardise : bool
        Bring numbers to mean 0 and variance 1 over all sites. Models that take numbers as they
        are, such as naive Bayes and trees, are never scaled.
    impute : str, or mapping of column name to str
        What a missing value is taken for.

        * ``"mean"``: the mean over all sites.
        * ``"median"``: their exact median. It is found by counts, in nine questions. The last of
          them tell values of single rows, see `fedlab.queries.Ranks`: a site forbids them by
          ``Policy(single_values=False)``.
        * ``"most_frequent"``: the most frequent value, the first in order among equals. A number
          needs whole values within its public range of at most 200, or from 0 to 20 where it has
          no range; a measurement hardly repeats, so that any other column takes its median.
        * ``"zero"``: the number 0, in the column's unit.
        * ``"keep"``: it stays missing, for models that know what to do with it. Trees take numbers
          so where there is no plan; with one they need it said.

        A missing category is filled by ``"most_frequent"`` alone; otherwise it counts as unseen.
        With a mapping, columns that are left out take the mean. Under record-level privacy
        ``"mean"`` is the middle of the column's public range.
    min_count : int
        Categories with fewer training rows over all sites have no column of their own, so that no
        coefficient stands for a handful of patients; 11 is the smallest cell that the United
        States' Centers for Medicare & Medicaid Services publish. By default every declared
        category has its column. The sites are asked for the rows of each category, and a site tells
        these counts however small they are.
    rare : "bucket" or "drop"
        Whether those categories share one column or have none.
    unseen : "ignore" or "bucket"
        Whether a category that was not declared, or is missing, is all zeros, or joins the rare
        ones in their column, which then always exists.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> Preprocess(impute="median", min_count=11).min_count
    11
    """

    standardise: bool = True
    impute: Filling | dict[str, Filling] = "mean"
    min_count: int = 0
    rare: Literal["bucket", "drop"] = "bucket"
    unseen: Literal["ignore", "bucket"] = "ignore"

    def __post_init__(self) -> None:
        ways = self.impute.values() if isinstance(self.impute, dict) else [self.impute]
        for way in ways:
            if way not in FILLINGS:
                raise TrainingError(
                    f"impute must be one of {', '.join(map(repr, FILLINGS))}.",
                    f"{way!r}",
                    "Pass e.g. impute='median', or a mapping of columns to one of them.",
                )
        if isinstance(self.impute, dict) and "keep" in self.impute.values():
            raise TrainingError(
                "Missing values are kept in all columns or in none.",
                "'keep' for single columns",
                "Pass impute='keep', or fill every column.",
            )
        count = self.min_count
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise TrainingError(
                "min_count must be a whole number of at least 0.", f"{count!r}", "Pass e.g. 11."
            )
        for name, listed in (("rare", ("bucket", "drop")), ("unseen", ("ignore", "bucket"))):
            if getattr(self, name) not in listed:
                raise TrainingError(
                    f"{name} must be {listed[0]!r} or {listed[1]!r}.",
                    f"{getattr(self, name)!r}",
                    f"Pass e.g. {name}={listed[0]!r}.",
                )
        if self.rare == "drop" and self.unseen == "bucket":
            raise TrainingError(
                "Where unseen categories share a column, rare ones share it too.",
                "rare='drop' with unseen='bucket'",
                "Leave one of them out.",
            )

    def filling(self, column: Column) -> Filling | None:
        """What a missing value of `column` is taken for; None for a category left unseen."""
        way = self.impute.get(column.name, "mean") if isinstance(self.impute, dict) else self.impute
        return way if column.kind == "number" or way == "most_frequent" else None

    def check(self, schema: Schema, *, private: bool, keeps_missing: bool) -> None:
        """Raise unless it can be done to these columns.

        Parameters
        ----------
        schema : Schema
        private : bool
            Whether nothing may be read from rows without noise.
        keeps_missing : bool
            Whether the model takes missing numbers.

        Raises
        ------
        TrainingError
            For a column that does not exist, or a filling that does not fit column or model.
        PrivacyError
            Under privacy, for what needs to be read from rows.
        """
        if self.impute == "keep" and not keeps_missing:
            raise TrainingError(
                "Missing values can be kept only for a model that takes them.",
                "impute='keep' for a model that needs every value",
                "Pass e.g. impute='median'.",
            )
        if isinstance(self.impute, dict):
            _check_columns(self.impute, schema)
        if private:
            self._check_private(schema)

    def _check_private(self, schema: Schema) -> None:
        ways = {self.filling(column) for column in schema.columns}
        asked = [f"impute={way!r}" for way in ("median", "most_frequent") if way in ways]
        if self.min_count:
            asked.append(f"min_count={self.min_count}")
        if asked:
            raise PrivacyError(
                "Under record-level privacy preprocessing uses what is declared of columns and "
                "nothing that is read from rows.",
                " and ".join(asked),
                "Leave it out: missing numbers become the middle of their public range, and every "
                "declared category has its column.",
            )


def _check_columns(ways: dict[str, Filling], schema: Schema) -> None:
    kinds = {column.name: column.kind for column in schema.columns}
    for name, way in ways.items():
        if name not in kinds:
            raise TrainingError(
                "impute must name features of the sites.", f"{name!r}", "Correct the name."
            )
        if kinds[name] == "category" and way != "most_frequent":
            raise TrainingError(
                f"The category {name!r} can be filled by its most frequent value only.",
                f"{way!r}",
                "Pass 'most_frequent', or leave the column out so that missing counts as unseen.",
            )
