"""OMOP into a table: against plain pandas on the same CDM, and every fault of a row."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from fedlab.errors import DataError
from fedlab.site.reading import OmopView, Reading, read_omop

CELL = "Zzyzx-4711"  # stands in a row, and may stand nowhere else
INPATIENT, GLUCOSE, NARROW_GLUCOSE, DIABETES, TYPE_2, SMOKING = 9201, 300, 301, 400, 401, 500
MG, MMOL = 8840, 8753

VIEW: dict[str, Any] = {
    "cohort": {"table": "visit_occurrence", "concepts": [INPATIENT]},
    "columns": [
        {"kind": "index_date", "name": "start"},
        {"kind": "age", "name": "age"},
        {"kind": "sex", "name": "sex"},
        {"kind": "measurement", "name": "last", "concepts": [GLUCOSE], "days": [-365, 1]},
        {"kind": "measurement", "name": "mean", "concepts": [GLUCOSE], "take": "mean"},
        {"kind": "measurement", "name": "mg", "concepts": [GLUCOSE], "take": "max", "unit": MG},
        {"kind": "measurement", "name": "n", "concepts": [GLUCOSE], "take": "count",
         "descendants": True, "days": [None, None]},
        {"kind": "present", "name": "diabetes", "table": "condition_occurrence",
         "concepts": [DIABETES], "descendants": True},
        {"kind": "concept", "name": "smoking", "table": "observation", "concepts": [SMOKING]},
        {"kind": "died", "name": "died", "days": 30},
    ],
}  # fmt: skip


def cdm(seed: int, persons: int = 60) -> dict[str, pd.DataFrame]:
    """A synthetic CDM."""
    rng = np.random.default_rng(seed)
    ids = 1000 + np.arange(persons)

    def days(n: int) -> list[str]:
        start = pd.Timestamp("2020-01-01")
        return [f"{start + pd.Timedelta(days=int(d)):%Y-%m-%d}" for d in rng.integers(0, 900, n)]

    def table(n: int, name: str, concepts: list[int], date: str, stem: str) -> pd.DataFrame:
        return pd.DataFrame(
            {
                f"{name}_id": rng.permutation(n),
                "person_id": rng.choice(ids, n),
                f"{stem}_concept_id": rng.choice(concepts, n),
                date: days(n),
            }
        )

    n = persons * 8
    measurement = table(
        n, "measurement", [GLUCOSE, NARROW_GLUCOSE, 999], "measurement_date", "measurement"
    )
    measurement["value_as_number"] = np.where(
        rng.random(n) < 0.1, np.nan, rng.normal(100, 20, n).round(3)
    )
    measurement["value_as_concept_id"] = 0
    measurement["unit_concept_id"] = rng.choice([MG, MG, MG, MG, MMOL], n)
    observation = table(persons, "observation", [SMOKING, 501], "observation_date", "observation")
    observation["value_as_concept_id"] = rng.choice([11, 12], persons)
    visit = table(persons * 2, "visit_occurrence", [INPATIENT, 9202], "visit_start_date", "visit")
    condition = table(
        persons, "condition_occurrence", [DIABETES, TYPE_2, 409], "condition_start_date",
        "condition",
    )  # fmt: skip
    dead = rng.choice(ids, persons // 4, replace=False)
    death = pd.DataFrame({"person_id": dead, "death_date": days(len(dead))})
    person = pd.DataFrame(
        {
            "person_id": ids,
            "gender_concept_id": rng.choice([8507, 8532, 8551], persons),
            "year_of_birth": rng.integers(1930, 2000, persons),
            "month_of_birth": rng.integers(1, 13, persons),
            "day_of_birth": rng.integers(1, 29, persons),
        }
    )
    ancestor = pd.DataFrame(
        {
            "ancestor_concept_id": [GLUCOSE, GLUCOSE, DIABETES, DIABETES],
            "descendant_concept_id": [GLUCOSE, NARROW_GLUCOSE, DIABETES, TYPE_2],
            "min_levels_of_separation": [0, 1, 0, 1],
        }
    )
    concept = pd.DataFrame({"concept_id": [MG, MMOL], "concept_code": ["mg/dL", "mmol/L"]})
    return {
        "person": person, "visit_occurrence": visit, "condition_occurrence": condition,
        "measurement": measurement, "observation": observation, "death": death,
        "concept_ancestor": ancestor, "concept": concept,
    }  # fmt: skip


def by_hand(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The same table by loops over pandas, one person at a time."""
    day = {name: table.copy() for name, table in tables.items()}
    for table in day.values():
        for name in [c for c in table.columns if c.endswith("_date")]:
            table[name] = pd.to_datetime(table[name])
    rows = []
    visits = day["visit_occurrence"].query("visit_concept_id == @INPATIENT")
    for who in sorted(visits["person_id"].unique()):
        index = visits.loc[visits["person_id"] == who, "visit_start_date"].min()
        born = day["person"].set_index("person_id").loc[who]
        birthday = (born["month_of_birth"], born["day_of_birth"])
        age = index.year - born["year_of_birth"] - ((index.month, index.day) < birthday)
        labs = day["measurement"].query("person_id == @who").copy()
        labs["day"] = (labs["measurement_date"] - index).dt.days
        glucose = labs[(labs["measurement_concept_id"] == GLUCOSE)]
        valued = glucose.dropna(subset="value_as_number")
        recent = valued[valued["day"].between(-365, 1)].sort_values(["day", "measurement_id"])
        before = valued[valued["day"].between(-365, 0)]
        mg = before[before["unit_concept_id"] == MG]
        one_unit = before["unit_concept_id"].nunique() == 1
        conditions = day["condition_occurrence"].query("person_id == @who")
        early = conditions[conditions["condition_start_date"] <= index]
        smoking = day["observation"].query("person_id == @who and observation_concept_id == 500")
        smoking = smoking[smoking["observation_date"] <= index].sort_values(
            ["observation_date", "observation_id"]
        )
        death = day["death"].query("person_id == @who")["death_date"]
        gap = (death.iloc[0] - index).days if len(death) else None
        rows.append(
            {
                "person_id": who,
                "start": index,
                "age": float(age),
                "sex": {8507: "male", 8532: "female"}.get(born["gender_concept_id"]),
                "last": recent["value_as_number"].iloc[-1] if len(recent) else None,
                "last_unit": float(recent["unit_concept_id"].iloc[-1]) if len(recent) else None,
                "mean": before["value_as_number"].mean() if one_unit else None,
                "mean_unit": float(before["unit_concept_id"].iloc[0]) if one_unit else None,
                "mg": mg["value_as_number"].max() if len(mg) else None,
                "n": float((labs["measurement_concept_id"].isin([300, 301])).sum()),
                "diabetes": bool(early["condition_concept_id"].isin([400, 401]).any()),
                "smoking": float(smoking["value_as_concept_id"].iloc[-1]) if len(smoking) else None,
                "died": None if gap is not None and gap < 0 else gap is not None and gap <= 30,
            }
        )
    return pd.DataFrame(rows)


