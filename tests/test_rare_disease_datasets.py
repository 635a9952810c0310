"""The data sets of rare diseases with classes to predict: pinned counts, honest features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from SurvSet.data import SurvLoader

import fedlab as fl
from fedlab import datasets


def counts(sites: list[fl.Site]) -> dict[str, tuple[int, int]]:
    tables = {site.name: fl.site.reveal(site) for site in sites}
    target = sites[0].schema.target
    return {name: (len(table), int(table[target].sum())) for name, table in tables.items()}


def raw(name: str) -> pd.DataFrame:
    return pd.DataFrame(SurvLoader().load_dataset(name)["df"])


@pytest.mark.filterwarnings("ignore:numpy.core:DeprecationWarning")
class TestPbc3:
    def test_counts_of_each_hospital(self) -> None:
        assert counts(datasets.pbc3(test_size=0.0)) == {
            "Barcelona": (60, 17),
            "Copenhagen": (40, 8),
            "Hvidovre": (18, 2),
            "London": (132, 53),
            "Lyon": (20, 4),
            "Munich": (21, 6),
        }

    def test_features_are_as_told(self) -> None:
        table = fl.site.reveal(datasets.pbc3(test_size=0.0))
        gaps = table.isna().sum()
        assert gaps[gaps > 0].to_dict() == {
            "albumin": 4,
            "log_ast": 3,
            "creatinine": 5,
            "weight_kg": 7,
        }
        assert (table["male"].sum(), table["gastrointestinal_bleeding"].sum()) == (38, 45)
        stages = raw("Pbc3")["fac_stage"].astype("str")
        bilirubin = raw("Pbc3").loc[stages != "missing", "num_bili"]
        assert np.exp(table["log_bilirubin"]).sum() == pytest.approx(bilirubin.sum())


@pytest.mark.filterwarnings("ignore:numpy.core:DeprecationWarning")
class TestLeukaemia:
    def test_counts_of_the_districts(self) -> None:
        found = counts(datasets.leukaemia(test_size=0.0))
        assert len(found) == 24
        assert (sum(n for n, _ in found.values()), sum(d for _, d in found.values())) == (1015, 650)
        assert found["district-24"] == (98, 71)
        assert (found["district-06"], found["district-10"]) == ((12, 8), (12, 5))
        assert np.median([n for n, _ in found.values()]) == 39.5

    def test_those_left_out_were_not_watched_for_a_year(self) -> None:
        table = raw("LeukSurv")
        unknown = table[(table["event"] == 0) & (table["time"] < 365)]
        assert len(unknown) == len(table) - 1015 == 28

    def test_features_are_as_told(self) -> None:
        table = fl.site.reveal(datasets.leukaemia(test_size=0.0))
        assert not table.isna().any().any()
        assert (table["age"].min(), table["age"].max()) == (14, 92)
        assert np.expm1(table["log_white_cells"]).max() == pytest.approx(500)


@pytest.mark.parametrize("loader", [datasets.pbc3, datasets.leukaemia])
def test_rows_lie_in_the_public_ranges_and_the_source_is_cited(loader: object) -> None:
    sites = loader(test_size=0.0)  # type: ignore[operator]
    table = fl.site.reveal(sites)
    for column in sites[0].schema.columns:
        assert column.low is not None
        assert column.high is not None
        assert table[column.name].min() >= column.low
        assert table[column.name].max() <= column.high
    assert all("SurvSet (GPL-3)" in site.source for site in sites)
