"""A cohort of the OMOP Common Data Model 5.4 as a table."""

# Names in the SQL are constants of this package or quoted identifiers; values are bound.
# ruff: noqa: S608
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedlab.errors import DataError
from fedlab.site.reading.omop_query import column_frames, make_cohort
from fedlab.site.reading.omop_stage import stage
from fedlab.site.reading.omop_tables import Cdm, Table, open_cdm, quoted
from fedlab.site.reading.omop_view import Died, Measured, OmopView, Windowed
from fedlab.site.reading.report import Reading
from fedlab.site.reading.tally import Tally

if TYPE_CHECKING:
    import duckdb

__all__ = ["read_omop"]


def read_omop(
    source: duckdb.DuckDBPyConnection | str | Path,
    view: OmopView | Mapping[str, Any] | str | Path,
    *,
    schema: str | None = None,
    strict: bool = False,
    memory: str = "512MB",
) -> Reading:
    """Read a cohort of an OMOP CDM 5.4 into a table of one row a person.

    DuckDB does all of it, table by table, and keeps only rows that the view asks for. A row with a
    date, id or number that is none is counted and listed, by its line in a CSV file and its number
    in a Parquet file, and the rest is read.

    Parameters
    ----------
    source : connection or path
        A connection of DuckDB, the path of its file, or a folder of CSV or Parquet files that are
        called as the tables are (``person.csv``). Nothing is written to it. Names of tables and
        columns may be in upper or lower case.
    view : OmopView, dict or path
        The cohort and the columns; or a YAML or JSON file of them.
    schema : str, optional
        Schema of the tables in a database; the current one if not given.
    strict : bool, default False
        Whether the first malformed row raises.
    memory : str, default "512MB"
        Memory that DuckDB takes to read a folder, before it moves rows to a private temporary
        folder.

    Returns
    -------
    Reading
        Column ``person_id`` and the columns of the view, in the order of persons.

    Raises
    ------
    DataError
        For a view that cannot be used, and tables or columns that are missing or cannot be read;
        when strict, for malformed rows.

    Notes
    -----
    Rows about one person and concept with the same date are ordered by their time, then by their
    id. A person with several rows in ``person`` is used in none of them.

    Examples
    --------
    >>> import duckdb
    >>> cdm = duckdb.connect()
    >>> _ = cdm.execute(
    ...     "CREATE TABLE person AS SELECT 1 AS person_id, 8532 AS gender_concept_id,"
    ...     " 1950 AS year_of_birth, 3 AS month_of_birth, 2 AS day_of_birth"
    ... )
    >>> _ = cdm.execute(
    ...     "CREATE TABLE visit_occurrence AS SELECT 1 AS person_id, 9201 AS visit_concept_id,"
    ...     " DATE '2020-03-01' AS visit_start_date"
    ... )
    >>> reading = read_omop(cdm, {
    ...     "cohort": {"table": "visit_occurrence", "concepts": [9201]},
    ...     "columns": [{"kind": "age", "name": "age"}, {"kind": "sex", "name": "sex"}],
    ... })
    >>> reading.frame[["age", "sex"]].values.tolist()
    [[69.0, 'female']]
    """
    asked = OmopView.of(view)
    tally = Tally("OMOP CDM 5.4", strict=strict)
    with open_cdm(source, schema, memory) as cdm:
        labels = _staged(cdm, asked, tally)
        frame = _framed(cdm.connection, asked, tally)
    return Reading(frame, tally.report(labels))


def _staged(cdm: Cdm, view: OmopView, tally: Tally) -> list[str]:
    """Set aside what the view asks for from each table; the tables' labels."""
    connection = cdm.connection
    labels = _concept_sets(cdm, view, tally)
    for name in _events(view):
        table = _needed(cdm, name)
        stage(connection, table, _asked_events(view, name), tally)
        labels.append(table.label)
    cohort = f"staged_{view.cohort.table}"
    persons = f"person_id IN (SELECT person_id FROM {quoted(cohort)})"
    names = ["person"] + ["death"] * any(isinstance(column, Died) for column in view.columns)
    for name in names:
        table = _needed(cdm, name)
        stage(connection, table, persons, tally)
        labels.append(table.label)
        if name == "person":
            _drop_repeated(connection, table, tally)
    if view.units == "code" and any(isinstance(column, Measured) for column in view.columns):
        table = _needed(cdm, "concept")
        stage(connection, table, "concept_id IN (SELECT unit FROM staged_measurement)", tally)
        labels.append(table.label)
    return labels


