"""Federated Newton is the pooled fit, coefficient by coefficient."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fedlab as fl
from fedlab.core.schema import Schema
from fedlab.training import Training
from tests.builders import deal, numeric, rows_of, table


def pooled(frame: pd.DataFrame, schema: Schema, C: float) -> Any:
    """scikit-learn's own fit on all rows together."""
    numbers = [c.name for c in schema.columns if c.kind == "number"]
    names = [c for c in schema.columns if c.kind == "category"]
    fill = SimpleImputer(strategy="constant", fill_value=0.0)
    indicators = OneHotEncoder(
        categories=[np.array(c.categories, dtype=object) for c in names], handle_unknown="ignore"
    )
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(StandardScaler(), fill), numbers),
            ("names", indicators, [c.name for c in names]),
        ],
        sparse_threshold=0,
    )
    solver = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-13, max_iter=500)
    return make_pipeline(columns, solver).fit(
        frame.drop(columns=schema.target), frame[schema.target]
    )


def newton(
    sites: list[fl.Site], C: float = 1.0, rounds: int = 15
) -> tuple[fl.Federation, Training]:
    fed = fl.Federation(sites)
    run = fed.train(fl.LogisticRegression(C=C), strategy=fl.FedNewton(), evaluate=False)
    run.run(rounds, progress=False)
    return fed, run


def assert_equal(run: Training, oracle: Any) -> None:
    np.testing.assert_allclose(run.state.parameters["coef"], oracle[-1].coef_[0], rtol=0, atol=1e-8)
    np.testing.assert_allclose(
        run.state.parameters["intercept"], oracle[-1].intercept_[0], rtol=0, atol=1e-8
    )


FIFTY = [1] * 12 + [2] * 10 + [7] * 20 + [60] * 7 + [408]


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("sizes", [[1000], [500, 300, 180, 20], FIFTY], ids=["1", "4", "50"])
def test_newton_equals_the_pooled_fit_in_every_coefficient(sizes: list[int], C: float) -> None:
    frame = table(1000, seed=3)
    # One-row sites cannot have a gap in a column: that is an error of its own.
    small = sum(size for size in sizes if size < 7)
    frame.iloc[:small] = frame.iloc[:small].fillna({"lab": 0.1, "ward": "north"})
    sites = deal(frame, sizes)
    fed, run = newton(sites, C)
    oracle = pooled(rows_of(sites), fed.schema, C)
    assert_equal(run, oracle)
    np.testing.assert_allclose(
        run.model.predict_proba(frame), oracle.predict_proba(frame), rtol=0, atol=1e-9
    )
    assert (run.model.predict(frame) == oracle.predict(frame)).all()


@pytest.mark.parametrize("sizes", [[100, 100, 100], [1, 99, 100, 99, 1]])
def test_sites_of_one_class_are_no_exception(sizes: list[int]) -> None:
    frame = table(300, seed=5).sort_values("died", ignore_index=True)
    frame = frame.fillna({"lab": 0.3, "ward": "south"})
    sites = deal(frame, sizes)
    fed, run = newton(sites)
    assert_equal(run, pooled(frame, fed.schema, 1.0))


@pytest.mark.parametrize("loader", ["opt", "indo", "breast_cancer"])
def test_newton_equals_the_pooled_fit_on_real_patients(loader: str) -> None:
    sites = getattr(fl.datasets, loader)(policy=fl.Policy(minimum_rows=1))
    fed, run = newton(sites)
    frame = rows_of(sites)
    oracle = pooled(frame, fed.schema, 1.0)
    assert_equal(run, oracle)
    held_out = rows_of(sites, "test").drop(columns=fed.schema.target)
    np.testing.assert_allclose(
        run.model.predict_proba(held_out), oracle.predict_proba(held_out), rtol=0, atol=1e-8
    )


