"""ε and noise before anything is spent, against Google's accountant on events made by hand."""

from __future__ import annotations

import math
from typing import Any

import dp_accounting
import numpy as np
import pytest
from dp_accounting import pld, rdp

import fedlab as fl
from fedlab.errors import PrivacyError
from fedlab.privacy import Event, Plan, RecordDP, SiteDP, calibrate, epsilon_bound, epsilon_spent
from fedlab.privacy.planning import plan
from fedlab.queries import Update
from tests.builders import DELTA, MODEL, answer_of, ask, deal, fit, table

SMALL: dict[str, Any] = {"epsilon": 1.0, "delta": DELTA, "rounds": 3, "features": 5}


def by_hand(*parts: tuple[Any, int], accountant: Any = pld.PLDAccountant) -> float:
    made = accountant()
    for event, count in parts:
        made.compose(event, count)
    return float(made.get_epsilon(DELTA))


def gaussian(z: float, rate: float = 1.0) -> Any:
    noise = dp_accounting.GaussianDpEvent(z)
    return noise if rate == 1 else dp_accounting.PoissonSampledDpEvent(rate, noise)


# R12: the rows that go beyond Gaussian noise on records, and those of sites
def test_replacing_a_record_costs_more_than_removing_it() -> None:
    event = Event(1.0, 0.01, 1000)
    assert round(epsilon_spent([event], DELTA, neighbours="replace"), 4) == 2.8434
    assert round(epsilon_spent([event], DELTA), 4) == 1.8282


# R12
def test_laplace_noise_composes_with_sampled_gaussian_noise() -> None:
    events = [Event(2.0, count=20, mechanism="laplace"), Event(1.0, 0.01, 1000)]
    assert round(epsilon_spent(events, DELTA), 4) == 9.4687
    assert epsilon_bound(events, DELTA) > epsilon_spent(events, DELTA)
    with pytest.raises(PrivacyError, match="under the relation"):
        epsilon_spent(events, DELTA, neighbours="replace")


# R12
def test_all_sites_in_every_round_cost_what_the_table_says() -> None:
    event = Event(1.0, count=20)
    assert round(epsilon_spent([event], DELTA), 2) == 28.37
    assert round(epsilon_bound([event], DELTA), 2) == 30.13


# R12
def test_a_mechanism_known_by_its_renyi_divergences_is_never_shown_below_the_gaussian() -> None:
    for events in ([Event(1.0, count=10)], [Event(3.0, count=4), Event(1.0, 0.01, 1000)]):
        known = [Event(e.noise_multiplier, 1.0, e.count, "concentrated") for e in events[:1]]
        mixed = [*known, *events[1:]]
        assert epsilon_spent(mixed, DELTA) == pytest.approx(epsilon_bound(events, DELTA), abs=1e-9)
        assert epsilon_spent(mixed, DELTA) > epsilon_spent(events, DELTA)
    with pytest.raises(PrivacyError, match="without amplification"):
        Event(1.0, 0.5, mechanism="concentrated")
    with pytest.raises(PrivacyError, match="neighbours"):
        epsilon_spent([Event(1.0, mechanism="concentrated")], DELTA, neighbours="replace")


def test_noise_for_renyi_accounting_is_calibrated_to_it() -> None:
    promise = RecordDP(epsilon=2.0, delta=DELTA, rounds=30)
    z = calibrate(promise, fl.privacy.Releases(1), mechanism="concentrated")
    spent = by_hand((gaussian(z), 30), accountant=rdp.RdpAccountant)
    assert 1.999 < spent <= 2.0
    assert z > calibrate(promise, fl.privacy.Releases(1))


CASES = [
    ({"rows": 64, "sites": 3, "batch_size": None}, 1, 1.0),
    ({"rows": 64, "sites": 3, "batch_size": 16}, 4, 0.25),
    ({"rows": 64, "sites": 1, "batch_size": 16, "local_epochs": 9, "local_steps": 4}, 4, 0.25),
    ({"rows": 64, "sites": 1, "batch_size": 100, "local_epochs": 2}, 2, 1.0),
]


@pytest.mark.parametrize(("options", "steps", "rate"), CASES)
def test_a_plan_costs_what_the_accountant_says_of_its_steps(
    options: dict[str, Any], steps: int, rate: float
) -> None:
    made = plan(**SMALL, **options)
    site = made.sites.iloc[0]
    assert (site["steps_a_round"], site["sampling_rate"]) == (steps, rate)
    event = gaussian(site["noise_multiplier"], rate)
    for number in made.frame.index:
        line = made.frame.loc[number]
        assert line["epsilon"] == pytest.approx(by_hand((event, steps * number)), abs=1e-9)
        bound = by_hand((event, steps * number), accountant=rdp.RdpAccountant)
        assert line["epsilon_bound"] == pytest.approx(bound, abs=1e-9)
    assert 0.99 < made.frame["epsilon"].iloc[-1] <= 1.0
    assert made.frame.index[-1] == 3


@pytest.mark.parametrize(("sizes", "batch_size"), [([64, 96], None), ([64, 64], 16)])
def test_the_plan_of_a_federation_is_what_its_run_is_charged(
    sizes: list[int], batch_size: int | None
) -> None:
    fed = fl.Federation(deal(table(sum(sizes), seed=5), sizes))
    made = plan(**SMALL, rows=fed.rows, batch_size=batch_size)
    assert isinstance(made.promise, RecordDP)
    strategy = fl.FedAvg(batch_size=batch_size)
    run = fed.train(MODEL, strategy=strategy, privacy=made.promise)
    run.run(3, progress=False)
    for done in run.rounds[1:]:
        assert set(done.charges) == set(made.sites.index)
        for site, event in done.charges.items():
            line = made.sites.loc[site]
            assert event.noise_multiplier == line["noise_multiplier"]
            assert event.sampling_rate == line["sampling_rate"]
            assert event.count == line["steps_a_round"]
    spent = run.history["epsilon"].iloc[1:].to_numpy(float)
    np.testing.assert_allclose(spent, made.frame["epsilon"], atol=1e-9)


