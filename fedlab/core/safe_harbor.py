"""The three reductions that the Safe Harbor rule of 45 CFR 164.514(b)(2)(i) states as arithmetic.

(B) lets the first three digits of a ZIP code stand where all codes that begin with them hold more
than 20,000 people, and asks for 000 elsewhere; (C) lets years stand, and ages over 89 only as one
group of 90 or older. Columns so reduced do not make a table de-identified: the rule has eighteen
parts and a condition on what else is known, and nothing here decides on it.
"""

from __future__ import annotations

import datetime
import re
import warnings
from typing import TYPE_CHECKING

from fedlab.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LOW_ZIP3", "LOW_ZIP3_VERSION", "capped_ages", "years", "zip3"]

#: Whose census `LOW_ZIP3` follows: the list in the guidance on de-identification of the Office for
#: Civil Rights, Department of Health and Human Services, 26 November 2012.
LOW_ZIP3_VERSION = "2000 census"
SMALL = "036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893"
#: First three digits whose ZIP codes hold 20,000 people or fewer.
LOW_ZIP3 = frozenset(SMALL.split())
AGE = r"[0-9]{1,3}(?:\.[0-9]{1,12})?|90\+"
YEARS = (1850, 2100)
# A year of four digits, alone or before month, day and time without marks between them.
FOUR = re.compile(r"(?<![0-9])(?:1[5-9]|2[01])\d{2}(?:\d{4}|\d{8}|\d{10})?(?![0-9])", re.ASCII)
WRITTEN = "Write them all as YYYY-MM-DD."


def zip3(codes: pd.Series) -> pd.Series:
    """First three digits of ZIP codes, or 000 where too few people live.

    Parameters
    ----------
    codes : pandas.Series of shape (n_samples,)
        Text of five digits, nine, or three. Numbers would have lost their leading zeros.

    Returns
    -------
    pandas.Series of shape (n_samples,)
        Text; what is missing stays missing.

    Raises
    ------
    DataError
        If the codes are not text, or one is no ZIP code.

    Examples
    --------
    >>> import pandas as pd
    >>> zip3(pd.Series(["02139", "03601-1234", "893"])).tolist()
    ['021', '000', '000']
    """
    import pandas as pd

    if pd.api.types.is_numeric_dtype(codes.dtype):
        remedy = "Read the column as text, e.g. dtype={'zip': str}."
        raise DataError("ZIP codes are text.", f"a column of {codes.dtype}", remedy)
    text = _as_text(codes, "ZIP codes are text.", (str,)).str.strip()
    wrong = int((~text.dropna().str.fullmatch(r"[0-9]{3}|[0-9]{5}(?:-?[0-9]{4})?")).sum())
    if wrong:
        remedy = "Clear or mend them."
        raise DataError("A ZIP code has 3, 5 or 9 digits.", f"{wrong} others", remedy)
    short = text.str[:3]
    return short.mask(short.isin(list(LOW_ZIP3)), "000")