def test_without_a_penalty_newton_equals_maximum_likelihood() -> None:
    frame = numeric(400, seed=2)
    sites = deal(frame, [250, 100, 49, 1])
    _, run = newton(sites, C=float("inf"))
    features = frame.drop(columns="died")
    scaled = StandardScaler().fit_transform(features)
    oracle = sm.Logit(frame["died"].to_numpy(), sm.add_constant(scaled)).fit(
        disp=0, tol=1e-14, maxiter=200
    )
    np.testing.assert_allclose(run.state.parameters["coef"], oracle.params[1:], rtol=0, atol=1e-8)
    np.testing.assert_allclose(
        run.state.parameters["intercept"], oracle.params[0], rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("C", [1e2, 1e4, 1e6])
def test_separable_rows_with_a_weak_penalty_still_converge(C: float) -> None:
    frame = numeric(200, seed=4)
    frame["died"] = (frame["age"] + 10 * frame["lab"] > 60).astype(int)
    sites = deal(frame, [150, 30, 20])
    _fed, run = newton(sites, C, rounds=60)
    x = StandardScaler().fit_transform(frame.drop(columns="died"))
    coef, intercept = run.state.parameters["coef"], float(run.state.parameters["intercept"])
    margin = np.clip(x @ coef + intercept, -700, 700)
    residual = 1 / (1 + np.exp(-margin)) - frame["died"].to_numpy()
    gradient = np.append(residual @ x + coef / C, residual.sum())
    assert np.abs(gradient).max() < 1e-8
    assert run.model.score(frame, frame["died"]) > 0.99


@pytest.mark.parametrize("rate", [20.0, 40.0])
def test_a_step_that_goes_too_far_is_halved_until_the_loss_falls(rate: float) -> None:
    frame = numeric(300, seed=1)
    fed = fl.Federation(deal(frame, [200, 100]))
    leap = fl.FedAvg(local_steps=1, batch_size=None, learning_rate=rate)
    far = fed.train(fl.LogisticRegression(), strategy=leap)
    far.step()
    run = far.fork(strategy=fl.FedNewton())
    run.run(40, progress=False)
    lengths = [float(done.state.carried["length"]) for done in run.rounds[1:]]
    assert min(lengths) < 1
    losses = run.history["train_loss"]
    assert losses.iloc[-1] == pytest.approx(losses.min(), rel=1e-12)
    assert_equal(run, [pooled_numbers(frame, 1.0)])


def pooled_numbers(frame: pd.DataFrame, C: float) -> Any:
    """scikit-learn on scaled numbers alone."""
    x = StandardScaler().fit_transform(frame.drop(columns="died"))
    solver = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-13, max_iter=500)
    return solver.fit(x, frame["died"])


@pytest.mark.parametrize("shift", [0.0, 1e6, -1e9])
def test_means_and_variances_do_not_cancel_far_from_zero(shift: float) -> None:
    frame = numeric(300, seed=6)
    frame["lab"] = np.round(frame["lab"], 2) + shift
    frame["constant"] = 0.1
    sites = deal(frame, [200, 60, 40], ranges={})
    fed, run = newton(sites)
    scaler = StandardScaler().fit(rows_of(sites)[list(fed.schema.names)])
    space = run.problem.space
    np.testing.assert_allclose(space.scaling["scale"], scaler.scale_, rtol=1e-9)
    np.testing.assert_allclose(space.scaling["mean"], scaler.mean_, rtol=1e-12)
    # The last bit of a mean near 1e9 is 1e-7 standard deviations, at any site and in any library.
    exact = 1e-8 + 4 * np.spacing(abs(shift))
    oracle = pooled_numbers(rows_of(sites)[[*fed.schema.names, "died"]], 1.0)
    np.testing.assert_allclose(
        run.state.parameters.vector, [*oracle.coef_[0], *oracle.intercept_], rtol=0, atol=exact
    )


def test_columns_in_another_order_at_each_site_are_matched_by_name() -> None:
    frame = table(300, seed=8)
    straight = newton(deal(frame, [100, 200]))[1]
    turned = frame[["died", "ward", "smoker", "lab", "age"]]
    sites = [deal(frame, [100, 200])[0], deal(turned, [100, 200])[1]]
    assert newton(sites)[1].state == straight.state


def test_only_categories_or_only_numbers_are_enough() -> None:
    frame = table(200, seed=9)
    for names in (["ward", "died"], ["age", "died"]):
        _fed, run = newton(deal(frame[names], [150, 50], ranges={}))
        assert run.model.predict_proba(frame[names]).shape == (200, 2)
        assert np.isfinite(run.state.parameters.vector).all()
