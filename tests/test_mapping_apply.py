"""A mapping applied: the same table as the clean one, and nothing guessed on the way."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedlab.errors import DataError
from fedlab.site.mapping import Mapping
from fedlab.site.mapping.evaluation import Operand
from fedlab.site.mapping.expressions import Expression


def clean(n_rows: int = 400, seed: int = 5) -> pd.DataFrame:
    """A table in the federation's words and units."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 100, n_rows).astype(float),
            "temperature": random.normal(37.2, 0.8, n_rows),
            "weight": random.normal(80, 15, n_rows),
            "glucose": random.gamma(6, 1, n_rows),
            "creatinine": random.gamma(8, 11, n_rows),
            "calcium": random.normal(2.4, 0.1, n_rows),
            "platelets": random.gamma(20, 12, n_rows),
            "sex": random.choice(["female", "male"], n_rows),
            "diabetes": random.choice(["none", "type 1", "type 2"], n_rows),
            "died": random.integers(0, 2, n_rows),
        }
    )
    frame["height"] = random.normal(1.7, 0.1, n_rows)
    frame["bmi"] = frame["weight"] / frame["height"] ** 2
    for name in ("glucose", "sex"):
        frame.loc[random.random(n_rows) < 0.1, name] = np.nan
    frame["sex"] = pd.Categorical(frame["sex"], categories=["female", "male"])
    frame["diabetes"] = pd.Categorical(frame["diabetes"], categories=["none", "type 1", "type 2"])
    return frame


def american(frame: pd.DataFrame, seed: int = 5) -> pd.DataFrame:
    """The same patients as an American hospital records them, converted by hand."""
    random = np.random.default_rng(seed)
    n_rows = len(frame)
    born = [
        datetime.date(1950, 1, 1) + datetime.timedelta(int(d))
        for d in random.integers(0, 9999, n_rows)
    ]
    admitted = []
    for birth, age in zip(born, frame["age"], strict=True):
        # Between this birthday and the next.
        last = datetime.date(birth.year + int(age), birth.month, min(birth.day, 28))
        admitted.append(last + datetime.timedelta(int(random.integers(3, 360))))
    coded = frame["sex"].astype(object).map({"female": "F", "male": "M"})
    diagnoses = {"none": ["I10", "J45.1"], "type 1": ["E10.9"], "type 2": ["E11.65", "E11"]}
    glucose = frame["glucose"] * 18.0156
    return pd.DataFrame(
        {
            "MRN": [f"m{i:05}" for i in range(n_rows)],
            "BIRTH": [f"{d:%m/%d/%Y}" for d in born],
            "ADMIT": [f"{d:%m/%d/%Y}" for d in admitted],
            "TEMP_F": frame["temperature"] * 9 / 5 + 32,
            "Body Weight": frame["weight"] / 0.45359237,
            "HT_IN": frame["height"] / 0.0254,
            "GLU": [" NA " if math.isnan(each) else repr(float(each)) for each in glucose],
            "CREAT": frame["creatinine"] / 1e6 * 113.12 * 1000 / 10,
            "CA": frame["calcium"] * 2,
            "PLT": frame["platelets"],
            "GENDER": coded.where(coded.notna(), "-9"),
            "DX": [random.choice(diagnoses[each]) for each in frame["diabetes"]],
            "DISPO": np.where(frame["died"] == 1, "Expired", "Home"),
        }
    )