def test_the_noise_of_a_plan_is_the_noise_that_leaves_a_site() -> None:
    site = deal(table(64, seed=6), [64])[0]
    made = plan(**SMALL, rows=64, batch_size=None, clipping_norm=0.7)
    assert isinstance(made.promise, RecordDP)
    query = fit(site, steps=1, learning_rate=1.0, penalty=0.0)
    moves = []
    for number in range(250):
        reply = ask(site, query, privacy=made.promise, run=f"run-{number}", round=number)
        update = answer_of(reply)
        assert isinstance(update, Update)
        moves.append(update.delta.vector)
    # 1,750 draws: the standard error of a standard deviation is 1.7 percent of it.
    spread = np.array(moves).std(axis=0, ddof=1).mean()
    assert spread == pytest.approx(made.sites["gradient_noise"].iloc[0], rel=0.08)


def test_expected_errors_follow_from_one_gaussian_mechanism() -> None:
    made = plan(**SMALL, rows=[100, 300], batch_size=None)
    once = dp_accounting.get_sigma_gaussian(1.0, DELTA)
    mean, cell = made.expected.iloc[1], made.expected.iloc[2]
    assert mean["noise"] == pytest.approx(once * 0.5 * math.sqrt(2) / 400, rel=0.01)
    assert cell["noise"] == pytest.approx(once * math.sqrt(2), rel=0.01)
    assert (mean["signal"], cell["signal"]) == (0.5, 40.0)
    # The mean gradient weighs sites by rows: each one's noise is z C / n, times n / N.
    z = made.sites["noise_multiplier"].to_numpy()
    gradient = made.expected.iloc[0]
    assert gradient["noise"] == pytest.approx(math.hypot(*z) / 400)
    assert gradient["signal"] == pytest.approx(1 / math.sqrt(6))
    ratio = made.expected["signal"] / made.expected["noise"]
    np.testing.assert_allclose(made.expected["signal_to_noise"], ratio)
    # Steps add up as a random walk: three rounds of one step.
    walk = made.frame["parameter_noise"].to_numpy()
    np.testing.assert_allclose(walk, gradient["noise"] * np.sqrt([1, 2, 3]))


def test_more_epsilon_rows_or_fewer_rounds_mean_less_noise() -> None:
    def noise(**changes: Any) -> float:
        options = {**SMALL, "rows": 200, "batch_size": None, **changes}
        return float(plan(**options).expected["noise"].iloc[0])

    least = noise()
    assert noise(epsilon=2.0) < least
    assert noise(rows=400) < least
    assert noise(rounds=1) < least
    assert noise(clipping_norm=2.0) == pytest.approx(2 * least)


# R13
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 16}, ["one record", "add or remove one record", "Poisson"]),
        ({"batch_size": None}, ["one record", "add or remove one record", "none, all rows"]),
        ({"unit": "site", "sites": 4}, ["one site", "add or remove one site", "none, all sites"]),
    ],
)
def test_a_plan_names_unit_relation_and_sampler(options: dict[str, Any], words: list[str]) -> None:
    made = plan(**SMALL, rows=64, **options)
    for text in (repr(made), made._repr_html_()):
        assert all(word in text for word in words)


# R14
@pytest.mark.parametrize("weighting", ["rows", "equal"])
def test_a_plan_for_sites_rests_on_the_largest_weight(weighting: Any) -> None:
    made = plan(**SMALL, rows=[900, 25, 25, 25, 25], unit="site", weighting=weighting)
    assert isinstance(made.promise, SiteDP)
    z = made.sites["noise_multiplier"].iloc[0]
    assert by_hand((gaussian(z), 3)) == pytest.approx(1.0, abs=0.01)
    largest = 0.9 if weighting == "rows" else 0.2
    assert made.expected["noise"].iloc[0] == pytest.approx(z * largest)


def test_a_delta_that_gives_whole_records_away_is_pointed_out() -> None:
    options = {**SMALL, "rows": 500, "batch_size": None}
    assert "larger than one over 500 records" in repr(
        plan(**{**options, "delta": 0.01, "rounds": 1})
    )
    assert "larger than" not in repr(plan(**options))


def test_a_plan_is_drawn() -> None:
    made = plan(**{**SMALL, "rounds": 40}, rows=64, batch_size=None)
    figure = made.plot()
    assert [trace.name for trace in figure.data] == ["ε", "by Rényi divergences"]
    assert len(figure.data[0].x) == len(made.frame) <= 10
    assert figure.data[0].x[-1] == 40


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epsilon": -1.0}, "epsilon must be positive"),
        ({"rounds": 0}, "rounds must be a whole number"),
        ({"clipping_norm": 0.0}, "clipping_norm must be positive"),
        ({"features": 0}, "needs features"),
        ({"rows": []}, "training rows of every site"),
        ({"rows": [10, 0]}, "training rows of every site"),
        ({"rows": [10, 20], "sites": 3}, "training rows of every site"),
        ({"batch_size": 0}, "at least 1"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(PrivacyError, match=words):
        plan(**{**SMALL, "rows": 64, **changes})


def test_it_is_found_where_the_analyst_looks_for_it() -> None:
    assert fl.privacy.plan is plan
    assert isinstance(fl.privacy.plan(**SMALL, rows=64, batch_size=None), Plan)
