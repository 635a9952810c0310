"""Descriptions and Table 1 are those of the pooled rows, under the site's law on small cells."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, f_oneway, ttest_ind

import fedlab as fl
from fedlab.errors import DataError, PrivacyError
from fedlab.evaluation import ALL_SITES
from fedlab.queries import Context, Rows
from fedlab.queries.group_counts import CountTables
from fedlab.queries.group_sums import GroupSums, SumGroups
from fedlab.queries.groups import Factor
from tests.builders import RANGES, WARDS, Recorder, answer_of, ask, deal, table
from tests.test_asking_counts import FED, ROWS, SIZES, SMALL, bench, of
from tests.test_sensitivity import ROUNDED, WILD, changed, pairs, space_of

PROMISE = fl.RecordDP(epsilon=1.0, delta=1e-5)


def line(result: Any, column: str, **where: str) -> dict[str, Any]:
    """The row of all sites for a column."""
    frame = of(result.frame)
    frame = frame[frame["column"] == column]
    for name, value in where.items():
        frame = frame[frame[name] == value]
    (found,) = frame.to_dict("records")
    return {str(key): value for key, value in found.items()}


# Pooled equality
@pytest.mark.parametrize("aggregation", ["plain", "secure"])
def test_means_and_deviations_are_those_of_the_pooled_rows(aggregation: str) -> None:
    result = FED.describe(aggregation=aggregation)
    for column in ("age", "lab", "smoker"):
        found, values = line(result, column), ROWS[column].dropna()
        assert found["patients"] == found["rows"] == len(values)
        assert found["missing"] == ROWS[column].isna().sum()
        assert found["mean"] == pytest.approx(values.mean(), rel=1e-8, abs=1e-8)
        assert found["sd"] == pytest.approx(values.std(), rel=1e-8)
        assert (found["range_low"], found["range_high"]) == RANGES[column]
    for ward in WARDS:
        found = line(result, "ward", level=ward)
        assert found["patients"] == (ROWS["ward"] == ward).sum()
        assert found["share"] == pytest.approx((ROWS["ward"].dropna() == ward).mean())
        assert found["missing"] == ROWS["ward"].isna().sum()
    for q in (25, 50, 75):
        found = line(result, "age")
        assert found[f"q{q}_low"] <= ROWS["age"].quantile(q / 100) <= found[f"q{q}_high"]


def test_each_site_has_its_own_lines_where_single_answers_are_seen() -> None:
    result = FED.describe(["lab", "ward"])
    first = ROWS.iloc[: SIZES[0]]["lab"]
    own = result.of("s00").frame.set_index("column").loc["lab"]
    assert own["mean"] == pytest.approx(first.mean(), rel=1e-10)
    assert own["sd"] == pytest.approx(first.std(), rel=1e-10)
    assert list(dict.fromkeys(result.frame["site"])) == ["s00", "s01", "s02", ALL_SITES]
    assert "site s00" in repr(result.of("s00"))
    hidden = FED.describe(["lab"], aggregation="secure")
    assert set(hidden.frame["site"]) == {ALL_SITES}
    with pytest.raises(DataError, match="sites that are in it"):
        hidden.of("s00")


@settings(max_examples=10)
@example(2382.0, 20.0, True)
@given(st.floats(-1e8, 1e8), st.floats(10, 1e6), st.booleans())
def test_a_deviation_survives_a_mean_that_is_large_beside_it(
    shift: float, spread: float, secure: bool
) -> None:
    frame = ROWS[["lab", "died"]].fillna(0.0).assign(lab=lambda f: shift + spread * f["lab"])
    fed = fl.Federation(deal(frame, SIZES, ranges={"lab": (-2e8, 2e8)}))
    found = line(fed.describe(["lab"], aggregation="secure" if secure else "plain"), "lab")
    assert found["mean"] == pytest.approx(frame["lab"].mean(), rel=1e-8, abs=1e-8 * spread)
    # What doubles of that size can tell apart.
    rounding = 4 * np.spacing(abs(shift)) / spread
    assert found["sd"] == pytest.approx(frame["lab"].std(), rel=1e-8 + 10 * rounding)


@pytest.mark.parametrize("aggregation", ["plain", "secure"])
def test_descriptions_by_group_and_condition_are_those_of_pandas(aggregation: str) -> None:
    result = FED.describe(
        ["age", "lab"], by="ward", where={"age": (45, None)}, aggregation=aggregation
    )
    chosen = ROWS[ROWS["age"] >= 45].groupby("ward", observed=True)
    for ward, part in chosen:
        for column in ("age", "lab"):
            found = line(result, column, ward=str(ward))
            assert found["mean"] == pytest.approx(part[column].mean(), rel=1e-8, abs=1e-8)
            assert found["sd"] == pytest.approx(part[column].std(), rel=1e-8)


# R34
def test_few_missing_values_hide_a_columns_figures_unless_the_policy_tells_them() -> None:
    frame = table(60, 8, gaps=False)
    frame.loc[:3, "lab"] = np.nan
    held = fl.Federation(deal(frame, [60], policy=SMALL)).describe(["lab", "age"])
    found = line(held, "lab")
    assert (found["status"], found["missing_status"]) == ("suppressed", "suppressed")
    assert (found["mean_status"], found["quartile_status"]) == ("suppressed", "suppressed")
    # That nobody is unmapped is nothing to hide.
    numbers = [
        found[k] for k in found if isinstance(found[k], float) and k[:5] not in ("range", "unmap")
    ]
    assert all(math.isnan(number) for number in numbers)
    assert line(held, "age")["mean_status"] == "shown"
    policy = fl.Policy(minimum_rows=11, missing_cells=True)
    told = line(fl.Federation(deal(frame, [60], policy=policy)).describe(["lab"]), "lab")
    assert (told["patients"], told["missing"]) == (56, 4)
    assert told["mean"] == pytest.approx(frame["lab"].mean())


# R34
@pytest.mark.parametrize("ones", [5, 3, 57])
def test_the_mean_of_a_flag_does_not_tell_a_small_count(ones: int) -> None:
    frame = table(60, 8, gaps=False).assign(smoker=[1] * ones + [0] * (60 - ones))
    found = line(fl.Federation(deal(frame, [60], policy=SMALL)).describe(["smoker"]), "smoker")
    assert (found["status"], found["mean_status"]) == ("shown", "suppressed")
    assert math.isnan(found["mean"])
    assert math.isnan(found["sd"])


def test_a_mean_of_some_sites_says_so_and_is_that_of_their_rows() -> None:
    frame = table(120, 8, gaps=False).assign(smoker=[1] * 3 + [0] * 57 + [0, 1] * 30)
    fed = fl.Federation(deal(frame, [60, 60], policy=SMALL))
    result = fed.describe(["smoker"])
    found = line(result, "smoker")
    assert (found["mean"], found["mean_status"], found["rows"]) == (0.5, "in part", 60)
    assert found["patients"] == 120
    assert "†" in repr(result)


# R34
@settings(max_examples=3)
@given(st.integers(0, 999))
def test_nothing_that_is_shown_tells_of_1_to_10_patients(seed: int) -> None:
    fed = bench(seed, policy=SMALL)
    results: list[Any] = [
        fed.describe(),
        fed.describe(by="died"),
        fed.table_one("died"),
        fed.table_one("ward", median=["lab"]),
    ]
    for result in results:
        frame = result.frame
        singles = frame[frame["site"] != ALL_SITES] if "site" in frame else frame.iloc[:0]
        for name in ("patients", "missing", "unmapped"):
            if name in singles:
                assert not singles[name].between(0.5, 10.5).any()
        for text in (repr(result), result._repr_html_(), result.to_markdown()):
            assert not re.search(r"NaN|nan|None", text)


def test_no_value_of_a_row_is_in_a_description() -> None:
    text = FED.describe().frame.to_csv() + FED.describe()._repr_html_()
    for column in ("age", "lab"):
        assert not [v for v in ROWS[column].dropna() if f"{v:.10g}" in text]


def test_columns_that_are_not_there_are_named() -> None:
    with pytest.raises(DataError, match="columns of the federation"):
        FED.describe(["age", "height"])
    with pytest.raises(DataError, match="needs columns"):
        FED.describe(["ward"], by="ward")
    with pytest.raises(DataError, match="one column"):
        FED.table_one(["ward", "died"])
    with pytest.raises(DataError, match="asked of numbers"):
        FED.table_one("died", median=["ward"])
    with pytest.raises(PrivacyError, match="no room"):
        FED.table_one("died", median=["age"], privacy=PROMISE)


# R19
def test_a_noisy_description_costs_one_promise_and_says_how_noisy_it_is() -> None:
    fed = bench(policy=fl.Policy(epsilon=3.0))
    result = fed.describe(privacy=PROMISE)
    spent = fed.privacy.totals["epsilon_spent"]
    assert (spent <= 1.0 + 1e-9).all()
    assert (spent > 0.9).all()
    assert set(fed.privacy.frame["query"]) == {"SumGroups", "CountTables"}
    exact = FED.describe()
    for column in ("age", "lab"):
        found, truth = line(result, column), line(exact, column)
        assert found["mean_status"] == "noisy"
        assert abs(found["mean"] - truth["mean"]) < 5 * found["mean_noise"]
        assert abs(found["patients"] - truth["patients"]) < 5 * found["noise"]
    assert "q50" not in result.frame or result.frame["q50"].isna().all()
    assert any(note.startswith("Noise of a count") for note in result.notes)
    again = fed.table_one("died", privacy=PROMISE)
    assert (fed.privacy.totals["epsilon_spent"] < 2.0).all()
    assert "p-value" not in repr(again)
    assert again.tests["p_value"].isna().all()
    ages = again.frame[again.frame["column"] == "age"]
    assert (ages["mean_noise"] > 0).all()
    assert (ages["noise"] > 0).all()


def test_the_stated_noise_of_a_mean_is_that_of_many_draws() -> None:
    frame = table(400, 1, gaps=False)
    off, told = [], []
    for run in range(80):
        fed = fl.Federation(deal(frame, [400]), seed=run)
        found = line(fed.describe(["age"], privacy=PROMISE), "age")
        off.append(found["mean"] - frame["age"].mean())
        told.append(found["mean_noise"])
    assert np.std(off) == pytest.approx(np.mean(told), rel=0.35)


def test_columns_without_a_range_are_left_out_of_a_noisy_description_and_named() -> None:
    fed = bench(ranges={"age": (20, 100)})
    result = fed.describe(privacy=PROMISE)
    assert "lab" not in set(result.frame["column"])
    assert any("lab, smoker" in note for note in result.notes)
    with pytest.raises(PrivacyError, match="ranges="):
        fed.describe(["lab"], privacy=PROMISE)


SUMS: dict[str, Any] = {"columns": ("a", "b"), "center": np.zeros(2), "scale": np.full(2, 2.0)}


# R14
@settings(max_examples=60)
@given(pairs(), st.floats(0.1, 5), st.booleans())
def test_a_row_changes_noisy_sums_by_at_most_their_sensitivity(
    pair: tuple[Rows, Rows], scale: float, by: bool
) -> None:
    factors = (Factor(column="c", edges=(-2, 0, 3)),) if by else ()
    query = SumGroups(
        schema=space_of().schema, factors=factors, **{**SUMS, "scale": np.full(2, scale)}
    )
    assert changed(query, pair) <= ROUNDED


# R14
@settings(max_examples=40)
@given(pairs())
def test_a_row_changes_noisy_tables_by_at_most_their_sensitivity(pair: tuple[Rows, Rows]) -> None:
    cuts = Factor(column="a", edges=(-2, 0, 3))
    target = Factor(column="y", values=("0", "1"))
    query = CountTables(schema=space_of().schema, tables=((), (cuts,), (cuts, target)))
    assert changed(query, pair) <= ROUNDED


@given(st.lists(WILD, min_size=1, max_size=6))
def test_noisy_sums_of_values_in_range_are_the_exact_ones(values: list[float]) -> None:
    frame = pd.DataFrame({"a": np.clip(values, -2, 3), "b": 0.5, "c": 1.0})
    rows = Rows(frame, pd.Series(np.zeros(len(frame), dtype=int), name="y"))
    query = SumGroups(schema=space_of().schema, **{**SUMS, "scale": np.full(2, 3.0)})
    exact, hidden = query.compute(rows, Context((0,))), query.compute(rows, Recorder().context())
    assert isinstance(exact, GroupSums)
    assert isinstance(hidden, GroupSums)
    np.testing.assert_allclose(hidden.sums, exact.sums, atol=1e-12)


def test_sums_that_do_not_fit_are_not_believed() -> None:
    (site,) = deal(table(30, gaps=False), [30])
    query = SumGroups(
        schema=site.schema, columns=("age",), center=np.array([60.0]), scale=np.array([40.0])
    )
    answer = answer_of(ask(site, query))
    assert isinstance(answer, GroupSums)
    assert query.accepts(answer)
    sums, patients, shown = answer.sums, answer.patients, answer.shown
    for wrong in (
        GroupSums(sums[:4], patients, shown),
        GroupSums(sums * np.nan, patients, shown),
        GroupSums(-sums, patients, shown),
        GroupSums(sums, patients - 99, shown),
        GroupSums(sums, patients, shown / 2),
        GroupSums(sums, np.zeros(0), shown),
    ):
        assert not query.accepts(wrong)
    bad = SumGroups(schema=site.schema, columns=("age",), center=np.zeros(1), scale=np.zeros(1))
    assert bad.releases(30) is None


def test_patients_with_several_rows_are_counted_once_and_averaged_by_row() -> None:
    frame = table(120, 2).assign(mrn=np.repeat(np.arange(40), 3))
    site = fl.Site(
        "mercy",
        frame,
        target="died",
        patient="mrn",
        test_size=0.0,
        ranges=RANGES,
        policy=fl.Policy(minimum_rows=1),
    )
    found = line(fl.Federation([site]).describe(["lab"]), "lab")
    assert found["patients"] == frame.dropna(subset="lab")["mrn"].nunique()
    assert found["rows"] == frame["lab"].notna().sum()
    assert found["mean"] == pytest.approx(frame["lab"].mean())


def standardised(parts: list[pd.Series]) -> float:
    return max(
        abs(a.mean() - b.mean()) / math.sqrt((a.var() + b.var()) / 2)
        for a, b in itertools.combinations(parts, 2)
    )


@pytest.mark.parametrize("aggregation", ["plain", "secure"])
@pytest.mark.parametrize("by", ["died", "ward"])
def test_table_1_is_that_of_scipy_on_the_pooled_rows(by: str, aggregation: str) -> None:
    result = FED.table_one(by, aggregation=aggregation)
    levels = ["0", "1"] if by == "died" else list(WARDS)
    groups = [ROWS[ROWS[by].astype("str") == level] for level in levels]
    every = pd.concat(groups)
    for column in ("age", "lab"):
        parts = [group[column].dropna() for group in groups]
        told = result.frame[result.frame["column"] == column].set_index("group")
        for level, part in zip([*levels, "All"], [*parts, every[column].dropna()], strict=True):
            assert told.loc[level, "mean"] == pytest.approx(part.mean(), rel=1e-8, abs=1e-8)
            assert told.loc[level, "sd"] == pytest.approx(part.std(), rel=1e-8)
        oracle: Any = ttest_ind(*parts, equal_var=False) if by == "died" else f_oneway(*parts)
        assert told["p_value"].iloc[0] == pytest.approx(oracle.pvalue, rel=1e-6)
        assert told["smd"].iloc[0] == pytest.approx(standardised(parts), rel=1e-6)
        assert told["missing"].tolist() == [
            *(group[column].isna().sum() for group in groups),
            every[column].isna().sum(),
        ]
    other = "smoker" if by == "ward" else "ward"
    counts = pd.crosstab(every[by], every[other])
    chi: Any = chi2_contingency(counts, correction=False)
    assert result.tests.loc[other, "p_value"] == pytest.approx(chi.pvalue, rel=1e-9)
    shares = counts.div(counts.sum(axis=1), axis=0)
    told = result.frame[result.frame["column"] == other]
    found = told[told["group"] != "All"].pivot(index="group", columns="level", values="share")
    np.testing.assert_allclose(
        found.loc[levels, [f"{c}" for c in shares.columns]], shares.to_numpy()
    )
    sizes = result.frame[result.frame["column"] == ""]
    assert sizes["patients"].tolist() == [*(len(group) for group in groups), len(every)]


def test_the_difference_of_two_shares_is_the_textbook_one() -> None:
    told = FED.table_one("died").tests.loc["smoker", "smd"]
    p, q = (ROWS.loc[ROWS["died"] == k, "smoker"].mean() for k in (0, 1))
    assert told == pytest.approx(abs(p - q) / math.sqrt((p * (1 - p) + q * (1 - q)) / 2))


def test_medians_are_told_on_request_and_without_a_test() -> None:
    result = FED.table_one("died", median=["lab"])
    told = result.frame[result.frame["column"] == "lab"]
    for group, rows in (("0", ROWS[ROWS["died"] == 0]), ("1", ROWS[ROWS["died"] == 1])):
        oracle = rows["lab"].median()
        (cell,) = told[told["group"] == group].to_dict("records")
        assert cell["median_low"] - 1e-9 <= oracle <= cell["median_high"] + 1e-9
    assert told["p_value"].isna().all()
    assert told["missing"].tolist()[-1] == ROWS["lab"].isna().sum()
    assert "median [IQR]" in repr(result)


# R34
def test_suppressed_cells_of_table_1_say_so_and_tests_are_of_whole_tables() -> None:
    frame = table(200, 8, gaps=False).assign(
        smoker=[1] * 4 + [0] * 96 + [0, 1] * 50, died=[0, 1] * 50 + [0, 0, 1, 1] * 25
    )
    fed = fl.Federation(deal(frame, [100, 100], policy=SMALL))
    result = fed.table_one("died", ["smoker", "age"])
    test = result.tests.loc["smoker"]
    assert test["tested"] == "some sites"
    last = frame.iloc[100:]
    chi: Any = chi2_contingency(pd.crosstab(last["smoker"], last["died"]), correction=False)
    assert test["p_value"] == pytest.approx(chi.pvalue)
    text = repr(result)
    assert "≥" in text
    assert "†" in text
    hidden = fed.table_one("died", ["smoker"], aggregation="plain").frame
    assert set(hidden["status"]) >= {"at least", "shown"}


@pytest.mark.parametrize("verb", ["describe", "table_one"])
def test_tables_hold_names_from_elsewhere_as_names(verb: str) -> None:
    evil = "<img src=x>|$a_b$"
    frame = table(60, 1).rename(columns={"lab": evil})
    fed = fl.Federation(deal(frame, [30, 30], ranges={"age": (20, 100), evil: (-4, 4)}))
    result = fed.describe() if verb == "describe" else fed.table_one("died")
    assert "<img" not in result._repr_html_()
    assert r"\$a\_b\$" in result.to_latex()
    lines = [x for x in result.to_markdown().splitlines() if x.startswith("|")]
    assert len({x.count("|") for x in lines}) == 1
    assert "<img" not in result.plot().to_json()


def test_figures_show_what_the_frames_hold() -> None:
    love = FED.table_one("died").plot()
    assert list(love.data[0].y) == ["age", "lab", "smoker", "ward"]
    presence = FED.describe().plot()
    share = 100 * ROWS["lab"].notna().mean()
    row = list(presence.data[0].y).index("lab")
    assert presence.data[0].z[row][-1] == pytest.approx(share)


def test_a_site_that_refuses_one_part_is_suppressed_there_and_in_the_rest() -> None:
    sites = deal(table(150, 3), SIZES)
    policy = fl.Policy(minimum_rows=1, queries=("SumGroups", "CountTables"))
    sites[1] = fl.Site(
        "s01", table(150, 3).iloc[50:90], target="died", policy=policy, ranges=RANGES, test_size=0.0
    )
    fed = fl.Federation(sites)
    result = fed.describe()
    found = line(result, "age")
    assert (found["patients"], found["mean_status"]) == (150, "shown")
    assert found["quartile_status"] == "in part"
    assert any("'s01' does not tell some of it" in note for note in result.notes)
    assert not result.refusals
    told = fed.table_one("died", median=["lab"])
    assert told.frame[told.frame["column"] == "lab"]["status"].eq("in part").all()
    assert told.frame[told.frame["column"] == "age"]["status"].eq("shown").all()
    assert told.tests.loc["age", "tested"] == "all"


def test_a_test_that_a_site_is_not_in_says_so() -> None:
    sites = deal(table(150, 3), SIZES)
    policy = fl.Policy(minimum_rows=1, queries=("CountTables",))
    sites[1] = fl.Site(
        "s01", table(150, 3).iloc[50:90], target="died", policy=policy, ranges=RANGES, test_size=0.0
    )
    told = fl.Federation(sites).table_one("died", ["age", "ward"])
    assert told.tests["tested"].to_dict() == {"age": "some sites", "ward": "all"}
    assert told.frame[told.frame["column"] == "age"]["status"].eq("in part").all()
    rows = pd.concat([ROWS.iloc[:50], ROWS.iloc[90:]])
    parts = [rows.loc[rows["died"] == k, "age"] for k in (0, 1)]
    oracle: Any = ttest_ind(*parts, equal_var=False)
    assert told.tests.loc["age", "p_value"] == pytest.approx(oracle.pvalue)


def test_a_number_from_0_to_1_that_is_no_flag_is_pointed_out() -> None:
    frame = table(60, 4, gaps=False).assign(lab=lambda f: f["lab"].clip(-1, 1) / 2 + 0.5)
    ranges = {**RANGES, "lab": (0.0, 1.0)}
    fed = fl.Federation(deal(frame, [60], ranges=ranges))
    notes = fed.table_one("died").notes
    assert [note for note in notes if note.startswith("Of lab")]
    assert not [note for note in notes if note.startswith("Of smoker")]
    told = fed.table_one("died", median=["lab"])
    assert not [note for note in told.notes if note.startswith("Of lab")]
    assert told.frame.loc[told.frame["column"] == "lab", "mean"].notna().all()


def every_question(fed: fl.Federation, aggregation: str = "plain") -> list[pd.DataFrame]:
    """Frames of all questions, each asked of the same sites."""
    how: Any = {"aggregation": aggregation}
    return [
        fed.count(by=["ward", "died"], **how).frame,
        fed.histogram("age", bins=5, **how).frame,
        fed.quantile("lab", by="died", **how).frame,
        fed.describe(**how).frame,
        fed.cross_tab("ward", "died", **how).frame,
        fed.table_one("died", median=["lab"], **how).frame,
    ]


@pytest.mark.parametrize("aggregation", ["plain", "secure"])
def test_answers_do_not_depend_on_the_wire_or_on_the_order_of_sites(aggregation: str) -> None:
    sites = deal(table(150, 3), SIZES, policy=SMALL)
    first = every_question(fl.Federation(sites, seed=5), aggregation)
    again = deal(table(150, 3), SIZES, policy=SMALL)[::-1]
    engine = fl.InProcess(wire=True)
    second = every_question(fl.Federation(again, seed=5, engine=engine), aggregation)
    for one, other in zip(first, second, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


# R35
def test_a_description_may_be_asked_again_and_is_the_same() -> None:
    fed = bench(policy=SMALL)
    pd.testing.assert_frame_equal(fed.describe().frame, fed.describe().frame)


def test_a_secure_sum_tells_what_plain_answers_add_up_to() -> None:
    plain = every_question(bench(policy=SMALL))
    secure = every_question(bench(policy=SMALL), "secure")
    for one, other in zip(plain, secure, strict=True):
        pooled = of(one).reset_index(drop=True) if "site" in one else one
        numbers = [c for c in pooled if pooled[c].dtype == float and c not in ("p_value", "smd")]
        counted = [c for c in numbers if c in ("patients", "missing", "unmapped", "rows")]
        for name in numbers:
            np.testing.assert_allclose(
                pooled[name], other[name], rtol=0 if name in counted else 1e-8, atol=1e-8
            )
        assert pooled["status"].tolist() == other["status"].tolist()


def test_time_and_event_of_a_survival_table_are_described_too() -> None:
    frame = table(120, 6, gaps=False).assign(time=lambda f: 1 + f["age"] / 10)
    sites = deal(frame, [60, 60], target="time", event="died", ranges=RANGES)
    fed = fl.Federation(sites)
    result = fed.describe()
    assert line(result, "time")["mean"] == pytest.approx(frame["time"].mean())
    assert line(result, "died", level="1")["patients"] == frame["died"].sum()
    assert math.isnan(line(result, "time")["q50"])
    told = fed.table_one("died", ["time", "ward"])
    oracle: Any = ttest_ind(
        *(frame.loc[frame["died"] == k, "time"] for k in (0, 1)), equal_var=False
    )
    assert told.tests["p_value"].to_dict()["time"] == pytest.approx(oracle.pvalue)


def test_a_flag_that_is_partly_suppressed_is_not_taken_for_a_number() -> None:
    table = fl.Federation(fl.datasets.opt(), seed=7).table_one(by="widespread_bleeding")
    assert not [note for note in table.notes if "there are others" in note]