MERCY: dict[str, Any] = {
    "target": {"name": "died", "column": "DISPO", "values": {"Expired": 1, "Home": 0}},
    "patient": "MRN",
    "dates": "%m/%d/%Y",
    "missing": ["", "NA", -9],
    "features": {
        "age": {"derive": "years_between(BIRTH, ADMIT)"},
        "temperature": {"column": "TEMP_F", "unit": "[degF]", "to": "Cel"},
        "weight": {"column": "Body Weight", "unit": "[lb_av]", "to": "kg"},
        "glucose": {"column": "GLU", "unit": "mg/dL", "to": "mmol/L"},
        # By hand above: C4H7N3O with the same atomic weights, 113.12 g/mol.
        "creatinine": {"column": "CREAT", "unit": "mg/dL", "to": "umol/L"},
        "calcium": {"column": "CA", "unit": "meq/L", "to": "mmol/L"},
        "platelets": {"column": "PLT", "unit": "10*3/uL", "to": "10*9/L"},
        "sex": {
            "column": "GENDER",
            "values": {"M": "male", "F": "female"},
            "categories": ["female", "male"],
        },
        "diabetes": {
            "column": "DX",
            "values": {"*": "none", "E10*": "type 1", "E11*": "type 2"},
        },
        "height": {"column": "HT_IN", "unit": "[in_i]", "to": "m"},
        "bmi": {"derive": "weight / height ** 2"},
    },
}  # fmt: skip


def test_a_table_in_other_units_and_codes_equals_the_clean_one() -> None:
    expected = clean()
    mapped = Mapping.from_dict(MERCY).apply(american(expected))
    assert list(mapped.frame.columns) == [*MERCY["features"], "died", "MRN"]
    for name in mapped.frame.columns.drop("MRN"):
        found, wanted = mapped.frame[name], expected[name]
        if isinstance(wanted.dtype, pd.CategoricalDtype):
            assert found.dtype == wanted.dtype
            assert found.astype(object).equals(wanted.astype(object))
        else:
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    assert mapped.frame["died"].dtype == np.int64
    counts = mapped.report.frame
    assert counts.loc["glucose", "missing"] == expected["glucose"].isna().sum()
    assert counts.loc["sex", "missing"] == expected["sex"].isna().sum()
    assert counts[["unmapped", "outside"]].to_numpy().sum() == 0
    assert mapped.unmapped == {}


def one(cells: Any, /, **rule: Any) -> tuple[list[Any], dict[str, int], list[bool]]:
    """One feature of one column: its values, counts, and unmapped rows."""
    mapping = Mapping.from_dict({"features": {"x": {"column": "X", **rule}}})
    mapped = mapping.apply(pd.DataFrame({"X": cells}))
    found = mapped.frame["x"].astype(object)
    counts = mapped.report.counts["x"]
    flags = mapped.unmapped.get("x", np.zeros(len(found), dtype=bool))
    return found.where(found.notna(), None).tolist(), counts, flags.tolist()


def test_a_value_in_no_map_is_neither_missing_nor_zero() -> None:
    found, counts, flags = one(["a", "b", None, " a", ""], values={"a": 0})  # R34
    assert found == [0.0, None, None, 0.0, None]
    assert counts == {"mapped": 2, "missing": 2, "unmapped": 1, "outside": 0}
    assert flags == [False, True, False, False, False]


def test_the_longest_beginning_of_a_code_holds() -> None:
    values = {"*": "other", "E11*": "type 2", "E11.6*": "with complications", "E11.65": "exact"}
    found, _, flags = one(["E11.65", "E11.69", "E11", "E1", None], values=values)
    assert found == ["exact", "with complications", "type 2", "other", None]
    assert not any(flags)


@pytest.mark.parametrize(
    ("cells", "codes", "expected"),
    [
        ([1, 2], {"1": "a", "2": "b"}, ["a", "b"]),
        ([1.0, None], {"1": "a"}, ["a", None]),
        ([1, 2], {"001": "a", "2.0": "b"}, ["a", "b"]),
        (["001", "1"], {"001": "a", "1": "b"}, ["a", "b"]),
        ([True, False], {"true": "a", "False": "b"}, ["a", "b"]),
        ([True, False], {"1": "a", "0": "b"}, ["a", "b"]),
        (pd.Categorical(["x", None]), {"x": "a"}, ["a", None]),
        (pd.array([1, None], dtype="Int64"), {"1": "a"}, ["a", None]),
        (["E*", "E1"], {"E*": "a"}, ["a", "a"]),
        ([-9, 1], {"1": "a", "-9": "b"}, ["b", "a"]),
        ([0.5, 1.5], {"0.5": "a", "1.5": "b"}, ["a", "b"]),
    ],
)
def test_codes_are_found_whatever_type_the_column_has(
    cells: Any, codes: dict[str, str], expected: list[Any]
) -> None:
    assert one(cells, values=codes)[0] == expected


