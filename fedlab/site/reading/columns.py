"""Lists of values as columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from fedlab.errors import DataError

__all__ = ["as_columns", "typed_column"]


def as_columns(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """A table whose types hang on the values alone, and never on which of them are missing.

    Numbers become floats; truths stay so, and are pandas' "boolean" where one is missing; any other
    mixture becomes text, as FHIRPath and JSON write it.

    Examples
    --------
    >>> as_columns({"a": [1, None], "b": [True, "x"]}).values.tolist()
    [[1.0, 'true'], [nan, 'x']]
    """
    return pd.DataFrame({name: _column(values) for name, values in columns.items()})


def _column(values: Sequence[Any]) -> pd.Series:
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, bool) for value in present):
        return pd.Series(values, dtype="bool" if len(present) == len(values) else "boolean")
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        return pd.Series(
            [np.nan if value is None else float(value) for value in values], dtype=float
        )
    return pd.Series([None if value is None else _text(value) for value in values], dtype="str")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def typed_column(name: str, values: Sequence[Any]) -> pd.Series:
    """A column of what a database gave.

    Raises
    ------
    DataError
        For values that are neither numbers, truths, texts, dates nor times, or of several of these.
    """
    present = [value for value in values if value is not None]
    kinds = {_kind(value) for value in present}
    column: pd.Series | None = None
    if kinds == {"truth"}:
        column = _column(values)
    elif kinds == {"time"}:
        column = pd.Series([None if v is None else v.isoformat() for v in values], dtype="str")
    elif kinds == {"text"}:
        column = pd.Series(values, dtype="str")
    elif len(kinds) < 2 and "other" not in kinds:
        try:
            column = _dates(values) if kinds == {"date"} else _numbers(values)
        except (ValueError, OverflowError):
            column = None  # its text quotes a value
    if column is None:
        raise DataError(
            f"Column {name!r} must hold numbers, truths, texts, dates or times of one kind.",
            f"{len({type(value) for value in present})} types of values, or such as do not fit",
            "Convert it in the query, e.g. CAST(x AS VARCHAR).",
        )
    return column


def _kind(value: object) -> str:
    kinds: dict[str, type | tuple[type, ...]] = {
        "truth": bool,
        "number": (int, float, Decimal),
        "text": str,
        "date": date,
        "time": time,
    }
    return next((kind for kind, types in kinds.items() if isinstance(value, types)), "other")


def _numbers(values: Sequence[Any]) -> pd.Series:
    if values and all(isinstance(value, int) for value in values):
        return pd.Series(values, dtype="int64")
    return pd.Series([np.nan if value is None else float(value) for value in values], dtype=float)


def _dates(values: Sequence[Any]) -> pd.Series:
    return pd.to_datetime(pd.Series(values, dtype="object"))
