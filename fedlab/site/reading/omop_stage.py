"""Rows of a CDM table, judged one by one; the sound ones that are asked for are set aside.

A table is passed over twice inside DuckDB, to count and to take, and never held in memory whole.
"""

# Names in the SQL are constants of this package or quoted identifiers; values are bound.
# ruff: noqa: S608
from __future__ import annotations

from typing import TYPE_CHECKING

from fedlab.errors import DataError
from fedlab.site.reading.csv_places import find_lines
from fedlab.site.reading.faults import Fault
from fedlab.site.reading.omop_fields import FIELDS, Field
from fedlab.site.reading.omop_tables import Table, quoted
from fedlab.site.reading.tally import LISTED, Tally

if TYPE_CHECKING:
    import duckdb

__all__ = ["stage"]

# What exports write where nothing is.
NOTHING = "('', 'nan', 'null', 'none', 'na', '\\n')"
EARLIEST, LATEST = "1850-01-01", "2150-01-01"
TYPES = {
    "integer": "BIGINT",
    "date": "DATE",
    "moment": "TIMESTAMP",
    "number": "DOUBLE",
    "text": "VARCHAR",
}
CASTS = {
    "integer": "TRY_CAST({0} AS BIGINT)",
    "date": "TRY_CAST({0} AS TIMESTAMP)",
    "moment": "TRY_CAST({0} AS TIMESTAMP)",
    "number": "TRY_CAST({0} AS DOUBLE)",
    "text": "nullif(trim({0}), '')",
}
WITHIN = f"BETWEEN TIMESTAMP '{EARLIEST}' AND TIMESTAMP '{LATEST}'"
# {0} is the text, {1} its cast.
PARSED = {
    # A cast rounds; a whole number that pandas wrote as 3.0 is one, and 3.5 is none.
    "integer": "CASE WHEN NOT contains({0}, '.') AND NOT contains(lower({0}), 'e') THEN {1}"
    " WHEN TRY_CAST({0} AS DOUBLE) = {1} THEN {1} END",
    "date": f"CASE WHEN {{1}} {WITHIN} THEN CAST({{1}} AS DATE) END",
    "moment": f"CASE WHEN {{1}} {WITHIN} THEN {{1}} END",
    "number": "CASE WHEN isfinite({1}) THEN {1} END",
    "text": "{1}",
}
REJECTED = {
    "MISSING COLUMNS": "missing_columns",
    "TOO MANY COLUMNS": "too_many_columns",
    "UNQUOTED VALUE": "quoting",
    "LINE SIZE OVER MAXIMUM": "too_long",
    "INVALID ENCODING": "invalid_encoding",
}


def stage(connection: duckdb.DuckDBPyConnection, table: Table, wanted: str, tally: Tally) -> None:
    """Make the temporary table ``staged_<name>`` of the sound rows that are wanted.

    Parameters
    ----------
    connection : DuckDBPyConnection
    table : Table
    wanted : str
        SQL that is true of a row to take, on the names of `FIELDS`.
    tally : Tally
        Counts every row of the table.

    Raises
    ------
    DataError
        When a column is missing or the table cannot be read.
    """
    import duckdb

    judged = _judged(table, FIELDS[table.name])
    try:
        counts = connection.execute(
            f"SELECT fault, count(*), count(*) FILTER (WHERE {wanted}) FROM ({judged})"
            " GROUP BY fault"
        ).fetchall()
        rejects = _rejects(connection, table)
        listed = []
        if any(fault is not None for fault, _, _ in counts):
            listed = connection.execute(
                f"SELECT row_number, fault FROM ({judged})"
                f" WHERE fault IS NOT NULL ORDER BY row_number LIMIT {LISTED}"
            ).fetchall()
            _forget(connection, table)
        for fault, count, asked in counts:
            if fault is not None:
                tally.count_malformed(fault, count)
            else:
                tally.read(table.name, asked)
                tally.left_out("not_asked", count - asked)
        for code in rejects.values():
            tally.count_malformed(code, 1)
        faults = _placed(table, listed, rejects)
        failed = ""
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {quoted('staged_' + table.name)} AS"
            f" SELECT * EXCLUDE (fault) FROM ({judged}) WHERE fault IS NULL AND ({wanted})"
        )
        _forget(connection, table)
    except duckdb.Error as error:
        failed = type(error).__name__
    if failed:
        raise DataError(
            f"Table {table.name!r} must be readable.",
            f"{table.label!r}, which fails with {failed}",
            "Open it in another program and repair it.",
        )
    for fault in faults:
        tally.list_fault(fault)


