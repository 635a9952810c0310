"""Sites that read their tables through a mapping."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fedlab as fl
from fedlab.errors import DataError
from fedlab.site.mapping import Mapping
from fedlab.site.sealed import make_key
from tests.builders import OPEN, rows_of
from tests.test_mapping_apply import MERCY, american, clean

RANGED = {
    **MERCY,
    "features": {**MERCY["features"], "age": {**MERCY["features"]["age"], "range": [0, 110]}},
}


def hospital(name: str = "mercy", **options: Any) -> fl.Site:
    """An American hospital of 400 rows."""
    settings: dict[str, Any] = {"policy": OPEN, "mapping": Mapping.from_dict(RANGED), **options}
    data = settings.pop("data", None)
    return fl.Site(name, american(clean()) if data is None else data, **settings)


def test_a_site_takes_target_patients_categories_and_ranges_from_its_mapping(
    tmp_path: Path,
) -> None:
    table, file = tmp_path / "mercy.csv", tmp_path / "mercy.yaml"
    american(clean()).to_csv(table, index=False)
    Mapping.from_dict(RANGED).write(file)
    site = fl.Site("mercy", table, mapping=file, policy=OPEN)
    plain = fl.Site(
        "mercy",
        clean()[[*MERCY["features"], "died"]],
        target="died",
        ranges={"age": (0, 110)},
        policy=OPEN,
    )
    assert site.schema == plain.schema
    found, expected = rows_of([site]), rows_of([plain])
    for name in expected.select_dtypes("number"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-12)
    assert "MRN" not in site.schema.names
    assert "E11" not in repr(site)
    assert site.mapping_report is not None
    assert plain.mapping_report is None


def test_sites_in_other_units_train_the_model_of_the_clean_table() -> None:
    def fit(first: fl.Site) -> Any:
        other = clean(300, 6)[[*MERCY["features"], "died"]]
        sites = [first, fl.Site("west", other, target="died", policy=OPEN, test_size=0.0)]
        run = fl.Federation(sites, seed=3).train(
            fl.LogisticRegression(), strategy=fl.FedNewton(), aggregation="plain"
        )
        run.run(8, progress=False)
        return run.state.parameters

    one = clean()[[*MERCY["features"], "died"]]
    pooled = fit(fl.Site("mercy", one, target="died", policy=OPEN, test_size=0.0))
    mapped = fit(hospital(mapping=Mapping.from_dict(MERCY), test_size=0.0))
    for name in pooled:
        np.testing.assert_allclose(mapped[name], pooled[name], rtol=0, atol=1e-8)


def flagged() -> pd.DataFrame:
    """The same with values that the mapping does not know, and two rows of each patient."""
    frame = american(clean())
    frame.loc[::7, "GENDER"] = "X"
    frame["MRN"] = [f"m{i // 2}" for i in range(len(frame))]
    return frame


def test_rows_tell_what_was_unmapped_and_whose_they_are() -> None:
    site = hospital(data=flagged())
    rows = site._rows["all"]
    assert list(rows.unmapped) == ["sex"]
    assert rows.unmapped["sex"].sum() == len(range(0, 400, 7))
    assert rows.features["sex"][rows.unmapped["sex"]].isna().all()
    assert rows.patients is not None
    assert len(np.unique(rows.patients)) == 200
    for split in ("train", "test"):
        part = site._rows[split]
        assert len(part.unmapped["sex"]) == len(part) == len(part.patients)  # type: ignore[arg-type]


def test_a_kept_site_opens_without_its_mapping_and_still_knows_what_was_unmapped(
    tmp_path: Path,
) -> None:
    key = tmp_path / "key"
    make_key(key)
    home = tmp_path / "mercy"
    site = hospital(data=flagged(), home=home, keep=True, key=key)
    opened = fl.Site.open(home, key=key)
    assert opened.schema == site.schema
    for split in ("train", "test"):
        first, second = site._rows[split], opened._rows[split]
        pd.testing.assert_frame_equal(first.features, second.features)
        pd.testing.assert_series_equal(first.target, second.target)
        assert list(first.unmapped) == list(second.unmapped)
        np.testing.assert_array_equal(first.unmapped["sex"], second.unmapped["sex"])
        np.testing.assert_array_equal(np.array(first.patients), np.array(second.patients))
    assert site.mapping_report is not None
    assert opened.mapping_report is not None
    pd.testing.assert_frame_equal(site.mapping_report.frame, opened.mapping_report.frame)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "dead"}, "'dead', while the mapping has 'died'"),
        ({"event": "seen"}, "'seen'"),
        ({"patient": "ID"}, "'ID', while the mapping has 'MRN'"),
        ({"categories": {"sex": ["male", "female"]}}, "categories of 'sex'"),
        ({"categories": {"SEX": ["male"]}}, "which the mapping does not make"),
        ({"categories": {"age": ["old"]}}, "Categories have no range"),
        ({"ranges": {"age": (0, 99)}}, "range of 'age'"),
        ({"ranges": {"AGE": (0, 99)}}, "A range must belong to a column"),
        ({"mapping": 7}, "mapping must be a Mapping"),
        ({"mapping": "nowhere.yaml"}, "missing, unreadable or larger"),
        ({"mapping": None}, "A site needs a target"),
        ({"data": 7}, "what a reader gave"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message) as error:
        hospital(**options)
    assert error.value.site == "mercy"


def test_what_agrees_or_is_left_open_may_be_given_beside_a_mapping() -> None:
    open_one = {k: v for k, v in RANGED.items() if k not in {"target", "patient"}}
    open_one["features"] = {**RANGED["features"], "ward": "WARD"}
    data = american(clean()).assign(WARD="north", died=clean()["died"])
    site = hospital(
        data=data,
        mapping=Mapping.from_dict(open_one),
        target="died",
        patient="MRN",
        categories={"ward": ["north", "south"], "sex": ["female", "male"]},
        ranges={"age": (0, 110), "weight": (20, 300)},
    )
    ranges = {column.name: (column.low, column.high) for column in site.schema.columns}
    assert [ranges[name] for name in ("weight", "age")] == [(20, 300), (0, 110)]
    assert site.schema.classes == (0, 1)
    # A public range beside the mapping scales; it takes no value away.
    assert site.mapping_report is not None
    assert site.mapping_report.frame["outside"].sum() == 0


def test_survival_is_mapped_too() -> None:
    mapping = {
        "target": {"name": "days", "column": "FU_WEEKS", "unit": "wk", "to": "d"},
        "event": {"name": "died", "column": "DISPO", "values": {"Expired": 1, "Home": 0}},
        "features": {"platelets": "PLT"},
    }
    data = american(clean()).assign(FU_WEEKS=np.linspace(1, 50, 400))
    site = fl.Site("mercy", data, mapping=Mapping.from_dict(mapping), policy=OPEN, test_size=0)
    assert (site.schema.target, site.schema.event) == ("days", "died")
    np.testing.assert_allclose(site._rows["train"].target, np.linspace(7, 350, 400), rtol=1e-12)


@dataclass
class Read:
    """What any reader of records gives."""

    frame: pd.DataFrame
    report: object = None


def test_what_a_reader_gives_is_taken_as_a_table() -> None:
    assert hospital(data=Read(american(clean()))).schema == hospital().schema
    plain = Read(clean()[["age", "died"]])
    assert fl.Site("mercy", plain, target="died", policy=OPEN).schema.names == ("age",)
    with pytest.raises(DataError, match="what a reader gave"):
        fl.Site("mercy", Read("no table"), target="died")  # type: ignore[arg-type]


def test_an_unknown_outcome_is_refused_by_count_alone() -> None:
    data = american(clean())
    data.loc[3, "DISPO"] = "Jane Doe"
    with pytest.raises(DataError, match="1 rows with one that it does not know") as error:
        hospital(data=data)
    assert "Doe" not in str(error.value)
