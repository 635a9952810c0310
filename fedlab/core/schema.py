"""What a site's columns are: names, kinds and declared categories, and never a value of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np
import pandas as pd

from fedlab.errors import DataError, SchemaError

__all__ = ["Column", "Label", "Schema", "agree", "check_ranges", "read_schema"]

Label = bool | int | str
MAXIMUM_CLASSES = 2


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

    A target of numbers has classes only where they are two whole ones; otherwise it is read as
    numbers. More classes are declared, as categories. A target that is a time has none either;
    `event` then names the column that tells whether the time ended in the event.
    """

    columns: tuple[Column, ...]
    target: str
    classes: tuple[Label, ...]
    event: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return tuple(column.name for column in self.columns)


def read_schema(
    frame: pd.DataFrame,
    target: str,
    ranges: Mapping[str, tuple[float, float]],
    site: str,
    event: str | None = None,
) -> Schema:
    """Describe `frame`.

    Raises
    ------
    DataError
        For a column that is text, has no value at all, or has a type that is neither number nor
        category; for a target that is missing somewhere; for times that are not positive or events
        that are not 0 and 1.
    """
    columns = tuple(
        _read_column(frame[name], ranges.get(str(name)), site)
        for name in frame.columns
        if name not in (target, event)
    )
    if not columns:
        raise DataError(
            "A site needs at least one feature.", "only the target", "Add columns.", site=site
        )
    if event is not None:
        _check_survival(frame[target], frame[event], site)
        return Schema(columns, target, (), event)
    return Schema(columns, target, _classes(frame[target], site))


def _check_survival(times: pd.Series, events: pd.Series, site: str) -> None:
    for values in (times, events):
        numeric = pd.api.types.is_numeric_dtype(values.dtype) and values.dtype.kind != "c"
        if not numeric or values.isna().any():
            raise DataError(
                f"Column {str(values.name)!r} must hold a number in every row.",
                f"dtype {values.dtype} with {int(values.isna().sum())} missing values",
                "Convert it, and drop rows without it.",
                site=site,
            )
    time = times.to_numpy(dtype=np.float64)
    if not (np.isfinite(time) & (time > 0)).all():
        raise DataError(
            f"Times in {str(times.name)!r} must be positive and finite.",
            f"{int((~(np.isfinite(time) & (time > 0))).sum())} rows with another",
            "Drop rows that were never at risk, or count time from earlier on.",
            site=site,
        )
    if not events.isin([0, 1]).all():
        raise DataError(
            f"The event {str(events.name)!r} must be 0 for censored and 1 for the event.",
            f"{int((~events.isin([0, 1])).sum())} rows with another value",
            "Pass e.g. frame[event] == 2 for a code of 2.",
            site=site,
        )


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
        return Column(name, "category", _category_names(values, site))
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
    return Column(name, "number", low=low, high=high)


def check_ranges(frame: pd.DataFrame, ranges: Mapping[str, tuple[float, float]], site: str) -> None:
    """Raise DataError unless each range belongs to a column and is a finite pair that rises."""
    for name, bounds in ranges.items():
        if name not in frame.columns:
            raise DataError(
                "A range must belong to a column.",
                f"{name!r}, which the table does not have",
                "Correct the name.",
                site=site,
            )
        pair = isinstance(bounds, Sequence) and len(bounds) == 2
        numeric = pair and all(isinstance(bound, int | float) for bound in bounds)
        if not numeric or not -np.inf < bounds[0] < bounds[1] < np.inf:
            raise DataError(
                f"The range of column {name!r} must be two finite numbers that rise.",
                f"{bounds!r}",
                f"Pass e.g. ranges={{{name!r}: (0, 120)}}.",
                site=site,
            )


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
        return _category_names(values, site)
    if pd.api.types.is_bool_dtype(values.dtype):
        return (False, True)
    if not pd.api.types.is_numeric_dtype(values.dtype) or values.dtype.kind == "c":
        raise DataError(
            f"The target {name!r} must hold numbers, booleans or declared categories.",
            f"dtype {values.dtype}",
            f"Pass categories={{{name!r}: [...]}} with the list of its classes (which is not read "
            "from the rows, since that would tell rare values).",
            site=site,
        )
    distinct = np.unique(values.to_numpy(dtype=np.float64))
    if not np.isfinite(distinct).all():
        raise DataError(
            f"The target {name!r} must be finite.",
            "infinite values",
            "Drop those rows before making the site.",
            site=site,
        )
    if len(distinct) > MAXIMUM_CLASSES or not np.equal(distinct, np.round(distinct)).all():
        return ()
    return tuple(int(value) for value in distinct)


