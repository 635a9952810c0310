"""What leaves a site in a table: identifiers are taken out, and classes of rows are counted."""

import contextlib
import csv
import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedlab.core.safe_harbor import LOW_ZIP3, capped_ages, years
from fedlab.deidentification import Deidentified, deidentify, generalise, k_anonymity
from fedlab.deidentification.csv_file import STARTS, write_csv
from fedlab.deidentification.detecting import detect
from fedlab.errors import DataError
from fedlab.scan import KINDS, scan_text
from fedlab.scan.images import DATA_URI

HOSTILE = "<img src=x onerror=alert(1)>"
PHOTO = "data:image/jpeg;base64," + "A" * 40
LETTERS = dict(zip(KINDS, "ABCDEFGHIJKLMNOPQR", strict=False))
assert DATA_URI.match(PHOTO)


def table(name: str, *values: Any, times: int = 4) -> pd.DataFrame:
    """A column whose values come several times, beside one of results."""
    column = list(values) * times
    return pd.DataFrame({name: column, "sodium": np.linspace(120.5, 145.3, len(column))})


# R36: paragraph of 45 CFR 164.514(b)(2)(i), what must go, and what looks like it and may stay.
COLUMNS: list[tuple[str, tuple[Any, ...], tuple[Any, ...]]] = [
    ("A", ("patient_name", "Zbigniew Xu", "Adaeze Obi"), ("drug_name", "metformin", "insulin")),
    ("A", ("PatientName", "Zbigniew", "Adaeze"), ("names_checked", "yes", "no")),
    ("A", ("who", "Emily", "Jason"), ("who", "nurse", "porter")),
    ("A", ("seen_by", "Dr. Okonkwo", "none"), ("seen_by", "the ward", "none")),
    ("B", ("city", "Dayton", "Lima"), ("state", "KY", "OH")),
    ("B", ("zip", "02139", "55001"), ("zip", "021", "550")),
    ("B", ("zip", 2139, 55001), ("zips_known", 1, 2)),
    ("B", ("zip3", "036", "021"), ("zip3", "000", "021")),
    ("B", ("latitude", 39.1031, 39.2), ("altitude", 39.1031, 39.2)),
    ("C", ("admitted", pd.Timestamp("2020-01-02"), None), ("admitted", 2020, 2021)),
    ("C", ("seen", dt.date(2020, 1, 2), dt.date(2021, 1, 2)), ("stay", dt.timedelta(3), None)),
    ("C", ("seen", dt.time(12, 30), dt.time(8, 1)), ("seen", 12.5, 8.02)),
    ("C", ("seen", "2020-01-02", "2020-03-04"), ("seen", "2020", "2021")),
    ("C", ("seen", 20200102, 20200304), ("seen", 20201302, 20200304)),
    ("C", ("seen", "20200102", "20200304"), ("seen", "20209999", "20200304")),
    ("C", ("event_date", 43831, 43900), ("event_date", 2019, 2020)),
    ("C", ("birth_month", 3, 12), ("months", 3, 12)),
    ("C", ("age", 92.5, 61.0), ("age", 89.5, 61.0)),
    ("C", ("age", "93", "61"), ("age", "90+", "61")),
    ("C", ("age_at_visit", 93, 61), ("age_months", 93, 61)),
    ("D", ("phone", 2125550123, 6145550188), ("phone_calls", 3, 5)),
    ("D", ("reach", "(212) 555-0123", "614-555-0188"), ("reach", "(112) 555-0123", "ward")),
    ("E", ("fax", "212 555 0123", "none"), ("fax_pages", 12, 3)),
    ("F", ("reach", "jane@clinic.example.org", "none"), ("reach", "@property", "none")),
    ("F", ("email", "hidden", "other"), ("email_sent", "yes", "no")),
    ("G", ("ssn", 78051120, 219099999), ("ssn_seen", 1, 0)),
    ("G", ("number", "078-05-1120", "none"), ("number", "000-12-3456", "none")),
    ("H", ("mrn", 48213.0, np.nan), ("mrna", 48213.5, 12.25)),
    ("H", ("Medical.Record.Number", "A-12345", "B-12346"), ("medical_records", 3, 4)),
    ("I", ("member_id", "XYZ123456", "XYZ123457"), ("members", 3, 4)),
    ("I", ("plan", "1EG4-TE5-MK73", "none"), ("plan", "1EG4-TE5-MKAA", "none")),
    ("J", ("account_no", 12345678, 12345679), ("account_type", "savings", "none")),
    ("J", ("paid", "GB82 WEST 1234 5698 7654 32", "cash"), ("paid", "card", "cash")),
    ("K", ("license_number", "D1234567", "D1234568"), ("license_class", "B", "C")),
    ("K", ("prescriber", "AB1234563", "none"), ("prescriber", "AB1234564", "none")),
    ("L", ("plate", "KX 4821", "LM 3312"), ("plates", 2, 3)),
    ("L", ("car", "1M8GDM9AXKP042788", "none"), ("car", "1M8GDM9A1KP042788", "none")),
    ("M", ("device_id", "SN-48213", "SN-48214"), ("device_type", "pump", "stent")),
    ("M", ("pump", "00:1B:44:11:3A:B7", "none"), ("pump", "00:1B:44", "none")),
    ("N", ("website", "jane-doe", "none"), ("web_visits", 2, 3)),
    ("N", ("seen", "https://portal.example.org/p/7", "no"), ("seen", "https://doi.org/1", "no")),
    ("O", ("ip", 171049747, 171049748), ("ip_count", 3, 4)),
    ("O", ("source", "10.42.7.19", "none"), ("source", "10.42.7.319", "none")),
    ("P", ("fingerprint", "9f86d081884c", "1f86d081884c"), ("finger", "left", "right")),
    ("P", ("iris_code", "0110 1001 0111", "none"), ("iris_colour", "blue", "brown")),
    ("Q", ("scan", PHOTO, "none"), ("scan", "chest", "none")),
    ("Q", ("photo_file", "1.jpg", "2.jpg"), ("photophobia", "yes", "no")),
    ("R", ("patient_id", 7, 9), ("patients", 7, 9)),
    ("R", ("UUID", "a", "b"), ("fluid", "a", "b")),
    ("R", ("n", *range(40, 52)), ("n", *range(40, 49), 70, 71, 73)),
    ("R", ("sequence", "ACGT" * 12, "none"), ("sequence", "ACGT", "none")),
]


