"""Connections to databases that reading cannot change."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedlab.errors import DataError

if TYPE_CHECKING:
    import duckdb

__all__ = ["DUCKDB_ENDINGS", "SQLITE_ENDINGS", "bounded", "is_duckdb", "open_duckdb"]

DUCKDB_ENDINGS = (".duckdb", ".ddb", ".db")
SQLITE_ENDINGS = (".sqlite", ".sqlite3", ".db")
SQLITE_MAGIC = b"SQLite format 3\x00"


def is_duckdb(connection: object) -> bool:
    """Whether an object is a connection of DuckDB."""
    import duckdb

    return isinstance(connection, duckdb.DuckDBPyConnection)


def is_sqlite_file(path: Path) -> bool:
    """Whether a file begins as those of SQLite do."""
    with path.open("rb") as file:
        return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC


def open_duckdb(path: Path) -> duckdb.DuckDBPyConnection:
    """A database file that is opened for reading alone.

    Raises
    ------
    DataError
        When it is not there, or is no database of DuckDB.
    """
    import duckdb

    if not path.is_file():
        raise DataError("A database must exist.", repr(path.name), "Check the path.")
    try:
        return duckdb.connect(str(path), read_only=True)
    except (duckdb.Error, RuntimeError) as error:
        fault = type(error).__name__
    raise DataError(
        "A database file must be one of DuckDB or SQLite.",
        f"{path.name!r}, which fails with {fault}",
        "Check the file, and that no program has it open for writing.",
    )


@contextmanager
def bounded(memory: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that moves what does not fit to a folder no other user can read.

    Parameters
    ----------
    memory : str
        E.g. "512MB".

    Raises
    ------
    DataError
        For a memory that is none.
    """
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {"memory_limit": memory, "temp_directory": folder}
        connection = None
        with suppress(duckdb.Error, TypeError):
            connection = duckdb.connect(":memory:", config=settings)
        if connection is None:
            raise DataError(
                "The memory must be a number with its unit.", f"{memory!r}", "Write e.g. '512MB'."
            )
        try:
            yield connection
        finally:
            connection.close()
