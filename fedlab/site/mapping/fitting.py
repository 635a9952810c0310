"""How well one column of a site may be one feature of the federation: its unit, codes and range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

import numpy as np
import pandas as pd

from fedlab.core.units import converted, known_unit
from fedlab.errors import DataError
from fedlab.site.mapping.codes import MISSING, look_up, numbers_of, texts_of
from fedlab.site.mapping.feature import USUAL_MISSING
from fedlab.site.mapping.naming import unit_in_name
from fedlab.site.mapping.wanted import Feature

__all__ = ["Column", "Fit", "fit"]

#: Units that a column may be in where neither name nor mapping tells.
USUAL_UNITS = (
    *("mg/dL", "mmol/L", "umol/L", "g/L", "g/dL", "ug/dL", "ug/L", "nmol/L", "pmol/L", "meq/L"),
    *("Cel", "[degF]", "kg", "[lb_av]", "g", "m", "cm", "[in_i]", "mm[Hg]", "kPa", "10*9/L"),
    *("10*6/L", "10*12/L", "/min", "%", "1", "a", "mo", "d", "h", "min"),
)
MOST_CODES, PLAUSIBLE = 40, 0.9
# What is left of a share where values fit another unit as well.
UNSURE = 0.4
#: What stands for "no value" in many tables; none of them can be a number or a category.
NO_VALUE = ("NA", "N/A", "n/a", "NULL", "null", "NaN", "nan", "None", ".", "?")
#: Codes that mean a category of another name, where a federation has that category.
CODES = {
    "yes": "y 1 true t positive pos deceased dead died expired",
    "no": "n 0 false f negative neg alive survived",
    "female": "f woman w",
    "male": "m man",
    "unknown": "u unk",
}


@dataclass(frozen=True, repr=False)
class Column:
    """A column of the site, read once.

    Attributes
    ----------
    name : str
    values : Series of shape (n_samples,)
    numbers : ndarray of shape (n_present,)
        Those of its values that are numbers.
    numeric : float
        Their share of all values that are there.
    codes : tuple of str
        Its different values, where they are few.
    missing : tuple of str
        Which codes for "no value" it holds.
    """

    name: str
    values: pd.Series
    numbers: np.ndarray[tuple[int], np.dtype[np.float64]]
    numeric: float
    codes: tuple[str, ...]
    missing: tuple[str, ...] = USUAL_MISSING

    @classmethod
    def of(cls, name: str, values: pd.Series) -> Column:
        """Read a column; one that cannot be read has neither numbers nor codes."""
        empty = np.zeros(0)
        try:
            kinds = set(texts_of(values).dropna().unique()) - set(USUAL_MISSING)
            missing = (*USUAL_MISSING, *(each for each in NO_VALUE if each in kinds))
            numbers, places = numbers_of(values, missing)
            present = int((places != MISSING).sum())
            numbers = numbers[np.isfinite(numbers)]
            kinds -= set(missing)
        # Dates, lists and the like: no column of a number or a category.
        except Exception:
            return cls(name, values, empty, 0.0, ())
        codes = tuple(sorted(str(each) for each in kinds)) if len(kinds) <= MOST_CODES else ()
        share = len(numbers) / present if present else 0.0
        return cls(name, values, numbers, share, codes, missing)


@dataclass(frozen=True)
class Fit:
    """What a column could be.

    Attributes
    ----------
    share : float
        Of its values, those that make sense.
    unit : str or None
    values : mapping of str to str or int
    reason : str
        Without a value of a row.
    strong : bool
        Whether the values alone tell what the column is.
    """

    share: float
    reason: str
    unit: str | None = None
    values: Mapping[str, str | int] = field(default_factory=dict)
    strong: bool = False


def fit(feature: Feature, column: Column) -> Fit:
    """How well `column` may be `feature`."""
    if feature.kind == "category":
        return _categories(feature, column)
    if column.numeric < 0.5:
        return _yes_or_no(column) if feature.role != "feature" else Fit(0.0, "holds no numbers")
    return _numbers(feature, column)


def _numbers(feature: Feature, column: Column) -> Fit:
    if feature.unit is None:
        share = _within(feature, column.numbers)
        if share is None:
            return Fit(0.8 * column.numeric, "numbers")
        return Fit(share * column.numeric, f"{share:.0%} in the plausible range")
    told = unit_in_name(column.name)
    if told is not None and _converted(feature, column, told) is not None:
        share = _share(feature, column, told)
        if share is None:
            return Fit(column.numeric, f"its name tells {told}", told)
        words = f"its name tells {told}; {share:.0%} plausible"
        return Fit(share * column.numeric, words, told)
    if feature.range is None:
        words = f"taken to be in {feature.unit}, which nothing tells"
        return Fit(0.6 * column.numeric, words, feature.unit)
    return _by_range(feature, column)


def _by_range(feature: Feature, column: Column) -> Fit:
    """The unit in which most values are plausible; less sure where several of them are."""
    own = str(feature.unit)
    shares: dict[str, float] = {}
    seen: list[tuple[float, float]] = []
    for unit in (own, *USUAL_UNITS):
        pair = _ends(feature, unit)
        if pair is None or any(np.allclose(pair, other, rtol=1e-9) for other in seen):
            continue
        seen.append(pair)
        shares[unit] = _share(feature, column, unit) or 0.0
    most = max(shares.values())
    likely = [unit for unit, share in shares.items() if share >= PLAUSIBLE * most]
    # Where several fit, the one that puts the patients in the middle of the range.
    best = min(likely, key=lambda unit: _off_centre(feature, column, unit))
    share, also = shares[best], [unit for unit in likely if unit != best]
    words = f"{share:.0%} plausible in {best}"
    if also and share:
        return Fit(UNSURE * share * column.numeric, f"{words}, but also in {', '.join(also)}", best)
    return Fit(share * column.numeric, words, best)


def _off_centre(feature: Feature, column: Column, unit: str) -> float:
    values = _converted(feature, column, unit)
    if values is None or feature.range is None:
        return np.inf
    (low, high), median = feature.range, float(np.median(values))
    if low > 0 and median > 0:
        # Laboratory values spread by factors: the middle of 1 and 50 mmol/L is 7, not 25.
        return abs(math.log(median) - (math.log(low) + math.log(high)) / 2)
    return abs(median - (low + high) / 2)


def _ends(feature: Feature, unit: str) -> tuple[float, float] | None:
    """What 0 and 1 of `unit` are in the federation's, None where it does not convert."""
    try:
        low, high = converted(
            np.array([0.0, 1.0]), unit, str(feature.unit), analyte=feature.analyte or feature.name
        )
    except DataError:
        return None
    return float(low), float(high)