@pytest.mark.parametrize(("letter", "bad", "fine"), COLUMNS, ids=lambda value: str(value)[:40])
def test_each_paragraph_drops_its_columns_and_not_their_look_alikes(
    letter: str, bad: tuple[Any, ...], fine: tuple[Any, ...]
) -> None:
    times = 1 if bad[0] == "n" else 4
    for (name, *values), stays in ((bad, False), (fine, True)):
        came = table(name, *values, times=times)
        done = deidentify(came)
        assert list(done.frame) == ([name, "sodium"] if stays else ["sodium"]), done
        told = done.report.loc[name]
        if stays:
            assert told["found"] == "not detected"
            assert told["done"] == "kept"
        else:
            assert f"({letter})" in str(told["paragraph"])
            assert told["done"] == "dropped"
        again = deidentify(came, keep=name)
        assert list(again.frame) == [name, "sodium"]
        assert again.report.loc[name, "paragraph"] == told["paragraph"]
        assert any("Kept by name" in note for note in again.notes) is not stays


def test_every_paragraph_is_tried() -> None:
    assert {letter for letter, *_ in COLUMNS} == set("ABCDEFGHIJKLMNOPQR")


# R36, R30
def test_free_text_and_what_is_no_value_is_dropped_and_the_report_quotes_none() -> None:
    came = pd.DataFrame(
        {
            "note": [f"Quokka {number} was seen" for number in range(30)],
            "long": ["wallaby " * 20, "none"] * 15,
            "result": [f"{number}.5" for number in range(30)],
            "lists": [["quokka"]] * 30,
            "bytes": [b"quokka"] * 30,
            "mixed": [1, "two", None] * 10,
            "empty": [None] * 30,
            "huge": [10**400, 10**401] * 15,
            "ok": [True, False] * 15,
        },
        index=[f"quokka {number}" for number in range(30)],
    )
    done = deidentify(came)
    assert list(done.frame) == ["mixed", "empty", "ok"]
    assert done.frame.index.equals(pd.RangeIndex(30))
    assert "numbers as text" in str(done.report.loc["result", "how"])
    for shown in (repr(done), done._repr_html_(), done.report.to_string()):
        assert "quokka" not in shown.lower()
        assert "wallaby" not in shown
        assert "absent" not in shown
    assert "claims no compliance" in repr(done)
    assert scan_text(repr(done)).clean