def test_one_number_that_stands_for_two_codes_is_refused() -> None:
    with pytest.raises(DataError, match="each code must be another number"):
        one([1, 2], values={"001": "a", "1": "b", "2": "c"})
    with pytest.raises(DataError, match="lists or tables"):
        one([[1], [2]], values={"1": "a"})


def test_what_is_no_number_is_unmapped_in_a_numeric_column() -> None:
    cells = ["5.5", "<5", " 7 ", "NA", "inf", None, "1e400", "haemolysed"]
    found, counts, flags = one(cells, missing=["NA"])
    assert found == [5.5, None, 7.0, None, None, None, None, None]
    assert counts == {"mapped": 2, "missing": 2, "unmapped": 4, "outside": 0}
    assert flags == [False, True, False, False, True, False, True, True]
    found, counts, _ = one([1.0, np.inf, np.nan, -9.0], missing=["-9.0"])
    assert found == [1.0, None, None, None]
    assert (counts["unmapped"], counts["missing"]) == (1, 2)


def test_what_lies_outside_of_the_range_is_counted_and_set_missing_kept_or_refused() -> None:
    cells = [98.6, 37.0, 980.0]
    rule = {"unit": "degF", "to": "Cel", "range": [30, 45]}
    found, counts, flags = one(cells, **rule)
    assert found == [pytest.approx(37.0), None, None]
    assert (counts["outside"], counts["mapped"], any(flags)) == (2, 1, False)
    found, counts, _ = one(cells, **rule, outside="keep")
    assert None not in found
    assert (counts["outside"], counts["mapped"]) == (2, 3)
    with pytest.raises(DataError, match="2 rows outside of it in 3") as error:
        one(cells, **rule, outside="error")
    assert "980" not in str(error.value)


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        (["Jane Doe", "John Roe"], {}),
        (["Jane Doe", None], {"values": {"a": 1}}),
        (["Jane Doe", ""], {"categories": ["a", "b"]}),
        (["5,5", "6,1"], {"unit": "mg", "to": "g"}),
        (pd.Series(["2020-01-01", None]).astype("datetime64[ns]"), {}),
        ([1 + 2j, 2j], {}),
        ([{"a": 1}, ["Jane Doe"]], {}),
        ([b"Jane Doe", b"x"], {}),
    ],
)
def test_a_column_of_which_nothing_fits_is_refused_without_a_value(cells: Any, rule: Any) -> None:
    with pytest.raises(DataError) as error:  # R30
        one(cells, **rule)
    text = str(error.value)
    assert "'x'" in text
    assert "Doe" not in text
    assert "5,5" not in text
    assert "2020" not in text
    assert error.value.__context__ is None


def test_columns_that_are_not_there_are_told_all_at_once() -> None:
    mapping = Mapping.from_dict(
        {
            "features": {"a": "AGE", "b": {"derive": "HT * a"}, "c": {"derive": "c + 1"}},
            "target": "died",
            "patient": "mrn",
        }
    )
    with pytest.raises(
        DataError, match=r"'AGE' for a; 'HT' for b; 'c' for c; 'died' for died; 'mrn'"
    ):
        mapping.apply(pd.DataFrame({"AGEE": [1], "x": [2]}))
    with pytest.raises(DataError, match="Did you mean 'AGEE'"):
        mapping.apply(pd.DataFrame({"AGEE": [1], "x": [2]}))
    for wrong in ([1], pd.DataFrame([[1, 2]], columns=["a", "a"])):
        with pytest.raises(DataError, match="different names"):
            mapping.apply(wrong)  # type: ignore[arg-type]


