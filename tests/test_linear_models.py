"""Linear models of a federation are scikit-learn's on the pooled rows, in every coefficient."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from sklearn import linear_model as sk
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.metrics import d2_tweedie_score, mean_poisson_deviance, mean_squared_error, r2_score

import fedlab as fl
from fedlab.core.lasso import absolute_minimum
from fedlab.core.linear import Linear
from fedlab.core.logistic import LogisticRegression
from fedlab.core.parameters import Array, Parameters
from fedlab.core.poisson import PoissonRegression
from fedlab.core.regression import LinearRegression, Ridge
from fedlab.core.space import Space, targets
from fedlab.core.support_vector import SVC
from fedlab.core.wire import decode, encode
from fedlab.errors import RefusedError, TrainingError
from fedlab.queries import NewtonStep
from fedlab.training import Training
from tests.builders import bits, deal, rows_of, table

INFINITE = math.inf
LOADERS = {
    "breast": load_breast_cancer,
    "diabetes": load_diabetes,
    "iris": load_iris,
    "digits": load_digits,
}


def frame_of(name: str) -> pd.DataFrame:
    """A table of scikit-learn; several classes as text, since numbers are numbers here."""
    data = LOADERS[name]()
    frame = pd.DataFrame(data.data, columns=[f"c{i:02}" for i in range(data.data.shape[1])])
    several = name in ("iris", "digits")
    return frame.assign(y=[f"class {v}" for v in data.target] if several else data.target)


def counts() -> pd.DataFrame:
    """Diabetes' features with a count that follows from them."""
    frame = frame_of("diabetes")
    z = frame.drop(columns="y") / frame.drop(columns="y").std()
    rate = np.exp(1 + 0.4 * z["c02"] - 0.3 * z["c03"])
    return frame.assign(y=np.random.default_rng(0).poisson(rate))


def noisy_iris() -> pd.DataFrame:
    """Iris with some labels at random, so that a fit without a penalty is finite."""
    random, frame = np.random.default_rng(0), frame_of("iris")
    other = pd.Series(random.choice(frame["y"].unique(), len(frame)))
    return frame.assign(y=frame["y"].where(random.random(len(frame)) > 0.4, other))


def sites_of(frame: pd.DataFrame, shares: Sequence[float], **options: Any) -> list[fl.Site]:
    """Sites by shares of the rows; sorted by target when there are as many as six."""
    if len(shares) == 6:
        frame = frame.sort_values("y", ignore_index=True)
    else:
        frame = frame.sample(frac=1, random_state=1, ignore_index=True)
    if frame["y"].dtype.kind not in "if":
        frame = frame.assign(y=frame["y"].astype("category"))
    ends = np.round(np.cumsum(shares) / np.sum(shares) * len(frame)).astype(int)
    return deal(frame, np.diff(ends, prepend=0).tolist(), target="y", ranges={}, **options)


SHARES: list[list[float]] = [[1], [5, 1, 3, 0.3], [1, 1, 1, 1, 1, 1]]
NAMES = ["one site", "four unequal", "six sorted by target"]
each_deal = pytest.mark.parametrize("shares", SHARES, ids=NAMES)


def newton(sites: Sequence[fl.Site], model: Linear, rounds: int = 15) -> Training:
    run = fl.Federation(sites).train(model, evaluate=False)
    run.run(rounds, progress=False)
    return run


def pooled(run: Training, sites: Sequence[fl.Site]) -> tuple[Array, Any]:
    """Matrix and target of all rows, the classes by name."""
    frame = rows_of(sites)
    return run.problem.space.matrix(frame), frame["y"].to_numpy()


def assert_equal(run: Training, oracle: Any, within: float = 1e-8) -> None:
    found = run.state.parameters
    for name in ("coef", "intercept"):
        theirs = np.asarray(getattr(oracle, f"{name}_")).reshape(found[name].shape)
        np.testing.assert_allclose(found[name], theirs, rtol=within, atol=within)


def logistic(C: float, **options: Any) -> Any:
    return sk.LogisticRegression(C=C, solver="newton-cholesky", tol=1e-14, max_iter=500, **options)


