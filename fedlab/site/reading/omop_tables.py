"""Where the tables of an OMOP CDM are, and what their columns are called."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedlab.errors import DataError
from fedlab.site.reading.connecting import bounded, is_duckdb, open_duckdb

if TYPE_CHECKING:
    import duckdb

__all__ = ["Cdm", "Table", "literal", "open_cdm", "quoted"]

LONGEST_HEADER = 1 << 16


@dataclass(frozen=True)
class Table:
    """One table of a CDM.

    Attributes
    ----------
    name : str
    relation : str
        SQL that stands after FROM.
    columns : dict of str to str
        Names in lower case, and as they are.
    label : str
        Name of the file or table in a report.
    path : Path or None
        The file.
    delimiter : str or None
        Of a CSV file.
    """

    name: str
    relation: str
    columns: dict[str, str]
    label: str
    path: Path | None = None
    delimiter: str | None = None


class Cdm:
    """A connection, and the tables that can be read over it."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        folder: Path | None = None,
        schema: str | None = None,
    ) -> None:
        self.connection, self._folder, self._schema = connection, folder, schema

    def table(self, name: str) -> Table | None:
        """A table by its name in lower case; None if there is none.

        Raises
        ------
        DataError
            When there are two, or its columns have no names of their own.
        """
        found = self._in_database(name) if self._folder is None else self._in_folder(name)
        if found is not None and (len(found.columns) == 0 or "" in found.columns):
            raise DataError(
                f"Table {name!r} must begin with the names of its columns.",
                "a column without a name",
                "Write the header of the CDM.",
            )
        return found

    def _in_database(self, name: str) -> Table | None:
        rows = self.connection.execute(
            "SELECT table_catalog, table_schema, table_name, column_name"
            " FROM information_schema.columns"
            " WHERE lower(table_name) = ? AND table_catalog = current_database()"
            " AND table_schema = coalesce(?, current_schema()) ORDER BY ordinal_position",
            [name, self._schema],
        ).fetchall()
        if not rows:
            return None
        if len({row[:3] for row in rows}) > 1:
            raise _twice(name)
        relation = ".".join(quoted(part) for part in rows[0][:3])
        return Table(name, relation, _by_lower([row[3] for row in rows], name), name)

    def _in_folder(self, name: str) -> Table | None:
        files = [
            file
            for file in sorted(self._folder.iterdir() if self._folder else ())
            if file.stem.lower() == name and file.suffix.lower() in (".csv", ".parquet")
        ]
        if not files:
            return None
        if len(files) > 1:
            raise _twice(name)
        (file,) = files
        if any(sign in str(file) for sign in "*?["):
            raise DataError(
                "Paths of tables must be without the signs * ? [", repr(file.name), "Rename them."
            )
        if file.suffix.lower() == ".csv":
            names, delimiter = _header(file)
            types = ", ".join(f"{literal(each)}: 'VARCHAR'" for each in names)
            relation = (
                f"read_csv({literal(str(file))}, header = true, auto_detect = false,"
                f" columns = {{{types}}}, delim = {literal(delimiter)}, quote = '\"',"
                " escape = '\"', store_rejects = true, rejects_limit = 0)"
            )
            return Table(name, relation, _by_lower(names, name), file.name, file, delimiter)
        relation = f"read_parquet({literal(str(file))})"
        names = self._names(relation, file)
        return Table(name, relation, _by_lower(names, name), file.name, file)

    def _names(self, relation: str, file: Path) -> list[str]:
        import duckdb

        try:
            rows = self.connection.execute(f"DESCRIBE FROM {relation}").fetchall()
            return [row[0] for row in rows]
        except duckdb.Error as error:
            fault = type(error).__name__
        raise DataError(
            "A table must be readable as Parquet.",
            f"{file.name!r}, which fails with {fault}",
            "Write the file again.",
        )


@contextmanager
def open_cdm(source: Any, schema: str | None, memory: str) -> Iterator[Cdm]:
    """The CDM behind a connection, a file of DuckDB or a folder.

    Raises
    ------
    DataError
    """
    if is_duckdb(source):
        # What is staged belongs to the cursor, and goes with it.
        cursor = source.cursor()
        try:
            yield Cdm(cursor, schema=schema)
        finally:
            cursor.close()
    elif isinstance(source, str | Path) and Path(source).is_dir():
        with bounded(memory) as connection:
            yield Cdm(connection, folder=Path(source))
    elif isinstance(source, str | Path):
        connection = open_duckdb(Path(source))
        try:
            yield Cdm(connection, schema=schema)
        finally:
            connection.close()
    else:
        raise DataError(
            "OMOP is read from a connection of DuckDB, the path of its file, or a folder.",
            type(source).__name__,
            "Pass e.g. read_omop('cdm.duckdb', view).",
        )


def quoted(name: str) -> str:
    """A name as an identifier of SQL.

    Examples
    --------
    >>> print(quoted('a "b" c'))
    "a ""b"" c"
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a literal of SQL, for what cannot be bound.

    Examples
    --------
    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def _header(file: Path) -> tuple[list[str], str]:
    with file.open("rb") as stream:
        raw = stream.readline(LONGEST_HEADER)
    try:
        text = raw.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        text = "\r"
    if "\r" in text or "\x00" in text:
        raise DataError(
            "A CSV table must be UTF-8 with lines that end in LF or CRLF, and begin with names.",
            repr(file.name),
            "Convert the file.",
        )
    # Vocabularies are given out with tabs, under the same ending; programs in countries with a
    # decimal comma write semicolons.
    delimiter = next((sign for sign in "\t," if sign in text), ";" if ";" in text else ",")
    return next(csv.reader([text], delimiter=delimiter), []), delimiter


def _by_lower(names: list[str], table: str) -> dict[str, str]:
    found = {name.strip().lower(): name for name in names}
    if len(found) < len(names):
        raise DataError(
            f"Columns of table {table!r} must have names of their own.",
            f"{len(names)} columns with {len(found)} names",
            "Rename or drop one.",
        )
    return found


def _twice(name: str) -> DataError:
    return DataError(
        f"Table {name!r} must be there once.", "more than one", "Remove or rename the others."
    )