def test_every_value_of_the_target_must_be_known() -> None:
    mapping = Mapping.from_dict(
        {"features": {"a": "A"}, "target": {"name": "t", "column": "T", "values": {"x": 1, "y": 0}}}
    )
    with pytest.raises(DataError, match="1 rows with one that it does not know"):
        mapping.apply(pd.DataFrame({"A": [1, 2], "T": ["x", "secret"]}))
    assert mapping.apply(pd.DataFrame({"A": [1, 2], "T": ["x", "y"]})).frame["t"].tolist() == [1, 0]


TABLE = pd.DataFrame(
    {
        "w": [80.0, 60.0, np.nan, 100.0],
        "h": [1.6, 2.0, 1.8, 0.0],
        "s": ["F", "M", None, " F "],
        "odd name": [1, 2, 3, 4],
        "b": ["2000-02-29", "1980-12-31", "x", None],
        "e": ["2020-02-28", "2020-12-31", "2020-01-01", "2020-01-01"],
    }
)
W, H = TABLE["w"].to_numpy(), TABLE["h"].to_numpy()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("w / h ** 2", np.where(H == 0, np.nan, W / np.where(H == 0, 1, H) ** 2)),
        ("-w + 2 * h - 1", -W + 2 * H - 1),
        ("w // 7 % 3", W // 7 % 3),
        ("w > 70", [1, 0, np.nan, 1]),
        ("not w > 70", [0, 1, np.nan, 0]),
        # Kleene: what one side decides, a missing other side does not undo.
        ("w > 70 and h > 5", [0, 0, 0, 0]),
        ("w > 70 or h > 1.7", [1, 1, 1, 1]),
        ("w > 70 and h > 0.5", [1, 0, np.nan, 0]),
        ("where(w > 70, h, 0 - h)", [1.6, -2.0, np.nan, 0.0]),
        ("where(missing(w), 0, w)", [80, 60, 0, 100]),
        ('where(s == "F", 1, 2) + w', [81, 62, np.nan, 101]),
        ('s != "F"', [0, 1, np.nan, 0]),
        ('column("odd name") * 2', [2, 4, 6, 8]),
        ("sqrt(w * w)", W),
        ("min(w, 70) + max(h, 1.7)", np.minimum(W, 70) + np.maximum(H, 1.7)),
        ("round(exp(log(w)))", W),
        ("years_between(b, e)", [19, 40, np.nan, np.nan]),
        ("days_between(b, e)", [7304, 14610, np.nan, np.nan]),
        ("abs(floor(0 - h)) + ceil(h) + log10(100)", np.abs(np.floor(-H)) + np.ceil(H) + 2),
    ],
)  # fmt: skip
def test_a_derived_feature_is_what_numpy_says(text: str, expected: Any) -> None:
    mapping = Mapping.from_dict({"features": {"x": {"derive": text}}})
    found = mapping.apply(TABLE).frame["x"]
    np.testing.assert_allclose(found, np.asarray(expected, dtype=float), rtol=1e-12)


def test_what_comes_of_dividing_by_zero_or_of_no_date_is_unmapped() -> None:
    features = {
        "ratio": {"derive": "w / h"},
        "years": {"derive": "years_between(b, e)"},
        "lab": "L",
        "twice": {"derive": "lab * 2"},
        "size": {"derive": 'where(w > 70, "big", "small")', "categories": ["small", "big"]},
        "level": {"derive": 'where(lab > 1, "high", "low")', "categories": ["low", "high"]},
        "filled": {"derive": "where(missing(lab), 0, lab)"},
    }
    mapped = Mapping.from_dict({"features": features}).apply(TABLE.assign(L=["1", "<1", "", "2"]))
    flags = {name: each.tolist() for name, each in mapped.unmapped.items()}
    assert flags == {
        "ratio": [False, False, False, True],
        "years": [False, False, True, False],
        "lab": [False, True, False, False],
        "twice": [False, True, False, False],
        # Nor is it made low, or filled in as if it were missing.
        "level": [False, True, False, False],
        "filled": [False, True, False, False],
    }
    assert mapped.frame["filled"].tolist()[2:] == [0.0, 2.0]
    assert mapped.frame["size"].tolist()[:2] == ["big", "small"]
    assert mapped.frame["size"].isna().tolist() == [False, False, True, False]