def test_a_name_of_a_column_that_is_an_identifier_drops_it() -> None:
    came = pd.DataFrame({"John Q. Smith": [1.5, 2.5], "2020-03-12": [1.5, 2.5], "a": [1.5, 2.5]})
    done = deidentify(came)
    assert list(done.frame) == ["a"]
    assert set(done.report["how"]) == {
        "the name of the column itself",
        "the name of the column itself; dates= keeps years, ages= keeps ages with 90+",
        "",
    }


def test_categories_of_no_row_do_not_leave() -> None:
    came = table("ward", "a", "b").astype({"ward": "category"})
    came["ward"] = came["ward"].cat.add_categories(["Emily Jones"])
    assert list(deidentify(came).frame["ward"].cat.categories) == ["a", "b"]
    rest = k_anonymity(came.iloc[1:], "ward").suppressed(4).frame
    assert list(rest["ward"].cat.categories) == ["b"]


def test_attributes_and_the_caller_s_table_stay_behind() -> None:
    came = table("ward", "a", "b")
    came.attrs["source"] = "Emily Jones"
    before = came.copy()
    done = deidentify(came, drop="ward")
    assert done.frame.attrs == {}
    assert done.report.loc["ward", "how"] == "dropped by name"
    done.frame.loc[0, "sodium"] = -1.0
    pd.testing.assert_frame_equal(came, before)


# R36
def test_declared_columns_become_years_groups_and_three_digits() -> None:
    came = pd.DataFrame(
        {
            "admitted": ["2020-02-29", None, "2021-12-31"],
            "dob": [dt.date(1921, 1, 2), dt.date(1950, 3, 4), dt.date(1931, 5, 6)],
            "age": [99, 70, 89.9],
            "zip": ["036011234", "02139", None],
            "sex": [0, 1, 1],
        }
    )
    done = deidentify(
        came, dates=["admitted"], births="dob", reference=2021, ages="age", zips=("zip",)
    )
    assert done.frame["admitted"].tolist() == [2020, pd.NA, 2021]
    assert done.frame["dob"].tolist() == [1931, 1950, 1931]
    assert done.frame["age"].tolist() == ["90+", "70", "89"]
    assert done.frame["zip"].tolist() == ["000", "021", pd.NA]
    assert done.report["paragraph"].tolist() == ["(C)", "(C)", "(C)", "(B)", ""]
    assert any("2000 census" in note for note in done.notes)
    assert not done.old_years
    assert deidentify(came, dates=["dob"]).old_years == ()
    told = deidentify(came, dates=["dob", "admitted"])
    assert told.old_years == ("dob",)
    assert any("births=" in note for note in told.notes)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"zips": "number"}, "Column 'number': ZIP codes are text."),
        ({"zips": "name"}, "Column 'name'"),
        ({"ages": "name"}, "Column 'name'"),
        ({"dates": "name"}, "Column 'name'"),
        ({"dates": "number"}, "Column 'number'"),
        ({"dates": "short"}, "four digits"),
        ({"dates": "mixed"}, "one format"),
        ({"dates": "nmae"}, "'nmae'"),
        ({"drop": "nmae"}, "'nmae'"),
        ({"drop": 3}, "int"),
        ({"drop": [3]}, "3"),
        ({"drop": "name", "keep": ["name"]}, "one role"),
        ({"drop": ["name", "name"]}, "one role"),
        ({"births": "dob"}, "reference"),
        ({"births": "dob", "reference": 20}, "reference"),
        ({"births": "dob", "reference": True}, "reference"),
        ({"births": "dob", "reference": "2020"}, "reference"),
        ({"row_order": "random"}, "row_order"),
    ],
    ids=str,
)
def test_a_wrong_role_is_refused_and_no_value_quoted(wrong: dict[str, Any], said: str) -> None:
    came = pd.DataFrame(
        {
            "name": ["Zbigniew Xu", "Adaeze Obi"],
            "number": [2139, 55001],
            "dob": ["1950-01-02", "1951-02-03"],
            "short": ["01/02/50", "02/03/51"],
            "mixed": ["1950-01-02", "02.03.1951"],
        }
    )
    with pytest.raises(DataError) as raised:
        deidentify(came, **wrong)
    assert said in str(raised.value)
    assert raised.value.__cause__ is None
    for secret in ("Zbigniew", "2139", "1950", "/50", "1951"):
        assert secret not in str(raised.value)