def as_csv(tables: dict[str, pd.DataFrame], folder: Path) -> Path:
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


def as_tabs(tables: dict[str, pd.DataFrame], folder: Path) -> Path:
    for name, table in tables.items():
        upper = table.rename(columns=str.upper)
        upper.to_csv(folder / f"{name.upper()}.CSV", index=False, sep="\t", lineterminator="\r\n")
    return folder


def as_parquet(tables: dict[str, pd.DataFrame], folder: Path) -> Path:
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")
    return folder


def as_connection(tables: dict[str, pd.DataFrame], folder: Path) -> Any:
    connection = duckdb.connect(str(folder / "cdm.duckdb"))
    for name, table in tables.items():
        connection.register("given", table)
        connection.execute(f'CREATE TABLE "{name.title()}" AS SELECT * FROM given')  # noqa: S608
    return connection


def as_file(tables: dict[str, pd.DataFrame], folder: Path) -> Path:
    as_connection(tables, folder).close()
    return folder / "cdm.duckdb"


FORMS: list[Callable[[dict[str, pd.DataFrame], Path], Any]] = [
    as_csv,
    as_tabs,
    as_parquet,
    as_connection,
    as_file,
]


def same(frame: pd.DataFrame, other: pd.DataFrame) -> None:
    assert list(frame.columns) == list(other.columns)
    for name in frame.columns:
        for ours, theirs in zip(frame[name].tolist(), other[name].tolist(), strict=True):
            if pd.isna(theirs):
                assert pd.isna(ours), name
            elif isinstance(theirs, float):
                np.testing.assert_allclose(ours, theirs, rtol=1e-12, err_msg=name)
            else:
                assert ours == theirs, name


