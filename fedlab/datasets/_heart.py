"""The heart-disease data of four hospitals, from their four original files."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from fedlab.errors import DataError
from fedlab.partitioning import partition
from fedlab.site import Policy, Site

__all__ = ["heart_disease"]

CITATION = (
    "Janosi A, Steinbrunn W, Pfisterer M, Detrano R. Heart Disease. UCI Machine Learning "
    "Repository 1988, doi:10.24432/C52P4X (CC BY 4.0)."
)

ROWS = {"cleveland": 303, "hungarian": 294, "switzerland": 123, "va": 200}

COLUMNS = (
    *("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg"),
    *("thalach", "exang", "oldpeak", "slope", "ca", "thal", "num"),
)

# Nearly never recorded outside of Cleveland.
SPARSE = ["slope", "ca", "thal"]

MISSING = frozenset({"", "?", "nan", "na"})

CODES: dict[str, tuple[int, ...]] = {
    "sex": (0, 1),
    "cp": (1, 2, 3, 4),
    "fbs": (0, 1),
    "restecg": (0, 1, 2),
    "exang": (0, 1),
    "num": (0, 1, 2, 3, 4),
}

WORDS = {
    "cp": {1: "typical angina", 2: "atypical angina", 3: "non-anginal pain", 4: "asymptomatic"},
    "restecg": {0: "normal", 1: "ST-T abnormality", 2: "ventricular hypertrophy"},
}

RANGES: dict[str, tuple[float, float]] = {
    "age": (18, 100),
    "sex": (0, 1),
    "trestbps": (60, 240),
    "chol": (0, 650),
    "fbs": (0, 1),
    "thalach": (40, 230),
    "exang": (0, 1),
    "oldpeak": (-5, 10),
}


def heart_disease(
    folder: str | Path,
    policy: Policy | None = None,
    home: str | Path | None = None,
    test_size: float = 0.2,
    seed: int = 0,
) -> list[Site]:
    """Has a patient coronary heart disease? Four hospitals, from the four files of UCI.

    The folder holds ``processed.cleveland.data``, ``processed.hungarian.data``,
    ``processed.switzerland.data`` and ``processed.va.data`` as UCI gives them: 14 columns parted by
    commas, no header, gaps as ``?`` (or ``NaN``), lines ended in either way.

    Target
    ------
    disease : 0 or 1
        1 when ``num`` is above 0: a vessel narrowed by more than half.

    Features
    --------
    age : years
    sex : 1 male, 0 female
    cp : chest pain: "typical angina", "atypical angina", "non-anginal pain" or "asymptomatic"
    trestbps : resting blood pressure, mmHg
    chol : serum cholesterol, mg/dl; 0 stands for not measured, as in the whole of Switzerland
    fbs : 1 when fasting blood sugar is above 120 mg/dl
    restecg : resting ECG: "normal", "ST-T abnormality" or (left) "ventricular hypertrophy"
    thalach : highest heart rate reached
    exang : 1 with angina on exertion
    oldpeak : ST depression on exertion

    Parameters
    ----------
    folder : path
        Where the four files are.
    policy, home, test_size, seed
        As in `opt`.

    Returns
    -------
    list of Site
        cleveland 303 rows, hungarian 261, switzerland 46, va 130 from the original files.

    Raises
    ------
    DataError
        When a file is missing, cut short or no such table. No message quotes a cell.

    Notes
    -----
    The usual preparation: ``slope``, ``ca`` and ``thal`` are dropped, which three hospitals rarely
    recorded, and then rows with a gap. In Switzerland nearly all are ill, so that its training rows
    can be of one class.

    References
    ----------
    Janosi A, Steinbrunn W, Pfisterer M, Detrano R. Heart Disease. UCI Machine Learning Repository,
    1988, doi:10.24432/C52P4X, CC BY 4.0.
    """
    where = Path(folder)
    paths = {hospital: where / f"processed.{hospital}.data" for hospital in ROWS}
    absent = [path.name for path in paths.values() if not path.is_file()]
    if absent:
        raise DataError(
            rule="The folder must hold the four files of the UCI heart-disease data.",
            came=f"no {', '.join(absent)}" if where.is_dir() else "a path that is no folder",
            remedy="Download them from https://archive.ics.uci.edu/dataset/45/heart+disease",
        )
    tables = [_prepare(_read(path, hospital), hospital) for hospital, path in paths.items()]
    return partition(
        pd.concat(tables, ignore_index=True),
        target="disease",
        by="hospital",
        policy=policy,
        home=home,
        test_size=test_size,
        seed=seed,
        ranges=RANGES,
        source=CITATION,
    )


def _prepare(table: pd.DataFrame, hospital: str) -> pd.DataFrame:
    table = table.drop(columns=SPARSE).dropna()
    if table.empty:
        raise DataError(
            rule="A hospital needs rows without a gap.",
            came="0 rows",
            remedy="Check the file against the one of UCI.",
            site=hospital,
        )
    named = {
        column: pd.Categorical(table[column].map(words), categories=list(words.values()))
        for column, words in WORDS.items()
    }
    disease = (table["num"] > 0).astype("int64")
    table = table.drop(columns="num").assign(**named, disease=disease, hospital=hospital)
    return table.astype(dict.fromkeys(("sex", "fbs", "exang"), "int64"))


def _read(path: Path, hospital: str) -> pd.DataFrame:
    # Not pandas.read_csv: its errors quote the cell that it could not read.
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    rows = [
        [_number(cell, column, path.name, at) for cell, column in zip(cells, COLUMNS, strict=True)]
        for at, line in enumerate(lines, start=1)
        if line.strip() and (cells := _cells(line, path.name, at))
    ]
    if len(rows) != ROWS[hospital]:
        raise DataError(
            rule=f"{path.name} has {ROWS[hospital]} rows.",
            came=f"{len(rows)} rows",
            remedy="The file is cut short or changed; download it again.",
            site=hospital,
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _cells(line: str, file: str, at: int) -> list[str]:
    cells = line.split(",")
    if len(cells) != len(COLUMNS):
        raise DataError(
            rule=f"{file} has {len(COLUMNS)} columns parted by commas.",
            came=f"{len(cells)} in line {at}",
            remedy="Take the file called processed, not the raw one, and leave it as it is.",
        )
    return cells


def _number(cell: str, column: str, file: str, at: int) -> float:
    cell = cell.strip().lower()
    if cell in MISSING and column != "num":
        return math.nan
    try:
        number = float(cell)
    except ValueError:
        number = math.inf
    if not math.isfinite(number):
        came = "no number"
    elif column in CODES and number not in CODES[column]:
        came = f"another number than {', '.join(map(str, CODES[column]))}"
    else:
        return number
    raise DataError(
        rule=f"{file} holds numbers and '?' alone, in {column!r} a known code where it has codes.",
        came=f"{came} in line {at}, column {column!r}",
        remedy="Take the original file, without a header; the cell is not shown here.",
    )
