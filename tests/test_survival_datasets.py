"""The data sets of survival times: pinned counts, honest features, known effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import fedlab as fl
from fedlab import datasets
from fedlab.datasets import _common
from fedlab.errors import DataError, RefusedError

OPEN = fl.Policy(minimum_rows=1)


def rows(site: fl.Site) -> pd.DataFrame:
    parts = []
    for split in ("train", "test"):
        held = site._rows[split]
        named = {site.schema.target: held.target}
        if site.schema.event is not None and held.event is not None:
            named[site.schema.event] = held.event
        parts.append(held.features.assign(**named))
    return pd.concat(parts, ignore_index=True)


def everyone(sites: list[fl.Site]) -> pd.DataFrame:
    return pd.concat([rows(site) for site in sites], ignore_index=True)


def counts(sites: list[fl.Site], event: str) -> dict[str, tuple[int, int]]:
    return {site.name: (len(rows(site)), int(rows(site)[event].sum())) for site in sites}


class TestCgd:
    def test_counts_of_each_centre(self) -> None:
        assert counts(datasets.cgd(), "infected") == {
            "Amsterdam": (19, 6),
            "Copenhagen": (4, 1),
            "Harvard Medical Sch": (4, 0),
            "L.A. Children's Hosp": (8, 3),
            "Mott Children's Hosp": (9, 5),
            "Mt. Sinai Medical Ctr": (4, 1),
            "NIH": (26, 12),
            "Scripps Institute": (16, 7),
            "Texas Children's Hosp": (8, 2),
            "Univ. of Minnesota": (6, 3),
            "Univ. of Utah": (4, 1),
            "Univ. of Washington": (4, 0),
            "Univ. of Zurich": (16, 3),
        }

    def test_groups_and_follow_up_are_as_told(self) -> None:
        table = everyone(datasets.cgd())
        assert not table.isna().any().any()
        assert (table["days"].min(), table["days"].median(), table["days"].max()) == (4, 269, 388)
        groups = [table[table["treated"] == each]["infected"].tolist() for each in (0, 1)]
        assert [(len(group), sum(group)) for group in groups] == [(65, 30), (63, 14)]
        assert table["steroids"].sum() == 3
        assert table["prophylactic_antibiotics"].sum() == 111

    def test_interferon_prevents_infections(self) -> None:
        from fedlab.core.cox import CoxRegression

        fed = fl.Federation(datasets.cgd(policy=OPEN, test_size=0.0))
        run = fed.train(CoxRegression(grid="exact"), evaluate=False)
        run.run(8, progress=False)
        ratios = ["hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper"]
        found = run.inference().frame[ratios]
        assert found.index[0] == "treated"
        assert found.to_numpy()[0].round(2).tolist() == [0.31, 0.16, 0.63]

    def test_the_other_endpoint_is_a_class_without_the_days(self) -> None:
        sites = datasets.cgd(endpoint="infected")
        assert sites[0].schema.target == "infected"
        assert sites[0].schema.event is None
        assert "days" not in sites[0].schema.names
        with pytest.raises(DataError, match="endpoint"):
            datasets.cgd(endpoint="dead")  # type: ignore[arg-type]

    def test_small_centres_refuse_unless_the_policy_is_opened(self) -> None:
        from fedlab.core.cox import CoxRegression

        with pytest.raises(RefusedError, match="at least 11 rows"):
            fl.Federation(datasets.cgd()).train(CoxRegression(grid=(90, 180, 270, 360)))
        assert sum(len(rows(site)) < 11 for site in datasets.cgd()) == 9


class TestDialysis:
    def test_counts_of_the_centres(self) -> None:
        found = counts(datasets.dialysis(), "died")
        sizes = [size for size, _ in found.values()]
        assert (len(found), sum(sizes), sum(died for _, died in found.values())) == (67, 6805, 1603)
        assert np.median(sizes) == 98
        assert sum(size < 11 for size in sizes) == 3
        assert found["center-2844"] == (241, 91)
        assert sorted(sizes)[-3:] == [222, 227, 241]
        small = {name: each for name, each in found.items() if each[0] < 11}
        assert small == {
            "center-0936": (4, 2),
            "center-0917": (6, 0),
            "center-1061": (8, 5),
        }

    def test_what_is_held_out_is_small_at_more_centres(self) -> None:
        assert sum(len(site._rows["test"]) < 11 for site in datasets.dialysis()) == 16

    def test_features_are_as_told(self) -> None:
        table = everyone(datasets.dialysis())
        assert not table.isna().any().any()
        assert table["cause"].value_counts().to_dict() == {
            "hypertension": 2836,
            "renal": 1414,
            "diabetes": 1283,
            "other": 1130,
            "congenital": 142,
        }
        assert (table["age"].min(), table["age"].max(), (table["age"] < 18).sum()) == (0, 97, 115)
        assert (table["months"].min(), table["months"].max()) == (1, 44)
        assert (table["month_begun"] + table["months"]).max() == 45


class TestPbc:
    def test_patients_of_the_trial_alone(self) -> None:
        table = everyone(datasets.pbc())
        assert len(table) == 312
        assert table["died"].sum() == 125
        assert table["treated"].sum() == 158
        gaps = table.isna().sum()
        assert gaps[gaps > 0].to_dict() == {
            "cholesterol": 28,
            "copper": 2,
            "triglycerides": 30,
            "platelets": 4,
        }
        assert table["edema"].notna().all()

    def test_sites_are_simulated_and_skewed_by_death(self) -> None:
        sites = datasets.pbc(n_sites=4, skew=0.2, minimum_rows=5)
        assert len(sites) == 4
        assert "simulated" in sites[0].source
        shares = [rows(site)["died"].mean() for site in sites]
        assert max(shares) - min(shares) > 0.3


@pytest.mark.parametrize("loader", [datasets.cgd, datasets.dialysis, datasets.pbc])
def test_public_ranges_hold_every_row(loader: object) -> None:
    sites = loader()  # type: ignore[operator]
    table = everyone(sites)
    for column in sites[0].schema.columns:
        if column.kind == "number":
            assert column.low <= table[column.name].min()
            assert table[column.name].max() <= column.high
    assert sites[0].source


def test_another_table_or_none_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="6805 rows and 8 columns"):
        _common.survset_table("Dialysis", shape=(6805, 8))

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(_common, "import_module", missing)
    with pytest.raises(DataError, match="an environment without it"):
        datasets.dialysis()
