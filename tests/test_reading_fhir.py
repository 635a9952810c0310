"""FHIR into tables: against plain JSON code, and every way in which a resource can be broken."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from carebundle import generate_cohort, to_json, to_ndjson
from hypothesis import given
from hypothesis import strategies as st

from fedlab.errors import DataError
from fedlab.site.reading import (
    FAULTS,
    FhirColumn,
    FhirView,
    Limits,
    Reading,
    ViewDefinition,
    read_fhir,
)
from fedlab.site.reading.fhir_json import peek_type, read_json
from fedlab.site.reading.moments import moment

LOINC = "http://loinc.org"
SODIUM = "2951-2"
CELL = "Zzyzx-4711"  # stands in a record, and may stand nowhere else

PATIENTS: dict[str, Any] = {
    "resource": "Patient",
    "name": "patients",
    "select": [
        {"column": [{"name": "sex", "path": "gender"}, {"name": "born", "path": "birthDate"}]}
    ],
}
LABS: dict[str, Any] = {
    "resource": "Observation",
    "name": "labs",
    "constant": [{"name": "code", "valueCode": SODIUM}],
    "where": [{"path": f"code.coding.exists(system = '{LOINC}' and code = %code)"}],
    "select": [
        {
            "column": [
                {"name": "value", "path": "value.ofType(Quantity).value"},
                {"name": "unit", "path": "value.ofType(Quantity).unit"},
                {"name": "at", "path": "effective.ofType(dateTime)"},
            ]
        }
    ],
}


def gathered(*columns: dict[str, Any]) -> dict[str, Any]:
    """A view of patients and sodium with columns of its labs."""
    return {"views": [PATIENTS, LABS], "columns": [{"view": "labs", **each} for each in columns]}


def sodium(key: str, patient: str, value: Any = 140.0, **changes: Any) -> dict[str, Any]:
    """An observation of sodium."""
    unit = changes.pop("unit", "mmol/L")
    at = changes.pop("at", "2026-01-01T09:00:00Z")
    found = {
        "resourceType": "Observation",
        "id": key,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": SODIUM}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": at,
        "valueQuantity": {"value": value, "unit": unit},
        **changes,
    }
    return {name: each for name, each in found.items() if each is not None}


def patient(key: str = "p1", **changes: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": key, "gender": "female", **changes}


def ndjson(folder: Path, *lines: object, name: str = "All.ndjson") -> Path:
    """A file of resources and of lines as they stand."""
    raw = [
        each
        if isinstance(each, bytes)
        else (each if isinstance(each, str) else json.dumps(each)).encode()
        for each in lines
    ]
    path = folder / name
    path.write_bytes(b"".join(line + b"\n" for line in raw))
    return path


def one(folder: Path, *lines: object, **columns: Any) -> Reading:
    """The lines read into one column of labs."""
    return read_fhir(ndjson(folder, *lines), gathered({"name": "x", "column": "value", **columns}))


@cache
def cohort() -> tuple[Any, ...]:
    return tuple(generate_cohort(count=12, seed=7))


# The oracle: plain code over the NDJSON that carebundle itself writes.
@cache
def expected() -> pd.DataFrame:
    texts = to_ndjson(cohort())
    people = [json.loads(line) for line in texts["Patient"].splitlines()]
    labs = [json.loads(line) for line in texts["Observation"].splitlines()]
    rows = [
        {
            "patient": lab["subject"]["reference"].split("/")[1],
            "value": float(lab["valueQuantity"]["value"]),
            "unit": lab["valueQuantity"]["unit"],
            "at": pd.Timestamp(lab["effectiveDateTime"]),
            "id": lab["id"],
        }
        for lab in labs
        if any(c["code"] == SODIUM and c["system"] == LOINC for c in lab["code"]["coding"])
    ]
    table = pd.DataFrame(rows).sort_values(["at", "id"])
    groups = table.groupby("patient")
    frame = pd.DataFrame({"patient": [p["id"] for p in people]})
    frame["sex"] = [p["gender"] for p in people]
    frame = frame.set_index("patient").sort_index()
    frame["last"] = groups["value"].last()
    frame["last_unit"] = groups["unit"].last()
    frame["mean"] = groups["value"].mean()
    frame["n"] = groups["value"].count().reindex(frame.index, fill_value=0)
    frame["any"] = frame["n"] > 0
    return frame.reset_index()


WHOLE: dict[str, Any] = {
    "views": [PATIENTS, LABS],
    "columns": [
        {"name": "sex", "view": "patients", "column": "sex"},
        {"name": "last", "view": "labs", "column": "value", "take": "last", "date": "at",
         "unit": "unit"},
        {"name": "mean", "view": "labs", "column": "value", "take": "mean"},
        {"name": "n", "view": "labs", "take": "count"},
        {"name": "any", "view": "labs", "take": "exists"},
    ],
}  # fmt: skip


def same(frame: pd.DataFrame, other: pd.DataFrame) -> None:
    assert list(frame.columns) == list(other.columns)
    for name in frame.columns:
        pairs = zip(frame[name].tolist(), other[name].tolist(), strict=True)
        for ours, theirs in pairs:
            if isinstance(theirs, float):
                np.testing.assert_allclose(ours, theirs, rtol=1e-12)
            else:
                assert ours == theirs


@pytest.mark.parametrize("form", ["ndjson", "gzip", "bundles"])
def test_patients_of_an_export_are_those_that_plain_json_code_finds(
    tmp_path: Path, form: str
) -> None:
    if form == "bundles":
        for place, bundle in enumerate(cohort()):
            (tmp_path / f"{place}.json").write_text(to_json(bundle))
    else:
        for kind, text in to_ndjson(cohort()).items():
            raw = text.encode()
            ending = ".gz" if form == "gzip" else ""
            file = tmp_path / f"{kind}.ndjson{ending}"
            file.write_bytes(gzip.compress(raw) if form == "gzip" else raw)
    reading = read_fhir(tmp_path, WHOLE)
    same(reading.frame, expected())
    assert reading.report.n_malformed == 0
    lines = sum(len(text.splitlines()) for text in to_ndjson(cohort()).values())
    assert reading.report.n_seen == lines
    assert reading.report.read["Patient"] == len(expected())


def test_the_order_of_files_and_lines_plays_no_part(tmp_path: Path) -> None:
    lines = [line for text in to_ndjson(cohort()).values() for line in text.splitlines()]
    order = np.random.default_rng(0).permutation(len(lines))
    ndjson(tmp_path, *(lines[i] for i in order))
    same(read_fhir(tmp_path, WHOLE).frame, expected())


def test_a_view_definition_gives_a_row_for_each_thing_it_goes_over(tmp_path: Path) -> None:
    first = patient("p1", name=[{"family": "A", "given": ["x", "y"]}, {"family": "B"}])
    ndjson(tmp_path, first, patient("p2"))
    view = {
        "resource": "Patient",
        "status": "active",
        "select": [
            {"column": [{"name": "key", "path": "getResourceKey()"}]},
            {
                "forEach": "name",
                "column": [{"name": "family", "path": "family"}],
                "select": [
                    {"forEachOrNull": "given", "column": [{"name": "given", "path": "$this"}]}
                ],
            },
        ],
    }
    reading = read_fhir(tmp_path, view)
    rows = reading.frame.fillna("none").values.tolist()
    assert rows == [["p1", "A", "x"], ["p1", "A", "y"], ["p1", "B", "none"]]
    assert dict(reading.report.read) == {"Patient": 1}
    assert dict(reading.report.left_out) == {"no_rows": 1}


def test_union_all_puts_tables_below_each_other(tmp_path: Path) -> None:
    ndjson(
        tmp_path,
        patient(telecom=[{"value": "1"}], contact=[{"telecom": [{"value": "2"}, {"value": "3"}]}]),
    )
    column = [{"name": "number", "path": "value"}]
    view = {
        "resource": "Patient",
        "select": [
            {
                "unionAll": [
                    {"forEach": "telecom", "column": column},
                    {"forEach": "contact.telecom", "column": column},
                ]
            }
        ],
    }
    assert read_fhir(tmp_path, view).frame["number"].tolist() == ["1", "2", "3"]


def test_elements_within_keep_their_type(tmp_path: Path) -> None:
    parts = [{"valueQuantity": {"value": 120}}, {"valueQuantity": {"value": 80.5}}]
    ndjson(tmp_path, sodium("o1", "p1", component=parts))
    column = [{"name": "value", "path": "value.ofType(Quantity).value"}]
    view = {"resource": "Observation", "select": [{"forEach": "component", "column": column}]}
    assert read_fhir(tmp_path, view).frame["value"].tolist() == [120.0, 80.5]


def test_the_key_of_a_reference_is_that_of_the_asked_type(tmp_path: Path) -> None:
    ndjson(
        tmp_path,
        sodium("o1", "p1", subject={"reference": "https://a.example/fhir/Patient/p9/_history/2"}),
        sodium("o2", "p1", subject={"reference": "Group/g1"}),
    )
    columns = [
        {"name": "patient", "path": "subject.getReferenceKey(Patient)"},
        {"name": "any", "path": "subject.getReferenceKey()"},
    ]
    frame = read_fhir(tmp_path, {"resource": "Observation", "select": [{"column": columns}]}).frame
    assert frame["patient"].isna().tolist() == [False, True]
    assert frame["any"].tolist() == ["p9", "g1"]


def test_what_is_taken_goes_by_date_and_not_by_time_zone_or_place(tmp_path: Path) -> None:
    labs = [
        sodium("o1", "p1", 1.0, at="2026-01-01T23:00:00-05:00"),
        sodium("o2", "p1", 2.0, at="2026-01-02T03:00:00Z"),
        sodium("o3", "p1", 3.0, at="2025"),
        sodium("o4", "p1", 4.0, at=None),
    ]
    reading = one(tmp_path, patient(), *labs, take="last", date="at")
    assert reading.frame["x"].tolist() == [1.0]
    assert dict(reading.report.gaps) == {("x", "no_date"): 1}
    assert one(tmp_path, patient(), *labs, take="first", date="at").frame["x"].tolist() == [3.0]


def test_several_units_are_reported_and_not_averaged(tmp_path: Path) -> None:
    labs = [
        sodium("o1", "p1", 140.0),
        sodium("o2", "p1", 322.0, unit="mg/dL"),
        sodium("o3", "p2", 139.0),
    ]
    people = [patient("p1"), patient("p2")]
    reading = one(tmp_path, *people, *labs, take="mean", unit="unit")
    assert np.isnan(reading.frame["x"][0])
    assert reading.frame["x"][1] == 139.0
    assert reading.frame["x_unit"].tolist()[1] == "mmol/L"
    assert dict(reading.report.gaps) == {("x", "several_units"): 1}
    needed = one(tmp_path, *people, *labs, take="mean", unit="unit", required_unit="mmol/L")
    assert needed.frame["x"].tolist() == [140.0, 139.0]
    assert list(needed.frame.columns) == ["patient", "x"]
    assert dict(needed.report.gaps) == {("x", "not_the_unit"): 1}


def test_several_values_where_one_is_expected_are_none(tmp_path: Path) -> None:
    people = [patient("p1"), patient("p2")]
    labs = [sodium("o1", "p1", 1.0), sodium("o2", "p1", 2.0), sodium("o3", "p2", 3.0)]
    reading = one(tmp_path, *people, *labs, sodium("o4", "p2", 3.0))
    assert reading.frame["x"].isna().tolist() == [True, False]
    assert dict(reading.report.gaps) == {("x", "several_values"): 1}


def test_labs_of_patients_without_a_record_are_said(tmp_path: Path) -> None:
    reading = one(tmp_path, patient("p1"), sodium("o1", "p1"), sodium("o2", "p9"))
    assert reading.frame["patient"].tolist() == ["p1"]
    assert dict(reading.report.gaps) == {("x", "without_record"): 1}
    alone = {"views": [LABS], "columns": [{"name": "n", "view": "labs", "take": "count"}]}
    assert read_fhir(tmp_path, alone).frame["patient"].tolist() == ["p1", "p9"]


def test_what_is_sound_and_not_asked_for_is_counted_by_reason(tmp_path: Path) -> None:
    reading = one(
        tmp_path,
        patient(),
        "",
        {"resourceType": "Device", "id": "d1"},
        {"resourceType": "Device", "id": "d2", "type": {"text": "Patient"}},
        sodium("o1", "p1", subject={"reference": "Group/g"}),
        sodium("o2", "p1", subject=None),
        sodium("o3", "p1", code={"text": "other"}),
    )
    assert reading.report.n_malformed == 0
    assert dict(reading.report.left_out) == {
        "blank": 1,
        "not_a_patient": 1,
        "not_asked": 3,
        "without_patient": 1,
    }
    assert reading.report.n_seen == 7


# A malformed line, and the code it is counted under.
BROKEN: list[tuple[object, str]] = [
    ("not JSON", "not_json"),
    ('{"resourceType": "Patient", "id": "p2"', "not_json"),
    ('{"resourceType": "Patient", "id": "p2"} {}', "not_json"),
    ('{"resourceType": "Device", "id": "p2"} {}', "not_json"),
    ("1" * 5000, "not_json"),
    ("[]", "not_an_object"),
    ("null", "not_an_object"),
    ({"id": "p2"}, "without_type"),
    ({"resourceType": 4, "id": "p2"}, "without_type"),
    ({"resourceType": CELL, "id": "p2"}, "unknown_type"),
    ({"resourceType": "DomainResource", "id": "p2"}, "unknown_type"),
    ({"resourceType": "Patient"}, "missing_id"),
    ({"resourceType": "Patient", "id": 4}, "bad_id"),
    ({"resourceType": "Patient", "id": f"{CELL} x"}, "bad_id"),
    (patient("p1"), "repeated_id"),
    ('{"resourceType": "Patient", "id": "p2", "id": "p3"}', "repeated_key"),
    ('{"resourceType": "Device", "resourceType": "Patient", "id": "p2"}', "repeated_key"),
    ('{"resourceType": "Patient", "id": "p2", "x": NaN}', "bad_number"),
    ('{"resourceType": "Patient", "id": "p2", "x": 1e999}', "bad_number"),
    ('{"resourceType": "Patient", "id": "p2", "x": "\\ud800"}', "invalid_encoding"),
    (b'{"resourceType": "Patient", "id": "p2", "x": "\xff"}', "invalid_encoding"),
    (b'{"resourceType": "Device", "id": "p2", "x": "\xff"}', "invalid_encoding"),
    ('{"resourceType": "Patient", "x": ' + "[" * 65 + "]" * 65 + "}", "too_deep"),
    ('{"resourceType": "Patient", "x": ' + "[" * 90_000 + "]" * 90_000 + "}", "too_deep"),
    ('{"resourceType": "Device", "x": ' + "[" * 90_000 + "]" * 90_000 + "}", "too_deep"),
    (sodium("o1", "p1", subject={"reference": f"{CELL} p1"}), "bad_reference"),
    (sodium("o1", "p1", subject={"reference": 3}), "bad_reference"),
    (sodium("o1", "p1", subject="Patient/p1"), "bad_reference"),
    (sodium("o1", "p1", performer=[{"reference": ""}]), "bad_reference"),
    (sodium("o1", "p1", at=f"2026-{CELL}"), "bad_date"),
    (sodium("o1", "p1", at="2026-02-30"), "bad_date"),
    (sodium("o1", "p1", CELL), "not_a_number"),
    (sodium("o1", "p1", [1.0, 2.0]), "several_values"),
    (sodium("o1", "p1", {"x": 1.0}), "not_a_value"),
    (sodium("o1", "p1", 10**400), "bad_number"),
]


@pytest.mark.parametrize(
    ("line", "code"), BROKEN, ids=[f"{i}-{c}" for i, (_, c) in enumerate(BROKEN)]
)
def test_a_malformed_resource_is_told_by_file_and_line(
    tmp_path: Path, line: object, code: str
) -> None:
    view = gathered({"name": "x", "column": "value", "take": "mean"},
                    {"name": "y", "column": "value", "take": "last", "date": "at"})  # fmt: skip
    sound = [patient("p1"), sodium("o9", "p1", 138.0)]
    ndjson(tmp_path, sound[0], "", line, sound[1], name="a b.ndjson")
    reading = read_fhir(tmp_path, view)
    (fault,) = reading.report.faults
    assert (fault.file, fault.line, fault.code) == ("a b.ndjson", 3, code)
    assert dict(reading.report.malformed) == {code: 1}
    assert reading.report.n_seen == 4
    assert reading.frame[["x", "y"]].values.tolist() == [[138.0, 138.0]]
    # R29, R30
    for text in (repr(reading), reading._repr_html_(), *reading.report.notes):
        assert CELL not in text
        assert "138" not in text
    with pytest.raises(DataError, match=r"a b\.ndjson:3") as caught:
        read_fhir(tmp_path, view, strict=True)
    assert CELL not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_every_fault_of_fhir_has_a_test() -> None:
    elsewhere = {  # tables, limits, and cases below
        "bad_concept", "missing_columns", "missing_concept", "missing_date", "missing_person",
        "quoting", "too_many_columns", "broken_gzip", "expansion", "too_long", "truncated",
        "not_r4", "path_failed", "not_a_truth", "too_many_rows",
    }  # fmt: skip
    assert {code for _, code in BROKEN} | elsewhere == set(FAULTS)


def faults(reading: Reading) -> list[tuple[str, int | None, str]]:
    return [(fault.file, fault.line, fault.code) for fault in reading.report.faults]


def test_a_last_line_that_breaks_off_is_truncated(tmp_path: Path) -> None:
    path = ndjson(tmp_path, patient("p1"), patient("p2"))
    path.write_bytes(path.read_bytes()[:-9])
    reading = read_fhir(path, PATIENTS)
    assert faults(reading) == [("All.ndjson", 2, "truncated")]
    path.write_bytes(path.read_bytes()[:-9] + b'":"f"}')
    whole = ndjson(tmp_path, patient("p1"))
    whole.write_bytes(b"\xef\xbb\xbf" + whole.read_bytes()[:-1])
    assert read_fhir(whole, PATIENTS).report.n_malformed == 0


def test_a_line_over_the_limit_is_passed_over(tmp_path: Path) -> None:
    path = ndjson(tmp_path, patient("p1"), patient("p2", x="y" * 5000), patient("p3"))
    reading = read_fhir(path, PATIENTS, limits=Limits(line_bytes=1000))
    assert faults(reading) == [("All.ndjson", 2, "too_long")]
    assert len(reading.frame) == 2
    bundle = tmp_path / "b.json"
    bundle.write_text(json.dumps({"resourceType": "Bundle", "entry": [], "x": "y" * 5000}))
    reading = read_fhir(bundle, PATIENTS, limits=Limits(bundle_bytes=1000))
    assert faults(reading) == [("b.json", 1, "too_long")]


def test_a_compressed_file_that_is_damaged_tells_where(tmp_path: Path) -> None:
    lines = b"".join(json.dumps(patient(f"p{i}")).encode() + b"\n" for i in range(2000))
    raw = gzip.compress(lines)
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(raw[: len(raw) // 2])
    reading = read_fhir(path, PATIENTS)
    ((_, line, code),) = faults(reading)
    assert code == "broken_gzip"
    assert line == len(reading.frame) + 1
    path.write_bytes(b"no gzip at all")
    assert faults(read_fhir(path, PATIENTS)) == [("a.ndjson.gz", 1, "broken_gzip")]
    path.write_bytes(raw[:-8] + b"12345678")
    assert faults(read_fhir(path, PATIENTS)) == [("a.ndjson.gz", 2001, "broken_gzip")]


@pytest.mark.parametrize("line", [b"\n", b" "])
def test_a_gzip_bomb_is_left_at_its_limit(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.ndjson.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(json.dumps(patient()).encode() + b"\n")
        for _ in range(90):
            file.write(line * (1 << 20) if line == b" " else (b" " * 4095 + b"\n") * 256)
    reading = read_fhir(path, PATIENTS, limits=Limits(expansion=100))
    assert [code for *_, code in faults(reading)] == ["expansion"]
    assert len(reading.frame) == 1


def test_a_bundle_tells_the_line_of_each_entry(tmp_path: Path) -> None:
    entries = [
        json.dumps({"resource": patient("p1")}),
        '{"resource": {"resourceType": "Patient", "id": "p2", "id": "p3"}}',
        "4",
        '{"request": {"method": "GET"}}',
        json.dumps({"resource": patient("p4")}),
    ]
    text = '{"resourceType": "Bundle",\n"entry": [\n' + ",\n".join(entries) + "\n]}"
    path = tmp_path / "b.json"
    path.write_text(text)
    reading = read_fhir(path, PATIENTS)
    assert faults(reading) == [("b.json", 4, "repeated_key"), ("b.json", 5, "not_an_object")]
    assert dict(reading.report.left_out) == {"no_resource": 1}
    assert reading.report.n_seen == 5
    # What comes before the break is read; the rest is one fault at the place of the break.
    path.write_text(text.replace('"p4"', '"p4'))
    reading = read_fhir(path, PATIENTS)
    assert faults(reading)[-1] == ("b.json", 7, "not_json")
    assert reading.report.n_read == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "not_json"),
        ("[]", "not_an_object"),
        ("{", "not_json"),
        ('{"resourceType": "Patient", "id": "p1"} x', "not_json"),
        ('{"resourceType": "Patient", "id": "p1", "id": "p1"}', "repeated_key"),
        ('{"resourceType": "Patient" "id": "p1"}', "not_json"),
        ('{4: "Patient"}', "not_json"),
        ('{"resourceType": "Bundle", "entry": [1 2]}', "not_an_object"),
        ('{"resourceType": "List", "id": "l", "entry": [{"a": 1, "a": 2}]}', "repeated_key"),
    ],
)
def test_a_broken_file_of_one_resource_is_one_fault(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "b.json").write_text(text)
    reading = read_fhir(tmp_path, PATIENTS)
    assert faults(reading)[0][2] == code
    assert len(reading.frame) == 0


def test_references_within_a_transaction_are_followed(tmp_path: Path) -> None:
    person = {"resourceType": "Patient", "gender": "male"}
    lab = sodium("x", "p", subject={"reference": "urn:uuid:0-1"})
    entry = [
        {"fullUrl": "urn:uuid:0-2", "resource": {k: v for k, v in lab.items() if k != "id"}},
        {"fullUrl": "urn:uuid:0-1", "resource": person},
    ]
    (tmp_path / "t.json").write_text(json.dumps({"resourceType": "Bundle", "entry": entry}))
    frame = read_fhir(tmp_path, gathered({"name": "x", "column": "value"})).frame
    assert frame.values.tolist() == [["0-1", 140.0]]


def test_paths_that_fail_on_a_resource_are_faults_of_it(tmp_path: Path) -> None:
    ndjson(tmp_path, patient(multipleBirthInteger=3, name=[{"given": ["a"] * 200}] * 2))

    def code(select: Sequence[dict[str, Any]], where: str = "true") -> str:
        view = {"resource": "Patient", "select": select, "where": [{"path": where}]}
        ((_, _, found),) = faults(read_fhir(tmp_path, view, limits=Limits(rows=300)))
        return found

    key = [{"column": [{"name": "a", "path": "id"}]}]
    assert code([{"column": [{"name": "a", "path": "gender / 3"}]}]) == "path_failed"
    assert code(key, where="gender") == "not_a_truth"
    assert code(key, where="name.given") == "not_a_truth"
    assert code([{"forEach": "name.given", "column": key[0]["column"]}]) == "too_many_rows"
    assert (
        code([{"forEach": "name.given", "select": key}, {"column": [{"name": "b", "path": "id"}]}])
        == "too_many_rows"
    )


def test_validation_finds_what_no_column_needs(tmp_path: Path) -> None:
    ndjson(tmp_path, patient("p1"), patient("p2", birthDate=CELL), patient("p3", nonsense=1))
    view = {"resource": "Patient", "select": [{"column": [{"name": "sex", "path": "gender"}]}]}
    assert read_fhir(tmp_path, view).report.n_malformed == 0
    reading = read_fhir(tmp_path, view, validate=True)
    assert faults(reading) == [("All.ndjson", 2, "not_r4"), ("All.ndjson", 3, "not_r4")]


def test_only_the_first_faults_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    ndjson(tmp_path, *["x"] * 250)
    report = read_fhir(tmp_path, PATIENTS).report
    assert len(report.faults) == 100
    assert dict(report.malformed) == {"not_json": 250}
    assert len(report.faults_frame) == 100
    assert "250" in report._repr_html_()


def test_files_that_are_not_opened_are_named(tmp_path: Path) -> None:
    ndjson(tmp_path, patient())
    (tmp_path / "<b>notes.txt").write_text("x")
    reading = read_fhir(tmp_path, PATIENTS)
    assert reading.report.ignored_files == ("<b>notes.txt",)
    assert "<b>notes" not in reading._repr_html_()  # R31


@pytest.mark.parametrize(
    "paths",
    [[], "absent.ndjson", 4, [None], "a.txt", ["a.ndjson", "a.ndjson"], "empty"],
    ids=str,
)
def test_paths_that_cannot_be_read_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paths: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    ndjson(tmp_path, patient(), name="a.ndjson")
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError):
        read_fhir(paths, PATIENTS)


def change(view: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**view, **changes}


COLUMN = {"name": "x", "view": "labs", "column": "value"}
WRONG_VIEWS: list[tuple[Any, str]] = [
    (4, "mapping"),
    ({}, "resource"),
    (change(PATIENTS, resource="Unicorn"), "Unicorn"),
    (change(PATIENTS, select=[]), "length"),
    (change(PATIENTS, select=[{}]), "no column"),
    (change(PATIENTS, select=[{"column": [{"name": "a b", "path": "id"}]}]), "regex"),
    (change(PATIENTS, select=[{"column": [{"name": "a", "path": "name.("}]}]), "FHIRPath"),
    (change(PATIENTS, select=[{"column": [{"name": "a", "path": ""}]}]), "FHIRPath"),
    (change(PATIENTS, select=[{"column": [{"name": "a", "path": "today()"}]}]), "clock"),
    (change(PATIENTS, select=[{"column": [{"name": "a", "path": "id"}] * 2}]), "more than once"),
    (change(PATIENTS, select=[{"column": [{"name": "a", "path": "name.single()"}]}]), "first()"),
    (change(PATIENTS, where=[{"path": "now() > birthDate"}]), "clock"),
    (change(PATIENTS, constant=[{"name": "a"}]), "constant"),
    (
        change(PATIENTS, select=[{"column": [{"name": "a", "path": "id", "collection": True}]}]),
        "collection",
    ),
    (
        change(PATIENTS, select=[{"forEach": "name", "forEachOrNull": "name", "column": []}]),
        "forEach",
    ),
    (
        change(
            PATIENTS,
            select=[{"unionAll": [{"column": [{"name": n, "path": "id"}]} for n in "ab"]}],
        ),
        "unionAll",
    ),
    ({"views": [PATIENTS], "columns": []}, "length"),
    ({"views": [PATIENTS, PATIENTS], "columns": [COLUMN]}, "names of their own"),
    ({"views": [change(LABS, name=None)], "columns": [COLUMN]}, "names of their own"),
    (gathered({"name": "x", "column": "nothing"}), "nothing"),
    (gathered({"name": "x", "view": "nothing", "column": "value"}), "nothing"),
    (gathered({"name": "x"}), "column"),
    (gathered({"name": "x", "column": "value", "take": "last"}), "date"),
    (gathered({"name": "x", "column": "value", "take": "median"}), "take"),
    (gathered({"name": "x", "column": "value", "required_unit": "g"}), "unit"),
    (gathered({"name": "patient", "column": "value"}), "patient"),
    (gathered({"name": "x", "column": "value", "colour": 1}), "colour"),
]


@pytest.mark.parametrize(
    ("view", "text"), WRONG_VIEWS, ids=[f"{i}-{t}" for i, (_, t) in enumerate(WRONG_VIEWS)]
)
def test_a_view_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, view: Any, text: str
) -> None:
    ndjson(tmp_path, patient())
    with pytest.raises(DataError, match=re.escape(text)):
        read_fhir(tmp_path, view)


def test_a_view_is_the_same_from_dict_struct_yaml_and_json(tmp_path: Path) -> None:
    import yaml

    view = FhirView.of(WHOLE)
    assert FhirView.of(view) == view
    (tmp_path / "v.yaml").write_text(yaml.safe_dump(WHOLE))
    (tmp_path / "v.json").write_text(json.dumps(WHOLE))
    assert FhirView.of(tmp_path / "v.yaml") == FhirView.of(str(tmp_path / "v.json")) == view
    assert isinstance(view.views[0], ViewDefinition)
    assert isinstance(view.columns[0], FhirColumn)
    (tmp_path / "w.yaml").write_text("a: [\nb: c")
    with pytest.raises(DataError, match="line 2"):
        FhirView.of(tmp_path / "w.yaml")


@pytest.mark.parametrize("value", [0, -1, True, 1.5])
def test_limits_are_positive_whole_numbers(value: Any) -> None:
    with pytest.raises(DataError, match="depth"):
        Limits(depth=value)


# Laws.

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5).filter(str.isascii), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(json_values)
def test_strict_json_reads_what_python_writes(value: Any) -> None:
    assert read_json(json.dumps(value).encode(), 64) == value


@given(
    st.sampled_from(["Patient", "Observation", "Device", "\\u0050atient", "patient"]),
    st.dictionaries(st.sampled_from(["id", "x", "resourceType "]), json_values, max_size=3),
    st.booleans(),
)
def test_what_is_passed_over_unread_is_none_of_the_wanted_types(
    kind: str, members: dict[str, Any], first: bool
) -> None:
    inner = json.dumps(members)[1:-1]
    head = f'"resourceType": "{kind}"'
    parts = [part for part in ([head, inner] if first else [inner, head]) if part]
    raw = ("{" + ", ".join(parts) + "}").encode()
    peeked = peek_type(raw, (b'"Patient"', b'"Observation"'))
    if peeked is not None:
        assert peeked == json.loads(raw)["resourceType"]
        assert peeked not in ("Patient", "Observation")


@given(st.datetimes(pd.Timestamp("1700-01-01"), pd.Timestamp("2200-01-01")), st.integers(-840, 840))
def test_moments_are_those_of_the_standard_library(at: Any, minutes: int) -> None:
    from datetime import UTC, timedelta, timezone

    zoned = at.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    np.testing.assert_allclose(moment(zoned.isoformat()), zoned.timestamp(), atol=1e-5)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
    assert moment(f"{at:%Y-%m-%d}".rjust(10, "0")) == midnight.timestamp()


@pytest.mark.parametrize("path", ["gender.foo()", "name.where(given.Exists())", "frist()"])
def test_a_path_that_calls_what_is_no_function_is_refused_before_reading(
    tmp_path: Path, path: str
) -> None:
    ndjson(tmp_path, patient())
    view = {"resource": "Patient", "select": [{"column": [{"name": "x", "path": path}]}]}
    with pytest.raises(DataError, match="functions of FHIRPath"):
        read_fhir(tmp_path, view)