def _converted(
    feature: Feature, column: Column, unit: str
) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    pair = _ends(feature, unit) if known_unit(unit) else None
    return None if pair is None else pair[0] + (pair[1] - pair[0]) * column.numbers


def _share(feature: Feature, column: Column, unit: str) -> float | None:
    values = _converted(feature, column, unit)
    return None if values is None else _within(feature, values)


def _within(feature: Feature, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float | None:
    if feature.range is None or not len(values):
        return None
    low, high = feature.range
    return float(((values >= low) & (values <= high)).mean())


def _categories(feature: Feature, column: Column) -> Fit:
    if not column.codes:
        return Fit(0.0, "too many different values for a category")
    means = {code: _meant(code, feature.categories) for code in column.codes}
    known = {code: category for code, category in means.items() if category is not None}
    places = look_up(column.values, list(known), column.missing)
    present = int((places != MISSING).sum())
    share = float((places >= 0).sum() / present) if present else 0.0
    words = f"{len(known)} of {len(column.codes)} codes known, in {share:.0%} of values"
    plain = all(code in feature.categories for code in column.codes)
    wordy = {"yes", "no"}.isdisjoint(each.casefold() for each in feature.categories)
    strong = plain and wordy and len(set(known.values())) > 1
    return Fit(share, words, values={} if plain else known, strong=strong)


def _meant(code: str, categories: tuple[str, ...]) -> str | None:
    """The category that a code means; None rather than a guess."""
    plain = {each.casefold(): each for each in categories}
    text = code.casefold()
    if text in plain:
        return plain[text]
    begun = [each for each in categories if text and each.casefold().startswith(text)]
    if len(begun) > 1:
        return None
    for name, others in CODES.items():
        if name in plain and text in others.split():
            return plain[name]
    # One letter or a shortened word, where it is the beginning of one category alone.
    if begun and text.isalpha():
        return begun[0]
    near = [
        each for each in categories if SequenceMatcher(None, text, each.casefold()).ratio() > 0.85
    ]
    return near[0] if len(near) == 1 else None


def _yes_or_no(column: Column) -> Fit:
    """A target of texts that mean that something was or was not."""
    words = {"yes": 1, "no": 0}
    found = {code: _meant(code, ("no", "yes")) for code in column.codes}
    known = {code: words[each] for code, each in found.items() if each is not None}
    if set(known.values()) != {0, 1} or len(known) < len(column.codes):
        return Fit(0.0, "holds codes of which not all are known")
    return Fit(1.0, f"{len(known)} codes that tell yes or no", values=known)