@pytest.mark.parametrize(
    "wrong",
    [
        [1, 2],
        pd.DataFrame(),
        pd.DataFrame({"a": []}),
        pd.DataFrame({1: [2]}),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
    ],
    ids=["list", "empty", "no rows", "number as name", "repeat"],
)
def test_what_is_no_table_is_refused(wrong: Any) -> None:
    with pytest.raises(DataError):
        deidentify(wrong)
    with pytest.raises(DataError):
        k_anonymity(wrong, ["a"])


def test_ages_and_years_read_what_they_wrote() -> None:
    ages = capped_ages(pd.Series([3.5, 93, None]))
    pd.testing.assert_series_equal(capped_ages(ages), ages)
    found = years(pd.Series(["1950-01-02", None]))
    pd.testing.assert_series_equal(years(found), found)
    for text in ("19500102", "19500102120000", "1950", "2 Jan 1950", "1950-01-02T08:00:00Z"):
        assert years(pd.Series([text])).tolist() == [1950]
    assert years(pd.Series(pd.PeriodIndex(["1950-02", None], freq="M"))).tolist() == [1950, pd.NA]
    assert years(pd.Series(["1950-02-03"] * 2, dtype="category")).tolist() == [1950, 1950]
    for wrong in (["031250"], ["200131"], ["may"], [1849], [2101], [1950.5], [True]):
        for dtype in (None, object):
            with pytest.raises(DataError):
                years(pd.Series(wrong, dtype=dtype))
    for text in ("90 +", "ninety", "1e2", "-1"):
        with pytest.raises(DataError):
            capped_ages(pd.Series([text]))


DAYS = st.dates(dt.date(1900, 1, 1), dt.date(2099, 12, 31))
ROWS = st.lists(
    st.tuples(
        st.none() | DAYS,
        st.none() | DAYS,
        st.none() | st.floats(0, 130),
        st.none() | st.integers(0, 99999).map("{:05d}".format) | st.sampled_from(sorted(LOW_ZIP3)),
        st.sampled_from(["a", "b"]),
        st.text(max_size=12),
        st.integers(-5, 5),
    ),
    min_size=1,
    max_size=12,
)
HEADS = ["seen", "dob", "age", "zip", "ward", "note", "score"]


def reduced(frame: pd.DataFrame) -> Deidentified:
    roles = {"dates": "seen", "births": "dob", "ages": "age", "zips": "zip", "keep": "ward"}
    return deidentify(frame, reference=2020, **roles)  # type: ignore[arg-type]


