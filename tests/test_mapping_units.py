"""Units as hospitals write them, against factors known from elsewhere."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedlab.core.analytes import ANALYTES, analyte_named, molar_mass
from fedlab.core.units import converted, known_unit
from fedlab.errors import DataError

# Exact by definition: the international yard and pound (1959), BIPM's conventional millimetre of
# mercury, and the zero points of Fahrenheit and Celsius.
EXACT = [
    ("[degF]", "Cel", 98.6, 37.0),
    ("degF", "Cel", 32.0, 0.0),
    ("°F", "K", -459.67, 0.0),
    ("Cel", "[degF]", -40.0, -40.0),
    ("[lb_av]", "kg", 1.0, 0.45359237),
    ("lb", "g", 150.0, 68038.8555),
    ("[oz_av]", "g", 1.0, 28.349523125),
    ("[stone_av]", "kg", 1.0, 6.35029318),
    ("[in_i]", "cm", 70.0, 177.8),
    ("ft", "m", 6.0, 1.8288),
    ("mm[Hg]", "kPa", 1.0, 0.133322387415),
    ("mmHg", "Pa", 1.0, 133.322387415),
    ("cm[H2O]", "Pa", 1.0, 98.0665),
    ("10*3/uL", "10*9/L", 7.5, 7.5),
    ("K/uL", "10*9/L", 7.5, 7.5),
    ("x10^3/uL", "10*9/L", 7.5, 7.5),
    ("10*6/uL", "10*12/L", 4.8, 4.8),
    ("g/dL", "g/L", 13.5, 135.0),
    ("ng/mL", "ug/L", 3.0, 3.0),
    ("U/L", "ukat/L", 60.0, 1.0),
    ("mL/min/{1.73_m2}", "mL/s", 90.0, 1.5),
    ("/min", "Hz", 60.0, 1.0),
    ("a", "d", 1.0, 365.25),
    ("wk", "d", 3.0, 21.0),
    ("%", "1", 12.5, 0.125),
    ("m[IU]/L", "u[IU]/mL", 2.5, 2.5),
    ("mg/mmol", "mg/g", 0.0, 0.0),
    ("kcal", "kJ", 1.0, 4.184),
    ("g/(kg.d)", "mg/kg/d", 2.0, 2000.0),
]


@pytest.mark.parametrize(("unit", "to", "value", "expected"), EXACT)
def test_a_unit_converts_by_its_definition(
    unit: str, to: str, value: float, expected: float
) -> None:
    analyte = "creatinine" if unit == "mg/mmol" else None
    found = converted(np.array([value]), unit, to, analyte=analyte)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


# AMA Manual of Style, 11th edition, section 17.5: what laboratories multiply by to reach SI.
AMA = [
    ("glucose", "mg/dL", "mmol/L", 0.0555),
    ("cholesterol", "mg/dL", "mmol/L", 0.0259),
    ("triglycerides", "mg/dL", "mmol/L", 0.0113),
    ("creatinine", "mg/dL", "umol/L", 88.4),
    ("bilirubin", "mg/dL", "umol/L", 17.104),
    ("bun", "mg/dL", "mmol/L", 0.357),
    ("uric acid", "mg/dL", "umol/L", 59.48),
    ("calcium", "mg/dL", "mmol/L", 0.25),
    ("calcium", "meq/L", "mmol/L", 0.5),
    ("magnesium", "mg/dL", "mmol/L", 0.4114),
    ("magnesium", "meq/L", "mmol/L", 0.5),
    ("phosphate", "mg/dL", "mmol/L", 0.323),
    ("sodium", "meq/L", "mmol/L", 1.0),
    ("potassium", "mEq/L", "mmol/L", 1.0),
    ("iron", "ug/dL", "umol/L", 0.179),
    ("lactate", "mg/dL", "mmol/L", 0.111),
    ("cortisol", "ug/dL", "nmol/L", 27.588),
    ("testosterone", "ng/dL", "nmol/L", 0.0347),
    ("estradiol", "pg/mL", "pmol/L", 3.671),
    ("progesterone", "ng/mL", "nmol/L", 3.18),
    ("thyroxine", "ug/dL", "nmol/L", 12.871),
    ("triiodothyronine", "ng/dL", "nmol/L", 0.0154),
    ("vitamin b12", "pg/mL", "pmol/L", 0.7378),
    ("vitamin d 25 oh", "ng/mL", "nmol/L", 2.496),
    ("folate", "ng/mL", "nmol/L", 2.266),
    ("homocysteine", "mg/L", "umol/L", 7.397),
    ("digoxin", "ng/mL", "nmol/L", 1.281),
    ("acetaminophen", "ug/mL", "umol/L", 6.614),
    ("ethanol", "mg/dL", "mmol/L", 0.2171),
    ("ammonia", "ug/dL", "umol/L", 0.587),
    ("zinc", "ug/dL", "umol/L", 0.153),
    ("copper", "ug/dL", "umol/L", 0.157),
]


@pytest.mark.parametrize(("analyte", "unit", "to", "factor"), AMA)
def test_an_analyte_converts_as_laboratories_do(
    analyte: str, unit: str, to: str, factor: float
) -> None:
    found = converted(np.ones(1), unit, to, analyte=analyte)
    # The published factors are rounded to three or four digits.
    np.testing.assert_allclose(found, factor, rtol=6e-3)


def test_a_given_molar_mass_is_taken_before_the_listed_one() -> None:
    found = converted(np.array([66.5]), "g/L", "mmol/L", analyte="glucose", molar_mass=66_500.0)
    np.testing.assert_allclose(found, 1.0, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(ANALYTES))
def test_there_and_back_again_is_the_same(name: str) -> None:
    there = converted(np.array([3.25]), "mg/dL", "umol/L", analyte=name)
    back = converted(there, "umol/L", "mg/dL", analyte=name)
    np.testing.assert_allclose(back, 3.25, rtol=1e-12)
    assert molar_mass(ANALYTES[name].formula) > 1


@pytest.mark.parametrize(
    ("unit", "to", "analyte"),
    [
        ("mg/dL", "kPa", "glucose"),
        ("mg/dL", "mmol/L", None),
        ("[IU]/L", "mmol/L", "glucose"),
        ("[IU]/L", "U/L", None),
        ("meq/L", "mmol/L", "glucose"),
        ("mmHg", "mg/dL", None),
        ("[pH]", "mmol/L", "sodium"),
        ("Cel", "kg", None),
    ],
)
def test_units_of_different_things_do_not_convert(unit: str, to: str, analyte: str | None) -> None:
    with pytest.raises(DataError, match="measure different things"):
        converted(np.ones(1), unit, to, analyte=analyte)


@pytest.mark.parametrize(
    "text",
    [
        "Mg/dL",  # a megagram in UCUM: nobody means it
        "mgg",
        "Cel/min",
        "9**9**9",
        "10*",
        "m9999",
        "((((m",
        "mg)",
        "mg/dL mg",
        "2",
        "__import__('os')",
        "a" * 1000,
        "m" + "/m" * 29,
        "{",
        "\x00",
    ],
)
def test_what_is_no_unit_is_said_so(text: str) -> None:
    expected = text == "m" + "/m" * 29
    assert known_unit(text) is expected
    if not expected:
        with pytest.raises(DataError, match="A unit must be one"):
            converted(np.ones(1), text, "kg")


@given(st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_unit_or_a_data_error(text: str) -> None:
    with contextlib.suppress(DataError):
        converted(np.ones(1), text, "mmol/L", analyte="glucose")


@given(st.text(alphabet="mgdLulk1023*^/.()[]{}_-+% HgCel", max_size=25))
@settings(max_examples=300, deadline=None)
def test_any_near_unit_is_a_unit_or_a_data_error(text: str) -> None:
    with contextlib.suppress(DataError):
        converted(np.ones(1), text, "mmol/L", analyte="glucose")


def test_missing_stays_missing_and_an_unknown_analyte_is_none() -> None:
    assert np.isnan(converted(np.array([np.nan]), "mg/dL", "mmol/L", analyte="glucose")).all()
    assert analyte_named("phlogiston") is None


@pytest.mark.parametrize(
    ("unit", "to", "factor"),
    [
        ("Tsd/µl", "10*9/L", 1),
        ("Tsd./µl", "10*9/L", 1),
        ("Mio/µl", "10*12/L", 1),
        ("10³/µl", "10*9/L", 1),
        ("10⁹/L", "10*9/L", 1),
        ("mg/24h", "mg/d", 1),
        ("mg/24 h", "mg/d", 1),
        ("ml/min/1.73m2", "mL/min/{1.73_m2}", 1),
        ("mL/min/1.73 m²", "mL/min/1.73m2", 1),
        ("ml/min/1,73m^2", "mL/min/1.73m2", 1),
        ("mL/min/1.73.m2", "mL/min/1.73m2", 1),
        ("mval/l", "meq/L", 1),
        ("mU/l", "uU/mL", 1),
    ],
)
def test_units_as_european_laboratories_write_them(unit: str, to: str, factor: float) -> None:
    assert converted(np.array([2.0]), unit, to)[0] == pytest.approx(2.0 * factor)


@pytest.mark.parametrize("unit", ["103/µl", "mg/25h", "mL/min/1.74m2", "mL/1.73", "Tsd"])
def test_what_only_looks_like_them_is_no_unit(unit: str) -> None:
    assert not known_unit(unit)