def _judged(table: Table, fields: tuple[Field, ...]) -> str:
    """SQL of the rows with their values in our types, and the code of the first fault of each."""
    texts, casts, values, faults = [], [], [], []
    for field in fields:
        name, column = field.name, table.columns.get(field.column)
        if column is None and not field.absent:
            raise DataError(
                f"Table {table.name!r} must have column {field.column!r}.",
                f"{table.label!r} with {len(table.columns)} other columns",
                "Check that it follows the OMOP CDM 5.4.",
            )
        if column is None:
            values.append(f"CAST(NULL AS {TYPES[field.kind]}) AS {name}")
            continue
        text, cast = f"t_{name}", f"c_{name}"
        texts.append(f"CAST({quoted(column)} AS VARCHAR) AS {text}")
        casts.append(f"{CASTS[field.kind].format(text)} AS {cast}")
        values.append(f"{PARSED[field.kind].format(text, cast)} AS {name}")
        # Most values can be read, so that the text is looked at only where one cannot.
        nothing = f"({text} IS NULL OR lower(trim({text})) IN {NOTHING})"
        if field.missing is not None:
            faults.append(f"WHEN {name} IS NULL AND {nothing} THEN '{field.missing}'")
        faults.append(f"WHEN {name} IS NULL AND NOT {nothing} THEN '{field.fault}'")
    names = ", ".join(field.name for field in fields)
    return (
        f"SELECT row_number, {names}, CASE {' '.join(faults)} END AS fault FROM ("
        f"SELECT *, {', '.join(values)} FROM (SELECT *, {', '.join(casts)} FROM ("
        f"SELECT row_number() OVER () AS row_number, {', '.join(texts)} FROM {table.relation})))"
    )


def _rejects(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[int, str]:
    """The code of each row that is none, by the byte at which it begins."""
    if table.delimiter is None:
        return {}
    rows = connection.execute(
        "SELECT line_byte_position - 1, min(CAST(error_type AS VARCHAR)) FROM reject_errors"
        " GROUP BY 1 ORDER BY 1"
    ).fetchall()
    _forget(connection, table)
    return {int(at): REJECTED.get(kind, "quoting") for at, kind in rows}


def _forget(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Drop what DuckDB keeps of the rows it could not read, which quotes them."""
    if table.delimiter is not None:
        connection.execute("DROP TABLE IF EXISTS reject_errors")
        connection.execute("DROP TABLE IF EXISTS reject_scans")


def _placed(table: Table, listed: list[tuple[int, str]], rejects: dict[int, str]) -> list[Fault]:
    """The first faults, with lines where the table is a text file."""
    if table.delimiter is None or table.path is None:
        # The rows of a database have no order of their own.
        return [
            Fault(table.label, None if table.path is None else int(row), code)
            for row, code in listed
        ]
    if not listed and not rejects:
        return []
    codes = {int(row): code for row, code in listed}
    places = sorted(rejects)[:LISTED]
    by_record, by_position = find_lines(table.path, table.delimiter, codes, places, rejects)
    faults = [Fault(table.label, by_record.get(row), code) for row, code in codes.items()]
    faults += [Fault(table.label, by_position.get(at), rejects[at]) for at in places]
    return sorted(faults, key=lambda fault: fault.line or 0)[:LISTED]
