"""Support vector classifiers: LinearSVC on the pooled rows, and close to SVC with its kernel."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import svm
from sklearn.datasets import load_breast_cancer, load_iris, make_moons
from sklearn.kernel_approximation import RBFSampler
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import fedlab as fl
from fedlab.core.support_vector import SVC
from fedlab.errors import TrainingError
from fedlab.queries.query import Split
from fedlab.training import Training
from tests.builders import bits, deal, rows_of

# Random features are many, and a site agrees to them by its policy.
WIDE = fl.Policy(parameters_ratio=30.0)


def breast() -> pd.DataFrame:
    data = load_breast_cancer()
    return pd.DataFrame(data.data).rename(columns=str).assign(y=data.target)


def iris() -> pd.DataFrame:
    data = load_iris()
    names = pd.Series(data.target_names[data.target]).astype("category")
    return pd.DataFrame(data.data).rename(columns=str).assign(y=names)


def moons() -> pd.DataFrame:
    x, y = make_moons(1000, noise=0.25, random_state=0)
    return pd.DataFrame(x, columns=["a", "b"]).assign(y=y)


def dealt(frame: pd.DataFrame, sizes: Sequence[int], **options: Any) -> list[fl.Site]:
    return deal(frame, sizes, target="y", ranges={}, **options)


def trained(sites: Sequence[fl.Site], model: SVC, rounds: int = 20) -> Training:
    run = fl.Federation(sites).train(model, evaluate=False)
    run.run(rounds, progress=False)
    return run


def pooled(run: Training, sites: Sequence[fl.Site], split: Split = "train") -> tuple[Any, Any]:
    frame = rows_of(sites, split)
    target = run.problem.space.schema.target
    return run.problem.space.matrix(frame), frame[target].to_numpy()


def assert_equal(run: Training, oracle: LinearSVC) -> None:
    for name in ("coef", "intercept"):
        found = run.state.parameters[name]
        theirs = getattr(oracle, f"{name}_").reshape(found.shape)
        np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("C", [0.05, 1.0])
@pytest.mark.parametrize("make", [breast, iris])
@pytest.mark.parametrize("kind", ["one site", "unequal", "sorted by target"])
def test_the_linear_kernel_is_the_pooled_linear_svc(kind: str, make: Any, C: float) -> None:
    frame = make()
    if kind == "sorted by target":
        frame = frame.sort_values("y", ignore_index=True)
    n = len(frame)
    sizes = {"one site": [n], "unequal": [n // 2, n - n // 2 - 5, 5]}.get(
        kind, [n // 6] * 5 + [n - 5 * (n // 6)]
    )
    sites = dealt(frame, sizes)
    run = trained(sites, SVC(kernel="linear", C=C))
    x, y = pooled(run, sites)
    # liblinear stops where its gradient is down by tol; it knows no last digit.
    oracle = LinearSVC(C=C, dual=False, tol=1e-11, max_iter=100_000).fit(x, y)
    assert_equal(run, oracle)
    rows = rows_of(sites).drop(columns="y")
    assert (run.model.predict(rows) == oracle.predict(x)).all()
    decision = run.model.decision_function(rows)
    np.testing.assert_allclose(decision, oracle.decision_function(x), atol=1e-5)


def test_the_rbf_kernel_is_the_pooled_linear_svc_of_scikit_learns_features() -> None:
    frame = breast()
    sites = dealt(frame, [300, 200, 69])
    run = trained(sites, SVC(n_components=80, gamma=0.05, seed=11, C=0.7))
    sampler = RBFSampler(gamma=0.05, n_components=80, random_state=11)
    oracle = make_pipeline(sampler, LinearSVC(C=0.7, dual=False, tol=1e-11, max_iter=100_000))
    x, y = pooled(run, sites)
    assert_equal(run, oracle.fit(x, y)[-1])
    rows = rows_of(sites).drop(columns="y")
    ours = run.model.decision_function(rows)
    np.testing.assert_allclose(ours, oracle.decision_function(x), atol=1e-5)
    margins = run.problem.differentiable.losses(run.state.parameters, x, y)
    signs = np.where(y == 1, 1, -1)
    np.testing.assert_allclose(margins, np.maximum(0, 1 - signs * ours) ** 2, atol=1e-10)


def splits(name: str, seed: int) -> list[fl.Site]:
    if name == "opt":
        return [
            fl.Site(f"s{i}", rows, target="birth", seed=seed, policy=WIDE)
            for i, rows in enumerate(opt_rows())
        ]
    frame = {"breast": breast, "moons": moons}[name]()
    return fl.partition(frame, 5, target="y", skew=1.0, seed=seed, minimum_rows=20, policy=WIDE)


def opt_rows() -> list[pd.DataFrame]:
    sites = fl.datasets.opt()
    target = sites[0].schema.target
    return [
        pd.concat([rows_of([s], "train"), rows_of([s], "test")], ignore_index=True).rename(
            columns={target: "birth"}
        )
        for s in sites
    ]


@pytest.mark.parametrize("name", ["breast", "moons", "opt"])
def test_random_features_come_within_a_point_of_the_exact_kernel(name: str) -> None:
    ours, exact = [], []
    for seed in range(4):
        sites = splits(name, seed)
        run = trained(sites, SVC(), 9)
        x, y = pooled(run, sites)
        held_out, truth = pooled(run, sites, "test")
        oracle = svm.SVC(kernel="rbf", gamma=1 / x.shape[1]).fit(x, y)
        exact.append(oracle.score(held_out, truth))
        judged = run.problem.model.sums(run.state.parameters, held_out, np.asarray(truth))
        ours.append(judged["correct"] / len(truth))
    assert np.mean(ours) > np.mean(exact) - 0.01


def test_a_nonlinear_shape_needs_the_rbf_kernel() -> None:
    sites = fl.partition(moons(), 5, target="y", skew=0.5, seed=1, policy=WIDE)
    accuracy = {
        kernel: trained(sites, SVC(kernel=kernel), 9).evaluate().frame["accuracy"].iloc[-1]
        for kernel in ("linear", "rbf")
    }
    assert accuracy["rbf"] > 0.91 > accuracy["linear"] + 0.02


def test_gamma_scale_is_one_over_the_columns() -> None:
    sites = dealt(iris(), [100, 50])
    scale = trained(sites, SVC(n_components=20), 5)
    number = trained(sites, SVC(n_components=20, gamma=0.25), 5)
    assert bits(scale.state.parameters) == bits(number.state.parameters)


def test_features_come_from_the_seed_alone() -> None:
    sites = dealt(moons(), [600, 400])
    one, again = (trained(sites, SVC(seed=4, n_components=30), 3) for _ in range(2))
    other = trained(sites, SVC(seed=5, n_components=30), 3)
    assert bits(one.state.parameters) == bits(again.state.parameters)
    assert bits(one.state.parameters) != bits(other.state.parameters)


def test_several_classes_send_blocks_and_not_the_whole_hessian() -> None:
    sites = dealt(iris(), [100, 50])
    run = trained(sites, SVC(n_components=50), 1)
    blocks = 3 * 51 * 51 * 8
    assert all(blocks < size < 1.1 * blocks for size in run.rounds[-1].sizes.values())


@pytest.mark.parametrize(
    "options",
    [
        {"C": 0.0},
        {"C": math.inf},
        {"kernel": "poly"},
        {"gamma": "auto"},
        {"gamma": -1.0},
        {"gamma": math.nan},
        {"n_components": 0},
        {"n_components": 2.5},
        {"seed": -1},
        {"seed": True},
    ],
)
def test_arguments_out_of_range_are_told(options: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match=r"Pass e\.g\."):
        SVC(**options)