@pytest.mark.parametrize("form", FORMS)
def test_a_cohort_is_that_of_loops_over_pandas(tmp_path: Path, form: Any) -> None:
    tables = cdm(seed=5)
    reading = read_omop(form(tables, tmp_path), VIEW)
    same(reading.frame, by_hand(tables))
    report = reading.report
    assert report.n_malformed == 0
    names = [name for name in tables if name != "concept"]
    assert report.n_seen == sum(len(tables[name]) for name in names)
    assert report.gaps["mean", "several_units"] > 0
    assert report.gaps["mg", "not_the_unit"] > 0


def test_nothing_is_left_in_the_database_of_a_connection(tmp_path: Path) -> None:
    connection = as_connection(cdm(seed=1), tmp_path)
    before = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    read_omop(connection, VIEW)
    assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == before


def test_the_last_visit_can_be_the_index_and_any_concept_the_cohort(tmp_path: Path) -> None:
    tables = cdm(seed=2)
    view = {
        "cohort": {"table": "visit_occurrence", "take": "last"},
        "columns": [{"kind": "index_date", "name": "start"}],
    }
    frame = read_omop(as_csv(tables, tmp_path), view).frame.set_index("person_id")["start"]
    last = tables["visit_occurrence"].groupby("person_id")["visit_start_date"].max()
    assert frame.dt.strftime("%Y-%m-%d").to_dict() == last.to_dict()


def test_units_are_shown_as_codes_where_the_vocabulary_is_there(tmp_path: Path) -> None:
    tables = cdm(seed=3)
    column = {"kind": "measurement", "name": "x", "concepts": [GLUCOSE], "days": [None, None]}
    view = {"cohort": VIEW["cohort"], "columns": [column]}
    as_csv(tables, tmp_path)
    ids = read_omop(tmp_path, view).frame["x_unit"]
    codes = read_omop(tmp_path, {**view, "units": "code"}).frame["x_unit"]
    assert codes.fillna("-").tolist() == ids.map({MG: "mg/dL", MMOL: "mmol/L"}).fillna("-").tolist()
    (tmp_path / "concept.csv").unlink()
    with pytest.raises(DataError, match="'concept'"):
        read_omop(tmp_path, {**view, "units": "code"})


def test_a_time_decides_between_rows_of_one_day_and_an_id_between_rows_of_one_time(
    tmp_path: Path,
) -> None:
    tables = small()
    tables["measurement"] = pd.DataFrame(
        {
            "measurement_id": [3, 1, 2],
            "person_id": 1,
            "measurement_concept_id": GLUCOSE,
            "measurement_date": "2020-01-01",
            "measurement_datetime": ["2020-01-01 08:00:00", "2020-01-01 09:00:00", None],
            "value_as_number": [1.0, 2.0, 3.0],
            "value_as_concept_id": None,
            "unit_concept_id": MG,
        }
    )
    assert read_omop(as_csv(tables, tmp_path), SMALL).frame["x"].tolist() == [2.0]


SMALL: dict[str, Any] = {
    "cohort": {"table": "visit_occurrence", "concepts": [INPATIENT]},
    "columns": [{"kind": "measurement", "name": "x", "concepts": [GLUCOSE]}],
}


