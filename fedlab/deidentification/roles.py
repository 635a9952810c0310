"""Which column is to be what, as the caller says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from fedlab.errors import DataError

__all__ = ["Names", "as_names", "check_table", "roles_of"]

Names = str | Sequence[str]


def as_names(names: Names) -> tuple[str, ...]:
    """One name, or several.

    Raises
    ------
    DataError
        When they are no names at all.
    """
    if isinstance(names, str):
        return (names,)
    if not isinstance(names, Iterable):
        raise DataError(
            "Columns are given by name.", type(names).__name__, "Pass a name or a list of names."
        )
    return tuple(names)


def check_table(frame: object) -> pd.DataFrame:
    """A table with rows and with different names of text.

    Raises
    ------
    DataError
        When it is anything else.
    """
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            "A table is a DataFrame.", type(frame).__name__, "Read it with pandas and pass that."
        )
    if frame.empty:
        raise DataError(
            "A table needs rows and columns.", f"shape {frame.shape}", "Check where it comes from."
        )
    if not all(isinstance(name, str) for name in frame.columns):
        raise DataError("Columns have names of text.", "a column of another name", "Rename it.")
    repeated = int(frame.columns.duplicated().sum())
    if repeated:
        raise DataError("Names of columns are unique.", f"{repeated} repeats", "Rename them.")
    return frame


def roles_of(frame: pd.DataFrame, declared: Mapping[str, Names]) -> dict[str, str]:
    """The role of each column that has one.

    Raises
    ------
    DataError
        When a name is not in the table, or has two roles.

    Examples
    --------
    >>> roles_of(pd.DataFrame({"zip": ["02139"], "sex": [1]}), {"zips": "zip", "keep": ["sex"]})
    {'zip': 'zips', 'sex': 'keep'}
    """
    roles: dict[str, str] = {}
    for role, names in declared.items():
        for name in as_names(names):
            if not isinstance(name, str) or name not in frame.columns:
                raise DataError(
                    f"{role} names columns of the table.",
                    f"{name!r}, which is none of its {frame.shape[1]}",
                    "Correct the name.",
                )
            if name in roles:
                raise DataError(
                    "A column has one role.",
                    f"{name!r} in {roles[name]} and in {role}",
                    "Leave it in one of them.",
                )
            roles[name] = role
    return roles
