"""Federated averaging against gradient descent written out by hand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import fedlab as fl
from fedlab.core.parameters import Array
from fedlab.core.seeds import generator
from tests.builders import OPEN, deal, design, numeric, rows_of, table


def gradient(x: Array, y: Array, w: Array, strength: float) -> Array:
    """Mean gradient of the loss, intercept last, plus the penalty's on the coefficients."""
    residual = 1 / (1 + np.exp(-(x @ w[:-1] + w[-1]))) - y
    return np.append(residual @ x / len(y) + strength * w[:-1], residual.mean())


@pytest.mark.parametrize("sizes", [[240], [120, 80, 30, 10], [1] * 10 + [230]])
@pytest.mark.parametrize("C", [0.05, 1.0, float("inf")])
def test_one_full_batch_local_step_is_one_step_of_pooled_gradient_descent(
    sizes: list[int], C: float
) -> None:
    frame = table(240, seed=11)
    frame.iloc[:10] = frame.iloc[:10].fillna({"lab": 0.5, "ward": "west"})
    sites = deal(frame, sizes)
    fed = fl.Federation(sites)
    once = fl.FedAvg(local_steps=1, batch_size=None, learning_rate=0.4)
    run = fed.train(fl.LogisticRegression(C=C), strategy=once, evaluate=False)
    x, y = design(run.problem.space, frame)
    w = np.zeros(x.shape[1] + 1)
    for _ in range(6):
        run.step()
        w = w - 0.4 * gradient(x, y, w, 1 / (C * 240))
        np.testing.assert_allclose(run.state.parameters.vector, w, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("weighting", "coef", "intercept"), [("rows", 1 / 3, 1 / 6), ("equal", 0.375, 0.125)]
)
def test_two_sites_worked_by_hand(weighting: Any, coef: float, intercept: float) -> None:
    # Site a: gradient at zero (-1/2, 0). Site b: (-1/4, -1/4). Mean of x 0, variance 1.
    a = pd.DataFrame({"x": [1.0, -1.0], "died": [1, 0]})
    b = pd.DataFrame({"x": [1.0, -1.0, 1.0, -1.0], "died": [1, 1, 1, 0]})
    sites = [
        fl.Site(name, frame, target="died", test_size=0, policy=OPEN)
        for name, frame in (("a", a), ("b", b))
    ]
    strategy = fl.FedAvg(local_steps=1, batch_size=None, learning_rate=1.0, weighting=weighting)
    run = fl.Federation(sites).train(fl.LogisticRegression(), strategy=strategy)
    done = run.step()
    assert run.state.parameters["coef"][0] == pytest.approx(coef, abs=1e-15)
    assert float(run.state.parameters["intercept"]) == pytest.approx(intercept, abs=1e-15)
    assert done.norms == {"a": pytest.approx(0.5), "b": pytest.approx(0.125**0.5)}
    assert done.rows == {"a": 2, "b": 4}


@pytest.mark.parametrize(("epochs", "steps"), [(1, None), (3, None), (1, 7)])
def test_batches_are_those_of_the_seed_round_and_site(epochs: int, steps: int | None) -> None:
    frame = numeric(53, seed=12)
    (site,) = deal(frame, [53])
    fed = fl.Federation([site], seed=5)
    strategy = fl.FedAvg(local_epochs=epochs, local_steps=steps, batch_size=10, learning_rate=0.3)
    run = fed.train(fl.LogisticRegression(), strategy=strategy, evaluate=False)
    x, y = design(run.problem.space, frame)
    w = np.zeros(x.shape[1] + 1)
    for number in (1, 2):
        random = generator(5, number, "s00", "batches")
        batches: list[Any] = []
        while len(batches) < (steps or 6 * epochs):
            order = random.permutation(53)
            batches += [order[i : i + 10] for i in range(0, 53, 10)]
        for batch in batches[: steps or 6 * epochs]:
            w = w - 0.3 * gradient(x[batch], y[batch], w, 1 / 53)
        run.step()
        np.testing.assert_allclose(run.state.parameters.vector, w, rtol=0, atol=1e-12)


