"""Correlations, t tests and generalised linear models over all sites, against the pooled rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import fedlab as fl
from fedlab.core.wire import decode, encode
from fedlab.errors import DataError, MessageError, PrivacyError, TrainingError
from fedlab.queries import Answer, Describe, Query
from fedlab.queries.among import Among, CountRows
from fedlab.queries.cross_products import CrossProducts, CrossSums
from fedlab.queries.groups import schema_of
from tests.builders import Recorder, answer_of, ask, deal, table

SIZES = (100, 90, 110)
NUMBERS = ["age", "lab", "smoker"]
PROMISE = fl.RecordDP(epsilon=2.0, delta=1e-5)


def bench(frame: pd.DataFrame, sizes: Sequence[int] = SIZES, **options: Any) -> Any:
    return fl.Federation(deal(frame, sizes, **{"test_size": 0.2, **options}))


def products(site: fl.Site, columns: tuple[str, ...], **changes: Any) -> CrossProducts:
    size = len(columns)
    options: dict[str, Any] = {
        "schema": schema_of(site.schema, columns),
        "columns": columns,
        "center": np.zeros(size),
        "scale": np.full(size, 100.0),
    }
    return CrossProducts(**{**options, **changes})


def test_correlations_equal_those_of_the_pooled_rows() -> None:
    frame = table(300, seed=3)
    found = bench(frame).correlation()
    whole = frame[NUMBERS].dropna()
    np.testing.assert_allclose(found.matrix, whole.corr(), atol=1e-8)
    for (first, second), line in found.frame.iterrows():
        expected = stats.pearsonr(whole[first], whole[second])
        low, high = expected.confidence_interval()
        assert line["rows"] == len(whole)
        assert line["correlation"] == pytest.approx(expected.statistic, abs=1e-8)
        assert line["p_value"] == pytest.approx(expected.pvalue, abs=1e-8)
        assert line["lower"] == pytest.approx(low, abs=1e-8)
        assert line["upper"] == pytest.approx(high, abs=1e-8)
        assert line["status"] == "shown"


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    offset=st.sampled_from([0.0, 1e-6, 1e4, 1e8]),
    unit=st.sampled_from([1e-3, 1.0, 1e3]),
    secure=st.booleans(),
    wide=st.sampled_from([5, 1000, 1_000_000]),
)
def test_far_numbers_in_any_unit_lose_no_digit(
    seed: int, offset: float, unit: float, secure: bool, wide: int
) -> None:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": random.normal(0, 1, 60)})
    frame["b"] = 0.3 * frame["a"] + random.normal(0, 1, 60)
    # Below this the numbers themselves have no digits left.
    unit = max(unit, 1.0) if offset > 1e5 else unit
    frame["a"] = offset + unit * frame["a"]
    frame["died"] = random.integers(0, 2, 60)
    # A secure sum has to know how large numbers can be.
    ranges = {"a": (offset - wide * unit, offset + wide * unit)} if secure else {}
    fed = bench(frame, (20, 20, 20), ranges=ranges)
    found = fed.correlation(aggregation="secure" if secure else "plain")
    expected = frame[["a", "b"]].corr()
    np.testing.assert_allclose(found.matrix, expected, atol=1e-7 if offset > 1e5 else 1e-8)


def test_conditions_and_columns_choose_what_is_correlated() -> None:
    frame = table(300, seed=3).assign(cost=lambda t: t["age"] ** 2 / 100)
    fed = bench(frame, target="cost", ranges={})
    found = fed.correlation(["cost", "age"], where={"ward": ["north", "south"]})
    part = frame[frame["ward"].isin(["north", "south"])]
    np.testing.assert_allclose(found.matrix, part[["cost", "age"]].corr(), atol=1e-8)


def test_a_constant_column_has_no_correlation() -> None:
    frame = table(90, gaps=False).assign(lab=0.1)
    found = bench(frame, (30, 30, 30)).correlation(["age", "lab"])
    assert np.isnan(found.matrix.loc["age", "lab"])
    assert np.isnan(found.matrix.loc["lab", "lab"])
    assert found.matrix.loc["age", "age"] == 1.0
    assert np.isnan(found.frame["p_value"].iloc[0])


def test_a_few_missing_values_keep_a_site_out() -> None:
    # R34
    frame = table(200, seed=4, gaps=False)
    frame.loc[:4, "lab"] = np.nan
    found = bench(frame, (100, 100), policy=fl.Policy()).correlation(NUMBERS)
    told = frame.iloc[100:][NUMBERS]
    np.testing.assert_allclose(found.matrix, told.corr(), atol=1e-8)
    assert (found.frame["status"] == "in part").all()
    assert any("Suppressed" in note for note in found.notes)
    allowed = fl.Policy(missing_cells=True)
    found = bench(frame, (100, 100), policy=allowed).correlation(NUMBERS)
    np.testing.assert_allclose(found.matrix, frame[NUMBERS].dropna().corr(), atol=1e-8)


def test_counts_that_follow_from_products_of_flags_pass_the_law() -> None:
    # R34
    frame = table(200, seed=5, gaps=False)
    frame["rare"] = (np.arange(200) % 40 == 0).astype(int)
    frame["half"] = (np.arange(200) % 2).astype(int)
    frame["near"] = frame["half"].where(np.arange(200) > 3, 1 - frame["half"])
    (site,) = deal(frame, (200,), policy=fl.Policy())
    columns = ("age", "rare", "half", "near")
    answer = answer_of(ask(site, products(site, columns)))
    assert isinstance(answer, CrossSums)
    shown = pd.DataFrame(answer.shown, index=columns, columns=columns)
    assert not shown["rare"].any()
    assert not shown.loc["rare"].any()
    # Each flag might be told, and not both at once: a few have one without the other.
    assert shown["half"][["half", "age"]].all()
    assert not shown["half"]["near"]
    assert not shown["near"]["half"]
    assert not answer.sums[:, answer.shown == 0].any()


def test_more_columns_than_patients_can_hide_are_refused() -> None:
    # R34
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(120, 20)), columns=[f"x{i}" for i in range(20)])
    frame["died"] = random.integers(0, 2, 120)
    fed = bench(frame, (40, 80), policy=fl.Policy(), ranges={})
    found = fed.correlation()
    np.testing.assert_allclose(found.matrix, frame.iloc[40:, :20].corr(), atol=1e-8)
    assert any("'s00'" in note for note in found.notes)
    assert (fed.correlation(["x0", "x1"]).frame["rows"] == 120).all()
    model = fed.glm()
    assert "80 rows of one site" in model.notes[0]
    assert "parameters a patient" in model.notes[-1]


def test_secure_sums_change_nothing() -> None:
    fed = bench(table(300, seed=3))
    plain, secure = (fed.correlation(aggregation=a) for a in ("plain", "secure"))
    np.testing.assert_allclose(secure.matrix, plain.matrix, atol=1e-8)
    plain, secure = (fed.t_test("age", "smoker", aggregation=a) for a in ("plain", "secure"))
    np.testing.assert_allclose(secure.frame, plain.frame.loc[["(all sites)"]], atol=1e-8)
    plain, secure = (fed.glm(["age", "lab"], aggregation=a) for a in ("plain", "secure"))
    np.testing.assert_allclose(secure.frame, plain.frame, atol=1e-8)
    assert secure.notes == plain.notes


def test_the_order_of_sites_changes_no_bit() -> None:
    made = deal(table(300, seed=3), SIZES)
    first, second = fl.Federation(made), fl.Federation(made[::-1])
    for name, arguments in (
        ("correlation", []),
        ("t_test", ["age", "smoker"]),
        ("anova", ["age", "ward"]),
        ("glm", [["age", "ward"]]),
    ):
        one, other = (getattr(fed, name)(*arguments).frame for fed in (first, second))
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_noisy_correlations_are_near_and_charged() -> None:
    random = np.random.default_rng(0)
    frame = table(6000, seed=6, gaps=False)
    frame["lab"] = np.clip((frame["age"] - 60) / 12 + random.normal(0, 1, 6000), -4, 4)
    fed = bench(frame, (2000, 2000, 2000), policy=fl.Policy(epsilon=3.0))
    found = fed.correlation(["age", "lab"], privacy=PROMISE)
    expected = frame["age"].corr(frame["lab"])
    assert found.matrix.loc["age", "lab"] == pytest.approx(expected, abs=0.15)
    assert (found.frame["status"] == "noisy").all()
    spent = fed.privacy.totals["epsilon_spent"]
    assert ((spent > 1) & (spent <= 2.0001)).all()
    with pytest.raises(PrivacyError, match="range"):
        bench(frame, (2000, 2000, 2000), ranges={}).correlation(privacy=PROMISE)


@pytest.mark.parametrize("row", [0, 7, 39])
def test_one_record_changes_noisy_sums_by_no_more_than_was_said(row: int) -> None:
    frame = table(40, seed=8, gaps=False)
    frame.loc[row, ["age", "lab", "smoker"]] = [1e9, -1e9, 1]
    recorded = []
    for part in (frame, frame.drop(index=row)):
        (site,) = deal(part, (len(part),))
        recorder = Recorder()
        query = products(site, tuple(NUMBERS), scale=np.array([50.0, 4.0, 1.0]))
        query.compute(site._rows["all"], recorder.context())
        recorded.append(recorder)
    moved = float(np.linalg.norm(recorded[0].values[0] - recorded[1].values[0]))
    assert recorded[0].scales == [pytest.approx(np.sqrt(10))]
    assert moved <= recorded[0].scales[0] * (1 + 1e-12)
    assert moved > 2


@pytest.mark.parametrize("equal", [True, False])
def test_t_tests_equal_those_of_the_pooled_rows(equal: bool) -> None:
    frame = table(300, seed=3)
    found = bench(frame).t_test("lab", "smoker", level=0.9)
    test = "student" if equal else "welch"
    parts = {"(all sites)": frame}
    ends = np.cumsum(SIZES)
    for i, (end, size) in enumerate(zip(ends, SIZES, strict=True)):
        parts[f"s{i:02}"] = frame.iloc[end - size : end]
    for site, part in parts.items():
        a, b = (part.loc[part["smoker"] == value, "lab"].dropna() for value in (0, 1))
        expected = stats.ttest_ind(a, b, equal_var=equal)
        low, high = expected.confidence_interval(0.9)
        line = found.frame.loc[(site, test)]
        assert line["difference"] == pytest.approx(a.mean() - b.mean(), abs=1e-8)
        assert line["statistic"] == pytest.approx(expected.statistic, abs=1e-8)
        assert line["degrees"] == pytest.approx(expected.df, abs=1e-8)
        assert line["p_value"] == pytest.approx(expected.pvalue, abs=1e-8)
        assert line["lower"] == pytest.approx(low, abs=1e-8)
        assert line["upper"] == pytest.approx(high, abs=1e-8)
        pooled = np.sqrt(((len(a) - 1) * a.var() + (len(b) - 1) * b.var()) / (len(a) + len(b) - 2))
        assert line["cohens_d"] == pytest.approx((a.mean() - b.mean()) / pooled, abs=1e-8)
        told = found.groups.loc[(site, "smoker = 0")]
        assert (told["rows"], told["status"]) == (len(a), "shown")
        assert told["sd"] == pytest.approx(a.std(), abs=1e-8)


def test_an_analysis_of_variance_equals_that_of_the_pooled_rows() -> None:
    frame = table(300, seed=3)
    fed = bench(frame)
    found = fed.anova("age", "ward")
    for site, part in {"(all sites)": frame, "s00": frame.iloc[:100]}.items():
        groups = [part.loc[part["ward"] == ward, "age"] for ward in ("north", "south", "west")]
        expected = stats.f_oneway(*groups)
        line = found.frame.loc[site]
        assert line["statistic"] == pytest.approx(expected.statistic, abs=1e-8)
        assert line["p_value"] == pytest.approx(expected.pvalue, abs=1e-8)
        whole = pd.concat(groups)
        squares = ((whole - whole.mean()) ** 2).sum()
        assert line["between"] + line["within"] == pytest.approx(squares, rel=1e-10)
        assert line["eta_squared"] == pytest.approx(line["between"] / squares, abs=1e-8)
        assert found.groups.loc[(site, "ward = west"), "mean"] == pytest.approx(groups[2].mean())
    secure = fed.anova("age", "ward", aggregation="secure")
    np.testing.assert_allclose(secure.frame, found.frame.loc[["(all sites)"]], atol=1e-7)
    assert np.isnan(fed.anova("age", {"lab": [100, 200]}).frame["p_value"]).all()


def test_levels_and_edges_say_which_groups_are_compared() -> None:
    frame = table(300, seed=3)
    fed = bench(frame)
    found = fed.t_test("age", "ward", levels=("west", "north"))
    a, b = (frame.loc[frame["ward"] == ward, "age"] for ward in ("west", "north"))
    expected = stats.ttest_ind(a, b, equal_var=False)
    line = found.frame.loc[("(all sites)", "welch")]
    assert line["statistic"] == pytest.approx(expected.statistic, abs=1e-8)
    assert found.compared == ("ward = west", "ward = north")
    found = fed.t_test("lab", {"age": [0, 60, 200]}, where={"smoker": (0.5, None)})
    part = frame[frame["smoker"] == 1]
    a, b = (part.loc[mask, "lab"].dropna() for mask in (part["age"] < 60, part["age"] >= 60))
    expected = stats.ttest_ind(a, b)
    line = found.frame.loc[("(all sites)", "student")]
    assert line["statistic"] == pytest.approx(expected.statistic, abs=1e-8)


def test_a_group_that_is_too_small_is_suppressed_and_not_zero() -> None:
    # R34
    frame = table(200, seed=9, gaps=False)
    frame.loc[:99, "smoker"] = (np.arange(100) < 5).astype(int)
    found = bench(frame, (100, 100), policy=fl.Policy()).t_test("age", "smoker")
    assert found.groups.loc[("s00", "smoker = 1"), "status"] == "suppressed"
    assert np.isnan(found.groups.loc[("s00", "smoker = 1"), "mean"])
    assert found.frame.loc["s00"]["p_value"].isna().all()
    assert found.frame.loc["s01"]["p_value"].notna().all()
    assert any("Suppressed" in note for note in found.notes)


def test_noise_is_in_the_error_of_a_difference() -> None:
    frame = table(3000, seed=6, gaps=False)
    fed = bench(frame, (1000, 1000, 1000), policy=fl.Policy(epsilon=3.0))
    noisy = fed.t_test("age", "smoker", privacy=PROMISE).frame.loc[("(all sites)", "student")]
    exact = bench(frame, (1000, 1000, 1000)).t_test("age", "smoker")
    line = exact.frame.loc[("(all sites)", "student")]
    assert noisy["upper"] - noisy["lower"] > line["upper"] - line["lower"]
    assert noisy["lower"] - 2 < line["difference"] < noisy["upper"] + 2


@pytest.mark.parametrize("family", ["logistic", "linear", "poisson"])
def test_models_equal_those_of_the_pooled_complete_rows(family: str) -> None:
    frame = table(300, seed=3)
    random = np.random.default_rng(1)
    made = {
        "logistic": frame["died"],
        "linear": frame["age"] / 10 + frame["smoker"] + random.normal(0, 1, 300),
        "poisson": pd.Series(random.poisson(np.exp(0.02 * frame["age"]))),
    }
    fits: dict[str, Any] = {"logistic": smf.logit, "linear": smf.ols, "poisson": smf.poisson}
    frame = frame.assign(died=made[family])
    fed = bench(frame, ranges={"age": (20, 100)})
    found = fed.glm(["age", "lab", "ward"], family=family, references={"ward": "south"})
    whole = frame[["age", "lab", "ward", "died"]].dropna()
    options = {} if family == "linear" else {"disp": 0, "tol": 1e-12, "maxiter": 100}
    model = fits[family]("died ~ age + lab + C(ward, Treatment('south'))", whole)
    expected = model.fit(**options)
    names = {
        "(intercept)": "Intercept",
        "age": "age",
        "lab": "lab",
        "ward=north": "C(ward, Treatment('south'))[T.north]",
        "ward=west": "C(ward, Treatment('south'))[T.west]",
    }
    for ours, theirs in names.items():
        line = found.frame.loc[ours]
        assert line["estimate"] == pytest.approx(expected.params[theirs], abs=1e-7)
        assert line["standard_error"] == pytest.approx(expected.bse[theirs], abs=1e-7)
        assert line["p_value"] == pytest.approx(expected.pvalues[theirs], abs=1e-7)
    assert f"{len(whole)} rows of 3 sites" in found.notes[0]
    ratio = {"logistic": "odds_ratio", "linear": None, "poisson": "rate_ratio"}[family]
    assert found.ratio == ratio


def test_a_model_is_fitted_to_those_who_meet_conditions_and_may_be_filled() -> None:
    frame = table(300, seed=3)
    fed = bench(frame)
    found = fed.glm(["age", "lab"], missing="fill", where={"smoker": (None, 0.5)})
    part = frame[frame["smoker"] == 0]
    part = part.assign(lab=part["lab"].fillna(part["lab"].mean()))
    expected = smf.logit("died ~ age + lab", part).fit(disp=0, tol=1e-12)
    np.testing.assert_allclose(
        found.frame["estimate"], expected.params[["Intercept", "age", "lab"]], atol=1e-7
    )
    assert "counts as the mean" in found.notes[0]


def test_a_site_that_must_not_tell_is_left_out_of_a_model() -> None:
    # R34
    frame = table(300, seed=4, gaps=False)
    frame.loc[:4, "lab"] = np.nan
    for aggregation in ("plain", "secure"):
        fed = bench(
            pd.concat([frame, frame.iloc[100:200]], ignore_index=True),
            (100, 100, 100, 100),
            policy=fl.Policy(),
        )
        found = fed.glm(["age", "lab"], aggregation=aggregation)
        assert "300 rows of 3 sites" in found.notes[0]
        assert any("'s00'" in note for note in found.notes)
    told = pd.concat([frame.iloc[100:], frame.iloc[100:200]])
    expected = smf.logit("died ~ age + lab", told).fit(disp=0, tol=1e-12)
    np.testing.assert_allclose(found.frame["estimate"], expected.params, atol=1e-7)


def test_only_sums_for_fitting_are_asked_among_chosen_rows() -> None:
    (site,) = deal(table(60), (60,))
    query = Among(query=CountRows(schema=site.schema), schema=site.schema)
    assert decode(encode(query), Query) == query  # type: ignore[type-abstract]
    with pytest.raises(ValueError, match="only sums"):
        Among(query=Describe(), schema=site.schema)
    bad = encode(query).replace(b"CountRows", b"EventTime")
    with pytest.raises(MessageError):
        decode(bad, Query)  # type: ignore[type-abstract]
    reply = ask(site, query, privacy=fl.RecordDP(epsilon=1.0, delta=1e-5))
    assert reply.refusal is not None
    assert reply.refusal.code == "no-sensitivity"
    # Columns that were not asked for are not there, whatever is asked among the rows.
    narrow = msgspec.structs.replace(query, schema=schema_of(site.schema, ["age"]))
    reply = ask(site, msgspec.structs.replace(narrow, complete=("lab",)))
    assert reply.refusal is not None
    assert reply.refusal.code == "failed"


def test_messages_come_back_as_they_were_and_odd_ones_are_not_believed() -> None:
    (site,) = deal(table(60), (60,))
    query = products(site, ("age", "lab"))
    assert encode(decode(encode(query), Query)) == encode(query)  # type: ignore[type-abstract]
    answer = answer_of(ask(site, query))
    assert decode(encode(answer), Answer) == answer
    assert query.accepts(answer)
    assert isinstance(answer, CrossSums)
    for change in (
        {"sums": np.zeros((4, 3, 3))},
        {"sums": np.full((4, 2, 2), np.inf)},
        {"shown": np.full((2, 2), 0.5)},
        {"shown": np.zeros(4)},
    ):
        assert not query.accepts(msgspec.structs.replace(answer, **change))
    assert products(site, ("age", "lab"), scale=np.zeros(2)).releases(60) is None
    assert products(site, ("age", "lab"), center=np.full(2, np.nan)).releases(60) is None


@pytest.mark.parametrize(
    ("method", "arguments", "options", "error"),
    [
        ("correlation", [["age"]], {}, DataError),
        ("correlation", [["age", "ward"]], {}, DataError),
        ("correlation", [["age", "nothing"]], {}, DataError),
        ("correlation", [], {"level": 95}, TrainingError),
        ("t_test", ["ward", "smoker"], {}, DataError),
        ("t_test", ["nothing", "smoker"], {}, DataError),
        ("t_test", ["age", "ward"], {}, DataError),
        ("t_test", ["age", ["ward", "smoker"]], {}, DataError),
        ("t_test", ["age", "ward"], {"levels": ("north", "north")}, DataError),
        ("t_test", ["age", "ward"], {"levels": ("north", "east")}, DataError),
        ("t_test", ["age", "smoker"], {"level": 0}, TrainingError),
        ("anova", ["ward", "smoker"], {}, DataError),
        ("anova", ["age", ["ward", "smoker"]], {}, DataError),
        ("glm", [["nothing"]], {}, DataError),
        ("glm", [[]], {}, DataError),
        ("glm", [["age"]], {"missing": "guess"}, DataError),
        ("glm", [["age"]], {"family": "gamma"}, TrainingError),
        ("glm", [["ward"]], {"references": {"ward": "east"}}, TrainingError),
        ("glm", [["age"]], {"level": 2}, TrainingError),
    ],
)
def test_questions_that_make_no_sense_are_refused(
    method: str, arguments: list[Any], options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        getattr(bench(table(60), (60,)), method)(*arguments, **options)


def test_tables_and_figures_show_names_as_text() -> None:
    frame = table(120, gaps=False).rename(columns={"lab": "<b>lab</b>"})
    fed = bench(frame, (60, 60), ranges={"smoker": (0, 1)})
    found = fed.correlation()
    test = fed.t_test("<b>lab</b>", "smoker")
    for result in (found, test):
        assert "<b>" not in result._repr_html_()
        figure = result.plot()
        assert "<b>" not in figure.to_json().replace("\\u003c", "<")
    assert found.plot().data[0].z[0][0] == 1.0
    assert list(test.plot("student").data[0].y) == ["s00", "s01", "(all sites)"]
    with pytest.raises(DataError):
        test.plot("paired")
    assert "60 rows" not in repr(found)
    assert repr(found).splitlines()[-1] == found.notes[-1]
