"""Take identifiers out of a table, column by column."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd

from fedlab.core.safe_harbor import LOW_ZIP3_VERSION, capped_ages, years, zip3
from fedlab.deidentification.detecting import Found, detect
from fedlab.deidentification.report import Deidentified, Step
from fedlab.deidentification.roles import Names, as_names, check_table, roles_of
from fedlab.errors import DataError

__all__ = ["deidentify"]

HINTS = {"date": "dates= keeps years, ages= keeps ages with 90+", "geography": "zips= keeps ZIP3"}
OLDEST = 90


def deidentify(
    frame: pd.DataFrame,
    *,
    dates: Names = (),
    births: Names = (),
    reference: int | None = None,
    ages: Names = (),
    zips: Names = (),
    drop: Names = (),
    keep: Names = (),
    row_order: Literal["kept", "shuffled"] = "kept",
) -> Deidentified:
    """Reduce a table by the list of 45 CFR 164.514(b)(2)(i), and say what was done.

    A column without a role is read for the eighteen kinds of identifiers of that list. One in which
    a kind is detected is dropped, and so are free text and values that are neither text nor
    numbers, unless `keep` names them. No code takes the place of what is dropped, so nothing can be
    traced back. The index is dropped, too.

    Parameters
    ----------
    frame : DataFrame of shape (n_samples, n_columns)
        Stays as it is.
    dates : str or sequence of str
        Columns of dates, which become years.
    births : str or sequence of str
        Columns of dates of birth. They become years, those of an age of 90 or more one year.
    reference : int, optional
        The year of the data, needed with `births`.
    ages : str or sequence of str
        Columns of years of age, which become text with one group 90+.
    zips : str or sequence of str
        Columns of ZIP codes as text, of which three digits stay, or 000 where 20,000 people or
        fewer live.
    drop : str or sequence of str
        Columns to leave out, whatever they hold.
    keep : str or sequence of str
        Columns to leave as they are, whatever they hold; the report tells what was detected.
    row_order : {"kept", "shuffled"}
        Order may tell, e.g. who came last; ``"shuffled"`` draws another from the operating system's
        entropy.

    Returns
    -------
    Deidentified

    Raises
    ------
    DataError
        When the table, a name or a role is wrong, or a column cannot be reduced as asked.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"mrn": [48213, 48214], "age": [93, 61], "zip": ["02139", "03601"], "died": [1, 0]}
    ... )
    >>> done = deidentify(table, ages="age", zips="zip")
    >>> done.frame.to_dict("list")
    {'age': ['90+', '61'], 'zip': ['021', '000'], 'died': [1, 0]}
    >>> done.report.loc["mrn", ["done", "paragraph"]].tolist()
    ['dropped', '(H)']
    """
    check_table(frame)
    declared = {"dates": dates, "births": births, "ages": ages, "zips": zips}
    roles = roles_of(frame, {**declared, "drop": drop, "keep": keep})
    _check(row_order, reference, as_names(births))
    columns: dict[str, pd.Series] = {}
    steps = []
    for name in frame.columns:
        step, column = _reduced(name, frame[name], roles.get(name, ""), reference)
        steps.append(step)
        if column is not None:
            columns[name] = column.reset_index(drop=True)
    reduced = pd.DataFrame(columns, index=pd.RangeIndex(len(frame)))
    if row_order == "shuffled":
        reduced = reduced.iloc[_drawn_order(len(frame))].reset_index(drop=True)
    return Deidentified(
        frame=reduced,
        steps=tuple(steps),
        row_order=row_order,
        old_years=_that_tell_ages(reduced, as_names(dates)),
    )


def _check(row_order: str, reference: int | None, births: tuple[str, ...]) -> None:
    if row_order not in ("kept", "shuffled"):
        raise DataError("row_order is 'kept' or 'shuffled'.", repr(row_order), "Pass one of these.")
    right = isinstance(reference, int | np.integer) and not isinstance(reference, bool)
    if reference is not None and not (right and 1900 <= reference <= 2100):
        raise DataError(
            "reference is the year of the data.", repr(reference), "Pass e.g. reference=2024."
        )
    if births and reference is None:
        raise DataError(
            "Years of birth need the year of the data, to tell ages over 89.",
            "births without reference",
            "Pass e.g. reference=2024.",
        )


def _reduced(
    name: str, column: pd.Series, role: str, reference: int | None
) -> tuple[Step, pd.Series | None]:
    if role in {"dates", "births", "ages", "zips"}:
        paragraph, how, reduce = _reduction(role, reference)
        values = _attempt(name, column, reduce)
        return Step(name, "generalised", (), paragraph, how), values
    found = detect(name, column)
    told = Step(name, "kept", found.kinds, "", found.why, bool(found.why))
    if role == "keep":
        return told._replace(how=f"kept by name; {found.why or 'nothing detected'}"), column
    if role == "drop":
        return told._replace(done="dropped", how="dropped by name"), None
    if found.why:
        return told._replace(done="dropped", how=found.why + _hint(found)), None
    if isinstance(column.dtype, pd.CategoricalDtype):
        # The list of a column's categories would also tell those of rows that were left out before.
        column = column.cat.remove_unused_categories()
    return told, column


def _reduction(
    role: str, reference: int | None
) -> tuple[str, str, Callable[[pd.Series], pd.Series]]:
    if role == "dates":
        return "(C)", "dates became years", years
    if role == "births" and reference is not None:
        how = f"dates became years; {reference - OLDEST} is that year or an earlier one"
        return "(C)", how, lambda column: years(column, reference=reference)
    if role == "ages":
        return "(C)", "whole years, over 89 as 90+", capped_ages
    how = f"three digits, 000 where 20,000 people or fewer live ({LOW_ZIP3_VERSION})"
    return "(B)", how, zip3


def _attempt(name: str, column: pd.Series, reduce: Callable[[pd.Series], pd.Series]) -> pd.Series:
    try:
        return reduce(column)
    except DataError as error:
        # These say no value of a row.
        raise DataError(f"Column {name!r}: {error.rule}", error.came, error.remedy) from None


def _hint(found: Found) -> str:
    return "".join(f"; {HINTS[kind]}" for kind in found.kinds if kind in HINTS)


def _drawn_order(n: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    # Keys of 64 bits: that two of a million are alike has a chance of 3e-8.
    return np.argsort(np.frombuffer(os.urandom(8 * n), dtype=np.uint64), kind="stable")


def _that_tell_ages(reduced: pd.DataFrame, dates: tuple[str, ...]) -> tuple[str, ...]:
    """Columns with years so early that, if of birth, they tell an age over 89."""
    if not dates:
        return ()
    latest = reduced[list(dates)].max().max()
    return tuple(name for name in dates if bool((reduced[name] <= latest - OLDEST).any()))