# R36
@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_laws_of_the_reduced_table(rows: list[tuple[Any, ...]]) -> None:
    frame = pd.DataFrame(rows, columns=HEADS)
    frame = frame.astype({"age": "float64", "zip": "str", "seen": object, "dob": object})
    frame["seen"], frame["dob"] = pd.to_datetime(frame["seen"]), pd.to_datetime(frame["dob"])
    done = reduced(frame).frame
    assert len(done) == len(frame)
    for name in ("seen", "dob"):
        assert done[name].dropna().between(1850, 2100).all()
        assert done[name].isna().equals(frame[name].isna())
    assert done["seen"].dropna().tolist() == [day.year for day in frame["seen"].dropna()]
    assert (done["dob"].dropna() >= 1930).all()
    assert all(text == "90+" or int(text) <= 89 for text in done["age"].dropna())
    assert done["age"].isna().equals(frame["age"].isna())
    for before, after in zip(frame["zip"], done["zip"], strict=True):
        if not pd.isna(before):
            assert after == ("000" if before[:3] in LOW_ZIP3 else before[:3])
    assert all(np.isscalar(value) for value in done["ward"])
    again = reduced(done).frame
    pd.testing.assert_frame_equal(again, done)


ANYTHING = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.binary(max_size=4),
    # Pandas cannot even tell whether a signalling NaN is missing.
    st.decimals().filter(lambda number: not number.is_snan()),
    st.complex_numbers(),
    st.datetimes(),
    st.timedeltas(),
    st.times(),
    st.lists(st.integers(), max_size=2),
    st.sampled_from([pd.NaT, pd.NA, object(), {"a": 1}, pd.Interval(1, 2), (1, "b"), np.int8(3)]),
)
KIND = st.sampled_from([st.text(max_size=9), st.floats(), st.integers(), st.datetimes(), ANYTHING])


@settings(max_examples=150, deadline=None)
@given(st.data(), st.text(min_size=1, max_size=30), st.integers(1, 12))
def test_any_column_is_read_without_an_error_of_another_library(
    data: st.DataObject, name: str, rows: int
) -> None:
    values = data.draw(st.lists(data.draw(KIND), min_size=rows, max_size=rows))
    column = pd.Series(values, dtype=object)
    frame = pd.DataFrame({name: column if data.draw(st.booleans()) else column.infer_objects()})
    done = deidentify(frame)
    assert done.report.loc[name, "done"] in {"dropped", "kept"}
    assert repr(done)
    assert done._repr_html_()
    calls: list[Callable[[], object]] = [
        lambda: deidentify(frame, dates=name),
        lambda: deidentify(frame, ages=name),
        lambda: deidentify(frame, zips=name),
        lambda: k_anonymity(frame, name),
    ]
    for call in calls:
        with contextlib.suppress(DataError):
            call()


def test_rows_are_shuffled_from_the_system_s_entropy_and_stay_whole() -> None:
    came = pd.DataFrame({"a": np.arange(500) / 7, "b": np.arange(500) / 7})
    np.random.seed(1)  # noqa: NPY002 - only to show that it changes nothing
    first = deidentify(came, row_order="shuffled")
    np.random.seed(1)  # noqa: NPY002
    second = deidentify(came, row_order="shuffled")
    assert not first.frame.equals(second.frame)
    assert (first.frame["a"] == first.frame["b"]).all()
    pd.testing.assert_frame_equal(first.frame.sort_values("a", ignore_index=True), came)
    assert any("order" in note for note in deidentify(came).notes)
    assert not any("order" in note for note in first.notes)


# R31
def test_names_are_escaped_wherever_they_are_shown() -> None:
    came = table(HOSTILE, "a", "b")
    found = k_anonymity(came, [HOSTILE], sensitive="sodium")
    for shown in (
        deidentify(came)._repr_html_(),
        deidentify(came, keep=HOSTILE)._repr_html_(),
        found._repr_html_(),
    ):
        assert "<img" not in shown
        assert "&lt;img" in shown


