"""A mapping applied to a site's table, feature by feature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from fedlab.core.units import converted
from fedlab.errors import DataError
from fedlab.site.mapping.codes import MISSING, UNMAPPED, look_up, numbers_of
from fedlab.site.mapping.evaluation import Operand
from fedlab.site.mapping.expressions import Expression
from fedlab.site.mapping.faults import meant, shown
from fedlab.site.mapping.feature import FeatureMapping
from fedlab.site.mapping.report import Flags

__all__ = ["Made", "Making"]


class Made(NamedTuple):
    """A feature that was made.

    Attributes
    ----------
    values : Series of shape (n_samples,)
    unmapped : ndarray of bool of shape (n_samples,)
    counts : dict of str to int
        Rows mapped, missing, unmapped and outside.
    """

    values: pd.Series
    unmapped: Flags
    counts: dict[str, int]


class Making:
    """Makes features of one table.

    Parameters
    ----------
    frame : DataFrame
        The site's.
    missing : tuple of str
        Codes that mean "no value", for features that do not say.
    dates : str or None
        How dates are written.
    decimal : "." or ","
        The decimal sign of numbers that are written as text.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        missing: tuple[str, ...],
        dates: str | None,
        decimal: str = ".",
    ) -> None:
        self._frame, self._missing, self._dates = frame, missing, dates
        self._decimal = decimal
        self.made: dict[str, Made] = {}

    def absent(self, feature: FeatureMapping, features: Mapping[str, object]) -> Iterator[str]:
        """Columns that a feature asks for and the table does not have."""
        wanted = [feature.column] if feature.column is not None else []
        if feature.derive is not None:
            names = Expression(feature.derive).names
            wanted = [name for name in names if name not in features or name == feature.name]
        yield from (name for name in wanted if name not in self._frame.columns)

    def make(self, feature: FeatureMapping) -> Made:
        """Make a feature, after those that it is derived from.

        Raises
        ------
        DataError
            When no value of the column fits, or values lie outside of a range that may not.
        """
        try:
            made = self._categories(feature) if self._is_text(feature) else self._numbers(feature)
        except DataError as error:
            fault = error
        # Cells can be objects of any kind, and what pandas says of them may quote them.
        except Exception as error:
            fault = DataError(
                "Its column must hold numbers, texts or dates.",
                f"cells on which {type(error).__name__} ends the work",
                "Convert the column.",
            )
        else:
            self._check(feature, made)
            self.made[feature.name] = made
            return made
        raise DataError(f"Feature {shown(feature.name)!r}: {fault.rule}", fault.came, fault.remedy)

    def _is_text(self, feature: FeatureMapping) -> bool:
        if feature.listed:
            return True
        if feature.column is None or feature.unit is not None or feature.values:
            return False
        # A column that pandas already knows the categories of.
        return isinstance(self._frame[feature.column].dtype, pd.CategoricalDtype)

    def _nothing(self, feature: FeatureMapping) -> tuple[str, ...]:
        return self._missing if feature.missing is None else feature.missing

    def _categories(self, feature: FeatureMapping) -> Made:
        (source, lost), given = self._source(feature), feature.listed
        if isinstance(source.dtype, pd.CategoricalDtype) and not given:
            given = tuple(str(each) for each in source.cat.categories)
        codes = [code for code, _ in feature.values] or list(given)
        if not feature.values and any(each.endswith("*") for each in given):
            raise DataError(
                "Categories must not end in a star where no codes are given.", "one", "Rename it."
            )
        places = _unmapped_too(look_up(source, codes, self._nothing(feature)), lost)
        meant_by = [str(meaning) for _, meaning in feature.values] or list(given)
        targets = np.array([given.index(each) for each in meant_by] + [-1, -1], dtype=np.int64)
        values = pd.Series(
            pd.Categorical.from_codes(targets[places], categories=pd.Index(given, dtype="str")),
            name=feature.name,
        )
        return _made(values, places, np.zeros(len(values), dtype=bool))

    def _numbers(self, feature: FeatureMapping) -> Made:
        numbers, places = self._raw(feature)
        if feature.unit is not None and feature.to is not None:
            numbers = converted(
                numbers,
                feature.unit,
                feature.to,
                analyte=feature.analyte or feature.name,
                molar_mass=feature.molar_mass,
            )
        outside = np.zeros(len(numbers), dtype=bool)
        if feature.range is not None:
            low, high = feature.range
            outside = (numbers < low) | (numbers > high)
        if outside.any() and feature.outside == "error":
            raise DataError(
                "Every value must lie in the plausible range.",
                f"{int(outside.sum())} rows outside of it in {len(numbers)}",
                "Correct the unit or the values, or write outside: missing.",
            )
        if feature.outside != "keep":
            numbers = np.where(outside, np.nan, numbers)
        return _made(pd.Series(numbers, name=feature.name), places, outside)

    def _raw(self, feature: FeatureMapping) -> tuple[np.ndarray, np.ndarray]:
        """Numbers in the site's unit, and the places of rows without one."""
        if feature.values:
            source, lost = self._source(feature)
            codes = [code for code, _ in feature.values]
            places = _unmapped_too(look_up(source, codes, self._nothing(feature)), lost)
            meanings = [float(meaning) for _, meaning in feature.values]
            return np.array([*meanings, np.nan, np.nan])[places], places
        if feature.derive is None:
            column = self._frame[feature.column]
            return numbers_of(column, self._nothing(feature), self._decimal)
        source, lost = self._source(feature)
        numbers = source.to_numpy(dtype=np.float64)
        bad = ~np.isfinite(numbers)
        places = _unmapped_too(np.where(bad, MISSING, 0), lost)
        return np.where(bad, np.nan, numbers), places

    def _source(self, feature: FeatureMapping) -> tuple[pd.Series, Flags]:
        """A column, or what is derived; and where that would be unmapped if it is no value.

        What is none though no operand is missing, e.g. after a division by zero, is a value that
        the mapping does not know; so is what comes from such values.
        """
        if feature.derive is None:
            return self._frame[feature.column], np.zeros(len(self._frame), dtype=bool)
        expression = Expression(feature.derive)
        operands = {name: self._operand(name, feature) for name in expression.names}
        found = expression.evaluate(operands, self._dates)
        known = np.logical_and.reduce([each.known for each in operands.values()])
        flagged = np.logical_or.reduce([each.unmapped for each in operands.values()])
        return (found if isinstance(found, pd.Series) else pd.Series(found)), known | flagged

    def _operand(self, name: str, reader: FeatureMapping) -> Operand:
        if name in self.made and name != reader.name:
            made = self.made[name]
            known = made.values.notna().to_numpy(dtype=bool)
            return Operand(made.values, known, made.unmapped)
        column = self._frame[name]
        gone = look_up(column, (), self._nothing(reader)) == MISSING
        return Operand(column, ~gone, np.zeros(len(column), dtype=bool), self._decimal)

    def _check(self, feature: FeatureMapping, made: Made) -> None:
        if made.counts["unmapped"] and not made.counts["mapped"] + made.counts["outside"]:
            raise DataError(
                f"Feature {shown(feature.name)!r} needs a column that its mapping knows.",
                f"{made.counts['unmapped']} rows with a value, of which none is known",
                "Check the column and its codes. Numbers are written with a point, or with a comma "
                'where the mapping says decimal: ",".',
            )


def _unmapped_too(places: np.ndarray, lost: Flags) -> np.ndarray:
    return np.where((places == MISSING) & lost, UNMAPPED, places)


def _made(values: pd.Series, places: np.ndarray, outside: Flags) -> Made:
    unmapped: Flags = places == UNMAPPED
    counts = {
        "mapped": int(values.notna().sum()),
        "missing": int((places == MISSING).sum()),
        "unmapped": int(unmapped.sum()),
        "outside": int(outside.sum()),
    }
    return Made(values, unmapped, counts)


def no_column(missing: dict[str, list[str]], columns: list[str]) -> DataError:
    """The error for columns that a table does not have, all at once."""
    told = [
        f"{shown(name)!r} for {', '.join(shown(each) for each in readers)}"
        for name, readers in missing.items()
    ]
    first = next(iter(missing))
    return DataError(
        "A mapping must name columns of the table.",
        f"{'; '.join(told)}",
        meant(first, columns, f"The table has {len(columns)} other columns."),
    )
