"""Rows from where a site keeps them: a DataFrame, a CSV or a Parquet file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from fedlab.errors import DataError

__all__ = ["declare_categories", "read_table"]


def read_table(data: pd.DataFrame | str | Path, site: str) -> pd.DataFrame:
    """The table as a DataFrame of its own, with a fresh index.

    Raises
    ------
    DataError
        When the file is missing, of another kind, or cannot be read; when names of columns are not
        text or not unique; when there are no rows.
    """
    if isinstance(data, pd.DataFrame):
        frame = data.reset_index(drop=True)
    elif isinstance(data, str | Path):
        frame = _read_file(Path(data), site)
    else:
        raise DataError(
            "Data must be a DataFrame, or the path of a CSV or Parquet file.",
            type(data).__name__,
            "Pass e.g. Site('mercy', frame, target='died').",
            site=site,
        )
    if not all(isinstance(name, str) for name in frame.columns):
        raise DataError(
            "Columns must have names.", "a column whose name is not text", "Name it.", site=site
        )
    repeated = sorted(set(frame.columns[frame.columns.duplicated()]))
    if repeated:
        raise DataError(
            "Names of columns must be unique.",
            f"{', '.join(map(repr, repeated))} more than once",
            "Rename or drop one.",
            site=site,
        )
    if frame.empty:
        raise DataError(
            "A site needs at least one row.",
            f"a table of shape {frame.shape}",
            "Check the file, or leave the site out.",
            site=site,
        )
    return frame


def _read_file(path: Path, site: str) -> pd.DataFrame:
    kind = path.suffix.lower()
    if kind not in {".csv", ".parquet"}:
        raise DataError(
            "A data file must end in .csv or .parquet.",
            repr(path.name),
            "Convert it, or read it with pandas and pass the DataFrame.",
            site=site,
        )
    if not path.is_file():
        raise DataError("The data file must exist.", repr(path.name), "Check the path.", site=site)
    try:
        return pd.read_csv(path) if kind == ".csv" else pd.read_parquet(path)
    except Exception as error:
        # The parser's own message may quote the row it stumbled on.
        raise DataError(
            f"The data file must be readable as {kind[1:]}.",
            f"{path.name!r}, which fails with {type(error).__name__}",
            "Open it in another program and repair it.",
            site=site,
        ) from None


def declare_categories(
    frame: pd.DataFrame, categories: Mapping[str, Sequence[str]], site: str
) -> pd.DataFrame:
    """Make text columns categorical by declared lists.

    Raises
    ------
    DataError
        When a declared column is missing, or holds values that its list does not have.
    """
    frame = frame.copy()
    for name, declared in categories.items():
        if name not in frame.columns:
            raise DataError(
                "Declared categories must belong to a column.",
                f"{name!r}, which the table does not have",
                "Correct the name.",
                site=site,
            )
        listed = [str(category) for category in declared]
        text = frame[name].astype("str").where(frame[name].notna())
        unknown = int((text.notna() & ~text.isin(listed)).sum())
        if unknown:
            raise DataError(
                f"Column {name!r} must hold only its declared categories.",
                f"{unknown} rows with another value",
                "Complete the list, or correct the values.",
                site=site,
            )
        frame[name] = pd.Categorical(text, categories=listed)
    return frame