# R32
def test_csv_neutralises_text_and_leaves_numbers(tmp_path: Path) -> None:
    texts = [f"{start}1+1" for start in STARTS] + ["1-1", "a,=b", 'a"=b', "'=", "ü", ""]
    size = len(texts)
    frame = pd.DataFrame(
        {
            "=cmd": texts,
            "number": -np.arange(size) / 4,
            "whole": pd.array([None, *range(-size + 1, 0)], dtype="Int64"),
            "thing": pd.Series([-1, "-1", None, *[2.5] * (size - 3)], dtype=object),
            "group": pd.Categorical(["-a", "b"] * (size // 2) + ["b"] * (size % 2)),
            "span": pd.to_timedelta([-1] * size, unit="h"),
        }
    )
    done = deidentify(frame, keep=list(frame.columns))
    file = done.write(tmp_path / "new" / "table.csv")
    with file.open(encoding="utf-8", newline="") as lines:
        head, *rows = list(csv.reader(lines))
    assert head == ["'=cmd", *frame.columns[1:]]
    assert [row[0] for row in rows] == [("'" if t[:1] in STARTS and t else "") + t for t in texts]
    assert [float(row[1]) for row in rows] == frame["number"].tolist()
    assert [row[2] for row in rows] == ["", *map(str, range(-size + 1, 0))]
    assert [row[3] for row in rows][:4] == ["-1", "'-1", "", "2.5"]
    assert [row[4] for row in rows][:2] == ["'-a", "b"]
    assert all(re.match(r"'-1 days", row[5]) for row in rows)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=6), min_size=1, max_size=8))
def test_no_cell_of_text_begins_like_a_formula(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    file = tmp_path_factory.getbasetemp() / "cells.csv"
    write_csv(pd.DataFrame({"a": texts, "b": 1}), file)
    with file.open(encoding="utf-8", newline="") as lines:
        _, *rows = list(csv.reader(lines))
    assert [row[0].startswith(STARTS) for row in rows] == [False] * len(texts)


# R27
def test_a_file_is_replaced_whole_or_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = deidentify(table("ward", "a", "b"))
    file = tmp_path / "table.csv"
    done.write(file)
    before = file.read_bytes()

    def full(*_: object) -> None:
        raise OSError("no space left for Emily Jones")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="OSError") as raised:
        deidentify(table("ward", "c", "d")).write(file)
    assert "Emily" not in str(raised.value)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_file_of_another_kind_or_without_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.csv"):
        deidentify(table("ward", "a")).write(tmp_path / "table.xlsx")
    with pytest.raises(DataError, match="columns"):
        deidentify(table("ward", "a"), drop=["ward", "sodium"]).write(tmp_path / "table.csv")
    with pytest.raises(DataError, match="unique"):
        write_csv(pd.DataFrame({"=a": [1], "'=a": [2]}), tmp_path / "table.csv")


CELLS = st.tuples(
    st.sampled_from(["a", "b", None]),
    st.sampled_from([0.0, 1.5, -1.0, np.nan]),
    st.sampled_from([1, 2]),
    st.sampled_from(["x", "y", None]),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=30), st.integers(1, 3), st.integers(2, 5))
def test_k_and_l_are_those_of_brute_force(
    rows: list[tuple[Any, ...]], n_columns: int, k: int
) -> None:
    frame = pd.DataFrame(rows, columns=["p", "q", "r", "s"])
    names = ["p", "q", "r"][:n_columns]
    found = k_anonymity(frame, names, sensitive="s")

    groups = frame.groupby(names, dropna=False)
    sizes = groups.size()
    assert found.k == sizes.min()
    assert found.l == groups["s"].nunique(dropna=False).min()
    assert found.unique_share == pytest.approx((sizes == 1).sum() / len(frame))
    counted = sizes.value_counts().sort_index()
    assert found.frame["classes"].to_dict() == counted.to_dict()
    assert found.frame["rows"].sum() == len(frame)
    assert found.risk == 1 / sizes.min()
    for name in names:
        rest = [other for other in names if other != name]
        others = frame.groupby(rest, dropna=False).size() if rest else pd.Series([len(frame)])
        assert found.without.loc[name, "k"] == others.min()
        share = (others == 1).sum() / len(frame)
        assert found.without.loc[name, "unique_share"] == pytest.approx(share)
    assert found.without.loc[found.helps_most, "k"] == found.without["k"].max()

    written = [tuple("?" if pd.isna(cell) else str(cell) for cell in row) for row in rows]
    mates = [sum(a[:n_columns] == b[:n_columns] for a in written) for b in written]
    assert min(mates) == found.k
    stay = [place for place, size in enumerate(mates) if size >= k]
    if not stay:
        with pytest.raises(DataError, match="Generalise"):
            found.suppressed(k)
        return
    rest_of = found.suppressed(k)
    pd.testing.assert_frame_equal(rest_of.frame, frame.iloc[stay].reset_index(drop=True))
    assert rest_of.rows_left_out == len(frame) - len(stay)
    assert rest_of.classes_left_out == (sizes < k).sum()
    assert k_anonymity(rest_of.frame, names).k >= k