def test_another_seed_gives_another_order_of_batches() -> None:
    sites = deal(numeric(60), [40, 20])

    def after(seed: int) -> Array:
        run = fl.Federation(sites, seed=seed).train(
            fl.LogisticRegression(), strategy=fl.FedAvg(batch_size=8), evaluate=False
        )
        run.step()
        return run.state.parameters.vector

    assert (after(1) == after(1)).all()
    assert not (after(1) == after(2)).all()


@pytest.mark.parametrize(("fraction", "taking_part"), [(0.01, 1), (0.5, 5), (0.34, 3), (1.0, 10)])
def test_a_fraction_of_sites_is_drawn_anew_each_round(fraction: float, taking_part: int) -> None:
    sites = deal(numeric(200), [20] * 10)
    strategy = fl.FedAvg(site_fraction=fraction)
    runs = [
        fl.Federation(sites, seed=seed).train(
            fl.LogisticRegression(), strategy=strategy, evaluate=False
        )
        for seed in (3, 3, 4)
    ]
    drawn = [[tuple(sorted(run.step().answers)) for _ in range(30)] for run in runs]
    assert {len(names) for names in drawn[0]} == {taking_part}
    assert drawn[0] == drawn[1]
    if taking_part < 10:
        assert drawn[0] != drawn[2]
        counts = Counter(name for names in drawn[0] + drawn[2] for name in names)
        assert len(set(drawn[0])) > 3
        if taking_part > 1:
            assert len(counts) == 10


def test_only_the_sites_that_were_drawn_weigh_in() -> None:
    frame = numeric(90, seed=13)
    sites = deal(frame, [50, 30, 10])
    fed = fl.Federation(sites, seed=1)
    strategy = fl.FedAvg(local_steps=1, batch_size=None, learning_rate=1.0, site_fraction=0.67)
    run = fed.train(fl.LogisticRegression(C=float("inf")), strategy=strategy, evaluate=False)
    done = run.step()
    assert len(done.answers) == 2
    chosen = rows_of([site for site in sites if site.name in done.answers])
    x, y = design(run.problem.space, chosen)
    np.testing.assert_allclose(
        run.state.parameters.vector, -gradient(x, y, np.zeros(4), 0), rtol=0, atol=1e-12
    )


def accuracy_of_pooled_fit(sites: list[fl.Site]) -> float:
    """Accuracy of scikit-learn on the pooled training rows, judged on the pooled held-out rows."""
    train, test = rows_of(sites), rows_of(sites, "test")
    target = sites[0].schema.target
    both = pd.get_dummies(pd.concat([train, test]).drop(columns=target), dtype=float)
    mean, scale = both.iloc[: len(train)].mean(), both.iloc[: len(train)].std(ddof=0)
    x = ((both - mean) / scale.where(scale > 0, 1)).to_numpy()
    pipe = make_pipeline(SimpleImputer(strategy="constant", fill_value=0), LogisticRegression())
    pipe.fit(x[: len(train)], train[target])
    return float(pipe.score(x[len(train) :], test[target]))


@pytest.mark.parametrize("loader", ["opt", "indo", "breast_cancer"])
def test_defaults_come_near_the_pooled_fit_in_thirty_rounds(loader: str) -> None:
    sites = getattr(fl.datasets, loader)(policy=OPEN)
    run = fl.Federation(sites, seed=7).train(fl.LogisticRegression(), strategy=fl.FedAvg())
    run.run(30, progress=False)
    history = run.history
    assert history["held_out_accuracy"].iloc[-1] > accuracy_of_pooled_fit(sites) - 0.02
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]


@pytest.mark.parametrize("C", [1e-4, 1e-2, 1.0])
def test_the_default_step_converges_whatever_the_penalty(C: float) -> None:
    fed = fl.Federation(deal(numeric(100), [60, 40]))
    exact = fed.train(fl.LogisticRegression(C=C), strategy=fl.FedNewton())
    exact.run(10, progress=False)
    run = fed.train(fl.LogisticRegression(C=C), strategy=fl.FedAvg())
    run.run(40, progress=False)
    best = exact.history["train_loss"].iloc[-1]
    assert run.history["train_loss"].iloc[-1] < best + 0.02