def small() -> dict[str, pd.DataFrame]:
    """One person with one visit and three measurements."""
    person = pd.DataFrame({"person_id": [1], "gender_concept_id": 8507, "year_of_birth": 1950})
    visit = pd.DataFrame(
        {"person_id": [1], "visit_concept_id": INPATIENT, "visit_start_date": "2020-01-01"}
    )
    measurement = pd.DataFrame(
        {
            "person_id": [1, 1, 1],
            "measurement_concept_id": GLUCOSE,
            "measurement_date": ["2019-12-01", "2019-12-02", "2019-12-03"],
            "value_as_number": [1.0, 2.0, 3.0],
            "value_as_concept_id": None,
            "unit_concept_id": MG,
        }
    )
    return {"person": person, "visit_occurrence": visit, "measurement": measurement}


HEADER = (
    "person_id,measurement_concept_id,measurement_date,value_as_number,value_as_concept_id,"
    "unit_concept_id\n"
)
BROKEN = [
    (f",{GLUCOSE},2019-12-01,1,,\n", "missing_person"),
    (f"{CELL},{GLUCOSE},2019-12-01,1,,\n", "bad_id"),
    (f"1.5,{GLUCOSE},2019-12-01,1,,\n", "bad_id"),
    ("1,,2019-12-01,1,,\n", "missing_concept"),
    (f"1,{CELL},2019-12-01,1,,\n", "bad_concept"),
    (f"1,{GLUCOSE},,1,,\n", "missing_date"),
    (f"1,{GLUCOSE},{CELL},1,,\n", "bad_date"),
    (f"1,{GLUCOSE},2019-02-30,1,,\n", "bad_date"),
    (f"1,{GLUCOSE},0001-01-01,1,,\n", "bad_date"),
    (f"1,{GLUCOSE},infinity,1,,\n", "bad_date"),
    (f"1,{GLUCOSE},2019-12-01,{CELL},,\n", "bad_number"),
    (f"1,{GLUCOSE},2019-12-01,inf,,\n", "bad_number"),
    (f"1,{GLUCOSE},2019-12-01,1,,{CELL}\n", "bad_concept"),
    (f"1,{GLUCOSE},2019-12-01\n", "missing_columns"),
    (f"1,{GLUCOSE},2019-12-01,1,,,{CELL},2\n", "too_many_columns"),
    (f'1,{GLUCOSE},"2019"-12,1,,\n', "quoting"),
    (f"1,{GLUCOSE},2019-12-01,\xff,,\n", "invalid_encoding"),
]


@pytest.mark.parametrize(
    ("line", "code"), BROKEN, ids=[f"{i}-{code}" for i, (_, code) in enumerate(BROKEN)]
)
def test_a_malformed_row_is_told_by_file_and_line(tmp_path: Path, line: str, code: str) -> None:
    as_csv(small(), tmp_path)
    before = f'1,{GLUCOSE},2019-12-05,5,,{MG}\n\n1,"{GLUCOSE}",2019-12-06,"6\n",,{MG}\n'
    after = f"1,{GLUCOSE},2019-12-07,7,,{MG}\n"
    path = tmp_path / "measurement.csv"
    path.write_bytes((HEADER + before + line + after).encode("latin-1"))
    reading = read_omop(tmp_path, SMALL)
    (fault,) = reading.report.faults
    # The header, a row, a blank line, and a row of two lines come before.
    assert (fault.file, fault.line, fault.code) == ("measurement.csv", 6, code)
    assert dict(reading.report.malformed) == {code: 1}
    assert reading.report.n_seen == 6
    assert reading.frame["x"].tolist() == [7.0]
    assert CELL not in repr(reading) + reading._repr_html_()  # R30
    with pytest.raises(DataError, match=r"measurement\.csv:6") as caught:
        read_omop(tmp_path, SMALL, strict=True)
    assert CELL not in str(caught.value)
    assert caught.value.__context__ is None


def test_faults_of_a_file_come_in_the_order_of_its_lines(tmp_path: Path) -> None:
    as_csv(small(), tmp_path)
    path = tmp_path / "measurement.csv"
    text = HEADER + "".join(line for line, _ in BROKEN[:-1])
    path.write_text(text)
    faults = read_omop(tmp_path, SMALL).report.faults
    assert [fault.line for fault in faults] == list(range(2, len(BROKEN) + 1))
    assert [fault.code for fault in faults] == [code for _, code in BROKEN[:-1]]


