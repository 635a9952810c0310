"""The three reductions that the Safe Harbor rule of 45 CFR 164.514(b)(2)(i) states as arithmetic.

(B) lets the first three digits of a ZIP code stand where all codes that begin with them hold more
than 20,000 people, and asks for 000 elsewhere; (C) lets years stand, and ages over 89 only as one
group of 90 or older. Columns so reduced do not make a table de-identified: the rule has eighteen
parts and a condition on what else is known, and nothing here decides on it.
"""

from __future__ import annotations

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
    text = codes.astype("string").str.strip()
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
        Years, 0 or more.

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
    if not pd.api.types.is_numeric_dtype(ages.dtype):
        raise DataError("Ages are numbers.", f"a column of {ages.dtype}", remedy)
    values = ages.astype("Float64")
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
        Dates, or text in one format that pandas reads.
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

    remedy = "Write them all as YYYY-MM-DD."
    if pd.api.types.is_numeric_dtype(dates.dtype):
        # Pandas would take a number for nanoseconds since 1970.
        raise DataError("Dates are dates or text.", f"a column of {dates.dtype}", remedy)
    try:
        read = pd.to_datetime(dates)
        found = read.dt.year.astype("Int64")
    except (ValueError, TypeError, AttributeError, OverflowError):
        # The cause would quote a date.
        raise DataError("Dates must be readable.", "a column with others", remedy) from None
    return found if reference is None else found.clip(lower=reference - 90)
