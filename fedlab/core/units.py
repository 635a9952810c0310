"""Units of measurement: spelled as UCUM or laboratories do, converted by pint.

pint itself reads no UCUM. Its text never reaches pint's parser, which takes arithmetic: units are
read here part by part, and only names from a list are handed on.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np

from fedlab.core.analytes import analyte_named
from fedlab.core.analytes import molar_mass as mass_of
from fedlab.core.parameters import Array
from fedlab.core.unit_names import ATOMS, DEFINED, PREFIXES, SPELLINGS, WHOLE
from fedlab.errors import DataError

__all__ = ["check_units", "converted", "known_unit"]

LONGEST, HIGHEST = 60, 12
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
PART = re.compile(
    r"(?P<base>10[*^])?(?P<name>(?:[^\d./()*^+\-\[\]]|\[[^\[\]]*\])*)(?P<power>[+-]?\d+)?"
)


@cache
def _registry() -> Any:
    import pint

    registry: Any = pint.UnitRegistry(cache_folder=None)
    for line in DEFINED:
        registry.define(line)
    return registry


def known_unit(text: str) -> bool:
    """Whether a unit is read.

    Examples
    --------
    >>> [known_unit(unit) for unit in ("mg/dL", "[degF]", "10*9/L", "mmHg", "quux")]
    [True, True, True, True, False]
    """
    return _parsed(text) is not None


def converted(
    values: Array,
    unit: str,
    to: str,
    *,
    analyte: str | None = None,
    molar_mass: float | None = None,
) -> Array:
    """Values of `unit` in the unit `to`.

    Parameters
    ----------
    values : ndarray
    unit, to : str
        As UCUM writes them, e.g. ``mg/dL``, ``[degF]``, ``10*9/L``; usual spellings such as ``lb``
        and ``mmHg`` too.
    analyte : str, optional
        Whose molar mass and valence take grams to moles and moles to equivalents.
    molar_mass : float, optional
        In g/mol, instead of the listed one.

    Raises
    ------
    DataError
        When a unit is unknown, or one does not convert into the other.

    Examples
    --------
    >>> converted(np.array([90.0]), "mg/dL", "mmol/L", analyte="glucose").round(3)
    array([4.996])
    >>> converted(np.array([98.6]), "[degF]", "Cel").round(6)
    array([37.])
    """
    source, target = _unit(unit), _unit(to)
    mass, valence = _masses(analyte, molar_mass)
    registry = _registry()
    between = {p: (None if p == 0 else mass) for p in (0, -1, 1)}
    charges = {q: (None if q == 0 else valence) for q in (0, -1, 1)}
    given = np.asarray(values, dtype=np.float64)
    for p, weight in between.items():
        for q, charge in charges.items():
            if (p and weight is None) or (q and charge is None):
                continue
            via = source
            if p:
                via = via * registry.Unit("gram/mole") ** p
            if q:
                via = via * registry.Unit("fedlab_equivalent/mole") ** q
            if via.dimensionality != target.dimensionality:
                continue
            factor = (weight or 1.0) ** p * (charge or 1.0) ** q
            found = registry.Quantity(given * factor, via).to(target).magnitude
            return np.asarray(found, dtype=np.float64)
    raise DataError(
        "A unit must convert into the federation's.",
        f"{unit!r} to {to!r}, which measure different things"
        + ("" if mass is not None else " where no molar mass is known"),
        "Correct one, or name the analyte or its molar_mass in g/mol where one counts moles.",
    )


def check_units(
    unit: str, to: str, *, analyte: str | None = None, molar_mass: float | None = None
) -> None:
    """Raise DataError unless `unit` converts into `to`."""
    converted(np.ones(1), unit, to, analyte=analyte, molar_mass=molar_mass)


def _masses(analyte: str | None, molar_mass: float | None) -> tuple[float | None, int | None]:
    found = None if analyte is None else analyte_named(analyte)
    if found is None:
        return molar_mass, None
    return (mass_of(found.formula) if molar_mass is None else molar_mass), found.valence


def _unit(text: str) -> Any:
    found = _parsed(text)
    if found is None:
        shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
        near = get_close_matches(text, [*ATOMS, "mg/dL", "mmol/L", "umol/L", "g/dL", "kg/m2"], n=1)
        raise DataError(
            "A unit must be one that UCUM or laboratories write.",
            repr(shown),
            f"Did you mean {near[0]!r}?" if near else "Write e.g. mg/dL, mmol/L, [degF] or 10*9/L.",
        )
    return found


@cache
def _parsed(text: str) -> Any:
    """The pint unit, None where it is not understood."""
    if len(text) > LONGEST:
        return None
    # A remark in braces stands for one where it is a part of its own (UCUM, section 6).
    plain = re.sub(r"(^|[/.(]\s*)\{[^{}]*\}", r"\g<1>1", text.strip())
    plain = re.sub(r"\{[^{}]*\}", "", plain).strip()
    plain = re.sub("^10([⁰¹²³⁴-⁹]+)", lambda found: f"10*{found[1].translate(RAISED)}", plain)
    plain = plain.translate(str.maketrans("µμ²³·", "uu23."))
    # Per body surface, and per day: the two numbers that laboratories write within a unit.
    plain = re.sub(r"/1[.,]73[ .]?m\^?2$", "", plain)
    plain = re.sub(r"/24 ?h$", "/d", plain)
    plain = re.sub(r"^[x×]\s*10", "10", plain.replace("**", ""))
    plain = WHOLE.get(plain.lower(), plain)
    left = _Reading(plain)
    try:
        found = left.product(0)
        # "°C/min" has a point of zero and a slope at once.
        _registry().Quantity(np.ones(1), found).to_root_units()
    except (LookupError, TypeError):
        # pint's errors of dimensions and offsets are TypeErrors.
        return None
    return found if not left.text else None


class _Reading:
    """What is left of a unit's text; factors are taken from left to right, as UCUM has it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def product(self, depth: int) -> Any:
        if depth > HIGHEST:
            raise LookupError
        found = _registry().Unit("dimensionless")
        sign = -1 if self._take("/") else 1
        while True:
            part = self._bracket(depth) if self._take("(") else self._part()
            # One alone stays as it is: pint tells a temperature from a difference of two.
            alone = sign == 1 and found == _registry().Unit("dimensionless")
            found = part if alone else found * part**sign
            if self._take("/"):
                sign = -1
            elif self._take(".") or self._take("*"):
                sign = 1
            else:
                return found

    def _take(self, sign: str) -> bool:
        if not self.text.startswith(sign):
            return False
        self.text = self.text[1:].lstrip()
        return True

    def _bracket(self, depth: int) -> Any:
        found = self.product(depth + 1)
        if not self._take(")"):
            raise LookupError
        return found

    def _part(self) -> Any:
        match = PART.match(self.text)
        if match is None or not match.group():
            raise LookupError
        self.text = self.text[match.end() :].lstrip()
        base, name, power = match["base"], match["name"].strip(), match["power"]
        exponent = 1 if power is None else int(power[:4])
        if abs(exponent) > HIGHEST:
            # A plain number is no power: UCUM lets one stand as a factor.
            raise LookupError
        registry = _registry()
        if base is not None:
            if name or power is None:
                raise LookupError
            return registry.Unit(_power_of_ten(exponent))
        if not name:
            if exponent != 1 or power is None:
                raise LookupError
            return registry.Unit("dimensionless")
        unit = registry.Unit(_named(name))
        return unit if power is None else unit**exponent


def _power_of_ten(exponent: int) -> str:
    """A unit of pint's that is so many ones."""
    name = f"fedlab_ten_to_{abs(exponent)}{'_less' if exponent < 0 else ''}"
    registry = _registry()
    if name not in registry:
        registry.define(f"{name} = 1e{exponent}")
    return name


def _named(name: str) -> str:
    """The name in pint; LookupError where there is none."""
    for code in (name, SPELLINGS.get(name.lower(), "")):
        found = _atom(code)
        if found:
            return found
    if name.isupper():
        for code in (name.lower(), f"{name[:-1].lower()}L"):
            found = _atom(code)
            if found:
                return found
    raise LookupError


def _atom(code: str) -> str:
    if code == "1":
        return "dimensionless"
    if code in ATOMS:
        return ATOMS[code][0]
    prefix, rest = code[:1], code[1:]
    if rest in ATOMS and prefix in ATOMS[rest][1].split():
        return PREFIXES[prefix] + ATOMS[rest][0]
    return ""
