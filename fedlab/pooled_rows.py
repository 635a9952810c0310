"""One table of all sites' rows: whether it can be compared with, and what has to be said of it."""

from __future__ import annotations

import pandas as pd

from fedlab.core.model import Model
from fedlab.core.space import Space
from fedlab.errors import DataError
from fedlab.strategies import Problem

__all__ = ["checked_rows", "row_notes"]


def checked_rows(frame: pd.DataFrame, model: Model, space: Space, kind: str) -> pd.DataFrame:
    """The columns of `frame` that a comparison needs.

    Parameters
    ----------
    frame : DataFrame of shape (n_samples, n_columns)
    model : Model
    space : Space
    kind : str
        What to call the table in an error.

    Raises
    ------
    DataError
        When it is no table, has no row, or lacks a column, or a value of the target.
    """
    if not isinstance(frame, pd.DataFrame) or frame.empty:
        came = "an empty one" if isinstance(frame, pd.DataFrame) else type(frame).__name__
        raise DataError(
            f"The {kind} rows must be a table.", came, "Pass a DataFrame with the sites' columns."
        )
    schema = space.schema
    outcome = [name for name in (schema.target, schema.event) if name is not None]
    wanted = [*schema.names, *(outcome if model.reads != "nothing" else ())]
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise DataError(
            f"The {kind} table needs the sites' columns, the target among them.",
            f"a table without {', '.join(map(repr, missing))}",
            "Pass the rows that the sites were made of.",
        )
    repeated = [name for name in wanted if list(frame.columns).count(name) > 1]
    if repeated:
        raise DataError(
            f"The {kind} table needs each column once.",
            f"{repeated[0]!r} more than once",
            "Drop all but one.",
        )
    for column in space.numbers:
        if not pd.api.types.is_numeric_dtype(frame[column.name].dtype):
            raise DataError(
                f"Column {column.name!r} must hold numbers, as at the sites.",
                f"dtype {frame[column.name].dtype}",
                "Convert it as for the sites.",
            )
    for name in wanted[len(schema.names) :]:
        _check_outcome(frame[name], name, kind, numbers=model.reads in ("numbers", "survival"))
    if schema.event in wanted and not frame[schema.event].isin([0, 1]).all():
        raise DataError(
            "An event must be 1, or 0 where the time was censored.",
            f"other values of {schema.event!r}",
            "Code it as for the sites.",
        )
    return frame[wanted].reset_index(drop=True)


def _check_outcome(values: pd.Series, name: str, kind: str, *, numbers: bool) -> None:
    unknown = int(values.isna().sum())
    if unknown:
        raise DataError(
            "Every row needs to have its target, as at the sites.",
            f"{unknown} of {len(values)} {kind} rows without {name!r}",
            f"Pass frame.dropna(subset=[{name!r}]), as the sites were made.",
        )
    if numbers and not pd.api.types.is_numeric_dtype(values.dtype):
        raise DataError(
            "The target must hold numbers, as at the sites.",
            f"dtype {values.dtype} of {name!r}",
            "Convert it as for the sites.",
        )


def row_notes(
    problem: Problem, frame: pd.DataFrame, held_out: pd.DataFrame | None, withheld: int
) -> list[str]:
    """Sentences on rows that are not those the sites trained on."""
    notes: list[str] = []
    if withheld and len(frame) == problem.total_rows + withheld:
        notes.append(
            f"The table has as many rows as the sites trained on ({problem.total_rows:,}) and held "
            f"out ({withheld:,}) together: the pooled fit has learned from rows that the "
            "federated one has not seen, and its figures on them flatter it."
        )
    elif len(frame) != problem.total_rows:
        notes.append(
            f"The table has {len(frame):,} rows and the sites trained on {problem.total_rows:,}: "
            "what other rows change is part of the gap."
        )
    if held_out is not None:
        known = set(pd.util.hash_pandas_object(frame, index=False))
        again = sum(each in known for each in pd.util.hash_pandas_object(held_out, index=False))
        if again:
            notes.append(
                f"{again:,} of {len(held_out):,} held-out rows stand in the pooled table too: "
                "on those the fits are judged by what they have learned."
            )
    return notes
