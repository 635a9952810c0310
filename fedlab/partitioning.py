"""Simulated sites: one table dealt out to many, with the skew one wants to study."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

from fedlab.core.assignment import IntArray, Skew, assign, in_words
from fedlab.errors import DataError
from fedlab.site import Policy, Site

__all__ = ["partition"]


def partition(
    frame: pd.DataFrame,
    n_sites: int | None = None,
    *,
    target: str,
    event: str | None = None,
    skew: Skew = None,
    by: str | None = None,
    seed: int = 0,
    names: Sequence[str] | None = None,
    minimum_rows: int = 1,
    policy: Policy | None = None,
    test_size: float = 0.2,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    source: str = "",
    home: str | Path | None = None,
) -> list[Site]:
    """Deal the rows of one table out to sites; every row lands in exactly one.

    Text columns become categories, the sorted values of the whole table, so that all sites agree
    on them. Whoever simulates sites holds the table, hence nothing is told that was not known.

    Parameters
    ----------
    frame : pandas.DataFrame
        The whole table.
    n_sites : int, optional
        How many sites. Needless with `by`.
    target : str
        The column to predict.
    event : str, optional
        With a target that is a time: the column that is 1 where it ended in the event. A
        `LabelSkew` goes by it.
    skew : None, float, LabelSkew or QuantitySkew
        None deals the rows evenly at random; a number is the alpha of a `LabelSkew`.
    by : str, optional
        A column whose values are the sites (a hospital, a device). It is no feature then.
    seed : int
        Decides both the deal and each site's own split into training and test rows.
    names : sequence of str, optional
        Names of the sites, by default ``site-01`` and so on, or the values of `by`.
    minimum_rows : int
        Rows that each site has at least. Where a drawn size is smaller, rows move one by one from
        the largest site to the smallest. Sites of `by` are as they are: a smaller one is an error.
    policy, test_size, ranges, source
        Handed to every `Site`. The source of a simulated site says that it is simulated.
    home : path, optional
        Folder in which every site gets a folder of its own.

    Returns
    -------
    list of Site

    Raises
    ------
    DataError
        When the arguments or the table cannot give such sites.

    Examples
    --------
    >>> frame = pd.DataFrame({"age": range(30, 70), "died": [0, 1] * 20})
    >>> [site.name for site in partition(frame, 2, target="died", skew=0.3)]
    ['site-01', 'site-02']
    >>> frame["ward"] = ["east"] * 25 + ["west"] * 15
    >>> [site.name for site in partition(frame, target="died", by="ward")]
    ['east', 'west']
    """
    _check_frame(frame, target)
    if event is not None and (event not in frame.columns or event in (target, by)):
        raise DataError(
            rule="The event must be a column of the frame other than target and by.",
            came=f"event={event!r}",
            remedy="Check the spelling.",
        )
    minimum = _whole("minimum_rows", minimum_rows, at_least=1)
    seed = _whole("seed", seed, at_least=0)
    if by is None:
        count = _whole("n_sites", n_sites, at_least=1)
        where = assign(
            _codes(frame[event or target]), count, skew=skew, seed=seed, minimum_rows=minimum
        )
        width = max(2, len(str(count)))
        called = [f"site-{number:0{width}d}" for number in range(1, count + 1)]
        source = f"{source} [simulated: {in_words(count, skew, seed)}]".lstrip()
    else:
        where, called = _natural(frame, by, target, n_sites, skew, minimum)
        frame = frame.drop(columns=by)
    if names is not None:
        called = _check_names(names, len(called))
    frame = text_as_categories(frame)
    return [
        Site(
            name,
            frame.loc[where == number].reset_index(drop=True),
            target=target,
            event=event,
            test_size=test_size,
            seed=seed,
            # Ledgers must not meet: each site writes to a folder of its own. Names may hold
            # anything, so they are escaped before they become a path.
            home=None if home is None else Path(home) / quote(name, safe=" ").replace(".", "%2E"),
            policy=policy,
            ranges=ranges,
            source=source,
        )
        for number, name in enumerate(called)
    ]


def text_as_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn text columns into categories, the sorted values of the whole column.

    Examples
    --------
    >>> frame = text_as_categories(pd.DataFrame({"ward": ["b", "a", None]}))
    >>> list(frame["ward"].cat.categories)
    ['a', 'b']
    """
    texts = {
        name: column.astype(pd.CategoricalDtype(sorted(column.dropna().unique())))
        for name, column in frame.items()
        if not isinstance(column.dtype, pd.CategoricalDtype)
        and pd.api.types.infer_dtype(column, skipna=True) == "string"
    }
    return frame.assign(**{str(name): column for name, column in texts.items()})