@each_deal
@pytest.mark.parametrize("C", [0.1, 1.0, 100.0])
def test_softmax_coefficients_are_those_of_the_pooled_fit(shares: list[float], C: float) -> None:
    sites = sites_of(frame_of("iris"), shares)
    run = newton(sites, LogisticRegression(C=C), 25)
    assert_equal(run, logistic(C).fit(*pooled(run, sites)))
    np.testing.assert_allclose(run.state.parameters["coef"].sum(axis=0), 0, atol=1e-10)


@each_deal
def test_softmax_without_a_penalty_is_the_symmetric_pooled_fit(shares: list[float]) -> None:
    sites = sites_of(noisy_iris(), shares)
    run = newton(sites, LogisticRegression(C=INFINITE))
    assert_equal(run, logistic(np.inf).fit(*pooled(run, sites)))


def test_ten_classes_of_digits_are_the_pooled_fit() -> None:
    sites = sites_of(frame_of("digits").iloc[:600, 32:], SHARES[1])
    run = newton(sites, LogisticRegression(C=0.1), 9)
    assert_equal(run, logistic(0.1).fit(*pooled(run, sites)))
    rows = rows_of(sites).drop(columns="y")
    eta = pooled(run, sites)[0] @ run.model[-1].coef_.T + run.model[-1].intercept_
    odds = np.exp(eta - eta.max(axis=1, keepdims=True))
    np.testing.assert_allclose(
        run.model.predict_proba(rows), odds / odds.sum(axis=1, keepdims=True), atol=1e-12
    )


@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
@pytest.mark.parametrize(("data", "C"), [("breast", 0.1), ("breast", 0.5), ("iris", 0.3)])
def test_elastic_net_is_the_pooled_fit_of_saga(data: str, C: float, l1_ratio: float) -> None:
    sites = sites_of(frame_of(data), SHARES[1])
    run = newton(sites, LogisticRegression(C=C, l1_ratio=l1_ratio))
    oracle = sk.LogisticRegression(
        C=C, l1_ratio=l1_ratio, solver="saga", tol=1e-12, max_iter=100_000
    )
    oracle.fit(*pooled(run, sites))
    assert_equal(run, oracle, within=1e-6)
    assert (np.atleast_2d(run.state.parameters["coef"]) == 0).sum() == (oracle.coef_ == 0).sum() > 0
    assert run.model[-1].l1_ratio == l1_ratio


@each_deal
def test_least_squares_is_the_pooled_fit_in_two_rounds(shares: list[float]) -> None:
    sites = sites_of(frame_of("diabetes"), shares)
    for model, oracle in (
        (LinearRegression(), sk.LinearRegression()),
        (Ridge(alpha=3.0), sk.Ridge(alpha=3.0, solver="cholesky")),
    ):
        run = newton(sites, model, 2)
        assert_equal(run, oracle.fit(*pooled(run, sites)))
        rows = rows_of(sites).drop(columns="y")
        theirs = oracle.predict(run.problem.space.matrix(rows))
        np.testing.assert_allclose(run.model.predict(rows), theirs, rtol=1e-10)


def test_collinear_indicators_get_the_shortest_coefficients_as_in_scikit_learn() -> None:
    frame = table(200, seed=8).drop(columns="died").rename(columns={"age": "y"})
    sites = sites_of(frame.fillna({"ward": "north"}), SHARES[1])
    run = newton(sites, LinearRegression(), 2)
    assert_equal(run, sk.LinearRegression().fit(*pooled(run, sites)))


@each_deal
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_poisson_is_the_pooled_fit(shares: list[float], alpha: float) -> None:
    sites = sites_of(counts(), shares)
    run = newton(sites, PoissonRegression(alpha=alpha))
    oracle = sk.PoissonRegressor(alpha=alpha, solver="newton-cholesky", tol=1e-13, max_iter=200)
    x, y = pooled(run, sites)
    assert_equal(run, oracle.fit(x, y))
    rows = rows_of(sites).drop(columns="y")
    np.testing.assert_allclose(run.model.predict(rows), oracle.predict(x), rtol=1e-9)


@pytest.mark.parametrize("rate", [0.01, 1.0, 150.0, 1e4])
def test_poisson_reaches_its_fit_from_a_rate_that_is_far_off(rate: float) -> None:
    sites = sites_of(frame_of("diabetes"), SHARES[1])
    run = newton(sites, PoissonRegression(rate=rate), 35)
    oracle = sk.PoissonRegressor(alpha=0, solver="newton-cholesky", tol=1e-13, max_iter=200)
    assert_equal(run, oracle.fit(*pooled(run, sites)))