@pytest.mark.parametrize("form", [as_parquet, as_connection])
def test_rows_of_other_sources_are_told_as_far_as_they_have_a_place(
    tmp_path: Path, form: Any
) -> None:
    tables = small()
    tables["measurement"]["measurement_date"] = ["2019-12-01", CELL, "2019-12-03"]
    reading = read_omop(form(tables, tmp_path), SMALL)
    (fault,) = reading.report.faults
    assert fault.code == "bad_date"
    assert (fault.file, fault.line) == (
        ("measurement.parquet", 2) if form is as_parquet else ("measurement", None)
    )
    assert reading.frame["x"].tolist() == [3.0]


def test_more_faults_than_are_listed_are_counted(tmp_path: Path) -> None:
    as_csv(small(), tmp_path)
    (tmp_path / "measurement.csv").write_text(HEADER + BROKEN[1][0] * 150 + BROKEN[13][0] * 150)
    report = read_omop(tmp_path, SMALL).report
    assert dict(report.malformed) == {"bad_id": 150, "missing_columns": 150}
    assert [fault.line for fault in report.faults] == list(range(2, 102))


def test_a_person_with_two_records_is_used_in_none(tmp_path: Path) -> None:
    tables = small()
    tables["person"] = pd.concat([tables["person"]] * 2)
    reading = read_omop(as_csv(tables, tmp_path), SMALL)
    assert len(reading.frame) == 0
    assert dict(reading.report.malformed) == {"repeated_id": 2}
    assert reading.report.gaps["person_id", "without_record"] == 1
    assert reading.report.n_seen == 6


def test_an_age_from_a_year_alone_takes_the_middle_of_it(tmp_path: Path) -> None:
    tables = small()
    tables["visit_occurrence"]["visit_start_date"] = "2020-06-30"
    view = {"cohort": SMALL["cohort"], "columns": [{"kind": "age", "name": "age"}]}
    assert read_omop(as_csv(tables, tmp_path), view).frame["age"].tolist() == [69.0]
    tables["person"]["year_of_birth"] = 2031
    reading = read_omop(as_csv(tables, tmp_path), view)
    assert np.isnan(reading.frame["age"][0])
    assert dict(reading.report.gaps) == {("age", "bad_birth_date"): 1}


def replaced(view: dict[str, Any], **column: Any) -> dict[str, Any]:
    return {**view, "columns": [{**view["columns"][0], **column}]}


WRONG_VIEWS: list[tuple[Any, str]] = [
    (4, "mapping"),
    ({}, "cohort"),
    ({**SMALL, "colour": 1}, "colour"),
    ({**SMALL, "columns": []}, "length"),
    ({**SMALL, "columns": SMALL["columns"] * 2}, "more than once"),
    ({**SMALL, "cohort": {"table": "nothing"}}, "nothing"),
    (replaced(SMALL, kind="magic"), "magic"),
    (replaced(SMALL, name="a;b"), "regex"),
    (replaced(SMALL, name="person_id"), "person_id"),
    (replaced(SMALL, concepts=[]), "length"),
    (replaced(SMALL, concepts=["1; DROP TABLE person"]), "int"),
    (replaced(SMALL, concepts=[-1]), "0"),
    (replaced(SMALL, take="median"), "median"),
    (replaced(SMALL, days=[1, 0]), "days"),
    (replaced(SMALL, days=[-(10**9), 0]), "days"),
    (replaced(SMALL, days=[1]), "length"),
]


@pytest.mark.parametrize(
    ("view", "text"), WRONG_VIEWS, ids=[f"{i}-{t}" for i, (_, t) in enumerate(WRONG_VIEWS)]
)
def test_a_view_that_cannot_be_used_is_refused(tmp_path: Path, view: Any, text: str) -> None:
    as_csv(small(), tmp_path)
    with pytest.raises(DataError, match=re.escape(text)):
        read_omop(tmp_path, view)


