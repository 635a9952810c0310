"""What a mole of usual analytes weighs, by their formulas."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["ANALYTES", "Analyte", "analyte_named", "molar_mass"]

#: Abridged standard atomic weights, g/mol (Prohaska et al. 2022, IUPAC Technical Report "Standard
#: atomic weights of the elements 2021", Table 2).
ATOMIC_WEIGHTS = {
    "H": 1.008,
    "Li": 6.94,
    "C": 12.011,
    "N": 14.007,
    "O": 15.999,
    "Na": 22.990,
    "Mg": 24.305,
    "P": 30.974,
    "S": 32.06,
    "Cl": 35.45,
    "K": 39.098,
    "Ca": 40.078,
    "Fe": 55.845,
    "Co": 58.933,
    "Cu": 63.546,
    "Zn": 65.38,
    "I": 126.90,
}


class Analyte(NamedTuple):
    """What a laboratory measures.

    Attributes
    ----------
    formula : str
        Of what is counted in moles; triglycerides are reported as triolein, phosphate as
        phosphorus, urea nitrogen as the two nitrogen atoms of urea.
    valence : int or None
        Equivalents in a mole of an ion.
    """

    formula: str
    valence: int | None = None


ANALYTES = {
    "ammonia": Analyte("NH3"),
    "bicarbonate": Analyte("HCO3", 1),
    "bilirubin": Analyte("C33H36N4O6"),
    "calcium": Analyte("Ca", 2),
    "chloride": Analyte("Cl", 1),
    "cholesterol": Analyte("C27H46O"),
    "copper": Analyte("Cu"),
    "cortisol": Analyte("C21H30O5"),
    "creatinine": Analyte("C4H7N3O"),
    "digoxin": Analyte("C41H64O14"),
    "estradiol": Analyte("C18H24O2"),
    "ethanol": Analyte("C2H6O"),
    "folate": Analyte("C19H19N7O6"),
    "glucose": Analyte("C6H12O6"),
    "homocysteine": Analyte("C4H9NO2S"),
    "iron": Analyte("Fe"),
    "lactate": Analyte("C3H6O3"),
    "lithium": Analyte("Li", 1),
    "magnesium": Analyte("Mg", 2),
    "paracetamol": Analyte("C8H9NO2"),
    "phosphate": Analyte("P"),
    "potassium": Analyte("K", 1),
    "progesterone": Analyte("C21H30O2"),
    "sodium": Analyte("Na", 1),
    "testosterone": Analyte("C19H28O2"),
    "thyroxine": Analyte("C15H11I4NO4"),
    "triglycerides": Analyte("C57H104O6"),
    "triiodothyronine": Analyte("C15H12I3NO4"),
    "urate": Analyte("C5H4N4O3"),
    "urea": Analyte("CH4N2O"),
    "urea_nitrogen": Analyte("N2"),
    "vitamin_b12": Analyte("C63H88CoN14O14P"),
    "vitamin_d_25_oh": Analyte("C27H44O2"),
    "zinc": Analyte("Zn"),
}

OTHER_NAMES = {
    "acetaminophen": "paracetamol",
    "bun": "urea_nitrogen",
    "hdl": "cholesterol",
    "hdl_cholesterol": "cholesterol",
    "ldl": "cholesterol",
    "ldl_cholesterol": "cholesterol",
    "total_bilirubin": "bilirubin",
    "total_cholesterol": "cholesterol",
    "triglyceride": "triglycerides",
    "uric_acid": "urate",
}


def analyte_named(name: str) -> Analyte | None:
    """The analyte of a name, None where it is not listed.

    Examples
    --------
    >>> analyte_named("Uric acid")
    Analyte(formula='C5H4N4O3', valence=None)
    """
    plain = re.sub(r"[\s\-]+", "_", name.strip().lower())
    return ANALYTES.get(OTHER_NAMES.get(plain, plain))


def molar_mass(formula: str) -> float:
    """Grams in a mole of a formula without brackets.

    Examples
    --------
    >>> round(molar_mass("C6H12O6"), 3)
    180.156
    """
    parts = re.findall(r"([A-Z][a-z]?)(\d*)", formula)
    return sum(ATOMIC_WEIGHTS[element] * int(count or 1) for element, count in parts)
