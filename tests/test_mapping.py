"""A mapping's file: what it may say, and every fault with its line."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedlab.errors import DataError
from fedlab.site.mapping import FeatureMapping, Mapping

MERCY = """\
version: 1
target:
  name: died
  column: STATUS
  values: {Deceased: 1, Home: 0}
patient: MRN
dates: "%m/%d/%Y"
missing: ["", NA, -9]
features:
  age: {derive: "years_between(BIRTH, ADMIT)", range: [0, 110], outside: error}
  temperature: {column: TEMP_F, unit: "[degF]", to: Cel, range: [30, 45], outside: keep}
  albumin: {column: ALB, unit: g/dL, to: umol/L, molar_mass: 66500}
  height: {column: HT, unit: in, to: m, helper: true}
  bmi: {derive: WT / height ** 2, missing: [0]}
  ward: {column: WARD, categories: [no, 12, "a: b"]}
  diabetes:
    column: DX
    values:
      E10*: type 1
      "E11*": type 2
      001: none
  lab: LAB
"""


def faults(text: str | bytes, form: Literal["yaml", "toml"] = "yaml") -> list[tuple[int, str]]:
    """Lines and paths of all faults, as the error tells them."""
    with pytest.raises(DataError) as error:
        Mapping.parse(text, form, name="x.yaml")
    assert error.value.remedy
    assert error.value.rule
    found = re.findall(r"^  x\.yaml, line (\d+)(?:, ([^:]*))?: ", error.value.came, re.MULTILINE)
    assert found, error.value.came
    return [(int(line), path) for line, path in found]


def test_a_file_says_what_it_says() -> None:
    mapping = Mapping.parse(MERCY)
    features = {feature.name: feature for feature in mapping.features}
    assert mapping.target == FeatureMapping(
        "died", column="STATUS", values=(("Deceased", 1), ("Home", 0))
    )
    assert (mapping.patient, mapping.missing) == ("MRN", ("", "NA", "-9"))
    assert features["lab"] == FeatureMapping("lab", column="LAB")
    assert features["temperature"].range == (30.0, 45.0)
    # What YAML 1.1 would take for false, an octal number and a number is what was written.
    assert features["ward"].categories == ("no", "12", "a: b")
    assert features["diabetes"].values[2] == ("001", "none")
    assert features["diabetes"].listed == ("type 1", "type 2", "none")


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".toml"])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    mapping = Mapping.parse(MERCY)
    path = mapping.write(tmp_path / f"mercy{suffix}")
    assert Mapping.read(path) == mapping
    assert Mapping.from_dict(mapping.to_dict()) == mapping


def test_python_writes_one_too() -> None:
    mapping = Mapping(
        target=FeatureMapping("died", column="STATUS", values={"Deceased": 1}),  # type: ignore[arg-type]
        features=[FeatureMapping("age", column="AGE", range=[0, 110])],  # type: ignore[arg-type]
    )
    assert Mapping.from_dict(mapping.to_dict()) == mapping
    assert "2 features" not in repr(mapping)
    assert "1 features" in repr(mapping)
    assert hash(mapping) == hash(Mapping.from_dict(mapping.to_dict()))
    with pytest.raises(DataError, match="mapped once"):
        Mapping(features=(FeatureMapping("a", column="A"), FeatureMapping("a", column="B")))
    with pytest.raises(DataError, match="must be FeatureMapping"):
        Mapping(features=("age",))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"features\.age\.unit: A unit must come with"):
        Mapping(features=(FeatureMapping("age", column="A", unit="a"),))


# Each fault alone: the text, its line and its path.
A = "features:\n  a:\n    column: A\n"
ONE = [
    ("", 1, ""),
    ("just text", 1, ""),
    ("- a\n- b", 1, ""),
    ("target: died\nfeatures:", 2, "features"),
    ("target: died\n", 1, ""),
    ("featurs:\n  a: A\nfeatures:\n  a: A", 1, "featurs"),
    ("features:\n  a: A\n  b: {colum: B, column: B}", 3, "features.b.colum"),
    ("features:\n  a: A\n  a: B", 3, "features.a"),
    (f"{A}    column: B", 4, "features.a.column"),
    ("features:\n  a: {}", 2, "features.a"),
    ("features:\n  a: 7", 2, "features.a"),
    ("features:\n  a: [x]", 2, "features.a"),
    ("features:\n  a:\n    column: ''", 3, "features.a.column"),
    (f"{A}    derive: B + 1", 4, "features.a.derive"),
    (f"{A}    unit: mg/dL", 4, "features.a.unit"),
    (f"{A}    to: mg/dL", 4, "features.a.to"),
    (f"{A}    unit: mgg\n    to: kg", 4, "features.a.unit"),
    (f"{A}    unit: kg\n    to: kgg", 5, "features.a.to"),
    ("features:\n  bun:\n    column: A\n    unit: mg/dL\n    to: kPa", 4, "features.bun.unit"),
    ("features:\n  x:\n    column: A\n    unit: mg/dL\n    to: mmol/L", 4, "features.x.unit"),
    (f"{A}    analyte: glucose", 4, "features.a.analyte"),
    (f"{A}    unit: g\n    to: kg\n    analyte: glucos", 6, "features.a.analyte"),
    (f"{A}    unit: g\n    to: kg\n    molar_mass: -1", 6, "features.a.molar_mass"),
    (f"{A}    range: [3]", 4, "features.a.range"),
    (f"{A}    range: [3, 1]", 4, "features.a.range"),
    (f"{A}    range: [.nan, .inf]", 4, "features.a.range"),
    (f"{A}    range: [1, 2]\n    outside: drop", 5, "features.a.outside"),
    (f"{A}    outside: keep", 4, "features.a.outside"),
    (f"{A}    values: [1, 2]", 4, "features.a.values"),
    (f"{A}    values: {{}}", 4, "features.a.values"),
    (f"{A}    values:\n      Y: true", 5, "features.a.values"),
    (f"{A}    values:\n      Y:", 5, "features.a.values"),
    (f"{A}    values:\n      E1*1: x", 5, "features.a.values"),
    (f"{A}    values:\n      ' M': x", 5, "features.a.values"),
    (f"{A}    categories: [x, y]\n    values:\n      M: z", 6, "features.a.values"),
    (f"{A}    categories: [x, x]", 4, "features.a.categories"),
    (f"{A}    categories: []", 4, "features.a.categories"),
    (f"{A}    categories: [x]\n    range: [0, 1]", 5, "features.a.range"),
    (f"{A}    helper: perhaps", 4, "features.a.helper"),
    (f"{A}    helper: true", 1, "features"),
    (f"{A}    missing: {{a: b}}", 4, "features.a.missing"),
    ("features:\n  a:\n    derive: b.c", 3, "features.a.derive"),
    ("features:\n  a:\n    derive: 'where(B > 1, \"x\", \"y\")'", 3, "features.a.derive"),
    ("features:\n  a: {derive: b + 1}\n  b: {derive: a + 1}", 2, "features.a"),
    ("features:\n  a: A\ntarget: a", 3, "target"),
    ("features:\n  a: A\ntarget:\n  column: X", 4, "target"),
    ("features:\n  a: A\ntarget:\n  name: t\n  column: X\n  helper: true", 3, "target"),
    ("features:\n  a: A\nevent: e", 3, "event"),
    ("features:\n  a: A\npatient: [a]", 3, "patient"),
    ("features:\n  a: A\npatient: a", 3, "patient"),
    ("features:\n  a: A\ndates: '%Q'", 3, "dates"),
    ("features:\n  a: A\ndates: '%Y'", 3, "dates"),
    ("features:\n  a: A\nversion: 2", 3, "version"),
    ("features:\n  a: &x A\n  b: *x", 3, ""),
    ("features:\n  a: !!python/object/apply:os.system [x]", 2, "features.a"),
    ("features:\n  a: !x A", 2, "features.a"),
    ("features:\n  ? [a]\n  : A\n  b: B", 2, "features"),
    ("features:\n  <<: {a: A}", 2, "features.<<"),
    ("features:\n  a: A\n---\nb: c", 3, ""),
    ("features:\n  a: A\n bad", 3, ""),
    ("features:\n\ta: A", 2, ""),
    ("features:\n  a: 'A", 2, ""),
    ("features:\n  a: \x07", 2, ""),
    ("features: " + "[" * 5000, 1, ""),
    ("features:\n  a: " + "[" * 30 + "]" * 30, 2, "features.a"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "path"), ONE, ids=range(len(ONE)))
def test_a_fault_is_told_with_its_line_and_path(text: str, line: int, path: str) -> None:
    found = faults(text)
    if path.endswith(".<<"):
        # A merge is an odd name of a feature, no way to bring in more.
        assert found[0][0] == line
        return
    assert found[0] == (line, path)


def test_all_faults_are_told_at_once_in_the_order_of_lines() -> None:
    text = "\n".join(
        [
            "taget: died",
            "features:",
            "  a: {column: A, unit: mgg, to: kg}",
            "  b: {colum: B}",
            "  a: A",
            "  c: {column: C, values: {M: mal}, categories: [male]}",
            "  d: {derive: C.real}",
        ]
    )
    assert [line for line, _ in faults(text)] == [1, 3, 4, 4, 5, 6, 7]
    with pytest.raises(DataError, match=r"(?s)Did you mean 'target'\?.*Did you mean 'male'\?"):
        Mapping.parse(text)


TOML = """\
target = "died"

