"""Contributions against sums over all orders, worked without the code under test."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fedlab as fl
from fedlab.core.parameters import Array
from fedlab.core.shapley import exact_shapley, sampled_shapley
from fedlab.errors import TrainingError
from fedlab.queries import Update
from fedlab.site import Site
from fedlab.training import Training
from tests.builders import MODEL, OPEN, deal, design, rows_of, table


def by_orders(n_players: int, values: Sequence[float]) -> Array:
    """Mean gain of each player over every order in which players may join."""
    gains = np.zeros(n_players)
    orders = list(permutations(range(n_players)))
    for order in orders:
        mask = 0
        for player in order:
            gains[player] += values[mask | 1 << player] - values[mask]
            mask |= 1 << player
    return gains / len(orders)


GAMES = st.integers(1, 5).flatmap(
    lambda n: st.lists(st.floats(-10, 10), min_size=2**n - 1, max_size=2**n - 1)
)


@settings(max_examples=50)
@given(GAMES)
def test_shapley_values_are_means_over_all_orders(game: list[float]) -> None:
    values = [0.0, *game]
    n_players = len(values).bit_length() - 1
    found = exact_shapley(n_players, lambda masks: np.array([values[m] for m in masks]))
    np.testing.assert_allclose(found, by_orders(n_players, values), rtol=0, atol=1e-12)
    assert found.sum() == pytest.approx(values[-1], abs=1e-12)


def test_a_dummy_gets_its_own_worth_and_twins_get_the_same() -> None:
    def worth(masks: Sequence[int]) -> Array:
        # Players 0 and 1 are twins, 2 adds nothing, 3 always adds 0.25.
        return np.array(
            [((m & 3).bit_count() ** 2) / 4 + 0.25 * (m >> 3 & 1) for m in masks], dtype=float
        )

    np.testing.assert_allclose(exact_shapley(4, worth), [0.5, 0.5, 0, 0.25], atol=1e-15)
    values, errors = sampled_shapley(4, worth, 50, np.random.default_rng(0))
    assert values[2] == errors[2] == 0
    assert values[3] == pytest.approx(0.25)
    assert errors[3] == pytest.approx(0, abs=1e-12)
    assert values.sum() == pytest.approx(1.25)


def test_sampled_values_approach_the_exact_ones_as_their_errors_say() -> None:
    random = np.random.default_rng(3)
    game = np.append(0.0, random.normal(size=63))

    def worth(masks: Sequence[int]) -> Array:
        return np.array([game[mask] for mask in masks])

    exact = exact_shapley(6, worth)
    few = sampled_shapley(6, worth, 50, np.random.default_rng(1))
    many = sampled_shapley(6, worth, 5000, np.random.default_rng(1))
    assert (many[1] < 0.2 * few[1]).all()
    assert (np.abs(many[0] - exact) < 4 * many[1]).all()
    assert few[0].sum() == pytest.approx(game[-1])


def make(sizes: Sequence[int], strategy: Any, rounds: int = 2, **options: Any) -> Training:
    sites = deal(table(sum(sizes), seed=81), sizes, test_size=0.3, **options)
    run = fl.Federation(sites, seed=2).train(MODEL, strategy=strategy)
    run.run(rounds, progress=False)
    return run


def sites_of(run: Training) -> list[Site]:
    connection: Any = run._coordinator.connection
    return list(connection.by_name.values())


def loss(run: Training, w: Array) -> float:
    """Mean held-out log loss over the pooled held-out rows."""
    x, y = design(run.problem.space, rows_of(sites_of(run), "test"))
    margin = x @ w[:-1] + w[-1]
    return float(np.mean(np.logaddexp(0, np.where(y == 1, -margin, margin))))


def game_of_round(run: Training, number: int) -> list[float]:
    """Worth of every coalition of one round of averaging."""
    before = run.rounds[number - 1].state.parameters.vector
    answers = run.rounds[number].answers
    names = sorted(answers)
    values = []
    for mask in range(1 << len(names)):
        chosen = [name for i, name in enumerate(names) if mask >> i & 1]
        total = sum(run.problem.rows[name] for name in chosen)
        w = before.copy()
        for name in chosen:
            update = answers[name]
            assert isinstance(update, Update)
            w = w + update.delta.vector * run.problem.rows[name] / total
        values.append(loss(run, before) - loss(run, w))
    return values


def test_values_of_a_run_are_those_of_its_rounds_added_up() -> None:
    run = make([80, 60, 40, 40], fl.FedAvg())
    found = run.contributions()
    games = [game_of_round(run, number) for number in (1, 2)]
    shapley = sum((by_orders(4, game) for game in games), np.zeros(4))
    np.testing.assert_allclose(found.frame["shapley"], shapley, rtol=0, atol=1e-12)
    alone = [sum(game[15] - game[15 ^ (1 << i)] for game in games) for i in range(4)]
    np.testing.assert_allclose(found.frame["leave_one_out"], alone, rtol=0, atol=1e-12)
    assert (found.frame["standard_error"] == 0).all()
    fall = run.history["held_out_loss"].iloc[0] - run.history["held_out_loss"].iloc[-1]
    assert found.whole == pytest.approx(fall, abs=1e-12)
    assert found.frame["shapley"].sum() == pytest.approx(fall, abs=1e-12)


@pytest.mark.parametrize(
    "strategy",
    [fl.FedNewton(), fl.FedAvg(weighting="equal"), fl.FedAvg(site_fraction=0.5)],
    ids=["newton", "equal", "fraction"],
)
def test_values_add_up_to_the_whole_under_every_strategy(strategy: Any) -> None:
    run = make([60, 50, 40, 40], strategy, rounds=3)
    found = run.contributions()
    history = run.history["held_out_loss"]
    assert found.whole == pytest.approx(history.iloc[0] - history.iloc[-1], abs=1e-12)
    assert found.frame["shapley"].sum() == pytest.approx(found.whole, abs=1e-12)
    assert found.similarity.to_numpy()[~np.isnan(found.similarity)].max() <= 1 + 1e-12


def test_sites_with_the_same_rows_get_the_same_value() -> None:
    frame = table(60, seed=82)
    held = [Site(name, frame, target="died", test_size=0.0, policy=OPEN) for name in "ab"]
    judge = Site("c", table(60, seed=83), target="died", test_size=0.5, policy=OPEN)
    strategy = fl.FedAvg(batch_size=None, local_steps=3)
    run = fl.Federation([*held, judge]).train(MODEL, strategy=strategy)
    run.run(2, progress=False)
    found = run.contributions()
    assert found.frame.loc["a", "shapley"] == pytest.approx(found.frame.loc["b", "shapley"])
    assert found.similarity.loc["a", "b"] == pytest.approx(1)


def test_no_site_trains_again() -> None:
    run = make([60, 50, 40], fl.FedAvg())
    before = [(site.audit.frame["query"] == "LocalFit").sum() for site in sites_of(run)]
    run.contributions()
    after = [(site.audit.frame["query"] == "LocalFit").sum() for site in sites_of(run)]
    assert before == after == [2, 2, 2]


def test_thirteen_sites_are_sampled_with_an_error_and_still_add_up() -> None:
    run = make([30] * 13, fl.FedAvg())
    found = run.contributions(permutations=20)
    assert (found.frame["standard_error"] > 0).all()
    assert found.frame["shapley"].sum() == pytest.approx(found.whole, abs=1e-12)
    more = run.contributions(permutations=200)
    assert more.frame["standard_error"].mean() < 0.5 * found.frame["standard_error"].mean()
    again = run.contributions(permutations=20)
    assert found.frame.equals(again.frame)
    twelve = make([30] * 12, fl.FedAvg(), rounds=1).contributions()
    assert (twelve.frame["standard_error"] == 0).all()


def test_cosines_are_those_of_the_updates() -> None:
    run = make([80, 60, 40], fl.FedAvg(), rounds=1)
    found = run.contributions()
    updates = {n: run.strategy.direction(a).vector for n, a in run.rounds[1].answers.items()}
    moved = run.state.parameters.vector - run.rounds[0].state.parameters.vector
    for name, update in updates.items():
        cosine = update @ moved / np.linalg.norm(update) / np.linalg.norm(moved)
        assert found.frame.loc[name, "cosine"] == pytest.approx(cosine)
        assert -1 <= cosine <= 1
    assert np.diag(found.similarity) == pytest.approx(np.ones(3))
    assert (found.similarity.to_numpy() == found.similarity.to_numpy().T).all()


def test_a_fork_with_another_strategy_still_knows_its_contributions() -> None:
    run = make([60, 50, 40], fl.FedAvg())
    fork = run.fork(strategy=fl.FedNewton())
    fork.run(2, progress=False)
    found = fork.contributions()
    history = fork.history["held_out_loss"]
    assert found.whole == pytest.approx(history.iloc[0] - history.iloc[-1], abs=1e-12)
    equal = run.fork(strategy=fl.FedAvg(weighting="equal"))
    equal.step()
    history = equal.history["held_out_loss"]
    fall = history.iloc[0] - history.iloc[-1]
    assert equal.contributions().whole == pytest.approx(fall, abs=1e-12)


def test_sites_that_do_not_judge_are_named() -> None:
    run = make([60, 50, 20], fl.FedAvg(), policy=fl.Policy(minimum_rows=11))
    found = run.contributions()
    assert np.isfinite(found.frame["shapley"]).all()
    assert "s02" in " ".join(found.notes)


def test_contributions_need_a_round_and_someone_who_judges() -> None:
    run = make([60, 50], fl.FedAvg(), rounds=0)
    with pytest.raises(TrainingError, match="at least one round"):
        run.contributions()
    run.step()
    with pytest.raises(TrainingError, match="permutations must be at least 2"):
        run.contributions(permutations=1)
    sites = deal(table(60), [30, 30], test_size=0.0)
    nobody = fl.Federation(sites).train(MODEL, strategy=fl.FedAvg())
    nobody.step()
    with pytest.raises(TrainingError, match="At least one site must judge"):
        nobody.contributions()