def _drop_repeated(connection: duckdb.DuckDBPyConnection, table: Table, tally: Tally) -> None:
    """Take out persons with several rows, since nothing says which is right."""
    rows = connection.execute(
        "DELETE FROM staged_person WHERE person_id IN (SELECT person_id FROM staged_person"
        " GROUP BY person_id HAVING count(*) > 1) RETURNING person_id"
    ).fetchall()
    tally.take_back("person", len(rows))
    for _ in rows:
        tally.malformed(table.label, None, "repeated_id")


def _events(view: OmopView) -> list[str]:
    names = {view.cohort.table: None}
    for column in view.columns:
        if isinstance(column, Windowed):
            names["measurement" if isinstance(column, Measured) else column.table] = None
    return list(names)


def _sets(view: OmopView) -> list[tuple[str, str, Sequence[int], bool]]:
    """Name, table, concept ids and whether narrower ones count, of every set of concepts."""
    sets: list[tuple[str, str, Sequence[int], bool]] = []
    if view.cohort.concepts:
        cohort = view.cohort
        sets.append(("set_cohort", cohort.table, cohort.concepts, cohort.descendants))
    for place, column in enumerate(view.columns):
        if isinstance(column, Windowed):
            table = "measurement" if isinstance(column, Measured) else column.table
            sets.append((f"set_{place}", table, column.concepts, column.descendants))
    return sets


def _concept_sets(cdm: Cdm, view: OmopView, tally: Tally) -> list[str]:
    """Make a temporary table of each set of concepts; the labels of the tables it took."""
    labels: list[str] = []
    sets = _sets(view)
    broad = sorted({concept for *_, concepts, deep in sets if deep for concept in concepts})
    if broad:
        table = _needed(cdm, "concept_ancestor")
        cdm.connection.execute(
            "CREATE OR REPLACE TEMP TABLE broad AS SELECT unnest(?::BIGINT[]) AS concept_id",
            [broad],
        )
        wanted = "ancestor IN (SELECT concept_id FROM broad)"
        stage(cdm.connection, table, wanted, tally)
        labels.append(table.label)
    for name, _, concepts, deep in sets:
        narrower = (
            " UNION SELECT concept_id FROM staged_concept_ancestor"
            " WHERE ancestor IN (SELECT unnest($1::BIGINT[]))"
        )
        cdm.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT DISTINCT concept_id"
            f" FROM (SELECT unnest($1::BIGINT[]) AS concept_id{narrower if deep else ''})",
            [list(concepts)],
        )
    return labels


def _asked_events(view: OmopView, table: str) -> str:
    """SQL that is true of rows whose concept some column or the cohort asks for."""
    if view.cohort.table == table and not view.cohort.concepts:
        return "TRUE"
    names = [name for name, of, *_ in _sets(view) if of == table]
    return " OR ".join(f"concept_id IN (SELECT concept_id FROM {name})" for name in names)


def _needed(cdm: Cdm, name: str) -> Table:
    table = cdm.table(name)
    if table is None:
        raise DataError(
            f"The view needs table {name!r} of the CDM.",
            "a source without it",
            f"Add it, e.g. as {name}.csv or {name}.parquet, or leave out what needs it.",
        )
    return table


def _framed(connection: duckdb.DuckDBPyConnection, view: OmopView, tally: Tally) -> pd.DataFrame:
    import duckdb

    try:
        return _frame(connection, view, tally)
    except duckdb.Error as error:
        fault = type(error).__name__
    raise DataError(
        "The columns of the view must be computed from the tables.",
        f"a computation that fails with {fault}",
        "Pass more memory, e.g. memory='2GB'.",
    )


def _frame(connection: duckdb.DuckDBPyConnection, view: OmopView, tally: Tally) -> pd.DataFrame:
    make_cohort(connection, view, tally)
    values = column_frames(connection, view, tally)
    joins = "".join(
        f" LEFT JOIN column_{place} USING (person_id)" for place in range(len(view.columns))
    )
    shown = "".join(f", {sql} AS {quoted(name)}" for name, sql in values)
    frame = connection.execute(
        f"SELECT person_id{shown} FROM cohort{joins} ORDER BY person_id"
    ).df()
    return frame.astype({name: _type(frame[name]) for name in frame.columns})


def _type(values: pd.Series) -> str:
    """The type of a column, whatever of it is missing."""
    kind = values.dtype.kind
    if values.name == "person_id":
        return "int64"
    if kind in "iuf":
        return "float64"
    return str(values.dtype)
