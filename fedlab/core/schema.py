"""What a site's columns are: names, kinds and declared categories, and never a value of a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np
import pandas as pd

from fedlab.errors import DataError, SchemaError

__all__ = ["Column", "Label", "Schema", "agree", "read_schema"]

Label = bool | int | float | str
MAXIMUM_CLASSES = 50


class Column(msgspec.Struct, frozen=True):
    """One feature: a number with an optional public range, or a category with a declared list.

    Attributes
    ----------
    name : str
    kind : "number" or "category"
    categories : tuple of str
        In the order in which they become indicator columns; empty for numbers.
    low, high : float or None
        Public plausible range, in the column's unit. Domain knowledge, not read from rows.
    """

    name: str
    kind: Literal["number", "category"] = "number"
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


class Schema(msgspec.Struct, frozen=True):
    """The columns of a table of patients, its target and the classes the target takes.

    A target of numbers that are fractions, or of many values, has no classes.
    """

    columns: tuple[Column, ...]
    target: str
    classes: tuple[Label, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return tuple(column.name for column in self.columns)


def read_schema(
    frame: pd.DataFrame,
    target: str,
    ranges: Mapping[str, tuple[float, float]],
    site: str,
) -> Schema:
    """Describe `frame`.

    Raises
    ------
    DataError
        For a column that is text, has no value at all, or has a type that is neither number nor
        category; for a target that is missing somewhere.
    """
    columns = tuple(
        _read_column(frame[name], ranges.get(str(name)), site)
        for name in frame.columns
        if name != target
    )
    if not columns:
        raise DataError(
            "A site needs at least one feature.", "only the target", "Add columns.", site=site
        )
    return Schema(columns, target, _classes(frame[target], site))


def _read_column(values: pd.Series, bounds: tuple[float, float] | None, site: str) -> Column:
    name = str(values.name)
    if values.isna().all():
        raise DataError(
            f"Column {name!r} needs at least one value.",
            f"{len(values)} missing values",
            "Drop the column at every site, or leave this site out.",
            site=site,
        )
    if isinstance(values.dtype, pd.CategoricalDtype):
        if not all(isinstance(category, str) for category in values.cat.categories):
            raise DataError(
                f"The categories of column {name!r} must be text.",
                f"categories of dtype {values.cat.categories.dtype}",
                "Rename them, e.g. frame[name].cat.rename_categories(str).",
                site=site,
            )
        return Column(name, "category", tuple(values.cat.categories))
    if not pd.api.types.is_numeric_dtype(values.dtype) or values.dtype.kind == "c":
        raise DataError(
            f"Column {name!r} must hold numbers or declared categories.",
            f"dtype {values.dtype}",
            f"Convert it to numbers, or pass categories={{{name!r}: [...]}} with its list "
            "(which is not read from the rows, since that would tell rare values).",
            site=site,
        )
    if np.isinf(values.to_numpy(dtype=float, na_value=np.nan)).any():
        raise DataError(
            f"Column {name!r} must hold finite numbers.",
            "infinite values",
            "Replace them, or mark them missing.",
            site=site,
        )
    low, high = (None, None) if bounds is None else (float(bounds[0]), float(bounds[1]))
    if low is not None and high is not None and not -np.inf < low < high < np.inf:
        raise DataError(
            f"The range of column {name!r} must be finite and rise.",
            f"({low:g}, {high:g})",
            f"Pass e.g. ranges={{{name!r}: (0, 120)}}.",
            site=site,
        )
    return Column(name, "number", low=low, high=high)


def _classes(values: pd.Series, site: str) -> tuple[Label, ...]:
    name = str(values.name)
    if values.isna().any():
        raise DataError(
            f"The target {name!r} must be known for every row.",
            f"{int(values.isna().sum())} missing values in {len(values)} rows",
            "Drop those rows before making the site.",
            site=site,
        )
    if isinstance(values.dtype, pd.CategoricalDtype):
        return tuple(str(category) for category in values.cat.categories)
    distinct = values.unique()
    numeric = pd.api.types.is_numeric_dtype(values.dtype)
    if numeric and not np.isfinite(values.to_numpy(dtype=np.float64)).all():
        raise DataError(
            f"The target {name!r} must be finite.",
            "infinite values",
            "Drop those rows before making the site.",
            site=site,
        )
    if numeric and (len(distinct) > MAXIMUM_CLASSES or not _whole(distinct)):
        return ()
    if len(distinct) > MAXIMUM_CLASSES:
        raise DataError(
            f"The target {name!r} must have at most {MAXIMUM_CLASSES} classes.",
            f"{len(distinct)} distinct values",
            "Choose a target with few classes, or cut this one into classes.",
            site=site,
        )
    if set(distinct) <= {0, 1} and not pd.api.types.is_bool_dtype(values.dtype):
        return (0, 1)
    if pd.api.types.is_bool_dtype(values.dtype):
        return (False, True)
    return tuple(sorted(_label(value) for value in distinct))


def _whole(distinct: Iterable[object]) -> bool:
    return all(not isinstance(value, float) or value.is_integer() for value in distinct)


def _label(value: object) -> Label:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    return plain if isinstance(plain, bool | int | float) else str(plain)


def agree(schemas: Mapping[str, Schema]) -> Schema:
    """The one schema that all sites share, columns matched by name.

    The order of columns is that of the first site by name; sites may list theirs in any order.

    Raises
    ------
    SchemaError
        Naming site and column: one that is missing or extra, of another kind, or with another list
        or order of categories; another target; classes of another type.
    """
    sites = sorted(schemas)
    first = schemas[sites[0]]
    for site in sites[1:]:
        _compare(sites[0], first, site, schemas[site])
    columns = tuple(
        _widest([_named(schemas[site], column.name) for site in sites]) for column in first.columns
    )
    labels = {label: None for site in sites for label in schemas[site].classes}
    if len({isinstance(label, str) for label in labels}) > 1:
        raise SchemaError(
            f"The target {first.target!r} must have labels of one type.",
            "numbers at some sites and text at others",
            "Use the same labels everywhere.",
        )
    if not all(schema.classes for schema in schemas.values()):
        if any(isinstance(label, str) for label in labels):
            raise SchemaError(
                f"The target {first.target!r} must be of one type.",
                "numbers at some sites and text at others",
                "Use the same labels everywhere.",
            )
        return Schema(columns, first.target, ())
    declared = first.classes if set(labels) == set(first.classes) else tuple(sorted(labels))
    return Schema(columns, first.target, declared)


def _named(schema: Schema, name: str) -> Column:
    return next(column for column in schema.columns if column.name == name)


def _widest(columns: Sequence[Column]) -> Column:
    bounded = [(c.low, c.high) for c in columns if c.low is not None and c.high is not None]
    if not bounded:
        return columns[0]
    low, high = min(low for low, _ in bounded), max(high for _, high in bounded)
    return msgspec.structs.replace(columns[0], low=low, high=high)


def _compare(reference: str, expected: Schema, site: str, found: Schema) -> None:
    def differ(rule: str, came: str, remedy: str) -> SchemaError:
        return SchemaError(rule, came, remedy, site=site)

    if found.target != expected.target:
        raise differ(
            "All sites must name the same target.",
            f"{found.target!r}, while site {reference!r} has {expected.target!r}",
            "Rename the column.",
        )
    missing = [name for name in expected.names if name not in found.names]
    extra = [name for name in found.names if name not in expected.names]
    if missing or extra:
        came = "; ".join(
            f"{word} {', '.join(map(repr, names))}"
            for word, names in (("without", missing), ("with an extra", extra))
            if names
        )
        raise differ(
            f"All sites must have the features of site {reference!r}.",
            f"a table {came}",
            "Drop or add the column so that all sites have it.",
        )
    for column in expected.columns:
        other = _named(found, column.name)
        if other.kind != column.kind:
            raise differ(
                f"Column {column.name!r} must be a {column.kind}, as at site {reference!r}.",
                f"a {other.kind}",
                "Give it the same type at every site.",
            )
        if other.categories != column.categories:
            same = sorted(other.categories) == sorted(column.categories)
            raise differ(
                f"Column {column.name!r} must declare the categories of site {reference!r}: "
                f"{list(column.categories)}.",
                f"{'another order' if same else 'another list'}: {list(other.categories)}",
                f"Pass categories={{{column.name!r}: [...]}} with one list at every site.",
            )
