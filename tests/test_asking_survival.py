"""Survival curves and the log-rank test over all sites, against the pooled rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sksurv.compare import compare_survival
from sksurv.nonparametric import kaplan_meier_estimator
from sksurv.util import Surv
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

import fedlab as fl
from fedlab.core.leaving_blocks import Blocks, bounds, spread
from fedlab.core.parameters import Array
from fedlab.core.wire import decode, encode
from fedlab.errors import DataError, MessageError, TrainingError
from fedlab.queries import Answer, Query
from fedlab.queries.survival_counts import CountSurvival, SurvivalCounts
from tests.builders import OPEN, Recorder, answer_of, ask, deal

GRID = tuple(range(1, 200))
MONTHS = tuple(range(10, 200, 10))
ARMS = ("drug", "placebo")
PROMISE = fl.RecordDP(epsilon=2.0, delta=1e-5)


def patients(n_rows: int = 300, seed: int = 0, events: float = 0.6) -> pd.DataFrame:
    """Whole days to an event or to censoring, with two ways to group."""
    random = np.random.default_rng(seed)
    arm = random.integers(0, 2, n_rows)
    days = np.ceil(random.exponential(30 + 25 * arm)).clip(1, 190)
    return pd.DataFrame(
        {
            "age": random.normal(60, 10, n_rows),
            "arm": pd.Categorical.from_codes(arm, categories=pd.Index(ARMS)),
            "stage": pd.Categorical(random.choice(["I", "II", "III"], n_rows)),
            "days": days,
            "died": (random.random(n_rows) < events).astype(int),
        }
    )


def sites(
    frame: pd.DataFrame, sizes: Sequence[int] = (100, 90, 110), **options: Any
) -> list[fl.Site]:
    return deal(
        frame,
        sizes,
        **{"target": "days", "event": "died", "ranges": {"age": (20, 100)}, **options},
    )


def bench(frame: pd.DataFrame, sizes: Sequence[int] = (100, 90, 110), **options: Any) -> Any:
    return fl.Federation(sites(frame, sizes, **options))


def pooled(days: Array, died: Array, grid: Sequence[float]) -> Array:
    """The product-limit curve of all rows in one table, at times of a grid."""
    if not np.any(died):
        return np.ones(len(grid))
    curve = SurvfuncRight(days, died)
    values = np.append(1.0, curve.surv_prob)
    return np.asarray(values[np.searchsorted(curve.surv_times, grid, side="right")])


@pytest.mark.parametrize("by", [None, "arm"])
def test_curves_equal_those_of_the_pooled_rows(by: str | None) -> None:
    frame = patients()
    curves = bench(frame, test_size=0.2).kaplan_meier(by, grid=GRID, exact=True)
    parts: dict[Any, pd.DataFrame] = {"everybody": frame}
    if by is not None:
        parts = dict(list(frame.groupby(by, observed=True)))
    for name, part in parts.items():
        label = str(name) if by is None else f"arm = {name!s}"
        found = curves.frame.loc[label]
        expected = SurvfuncRight(part["days"], part["died"])
        at = found.loc[expected.surv_times]
        inside = expected.surv_prob > 0
        np.testing.assert_allclose(at["survival"], expected.surv_prob, atol=1e-8)
        np.testing.assert_allclose(at["entering"], expected.n_risk, atol=1e-8)
        np.testing.assert_allclose(
            at["standard_error"][inside], expected.surv_prob_se[inside], atol=1e-8
        )
        np.testing.assert_array_equal(found["low"], found["high"])
        assert found["certain"].all()
        times, survival, interval = kaplan_meier_estimator(
            part["died"].astype(bool), part["days"], conf_type="log-log"
        )
        at = found.loc[times]
        inside = (survival > 0) & (survival < 1)
        np.testing.assert_allclose(at["survival"], survival, atol=1e-8)
        np.testing.assert_allclose(at["lower"][inside], interval[0][inside], atol=1e-8)
        np.testing.assert_allclose(at["upper"][inside], interval[1][inside], atol=1e-8)
        assert curves.medians.loc[label, "median"] == expected.quantile(0.5)
        assert curves.medians.loc[label, "patients"] == len(part)
        assert curves.medians.loc[label, "events"] == part["died"].sum()
        for time in (0, 10, 50):
            assert curves.at_risk.loc[label, time] == (part["days"] > time).sum()
    assert "nothing is left open" in curves.notes[0]


def test_a_real_rare_disease_has_its_curves() -> None:
    data = fl.datasets.cgd(policy=OPEN)
    parts = [site._rows["all"] for site in data]
    rows = pd.concat(
        [p.features.assign(days=p.target, event=p.event) for p in parts], ignore_index=True
    )
    fed = fl.Federation(data)
    grid = range(1, 400)
    curves = fed.kaplan_meier("treated", grid=grid, exact=True)
    for value in (0, 1):
        part = rows[rows["treated"] == value]
        expected = pooled(part["days"].to_numpy(), part["event"].to_numpy(), grid)
        found = curves.frame.loc[f"treated = {value}"]["survival"].to_numpy()
        np.testing.assert_allclose(found, expected, atol=1e-8)
    test = fed.log_rank("treated", grid=grid, exact=True)
    statistic, p_value = survdiff(rows["days"], rows["event"], rows["treated"])
    assert test.statistic == pytest.approx(statistic, abs=1e-8)
    assert test.p_value == pytest.approx(p_value, abs=1e-8)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    minimum=st.integers(1, 13),
    sizes=st.lists(st.integers(14, 60), min_size=1, max_size=3),
    events=st.floats(0.02, 0.98),
    width=st.integers(1, 40),
    exact=st.booleans(),
    whole=st.booleans(),
)
def test_the_envelope_certainly_holds_the_curve_of_the_pooled_rows(
    seed: int,
    minimum: int,
    sizes: list[int],
    events: float,
    width: int,
    exact: bool,
    whole: bool,
) -> None:
    # R34
    frame = patients(sum(sizes), seed, events)
    if not whole:
        frame["days"] -= np.random.default_rng(seed).random(len(frame)) * 0.9
    grid = range(width, 200, width)
    fed = bench(frame, sizes, policy=fl.Policy(minimum_rows=minimum))
    # What was told on one grid may make another coarser, and never wrong (R35).
    for times in (grid, range(width + 1, 200, width + 1), grid):
        curve = fed.kaplan_meier(grid=times, exact=exact).frame.loc["everybody"]
        expected = pooled(frame["days"].to_numpy(), frame["died"].to_numpy(), times)
        assert (curve["low"] <= expected + 1e-12).all()
        assert (curve["high"] >= expected - 1e-12).all()
        told = curve["survival"].dropna()
        # Chance comes on top of what is left open.
        assert not (curve["lower"] > curve["low"]).any()
        assert not (curve["upper"] < curve["high"]).any()
        assert (told >= curve["low"][told.index]).all()
        assert (told <= curve["high"][told.index]).all()


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("events", [0.05, 0.4, 0.97])
def test_no_count_of_fewer_than_the_minimum_leaves_a_site(exact: bool, events: float) -> None:
    # R34
    frame = patients(200, 3, events)
    (site,) = sites(frame, (200,), policy=fl.Policy())
    factor = fl.Federation([site]).kaplan_meier("arm", grid=GRID, exact=exact)
    assert len(factor.medians) == 2
    query = CountSurvival(schema=msgspec.structs.replace(site.schema, columns=()), grid=GRID)
    (fresh,) = sites(frame, (200,), policy=fl.Policy())
    answer = answer_of(ask(fresh, query))
    assert isinstance(answer, SurvivalCounts)
    for way in range(3):
        for bound in (0, 2):
            steps = np.diff(np.unique(np.append(0.0, answer.left[way, bound, 0])))
            assert (steps >= 11).all()
    total = answer.left[:, 2, 0, -1]
    assert total.sum() == answer.patients[0] == 200
    assert not ((total > 0) & (total < 11)).any()


def test_few_events_are_told_as_leaving_in_an_unknown_way() -> None:
    frame = patients(120, 5)
    frame["died"] = 0
    frame.loc[[1, 20, 70], "died"] = 1
    frame.loc[60:, "died"] = patients(60, 6, 0.6)["died"].to_numpy()
    curves = bench(frame, (60, 60), policy=fl.Policy()).kaplan_meier(grid=MONTHS)
    found = curves.frame.loc["everybody"]
    expected = pooled(frame["days"].to_numpy(), frame["died"].to_numpy(), MONTHS)
    assert (found["low"] <= expected + 1e-12).all()
    assert (found["high"] >= expected - 1e-12).all()
    assert curves.medians.loc["everybody", "patients"] == 120
    assert any("not how" in note for note in curves.notes)
    # Suppressed everywhere is not zero: then there are bounds and no curve.
    alone = bench(frame.iloc[:60], (60,), policy=fl.Policy()).kaplan_meier(grid=MONTHS)
    assert alone.frame["survival"].isna().all()
    assert (alone.frame["low"] < alone.frame["high"]).all()


def test_a_group_that_is_too_small_is_named_and_left_out() -> None:
    frame = patients(150, 7)
    frame.loc[:49, "stage"] = "I"
    frame.loc[:4, "stage"] = "II"
    fed = bench(frame, (50, 100), policy=fl.Policy())
    curves = fed.kaplan_meier("stage", grid=MONTHS)
    assert curves.medians.loc["stage = II", "patients"] == (frame["stage"][50:] == "II").sum()
    assert any("not tell of stage = II" in note for note in curves.notes)
    part = frame.iloc[50:].query("stage == 'II'")
    expected = pooled(part["days"].to_numpy(), part["died"].to_numpy(), MONTHS)
    found = curves.frame.loc["stage = II"]
    assert (found["low"] <= expected + 1e-12).all()
    assert (found["high"] >= expected - 1e-12).all()


def test_conditions_choose_the_patients() -> None:
    frame = patients()
    curves = bench(frame).kaplan_meier(grid=GRID, exact=True, where={"age": (50, 70)})
    part = frame[(frame["age"] >= 50) & (frame["age"] < 70)]
    expected = pooled(part["days"].to_numpy(), part["died"].to_numpy(), GRID)
    np.testing.assert_allclose(curves.frame["survival"], expected, atol=1e-8)


def test_patients_without_a_group_are_in_no_curve() -> None:
    frame = patients()
    frame.loc[::10, "stage"] = np.nan
    curves = bench(frame).kaplan_meier("stage", grid=GRID, exact=True)
    assert curves.medians["patients"].sum() == 270
    assert any("30 patients" in note for note in curves.notes)


@pytest.mark.parametrize(("by", "groups"), [("arm", 2), ("stage", 3)])
def test_the_log_rank_test_equals_that_of_the_pooled_rows(by: str, groups: int) -> None:
    frame = patients()
    fed = bench(frame)
    test = fed.log_rank(by, grid=GRID, exact=True)
    labels = frame[by].astype(str).to_numpy()
    statistic, p_value = survdiff(frame["days"], frame["died"], labels)
    assert test.certain
    assert test.degrees == groups - 1
    assert test.statistic == pytest.approx(statistic, abs=1e-8)
    assert test.p_value == pytest.approx(p_value, abs=1e-8)
    assert test.statistic_range == (test.statistic, test.statistic)
    outcome = Surv.from_arrays(frame["died"].astype(bool), frame["days"])
    chi2, p_value, table, _ = compare_survival(outcome, labels, return_stats=True)
    assert test.statistic == pytest.approx(chi2, abs=1e-8)
    np.testing.assert_allclose(test.frame["observed"], table["observed"], atol=1e-8)
    np.testing.assert_allclose(test.frame["expected"], table["expected"], atol=1e-8)
    stratified = fed.log_rank(by, grid=GRID, exact=True, stratified=True)
    strata = np.repeat([0, 1, 2], [100, 90, 110])
    statistic, p_value = survdiff(frame["days"], frame["died"], labels, strata=strata)
    assert stratified.statistic == pytest.approx(statistic, abs=1e-8)
    assert stratified.p_value == pytest.approx(p_value, abs=1e-8)
    assert "stratified by site" in stratified.sentence


def test_a_test_of_blocks_says_how_far_it_can_be_trusted() -> None:
    test = bench(patients(), policy=fl.Policy()).log_rank("arm", grid=MONTHS)
    low, high = test.statistic_range
    assert not test.certain
    assert low <= test.statistic <= high
    assert low < high
    assert test.notes[0].startswith("Not exact")
    assert "no bounds" in test.notes[0]


def test_secure_sums_change_nothing() -> None:
    fed = bench(patients(), policy=fl.Policy())
    plain = fed.kaplan_meier("arm", grid=MONTHS)
    secure = fed.kaplan_meier("arm", grid=MONTHS, aggregation="secure")
    for column in ("survival", "low", "high", "lower", "upper"):
        np.testing.assert_allclose(secure.frame[column], plain.frame[column], atol=1e-8)
    test, hidden = (fed.log_rank("arm", grid=MONTHS, aggregation=a) for a in ("plain", "secure"))
    assert hidden.statistic == pytest.approx(test.statistic, abs=1e-7)
    with pytest.raises(TrainingError, match="Strata"):
        fed.log_rank("arm", grid=MONTHS, aggregation="secure", stratified=True)


def test_the_order_of_sites_changes_no_bit() -> None:
    made = sites(patients(), policy=fl.Policy())
    first = fl.Federation(made).kaplan_meier("arm", grid=MONTHS)
    second = fl.Federation(made[::-1]).kaplan_meier("arm", grid=MONTHS)
    pd.testing.assert_frame_equal(first.frame, second.frame, check_exact=True)


def test_a_site_with_a_width_of_grid_refuses_a_finer_one() -> None:
    frame = patients()
    wide = fl.Site(
        "wide",
        frame.iloc[200:],
        target="days",
        event="died",
        test_size=0.0,
        policy=fl.Policy(minimum_rows=1, grid_width=10),
    )
    made = [*sites(frame.iloc[:200], (100, 100)), wide]
    fed = fl.Federation(made)
    for grid, exact in ((GRID, False), (MONTHS, True)):
        curves = fed.kaplan_meier(grid=grid, exact=exact)
        assert curves.medians.loc["everybody", "patients"] == 200
        assert any("'wide' is not in it" in note for note in curves.notes)
    assert fed.kaplan_meier(grid=MONTHS).medians.loc["everybody", "patients"] == 300


def test_noise_protects_a_curve_and_is_charged() -> None:
    frame = pd.concat([patients(seed=s) for s in range(5)], ignore_index=True)
    made = sites(frame, (500, 450, 550), policy=fl.Policy(epsilon=3.0))
    fed = fl.Federation(made)
    curves = fed.kaplan_meier(grid=MONTHS, privacy=PROMISE)
    expected = pooled(frame["days"].to_numpy(), frame["died"].to_numpy(), MONTHS)
    assert np.abs(curves.frame["survival"] - expected).max() < 0.15
    assert (np.diff(curves.frame["survival"]) <= 1e-12).all()
    assert curves.frame[["low", "high"]].isna().all(axis=None)
    assert "noise" in curves.notes[0]
    assert (fed.privacy.totals["epsilon_spent"] > 1).all()
    another = fl.RecordDP(epsilon=0.9, delta=1e-5)
    assert "noise" in fed.log_rank("stage", grid=MONTHS, privacy=another).notes[0]


@pytest.mark.parametrize("row", [0, 57, 119])
def test_one_record_changes_noisy_counts_by_at_most_one(row: int) -> None:
    frame = patients(120, 2)
    recorded = []
    for table in (frame, frame.drop(index=row)):
        (site,) = sites(table, (len(table),))
        recorder = Recorder()
        query = CountSurvival(schema=msgspec.structs.replace(site.schema, columns=()), grid=GRID)
        query.compute(site._rows["all"], recorder.context())
        recorded.append(recorder.values[0])
        assert recorder.scales == [1.0]
    assert np.linalg.norm(recorded[0] - recorded[1]) <= 1.0


@pytest.mark.parametrize(
    "changes",
    [
        {"grid": ()},
        {"grid": (10, 5)},
        {"grid": (0, 5)},
        {"grid": (5, float("inf"))},
        {"grid": (5, float("nan"))},
        {"grid": ("Jane", "Doe")},
        {"grid": 5},
        {"grid": range(1, 10_000)},
        {"by": "days"},
        {"by": "died"},
        {"by": "age"},
        {"by": "nothing"},
        {"where": {"nothing": (1, 2)}},
    ],
    ids=str,
)
def test_questions_that_make_no_sense_are_refused_before_they_are_asked(
    changes: dict[str, Any],
) -> None:
    fed = bench(patients(60), (60,))
    options: dict[str, Any] = {"grid": MONTHS, **changes}
    with pytest.raises(DataError):
        fed.kaplan_meier(**options)


def test_levels_and_groups_are_looked_at() -> None:
    fed = bench(patients(60), (60,))
    for level in (0, 1, 95, True, "high"):
        with pytest.raises(TrainingError, match="level"):
            fed.kaplan_meier(grid=MONTHS, level=level)
    with pytest.raises(TrainingError, match="two groups"):
        fed.log_rank({"age": [0, 200]}, grid=MONTHS)
    frame = patients(60).drop(columns="died")
    no_event = fl.Federation([fl.Site("mercy", frame, target="days", policy=OPEN)])
    with pytest.raises(DataError, match="event"):
        no_event.kaplan_meier(grid=MONTHS)


def test_messages_come_back_as_they_were_and_odd_ones_are_not_believed() -> None:
    (site,) = sites(patients(60), (60,))
    query = CountSurvival(
        schema=msgspec.structs.replace(site.schema, columns=()), grid=(5.0, 10.0), exact=True
    )
    assert decode(encode(query), Query) == query  # type: ignore[type-abstract]
    answer = answer_of(ask(site, query))
    assert decode(encode(answer), Answer) == answer
    assert query.accepts(answer)
    assert isinstance(answer, SurvivalCounts)
    for change in (
        {"patients": np.zeros(2)},
        {"left": np.full(answer.left.shape, np.nan)},
        {"left": np.zeros((3, 3, 1, 4))},
        {"told": np.array([0.5])},
        {"hidden": np.array([-1.0])},
    ):
        assert not query.accepts(msgspec.structs.replace(answer, **change))
    bad = encode(query).replace(encode(5.0), encode(50.0))
    with pytest.raises(MessageError):
        decode(bad, Query)  # type: ignore[type-abstract]


def test_a_likely_spread_keeps_to_what_blocks_tell() -> None:
    blocks = Blocks(np.array([0, 0, 0, 1, 1]), np.array([30.0, 20.0]))
    (likely,) = spread(100.0, [blocks], np.ones(5))
    fewest, most = bounds(blocks)
    assert (fewest <= likely).all()
    assert (likely <= most).all()
    assert likely[[2, 4]].tolist() == [30.0, 50.0]
    # Fewer are at risk later, so that fewer leave in the same time.
    steps = np.diff(likely, prepend=0.0)
    assert steps[0] > steps[1] > steps[2]


def test_figures_show_steps_bands_bounds_and_patients_at_risk() -> None:
    frame = patients().rename(columns={"arm": "<b>arm</b>"})
    curves = bench(frame, policy=fl.Policy()).kaplan_meier("<b>arm</b>", grid=MONTHS)
    figure = curves.plot()
    curve = figure.data[0]
    assert curve.line.shape == "hv"
    assert curve.y[0] == 1.0
    assert len(curve.y) == len(MONTHS) + 1
    dotted = [trace for trace in figure.data if trace.line.dash == "dot"]
    # Bounds hold between the grid's times too: what falls by the next may fall at once.
    assert [trace.line.shape for trace in dotted] == ["vh", "hv"] * 2
    texts = [trace for trace in figure.data if trace.mode == "text"]
    assert texts[0].text[0] == f"{curves.at_risk.iloc[0, 0]:,.0f}"
    assert "<b>" not in figure.to_json().replace("\\u003c", "<")
    assert "<b>" not in curves._repr_html_()
    assert "<b>" not in bench(frame).log_rank("<b>arm</b>", grid=MONTHS)._repr_html_()
    assert "certain bounds" in figure.layout.yaxis.title.text
    exact = bench(patients()).kaplan_meier(grid=GRID, exact=True).plot()
    assert not any(trace.line.dash == "dot" for trace in exact.data)