[features.a]
column = "A"
values = [
  1,
]

[features."b c"]
derive = '''
x.y'''

[features]
d.colum = "D"
e = { column = "E", unit = "mgg", to = "kg" }
"""


def test_toml_has_lines_too() -> None:
    assert faults(TOML, "toml") == [
        (5, "features.a.values"),
        (10, "features.b c.derive"),
        (14, "features.d.colum"),
        (14, "features.d"),
        (15, "features.e.unit"),
    ]


BROKEN_TOML = [
    ("", 1),
    ('a = "b"\nc', 2),
    ('features.a = "A"\nfeatures.a = "B"', 2),
    ("[features]\n[features]", 2),
    ("a = 1\nb = [" + "\n1," * 200 + "]", 2),
    ("a = " + "[" * 3000, 1),
    ("a = " + "9" * 5000, 1),
    ("a = 2020-99-99", 1),
    ('a = """x\n\n', 3),
]


@pytest.mark.parametrize(("text", "line"), BROKEN_TOML, ids=range(len(BROKEN_TOML)))
def test_broken_toml_is_told_with_its_line(text: str, line: int) -> None:
    assert faults(text, "toml")[0][0] == line


def test_files_that_are_none_are_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="YAML or TOML"):
        Mapping.read(tmp_path / "x.json")
    with pytest.raises(DataError, match="missing, unreadable or larger"):
        Mapping.read(tmp_path / "x.yaml")
    with pytest.raises(DataError, match="missing, unreadable or larger"):
        Mapping.read("a\x00.yaml")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"features:\n" + b"  a: A\n" * 40_000)
    with pytest.raises(DataError, match="larger"):
        Mapping.read(large)
    with pytest.raises(DataError, match="written as YAML or TOML"):
        Mapping.parse(MERCY).write(tmp_path / "x.json")
    with pytest.raises(DataError, match="where files can be"):
        Mapping.parse(MERCY).write(tmp_path / "no" / "x.yaml")
    assert faults(b"features:\n  a: \xff\n")[0] == (2, "")


