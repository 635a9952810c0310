"""Figures, intervals and curves from counts, against other people's code; and the report."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import TensorProto, helper
from scipy.stats import bootstrap, norm
from sklearn.calibration import calibration_curve as sklearn_calibration
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

import fedlab as fl
from fedlab.errors import DataError
from fedlab.judging import Benchmark, benchmark
from fedlab.judging.curves import (
    calibration_curve,
    calibration_cuts,
    decision_curve,
    expected_error,
)
from fedlab.judging.curves import roc_curve as judged_roc
from fedlab.judging.intervals import auc_variance, newcombe, resampled, wilson
from fedlab.judging.measures import figures_of
from fedlab.judging.numbered import number_lines
from fedlab.judging.scored import Group, Style, lines_of
from tests.builders import deal, table

EDGES = np.arange(21) / 20
MIDDLES = (EDGES[1:] + EDGES[:-1]) / 2


def rows_of_counts(counts: Any) -> tuple[Any, Any]:
    """Classes and scores, one for each row that was counted."""
    counts = np.asarray(counts).astype(int)
    y = np.repeat([0, 1], counts.sum(axis=1))
    scores = np.concatenate([np.repeat(MIDDLES, each) for each in counts])
    return y, scores


def some_counts(seed: int = 0, n_rows: int = 300) -> Any:
    """Counts of scores that know something."""
    random = np.random.default_rng(seed)
    y = (random.random(n_rows) < 0.4).astype(int)
    scores = 1 / (1 + np.exp(-(random.normal(0, 1, n_rows) + 1.2 * (y - 0.4))))
    places = np.clip((scores * 20).astype(int), 0, 19)
    return np.array([np.bincount(places[y == label], minlength=20) for label in (0, 1)], float)


def pooled_delong(y: Any, scores: Any) -> tuple[float, float]:
    """Area and variance from every pair of single scores, as DeLong and others 1988 have it."""
    positive, negative = scores[y == 1], scores[y == 0]
    above = positive[:, None] > negative[None, :]
    pairs = above + 0.5 * (positive[:, None] == negative[None, :])
    of_positive, of_negative = pairs.mean(axis=1), pairs.mean(axis=0)
    variance = of_positive.var(ddof=1) / len(positive) + of_negative.var(ddof=1) / len(negative)
    return float(pairs.mean()), float(variance)


COUNTS = arrays.arrays(np.float64, (2, 20), elements=st.integers(0, 6).map(float))


@given(COUNTS)
@settings(deadline=None)
def test_area_variance_and_precision_equal_those_of_single_scores(counts: Any) -> None:
    if (counts.sum(axis=1) < 2).any():
        return
    y, scores = rows_of_counts(counts)
    figures = figures_of(counts, EDGES, 0.5)
    area, variance = pooled_delong(y, scores)
    assert figures["auc"] == pytest.approx(roc_auc_score(y, scores), abs=1e-12)
    assert figures["auc"] == pytest.approx(area, abs=1e-12)
    assert auc_variance(counts) == pytest.approx(variance, abs=1e-12)
    assert figures["average_precision"] == pytest.approx(
        average_precision_score(y, scores), abs=1e-12
    )


@given(COUNTS)
@settings(deadline=None)
def test_any_order_within_bins_stays_between_the_best_and_the_worst(counts: Any) -> None:
    if (counts.sum(axis=1) < 1).any():
        return
    y, scores = rows_of_counts(counts)
    low, high = (figures_of(counts, EDGES, 0.5, ties=ties) for ties in (0.0, 1.0))
    for shift, ends in ((1e-6, high), (-1e-6, low)):
        moved = scores + shift * y
        assert ends["auc"] == pytest.approx(roc_auc_score(y, moved), abs=1e-12)
        random = np.random.default_rng(0).random(len(y)) * 1e-7
        assert ends["average_precision"] == pytest.approx(
            average_precision_score(y, moved + random), abs=1e-9
        )


def test_delongs_interval_is_near_that_of_a_bootstrap_of_the_rows() -> None:
    counts = some_counts(n_rows=500)
    y, scores = rows_of_counts(counts)
    half = norm.ppf(0.975) * np.sqrt(auc_variance(counts))
    drawn = bootstrap(
        (y, scores), roc_auc_score, paired=True, vectorized=False, n_resamples=400,
        method="percentile", rng=np.random.default_rng(0),
    )  # fmt: skip
    area = roc_auc_score(y, scores)
    low, high = drawn.confidence_interval
    assert (area - half, area + half) == (
        pytest.approx(low, abs=0.01),
        pytest.approx(high, abs=0.01),
    )


def test_drawn_tables_are_other_samples_of_as_many_rows() -> None:
    counts = some_counts()
    drawn = resampled(counts[None], np.random.default_rng(0), 2000)
    assert (drawn.sum(axis=(1, 2)) == counts.sum()).all()
    np.testing.assert_allclose(drawn.mean(axis=0), counts, atol=0.6)
    halves = np.stack([counts, counts[:, ::-1]])
    strata = resampled(halves, np.random.default_rng(0), 50)
    assert (strata.sum(axis=(1, 2)) == 2 * counts.sum()).all()
    noisy = resampled(counts[None], np.random.default_rng(0), 500, noise=3.0)
    assert (noisy >= 0).all()
    assert noisy.sum(axis=(1, 2)).std() > 5


@given(st.integers(1, 80), st.integers(0, 80), st.integers(1, 80), st.integers(0, 80))
@settings(max_examples=50, deadline=None)
def test_intervals_of_proportions_equal_statsmodels(n: int, x: int, m: int, y: int) -> None:
    x, y = min(x, n), min(y, m)
    np.testing.assert_allclose(
        wilson(x, n, 0.9), proportion_confint(x, n, alpha=0.1, method="wilson"), atol=1e-12
    )
    wanted = confint_proportions_2indep(x, n, y, m, method="newcomb", compare="diff", alpha=0.05)
    np.testing.assert_allclose(newcombe((x, n), (y, m), 0.95), wanted, atol=1e-12)
    assert np.isnan(wilson(0, 0, 0.95)).all()


def test_the_curve_passes_where_scikit_learns_does() -> None:
    counts = some_counts()
    y, scores = rows_of_counts(counts)
    false, true, _ = roc_curve(y, scores, drop_intermediate=False)
    found = judged_roc(counts, counts, EDGES)
    points = set(
        zip(found["false_positive_rate"].round(9), found["sensitivity"].round(9), strict=True)
    )
    assert set(zip(false.round(9), true.round(9), strict=True)) <= points
    assert (found["sensitivity_low"] == found["sensitivity_high"]).all()


def test_calibration_by_tenths_equals_scikit_learns() -> None:
    counts = some_counts()
    y, scores = rows_of_counts(counts)
    cuts = calibration_cuts(counts, counts, EDGES)
    found = calibration_curve(counts, EDGES, cuts, 0.95)
    observed, mean = sklearn_calibration(y, scores, n_bins=10)
    np.testing.assert_allclose(found["observed"], observed, atol=1e-12)
    np.testing.assert_allclose(found["mean_score"], mean, atol=1e-12)
    wanted = (np.abs(observed - mean) * found["rows"]).sum() / len(y)
    assert expected_error(counts, EDGES, cuts) == pytest.approx(wanted, abs=1e-12)


def test_calibration_blocks_are_joined_where_sites_told_no_edge() -> None:
    lowest, highest = np.zeros((2, 20)), np.zeros((2, 20))
    lowest[:, 3], highest[:, 7] = 20, 20
    lowest[:, 12], highest[:, 12] = 30, 30
    cuts = calibration_cuts(lowest, highest, EDGES)
    assert not set(cuts.tolist()) & {4, 5, 6, 7}
    assert (calibration_curve(lowest, EDGES, cuts, 0.95)["rows"] > 0).all()


def test_net_benefit_is_that_of_vickers_and_elkin() -> None:
    counts = some_counts()
    y, scores = rows_of_counts(counts)
    found = decision_curve(counts, counts, EDGES)
    for line in found.itertuples():
        t = float(str(line.threshold))
        true, false = ((scores > t) & (y == 1)).sum(), ((scores > t) & (y == 0)).sum()
        wanted = (true - t / (1 - t) * false) / len(y)
        assert line.net_benefit == pytest.approx(wanted, abs=1e-12)
        assert line.treat_all == pytest.approx(y.mean() - (1 - y.mean()) * t / (1 - t))


def test_intervals_hold_what_they_say_about_as_often_as_they_say() -> None:
    style = Style(edges=EDGES, threshold=0.5, level=0.9, times=100)
    whole = figures_of(some_counts(seed=99, n_rows=200_000), EDGES, 0.5)
    names = ["auc", "average_precision", "f1", "accuracy", "net_benefit"]
    held: dict[str, Any] = dict.fromkeys(names, 0)
    for seed in range(60):
        counts = some_counts(seed, 250)
        group = Group(counts, counts, counts.sum(), None, counts[None])
        lines = lines_of(group, style, np.random.default_rng(seed))
        for name in names:
            held[name] += lines[name].lower <= whole[name] <= lines[name].upper
    # Of 60 at 0.9 about 54; 46 is four standard deviations below.
    assert min(held.values()) >= 46, held


def test_a_group_of_nobody_has_no_figures_and_no_warning() -> None:
    empty = np.zeros((2, 20))
    group = Group(empty, empty, 0.0, np.zeros((2, 4)), empty[None])
    style = Style(edges=EDGES, threshold=0.5, level=0.95, times=10)
    lines = lines_of(group, style, np.random.default_rng(0))
    assert all(np.isnan(line.estimate) for line in lines.values())
    assert number_lines(np.zeros(7), 0.95) == {}


def test_intervals_of_errors_of_numbers_are_near_a_bootstrap() -> None:
    error = np.random.default_rng(0).normal(0.2, 1.5, 400)
    y = np.random.default_rng(1).normal(0, 2, 400)
    terms = [np.ones(400), y, y**2, error, np.abs(error), error**2, error**4]
    lines = number_lines(np.sum(terms, axis=1), 0.95)
    for name, of in (
        ("mae", lambda e: np.abs(e).mean()),
        ("rmse", lambda e: np.sqrt((e**2).mean())),
    ):
        drawn = bootstrap((error,), of, vectorized=False, n_resamples=500, method="percentile",
                          rng=np.random.default_rng(0)).confidence_interval  # fmt: skip
        assert lines[name].lower == pytest.approx(drawn.low, abs=0.03)
        assert lines[name].upper == pytest.approx(drawn.high, abs=0.03)


@pytest.fixture(scope="module")
def compared() -> Benchmark:
    """Two models over two sites, one of which has not approved any."""
    frame = table(1500, seed=2)
    owner = "ab" * 32
    sites = [
        *deal(frame.iloc[:1300], [1300], policy=fl.Policy(error_sums=True)),
        fl.Site(
            "<b>north</b>", frame.iloc[1300:], target="died", test_size=0.0,
            policy=fl.Policy(approval=True, owners={"lee": owner}),
        ),
    ]  # fmt: skip
    fed = fl.Federation(sites)
    train = fl.Federation(sites[:1]).train(fl.LogisticRegression())
    train.run(2, progress=False)
    ages = helper.make_graph(
        [helper.make_node("Identity", ["age"], ["risk"])],
        "g",
        [helper.make_tensor_value_info("age", TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor_value_info("risk", TensorProto.DOUBLE, [None, 1])],
    )
    bad = helper.make_model(
        ages, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    ).SerializeToString()
    return benchmark(
        fed,
        {"ours": train, "<script>x</script>": train, "strange": bad},
        by="ward",
        bootstrap=50,
        options={"strange": {"score": "probability"}},
    )


def test_a_benchmark_tells_models_side_by_side_and_who_did_not_judge(compared: Benchmark) -> None:
    assert list(compared.frame.index) == ["ours", "<script>x</script>"]
    assert "Probabilities are from 0 to 1" in compared.failures["strange"]
    assert "awaits approval" in compared.failures["strange"]
    assert any("awaiting approval by site" in note for note in compared.notes)
    assert [*compared.frame][:2] == ["sites", "rows"]
    assert [*compared.frame][-1] == "status"
    for name in compared.frame.index:
        assert any(note.startswith(f"{name}: AUC is between") for note in compared.notes)
    assert set(compared.intervals["model"]) == set(compared.frame.index)
    assert len(compared.by_site) > len(compared.frame)
    assert set(compared.gaps["model"]) == set(compared.frame.index)
    assert "awaiting approval" in repr(compared)
    assert "<script>" not in compared._repr_html_()


def test_the_report_is_one_page_without_scripts_or_requests(
    compared: Benchmark, tmp_path: Path
) -> None:
    place = compared.write(tmp_path / "report.html", day=date(2026, 11, 24), title="<i>A & B</i>")
    page = place.read_text("utf-8")
    assert "<script" not in page
    assert not re.search(r"(src|href)=|url\(|@import|http", page.replace("http-equiv", ""))
    assert "<b>north" not in page
    assert "&lt;b&gt;north&lt;/b&gt;" in page
    assert "&lt;i&gt;A &amp; B&lt;/i&gt;" in page
    for wanted in ("2026-11-24", "awaiting approval", "sha256:", "not judged", "@media print"):
        assert wanted in page
    assert "prefers-color-scheme: dark" in page
    for judged in compared.judgements.values():
        assert judged.digest in page
    again = compared.write(tmp_path / "again.html", day="2026-11-24", title="<i>A & B</i>")
    assert again.read_bytes() == place.read_bytes()
    with pytest.raises(DataError, match="place that can be written"):
        compared.write(tmp_path / "no" / "report.html", day="2026-11-24")


def test_every_figure_is_drawn_with_names_as_text(compared: Benchmark) -> None:
    for kind in (None, "roc", "precision", "calibration", "decision"):
        drawn = compared.plot(kind).to_json()
        assert "<script>" not in drawn
        assert "NaN" not in drawn
    judged = compared.judgements["ours"]
    for kind in (None, "roc", "precision", "calibration", "decision", "subgroups"):
        assert judged.plot(kind).data
    with pytest.raises(DataError, match="Choose from 'roc'"):
        judged.plot("confusion")
    with pytest.raises(DataError, match="Choose from 'roc'"):
        compared.plot("pie")
    assert "judged at 1 of 2 sites" in judged._repr_html_()
    assert "ours" in repr(judged)


def test_a_benchmark_without_models_is_an_error(compared: Benchmark) -> None:
    fed = fl.Federation(deal(table(60), [60]))
    nothing: list[Any] = [{}, [LogisticRegression()]]
    for models in nothing:
        with pytest.raises(DataError, match="models by name"):
            benchmark(fed, models)
    with pytest.raises(DataError, match="'other'"):
        benchmark(fed, {"one": b""}, options={"other": {}})
    failed = benchmark(fed, {"one": b"nothing"})
    assert list(failed.failures) == ["one"]
    assert isinstance(failed.intervals, pd.DataFrame)
