"""The columns of an OMOP view as SQL over the tables that were set aside."""

# Names in the SQL are constants of this package or quoted identifiers; values are bound.
# ruff: noqa: S608
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedlab.site.reading.omop_tables import quoted
from fedlab.site.reading.omop_view import (
    Age,
    ConceptValue,
    Died,
    IndexDate,
    Measured,
    OmopColumn,
    OmopView,
    Present,
    Sex,
)
from fedlab.site.reading.tally import Tally

if TYPE_CHECKING:
    import duckdb

__all__ = ["column_frames", "make_cohort"]

MALE, FEMALE = 8507, 8532
OLDEST = 130


def make_cohort(connection: duckdb.DuckDBPyConnection, view: OmopView, tally: Tally) -> None:
    """Make the temporary table ``cohort``: each person of the cohort with their index date."""
    take = {"first": "min", "last": "max"}[view.cohort.take]
    source = quoted(f"staged_{view.cohort.table}")
    asked = "" if not view.cohort.concepts else " JOIN set_cohort USING (concept_id)"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE everyone AS SELECT person_id, {take}(started) AS index_date"
        f" FROM {source}{asked} GROUP BY person_id"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE cohort AS SELECT everyone.*, sex, year, month, day, born"
        " FROM everyone JOIN staged_person USING (person_id)"
    )
    (strangers,) = _one(
        connection,
        "SELECT count(*) FROM everyone WHERE person_id NOT IN (SELECT person_id FROM cohort)",
    )
    tally.gap("person_id", "without_record", strangers)


def _one(connection: duckdb.DuckDBPyConnection, query: str, *values: object) -> tuple[int, ...]:
    row = connection.execute(query, list(values)).fetchone()
    return tuple(int(value or 0) for value in row or ())


@dataclass(frozen=True)
class _Window:
    """Rows of a table in a window of days about each person's index date."""

    sql: str
    values: tuple[int, ...]


def _window(column: Measured | Present | ConceptValue, place: int) -> _Window:
    table = column.table if not isinstance(column, Measured) else "measurement"
    low, high = column.days
    conditions, values = ["TRUE"], []
    for sign, day in ((">=", low), ("<=", high)):
        if day is not None:
            conditions.append(f"started {sign} index_date + CAST(? AS INTEGER)")
            values.append(day)
    sql = (
        f"(SELECT staged.* FROM {quoted('staged_' + table)} AS staged"
        f" JOIN set_{place} USING (concept_id) JOIN cohort USING (person_id)"
        f" WHERE {' AND '.join(conditions)})"
    )
    return _Window(sql, tuple(values))


# All that could tell two rows apart, so that no order of storage decides.
ORDER = "started {0}, coalesce(moment, CAST(started AS TIMESTAMP)) {0}, id {0} NULLS LAST"


def column_frames(
    connection: duckdb.DuckDBPyConnection, view: OmopView, tally: Tally
) -> list[tuple[str, str]]:
    """Make the temporary table ``column_<i>`` of each column.

    Returns
    -------
    list of (str, str)
        Name in the result, and the SQL of its value.
    """
    found: list[tuple[str, str]] = []
    for place, column in enumerate(view.columns):
        found += _made(connection, column, place, view, tally)
    return found


def _made(
    connection: duckdb.DuckDBPyConnection,
    column: OmopColumn,
    place: int,
    view: OmopView,
    tally: Tally,
) -> list[tuple[str, str]]:
    table = f"column_{place}"
    create = f"CREATE OR REPLACE TEMP TABLE {table} AS"
    if isinstance(column, IndexDate):
        connection.execute(f"{create} SELECT person_id, index_date AS value FROM cohort")
    elif isinstance(column, Age):
        _age(connection, create, table, column, tally)
    elif isinstance(column, Sex):
        connection.execute(
            f"{create} SELECT person_id, CASE sex WHEN ? THEN 'male' WHEN ? THEN 'female' END"
            " AS value FROM cohort",
            [MALE, FEMALE],
        )
    elif isinstance(column, Died):
        connection.execute(
            f"{create} SELECT person_id, CASE WHEN died < index_date THEN NULL"
            " ELSE coalesce(died <= index_date + CAST(? AS INTEGER), FALSE) END AS value"
            " FROM cohort LEFT JOIN (SELECT person_id, min(started) AS died FROM staged_death"
            " GROUP BY person_id) USING (person_id)",
            [column.days],
        )
        (before,) = _one(connection, f"SELECT count(*) FROM {table} WHERE value IS NULL")
        tally.gap(column.name, "died_before", before)
    elif isinstance(column, Present):
        window = _window(column, place)
        connection.execute(
            f"{create} SELECT person_id, TRUE AS value FROM {window.sql} GROUP BY person_id",
            list(window.values),
        )
        return [(column.name, f"coalesce({table}.value, FALSE)")]
    elif isinstance(column, ConceptValue):
        window = _window(column, place)
        order = ORDER.format("DESC" if column.take == "last" else "ASC")
        connection.execute(
            f"{create} SELECT person_id, value_concept AS value FROM {window.sql}"
            " WHERE value_concept IS NOT NULL QUALIFY row_number() OVER"
            f" (PARTITION BY person_id ORDER BY {order}, value_concept) = 1",
            list(window.values),
        )
    else:
        return _measured(connection, create, column, place, view, tally)
    return [(column.name, f"{table}.value")]


