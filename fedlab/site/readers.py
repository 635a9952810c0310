"""Rows from where a site keeps them: a DataFrame, a file, or what a reader made of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import pandas as pd

from fedlab.errors import DataError

__all__ = ["Data", "ReadTable", "declare_categories", "read_table", "take_patients"]


@runtime_checkable
class ReadTable(Protocol):
    """A table that was read or mapped, and a report of how that went."""

    @property
    def frame(self) -> pd.DataFrame:
        """The table."""

    @property
    def report(self) -> object:
        """What was read, and what was not."""


Data = pd.DataFrame | str | Path | ReadTable


def read_table(data: Data, site: str) -> pd.DataFrame:
    """The table as a DataFrame of its own, with a fresh index.

    Raises
    ------
    DataError
        When the file is missing, of another kind, or cannot be read; when names of columns are not
        text or not unique; when there are no rows.
    """
    if isinstance(data, ReadTable) and isinstance(data.frame, pd.DataFrame):
        data = data.frame
    if isinstance(data, pd.DataFrame):
        frame = data.reset_index(drop=True)
    elif isinstance(data, str | Path):
        frame = _read_file(Path(data), site)
    else:
        raise DataError(
            "Data must be a DataFrame, the path of a CSV or Parquet file, or what a reader gave.",
            type(data).__name__,
            "Pass e.g. Site('mercy', frame, target='died').",
            site=site,
        )
    if not all(isinstance(name, str) for name in frame.columns):
        raise DataError(
            "Columns must have names.", "a column whose name is not text", "Name it.", site=site
        )
    _check_unique(list(frame.columns), site)
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
    frame, names, fault = _parsed(path, kind)
    if frame is None:
        raise DataError(
            f"The data file must be readable as {kind[1:]}.",
            f"{path.name!r}, which fails with {fault}",
            "Open it in another program and repair it."
            if fault != "UnicodeDecodeError"
            else "It is not UTF-8: pass e.g. pd.read_csv(path, encoding='latin-1').",
            site=site,
        )
    if len(names) == 1 and (sign := next((each for each in ";\t" if each in names[0]), None)):
        raise DataError(
            "A CSV file must have commas between its columns.",
            f"{path.name!r}, whose first line has {'tabs' if sign != ';' else 'semicolons'} only",
            f"Pass e.g. pd.read_csv(path, sep={sign!r}"
            + (", decimal=',')." if sign == ";" else ")."),
            site=site,
        )
    _check_unique(names, site)
    return frame


def _parsed(path: Path, kind: str) -> tuple[pd.DataFrame | None, list[str], str]:
    """The table and its names as written, or the class of error that reading it ends in.

    The parser's own error may quote the row it stumbled on, so it is not raised from, nor kept as
    context: it ends here.
    """
    try:
        if kind == ".parquet":
            frame = pd.read_parquet(path)
            return frame, [str(name) for name in frame.columns], ""
        # pandas renames a repeated column, so names are read as they stand.
        head = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False)
        return pd.read_csv(path), head.iloc[0].tolist(), ""
    except Exception as error:
        return None, [], type(error).__name__


def _check_unique(names: Sequence[str], site: str) -> None:
    repeated = sum(names.count(name) > 1 for name in set(names))
    if repeated:
        raise DataError(
            "Names of columns must be unique.",
            f"{repeated} that stand more than once",
            "Rename or drop one, and check that a file begins with a line of names.",
            site=site,
        )


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
        if isinstance(declared, str) or len(set(listed)) < len(listed) or not listed:
            raise DataError(
                f"The categories of column {name!r} must be a list of different texts.",
                "a text" if isinstance(declared, str) else f"{len(listed)} with repeats or none",
                f"Pass e.g. categories={{{name!r}: ['no', 'yes']}}.",
                site=site,
            )
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


def take_patients(
    frame: pd.DataFrame, patient: str | None, consented: bool, site: str
) -> tuple[pd.DataFrame, list[object] | None]:
    """The table without its column of patients, and the patient of each row.

    Raises
    ------
    DataError
        When the column is missing, or a row is nobody's; when consent is asked for without it.
    """
    if patient is None:
        if consented:
            raise DataError(
                "Consent needs a column that tells whose row it is.",
                "a site with consent and without patients",
                "Pass e.g. Site(..., patient='mrn', consent=consent).",
                site=site,
            )
        return frame, None
    if patient not in frame.columns:
        raise DataError(
            "The column of patients must be in the table.",
            f"{patient!r}, which is none of its {len(frame.columns)} columns",
            "Check the name.",
            site=site,
        )
    column = frame[patient]
    if column.isna().any():
        raise DataError(
            "Every row must be a patient's.",
            f"{int(column.isna().sum())} rows without one in {len(column)} rows",
            "Fill the column in, or leave the rows out.",
            site=site,
        )
    return frame.drop(columns=patient), column.tolist()