def test_k_is_that_of_the_paper_s_example() -> None:
    # Sweeney 2002, figure 2: k = 2 for race, birth, gender and ZIP, each alone or together.
    rows = (
        [("Black", 1965, "m", "0214*")] * 2
        + [("Black", 1965, "f", "0213*")] * 2
        + [("Black", 1964, "f", "0213*")] * 2
        + [("White", 1964, "m", "0213*")] * 3
        + [("White", 1967, "m", "0213*")] * 2
    )
    problem = "short breath,chest pain,hypertension,hypertension,obesity,chest pain,chest pain"
    frame = pd.DataFrame(rows, columns=["race", "birth", "gender", "zip"])
    frame["problem"] = [*problem.split(","), "obesity", "short breath", "chest pain", "chest pain"]
    found = k_anonymity(frame, ["race", "birth", "gender", "zip"], sensitive="problem")
    assert (found.k, found.l, found.unique_share) == (2, 1, 0.0)
    assert found.frame.loc[3, "classes"] == 1


def test_a_large_number_of_classes_does_not_overflow() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.integers(0, 2**40, (300, 12)), columns=list("abcdefghijkl"))
    frame = pd.concat([frame, frame], ignore_index=True)
    found = k_anonymity(frame, list(frame.columns))
    assert found.frame["classes"].to_dict() == {2: 300}


@pytest.mark.parametrize(
    ("names", "sensitive"),
    [([], None), (["b"], None), (["a", "a"], None), (["a"], "a"), (["a"], "b"), (["c"], None)],
    ids=str,
)
def test_wrong_quasi_identifiers_are_refused(names: list[str], sensitive: str | None) -> None:
    frame = pd.DataFrame({"a": [1, 2], "c": [["Emily"], ["Jason"]]})
    with pytest.raises(DataError) as raised:
        k_anonymity(frame, names, sensitive=sensitive)
    assert "Emily" not in str(raised.value)


@pytest.mark.parametrize("wrong", [1, 0, True, 2.0, "3", None])
def test_a_wrong_k_is_refused(wrong: Any) -> None:
    with pytest.raises(DataError, match="whole number"):
        k_anonymity(pd.DataFrame({"a": [1, 1]}), "a").suppressed(wrong)


def test_a_later_change_of_the_table_changes_no_answer() -> None:
    frame = pd.DataFrame({"a": [1, 1, 2]})
    found = k_anonymity(frame, "a")
    frame.loc[0, "a"] = 2
    assert found.suppressed(2).frame["a"].tolist() == [1, 1]


