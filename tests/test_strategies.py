"""Strategies against values worked by hand from their papers, and against each other's limits."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fedlab as fl
from fedlab.core.parameters import Array, Parameters
from fedlab.core.regression import LinearRegression
from fedlab.errors import TrainingError
from fedlab.queries import Update
from fedlab.strategies import (
    SCAFFOLD,
    Averaging,
    Ditto,
    FedAdagrad,
    FedAdam,
    FedAvg,
    FedAvgM,
    FedNova,
    FedProx,
    FedSGD,
    FedYogi,
    FineTuning,
    Median,
    State,
    Strategy,
)
from fedlab.training import Training
from tests.builders import OPEN, bits, deal, numeric, table

MODEL = fl.LogisticRegression()
HALVES: dict[str, Any] = {"learning_rate": 0.5, "local_steps": 2, "batch_size": None}
BEST = {"a": np.array([1.0, 1.0]), "b": np.array([4.0, -2.0])}
POOLED = np.array([3.0, -1.0])


def lines() -> list[fl.Site]:
    """Two sites whose mean loss is half the squared distance to their entry of `BEST`.

    With x of mean 0 and variance 1 at either site its gradient is ``w - best``, so that two steps
    of one half leave a quarter of the way. By rows, a third and two thirds, the pooled optimum is
    (3, -1).
    """
    a = pd.DataFrame({"x": [1.0, -1.0], "y": [2.0, 0.0]})
    b = pd.DataFrame({"x": [1.0, -1.0, 1.0, -1.0], "y": [2.0, -6.0, 2.0, -6.0]})
    return [
        fl.Site(name, frame, target="y", test_size=0, policy=OPEN)
        for name, frame in (("a", a), ("b", b))
    ]


def train(strategy: Strategy, rounds: int) -> Training:
    run = fl.Federation(lines()).train(LinearRegression(), strategy=strategy, evaluate=False)
    run.run(rounds, progress=False)
    return run


def after(strategy: Strategy, rounds: int) -> Array:
    return train(strategy, rounds).state.parameters.vector


@pytest.mark.parametrize(
    ("strategy", "first", "second"),
    [
        # A step of one half goes half of the way to the pooled optimum.
        (FedSGD(learning_rate=0.5), 1 / 2, 3 / 4),
        # Two go three quarters.
        (FedAvg(**HALVES), 3 / 4, 15 / 16),
        # v: 3/4, then 1/2 * 3/4 + 3/4 * 1/4.
        (FedAvgM(momentum=0.5, server_learning_rate=1.0, **HALVES), 3 / 4, 3 / 4 + 9 / 16),
        # v: 3/4, then with half of it moved 1/2 * 3/4 + 3/4 * 5/8.
        (FedAvgM(momentum=0.5, server_learning_rate=0.5, **HALVES), 3 / 8, 3 / 8 + 27 / 64),
        # With mu = 1 a step of one half ends in the middle between start and optimum, and stays.
        (FedProx(mu=1.0, **HALVES), 1 / 2, 3 / 4),
        (SCAFFOLD(**HALVES), 3 / 4, 15 / 16),
        (SCAFFOLD(server_learning_rate=2 / 3, **HALVES), 1 / 2, 3 / 4),
        (FedNova(**HALVES), 3 / 4, 15 / 16),
        (Ditto(**HALVES), 3 / 4, 15 / 16),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Strategy) else "",
)
def test_two_sites_and_two_rounds_worked_by_hand(
    strategy: Strategy, first: float, second: float
) -> None:
    np.testing.assert_allclose(after(strategy, 1), first * POOLED, rtol=0, atol=1e-14)
    np.testing.assert_allclose(after(strategy, 2), second * POOLED, rtol=0, atol=1e-14)


def test_scaffold_corrects_each_site_by_its_control_variate() -> None:
    run = train(SCAFFOLD(**HALVES), 1)
    # K η = 1, so that c_i is the update with the other sign: -3/4 best.
    for site, best in BEST.items():
        np.testing.assert_allclose(run.state.carried[site], -0.75 * best, rtol=0, atol=1e-14)
    done = run.step()
    # Steps now lead to best_i - 3/4 best_i + 3/4 pooled, of which the site is 1/4 best_i away.
    for site, best in BEST.items():
        answer = done.answers[site]
        assert isinstance(answer, Update)
        np.testing.assert_allclose(answer.delta.vector, 0.1875 * best, rtol=0, atol=1e-14)
        control = 0.75 * POOLED - 0.9375 * best
        np.testing.assert_allclose(run.state.carried[site], control, rtol=0, atol=1e-14)


def test_scaffold_rests_at_the_pooled_optimum_where_averaging_does_not() -> None:
    frame = numeric(240, seed=5).sort_values("age")
    fed = fl.Federation(deal(frame, [140, 70, 30]))
    exact = fed.train(MODEL, strategy=fl.FedNewton(), evaluate=False)
    exact.run(12, progress=False)
    gaps = []
    for strategy in (FedAvg, SCAFFOLD):
        run = fed.train(MODEL, strategy=strategy(local_steps=8, batch_size=None), evaluate=False)
        run.run(400, progress=False)
        gaps.append((run.state.parameters - exact.state.parameters).norm())
    assert gaps[0] > 0.05
    assert gaps[1] < 1e-6


def test_scaffold_moves_only_the_control_variates_of_sites_that_took_part() -> None:
    fed = fl.Federation(deal(numeric(120), [30] * 4), seed=3)
    run = fed.train(MODEL, strategy=SCAFFOLD(site_fraction=0.5), evaluate=False)
    for _ in range(3):
        before = run.state.carried
        done = run.step()
        moved = {s for s in before if (before[s] != run.state.carried[s]).any()}
        assert moved == set(done.answers)


def test_fednova_worked_by_hand() -> None:
    # 32 and 96 rows in batches of 32: one step and three, weights 1/4 and 3/4, τ_eff = 2.5.
    # Updates 1 and 3 are 1 a step: 2.5 * 1. Updates 4 and 3: 2.5 (1/4 * 4 + 3/4 * 1) = 4.375,
    # where FedAvg moves 1/4 * 4 + 3/4 * 3. With equal weights τ_eff = 2: 2 (4 + 1) / 2.
    fed = fl.Federation(deal(numeric(128), [32, 96]))
    start = fed.train(MODEL, strategy=FedNova())
    one = Parameters(dict.fromkeys(start.state.parameters, 0.0))

    def combined(strategy: Averaging, a: float, b: float) -> float:
        zero = State(0, Parameters({"w": 0.0}), one)
        answers = {"s00": Update(Parameters({"w": a})), "s01": Update(Parameters({"w": b}))}
        return float(strategy.combine(start.problem, zero, answers).parameters["w"])

    assert combined(FedNova(), 1, 3) == pytest.approx(2.5, abs=1e-15)
    assert combined(FedNova(), 4, 3) == pytest.approx(4.375, abs=1e-15)
    assert combined(FedAvg(), 4, 3) == pytest.approx(3.25, abs=1e-15)
    assert combined(FedNova(weighting="equal"), 4, 3) == pytest.approx(5.0, abs=1e-15)


@pytest.mark.parametrize("kind", [FedAdagrad, FedAdam, FedYogi])
def test_adaptive_optimizers_follow_algorithm_2(kind: type[Any]) -> None:
    eta, beta1, beta2, tau = 0.2, 0.75, 0.5, 0.5
    options = {"server_learning_rate": eta, "beta1": beta1, "tau": tau, **HALVES}
    if kind is not FedAdagrad:
        options["beta2"] = beta2
    for j in range(2):
        w, m, v = 0.0, 0.0, tau**2
        for number in (1, 2):
            delta = 0.75 * (POOLED[j] - w)
            m = beta1 * m + (1 - beta1) * delta
            if kind is FedAdagrad:
                v = v + delta**2
            elif kind is FedAdam:
                v = beta2 * v + (1 - beta2) * delta**2
            else:
                v = v - (1 - beta2) * delta**2 * math.copysign(1.0, v - delta**2)
            w += eta * m / (math.sqrt(v) + tau)
            assert after(kind(**options), number)[j] == pytest.approx(w, abs=1e-14)


@cache
def five() -> list[fl.Site]:
    return deal(table(400, seed=21), [150, 120, 60, 40, 30], test_size=0.2)


def rounds_of(
    strategy: Strategy, n_rounds: int = 3, *, turn: bool = False, **engine: Any
) -> Training:
    these = five()[::-1] if turn else five()
    fed = fl.Federation(these, seed=7, engine=fl.InProcess(**engine))
    run = fed.train(MODEL, strategy=strategy, evaluate=False)
    run.run(n_rounds, progress=False)
    return run


def everything(run: Training) -> bytes:
    """Bits of the parameters and of all that the strategy carries."""
    return bits(run.state.parameters) + bits(run.state.carried)


SOME: dict[str, Any] = {"batch_size": 16, "site_fraction": 0.7}
EQUAL_STEPS: dict[str, Any] = {"local_steps": 3, **SOME}


@pytest.mark.parametrize(
    ("strategy", "twin", "n_rounds"),
    [
        (FedProx(mu=0.0, **SOME), FedAvg(**SOME), 3),
        (FedAvgM(momentum=0.0, server_learning_rate=1.0, **SOME), FedAvg(**SOME), 3),
        (FedNova(**EQUAL_STEPS), FedAvg(**EQUAL_STEPS), 3),
        (FedNova(weighting="equal", **EQUAL_STEPS), FedAvg(weighting="equal", **EQUAL_STEPS), 3),
        (SCAFFOLD(**SOME), FedAvg(**SOME), 1),
        (Ditto(**SOME), FedAvg(**SOME), 3),
        (FedSGD(site_fraction=0.7), FedAvg(local_steps=1, batch_size=None, site_fraction=0.7), 3),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Strategy) else str(value),
)
def test_limits_are_fedavg_to_the_bit(strategy: Strategy, twin: Strategy, n_rounds: int) -> None:
    ours, theirs = rounds_of(strategy, n_rounds), rounds_of(twin, n_rounds)
    assert bits(ours.state.parameters) == bits(theirs.state.parameters)
    for mine, other in zip(ours.rounds[1:], theirs.rounds[1:], strict=True):
        assert mine.norms == other.norms


STRATEGIES: dict[str, Strategy] = {
    "FedSGD": FedSGD(site_fraction=0.7),
    "FedAvg": FedAvg(aggregator=Median(), **SOME),
    "FedAvgM": FedAvgM(**SOME),
    "FedProx": FedProx(**SOME),
    "SCAFFOLD": SCAFFOLD(**SOME),
    "FedNova": FedNova(**SOME),
    "FedAdagrad": FedAdagrad(**SOME),
    "FedAdam": FedAdam(**SOME),
    "FedYogi": FedYogi(**SOME),
    "Ditto": Ditto(**SOME),
    "FineTuning": FineTuning(**SOME),
}
each = pytest.mark.parametrize("name", STRATEGIES)


@each
def test_the_same_seed_gives_the_same_bits_whatever_the_order_and_the_engine(name: str) -> None:
    straight = everything(rounds_of(STRATEGIES[name]))
    assert everything(rounds_of(STRATEGIES[name], turn=True)) == straight
    assert everything(rounds_of(STRATEGIES[name], wire=True, threads=2)) == straight


@each
def test_a_run_goes_on_from_a_save_or_a_rewind_as_if_nothing_had_been(
    name: str, tmp_path: Any
) -> None:
    straight = everything(rounds_of(STRATEGIES[name]))
    half = rounds_of(STRATEGIES[name], 1)
    resumed = fl.resume(half.save(tmp_path / "run"), fl.Federation(five(), seed=7))
    assert resumed.strategy == STRATEGIES[name]
    resumed.run(2, progress=False)
    assert everything(resumed) == straight
    resumed.rewind(1).run(2, progress=False)
    assert everything(resumed) == straight


@each
def test_a_fork_goes_on_with_any_strategy(name: str) -> None:
    start = rounds_of(FedAdam(), 2)
    forked = start.fork(strategy=STRATEGIES[name])
    forked.run(2, progress=False)
    assert forked.round == 4
    assert np.isfinite(forked.state.parameters.vector).all()


@each
def test_under_privacy_a_round_costs_what_its_gradients_cost(name: str) -> None:
    promise = fl.RecordDP(epsilon=4.0, delta=1e-5, rounds=2)
    # On whole tables, whose noise is calibrated in a moment.
    whole: dict[str, Any] = {} if name == "FedSGD" else {"local_steps": 3, "batch_size": None}
    strategy = type(STRATEGIES[name])(**whole)
    sites = deal(table(120, seed=3), [40] * 3)
    fed = fl.Federation(sites, seed=7)
    run = fed.train(MODEL, strategy=strategy, privacy=promise)
    run.run(2, progress=False)
    charges = {event.count for done in run.rounds for event in done.charges.values()}
    # Ditto takes its three steps twice, FedSGD takes one.
    assert charges == {{"FedSGD": 1, "Ditto": 6}.get(name, 3)}
    assert max(fed.privacy.totals["epsilon_spent"]) <= 4.0


def test_scaffold_asks_nothing_more_of_a_private_site_than_fedavg() -> None:
    promise = fl.RecordDP(epsilon=4.0, delta=1e-5, rounds=2)
    fed = fl.Federation(deal(table(120, seed=3), [40] * 3), seed=7)
    first = [
        fed.train(MODEL, strategy=strategy, privacy=promise).step()
        for strategy in (FedAvg(batch_size=None), SCAFFOLD(batch_size=None))
    ]
    # The first round is FedAvg's, noise included: the control variates follow from the updates.
    assert bits(first[0].state.parameters) == bits(first[1].state.parameters)
    assert first[0].charges == first[1].charges


@pytest.mark.parametrize("loader", ["opt", "indo", "breast_cancer"])
@pytest.mark.parametrize("name", [n for n in STRATEGIES if n != "FineTuning"])
def test_defaults_come_near_the_pooled_fit_in_thirty_rounds(name: str, loader: str) -> None:
    run = defaults(loader, type(STRATEGIES[name])())
    assert run > pooled(loader) - 0.02


def defaults(loader: str, strategy: Strategy, n_rounds: int = 30) -> float:
    fed = fl.Federation(getattr(fl.datasets, loader)(policy=OPEN), seed=7)
    run = fed.train(MODEL, strategy=strategy, evaluate=False)
    run.run(n_rounds, progress=False)
    return float(run.evaluate().frame["accuracy"].iloc[-1])


@cache
def pooled(loader: str) -> float:
    """The exact fit, which other tests compare with scikit-learn on the pooled rows."""
    return defaults(loader, fl.FedNewton(), 10)


@pytest.mark.parametrize(
    ("kind", "options", "rule"),
    [
        (FedAvgM, {"momentum": 1.0}, "momentum must be at least 0 and below 1"),
        (FedAvgM, {"server_learning_rate": 0.0}, "server_learning_rate must be positive"),
        (FedAvgM, {"local_epochs": 0}, "local_epochs must be a whole number"),
        (FedProx, {"mu": -0.1}, "mu must be at least 0"),
        (FedProx, {"mu": math.nan}, "mu must be at least 0"),
        (SCAFFOLD, {"server_learning_rate": math.inf}, "server_learning_rate must be positive"),
        (FedNova, {"batch_size": True}, "batch_size must be a whole number"),
        (FedSGD, {"learning_rate": -1.0}, "learning_rate must be positive"),
        (FedSGD, {"site_fraction": 0.0}, "site_fraction must be above 0"),
        (FedAdam, {"beta1": -0.1}, "beta1 must be at least 0"),
        (FedAdam, {"beta2": 1.0}, "beta2 must be at least 0"),
        (FedYogi, {"beta2": 1.0}, "beta2 must be at least 0"),
        (FedAdagrad, {"tau": 0.0}, "tau must be positive"),
        (Ditto, {"lam": -1.0}, "lam must be at least 0"),
        (FineTuning, {"weighting": "size"}, "weighting must be 'rows' or 'equal'"),
        (FedAvg, {"aggregator": "median"}, "aggregator must be a rule"),
    ],
)
def test_arguments_out_of_range_are_refused(
    kind: type[Any], options: dict[str, Any], rule: str
) -> None:
    with pytest.raises(TrainingError, match=rule):
        kind(**options)