def test_figures_of_merit_are_those_of_scikit_learn_on_all_held_out_rows() -> None:
    frames: list[tuple[Linear, pd.DataFrame]] = [
        (LinearRegression(), frame_of("diabetes")),
        (PoissonRegression(), counts()),
    ]
    for model, frame in frames:
        sites = sites_of(frame, SHARES[1], test_size=0.25)
        run = fl.Federation(sites).train(model)
        run.run(12, progress=False)
        held_out = rows_of(sites, "test")
        y, p = held_out["y"], run.model.predict(held_out.drop(columns="y"))
        found = run.history.iloc[-1]
        if isinstance(model, LinearRegression):
            expected = mean_squared_error(y, p), r2_score(y, p)
        else:
            expected = mean_poisson_deviance(y, p), d2_tweedie_score(y, p, power=1)
        np.testing.assert_allclose(
            [found["held_out_loss"], found[f"held_out_{model.score}"]], expected, rtol=1e-9
        )
        judged = run.evaluate().frame.loc["(all sites)"]
        np.testing.assert_allclose([judged[model.loss], judged[model.score]], expected, rtol=1e-9)


def test_a_constant_target_has_no_share_of_spread_to_explain() -> None:
    x, y = np.zeros((5, 1)), np.full(5, 3.1)
    for model in (LinearRegression(), PoissonRegression()):
        sums = model.sums(Parameters({"coef": [0.0], "intercept": 1.0}), x, y)
        assert math.isnan(model.figures(sums, 5)[model.score])


def test_classes_declared_in_another_order_keep_their_names() -> None:
    frame = frame_of("iris")
    classes = ["class 2", "class 0", "class 1"]
    for keep in (classes, classes[:2]):
        kept = frame[frame["y"].isin(keep)]
        data = kept.assign(y=pd.Categorical(kept["y"], categories=keep))
        for model in (LogisticRegression(), SVC(kernel="linear")):
            run = fl.Federation([fl.Site("a", data, target="y")]).train(model, evaluate=False)
            run.run(12, progress=False)
            assert list(run.model.classes_) == sorted(keep)
            assert run.model.score(kept.drop(columns="y"), kept["y"]) > 0.9


MODELS: list[Linear] = [
    LogisticRegression(C=2.0),
    LinearRegression(),
    Ridge(alpha=2.0),
    PoissonRegression(alpha=0.1, rate=3.0),
    SVC(kernel="linear"),
    SVC(kernel="rbf", n_components=6, gamma=0.2, seed=3),
]
SEVERAL: list[Linear] = [MODELS[0], MODELS[4], MODELS[5]]
BOTH = [(model, 2) for model in MODELS] + [(model, 3) for model in SEVERAL]
each_model = pytest.mark.parametrize(
    ("model", "n_classes"), BOTH, ids=[f"{type(m).__name__} {k}" for m, k in BOTH]
)