def capped_ages(ages: pd.Series) -> pd.Series:
    """Whole years of age as text, with one group for all over 89.

    Parameters
    ----------
    ages : pandas.Series of shape (n_samples,)
        Years, 0 or more; as numbers, or as text that may hold the group ``90+`` already.

    Returns
    -------
    pandas.Series of shape (n_samples,)
        Text; what is missing stays missing.

    Raises
    ------
    DataError
        If the ages are no numbers, or one is negative.

    Examples
    --------
    >>> import pandas as pd
    >>> capped_ages(pd.Series([89.9, 90, 104])).tolist()
    ['89', '90+', '90+']
    """
    import numpy as np
    import pandas as pd

    remedy = "Convert the column to years, as numbers."
    if pd.api.types.is_numeric_dtype(ages.dtype):
        values = _as_reals(ages, "Ages are numbers.", remedy)
    else:
        written = _as_text(ages, "Ages are numbers.", (str, int, float)).str.strip()
        wrong = int((~written.dropna().str.fullmatch(AGE)).sum())
        if wrong:
            raise DataError("Ages are numbers.", f"{wrong} others in a column of text", remedy)
        values = written.replace("90+", "90").astype("Float64")
    whole = values.dropna()
    if not bool(((whole >= 0) & (whole < np.inf)).all()):
        raise DataError("Ages are finite and not negative.", "others", remedy)
    text = (values // 1).astype("Int64").astype("string")
    return text.mask(values.fillna(0) >= 90, "90+")


def years(dates: pd.Series, *, reference: int | None = None) -> pd.Series:
    """Years of dates.

    Parameters
    ----------
    dates : pandas.Series of shape (n_samples,)
        Dates, text in one format that pandas reads, or years from 1850 to 2100 as whole numbers.
        Text needs years of four digits: of two, nobody can tell the century.
    reference : int, optional
        For dates of birth: the year of the data. A year that tells an age of 90 or more then
        becomes `reference` - 90, which so stands for that year or an earlier one.

    Returns
    -------
    pandas.Series of shape (n_samples,)
        Int64; what is missing stays missing.

    Raises
    ------
    DataError
        If a date cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> years(pd.Series(["1950-03-12", "1921-01-02"]), reference=2024).tolist()
    [1950, 1934]
    """
    import pandas as pd

    numeric = pd.api.types.is_numeric_dtype(dates.dtype)
    found = _as_years(dates) if numeric else _years_of(dates)
    return found if reference is None else found.clip(lower=reference - 90)


def _as_years(numbers: pd.Series) -> pd.Series:
    values = _as_reals(numbers, "Dates are dates or text, or whole years.", WRITTEN)
    there = values.dropna()
    if not bool((there.between(*YEARS) & (there % 1 == 0)).all()):
        # Pandas would take a number for nanoseconds since 1970.
        rule = "Dates are dates or text, or whole years."
        raise DataError(rule, f"a column of {numbers.dtype}", WRITTEN)
    return values.astype("Int64")


def _as_reals(numbers: pd.Series, rule: str, remedy: str) -> pd.Series:
    if numbers.dtype.kind == "c":
        raise DataError(rule, f"a column of {numbers.dtype}", remedy)
    return numbers.astype("Float64")


def _years_of(dates: pd.Series) -> pd.Series:
    import pandas as pd

    if isinstance(dates.dtype, pd.PeriodDtype):
        dates = dates.dt.to_timestamp()
    if isinstance(dates.dtype, pd.CategoricalDtype):
        dates = dates.astype(dates.cat.categories.dtype)
    if isinstance(dates.dtype, pd.StringDtype) or dates.dtype == object:
        _check_texts(dates.dropna())
    try:
        with warnings.catch_warnings():
            # Without one format pandas guesses date by date.
            warnings.simplefilter("error", UserWarning)
            found: pd.Series = pd.to_datetime(dates).dt.year.astype("Int64")
            return found
    except (ValueError, TypeError, AttributeError, OverflowError, UserWarning):
        pass
    # Raised here, since the cause would quote a date.
    raise DataError("Dates must be readable, in one format.", "a column with others", WRITTEN)


def _as_text(column: pd.Series, rule: str, kinds: tuple[type, ...]) -> pd.Series:
    """The column as text. Pandas would make it of anything, and quote what it cannot decode."""
    if column.dtype == object:
        others = int((~column.dropna().map(lambda value: isinstance(value, kinds))).sum())
        if others:
            raise DataError(rule, f"{others} others", "Clear or mend them.")
    return column.astype("string")


def _check_texts(dates: pd.Series) -> None:
    short = int((~dates.map(_has_four_digits)).sum())
    if short:
        raise DataError("Dates need years of four digits.", f"{short} without", WRITTEN)


def _has_four_digits(date: object) -> bool:
    if isinstance(date, str):
        return FOUR.search(date) is not None
    # Of a number nobody can tell the unit.
    return isinstance(date, datetime.date)