HOSTILE = [
    "__import__('os').system('true')",
    "().__class__.__base__.__subclasses__()",
    "w.values",
    "w[0]",
    "[x for x in w]",
    "lambda: w",
    "(w := 1)",
    "f'{w}'",
    "b'x' == w",
    "open('x')",
    "eval('w')",
    "abs(w, key=h)",
    "abs(*w)",
    "where(w > 1, 'a', 2)",
    "w + 'a'",
    "w < 'a'",
    "1 < w < 3",
    "w is h",
    "w in h",
    "w @ h",
    "~w",
    "w & h",
    "w << 9",
    "w if h else w",
    "1 + 1",
    "True",
    "None",
    "w + 1e999",
    "w + 1j",
    "w + " + "9" * 350,
    "years_between(w + 1, h)",
    "missing(1)",
    "column(w)",
    "column('a', 'b')",
    "sqrt()",
    "min(w)",
    "((((" * 60 + "w" + "))))" * 60,
    "-" * 300 + "w",
    "w" + "+w" * 190,
    "w" * 500,
    "w\n+ 1",
    "w;h",
    "w = 1",
    "1if w else 2",
    "w \x00",
    "",
    " ",
    "...",
    "'\\d' == w and (",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="A derived feature must be a simple expression"):
        Expression(text)


def test_numbers_that_grow_beyond_bounds_take_no_time() -> None:
    found = Mapping.from_dict({"features": {"x": {"derive": "w * 0 + 9 ** 9 ** 9 ** 9"}, "w": "w"}})
    with pytest.raises(DataError, match="of which none is known"):
        found.apply(TABLE.dropna())


PARTS = st.sampled_from(
    [
        "w",
        "h",
        "s",
        "x",
        "1",
        "2.5",
        "'F'",
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "**",
        "<",
        "==",
        "!=",
        "and",
        "or",
        "not",
        "(",
        ")",
        ",",
        "where(",
        "abs(",
        "missing(",
        "column(",
        "years_between(",
        "min(",
        ".",
        "[",
        "]",
        "lambda",
        ":",
        "=",
        "if",
        "else",
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(PARTS, max_size=14).map(" ".join)))
@settings(max_examples=400, deadline=None)
def test_any_text_is_an_expression_that_can_be_computed_or_a_data_error(text: str) -> None:
    try:
        expression = Expression(text)
    except DataError:
        return
    some = Operand(
        pd.Series(["1", None, "F"], dtype="str"),
        np.array([True, False, True]),
        np.zeros(3, dtype=bool),
    )
    found = expression.evaluate(dict.fromkeys(expression.names, some), None)
    assert len(found) == 3
    assert isinstance(found, pd.Series) == expression.tells_text


CELLS = st.lists(
    st.one_of(
        *(st.none(), st.text(max_size=5), st.integers(), st.floats(), st.booleans()),
        *(st.binary(max_size=3), st.dates(), st.decimals(), st.complex_numbers()),
        st.lists(st.integers(), max_size=1),
    ),
    min_size=1,
    max_size=6,
)
RULES = st.sampled_from(
    [
        {"column": "X"},
        {"column": "X", "unit": "degF", "to": "Cel", "range": [30, 45]},
        {"column": "X", "values": {"1": "a", "A*": "b"}},
        {"column": "X", "values": {"1": 0, "*": 2.5}},
        {"column": "X", "categories": ["", "0", "1"][1:]},
        {"derive": "X * 2"},
        {"derive": "days_between(X, X)"},
        {"derive": "where(missing(X), 0, 1)"},
        {"derive": 'where(X == "1", "a", "b")', "categories": ["a", "b"]},
    ]
)