def test_tables_and_columns_that_are_missing_are_named(tmp_path: Path) -> None:
    tables = small()
    as_csv(tables, tmp_path)
    tables["person"].drop(columns="year_of_birth").to_csv(tmp_path / "person.csv", index=False)
    with pytest.raises(DataError, match="'year_of_birth'"):
        read_omop(tmp_path, SMALL)
    (tmp_path / "person.csv").unlink()
    with pytest.raises(DataError, match="'person'"):
        read_omop(tmp_path, SMALL)
    with pytest.raises(DataError, match="concept_ancestor"):
        read_omop(tmp_path, replaced(SMALL, descendants=True))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"person_id,person_id\n1,2\n",
        b"person_id,PERSON_ID\n1,2\n",
        b"a,,b\n1,2,3\n",
        b"\xff\xfe\n",
        b"person_id\r1\r",
        b"\x00",
    ],
    ids=str,
)
def test_a_csv_table_without_a_usable_header_is_refused(tmp_path: Path, raw: bytes) -> None:
    as_csv(small(), tmp_path)
    (tmp_path / "measurement.csv").write_bytes(raw)
    with pytest.raises(DataError, match="measurement"):
        read_omop(tmp_path, SMALL)


def test_sources_that_are_none_are_refused(tmp_path: Path) -> None:
    as_csv(small(), tmp_path)
    (tmp_path / "measurement.parquet").write_bytes(b"PAR1 no table PAR1")
    with pytest.raises(DataError, match="more than one"):
        read_omop(tmp_path, SMALL)
    (tmp_path / "measurement.csv").unlink()
    with pytest.raises(DataError, match="Parquet"):
        read_omop(tmp_path, SMALL)
    (tmp_path / "x.duckdb").write_bytes(b"no database" * 100)
    for source in (tmp_path / "absent", 4, tmp_path / "x.duckdb"):
        with pytest.raises(DataError):
            read_omop(source, SMALL)  # type: ignore[arg-type]


def test_a_schema_of_a_database_is_chosen_by_name(tmp_path: Path) -> None:
    connection = duckdb.connect()
    connection.execute('CREATE SCHEMA "my ""cdm"""')
    for name, table in small().items():
        connection.register("given", table)
        connection.execute(f'CREATE TABLE "my ""cdm""".{name} AS SELECT * FROM given')  # noqa: S608
    reading: Reading = read_omop(connection, SMALL, schema='my "cdm"')
    assert reading.frame["x"].tolist() == [3.0]
    with pytest.raises(DataError, match="visit_occurrence"):
        read_omop(connection, SMALL)


def test_a_view_is_the_same_from_dict_struct_and_yaml(tmp_path: Path) -> None:
    import yaml

    view = OmopView.of(VIEW)
    (tmp_path / "v.yaml").write_text(yaml.safe_dump(VIEW))
    assert OmopView.of(tmp_path / "v.yaml") == OmopView.of(view) == view


def test_semicolons_between_columns_are_read_and_commas_in_numbers_are_faults(
    tmp_path: Path,
) -> None:
    as_csv(small(), tmp_path)
    commas = read_omop(tmp_path, SMALL)
    for file in tmp_path.glob("*.csv"):
        pd.read_csv(file, dtype=str).to_csv(file, sep=";", index=False)
    found = read_omop(tmp_path, SMALL)
    pd.testing.assert_frame_equal(found.frame, commas.frame)
    path = tmp_path / "measurement.csv"
    path.write_text(HEADER.replace(",", ";") + f"1;{GLUCOSE};2019-12-05;5,5;;{MG}\n")
    assert dict(read_omop(tmp_path, SMALL).report.malformed) == {"bad_number": 1}


@pytest.mark.parametrize("memory", ["lots", "", None])
def test_a_memory_that_is_none_is_refused(tmp_path: Path, memory: Any) -> None:
    as_csv(small(), tmp_path)
    with pytest.raises(DataError, match="number with its unit"):
        read_omop(tmp_path, SMALL, memory=memory)
