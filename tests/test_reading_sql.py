"""Rows of a query: nothing but a SELECT runs, and nothing of a row is told."""

from __future__ import annotations

import datetime
import re
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlab.errors import DataError
from fedlab.site.reading import Reading, read_sql
from fedlab.site.reading.statement import check_select

CELL = "Zzyzx-4711"  # stands in a row, and may stand nowhere else


def filled(connection: Any) -> Any:
    connection.execute("CREATE TABLE patients (mrn VARCHAR, age INTEGER, weight DOUBLE)")
    for row in [("a", 63, 70.5), ("b", None, 80.0), (CELL, 71, None)]:
        connection.execute("INSERT INTO patients VALUES (?, ?, ?)", row)
    connection.commit()
    return connection


@pytest.fixture(params=["sqlite", "duckdb", "sqlite file", "duckdb file", "driver"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The same table behind each kind of source."""
    kind = request.param
    path = tmp_path / ("x.db" if "file" in kind else "unused")
    if "file" in kind:
        filled(sqlite3.connect(path) if "sqlite" in kind else duckdb.connect(str(path))).close()
        yield path
        return
    opened: Any = duckdb.connect() if kind == "duckdb" else sqlite3.connect(":memory:")
    filled(opened)
    yield Driver(opened) if kind == "driver" else opened
    opened.close()


class Driver:
    """A connection of which nothing is known but DB-API, with rows as dicts, as some drivers do."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def cursor(self) -> Any:
        cursor = self._connection.cursor()
        cursor.row_factory = lambda c, row: {d[0]: v for d, v in zip(c.description, row)}  # noqa: B905
        return cursor


def test_rows_are_those_of_the_query(source: Any) -> None:
    query = "SELECT age, weight FROM patients WHERE weight > ? OR weight IS NULL ORDER BY mrn"
    reading = read_sql(source, query, [70])
    expected = pd.DataFrame({"age": [71.0, 63.0, None], "weight": [None, 70.5, 80.0]})
    pd.testing.assert_frame_equal(reading.frame, expected)
    assert reading.report.n_read == reading.report.n_seen == 3
    assert CELL not in repr(reading) + reading._repr_html_()  # R30


def test_parameters_are_bound_and_never_written_into_the_query(source: Any) -> None:
    attack = "a'; DROP TABLE patients; --"
    assert len(read_sql(source, "SELECT age FROM patients WHERE mrn = ?", [attack]).frame) == 0
    assert len(read_sql(source, "SELECT age FROM patients").frame) == 3


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM patients",
        "DROP TABLE patients",
        "INSERT INTO patients VALUES ('x', 1, 1)",
        "UPDATE patients SET age = 1",
        "SELECT 1; DELETE FROM patients",
        "SELECT 1; SELECT 2",
        "WITH gone AS (DELETE FROM patients RETURNING *) SELECT * FROM gone",
        "SELECT * INTO stolen FROM patients",
        "/* SELECT */ DELETE FROM patients",
        "SELECT 1 --x\n; DELETE FROM patients",
        "SELECT 1 /* ; */; DELETE FROM patients",
        "SELECT '\\'; DELETE FROM patients; --'",
        "SELECT 1 # '\n; DELETE FROM patients; -- '",
        "SELECT /*! 1; DELETE FROM patients */ 2",
        "SELECT 1 --DELETE FROM patients",
        "ATTACH 'other.db'",
        "PRAGMA user_version = 3",
        "COPY patients TO 'x.csv'",
        "EXPLAIN SELECT 1",
        "VALUES (1)",
        "CALL f()",
        "select\x00 1",
        "",
        ";",
        "-- SELECT 1",
        None,
        4,
    ],
    ids=repr,
)
def test_anything_but_one_select_is_refused(source: Any, query: Any) -> None:
    with pytest.raises(DataError, match="one SELECT"):
        read_sql(source, query)
    assert read_sql(source, "SELECT count(*) AS n FROM patients").frame["n"].tolist() == [3]


@pytest.mark.parametrize(
    "query",
    [
        " \n select 1 AS x ;\n-- done; DELETE",
        "WITH a AS (SELECT 1 AS x) SELECT x FROM a",
        "SELECT 1 AS x /* DELETE; */",
        "SELECT 'DELETE; it''s' AS x",
        'SELECT 1 AS "update"',
        "SELECT replace('a', 'a', 'b') AS x",
        "SELECT 1 AS updated",
    ],
)
def test_a_select_may_say_the_words_in_quotes_and_comments(query: str) -> None:
    for connection in (sqlite3.connect(":memory:"), duckdb.connect()):
        assert len(read_sql(connection, query).frame) == 1
        connection.close()