@given(CELLS, RULES)
@settings(max_examples=200, deadline=None)
def test_any_cells_are_mapped_or_a_data_error_and_every_row_is_counted(
    cells: list[Any], rule: dict[str, Any]
) -> None:
    mapping = Mapping.from_dict({"features": {"x": rule}})
    try:
        mapped = mapping.apply(pd.DataFrame({"X": pd.Series(cells, dtype=object)}))
    except DataError:
        return
    counts = mapped.report.frame.loc["x", ["mapped", "missing", "unmapped", "outside"]]
    assert counts.sum() == len(cells)
    assert mapped.frame["x"].notna().sum() == counts["mapped"]


PLAIN_CELLS = st.lists(
    st.one_of(st.none(), st.text(max_size=5), st.integers(), st.floats(), st.booleans()),
    min_size=1,
    max_size=6,
)


@given(PLAIN_CELLS, RULES)
@settings(max_examples=200, deadline=None)
def test_plain_cells_never_end_in_an_error_of_a_library(
    cells: list[Any], rule: dict[str, Any]
) -> None:
    mapping = Mapping.from_dict({"features": {"x": rule}})
    told = ""
    try:
        mapping.apply(pd.DataFrame({"X": cells}))
    except DataError as error:
        told = str(error)
    assert "ends the work" not in told


def test_nothing_of_the_rows_is_in_what_is_shown() -> None:
    mapping = Mapping.from_dict(MERCY)  # R30
    mapped = mapping.apply(american(clean(20)))
    for text in (repr(mapped), repr(mapped.report), mapped.report._repr_html_(), repr(mapping)):
        assert "m000" not in text
        assert "E11" not in text
    assert repr(mapped) == "Mapped(shape=(20, 13))"


def test_numbers_with_a_decimal_comma_are_read_where_the_mapping_says_so() -> None:
    mapping = Mapping.from_dict(
        {
            "decimal": ",",
            "missing": ["", "k.A.", -999],
            "features": {
                "crea": {
                    "column": "Krea",
                    "unit": "mg/dl",
                    "to": "umol/L",
                    "analyte": "creatinine",
                },
                "twice": {"derive": "2 * Krea"},
                "age": "Alter",
            },
        }
    )
    frame = pd.DataFrame(
        {"Krea": ["1,2", " 0,9 ", "k.A.", "1.234", "-999"], "Alter": [50, 60.5, 70, 80, 90]}
    )
    found = mapping.apply(frame)
    np.testing.assert_allclose(
        found.frame["crea"], np.array([1.2, 0.9, np.nan, np.nan, np.nan]) * 88.4017, rtol=1e-5
    )
    np.testing.assert_allclose(found.frame["twice"][:2], [2.4, 1.8])
    np.testing.assert_array_equal(found.frame["age"], frame["Alter"])
    # A point is no decimal sign there, and no guess is made of what it groups.
    assert found.unmapped["crea"].tolist() == [False, False, False, True, False]
    assert Mapping.from_dict(mapping.to_dict()) == mapping
    objects = mapping.apply(frame.astype(object))
    pd.testing.assert_frame_equal(objects.frame, found.frame)
    for wrong in (";", 1):
        with pytest.raises(DataError, match="decimal"):
            Mapping.from_dict({"decimal": wrong, "features": {"age": "Alter"}})


def test_a_column_whose_name_differs_in_case_alone_is_named() -> None:
    with pytest.raises(DataError, match="Did you mean 'Glu'"):
        Mapping.from_dict({"features": {"glucose": "GLU"}}).apply(pd.DataFrame({"Glu": [1.0]}))
