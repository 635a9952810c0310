"""Counts, histograms and cross tables equal those of the pooled rows; small cells stay hidden."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

import fedlab as fl
from fedlab.asking.testing_tables import chi_square
from fedlab.errors import DataError, PrivacyError
from fedlab.evaluation import ALL_SITES
from fedlab.queries.group_counts import CountGroups, CountTables, GroupCounts
from fedlab.queries.groups import Factor, schema_of
from tests.builders import RANGES, WARDS, answer_of, ask, deal, table

SIZES = (50, 40, 60)
PROMISE = fl.RecordDP(epsilon=0.5, delta=1e-5)
SMALL = fl.Policy(minimum_rows=11)


def bench(seed: int = 3, sizes: tuple[int, ...] = SIZES, **options: Any) -> fl.Federation:
    return fl.Federation(deal(table(sum(sizes), seed), sizes, **options), seed=5)


def of(frame: pd.DataFrame, site: str = ALL_SITES) -> pd.DataFrame:
    return frame[frame["site"] == site]


FED = bench()
ROWS = table(150, 3)


def test_everybody_is_counted_held_out_rows_too() -> None:
    fed = bench(test_size=0.25)
    frame = fed.count().frame.set_index("site")
    assert frame["patients"].to_dict() == {"s00": 50, "s01": 40, "s02": 60, ALL_SITES: 150}
    assert set(frame["status"]) == {"shown"}


@pytest.mark.parametrize("aggregation", ["plain", "secure"])
def test_counts_by_two_columns_are_those_of_pandas_on_the_pooled_rows(aggregation: str) -> None:
    result = FED.count(by={"ward": None, "age": [20, 50, 70, 100]}, aggregation=aggregation)
    cuts = pd.cut(ROWS["age"], [20, 50, 70, 100], right=False).cat.codes
    ward = ROWS["ward"].astype("object").fillna("(missing)")
    expected = pd.crosstab(ward, cuts)
    names = ["20 to <50", "50 to <70", "70 to 100"]
    found = of(result.frame).pivot(index="ward", columns="age", values="patients")
    for row in expected.index:
        assert found.loc[row, names].tolist() == expected.loc[row, [0, 1, 2]].tolist()
    assert result.totals.loc[ALL_SITES, "patients"] == cuts.ge(0).sum()


# R34
def test_missing_unmapped_zero_and_suppressed_are_four_things() -> None:
    frame = pd.DataFrame(
        {
            "ward": pd.Categorical(["north"] * 30 + ["west"] * 5 + [None] * 40, WARDS),
            "age": np.linspace(30, 80, 75),
            "died": [0, 1, 1] * 25,
        }
    )
    site = fl.Site("mercy", frame, target="died", test_size=0.0, policy=SMALL)
    site._rows["all"].unmapped["ward"] = np.arange(75) >= 60  # type: ignore[index]
    result = fl.Federation([site]).count(by="ward")
    told = of(result.frame, "mercy").set_index("ward")
    assert told["status"].to_dict() == {
        "north": "shown",
        "south": "shown",
        "west": "suppressed",
        "(missing)": told.loc["(missing)", "status"],
        "(unmapped)": told.loc["(unmapped)", "status"],
    }
    assert told.loc["south", "patients"] == 0
    assert told["patients"].isna().to_dict()["west"]
    # What is suppressed beside the small cell is the smallest that hides it.
    assert told.loc["(unmapped)", "status"] == "suppressed"
    assert told.loc["(missing)", "patients"] == 25
    text = repr(result)
    assert "supp." in text
    assert "≥55" in text
    assert "neither zero nor missing" in text


# R34
@settings(max_examples=25)
@given(st.integers(0, 999), st.sampled_from(["plain", "secure"]))
def test_no_small_count_is_shown_and_totals_are_those_of_the_shown_cells(
    seed: int, aggregation: str
) -> None:
    fed = bench(seed, policy=SMALL)
    results = (
        fed.count(by="ward", aggregation=aggregation),
        fed.count(by=["ward", "died"], aggregation=aggregation),
    )
    for result in results:
        for site, part in result.frame.groupby("site"):
            one = part[part["status"] == "shown"]["patients"]
            if site != ALL_SITES:
                assert not one.between(1, 10).any()
            total = result.totals.to_dict("index")[site]
            if part["status"].ne("suppressed").any():
                assert total["patients"] == part["patients"].sum()
            assert (total["status"] == "shown") == part["status"].eq("shown").all()
        shown = result._repr_html_()
        cells = re.findall(r"<td[^>]*>≥?([0-9,]+)</td>", shown)
        if aggregation == "plain":
            assert not [cell for cell in cells if 0 < int(cell.replace(",", "")) < 11]


def test_at_least_is_said_of_all_sites_where_one_suppresses() -> None:
    small = table(24, 5).assign(
        ward=pd.Categorical(["north"] * 12 + ["south"] * 6 + ["west"] * 6, categories=list(WARDS))
    )
    large = table(90, 6).assign(ward=pd.Categorical(list(WARDS) * 30, categories=list(WARDS)))
    sites = [
        fl.Site(name, frame, target="died", test_size=0.0, policy=SMALL)
        for name, frame in (("big", large), ("small", small))
    ]
    result = fl.Federation(sites).count(by="ward")
    told = of(result.frame).set_index("ward")
    assert told["status"].head(3).tolist() == ["shown", "at least", "at least"]
    assert told["patients"].head(3).tolist() == [42, 30, 30]
    assert told["sites"].head(3).tolist() == [2, 1, 1]
    assert list(result.totals.to_dict("index")[ALL_SITES].values()) == [102, "at least"]


def test_counts_are_of_patients_and_not_of_rows() -> None:
    random = np.random.default_rng(0)
    frame = table(120, 2).assign(mrn=random.integers(0, 40, 120))
    policy = fl.Policy(minimum_rows=1)
    site = fl.Site("mercy", frame, target="died", patient="mrn", test_size=0.0, policy=policy)
    fed = fl.Federation([site])
    told = of(fed.count(by="ward").frame, "mercy").set_index("ward")["patients"]
    expected = frame.groupby("ward", observed=True)["mrn"].nunique()
    assert told[list(WARDS)].to_dict() == expected.to_dict()
    assert of(fed.count().frame)["patients"].item() == frame["mrn"].nunique()


def test_conditions_choose_whom_it_is_about() -> None:
    where = {"age": (50, 70), "ward": ["north", "west"]}
    found = of(FED.count(by="died", where=where).frame)
    chosen = ROWS[
        ROWS["age"].between(50, 70, inclusive="left") & ROWS["ward"].isin(["north", "west"])
    ]
    assert found["patients"].head(2).tolist() == [(chosen["died"] == k).sum() for k in (0, 1)]


def test_a_site_that_refuses_is_named_and_left_out() -> None:
    sites = deal(table(150), SIZES)
    closed = fl.Policy(purposes=("training",))
    sites[1] = fl.Site("s01", table(40, 1), target="died", policy=closed, ranges=RANGES)
    result = fl.Federation(sites).count()
    assert list(result.frame["site"]) == ["s00", "s02", ALL_SITES]
    assert result.notes[0].startswith("Site 's01' is not in it.")


@pytest.mark.parametrize("kind", ["flag", "texts", "booleans"])
def test_numbers_that_are_values_are_grouped_by_them(kind: str) -> None:
    frame = table(60, 4, gaps=False)
    if kind == "booleans":
        frame["smoker"] = frame["smoker"].astype(bool)
    fed = fl.Federation(deal(frame, [60]))
    by: Any = {"smoker": ["0", "1"]} if kind == "texts" else "smoker"
    found = of(fed.count(by=by).frame)["patients"].head(2).tolist()
    assert found == [(frame["smoker"] == k).sum() for k in (0, 1)]


BAD: list[tuple[str, Any, str]] = [
    ("count", {"by": "age"}, "by={'age'"),
    ("count", {"by": {"age": [40]}}, "rise"),
    ("count", {"by": {"age": [60, 40]}}, "rise"),
    ("count", {"by": {"age": ["old"]}}, "written as texts"),
    ("count", {"by": "nothing"}, "columns of the federation"),
    ("count", {"where": {"ward": "east"}}, "categories"),
    ("histogram", {"column": "ward"}, "asked of numbers"),
    ("histogram", {"column": "age", "bins": 0}, "whole number"),
    ("histogram", {"column": "age", "edges": [1, 1]}, "rise"),
    ("histogram", {"column": "age", "edges": [1, math.inf]}, "finite"),
    ("histogram", {"column": "age", "by": {"age": [20, 50, 100]}}, "other columns"),
    ("cross_tab", {"a": "ward", "b": "ward"}, "one column twice"),
    ("cross_tab", {"a": ["ward", "died"], "b": "smoker"}, "3 columns"),
]


@pytest.mark.parametrize(("verb", "options", "says"), BAD, ids=range(len(BAD)))
def test_questions_that_cannot_be_asked_say_how_to_ask(verb: str, options: Any, says: str) -> None:
    with pytest.raises(DataError, match=re.escape(says)):
        getattr(FED, verb)(**options)


def test_a_number_without_a_range_needs_edges() -> None:
    fed = bench(ranges={})
    with pytest.raises(DataError, match=re.escape("fed.histogram('age', edges=[0, 20")):
        fed.histogram("age")
    with pytest.raises(DataError, match=re.escape("fed.quantile('age', low=0, high=120)")):
        fed.quantile("age")
    assert of(fed.histogram("age", [0, 50, 120]).frame)["patients"].sum() == 150


@pytest.mark.parametrize("aggregation", ["plain", "secure"])
def test_a_histogram_is_that_of_numpy_and_loses_nobody_beyond_its_edges(aggregation: str) -> None:
    edges = [40, 50, 60, 70]
    found = of(FED.histogram("age", edges, aggregation=aggregation).frame)
    inner = np.histogram(ROWS["age"], edges)[0].tolist()
    below, above = (ROWS["age"] < 40).sum(), (ROWS["age"] > 70).sum()
    assert found["patients"].tolist() == [below, *inner, above, 0, 0]
    assert found["bin"].tolist()[:5] == ["<40", "40 to <50", "50 to <60", "60 to 70", ">70"]
    lab = of(FED.histogram("lab", bins=8, aggregation=aggregation).frame).set_index("bin")
    assert lab.loc["(missing)", "patients"] == ROWS["lab"].isna().sum()
    values = np.histogram(ROWS["lab"].dropna(), np.linspace(-4, 4, 9))[0]
    assert lab["patients"].iloc[1:9].tolist() == values.tolist()


def test_a_value_at_the_last_edge_is_in_the_last_bin() -> None:
    frame = table(40).assign(lab=4.0)
    fed = fl.Federation(deal(frame, [40]))
    assert of(fed.histogram("lab", bins=4).frame)["patients"].tolist() == [0, 0, 0, 0, 40, 0, 0, 0]


def test_suppressed_bins_are_hatched_and_not_zero() -> None:
    fed = bench(policy=SMALL)
    result = fed.histogram("age", bins=12)
    held = result.frame[(result.frame["site"] != ALL_SITES) & np.isfinite(result.frame["low"])]
    held = held[np.isfinite(held["high"]) & (held["status"] == "suppressed")]
    marks = result.plot().data[-1]
    assert (marks.name, marks.marker.pattern.shape) == ("suppressed, not zero", "/")
    assert len(marks.x) == held["low"].nunique() > 0
    told = fed.histogram("age", bins=12, by="died", aggregation="secure")
    assert told.plot().data[-1].name == "suppressed, not zero"
    bars = fed.count(by=["ward", "died"]).plot()
    assert {trace.marker.pattern.shape for trace in bars.data} == {None, "/"}


@pytest.mark.parametrize("aggregation", ["plain", "secure"])
def test_a_cross_table_and_its_test_are_those_of_scipy(aggregation: str) -> None:
    result = FED.cross_tab("ward", "died", aggregation=aggregation)
    expected = pd.crosstab(ROWS["ward"], ROWS["died"])
    oracle: Any = chi2_contingency(expected, correction=False)
    test = result.tests.loc[ALL_SITES]
    assert test["chi_square"] == pytest.approx(oracle.statistic, rel=1e-12)
    assert (test["degrees_of_freedom"], test["of"]) == (2, "all")
    assert test["p_value"] == pytest.approx(oracle.pvalue, rel=1e-12)
    n = expected.to_numpy().sum()
    assert test["cramers_v"] == pytest.approx(math.sqrt(oracle.statistic / n), rel=1e-12)
    shares = of(result.frame).pivot(index="ward", columns="died", values="row_share")
    oracle_shares = pd.crosstab(ROWS["ward"], ROWS["died"], normalize="index")
    np.testing.assert_allclose(shares.loc[list(WARDS), ["0", "1"]], oracle_shares)
    columns = of(result.frame).pivot(index="ward", columns="died", values="column_share")
    oracle_shares = pd.crosstab(ROWS["ward"], ROWS["died"], normalize="columns")
    np.testing.assert_allclose(columns.loc[list(WARDS), ["0", "1"]], oracle_shares)
    assert "χ²" in repr(result)


def test_a_test_is_of_the_sites_that_suppress_no_cell() -> None:
    even = table(90, 1).assign(
        ward=pd.Categorical(list(WARDS) * 30, categories=list(WARDS)), died=[0, 1] * 45
    )
    odd = even.iloc[:40].assign(died=[0] * 35 + [1] * 5)
    sites = [
        fl.Site(name, frame, target="died", test_size=0.0, policy=SMALL)
        for name, frame in (("even", even), ("odd", odd), ("same", even))
    ]
    fed = fl.Federation(sites)
    result = fed.cross_tab("ward", "died")
    assert result.tests["of"].to_dict() == {
        "even": "all",
        "odd": "nothing",
        "same": "all",
        ALL_SITES: "some sites",
    }
    whole = pd.concat([even, even])
    oracle: Any = chi2_contingency(pd.crosstab(whole["ward"], whole["died"]), correction=False)
    assert result.tests.loc[ALL_SITES, "chi_square"] == pytest.approx(oracle.statistic)
    assert result.notes[0].startswith("Of even, same, which tell all cells")
    hidden = fed.cross_tab("ward", "died", aggregation="secure")
    assert hidden.tests.loc[ALL_SITES, "of"] == "nothing"
    assert "no chi-square test" in hidden.notes[0]


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(0, 60), min_size=3, max_size=3), min_size=2, max_size=4))
def test_rows_and_columns_of_nobody_do_not_change_a_test(counts: list[list[int]]) -> None:
    whole = np.array(counts, dtype=float)
    some = whole[whole.sum(axis=1) > 0][:, whole.sum(axis=0) > 0]
    found = chi_square(whole)
    if min(some.shape) < 2:
        assert math.isnan(found.p_value)
        return
    oracle: Any = chi2_contingency(some, correction=False)
    assert found.p_value == pytest.approx(oracle.pvalue)


# R19
def test_noisy_counts_are_charged_to_the_ledger_and_say_how_noisy_they_are() -> None:
    sites = deal(ROWS, SIZES, policy=fl.Policy(epsilon=2.0))
    fed = fl.Federation(sites)
    result = fed.count(by="ward", privacy=PROMISE)
    spent = fed.privacy
    assert (spent.totals["epsilon_spent"] <= 0.5 + 1e-9).all()
    assert (spent.totals["epsilon_spent"] > 0.45).all()
    assert set(spent.frame["query"]) == {"CountGroups"}
    z = float(sites[0].ledger.frame["noise_multiplier"].iloc[0])
    frame = result.frame
    assert set(frame["status"]) == {"noisy"}
    assert of(frame, "s00")["noise"].eq(z).all()
    assert of(frame)["noise"].iloc[0] == pytest.approx(z * math.sqrt(3))
    exact = FED.count(by="ward").frame
    errors = (frame["patients"] - exact["patients"]) / frame["noise"]
    assert 0.3 < errors.std() < 2
    assert any("ε = 0.5" in note for note in result.notes)
    # Without noise the site, which has a budget, says no; so does any promise beyond it.
    with pytest.raises(fl.errors.TrainingError, match="only with noise"):
        fed.count(by="ward")


def test_a_promise_of_many_rounds_is_used_by_the_one_answer_it_takes() -> None:
    fed = bench()
    fed.count(privacy=fl.RecordDP(epsilon=0.5, delta=1e-5, rounds=40))
    assert fed.privacy.totals["epsilon_spent"].max() > 0.45


def test_a_promise_about_sites_is_refused() -> None:
    with pytest.raises(PrivacyError, match="about records"):
        FED.count(privacy=fl.SiteDP(epsilon=1.0, delta=1e-5, rounds=1))  # type: ignore[arg-type]


@pytest.mark.parametrize("shared", [False, True])
def test_noisy_counts_pass_a_secure_sum(shared: bool) -> None:
    how = fl.SecureSum(shared_noise=shared)
    result = FED.cross_tab("ward", "died", privacy=PROMISE, aggregation=how)
    assert set(result.frame["site"]) == {ALL_SITES}
    assert set(result.frame["status"]) == {"noisy"}
    assert "does not know of the noise" in result.notes[0]
    assert abs(result.frame["patients"].sum() - 150) < 8 * result.frame["noise"].iloc[0] * 4


def test_answers_that_do_not_fit_are_not_believed() -> None:
    (site,) = deal(table(30), [30])
    schema = schema_of(site.schema, ["ward"])
    factor = Factor(column="ward", values=WARDS)
    query = CountGroups(schema=schema, factors=(factor,))
    answer = answer_of(ask(site, query))
    assert isinstance(answer, GroupCounts)
    assert query.accepts(answer)
    for counts, shown in (
        (answer.counts[:-1], answer.shown),
        (answer.counts, answer.shown[:-1]),
        (answer.counts, answer.shown - 2),
        (answer.counts * np.nan, answer.shown),
    ):
        assert not query.accepts(GroupCounts(counts, shown))
    tables = CountTables(schema=schema, tables=((), (factor,)))
    both = answer_of(ask(site, tables))
    assert isinstance(both, GroupCounts)
    assert both.counts.tolist() == [30, *answer.counts]
    assert tables.accepts(both)
    assert not tables.accepts(GroupCounts(both.counts[1:], both.shown))


def test_names_are_shown_as_names_wherever_a_table_goes() -> None:
    evil = "<b>|$x$_&%"
    frame = table(60, 1, gaps=False).drop(columns="ward")
    frame[evil] = pd.Categorical([evil, "b"] * 30, categories=[evil, "b"])
    fed = fl.Federation(deal(frame, [30, 30]))
    result = fed.cross_tab(evil, "died")
    assert "<b>" not in result._repr_html_()
    latex = result.to_latex()
    assert r"\$x\$\_\&\%" in latex
    body = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert len({len(re.findall(r"(?<!\\)&", line)) for line in body}) == 1
    lines = [line for line in result.to_markdown().splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert "<b>" not in str(result.plot().to_json()).replace("\\u003cb", "<b")