# R30
def test_results_show_counts_and_no_row(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ward": ["quokka", *["wallaby"] * 12], "hiv": [0, 1, *[0] * 11]})
    found = k_anonymity(deidentify(frame, keep="ward"), "ward", sensitive="hiv")
    shown = [repr(found), found._repr_html_(), found.frame.to_string(), found.without.to_string()]
    rest = found.suppressed(2)
    shown += [repr(rest), rest._repr_html_(), found.plot().to_json()]
    assert not any("quokka" in text or "wallaby" in text for text in shown)
    assert "1 rows in 1 classes" in repr(rest)
    assert rest.write(tmp_path / "rest.csv").read_text("utf-8").count("wallaby") == 12
    trace = found.plot().data[0]
    assert trace.x == ("1", "2", "3 to 4", "5 to 10", "11 to 19")
    assert np.allclose(trace.y, [100 / 13, 0, 0, 0, 1200 / 13], atol=1e-6)
    first, *others = trace.marker.color
    assert first not in others
    assert "least values" in found._repr_html_()


def test_numbers_are_generalised_as_pandas_cuts_them() -> None:
    values = pd.Series([*np.random.default_rng(2).uniform(0, 100, 50), 40, 65, np.nan], name="age")
    ours = generalise(values, [40, 65])
    edges = pd.cut(values, [-np.inf, 40, 65, np.inf], right=False)
    assert ours.cat.codes.tolist() == edges.cat.codes.tolist()
    assert ours.name == "age"
    assert generalise(pd.Series([1, None], dtype="Int64"), [1]).tolist() == ["1 or more", np.nan]
    for column, bins in (
        (pd.Series(["Emily"]), [1]),
        (pd.Series([True]), [1]),
        ([1.0], [1]),
        (pd.Series([1.0]), []),
        (pd.Series([1.0]), [2, 1]),
        (pd.Series([1.0]), [np.nan]),
        (pd.Series([1.0]), ["a"]),
        (pd.Series([1.0]), 3),
        (pd.Series([1.0]), [1, 1 + 1e-9]),
    ):
        with pytest.raises(DataError) as raised:
            generalise(column, bins)  # type: ignore[arg-type]
        assert "Emily" not in str(raised.value)


def test_a_column_with_many_values_is_read_at_its_ends_and_between() -> None:
    values = pd.Series(np.linspace(20.0, 80.0, 5000), name="age")
    assert detect("age", values).why == ""
    values.iloc[4321] = 95.0
    assert detect("age", values).kinds == ("date",)


GERMAN: dict[str, tuple[str, list[Any]]] = {
    "Vorname": ("A", ["Anna", "Ben"]),
    "Nachname": ("A", ["Kaya", "Kaya"]),
    "Patientenname": ("A", ["Anna K", "Ben K"]),
    "Straße": ("B", ["Am Ring 5", "Am Ring 7"]),
    "Strasse": ("B", ["Am Ring 5", "Am Ring 7"]),
    "Wohnort": ("B", ["Ulm", "Aalen"]),
    "PLZ": ("B", [89073, 73430]),
    "Geburtsort": ("B", ["Ulm", "Aalen"]),
    "Telefonnummer": ("D", ["030 1", "030 2"]),
    "Aufnahmedatum": ("C", ["1.2.20", "2.3.20"]),
    "Geburtsdatum": ("C", ["1.2.20", "2.3.20"]),
    "Alter": ("C", [45, 93]),
    "Alter bei Aufnahme": ("C", [45, 93]),
    "Patientenalter": ("C", ["45", "93"]),
    "Versichertennummer": ("I", ["A123", "B123"]),
    "Fallnummer": ("R", ["17", "18"]),
    "Fall-Nr.": ("R", [17, 19]),
    "Patienten-ID": ("R", ["17", "18"]),
    "Kontonummer": ("J", ["17", "18"]),
    "Krankenkasse-Nr": ("I", ["17", "18"]),
}


@pytest.mark.parametrize("name", GERMAN)
def test_german_names_of_columns_are_read_too(name: str) -> None:
    paragraph, values = GERMAN[name]
    table = pd.DataFrame({name: values * 4, "Natrium": [140.0] * 8})
    found = deidentify(table)
    assert list(found.frame) == ["Natrium"]
    assert found.report.loc[name, "paragraph"] == f"({paragraph})"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Alter", [45, 60]),
        ("Altersgruppe", ["<65", "65+"]),
        ("Fallzahl", [1, 2]),
        ("Aufnahmejahr", [2019, 2020]),
        ("Aufnahmedatum", [2019, 2020]),
        ("Station", ["A", "B"]),
        ("Medikament", ["ASS", "ACE"]),
    ],
)
def test_german_names_that_tell_nobody_stay(name: str, values: list[Any]) -> None:
    table = pd.DataFrame({name: values * 4, "Natrium": [140.0] * 8})
    assert list(deidentify(table).frame) == [name, "Natrium"]


def test_a_list_for_the_one_sensitive_column_is_refused_in_words() -> None:
    table = pd.DataFrame({"a": [1, 1], "b": [1, 2]})
    with pytest.raises(DataError, match="sensitive names one column"):
        k_anonymity(table, ["a"], sensitive=["b"])  # type: ignore[arg-type]
