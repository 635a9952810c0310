"""A CSV in US units, OMOP tables and a FHIR export give the model of one clean table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fedlab as fl
from fedlab.datasets import three_hospitals, three_hospitals_table
from tests.builders import OPEN

CLEAN = three_hospitals_table()
FEATURES = ["age", "male", "weight", "height", "hdl", "diabetes", "hypertension"]


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> list[fl.Site]:
    folder = three_hospitals(tmp_path_factory.mktemp("hospitals"))
    lakeside = fl.read_omop(folder / "lakeside/cdm", folder / "lakeside/view.yaml")
    riverbend = fl.read_fhir(folder / "riverbend/export", folder / "riverbend/view.json")
    assert lakeside.report.n_malformed == 0
    assert riverbend.report.n_malformed == 1
    data: dict[str, Any] = {
        "mercy": folder / "mercy/admissions.csv",
        "lakeside": lakeside,
        "riverbend": riverbend,
    }
    return [
        fl.Site(name, each, mapping=folder / name / f"{name}.yaml", policy=OPEN, test_size=0)
        for name, each in data.items()
    ]


@pytest.mark.parametrize("name", ["mercy", "lakeside", "riverbend"])
def test_each_hospital_holds_its_patients_of_the_clean_table(
    hospitals: list[fl.Site], name: str
) -> None:
    rows = next(site for site in hospitals if site.name == name)._rows["train"]
    clean = CLEAN[CLEAN["hospital"] == name]
    for feature in FEATURES:
        found = rows.features[feature].to_numpy(dtype=float)
        np.testing.assert_allclose(found, clean[feature], rtol=1e-12)
    assert rows.target.tolist() == clean["died"].tolist()


def test_the_sites_declare_the_same_features(hospitals: list[fl.Site]) -> None:
    assert list(fl.Federation(hospitals).schema.names) == FEATURES


def test_three_hospitals_give_the_model_of_one_clean_table(hospitals: list[fl.Site]) -> None:
    run = fl.Federation(hospitals).train(
        fl.LogisticRegression(), strategy=fl.FedNewton(), evaluate=False
    )
    run.run(15, progress=False)
    oracle = make_pipeline(
        StandardScaler(),
        SimpleImputer(strategy="constant", fill_value=0.0),
        LogisticRegression(solver="newton-cholesky", tol=1e-13, max_iter=500),
    ).fit(CLEAN[FEATURES], CLEAN["died"])
    coef, intercept = oracle[-1].coef_[0], oracle[-1].intercept_[0]
    np.testing.assert_allclose(run.state.parameters["coef"], coef, rtol=0, atol=1e-8)
    np.testing.assert_allclose(run.state.parameters["intercept"], intercept, rtol=0, atol=1e-8)


def test_what_was_cut_off_is_named_by_file_and_line(tmp_path: Path) -> None:
    folder = three_hospitals(tmp_path)
    report = fl.read_fhir(folder / "riverbend/export", folder / "riverbend/view.json").report
    (fault,) = report.faults
    assert (fault.file, fault.line) == ("Observation.ndjson", 42)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "mercy").write_text("a file in the way")
    with pytest.raises(fl.errors.DataError, match="writable"):
        three_hospitals(tmp_path)


def test_the_clean_table_has_no_patient_twice() -> None:
    assert CLEAN["patient"].is_unique
    assert pd.notna(CLEAN.drop(columns="hdl")).all(axis=None)
