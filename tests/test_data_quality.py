"""What looks wrong in a site's records is found from aggregates, and from nothing smaller."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import fedlab as fl
from fedlab.core.drift import pooled_moments, standardised_difference, total_variation
from fedlab.core.unit_hints import HINTS, unit_hint
from fedlab.errors import DataError
from tests.builders import OPEN

RANGES = {"glucose": (2.0, 30.0), "age": (18, 110), "temperature": (30, 45)}


def hospital(seed: int, n_rows: int = 300) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "glucose": random.lognormal(np.log(5.8), 0.2, n_rows),
            "age": random.normal(60, 12, n_rows).clip(18, 105),
            "temperature": random.normal(37, 0.5, n_rows),
            "sex": pd.Categorical.from_codes(
                random.integers(0, 2, n_rows), categories=pd.Index(["f", "m"])
            ),
            "died": random.integers(0, 2, n_rows),
        }
    )


def federation(
    *, policy: fl.Policy | None = None, **changed: pd.DataFrame
) -> tuple[fl.Federation, dict[str, pd.DataFrame]]:
    frames = {name: hospital(i) for i, name in enumerate("abcd")} | changed
    options: dict[str, Any] = {"target": "died", "ranges": RANGES}
    sites = [fl.Site(n, f, policy=policy, **options) for n, f in frames.items()]
    return fl.Federation(sites, seed=1), frames


def findings(report: Any) -> dict[tuple[str, str], str]:
    found = report.findings
    return {
        (s, c): f for s, c, f in zip(found["site"], found["column"], found["findings"], strict=True)
    }


def test_sites_alike_give_nothing_to_look_at() -> None:
    fed, _ = federation()
    report = fed.data_quality()
    assert findings(report) == {}
    assert len(report.frame) == 4 * 5


@pytest.mark.parametrize(
    ("column", "change", "words"),
    [
        ("glucose", lambda x: x * 18.016, "mg/dL"),
        ("temperature", lambda x: x * 1.8 + 32, "°F"),
        ("age", lambda x: x * 12, "months"),
        ("glucose", lambda x: x / 1000, "unit"),
    ],
)
def test_numbers_in_another_unit_are_named(column: str, change: Any, words: str) -> None:
    wrong = hospital(9)
    wrong[column] = change(wrong[column])
    fed, _ = federation(b=wrong)
    found = findings(fed.data_quality())
    assert words in found["b", column]
    assert {site for site, _ in found} == {"b"}


def test_one_wrong_site_of_two_is_named_at_both() -> None:
    frames = {"a": hospital(1), "b": hospital(2)}
    frames["b"]["glucose"] *= 18.016
    sites = [fl.Site(n, f, target="died") for n, f in frames.items()]
    found = findings(fl.Federation(sites).data_quality(["glucose"]))
    assert "as in mmol/L" in found["a", "glucose"]
    assert "as in mg/dL" in found["b", "glucose"]


def test_missing_outside_and_shifted_values_are_found() -> None:
    wrong = hospital(9)
    wrong.loc[:89, "glucose"] = np.nan
    wrong.loc[200:229, "age"] = 130.0
    wrong["temperature"] += 0.6
    wrong["sex"] = wrong["sex"].where(wrong.index < 150, "f")
    fed, _ = federation(c=wrong)
    found = findings(fed.data_quality())
    assert "30% missing, 0% elsewhere" in found["c", "glucose"]
    assert "10.0% outside" in found["c", "age"]
    assert "SD" in found["c", "temperature"]
    assert "other categories" in found["c", "sex"]


def test_figures_equal_those_of_the_rows() -> None:
    fed, frames = federation(policy=OPEN)
    report = fed.data_quality().frame.set_index(["site", "column"])
    others = pd.concat([frames[name] for name in "bcd"])["age"]
    mine = frames["a"]["age"]
    spread = np.sqrt((mine.var() + others.var()) / 2)
    assert report.loc[("a", "age"), "shift"] == pytest.approx(
        (mine.mean() - others.mean()) / spread, abs=1e-8
    )
    assert report.loc[("a", "age"), "spread"] == pytest.approx(mine.std() / others.std(), abs=1e-8)
    shares = [
        f["sex"].value_counts(normalize=True)
        for f in (frames["a"], pd.concat([frames[n] for n in "bcd"]))
    ]
    expected = (shares[0] - shares[1]).abs().sum() / 2
    assert report.loc[("a", "sex"), "variation"] == pytest.approx(expected, abs=1e-12)


def test_a_few_missing_values_are_suppressed_and_not_zero() -> None:  # R34
    few = hospital(9)
    few.loc[:4, "glucose"] = np.nan
    fed, _ = federation(d=few)
    report = fed.data_quality(["glucose"])
    line = report.frame.set_index("site").loc["d"]
    assert np.isnan(line["missing"])
    assert np.isnan(line["mean"])
    assert "supp." in repr(report)
    assert "1.7%" not in repr(report)


def test_it_is_drawn_and_names_are_escaped() -> None:
    wrong = hospital(9)
    wrong["glucose"] *= 18.016
    frames = {"<b>x</b>": wrong, "y": hospital(1), "z": hospital(2)}
    sites = [fl.Site(n, f, target="died", ranges=RANGES) for n, f in frames.items()]
    report = fl.Federation(sites).data_quality()
    assert "<b>x" not in report._repr_html_()
    assert "<b>x" not in report.plot().to_json()


def test_under_privacy_it_costs_and_reads_ranges() -> None:
    fed, _ = federation(policy=fl.Policy(epsilon=5.0))
    report = fed.data_quality(["age", "sex"], privacy=fl.RecordDP(epsilon=2.0, delta=1e-5))
    assert (fed.privacy.totals["epsilon_spent"] > 0).all()
    assert report.frame["shift"].dropna().abs().max() < 1


def test_bad_questions_are_refused() -> None:
    fed, _ = federation()
    with pytest.raises(DataError, match="'gluc'"):
        fed.data_quality(["gluc"])
    with pytest.raises(DataError, match="one site"):
        fl.Federation([fl.Site("a", hospital(0), target="died")]).data_quality()


@pytest.mark.parametrize("hint", HINTS, ids=lambda hint: f"{hint.larger} {hint.smaller}")
def test_each_pair_of_units_is_told_from_patients_who_differ(hint: Any) -> None:
    name = (hint.names or ("lab",))[0]
    mean, sd = 40.0, 6.0
    larger = (hint.factor * mean + hint.offset, hint.factor * sd)
    assert hint.larger in str(unit_hint(name, *larger, mean, sd))
    assert hint.smaller in str(unit_hint(name, mean, sd, *larger))
    assert unit_hint(name, mean * 1.15, sd, mean, sd) is None
    assert unit_hint(name, mean, sd * 1.6, mean, sd) is None


def test_groups_together_have_the_moments_of_their_rows() -> None:
    random = np.random.default_rng(3)
    groups = [random.normal(i, 1 + i, 10 + i) for i in range(4)]
    stats = [np.array([f(g) for g in groups]) for f in (len, np.mean, lambda g: np.std(g, ddof=1))]
    whole = np.concatenate(groups)
    assert pooled_moments(*stats) == pytest.approx((whole.mean(), whole.std(ddof=1)))
    assert np.isnan(pooled_moments(np.zeros(1), np.zeros(1), np.zeros(1))[0])
    assert np.isnan(standardised_difference(1.0, 0.0, 2.0, 0.0))
    assert np.isnan(total_variation(np.zeros(2), np.ones(2)))
