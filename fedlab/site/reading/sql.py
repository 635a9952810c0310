"""The rows of a query, from any database with a Python driver."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd

from fedlab.errors import DataError
from fedlab.site.reading.columns import typed_column
from fedlab.site.reading.connecting import is_duckdb, is_sqlite_file, open_duckdb
from fedlab.site.reading.report import Reading
from fedlab.site.reading.statement import check_select
from fedlab.site.reading.tally import Tally

__all__ = ["read_sql"]

CHUNK = 10_000
Parameters = Sequence[Any] | Mapping[str, Any]


def read_sql(connection: Any, query: str, parameters: Parameters = ()) -> Reading:
    """Read the rows of one SELECT.

    Nothing is changed, by three means. The query is looked at: one statement that begins with
    SELECT or WITH and holds no word that changes anything. The database is kept from it where it
    can be: files of DuckDB and SQLite are opened for reading alone, a connection of sqlite3 is put
    in ``query_only`` for the time of the query, and DuckDB's own parser has to call the statement a
    SELECT. For other databases, and for functions that a query calls, connect as a user who may
    only read.

    Parameters
    ----------
    connection : connection or path
        A connection of DuckDB, of sqlite3 or of any driver that follows DB-API 2.0 (PEP 249); or
        the path of a file of DuckDB or SQLite.
    query : str
    parameters : sequence or dict, default ()
        Values for the placeholders of the query, in the driver's style. They are bound, never
        written into the query.

    Returns
    -------
    Reading
        One row a row of the result.

    Raises
    ------
    DataError
        For a query that is no SELECT or that fails; its cause is told by class alone, since a
        driver's text may quote rows. For columns without names of their own, or with values that
        are no number, truth, text, date or time.

    Examples
    --------
    >>> connection = sqlite3.connect(":memory:")
    >>> _ = connection.execute("CREATE TABLE patients (age INTEGER, sex TEXT)")
    >>> _ = connection.execute("INSERT INTO patients VALUES (63, 'F'), (71, 'M')")
    >>> read_sql(connection, "SELECT age FROM patients WHERE sex = ?", ["F"]).frame["age"].tolist()
    [63]
    """
    select = check_select(query)
    bound = _checked(parameters)
    with _connected(connection) as opened:
        names, columns, fault = _fetched(opened, select, bound)
    if fault:
        raise _failed(fault)
    if len(set(names)) < len(names) or not all(names):
        raise DataError(
            "Columns of a query must have names of their own.",
            f"{len(names)} columns with {len(set(names))} names",
            "Name them, e.g. SELECT max(age) AS oldest.",
        )
    frame = pd.DataFrame(
        {name: typed_column(name, values) for name, values in zip(names, columns, strict=True)}
    )
    tally = Tally("SQL", strict=False)
    tally.read("row", len(columns[0]) if columns else 0)
    return Reading(frame, tally.report(("query",)))


def _checked(parameters: object) -> Parameters:
    if isinstance(parameters, Mapping):
        return {str(name): value for name, value in parameters.items()}
    if isinstance(parameters, Sequence) and not isinstance(parameters, str | bytes):
        return tuple(parameters)
    raise DataError(
        "Parameters must be a list or a dict.", type(parameters).__name__, "Pass e.g. [63]."
    )


@contextmanager
def _connected(connection: Any) -> Iterator[Any]:
    """The connection, kept from writing where that can be asked of it."""
    if isinstance(connection, str | Path):
        path = Path(connection)
        if path.is_file() and is_sqlite_file(path):
            opened: Any = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        else:
            opened = open_duckdb(path)
        try:
            with _connected(opened) as kept:
                yield kept
        finally:
            opened.close()
    elif isinstance(connection, sqlite3.Connection):
        before = _query_only(connection, 1)
        try:
            yield connection
        finally:
            _query_only(connection, before)
    elif callable(getattr(connection, "cursor", None)):
        yield connection
    else:
        raise DataError(
            "A query needs a connection, or the path of a database file.",
            type(connection).__name__,
            "Pass e.g. duckdb.connect('records.duckdb', read_only=True).",
        )


def _query_only(connection: sqlite3.Connection, value: int) -> int:
    """Set whether a connection of SQLite can only read; what it was before."""
    try:
        cursor = connection.cursor()
        cursor.row_factory = None
        (before,) = cursor.execute("PRAGMA query_only").fetchone()
        cursor.execute(f"PRAGMA query_only = {int(value)}")
        return int(before)
    except sqlite3.Error as error:
        fault = type(error).__name__
    raise _failed(fault)


def _failed(fault: str) -> DataError:
    return DataError(
        "A query must run.",
        f"one that fails with {fault}",
        "Run it in the database's own console, and check its parameters.",
    )


def _fetched(
    connection: Any, select: str, parameters: Parameters
) -> tuple[list[str], list[list[Any]], str]:
    """Names and columns of the result, or the class of error that the query ends in."""
    cursor = None
    try:
        if is_duckdb(connection):
            if not _selects(connection, select):
                return [], [], "a statement that is no SELECT"
            # A cursor of DuckDB would not see the tables that are registered with the connection.
            result = connection.execute(select, parameters)
        else:
            result = cursor = connection.cursor()
            cursor.execute(select, *([parameters] if parameters else []))
        names = [str(entry[0]) for entry in result.description or ()]
        columns: list[list[Any]] = [[] for _ in names]
        while rows := result.fetchmany(CHUNK):
            for row in rows:
                values = [row[name] for name in names] if isinstance(row, Mapping) else row
                for column, value in zip(columns, values, strict=True):
                    column.append(value)
        return names, columns, ""
    except Exception as error:
        return [], [], type(error).__name__
    finally:
        with suppress(Exception):
            if cursor is not None:
                cursor.close()


def _selects(connection: Any, select: str) -> bool:
    import duckdb

    statements = connection.extract_statements(select)
    return len(statements) == 1 and statements[0].type == duckdb.StatementType.SELECT
