"""Codes of a column: which mean nothing, which mean what, and which nobody listed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fedlab.errors import DataError

__all__ = ["MISSING", "UNMAPPED", "look_up", "numbers_of", "texts_of"]

#: Places of what has no place among the codes.
MISSING, UNMAPPED = -1, -2
SWAPPED = str.maketrans(".,", ",.")
Places = np.ndarray[tuple[int], np.dtype[np.int64]]
Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]


class _Book:
    """Codes by text, by number and by how they begin; the longest beginning holds."""

    def __init__(self, codes: Sequence[str]) -> None:
        self._texts = {code: place for place, code in enumerate(codes)}
        starts = [(code[:-1], place) for place, code in enumerate(codes) if code.endswith("*")]
        self._starts = sorted(starts, key=lambda start: -len(start[0]))
        self._numbers: dict[float, int] = {}
        self._twice: set[float] = set()
        for place, code in enumerate(codes):
            number = _number(code)
            if number is not None and self._numbers.setdefault(number, place) != place:
                self._twice.add(number)

    def has(self, value: object) -> bool:
        """Whether a value is one of the codes, be it of one or of two."""
        try:
            return self.place(value) != UNMAPPED
        except LookupError:
            return True

    def place(self, value: object) -> int:
        """The place of a value's code, or `UNMAPPED`.

        Raises
        ------
        LookupError
            When a number stands for two codes.
        """
        text = _text(value)
        number = None if isinstance(value, str) else _number(text)
        if number in self._twice:
            raise LookupError
        # A cell that holds a star is no beginning of a code.
        if text in self._texts and not text.endswith("*"):
            return self._texts[text]
        if isinstance(value, bool | np.bool_):
            found = [place for code, place in self._texts.items() if code.lower() == text]
            if found:
                return found[0]
        if number is not None and number in self._numbers:
            return self._numbers[number]
        for start, place in self._starts:
            if text.startswith(start):
                return place
        return UNMAPPED


def look_up(values: pd.Series, codes: Sequence[str], missing: Sequence[str]) -> Places:
    """The place in `codes` of each value; `MISSING` or `UNMAPPED` where there is none.

    Text is compared without the white space around it; a number by its value, whatever way the
    code is written.

    Parameters
    ----------
    values : Series of shape (n_samples,)
    codes, missing : sequence of str

    Raises
    ------
    DataError
        When cells hold lists or the like; when a number stands for two codes.
    """
    book, nothing = _Book(codes), _Book(missing)
    unhashable = twice = False
    try:
        where, kinds = pd.factorize(values.astype(object))
    except TypeError:
        unhashable = True
    if unhashable:
        raise DataError(
            "A column with codes must hold texts or numbers.", "lists or tables", "Flatten it."
        )
    places = np.full(len(kinds) + 1, MISSING, dtype=np.int64)
    for kind, value in enumerate(kinds):
        if nothing.has(value):
            continue
        try:
            places[kind] = book.place(value)
        except LookupError:
            twice = True
    if twice:
        raise DataError(
            "In a column of numbers each code must be another number.",
            "two codes that are one number and mean different things",
            "Read the column as text, e.g. dtype=str, or drop one code.",
        )
    found: Places = places[where]
    return found


def numbers_of(
    values: pd.Series, missing: Sequence[str], decimal: str = "."
) -> tuple[Numbers, Places]:
    """Values as numbers, NaN where there is none; and for each row 0, `MISSING` or `UNMAPPED`.

    Parameters
    ----------
    values : Series of shape (n_samples,)
    missing : sequence of str
    decimal : "." or ","
        The decimal sign of numbers that are written as text; the other one makes a text no number.

    Raises
    ------
    DataError
        When the column holds dates or complex numbers.
    """
    if values.dtype.kind in "mMc":
        raise DataError(
            "A numeric feature must come from a column of numbers.",
            f"dtype {values.dtype}",
            "Derive it, e.g. derive: years_between(birth, admission).",
        )
    absent = values.isna().to_numpy(dtype=bool)
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        for number in (_number(code) for code in missing):
            if number is not None:
                absent = absent | (numbers == number)
    else:
        absent = look_up(values, (), missing) == MISSING
        text = _cells(values, decimal).where(~absent)
        numbers = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = np.where(absent, np.nan, numbers)
    unmapped = ~absent & ~np.isfinite(numbers)
    numbers = np.where(unmapped, np.nan, numbers)
    return numbers, np.where(absent, MISSING, np.where(unmapped, UNMAPPED, 0))


def _cells(values: pd.Series, decimal: str) -> pd.Series:
    signs = {} if decimal == "." else SWAPPED
    if isinstance(values.dtype, pd.StringDtype):
        return values.str.strip().str.translate(signs)
    return values.astype(object).map(lambda value: _plain(value, signs))


def _plain(value: object, signs: dict[int, int]) -> object:
    """A cell for `pandas.to_numeric`, which takes more than numbers for one."""
    if isinstance(value, str):
        return value.strip().translate(signs)
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def texts_of(values: pd.Series) -> pd.Series:
    """Cells as text without the white space around, missing where they are missing."""
    if isinstance(values.dtype, pd.StringDtype):
        return values.astype("str").str.strip()
    try:
        where, kinds = pd.factorize(values.astype(object))
    except TypeError:
        # Lists and the like, which have no hash.
        return values.astype(object).map(_text, na_action="ignore").astype("str")
    texts = pd.array([*map(_text, kinds), None], dtype="str")
    return pd.Series(texts.take(where), index=values.index, name=values.name)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, float | np.floating):
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else str(number)
    return str(value)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return {"true": 1.0, "false": 0.0}.get(text)
    return number if math.isfinite(number) and "_" not in text else None
