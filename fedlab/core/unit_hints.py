"""Signs that a site records a number in another unit than the rest.

Records in another unit differ from the others by a known factor, in their mean and in their spread
alike; patients who differ rarely do so by just that factor. Factors between the conventional and
the SI units of analytes follow from their molar masses.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

__all__ = ["HINTS", "Hint", "unit_hint"]


class Hint(NamedTuple):
    """A pair of units that are mistaken for each other: larger = factor * smaller + offset.

    Attributes
    ----------
    factor, offset : float
    larger, smaller : str
        The unit in which the number is larger, and the one in which it is smaller.
    names : tuple of str
        What columns of such numbers are called; empty for any column.
    """

    factor: float
    larger: str
    smaller: str
    names: tuple[str, ...] = ()
    offset: float = 0.0


HINTS = (
    Hint(18.016, "mg/dL", "mmol/L", ("glucose", "glu", "fbs", "sugar")),
    Hint(38.67, "mg/dL", "mmol/L", ("chol", "ldl", "hdl")),
    Hint(88.57, "mg/dL", "mmol/L", ("triglyceride", "trig")),
    Hint(88.42, "µmol/L", "mg/dL", ("creat",)),
    Hint(17.10, "µmol/L", "mg/dL", ("bili",)),
    Hint(2.801, "mg/dL", "mmol/L", ("bun", "urea")),
    Hint(4.008, "mg/dL", "mmol/L", ("calcium",)),
    Hint(59.48, "µmol/L", "mg/dL", ("uric", "urate")),
    Hint(1.8, "°F", "°C", ("temp",), 32.0),
    Hint(2.2046, "lb", "kg", ("weight", "mass")),
    Hint(2.54, "cm", "in", ("height", "length", "waist")),
    Hint(7.5006, "mmHg", "kPa", ("pressure", "sbp", "dbp", "bp", "pao2", "paco2")),
    Hint(12.0, "months", "years", ("age", "time", "duration", "follow")),
    Hint(30.44, "days", "months", ("age", "time", "duration", "follow", "stay")),
    Hint(365.25, "days", "years", ("age", "time", "duration", "follow")),
    Hint(10.0, "a tenth of the unit", "the unit"),
    Hint(100.0, "a hundredth of the unit", "the unit"),
    Hint(1000.0, "a thousandth of the unit", "the unit"),
)
"""What is looked for; a hint that names the column goes before one that fits any."""
TOLERANCE = math.log(1.35)


def unit_hint(
    name: str, mean: float, sd: float, others_mean: float, others_sd: float
) -> str | None:
    """In which unit a site's numbers seem to be while the others' are in another, in words.

    Parameters
    ----------
    name : str
        Of the column.
    mean, sd : float
        At the site.
    others_mean, others_sd : float
        Typical of the other sites, in the same column.

    Returns
    -------
    str or None
        None where mean and standard deviation do not both differ by a known factor.

    Examples
    --------
    >>> unit_hint("glucose", 99.0, 21.0, 5.6, 1.2)
    'as in mg/dL, others in mmol/L (× 18.016)'
    >>> unit_hint("temperature", 37.1, 0.6, 98.7, 1.1)
    'as in °C, others in °F (× 1.8 + 32)'
    >>> unit_hint("glucose", 6.4, 1.9, 5.6, 1.2)
    """
    if not min(mean, sd, others_mean, others_sd) > 0:
        return None
    words = re.findall(r"[a-z0-9]+", name.casefold())
    for hint in sorted(HINTS, key=lambda hint: not hint.names):
        named = any(word.startswith(each) for word in words for each in hint.names)
        if hint.names and not named:
            continue
        if _fits(hint, mean, sd, others_mean, others_sd):
            return _words(hint, hint.larger, hint.smaller)
        if _fits(hint, others_mean, others_sd, mean, sd):
            return _words(hint, hint.smaller, hint.larger)
    return None


def _fits(hint: Hint, mean: float, sd: float, other_mean: float, other_sd: float) -> bool:
    expected = hint.factor * other_mean + hint.offset
    # A spread varies more between sites than a mean does.
    return (
        abs(math.log(mean / expected)) < min(TOLERANCE, math.log(hint.factor) / 3)
        and abs(math.log(sd / (hint.factor * other_sd))) < 2 * TOLERANCE
        and not (hint.offset and abs(math.log(mean / other_mean)) < math.log(1.5))
    )


def _words(hint: Hint, here: str, there: str) -> str:
    by = f"× {hint.factor:g}" + (f" + {hint.offset:g}" if hint.offset else "")
    return f"as in {here}, others in {there} ({by})"
