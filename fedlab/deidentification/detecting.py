"""What one column holds, as far as its name, its type and its values tell.

Only different values are read: all of those of a column with few, an even choice among many. Text
with many different values is free text, whatever it says, and is not kept unless asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fedlab.deidentification.headers import header_judges, names_age, spellings
from fedlab.scan.kinds import KINDS, ROWS
from fedlab.scan.looking import RULES, in_text
from fedlab.scan.names import looks_like_a_name
from fedlab.scan.normal import plain
from fedlab.scan.rule import find

__all__ = ["MOST_CATEGORIES", "Found", "detect"]

MOST_CATEGORIES = 100
"""Text with more different values is free text."""
LONGEST = 100
"""Characters of a category; longer text is free text."""
READ = 200
"""Values that are read of a column with more."""
OLDEST = 90
FREE = "free text: too many or too long values for categories"
# Whole numbers that differ in each row are a code where they count up, are large, or are many.
LEAST_RUN, LARGE, MANY_ROWS = 10, 10_000, 1_000
NUMBER = r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*"
DAY = r"(?:18[5-9]\d|19\d\d|20\d\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
DATES = {"date", "datetime", "datetime64", "time", "period"}
NUMBERS = {"integer", "floating", "mixed-integer-float", "decimal"}
PLAIN = (str, int, float, np.integer, np.floating, np.bool_)


@dataclass(frozen=True)
class Found:
    """What speaks against keeping a column.

    Attributes
    ----------
    kinds : tuple of str
        Kinds of identifiers, in the order of `fedlab.scan.KINDS`.
    why : str
        What told it, or nothing where nothing was detected.
    """

    kinds: tuple[str, ...] = ()
    why: str = ""


NOT_READ = Found((), "values that are neither text nor numbers, which are not looked into")


def detect(name: str, column: pd.Series) -> Found:
    """What a column holds. Nothing of its values is in the answer.

    Examples
    --------
    >>> detect("mrn", pd.Series([48213, 48214]))
    Found(kinds=('medical_record',), why='values of a column so named')
    >>> detect("sodium", pd.Series([140.0, 138.5]))
    Found(kinds=(), why='')
    """
    named = _kinds(rule.kind for rule, _ in find(RULES, plain(" ; ".join(spellings(name)))))
    if named:
        return Found(named, "the name of the column itself")
    if isinstance(column.dtype, pd.CategoricalDtype):
        present = column.cat.remove_unused_categories()
        return _by_type(name, pd.Series(present.cat.categories), int(column.count()))
    there = column.dropna()
    return _by_type(name, there, len(there))


def _by_type(name: str, values: pd.Series, rows: int) -> Found:
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if len(values) == 0 or kind in {"boolean", "timedelta", "timedelta64"}:
        return Found()
    if kind in DATES:
        return Found(("date",), "dates or times finer than a year")
    if kind in NUMBERS:
        numbers = _as_floats(values)
        return NOT_READ if numbers is None else _of_numbers(name, numbers, rows)
    if kind == "string" or values.map(lambda value: isinstance(value, PLAIN)).all():
        return _of_text(name, values.drop_duplicates().astype(str), rows)
    return NOT_READ


def _as_floats(values: pd.Series) -> pd.Series | None:
    try:
        return values.drop_duplicates().astype("float64")
    except (OverflowError, TypeError, ValueError):
        return None


def _of_numbers(name: str, values: pd.Series, rows: int) -> Found:
    values = values[np.isfinite(values)]
    if names_age(name) and (values >= OLDEST).any():
        return Found(("date",), "an age over 89 in a column so named")
    whole = len(values) > 0 and bool((values % 1 == 0).all())
    by_name = _named(name, map(_as_text, values))
    if by_name:
        return Found(by_name, "values of a column so named")
    written = _kinds(_hits(name, map(_as_text, _some(values)), short=True))
    if written:
        return Found(written, "patterns of its values, after its name")
    if whole and _are_days(values):
        return Found(("date",), "days, written as numbers of eight digits")
    if whole and len(values) == rows and rows >= LEAST_RUN:
        running = values.max() - values.min() == rows - 1
        if running or rows >= MANY_ROWS or values.abs().min() >= LARGE:
            return Found(("other_code",), "another whole number in each row")
    return Found()


def _are_days(values: pd.Series) -> bool:
    if not values.between(18500101, 21001231).all():
        return False
    return bool(values.astype("int64").astype(str).str.fullmatch(DAY).all())


def _of_text(name: str, values: pd.Series, rows: int) -> Found:
    free = len(values) > MOST_CATEGORIES or 2 * len(values) > rows
    free = free or bool((values.str.len() > LONGEST).any())
    some = [str(value)[:20_000] for value in _some(values)]
    kinds = [*_named(name, some), *_hits(name, some)]
    if names_age(name) and any(_is_old(text) for text in some):
        kinds.append("date")
    if all(re.fullmatch(DAY, text) for text in some):
        kinds.append("date")
    if 2 * sum(map(looks_like_a_name, some)) >= len(some):
        kinds.append("name")
    if free:
        numbers = all(re.fullmatch(NUMBER, text) for text in some)
        why = "numbers as text: read them as numbers" if numbers else FREE
        return Found(_kinds(kinds), why)
    return Found(_kinds(kinds), "patterns of its values, or its name" if kinds else "")


def _some(values: pd.Series) -> pd.Series:
    """All of few; of many the least, the greatest and an even choice."""
    if len(values) <= READ:
        return values
    places = np.linspace(0, len(values) - 1, READ).astype(int)
    if pd.api.types.is_float_dtype(values.dtype):
        places = np.unique([*places, int(values.argmin()), int(values.argmax())])
    return values.iloc[places]


def _named(name: str, texts: Iterable[str]) -> tuple[str, ...]:
    judges = list(header_judges(name))
    if not judges:
        return ()
    texts = list(texts)
    return _kinds(kind for kind, judge in judges if any(map(judge, texts)))


def _hits(name: str, texts: Iterable[str], *, short: bool = False) -> Iterator[str]:
    for text in texts:
        labelled = f"{name}: {text}"
        if short:
            yield from (rule.kind for rule, _ in find(RULES, plain(labelled)))
        else:
            # A word of the name must not hide what the value says alone.
            yield from (hit.kind for version in (labelled, text) for hit in in_text(version))


def _is_old(text: str) -> bool:
    number = re.fullmatch(r"\d{2,3}(?:\.\d{1,9})?", text.strip())
    return number is not None and float(number[0]) >= OLDEST


def _as_text(number: float) -> str:
    return str(int(number)) if number % 1 == 0 else repr(float(number))


def _kinds(found: Iterable[str]) -> tuple[str, ...]:
    held = set(found)
    return tuple(kind for kind in KINDS if kind in held and kind != ROWS)
