"""Time between two dates."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from fedlab.site.mapping.codes import texts_of

__all__ = ["as_dates", "days_between", "known_form", "years_between"]

SECONDS = 86400
Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]


def as_dates(values: pd.Series, form: str | None) -> pd.Series:
    """Dates without the time of day; missing where a value is none.

    Parameters
    ----------
    values : Series of shape (n_samples,)
    form : str or None
        As of `datetime.strptime`; None for ISO 8601.
    """
    if values.dtype.kind == "M":
        dates = values
    else:
        text = texts_of(values)
        # A time zone would be lost and may move the day; the day as written is what is meant.
        if form is None:
            text, form = text.str.slice(0, 10), "%Y-%m-%d"
        dates = pd.to_datetime(text, format=form, errors="coerce")
    if getattr(dates.dt, "tz", None) is not None:
        dates = dates.dt.tz_localize(None)
    whole: pd.Series = dates.dt.normalize()
    return whole


def days_between(first: pd.Series, second: pd.Series, form: str | None) -> Numbers:
    """Days from `first` to `second`; NaN where one is missing or no date."""
    span = pd.Series(as_dates(second, form) - as_dates(first, form))
    days: Numbers = (span.dt.total_seconds() / SECONDS).to_numpy(dtype=np.float64)
    return days


def years_between(first: pd.Series, second: pd.Series, form: str | None) -> Numbers:
    """Completed years, as one counts ages; NaN where a date is missing.

    Examples
    --------
    >>> born, seen = pd.Series(["1950-06-15"] * 2), pd.Series(["2020-06-14", "2020-06-15"])
    >>> years_between(born, seen, None)
    array([69., 70.])
    """
    start, end = as_dates(first, form), as_dates(second, form)
    not_yet = (end.dt.month < start.dt.month) | (
        (end.dt.month == start.dt.month) & (end.dt.day < start.dt.day)
    )
    years = (end.dt.year - start.dt.year - not_yet.astype(float)).to_numpy(dtype=np.float64)
    return np.where((start.isna() | end.isna()).to_numpy(), np.nan, years)


@cache
def known_form(form: str) -> bool:
    """Whether dates can be written and read like that."""
    try:
        told = pd.Timestamp("2020-11-23").strftime(form)
        found = pd.to_datetime(told, format=form)
    except Exception:
        return False
    return bool(found == pd.Timestamp("2020-11-23"))
