"""Patients as FHIR R4 resources in bulk NDJSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pandas as pd

from fedlab.datasets._hospital_files import HDL, INCH, INDEX, POUND, birthdays

__all__ = ["write_fhir"]

LOINC, ICD = "http://loinc.org", "http://hl7.org/fhir/sid/icd-10"
CODES = {"weight": "29463-7", "height": "8302-2", "hdl": "2085-9"}
UNITS = {"weight": ("[lb_av]", 1 / POUND), "height": ("[in_i]", 1 / INCH), "hdl": ("mg/dL", HDL)}
CONDITIONS = {"diabetes": "E11.9", "hypertension": "I10"}

RIVERBEND = """\
    patient: patient
    target: {name: died, column: dead, values: {"true": 1, "false": 0}}
    features:
      age: {derive: "years_between(born, start)", range: [18, 110]}
      male: {column: sex, values: {male: 1, female: 0}, range: [0, 1]}
      weight: {column: weight, unit: "[lb_av]", to: kg, range: [30, 250]}
      height: {column: height, unit: "[in_i]", to: cm, range: [120, 230]}
      hdl: {column: hdl, unit: mg/dL, to: mmol/L, molar_mass: 386.65, range: [0.2, 5]}
      diabetes: {column: diabetes, values: {"true": 1, "false": 0}, range: [0, 1]}
      hypertension: {column: hypertension, values: {"true": 1, "false": 0}, range: [0, 1]}
    """


def write_fhir(table: pd.DataFrame, folder: Path) -> None:
    """Patients in pounds, inches and mg/dL, a file a type; one line of it is cut off."""
    lines: dict[str, list[str]] = {}
    for row, born in zip(table.to_dict("records"), birthdays(table["age"], seed=2), strict=True):
        for resource in _resources({str(k): v for k, v in row.items()}, born):
            lines.setdefault(resource["resourceType"], []).append(json.dumps(resource))
    cut = lines["Observation"][40]
    lines["Observation"].insert(41, cut[: len(cut) // 2])
    (folder / "export").mkdir(exist_ok=True)
    for kind, found in lines.items():
        (folder / "export" / f"{kind}.ndjson").write_text("\n".join([*found, ""]), "utf-8")
    (folder / "view.json").write_text(json.dumps(_view(), indent=2) + "\n", "utf-8")
    (folder / "riverbend.yaml").write_text(dedent(RIVERBEND), "utf-8")


def _resources(row: dict[str, Any], born: pd.Timestamp) -> Iterator[dict[str, Any]]:
    key = str(row["patient"])
    subject = {"reference": f"Patient/{key}"}
    yield {
        "resourceType": "Patient",
        "id": key,
        "gender": "male" if row["male"] else "female",
        "birthDate": f"{born:%Y-%m-%d}",
        **({"deceasedBoolean": True} if row["died"] else {}),
    }
    yield {
        "resourceType": "Encounter",
        "id": f"e-{key}",
        "status": "finished",
        "class": {"code": "IMP"},
        "subject": subject,
        "period": {"start": f"{INDEX:%Y-%m-%d}T08:00:00Z"},
    }
    for name, code in CODES.items():
        unit, factor = UNITS[name]
        # One that is older and another, which the view passes over.
        for days, value in ((30, row[name] * 1.1), (0, row[name])):
            if pd.notna(value):
                yield {
                    "resourceType": "Observation",
                    "id": f"{name}-{days}-{key}",
                    "status": "final",
                    "subject": subject,
                    "effectiveDateTime": f"{INDEX - pd.Timedelta(days=days):%Y-%m-%d}",
                    "code": {"coding": [{"system": LOINC, "code": code}]},
                    "valueQuantity": {"value": value * factor, "unit": unit, "code": unit},
                }
    for name, code in CONDITIONS.items():
        if row[name]:
            yield {
                "resourceType": "Condition",
                "id": f"{name}-{key}",
                "subject": subject,
                "code": {"coding": [{"system": ICD, "code": code}]},
            }


def _view() -> dict[str, Any]:
    """Tables in the shape of SQL on FHIR, and how they become one row a patient."""
    patients = {"sex": "gender", "born": "birthDate", "dead": "deceased.exists()"}
    views: list[dict[str, Any]] = [
        {"resource": "Patient", "name": "patients", "select": _columns(patients)},
        {"resource": "Encounter", "name": "stays", "select": _columns({"start": "period.start"})},
    ]
    values = {
        "value": "value.ofType(Quantity).value",
        "unit": "value.ofType(Quantity).code",
        "at": "effective.ofType(dateTime)",
    }
    for name, code in CODES.items():
        where = f"code.coding.exists(system = '{LOINC}' and code = '{code}')"
        views.append(_some("Observation", name, where, values))
    for name, code in CONDITIONS.items():
        where = f"code.coding.code.startsWith('{code[:3]}')"
        views.append(_some("Condition", name, where, {"key": "id"}))
    columns: list[dict[str, Any]] = [
        {"name": name, "view": "patients", "column": name} for name in ("sex", "born", "dead")
    ]
    columns.append({"name": "start", "view": "stays", "column": "start"})
    columns += [
        {"name": name, "view": name, "column": "value", "take": "last", "date": "at"}
        | {"unit": "unit", "required_unit": UNITS[name][0]}
        for name in CODES
    ]
    columns += [{"name": name, "view": name, "take": "exists"} for name in CONDITIONS]
    return {"views": views, "columns": columns}


def _some(resource: str, name: str, where: str, paths: dict[str, str]) -> dict[str, Any]:
    return {
        "resource": resource,
        "name": name,
        "where": [{"path": where}],
        "select": _columns(paths),
    }


def _columns(paths: dict[str, str]) -> list[dict[str, Any]]:
    return [{"column": [{"name": name, "path": path} for name, path in paths.items()]}]