def rows_for(model: Linear, n_classes: int, seed: int, n_rows: int = 40) -> list[fl.Site]:
    """Two sites of made-up rows that suit the model."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(n_rows, 3)), columns=["a", "b", "c"])
    score = frame["a"] - frame["b"] + random.normal(size=n_rows)
    if model.reads == "classes":
        levels = [f"class {k}" for k in range(n_classes)]
        y: Any = pd.Categorical.from_codes(
            pd.qcut(score, n_classes, labels=False), categories=pd.Index(levels)
        )
    elif isinstance(model, PoissonRegression):
        y = random.poisson(np.exp(1 + 0.5 * score.clip(-2, 2)))
    else:
        y = 3 + score
    return deal(frame.assign(y=y), [n_rows // 4, n_rows - n_rows // 4], target="y", ranges={})


def start_of(model: Linear, sites: Sequence[fl.Site]) -> tuple[Space, Array, Any]:
    space = fl.Federation(sites).train(model, evaluate=False).problem.space
    frame = rows_of(sites)
    return space, space.matrix(frame), targets(frame["y"], space.schema, model.reads)


@each_model
@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_gradients_and_hessians_are_those_of_numerical_differentiation(
    model: Linear, n_classes: int, seed: int
) -> None:
    space, x, y = start_of(model, rows_for(model, n_classes, 1))
    start = model.init(space)
    at = start.like(np.random.default_rng(seed).normal(0, 0.4, start.vector.size))
    gradient = model.gradient(at, x, y).vector

    def loss(v: Array) -> float:
        return float(model.losses(start.like(v), x, y).sum())

    def slope(v: Array) -> Array:
        return model.gradient(start.like(v), x, y).vector

    numeric = approx_fprime(at.vector, loss, 1e-7)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(model.row_gradients(at, x, y).sum(axis=0), gradient, atol=1e-10)
    margin = model.predictors(at, x)
    if isinstance(model, SVC) and np.abs(np.abs(margin) - 1).min() < 1e-5:
        return  # the hinge's curvature jumps there
    hessian = model.hessian(at, x, y)
    np.testing.assert_allclose(hessian, approx_fprime(at.vector, slope, 1e-7), atol=2e-3, rtol=1e-3)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-12, rtol=1e-12)
    summed, same, curvature = model.expansion(at, x, y)
    assert summed == pytest.approx(loss(at.vector))
    np.testing.assert_array_equal(same.vector, gradient)
    assert curvature.shape == model.curvature_shape(at)


@each_model
def test_one_step_of_averaging_on_all_rows_is_the_pooled_gradient_step(
    model: Linear, n_classes: int
) -> None:
    sites = rows_for(model, n_classes, 2)
    strategy = fl.FedAvg(local_steps=1, batch_size=None, learning_rate=0.05)
    run = fl.Federation(sites).train(model, strategy=strategy, evaluate=False)
    before = run.state.parameters
    run.step()
    _, x, y = start_of(model, sites)
    squared, _ = model.penalties(len(y))
    pull = model.gradient(before, x, y) + squared * model.penalised(before)
    expected = before - (0.05 / len(y)) * pull
    np.testing.assert_allclose(run.state.parameters.vector, expected.vector, atol=1e-12)


@each_model
def test_averaging_with_default_settings_learns(model: Linear, n_classes: int) -> None:
    sites = rows_for(model, n_classes, 3, n_rows=200)
    averaged = fl.Federation(sites).train(model, strategy=fl.FedAvg())
    averaged.run(25, progress=False)
    exact = fl.Federation(sites).train(model)
    exact.run(12, progress=False)
    losses, best = averaged.history["train_loss"], exact.history["train_loss"].iloc[-1]
    left = (losses.iloc[-1] - best) / (losses.iloc[0] - best)
    assert left < 0.2


@each_model
def test_newton_does_not_depend_on_the_order_of_sites(model: Linear, n_classes: int) -> None:
    sites = rows_for(model, n_classes, 4)
    one, other = newton(sites, model, 4), newton(sites[::-1], model, 4)
    assert bits(one.state.parameters) == bits(other.state.parameters)


@each_model
def test_newton_ends_where_the_gradient_of_the_objective_is_zero(
    model: Linear, n_classes: int
) -> None:
    sites = rows_for(model, n_classes, 5)
    run = newton(sites, model, 20)
    _, x, y = start_of(model, sites)
    squared, _ = model.penalties(len(y))
    at = run.state.parameters
    pull = model.gradient(at, x, y) + squared * model.penalised(at)
    assert np.abs(pull.vector).max() < 1e-9


@each_model
def test_models_travel(model: Linear, n_classes: int) -> None:
    space, *_ = start_of(model, rows_for(model, n_classes, 6))
    query = NewtonStep(model=model, space=space, parameters=model.init(space))
    assert decode(encode(query), NewtonStep) == query


@given(
    seed=st.integers(0, 10_000),
    strength=st.floats(0.01, 5.0),
    n_penalised=st.integers(1, 6),
    rank=st.integers(1, 8),
)
def test_the_penalised_quadratic_is_solved_to_its_optimality_conditions(
    seed: int, strength: float, n_penalised: int, rank: int
) -> None:
    random, size = np.random.default_rng(seed), 7
    root = random.normal(size=(rank + 2, size))
    hessian, at = root.T @ root, random.normal(size=size)
    gradient = root.T @ random.normal(size=rank + 2)
    penalised = np.arange(size) < n_penalised
    moved = at + absolute_minimum(at, gradient, hessian, penalised, strength)
    slope = gradient + hessian @ (moved - at)
    scale = 1 + np.abs(gradient).max() + np.abs(hessian).max()
    assert np.abs(slope[~penalised]).max(initial=0) < 1e-5 * scale
    there = penalised & (moved != 0)
    assert np.abs(slope[there] + strength * np.sign(moved[there])).max(initial=0) < 1e-5 * scale
    assert (np.abs(slope[penalised & (moved == 0)]) <= strength + 1e-5 * scale).all()


@pytest.mark.parametrize("model", [LogisticRegression(), SVC()])
def test_classifiers_need_classes(model: Any) -> None:
    frame = frame_of("diabetes")
    with pytest.raises(TrainingError, match="two or more classes"):
        fl.Federation([fl.Site("a", frame, target="y")]).train(model)


@pytest.mark.parametrize("model", [LinearRegression(), Ridge(), PoissonRegression()])
def test_regressors_need_numbers_and_take_whole_ones(model: Any) -> None:
    frame = table(60, seed=1)
    for target in (frame["died"] == 1, frame["died"].map({0: "no", 1: "yes"}).astype("category")):
        with pytest.raises(TrainingError, match="needs a target of numbers"):
            fl.Federation([fl.Site("a", frame.assign(died=target), target="died")]).train(model)
    run = fl.Federation([fl.Site("a", frame, target="died")]).train(model)
    assert math.isfinite(run.step().after["a"].sums["loss"])


@pytest.mark.parametrize("strategy", [fl.FedNewton(), fl.FedAvg()])
def test_negative_counts_are_refused_at_the_site_without_telling_them(strategy: Any) -> None:
    frame = frame_of("diabetes").assign(y=lambda f: f["y"] - 31.5)
    sites = sites_of(frame, SHARES[1])
    run = fl.Federation(sites).train(PoissonRegression(), strategy=strategy)
    with pytest.raises(RefusedError, match="NegativeCountsError") as caught:
        run.step()
    assert caught.value.code == "failed"
    assert caught.value.site is not None
    assert not any(str(value) in str(caught.value) for value in frame["y"])


def test_gradient_steps_refuse_an_absolute_penalty() -> None:
    sites = sites_of(frame_of("breast"), SHARES[1])
    run = fl.Federation(sites).train(
        LogisticRegression(l1_ratio=0.5), strategy=fl.FedAvg(), evaluate=False
    )
    with pytest.raises(TrainingError, match="smooth"):
        run.step()


@pytest.mark.parametrize(
    "make",
    [
        lambda: LogisticRegression(C=0.0),
        lambda: LogisticRegression(C=math.nan),
        lambda: LogisticRegression(l1_ratio=1.5),
        lambda: LogisticRegression(l1_ratio=math.nan),
        lambda: Ridge(alpha=-1.0),
        lambda: Ridge(alpha=math.inf),
        lambda: PoissonRegression(alpha=math.nan),
        lambda: PoissonRegression(rate=0.0),
    ],
)
def test_arguments_out_of_range_are_told(make: Any) -> None:
    with pytest.raises(TrainingError, match=r"Pass e\.g\."):
        make()


def test_two_classes_are_computed_by_the_formulas_they_always_were() -> None:
    _, x, y = start_of(LogisticRegression(), rows_for(LogisticRegression(), 2, 9))
    at = Parameters({"coef": [0.3, -0.2, 0.1], "intercept": 0.05})
    model = LogisticRegression()
    probability = model.scores(at, x)[:, 1]
    design = np.hstack([x, np.ones((len(x), 1))])
    hessian = (design * (probability * (1 - probability))[:, None]).T @ design
    assert model.hessian(at, x, y).tobytes() == hessian.tobytes()
    assert model.gradient(at, x, y)["coef"].tobytes() == ((probability - y) @ x).tobytes()


def test_an_unconverged_inner_solver_warns_nobody() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sites = sites_of(frame_of("digits").iloc[:300, 20:], SHARES[0])
        newton(sites, LogisticRegression(C=50.0, l1_ratio=0.9), 2)
