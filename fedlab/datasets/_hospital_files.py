"""Patients as a CSV file in US units, and as tables of the OMOP common data model."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import numpy as np
import pandas as pd

__all__ = ["HDL", "INCH", "INDEX", "POUND", "birthdays", "write_csv", "write_omop"]

# Exact by definition, in kilograms and centimetres; g/mol of cholesterol, tenth of mg/dL a mmol/L.
POUND, INCH, HDL = 0.45359237, 2.54, 38.665
INDEX = pd.Timestamp("2015-03-10")
"""The made-up day of all first visits."""

MERCY = """\
    # How Mercy's admissions become the federation's features.
    patient: MRN
    target: {name: died, column: STATUS, values: {Deceased: 1, Alive: 0}}
    features:
      age: {column: AGE, range: [18, 110]}
      male: {column: SEX, values: {M: 1, F: 0}, range: [0, 1]}
      weight: {column: WT_LB, unit: lb, to: kg, range: [30, 250]}
      height: {column: HT_IN, unit: inch, to: cm, range: [120, 230]}
      hdl: {column: HDL_MGDL, unit: mg/dL, to: mmol/L, molar_mass: 386.65, range: [0.2, 5]}
      diabetes: {column: DX1, values: {"E11*": 1, "*": 0}, range: [0, 1]}
      hypertension: {column: DX2, values: {I10: 1, none: 0}, range: [0, 1]}
    """
LAKESIDE_VIEW = """\
    # Persons with an inpatient visit; the first is their index date.
    cohort: {table: visit_occurrence, concepts: [9201]}
    columns:
      - {kind: age, name: age}
      - {kind: sex, name: sex}
      - {kind: measurement, name: weight, concepts: [3025315], unit: 9529}
      - {kind: measurement, name: height, concepts: [3036277], unit: 8582}
      - {kind: measurement, name: hdl, concepts: [3007070], unit: 8753, days: [-3650, 0]}
      - {kind: present, name: diabetes, table: condition_occurrence, concepts: [201826]}
      - {kind: present, name: hypertension, table: condition_occurrence, concepts: [320128]}
      - {kind: died, name: died, days: 20000}
    """
LAKESIDE = """\
    patient: person_id
    target: {name: died, column: died, values: {"true": 1, "false": 0}}
    features:
      age: {column: age, range: [18, 110]}
      male: {column: sex, values: {male: 1, female: 0}, range: [0, 1]}
      weight: {column: weight, range: [30, 250]}
      height: {column: height, range: [120, 230]}
      hdl: {column: hdl, range: [0.2, 5]}
      diabetes: {column: diabetes, values: {"true": 1, "false": 0}, range: [0, 1]}
      hypertension: {column: hypertension, values: {"true": 1, "false": 0}, range: [0, 1]}
    """


def birthdays(ages: pd.Series, seed: int) -> list[pd.Timestamp]:
    """Made-up days of birth of patients who are so old at the index date."""
    days = np.random.default_rng(seed).integers(0, 360, len(ages))
    return [
        INDEX - pd.DateOffset(years=int(age)) - pd.Timedelta(days=int(day))
        for age, day in zip(ages, days, strict=True)
    ]


def write_csv(table: pd.DataFrame, folder: Path) -> None:
    """Patients in pounds, inches and mg/dL, with codes of their own."""
    pd.DataFrame(
        {
            "MRN": table["patient"],
            "AGE": table["age"],
            "SEX": table["male"].map({1: "M", 0: "F"}),
            "WT_LB": table["weight"] / POUND,
            "HT_IN": table["height"] / INCH,
            "HDL_MGDL": table["hdl"] * HDL,
            "DX1": table["diabetes"].map({1: "E11.9", 0: "Z00.0"}),
            "DX2": table["hypertension"].map({1: "I10", 0: "none"}),
            "STATUS": table["died"].map({1: "Deceased", 0: "Alive"}),
        }
    ).to_csv(folder / "admissions.csv", index=False)
    (folder / "mercy.yaml").write_text(dedent(MERCY), "utf-8")


def write_omop(table: pd.DataFrame, folder: Path) -> None:
    """Patients as Parquet files of OMOP tables, with rows that the view has to pass over."""
    ids = np.arange(len(table)) + 1
    born = pd.Series(birthdays(table["age"], seed=1))
    person = pd.DataFrame(
        {
            "person_id": ids,
            "gender_concept_id": table["male"].map({1: 8507, 0: 8532}),
            "year_of_birth": born.dt.year,
            "month_of_birth": born.dt.month,
            "day_of_birth": born.dt.day,
        }
    )
    visit = pd.DataFrame(
        {
            "person_id": [*ids, *ids],
            "visit_concept_id": 9201,
            "visit_start_date": [INDEX.date()] * len(ids)
            + [(INDEX + pd.Timedelta(days=200)).date()] * len(ids),
        }
    )
    # Older, later and in another unit: only one row of each person counts.
    measurement = pd.concat(
        [
            _measured(ids, 3025315, 9529, table["weight"], 0),
            _measured(ids, 3025315, 9529, table["weight"] + 3, -90),
            _measured(ids, 3036277, 8582, table["height"], 0),
            _measured(ids, 3007070, 8753, table["hdl"], -30),
            _measured(ids, 3007070, 8840, table["hdl"] * HDL, -20),
            _measured(ids, 3007070, 8753, table["hdl"] + 0.1, 60),
        ]
    ).dropna(subset="value_as_number")
    known = {201826: ids[table["diabetes"] == 1], 320128: ids[table["hypertension"] == 1]}
    condition = pd.DataFrame(
        {
            "person_id": np.concatenate(list(known.values())),
            "condition_concept_id": np.repeat(list(known), [len(each) for each in known.values()]),
            "condition_start_date": (INDEX - pd.Timedelta(days=1000)).date(),
        }
    )
    gone = ids[table["died"] == 1]
    death = pd.DataFrame(
        {"person_id": gone, "death_date": [(INDEX + pd.Timedelta(days=400)).date()] * len(gone)}
    )
    (folder / "cdm").mkdir(exist_ok=True)
    for name, part in {
        "person": person,
        "visit_occurrence": visit,
        "measurement": measurement,
        "condition_occurrence": condition,
        "death": death,
    }.items():
        part.to_parquet(folder / "cdm" / f"{name}.parquet", index=False)
    (folder / "view.yaml").write_text(dedent(LAKESIDE_VIEW), "utf-8")
    (folder / "lakeside.yaml").write_text(dedent(LAKESIDE), "utf-8")


def _measured(
    ids: np.ndarray, concept: int, unit: int, values: pd.Series, days: int
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "person_id": ids,
            "measurement_concept_id": concept,
            "measurement_date": (INDEX + pd.Timedelta(days=days)).date(),
            "value_as_number": values.to_numpy(np.float64),
            "value_as_concept_id": 0,
            "unit_concept_id": unit,
        }
    )