def test_a_function_cannot_write_through_sqlite(tmp_path: Path) -> None:
    connection = sqlite3.connect(":memory:")
    filled(connection)

    def write() -> int:
        connection.execute("DELETE FROM patients")
        return 1

    connection.create_function("write", 0, write)
    with pytest.raises(DataError):
        read_sql(connection, "SELECT write() AS x")
    connection.execute("INSERT INTO patients VALUES ('d', 1, 1.0)")  # writable again
    assert len(read_sql(connection, "SELECT * FROM patients").frame) == 4
    connection.close()


def test_errors_of_a_driver_are_told_by_class(source: Any) -> None:
    for what in ("nothing", "CAST(mrn AS NUMBER_OF_NOTHING)", "abs(mrn, 3)"):
        with pytest.raises(DataError, match="fails with") as caught:
            read_sql(source, f"SELECT {what} AS x FROM patients WHERE mrn = '{CELL}' AND (")  # noqa: S608
        assert CELL not in str(caught.value)
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None


def test_columns_take_the_type_of_their_values() -> None:
    connection = duckdb.connect()
    frame = read_sql(
        connection,
        "SELECT 1 AS i, 1.5::DECIMAL(5, 2) AS d, TRUE AS b, 'x' AS s, DATE '2020-01-02' AS day,"
        " TIMESTAMP '2020-01-02 03:04:05' AS at, TIME '03:04:05' AS t, NULL AS nothing"
        " UNION ALL SELECT 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
    ).frame
    kinds = [str(frame[name].dtype) for name in ("i", "d", "b", "s", "t", "nothing")]
    assert kinds == ["int64", "float64", "boolean", "str", "str", "float64"]
    assert frame["day"].dtype.kind == frame["at"].dtype.kind == "M"
    assert frame["at"][0] == pd.Timestamp(datetime.datetime(2020, 1, 2, 3, 4, 5))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("SELECT 1 AS x, 2 AS x", "names of their own"),
        ("SELECT [1, 2] AS x", "'x'"),
        ("SELECT 'a'::BLOB AS x", "'x'"),
        ("SELECT {'a': 1} AS x", "'x'"),
        ("SELECT INTERVAL 1 DAY AS x", "'x'"),
    ],
)
def test_results_that_are_no_flat_table_are_refused(query: str, text: str) -> None:
    with pytest.raises(DataError, match=re.escape(text)):
        read_sql(duckdb.connect(), query)


def test_values_of_several_kinds_in_one_column_are_refused() -> None:
    connection = sqlite3.connect(":memory:")
    with pytest.raises(DataError, match="'x'") as caught:
        read_sql(connection, f"SELECT 1 AS x UNION ALL SELECT '{CELL}'")
    assert CELL not in str(caught.value)
    connection.close()


def test_sources_and_parameters_that_are_none_are_refused(tmp_path: Path) -> None:
    closed = sqlite3.connect(":memory:")
    closed.close()
    (tmp_path / "x.db").write_bytes(b"no database" * 100)
    for source in (4, "absent.db", tmp_path / "x.db", closed, duckdb.connect):
        with pytest.raises(DataError):
            read_sql(source, "SELECT 1 AS x")
    with pytest.raises(DataError, match="list or a dict"):
        read_sql(duckdb.connect(), "SELECT 1 AS x", "a")


def test_a_file_is_opened_for_reading_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    filled(sqlite3.connect(path)).close()
    before = path.read_bytes()
    reading: Reading = read_sql(path, "SELECT age FROM patients WHERE age = :age", {"age": 63})
    assert reading.frame["age"].tolist() == [63]
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["x.db"]


pieces = st.lists(
    st.sampled_from(
        [
            "SELECT 1 AS x",
            "DELETE FROM t",
            ";",
            "--",
            "\n",
            "/*",
            "*/",
            "'",
            '"',
            "`",
            " ",
            "-",
            "x",
        ]
    ),
    max_size=9,
).map("".join)


# An oracle of its own: SQLite told to run whatever passes, on a table that must stay.
@given(pieces)
def test_what_passes_changes_nothing_in_sqlite(query: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (x INTEGER)")
    connection.execute("INSERT INTO t VALUES (1)")
    with suppress(DataError, sqlite3.Error):
        connection.executescript(check_select(query))
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (1,)
    connection.close()