def test_a_table_of_patients_in_its_place_is_not_quoted() -> None:
    # R30
    for form in ("yaml", "toml"):
        with pytest.raises(DataError) as error:
            Mapping.parse("mrn,name\n1,Jane Doe\n2,John: Roe\n", form)
        assert "Doe" not in str(error.value)
        assert "Roe" not in str(error.value)
        assert error.value.__context__ is None or "Doe" not in str(error.value.__context__)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"features": {"a": object()}},
        {"features": {("a",): "A"}},
        {"features": {"a": {"column": "A", "range": [0, float("nan")]}}},
        {
            "features": {"a": {"column": "A", "values": {"x": 10**400}}},
            "target": 7.5,
            "event": None,
        },
        {"features": {"a": {"column": "A", "range": [float("-inf"), 10**400]}}},
        {"features": {"a": {"column": b"A"}}},
        {"features": [[[[[[[[[[[[]]]]]]]]]]]]},
        {"features": {"a\nb": "A"}},
    ],
)
def test_a_wrong_dictionary_is_a_data_error(settings: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        Mapping.from_dict(settings)


@given(st.binary(max_size=300), st.sampled_from(["yaml", "toml"]))
@settings(max_examples=250, deadline=None)
def test_any_bytes_are_a_mapping_or_a_data_error(
    data: bytes, form: Literal["yaml", "toml"]
) -> None:
    with contextlib.suppress(DataError):
        Mapping.parse(data, form)


WORDS = st.sampled_from(
    [
        "features:",
        "target:",
        "a:",
        "column:",
        "unit:",
        "to:",
        "values:",
        "range:",
        "derive:",
        "missing:",
        "categories:",
        "name:",
        "{",
        "}",
        "[",
        "]",
        ",",
        "*",
        "&",
        "!",
        "|",
        ">",
        "-",
        "?",
        ":",
        "mg/dL",
        "mmol/L",
        "Cel",
        "E11*",
        "1",
        "-9",
        "1.5",
        ".inf",
        "null",
        "true",
        "no",
        "~",
        "0o7",
        "0x1",
        "1_0",
        "2020-01-01",
        "x+y",
        "where(x,1,2)",
        '"q"',
        "'",
        "#",
        "---",
        "...",
        "<<",
        "=",
        "[features]",
        "[features.a]",
        "a=",
        '"a"="b"',
        "\t",
    ]
)
LINES = st.lists(st.tuples(st.integers(0, 6), st.lists(WORDS, max_size=5)), max_size=12).map(
    lambda lines: "\n".join(" " * indent + " ".join(words) for indent, words in lines)
)


@given(LINES, st.sampled_from(["yaml", "toml"]))
@settings(max_examples=300, deadline=None)
def test_any_lines_of_its_words_are_a_mapping_or_a_data_error(
    text: str, form: Literal["yaml", "toml"]
) -> None:
    try:
        mapping = Mapping.parse(text, form)
    except DataError:
        return
    assert Mapping.from_dict(mapping.to_dict()) == mapping


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)
CODES = NAMES.filter(lambda text: "*" not in text[:-1])
MEANINGS = st.one_of(
    st.dictionaries(CODES, NAMES, min_size=1, max_size=4),
    st.dictionaries(CODES, st.integers(-9, 10**12), min_size=1, max_size=4),
    st.dictionaries(CODES, st.floats(-1e200, 1e200), min_size=1, max_size=4),
)
FEATURES = st.dictionaries(
    NAMES,
    st.one_of(
        st.fixed_dictionaries({"column": NAMES}, optional={"values": MEANINGS}),
        st.fixed_dictionaries(
            {
                "column": NAMES,
                "range": st.tuples(st.floats(-1e9, 0), st.floats(1e-9, 1e9)).map(list),
                "outside": st.sampled_from(["missing", "keep", "error"]),
            },
            optional={"missing": st.lists(NAMES, min_size=1, max_size=3, unique=True)},
        ),
        st.fixed_dictionaries(
            {"column": NAMES, "categories": st.lists(NAMES, min_size=1, max_size=4, unique=True)}
        ),
    ),
    min_size=1,
    max_size=4,
)


@given(FEATURES)
@settings(max_examples=60, deadline=None)
def test_any_mapping_is_written_and_read_back(features: dict[str, Any]) -> None:
    from fedlab.site.mapping.writing import to_toml, to_yaml

    mapping = Mapping.from_dict({"features": features})
    assert Mapping.parse(to_yaml(mapping.to_dict()), "yaml") == mapping
    assert Mapping.parse(to_toml(mapping.to_dict()), "toml") == mapping


def test_names_are_escaped_where_it_is_shown() -> None:
    mapping = Mapping.from_dict({"features": {"<b>a</b>": "<i>A</i>"}, "patient": "<u>"})
    html = mapping._repr_html_()
    assert "<b>" not in html
    assert "<i>" not in html
    assert "<u>" not in html
    assert "&lt;b&gt;" in html


@pytest.mark.parametrize("path", [3, None, b"mercy.yaml"])
def test_what_is_no_path_is_said_so(path: Any) -> None:
    with pytest.raises(DataError, match="path of a file"):
        Mapping.read(path)