def _category_names(values: pd.Series, site: str) -> tuple[str, ...]:
    if not all(isinstance(category, str) for category in values.cat.categories):
        raise DataError(
            f"The categories of column {str(values.name)!r} must be text.",
            f"categories of dtype {values.cat.categories.dtype}",
            "Rename them, e.g. frame[name].cat.rename_categories(str).",
            site=site,
        )
    return tuple(values.cat.categories)


def agree(
    schemas: Mapping[str, Schema], *, categories: Literal["same", "union"] = "same"
) -> Schema:
    """The one schema that all sites share, columns matched by name.

    The order of columns is that of the first site by name; sites may list theirs in any order.

    Parameters
    ----------
    schemas : mapping of str to Schema
    categories : "same" or "union"
        Whether all sites must declare one list of categories of a column, or lists that differ are
        joined, in the order of names.

    Raises
    ------
    SchemaError
        Naming site and column: one that is missing or extra, of another kind, or with another list
        or order of categories; another target; classes of another type.
    """
    sites = sorted(schemas)
    if categories == "union":
        schemas = _joined(schemas)
    first = schemas[sites[0]]
    for site in sites[1:]:
        _compare(sites[0], first, site, schemas[site])
    columns = tuple(
        _widest([_named(schemas[site], column.name) for site in sites]) for column in first.columns
    )
    if first.event is not None:
        return Schema(columns, first.target, (), first.event)
    return Schema(columns, first.target, _all_classes(schemas))


def _joined(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    lists: dict[str, set[tuple[str, ...]]] = {}
    for schema in schemas.values():
        for column in schema.columns:
            if column.kind == "category":
                lists.setdefault(column.name, set()).add(column.categories)
    joined = {
        name: min(found)
        if len(found) == 1
        else tuple(sorted({each for one in found for each in one}))
        for name, found in lists.items()
    }
    replace = msgspec.structs.replace
    return {
        site: replace(
            schema,
            columns=tuple(
                replace(column, categories=joined[column.name])
                if column.kind == "category"
                else column
                for column in schema.columns
            ),
        )
        for site, schema in schemas.items()
    }


def _all_classes(schemas: Mapping[str, Schema]) -> tuple[Label, ...]:
    """Classes of all sites; of two, the last is the positive one.

    They stand in the order that all sites declare, or sorted where sites declare different lists.
    """
    lists = {schema.classes for schema in schemas.values()}
    labels = [label for site in sorted(schemas) for label in schemas[site].classes]
    kinds = {
        "booleans" if isinstance(each, bool) else "text" if isinstance(each, str) else "numbers"
        for each in labels
    }
    if not all(lists):
        kinds.add("numbers")
    if len(kinds) > 1:
        target = next(iter(schemas.values())).target
        raise SchemaError(
            f"The target {target!r} must have labels of one type.",
            f"{' at some sites and '.join(sorted(kinds))} at others",
            "Use the same labels everywhere.",
        )
    if not all(lists) and kinds <= {"numbers"}:
        return ()
    if kinds == {"numbers"} and set(labels) <= {0, 1}:
        return (0, 1)
    return lists.pop() if len(lists) == 1 else tuple(sorted(set(labels)))


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
    if found.event != expected.event:
        raise differ(
            "All sites must name the same event.",
            f"{found.event!r}, while site {reference!r} has {expected.event!r}",
            "Pass the same event=... at every site.",
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
                f"Column {column.name!r} must declare the {len(column.categories)} categories of "
                f"site {reference!r}.",
                f"{len(other.categories)} categories in another {'order' if same else 'list'}",
                f"Pass categories={{{column.name!r}: [...]}} with one list at every site.",
            )