def _natural(
    frame: pd.DataFrame, by: str, target: str, n_sites: int | None, skew: Skew, minimum: int
) -> tuple[IntArray, list[str]]:
    if skew is not None:
        raise DataError(
            rule="Sites are simulated by a skew or taken from a column.",
            came="both skew and by",
            remedy="Leave one of them out.",
        )
    if by not in frame.columns or by == target:
        raise DataError(
            rule="by must name a column other than the target.",
            came=f"by={by!r}",
            remedy=f"Pass one of the other {len(frame.columns) - 1} columns.",
        )
    column = frame[by]
    if (gaps := int(column.isna().sum())) > 0:
        raise DataError(
            rule=f"Every row needs a value in {by!r} to belong to a site.",
            came=f"{gaps} rows without one",
            remedy="Fill those or drop the rows.",
        )
    values = list(column.unique())
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = [value for value in column.cat.categories if value in set(values)]
    else:
        try:
            values.sort()
        except TypeError:
            values.sort(key=str)
    if n_sites is not None and n_sites != len(values):
        raise DataError(
            rule=f"With by={by!r} the column decides how many sites there are.",
            came=f"n_sites={n_sites!r} for {len(values)} values",
            remedy="Leave n_sites out.",
        )
    called = _check_names([str(value) for value in values], len(values))
    numbers = {value: number for number, value in enumerate(values)}
    where = np.array([numbers[value] for value in column], dtype=np.int64)
    for name, size in zip(called, np.bincount(where, minlength=len(called)), strict=True):
        if size < minimum:
            raise DataError(
                rule=f"Each site needs at least {minimum} rows.",
                came=f"{size} rows",
                remedy=f"Lower minimum_rows, or merge small values of {by!r}.",
                site=name,
            )
    return where, called


def _codes(column: pd.Series) -> IntArray:
    if (gaps := int(column.isna().sum())) > 0:
        raise DataError(
            rule=f"The target {str(column.name)!r} must be known for every row.",
            came=f"{gaps} rows without it",
            remedy="Drop those rows.",
        )
    # Sorted by text, not by order of appearance: the deal does not hang on which row came first.
    order = {value: code for code, value in enumerate(sorted(column.unique(), key=str))}
    return np.array([order[value] for value in column], dtype=np.int64)


def _check_frame(frame: pd.DataFrame, target: str) -> None:
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            rule="frame must be a pandas DataFrame.",
            came=f"a {type(frame).__name__}",
            remedy="Read it first, e.g. with pandas.read_csv.",
        )
    if not frame.columns.is_unique:
        raise DataError(
            rule="Column names must differ.",
            came=f"{int(frame.columns.duplicated().sum())} repeated names",
            remedy="Rename or drop the repeated columns.",
        )
    if target not in frame.columns:
        raise DataError(
            rule="The target must be a column of the frame.",
            came=f"target={target!r} for {len(frame.columns)} columns without it",
            remedy="Check the spelling.",
        )
    if frame.empty:
        raise DataError(
            rule="A frame needs rows to deal out.", came="0 rows", remedy="Check how it was read."
        )


def _check_names(names: Sequence[str], count: int) -> list[str]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise DataError(
            rule="names must be a sequence of texts.",
            came=f"a {type(names).__name__}",
            remedy='Pass e.g. names=["mercy", "north"].',
        )
    if len(names) != count or len(set(names)) != count:
        raise DataError(
            rule=f"{count} sites need {count} different names.",
            came=f"{len(names)} names, {len(set(names))} different",
            remedy="Give each site one name of its own.",
        )
    return list(names)


def _whole(name: str, value: object, *, at_least: int) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < at_least:
        came = repr(value) if value is None or isinstance(value, (int, float)) else "no number"
        raise DataError(
            rule=f"{name} must be a whole number of at least {at_least}.",
            came=came,
            remedy=f"Pass e.g. {name}={max(at_least, 5)}.",
        )
    return number
