"""How one of the federation's features comes out of a site's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["FeatureMapping", "Outside"]

Outside = Literal["missing", "keep", "error"]
#: What means "no value" where a mapping does not say.
USUAL_MISSING = ("",)


@dataclass(frozen=True)
class FeatureMapping:
    """One feature, target or event, and where it comes from.

    Parameters
    ----------
    name : str
        The federation's.
    column : str, optional
        The site's column.
    derive : str, optional
        Instead of a column: an expression of other features of the mapping, or of columns where no
        feature has the name.
    unit, to : str, optional
        The site's unit and the federation's.
    analyte : str, optional
        What is measured, where grams become moles; by default the feature's name.
    molar_mass : float, optional
        In g/mol.
    values : mapping of str to str or number, optional
        The site's codes, and what each means. ``E11*`` stands for all codes that begin with E11;
        of several the longest holds, and ``*`` is everything else. White space around a code does
        not count.
    categories : sequence of str, optional
        The federation's categories, in its order.
    range : (float, float), optional
        Plausible values in the federation's unit.
    outside : "missing", "keep" or "error"
        What becomes of values outside of `range`.
    missing : sequence of str, optional
        Codes that mean "no value"; by default those of the mapping.
    helper : bool
        Whether it only serves other features and is left out itself.
    """

    name: str
    column: str | None = None
    derive: str | None = None
    unit: str | None = None
    to: str | None = None
    analyte: str | None = None
    molar_mass: float | None = None
    values: tuple[tuple[str, str | float], ...] = ()
    categories: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    outside: Outside = "missing"
    missing: tuple[str, ...] | None = None
    helper: bool = False

    def __post_init__(self) -> None:
        pairs = self.values.items() if isinstance(self.values, Mapping) else self.values
        settings: dict[str, Any] = {
            "values": tuple((code, meaning) for code, meaning in pairs),
            "categories": _listed(self.categories),
            "missing": None if self.missing is None else _listed(self.missing),
            "range": None if self.range is None else _listed(self.range),
        }
        for name, value in settings.items():
            object.__setattr__(self, name, value)

    @property
    def listed(self) -> tuple[str, ...]:
        """Its categories, declared or in the order in which codes mean them; none of a number."""
        if self.categories:
            return self.categories
        meanings = dict.fromkeys(meaning for _, meaning in self.values)
        if any(isinstance(each, str) for each in meanings):
            return tuple(str(each) for each in meanings)
        return ()

    def to_dict(self) -> dict[str, Any]:
        """Its settings by name, without those that are left out."""
        told: dict[str, Any] = {
            "column": self.column,
            "derive": self.derive,
            "unit": self.unit,
            "to": self.to,
            "analyte": self.analyte,
            "molar_mass": self.molar_mass,
            "values": dict(self.values) or None,
            "categories": list(self.categories) or None,
            "range": None if self.range is None else [_short(each) for each in self.range],
            "outside": None if self.outside == "missing" else self.outside,
            "missing": None if self.missing is None else list(self.missing),
            "helper": self.helper or None,
        }
        return {name: value for name, value in told.items() if value is not None}


def _short(number: float) -> float:
    return int(number) if float(number).is_integer() and abs(number) < 1e15 else number


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
