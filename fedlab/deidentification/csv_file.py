"""CSV that a spreadsheet does not run."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Number
from pathlib import Path

import numpy as np
import pandas as pd

from fedlab.errors import DataError

__all__ = ["neutral", "write_csv"]

# With the wide forms, which some spreadsheets read alike.
STARTS = tuple("=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20")


def neutral(text: str) -> str:
    """A text that no spreadsheet takes for a formula.

    Examples
    --------
    >>> neutral("=1+1"), neutral("90+")
    ("'=1+1", '90+')
    """
    return f"'{text}" if text.startswith(STARTS) else text


def write_csv(frame: pd.DataFrame, path: str | Path) -> Path:
    """Write a table with neutralised text, so that a crash leaves the old file or the new one.

    Parameters
    ----------
    frame : DataFrame
        Its index is left out.
    path : str or Path
        Ends in .csv.

    Raises
    ------
    DataError
        When there is no column, the ending is another, or the file cannot be written.
    """
    # Loaded here: saves know strategies and rounds.
    from fedlab.saves import write_whole

    path = Path(path)
    if path.suffix.lower() != ".csv":
        raise DataError("A CSV file ends in .csv.", repr(path.name), "Pass e.g. 'table.csv'.")
    if frame.shape[1] == 0:
        raise DataError(
            "A file needs columns.", "a table without any", "Name one in keep=, if it is nobody's."
        )
    safe = pd.DataFrame({neutral(name): _neutral(frame[name]) for name in frame.columns})
    if safe.shape[1] < frame.shape[1]:
        raise DataError(
            "Names of columns are unique.", "two that neutralising makes alike", "Rename one."
        )
    # With both marks in the line's end, a cell that holds either is quoted and begins no new line.
    data = safe.to_csv(index=False, lineterminator="\r\n").encode("utf-8", errors="replace")
    fault = _written(path, data, write_whole)
    if fault:
        raise DataError(
            "The file must be writable.", f"{fault} for {path.name!r}", "Choose another folder."
        )
    return path


def _neutral(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        # `-1 days` begins with a sign, and is no number.
        column = column.astype("str").where(column.notna())
    if isinstance(column.dtype, pd.StringDtype):
        risky = column.str.startswith(STARTS).fillna(False).astype(bool)
        return column.mask(risky, "'" + column)
    return column.map(_neutral_value, na_action="ignore") if column.dtype == object else column


def _neutral_value(value: object) -> object:
    return value if isinstance(value, Number | np.bool_) else neutral(str(value))


def _written(path: Path, data: bytes, write: Callable[[Path, bytes], None]) -> str:
    """The class of error that writing ends in, or nothing."""
    try:
        write(path, data)
    except OSError as error:
        return type(error).__name__
    return ""