BIRTH = """coalesce(CAST(born AS DATE), TRY_CAST(format('{:04d}-{:02d}-{:02d}', year,
    coalesce(month, 7), CASE WHEN month IS NULL THEN 1 ELSE coalesce(day, 15) END) AS DATE))"""


def _age(
    connection: duckdb.DuckDBPyConnection, create: str, table: str, column: Age, tally: Tally
) -> None:
    connection.execute(
        f"{create} SELECT person_id, stated, CASE WHEN stated BETWEEN 0 AND {OLDEST} THEN stated"
        f" END AS value FROM (SELECT person_id, date_sub('year', {BIRTH}, index_date) AS stated"
        " FROM cohort)"
    )
    (odd,) = _one(
        connection, f"SELECT count(*) FROM {table} WHERE value IS NULL AND stated IS NOT NULL"
    )
    tally.gap(column.name, "bad_birth_date", odd)


def _measured(
    connection: duckdb.DuckDBPyConnection,
    create: str,
    column: Measured,
    place: int,
    view: OmopView,
    tally: Tally,
) -> list[tuple[str, str]]:
    table, window = f"column_{place}", _window(column, place)
    values, rows = list(window.values), window.sql
    if column.unit is not None:
        (others,) = _one(
            connection,
            f"SELECT count(*) FROM {rows} WHERE coalesce(unit, 0) <> ?",
            *values,
            column.unit,
        )
        tally.gap(column.name, "not_the_unit", others)
        rows, values = f"(SELECT * FROM {rows} WHERE unit = ?)", [*values, column.unit]
    if column.take == "count":
        connection.execute(
            f"{create} SELECT person_id, count(*) AS value FROM {rows} GROUP BY person_id", values
        )
        return [(column.name, f"coalesce({table}.value, 0)")]
    if column.take in ("first", "last"):
        order = ORDER.format("DESC" if column.take == "last" else "ASC")
        connection.execute(
            f"{create} SELECT person_id, value, coalesce(unit, 0) AS unit FROM {rows}"
            " WHERE value IS NOT NULL QUALIFY row_number() OVER"
            f" (PARTITION BY person_id ORDER BY {order}, value, unit) = 1",
            values,
        )
    else:
        # In the order of the values, since a sum in the order of threads changes its last bits.
        take = {"mean": "list_avg(list(value ORDER BY value))"}.get(
            column.take, f"{column.take}(value)"
        )
        connection.execute(
            f"{create} SELECT person_id, CASE WHEN units = 1 THEN taken END AS value,"
            " CASE WHEN units = 1 THEN one_unit END AS unit, units"
            f" FROM (SELECT person_id, {take} AS taken, min(coalesce(unit, 0)) AS one_unit,"
            f" count(DISTINCT coalesce(unit, 0)) AS units FROM {rows}"
            " WHERE value IS NOT NULL GROUP BY person_id)",
            values,
        )
        (several,) = _one(connection, f"SELECT count(*) FROM {table} WHERE units > 1")
        tally.gap(column.name, "several_units", several)
    found = [(column.name, f"{table}.value")]
    if column.keeps_unit:
        shown = f"nullif({table}.unit, 0)"
        if view.units == "code":
            shown = f"(SELECT any_value(code) FROM staged_concept WHERE concept_id = {shown})"
        found.append((f"{column.name}_unit", shown))
    return found
