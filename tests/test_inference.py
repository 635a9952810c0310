"""Standard errors, tests and intervals are those of statsmodels on the pooled rows."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.datasets import load_diabetes, load_iris
from statsmodels.duration.hazard_regression import PHReg

import fedlab as fl
from fedlab.core.cox import CoxRegression
from fedlab.core.linear import Linear
from fedlab.core.logistic import LogisticRegression
from fedlab.core.poisson import PoissonRegression
from fedlab.core.regression import LinearRegression, Ridge
from fedlab.core.risk_sets import Ties
from fedlab.core.support_vector import SVC
from fedlab.errors import PrivacyError, TrainingError
from fedlab.inference import Inference, infer
from fedlab.training import Training
from tests.builders import PROMISE, RANGES, deal, numeric, rows_of, table

FREE = LogisticRegression(C=math.inf)
DEALS = {"one site": [400], "unequal": [220, 130, 45, 5], "sorted by target": [80] * 5}
each_deal = pytest.mark.parametrize("kind", DEALS)
NEWTON = {"method": "newton", "tol": 1e-14, "maxiter": 200, "disp": 0}


def sites_of(frame: pd.DataFrame, kind: str, target: str) -> list[fl.Site]:
    if kind == "sorted by target":
        frame = frame.sort_values(target, ignore_index=True)
    return deal(frame, DEALS[kind], target=target, ranges={})


def finished(sites: Sequence[fl.Site], model: Linear, rounds: int = 20) -> Training:
    run = fl.Federation(sites).train(model, evaluate=False)
    run.run(rounds, progress=False)
    return run


def inference(run: Training, **options: Any) -> Inference:
    return infer(run._coordinator, run.id, run.round, run.problem, run.state.parameters, **options)


def coded(
    run: Training, frame: pd.DataFrame, references: dict[str, str] | None = None
) -> pd.DataFrame:
    """Intercept, numbers with gaps at the mean, and treatment coding, by hand."""
    space = run.problem.space
    columns: dict[str, Any] = {"(intercept)": np.ones(len(frame))}
    for column, mean in zip(space.numbers, space.scaling["mean"], strict=True):
        columns[column.name] = frame[column.name].astype(float).fillna(mean).to_numpy()
    for column in space.categories:
        values = frame[column.name].astype(object)
        there = [level for level in column.categories if (values == level).any()]
        for level in there:
            if level != (references or {}).get(column.name, there[0]):
                columns[f"{column.name}={level}"] = (values == level).to_numpy(float)
        if values.isna().any():
            columns[f"{column.name}=(missing)"] = values.isna().to_numpy(float)
    return pd.DataFrame(columns)


def assert_equal(found: Inference, oracle: Any, within: float = 1e-8) -> None:
    interval = np.asarray(oracle.conf_int(1 - found.level))
    for name, theirs in (
        ("estimate", oracle.params),
        ("standard_error", oracle.bse),
        ("statistic", oracle.tvalues),
        ("lower", interval[:, 0]),
        ("upper", interval[:, 1]),
    ):
        np.testing.assert_allclose(found.frame[name], theirs, rtol=within, err_msg=name)
    # Far tails of a p-value magnify the last digits of its statistic.
    np.testing.assert_allclose(found.frame["p_value"], oracle.pvalues, rtol=1e-6, atol=1e-100)
    np.testing.assert_allclose(found.covariance, oracle.cov_params(), rtol=1e-6, atol=1e-14)


@each_deal
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_logistic_regression_is_that_of_statsmodels(kind: str, level: float) -> None:
    sites = sites_of(table(400, seed=4), kind, "died")
    run = finished(sites, FREE)
    found, frame = inference(run, level=level), rows_of(sites)
    design = coded(run, frame)
    assert list(found.frame.index) == list(design.columns)
    assert "ward=(missing)" in design
    oracle = sm.Logit(frame["died"].to_numpy(), design).fit(**NEWTON)
    assert_equal(found, oracle)
    np.testing.assert_allclose(found.frame["odds_ratio"], np.exp(oracle.params), rtol=1e-8)
    ends = np.exp(np.asarray(oracle.conf_int(1 - level)))
    np.testing.assert_allclose(
        found.frame[["odds_ratio_lower", "odds_ratio_upper"]], ends, rtol=1e-7
    )


@each_deal
def test_linear_regression_is_that_of_statsmodels(kind: str) -> None:
    data = load_diabetes(as_frame=True, scaled=False)
    frame = data.frame.iloc[:400].astype(float)
    sites = sites_of(frame, kind, "target")
    run = finished(sites, LinearRegression(), 3)
    rows = rows_of(sites)
    found = inference(run)
    assert_equal(found, sm.OLS(rows["target"].to_numpy(), coded(run, rows)).fit())
    assert found.ratio is None
    assert "odds_ratio" not in found.frame


@each_deal
def test_poisson_regression_is_that_of_statsmodels(kind: str) -> None:
    frame = table(400, seed=9).drop(columns="died")
    rate = np.exp(0.5 + frame["age"] / 60 - 0.4 * frame["smoker"])
    frame["visits"] = np.random.default_rng(1).poisson(rate)
    sites = sites_of(frame, kind, "visits")
    run = finished(sites, PoissonRegression())
    found, rows = inference(run), rows_of(sites)
    family = sm.families.Poisson()
    oracle = sm.GLM(rows["visits"].to_numpy(), coded(run, rows), family=family)
    assert_equal(found, oracle.fit(tol=1e-14, maxiter=100))
    np.testing.assert_allclose(found.frame["rate_ratio"], np.exp(found.frame["estimate"]))


def test_several_classes_are_the_multinomial_logit_of_statsmodels() -> None:
    data = load_iris()
    random, frame = np.random.default_rng(0), pd.DataFrame(data.data, columns=list("abcd"))
    label = np.where(random.random(150) < 0.5, random.integers(0, 3, 150), data.target)
    names = pd.Categorical.from_codes(label, categories=pd.Index(["mild", "severe", "none"]))
    sites = deal(frame.assign(y=names), [90, 40, 20], target="y", ranges={})
    found = inference(finished(sites, FREE, 15))
    oracle = sm.MNLogit(label, sm.add_constant(frame)).fit(**NEWTON)
    assert [name for name, _ in found.frame.index[::5]] == ["severe", "none"]
    for name, theirs in (("estimate", oracle.params), ("standard_error", oracle.bse)):
        np.testing.assert_allclose(found.frame[name], theirs.to_numpy().T.ravel(), rtol=1e-8)
    np.testing.assert_allclose(
        found.frame["p_value"], oracle.pvalues.to_numpy().T.ravel(), rtol=1e-6
    )
    assert any("Classes stand against mild" in note for note in found.notes)
    assert len(found.plot().data) == 2


def lives(n_rows: int = 400) -> pd.DataFrame:
    """Whole days until death or the end of watching, which age and ward shorten."""
    frame, random = table(n_rows, seed=4).drop(columns="died"), np.random.default_rng(2)
    risk = (frame["age"] - 60) / 12 + 0.6 * (frame["ward"] == "south")
    life, watched = random.exponential(20 * np.exp(-risk)), random.exponential(30, n_rows)
    frame["days"] = np.ceil(np.minimum(life, watched))
    return frame.assign(died=(life <= watched).astype(int))


def watched(sizes: Sequence[int], **options: Any) -> list[fl.Site]:
    return deal(lives(), sizes, target="days", event="died", ranges={}, **options)


def cox(sites: Sequence[fl.Site], rounds: int = 9, **options: Any) -> Training:
    model = CoxRegression(**{"grid": "exact", **options})
    run = fl.Federation(sites).train(model, evaluate=False)
    run.run(rounds, progress=False)
    return run


@pytest.mark.parametrize("sizes", [[400], [220, 130, 45, 5]])
@pytest.mark.parametrize(("ties", "ward"), [("efron", "north"), ("breslow", "west")])
def test_hazard_ratios_are_those_of_statsmodels(sizes: list[int], ties: Ties, ward: str) -> None:
    run = cox(watched(sizes), ties=ties)
    found = run.inference(level=0.9, references={"ward": ward})
    frame = lives()
    rows = frame.drop(columns=["days", "died"])
    design = coded(run, rows, {"ward": ward}).drop(columns="(intercept)")
    # Its Newton steps are not halved: from a first fit of scaled columns they arrive.
    scale = design.std()
    model = PHReg(frame["days"], design / scale, status=frame["died"], ties=ties)
    oracle = model.fit(start_params=model.fit(method="bfgs", disp=0).params, disp=0)
    assert list(found.frame.index) == list(design.columns)
    table = found.frame
    for name, theirs in (
        ("estimate", oracle.params / scale),
        ("standard_error", oracle.bse / scale),
        ("statistic", oracle.tvalues),
        ("lower", oracle.conf_int(0.1)[:, 0] / scale),
        ("upper", oracle.conf_int(0.1)[:, 1] / scale),
        ("p_value", oracle.pvalues),
    ):
        np.testing.assert_allclose(table[name], theirs, rtol=1e-6, atol=1e-12, err_msg=name)
    covariance = oracle.cov_params() / np.outer(scale, scale)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-6, atol=1e-12)
    for name, end in (("estimate", ""), ("lower", "_lower"), ("upper", "_upper")):
        np.testing.assert_allclose(table[f"hazard_ratio{end}"], np.exp(table[name]))


def test_hazard_ratios_are_shown_with_what_has_to_be_known() -> None:
    run = cox(watched([220, 180]), ties="breslow")
    found = run.inference()
    events = int(lives()["died"].sum())
    assert f"{events} events among 400 rows of 2 sites, ties as of Breslow" in repr(found)
    assert "References: ward = north." in repr(found)
    assert "hazard ratio" in found._repr_html_()
    figure = found.plot(standardised=False)
    assert list(figure.data[0].y) == list(found.frame.index)
    np.testing.assert_allclose(figure.data[0].x, found.frame["hazard_ratio"], rtol=1e-5)
    assert "hazard ratio of one unit" in figure.layout.xaxis.title.text


@pytest.mark.parametrize(
    ("rounds", "options", "says"),
    [
        (0, {}, "does not know its grid"),
        (3, {}, "finished fit"),
        (9, {"alpha": 0.5}, "without a penalty"),
    ],
)
def test_a_fit_of_cox_must_be_finished_and_free(
    rounds: int, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(TrainingError, match=says):
        cox(watched([220, 180]), rounds, **options).inference()


def test_a_level_of_hazard_ratios_lies_between_0_and_1() -> None:
    with pytest.raises(TrainingError, match="level"):
        cox(watched([220, 180])).inference(level=1.0)


@pytest.mark.parametrize("ward", ["south", "west"])
def test_any_category_may_be_the_reference(ward: str) -> None:
    sites = sites_of(table(400, seed=4), "unequal", "died")
    run, references = finished(sites, FREE), {"ward": ward}
    found, frame = inference(run, references=references), rows_of(sites)
    design = coded(run, frame, references)
    assert_equal(found, sm.Logit(frame["died"].to_numpy(), design).fit(**NEWTON))
    assert any(f"ward = {ward}" in note for note in found.notes)


def test_what_no_row_tells_is_left_out_and_named() -> None:
    frame = table(400, seed=4, gaps=False)
    frame["ward"] = (
        frame["ward"]
        .cat.add_categories("attic")
        .cat.reorder_categories(["attic", "north", "south", "west"])
    )
    frame["always"] = 3.7
    sites = sites_of(
        frame[["always", *frame.columns.drop(["died", "always"]), "died"]], "unequal", "died"
    )
    run = finished(sites, FREE)
    found, rows = inference(run), rows_of(sites)
    design = coded(run, rows).drop(columns="always")
    assert list(found.frame.index) == list(design.columns)
    assert_equal(found, sm.Logit(rows["died"].to_numpy(), design).fit(**NEWTON))
    assert any("always, ward=attic" in note for note in found.notes)
    with pytest.raises(TrainingError, match="that occurs"):
        inference(run, references={"ward": "attic"})


def test_a_reference_for_no_column_of_categories_is_an_error() -> None:
    run = finished(sites_of(table(400, seed=4), "unequal", "died"), FREE, 10)
    with pytest.raises(TrainingError, match="'ward'"):
        inference(run, references={"age": "60"})


def test_a_fit_that_is_not_finished_has_no_standard_errors() -> None:
    run = finished(sites_of(numeric(400, seed=2), "unequal", "died"), FREE, 1)
    with pytest.raises(TrainingError, match="finished fit"):
        inference(run)
    run.run(10, progress=False)
    assert np.isfinite(inference(run).frame.to_numpy()).all()


def test_averaging_that_has_arrived_counts_as_finished() -> None:
    sites = sites_of(numeric(400, seed=2), "one site", "died")
    strategy = fl.FedAvg(batch_size=None, learning_rate=2.0, local_steps=400)
    run = fl.Federation(sites).train(FREE, strategy=strategy, evaluate=False)
    run.run(3, progress=False)
    exact = inference(finished(sites, FREE))
    np.testing.assert_allclose(inference(run).frame["p_value"], exact.frame["p_value"], rtol=1e-3)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (LogisticRegression(C=1.0), "without a penalty"),
        (Ridge(), "maximum likelihood"),
        (SVC(kernel="linear"), "maximum likelihood"),
        (PoissonRegression(alpha=0.5), "without a penalty"),
    ],
)
def test_penalised_fits_have_none(model: Linear, says: str) -> None:
    run = finished(sites_of(numeric(400, seed=2), "unequal", "died"), model, 5)
    with pytest.raises(TrainingError, match=says):
        inference(run)


def test_private_runs_have_none() -> None:
    sites = deal(numeric(400, seed=2), [200, 200], ranges={k: RANGES[k] for k in RANGES})
    run = fl.Federation(sites).train(FREE, privacy=PROMISE)
    with pytest.raises(PrivacyError, match="exact sums"):
        inference(run)


def test_collinear_numbers_are_named() -> None:
    frame = numeric(400, seed=2)
    frame["months"] = 12 * frame["age"] + 3
    run = finished(sites_of(frame, "unequal", "died"), FREE, 12)
    with pytest.raises(TrainingError, match="'age', 'months'"):
        inference(run)


def test_more_coefficients_than_rows_leave_no_variance() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(4, 4)), columns=list("abcy"))
    run = finished(deal(frame, [4], target="y", ranges={}), LinearRegression(), 3)
    with pytest.raises(TrainingError, match="more rows than coefficients"):
        inference(run)


@pytest.mark.parametrize("level", [0.0, 1.0, math.nan])
def test_a_level_lies_between_0_and_1(level: float) -> None:
    run = finished(sites_of(numeric(400, seed=2), "unequal", "died"), FREE, 8)
    with pytest.raises(TrainingError, match="level"):
        inference(run, level=level)


def test_a_separated_column_is_pointed_at() -> None:
    frame = numeric(400, seed=2)
    frame["flag"] = ((frame["died"] == 1) & (np.arange(400) % 3 == 0)).astype(float)
    run = finished(sites_of(frame, "unequal", "died"), FREE, 22)
    assert any("without a bound: flag" in note for note in inference(run).notes)
    run.run(15, progress=False)
    with pytest.raises(TrainingError, match="'flag'"):
        inference(run)


def test_tables_and_figures_show_what_the_frame_holds() -> None:
    frame = table(400, seed=4).rename(columns={"age": "<b>age"})
    run = finished(sites_of(frame, "unequal", "died"), FREE)
    found = inference(run)
    html, text = found._repr_html_(), repr(found)
    assert "&lt;b&gt;age" in html
    assert "<b>age" not in html
    assert "< 0.0001" in html.replace("&lt;", "<")
    assert "References: ward = north" in text
    figure = found.plot(standardised=False)
    (points,) = figure.data
    assert len(points.y) == len(found.frame) - 1
    expected = found.frame["odds_ratio"].iloc[1:]
    np.testing.assert_allclose(points.x, expected, rtol=1e-5)
    np.testing.assert_allclose(
        np.add(points.x, points.error_x.array), found.frame["odds_ratio_upper"].iloc[1:], rtol=1e-4
    )
    per_deviation = found.plot().data[0].x
    scale = run.problem.space.scaling["scale"][0]
    first = np.exp(found.frame["estimate"].iloc[1] * scale)
    assert per_deviation[0] == pytest.approx(first, rel=1e-5)
    assert figure.to_json() == inference(run).plot(standardised=False).to_json()
