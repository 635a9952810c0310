"""Mappings that are proposed: right where they are sure, and blank elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fedlab as fl
from fedlab.errors import DataError
from fedlab.site.mapping import Mapping
from fedlab.site.mapping.naming import likeness, means, unit_in_name
from fedlab.site.mapping.suggestion import SURE, Suggestion, suggest_mapping
from fedlab.site.mapping.wanted import Feature, wanted_features
from tests.builders import OPEN
from tests.test_mapping_apply import american, clean

WANTED = [
    Feature("temperature", unit="Cel", range=(30, 45)),
    Feature("weight", unit="kg", range=(20, 300)),
    Feature("height", unit="m", range=(0.5, 2.5)),
    Feature("glucose", unit="mmol/L", range=(1, 50)),
    Feature("creatinine", unit="umol/L", range=(10, 1500)),
    Feature("platelets", unit="10*9/L", range=(5, 1500)),
    Feature("sex", categories=("female", "male")),
    Feature("lactate", unit="mmol/L", range=(0, 30)),
    Feature("died", role="target"),
]


def test_american_columns_are_found_with_their_units_and_codes() -> None:
    table = american(clean()).assign(DIED=clean()["died"]).drop(columns="DISPO")
    found = suggest_mapping(table, WANTED)
    assert found.frame["column"].where(found.frame["column"].notna(), "").to_dict() == {
        "temperature": "TEMP_F",
        "weight": "Body Weight",
        "height": "HT_IN",
        "glucose": "GLU",
        "creatinine": "CREAT",
        "platelets": "PLT",
        "sex": "GENDER",
        "lactate": "",
        "died": "DIED",
    }
    assert found.patient == "MRN"
    assert found.blank == ("lactate",)
    units = found.frame["unit"]
    assert units["weight"] == "[lb_av]"
    assert units["glucose"] == "mg/dL"
    assert units["temperature"] == "[degF]"
    assert units["creatinine"] == "mg/dL"
    mapped = found.mapping.apply(table).frame
    for name in ("temperature", "weight", "height", "glucose", "platelets", "creatinine"):
        np.testing.assert_allclose(mapped[name], clean()[name], rtol=1e-12)
    assert mapped["sex"].astype(object).equals(clean()["sex"].astype(object))


def test_a_suggestion_is_written_and_read(tmp_path: Path) -> None:
    table = american(clean())
    found = suggest_mapping(table, WANTED)
    for suffix in ("yaml", "toml"):
        path = found.write(tmp_path / f"x.{suffix}")
        assert Mapping.read(path) == found.mapping
        assert "# Left blank: lactate" in path.read_text()
        # Another hospital's file tells what the federation wants.
        again = suggest_mapping(table, path)
        assert again.frame["column"].dropna().equals(found.frame["column"].dropna())


def rows_of(found: Suggestion) -> dict[Any, dict[Any, Any]]:
    """The lines of a suggestion, by feature."""
    return found.frame.to_dict("index")


def column_for(feature: Feature, name: str, values: Any) -> tuple[Any, float]:
    """Proposed unit, or None where it is left blank, and confidence."""
    table = pd.DataFrame({name: values, "other": range(len(values))})
    found = suggest_mapping(table, [feature])
    row = rows_of(found)[feature.name]
    return (None if found.blank else row["unit"]), row["confidence"]


TEMPERATURE = Feature("temperature", unit="Cel", range=(30, 45))


@pytest.mark.parametrize(
    ("feature", "name", "values", "unit"),
    [
        (TEMPERATURE, "temp", [98.6, 99.5, 101.0], "[degF]"),
        (TEMPERATURE, "temp", [36.6, 37.5, 39.0], "Cel"),
        # The name tells, and the values agree.
        (TEMPERATURE, "temp_f", [98.6, 99.5], "[degF]"),
        # The name tells otherwise than the values: nothing is guessed.
        (TEMPERATURE, "temp_c", [98.6, 99.5], None),
        (TEMPERATURE, "temp", [1.0, 2.0], None),
        (Feature("height", unit="m", range=(0.5, 2.5)), "HT", [65, 70, 61], "[in_i]"),
        (Feature("height", unit="m", range=(0.5, 2.5)), "HT", [165, 170, 181], "cm"),
        (Feature("glucose", unit="mmol/L", range=(1, 50)), "glucose_mg_dl", [90, 120], "mg/dL"),
        (Feature("glucose", unit="mmol/L", range=(1, 50)), "glucose", [5.1, 7], "mmol/L"),
        (Feature("glucose", unit="mmol/L", range=(1, 50)), "glucose", ["a", "b"], None),
        (Feature("calcium", unit="mmol/L", range=(1, 4)), "Ca (mg/dL)", [9.1, 9.6], "mg/dL"),
        (Feature("bun", unit="mmol/L", range=(1, 60)), "BUN", [14, 60], "mg/dL"),
    ],
)  # fmt: skip
def test_a_unit_is_found_by_name_or_by_range_or_left_blank(
    feature: Feature, name: str, values: Any, unit: str | None
) -> None:
    found, confidence = column_for(feature, name, values)
    assert found == unit
    assert (confidence >= SURE) == (unit is not None)


def test_what_nothing_tells_is_less_sure_and_says_so() -> None:
    table = pd.DataFrame({"weight": [150.0, 180.0]})
    found = suggest_mapping(table, [Feature("weight", unit="kg")])
    assert "which nothing tells" in rows_of(found)["weight"]["reason"]
    assert rows_of(found)["weight"]["confidence"] < 0.8
    two = suggest_mapping(
        pd.DataFrame({"HT": [65, 70]}), [Feature("height", unit="m", range=(0.5, 2.5))]
    )
    assert "but also in cm" in rows_of(two)["height"]["reason"]


def test_numbers_for_categories_are_not_guessed() -> None:
    feature = Feature("sex", categories=("female", "male"))
    found = suggest_mapping(pd.DataFrame({"sex": [1, 2, 1]}), [feature])
    assert found.blank == ("sex",)
    with pytest.raises(DataError, match="none of them was found"):
        _ = found.mapping
    married = Feature("status", categories=("male", "married"))
    assert suggest_mapping(pd.DataFrame({"status": ["m", "m"]}), [married]).blank == ("status",)


def test_columns_of_one_name_go_to_one_feature_each() -> None:
    features = [Feature("systolic blood pressure"), Feature("diastolic blood pressure")]
    table = pd.DataFrame({"dbp": [80, 70], "sbp": [120, 130], "bp": [1, 2]})
    frame = suggest_mapping(table, features).frame
    assert frame["column"].tolist() == ["sbp", "dbp"]
    both = suggest_mapping(pd.DataFrame({"glucose": [5, 6]}), [Feature("glucose"), Feature("glu")])
    assert len(both.blank) == 1
    assert "another feature's" in rows_of(both)[both.blank[0]]["reason"]


def test_a_target_of_words_is_made_of_zeros_and_ones() -> None:
    table = pd.DataFrame({"age": [40, 50, 60], "deceased": ["Y", "N", "N"]})
    found = suggest_mapping(table, [Feature("age"), Feature("died", role="target")])
    assert found.mapping.apply(table).frame["died"].tolist() == [1, 0, 0]
    unknown = table.assign(deceased=["Y", "N", "transferred"])
    assert (
        "died" in suggest_mapping(unknown, [Feature("age"), Feature("died", role="target")]).blank
    )


def test_it_does_not_depend_on_the_order_of_columns() -> None:
    table = american(clean())
    first = suggest_mapping(table, WANTED).frame
    second = suggest_mapping(table[list(table.columns)[::-1]], WANTED).frame
    pd.testing.assert_frame_equal(first, second)


def test_features_come_from_a_schema_a_site_a_federation_or_a_mapping() -> None:
    table = clean()[["age", "sex", "died"]]
    sites = [
        fl.Site(name, table, target="died", ranges={"age": (0, 120)}, policy=OPEN) for name in "ab"
    ]
    for source in (sites[0].schema, sites[0], fl.Federation(sites, seed=1)):
        wanted = wanted_features(source)
        assert [each.name for each in wanted] == ["age", "sex", "died"]
        assert [each.range for each in wanted] == [(0, 120), None, None]
        assert [each.categories for each in wanted] == [(), ("female", "male"), ()]
        assert [str(each.role) for each in wanted] == ["feature", "feature", "target"]
    mapping = suggest_mapping(american(clean()), WANTED).mapping
    assert {each.name for each in wanted_features(mapping)} < {each.name for each in WANTED}


@pytest.mark.parametrize(
    "features", [None, 7, [], ["age"], [Feature("a"), Feature("a")], pd.DataFrame(), "x.json"]
)
def test_wrong_features_are_refused(features: Any) -> None:
    with pytest.raises(DataError):
        suggest_mapping(pd.DataFrame({"a": [1]}), features)


@pytest.mark.parametrize(
    "settings",
    [
        {"name": ""},
        {"name": 7},
        {"unit": "quux"},
        {"range": (2, 1)},
        {"kind": "text"},
        {"kind": "category"},
        {"kind": "number", "categories": ("a",)},
        {"role": "helper"},
    ],
)
def test_a_wrong_feature_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="A feature needs a name"):
        Feature(**{"name": "a", **settings})


def test_a_file_of_features_has_lines_too(tmp_path: Path) -> None:
    path = tmp_path / "features.yaml"
    path.write_text("features:\n  a: {unit: quux}\n  b: {knd: number}\n  c: {analyte: x}\n")
    with pytest.raises(DataError, match=r"(?s)line 2, .*a\.unit.*line 3.*'kind'.*line 4"):
        wanted_features(path)
    path.write_text(
        "features:\n  age: {unit: a, range: [0, 120]}\n  ward: {categories: [n, s]}\ntarget: died\n"
    )
    assert wanted_features(path) == (
        Feature("age", unit="a", range=(0, 120)),
        Feature("ward", categories=("n", "s")),
        Feature("died", role="target"),
    )
    path.write_text("- a")
    with pytest.raises(DataError, match="line 1"):
        wanted_features(path)


def test_no_cell_is_in_what_is_shown() -> None:
    table = pd.DataFrame({"sex": ["F", "Jane Doe"] * 9, "glucose": [7.12345] * 18})  # R30
    found = suggest_mapping(table, WANTED)
    for text in (repr(found), found._repr_html_()):
        assert "Doe" not in text
        assert "7.12345" not in text
    evil = suggest_mapping(pd.DataFrame({"<b>": [1]}), [Feature("<b>")])
    assert "<b>" not in evil._repr_html_()


CELLS = st.one_of(st.none(), st.text(max_size=3), st.floats(), st.binary(max_size=2))


@given(
    st.dictionaries(
        st.text(max_size=12),
        st.lists(CELLS, min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    )
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_table_gets_a_suggestion_that_can_be_shown(table: dict[str, Any]) -> None:
    found = suggest_mapping(pd.DataFrame(table), WANTED)
    assert found.frame["confidence"].between(0, 1).all()
    assert found._repr_html_()


@given(st.text(max_size=20), st.text(max_size=20))
def test_likeness_is_a_share_and_the_same_both_ways(first: str, second: str) -> None:
    found = likeness(first, second)
    assert 0 <= found <= 1
    assert found == likeness(second, first)
    assert likeness(first, first) == 1


@pytest.mark.parametrize(
    ("name", "full", "unit"),
    [
        ("Wt_lbs", "weight", "[lb_av]"),
        ("serumGlucose", "glucose", None),
        ("Na (mmol/L)", "sodium", "mmol/L"),
        ("heightCm", "height", "cm"),
        ("in", "in", None),
        ("c", "c", None),
        ("HR [bpm]", "heart rate", "bpm"),
        ("temp_degF", "temperature", "[degF]"),
    ],
)
def test_a_name_is_read_with_its_unit(name: str, full: str, unit: str | None) -> None:
    assert (means(name), unit_in_name(name)) == (full, unit)
