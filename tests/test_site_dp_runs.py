"""Runs under a promise about whole sites: noise on the mean, whoever adds it, and what it costs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dp_accounting
import msgspec
import numpy as np
import pandas as pd
import pytest
from dp_accounting import pld, rdp
from sklearn.linear_model import SGDClassifier

import fedlab as fl
from fedlab.core.parameters import Array, Parameters
from fedlab.errors import PrivacyError, RefusedError, SecureSumError, TrainingError
from fedlab.privacy import Releases, calibrate
from fedlab.privacy.secure.setting import Setting
from fedlab.queries import Context, LocalFit, ReadLedger, Request, Rows, Statement, Update
from fedlab.queries.secure_sum import Advertise, Confirm, Mask, ShareSecrets
from fedlab.rounds import TOGETHER
from fedlab.site.site_level import event_of_update
from fedlab.strategies import Strategy
from fedlab.training import Training
from tests.builders import RANGES, ask, bits, deal, fit, table
from tests.test_secure_training import Between, Wire

SIZES = (60, 50, 45, 45)
DELTA = 1e-5
BOTH = pytest.mark.parametrize("how", ["plain", "secure"])
STILL = 1e-13  # A learning rate so small that updates are zero beside the noise.


def promise_of(epsilon: float = 8.0, rounds: int = 30, **given: Any) -> fl.SiteDP:
    return fl.SiteDP(epsilon=epsilon, delta=DELTA, rounds=rounds, **{"clipping_norm": 0.5, **given})


def federation(sizes: tuple[int, ...] = SIZES, **site: Any) -> tuple[fl.Federation, Between]:
    wire = Wire()
    fed = fl.Federation(deal(table(sum(sizes), 3), sizes, **site), seed=5, engine=wire)
    return fed, wire.between[0]


def wide_sites(sizes: tuple[int, ...]) -> list[fl.Site]:
    """Sites of so many columns that one round shows the spread of its noise."""
    random, names = np.random.default_rng(0), [f"x{i}" for i in range(500)]
    frame = pd.DataFrame(random.normal(size=(sum(sizes), len(names))), columns=names)
    frame["died"] = random.integers(0, 2, len(frame))
    return deal(frame, sizes, ranges=dict.fromkeys(names, (-5.0, 5.0)))


def wide(sizes: tuple[int, ...] = SIZES) -> tuple[fl.Federation, Between]:
    wire = Wire()
    return fl.Federation(wide_sites(sizes), seed=5, engine=wire), wire.between[0]


def run_of(
    fed: fl.Federation, privacy: fl.SiteDP, rounds: int = 0, *, how: Any = "secure", **given: Any
) -> Training:
    strategy = given.pop("strategy", fl.FedAvg())
    run = fed.train(
        fl.LogisticRegression(), strategy=strategy, privacy=privacy, aggregation=how, **given
    )
    run.run(rounds, progress=False)
    return run


def moves(run: Training) -> Array:
    """What each round added to the parameters, shape ``(n_rounds, n_parameters)``."""
    return np.diff([done.state.parameters.vector for done in run.rounds], axis=0)


def multiplier(privacy: fl.SiteDP, how: str) -> float:
    kind: Any = {"plain": "gaussian", "secure": "concentrated"}[how]
    return calibrate(privacy, Releases(1), unit="site", mechanism=kind)


def updates_by_hand(run: Training, sites: list[fl.Site]) -> dict[str, Array]:
    """What each site would send without any promise, made no longer than the norm."""
    assert run.privacy is not None
    plan = run.strategy.plan(run.problem, run.state)
    found = {}
    for site in sites:
        query = plan[site.name]
        request = Request(site=site.name, run="by hand", round=1, seed=5, query=query)
        answer = site.answer(request).answer
        assert isinstance(answer, Update)
        vector, limit = answer.delta.vector, run.privacy.clipping_norm
        found[site.name] = vector * min(1.0, limit / float(np.linalg.norm(vector)))
    return found


@BOTH
def test_thirty_rounds_cost_what_another_accountant_says_and_no_more_are_given(how: str) -> None:
    fed, _ = federation()
    run = run_of(fed, promise_of(), 30, how=how)
    charged = charged_multiplier(fed)
    # The ledger of records: a record may turn its site's update around.
    z = 2 * charged
    account: Any = rdp.RdpAccountant if how == "secure" else pld.PLDAccountant

    def epsilon(noise: float, count: int) -> float:
        accountant = account()
        accountant.compose(dp_accounting.GaussianDpEvent(noise), count)
        return float(accountant.get_epsilon(DELTA))

    history = run.history["epsilon"]
    assert history.iloc[-1] == pytest.approx(epsilon(z, 30), rel=1e-6)
    assert history.iloc[10] == pytest.approx(epsilon(z, 10), rel=1e-6)
    assert 7.9 < history.iloc[-1] <= 8.0 + 1e-6
    spent = fed.privacy.totals["epsilon_spent"]
    assert spent.tolist() == pytest.approx([epsilon(z / 2, 30)] * 4, rel=1e-6)
    with pytest.raises(PrivacyError, match="calibrated to 30 rounds"):
        run.step()
    with pytest.raises(PrivacyError, match="calibrated to 30 rounds"):
        run.rewind(3).step()
    # Whatever an analyst's own books say: the sites have theirs.
    run._charges, run._inherited = (), 0
    with pytest.raises((RefusedError, SecureSumError), match="calibrated to 30 rounds"):
        run.step()
    assert fed.privacy.totals["epsilon_spent"].equals(spent)
    assert fed.privacy.frame["noisy_answers"].tolist() == [30] * 4


def charged_multiplier(fed: fl.Federation) -> float:
    """The one noise multiplier that all ledgers were charged, read from their statements."""
    replies = fed.coordinator.ask("look", 0, dict.fromkeys(fed.sites, ReadLedger()))
    events = set()
    for reply in replies.values():
        assert isinstance(reply.answer, Statement)
        events |= {line.event.noise_multiplier for line in reply.answer.lines if line.event}
    (only,) = events
    return only


# R14, R15, R17
@pytest.mark.parametrize("gone", [0, 1])
@pytest.mark.parametrize("weighting", ["rows", "equal"])
def test_an_opened_sum_of_zero_updates_has_the_noise_of_the_fewest_survivors(
    gone: int, weighting: Any
) -> None:
    fed, between = wide()
    privacy = promise_of(rounds=4)
    strategy = fl.FedAvg(weighting=weighting, learning_rate=STILL)
    run = run_of(fed, privacy, strategy=strategy)
    lost = sorted(fed.sites)[2 : 2 + gone]
    between.lost = lambda request: request.site in lost and isinstance(request.query, Mask)
    run.run(4, progress=False)
    assert len(run.rounds[-1].rows) == 4 - gone
    weights = SIZES if weighting == "rows" else (1,) * 4
    least = 3  # More than half of four.
    needed = multiplier(privacy, "secure") * 0.5 * max(weights) / sum(weights)
    expected = needed * math.sqrt((4 - gone) / least)
    # 2,000 draws: the standard error of a standard deviation is 1.6 percent of it.
    assert moves(run).std() == pytest.approx(expected, rel=0.06)
    assert expected >= needed


def test_noise_is_enough_without_the_sites_that_work_with_the_coordinator() -> None:
    fed, _ = wide()
    privacy = promise_of(rounds=3)
    how = fl.SecureSum(collusion=True)
    run = run_of(fed, privacy, 3, how=how, strategy=fl.FedSGD(learning_rate=STILL))
    # Three of four must be there, and one of them may tell its noise.
    needed = multiplier(privacy, "secure") * 0.5 * 60 / 200
    assert moves(run).std() == pytest.approx(needed * math.sqrt(4 / 2), rel=0.06)


def test_sums_of_many_sites_over_few_neighbours_have_noise_for_the_fewest() -> None:
    given: Any = {
        "run": "r",
        "round": 1,
        "attempt": 0,
        "question": b"",
        "sites": tuple(f"s{i:02}" for i in range(40)),
        "identities": tuple(bytes([i]) for i in range(40)),
        "weights": (1,) * 40,
    }
    assert Setting(**given, threshold=12, degree=20).noisy == 12
    assert Setting(**given, threshold=15, degree=20, collusion=True).noisy == 15 - 6
    few = {**given, "sites": given["sites"][:3], "weights": (1,) * 3}
    assert Setting(**few, threshold=2).noisy == 3


# R14
@BOTH
@pytest.mark.parametrize(("weighting", "share"), [("rows", 0.9), ("equal", 0.25)])
def test_a_site_of_nine_tenths_of_the_weight_sets_the_noise(
    how: str, weighting: Any, share: float
) -> None:
    sizes = (180, 8, 6, 6)
    fed, _ = wide(sizes)
    privacy = promise_of(rounds=4)
    strategy = fl.FedAvg(weighting=weighting, learning_rate=STILL)
    run = run_of(fed, privacy, 4, how=how, strategy=strategy)
    survivors = 1.0 if how == "plain" else math.sqrt(4 / 3)
    expected = multiplier(privacy, how) * 0.5 * share * survivors
    assert moves(run).std() == pytest.approx(expected, rel=0.06)


# R14
@BOTH
@pytest.mark.parametrize("norm", [0.05, 100.0])
def test_a_round_is_the_mean_of_clipped_updates_and_noise(how: str, norm: float) -> None:
    privacy = promise_of(1e7, 1, clipping_norm=norm)
    sites = deal(table(200, 3), SIZES)
    run = run_of(fl.Federation(sites, seed=5), privacy, how=how)
    clipped = updates_by_hand(run, sites)
    longest = max(float(np.linalg.norm(update)) for update in clipped.values())
    assert (longest == pytest.approx(norm)) == (norm < 1)
    run.step()
    mean = sum(n * clipped[site] for site, n in run.problem.rows.items()) / 200
    noise = multiplier(privacy, how) * norm * 60 / 200
    assert np.abs(moves(run)[0] - mean).max() < 6 * noise < 0.1 * norm
    assert (moves(run)[0] != mean).all()


# R14
def test_the_divisor_does_not_tell_who_answered() -> None:
    privacy = promise_of(1e7, 1, clipping_norm=0.05)
    sites = deal(table(200, 3), SIZES)
    wire = Wire()
    run = run_of(fl.Federation(sites, seed=5, engine=wire), privacy)
    clipped = updates_by_hand(run, sites)
    wire.between[0].lost = lambda r: r.site == "s01" and isinstance(r.query, ShareSecrets)
    run.step()
    there = {site: n for site, n in run.problem.rows.items() if site != "s01"}
    mean = sum(n * clipped[site] for site, n in there.items()) / 200
    assert np.abs(moves(run)[0] - mean).max() < 1e-4


# R16
@BOTH
def test_at_real_sites_no_seed_repeats_the_noise(how: str, tmp_path: Path) -> None:
    runs: list[Array] = []
    for number in range(2):
        np.random.seed(0)  # noqa: NPY002  what must not matter
        sites = deal(table(200, 3), SIZES, simulated=False)
        fed = fl.Federation(sites, seed=5)
        run = run_of(fed, promise_of(rounds=2), 1, how=how)
        assert not fed.coordinator.simulated
        assert run.rounds[-1].noise == ("system" if how == "plain" else "")
        told = "coordinator" if how == "plain" else "system, shared for sites"
        assert set(fed.privacy.frame["noise"]) == {told}
        assert number == len(runs)
        runs.append(run.state.parameters.vector)
    assert (runs[0] != runs[1]).all()


@BOTH
def test_simulated_sites_repeat_it(how: str) -> None:
    one, other = (run_of(federation()[0], promise_of(rounds=2), 2, how=how) for _ in range(2))
    assert bits(one.state.parameters) == bits(other.state.parameters)
    assert one.rounds[-1].noise == ("seeded" if how == "plain" else "")


def test_one_real_site_is_enough_for_noise_that_nobody_repeats() -> None:
    parts = [deal(table(200, 3), SIZES, simulated=mode) for mode in (True, False)]
    fed = fl.Federation([*parts[0][:3], parts[1][3]])
    run = run_of(fed, promise_of(rounds=1), 1, how="plain")
    assert run.rounds[-1].noise == "system"


def not_finite_at(n_rows: int, then: Callable[..., Any]) -> Callable[..., Any]:
    def compute(self: LocalFit, rows: Rows, context: Context) -> Any:
        answer = then(self, rows, context)
        return Update(math.nan * answer.delta) if len(rows) == n_rows else answer

    return compute


# R15
def test_an_update_that_is_not_finite_stays_at_its_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalFit, "compute", not_finite_at(60, LocalFit.compute))
    fed, _ = federation()
    run = run_of(fed, promise_of(rounds=2), how="plain")
    with pytest.raises(RefusedError, match="PrivacyError in LocalFit"):
        run.step()
    assert run.round == 0
    secure = run_of(federation()[0], promise_of(rounds=2), 1)
    assert sorted(secure.rounds[-1].rows) == ["s01", "s02", "s03"]
    assert np.isfinite(secure.state.parameters.vector).all()
    monkeypatch.setattr(LocalFit, "compute", not_finite_at(50, LocalFit.compute))
    run = run_of(federation()[0], promise_of(rounds=2))
    with pytest.raises(SecureSumError, match="must be there"):
        run.step()
    assert run.round == 0


# R19
def test_a_round_that_fails_before_it_is_masked_costs_nothing() -> None:
    fed, between = federation()
    run = run_of(fed, promise_of(rounds=2))
    lost = sorted(fed.sites)[:2]
    between.lost = lambda request: request.site in lost and isinstance(request.query, ShareSecrets)
    with pytest.raises(SecureSumError):
        run.step()
    assert fed.privacy.frame.empty
    assert run.round == 0
    # What was masked is paid for, opened or not.
    between.lost = lambda request: request.site in lost and isinstance(request.query, Confirm)
    with pytest.raises(SecureSumError):
        run.step()
    assert fed.privacy.frame["noisy_answers"].tolist() == [1] * 4
    assert run.history["epsilon"].iloc[-1] > 0
    between.lost = lambda request: False
    run.step()
    assert run.round == 1


# R19
def test_a_site_with_a_budget_takes_part_in_secure_sums_alone_until_it_is_spent() -> None:
    policy = fl.Policy(epsilon=20.0, delta=DELTA, minimum_rows=1)
    fed, _ = federation(policy=policy)
    with pytest.raises(RefusedError, match="trusts no coordinator") as caught:
        run_of(fed, promise_of(), 1, how="plain")
    assert caught.value.code == "reveal"
    assert fed.privacy.frame.empty
    run = run_of(fed, promise_of(), 30)
    assert run.round == 30
    assert (fed.privacy.totals["epsilon_left"] > 0).all()
    with pytest.raises(RefusedError, match="budget") as caught:
        run_of(fed, promise_of(), 30)
    assert caught.value.code == "budget"
    assert (fed.privacy.totals["epsilon_left"] >= 0).all()


def test_all_sites_must_be_told_one_promise() -> None:
    wire = Wire()
    sites = deal(table(200, 3), SIZES)
    run_of(fl.Federation(sites, seed=5, engine=wire), promise_of(rounds=2), 1)
    begin = next(q for q, _ in wire.between[0].passed if isinstance(q.query, Advertise))
    assert isinstance(begin.query, Advertise)
    weaker = promise_of(1000.0, 2)
    told = msgspec.structs.replace(begin.query, privacy=weaker)
    site = next(each for each in sites if each.name == begin.site)
    reply = site.answer(msgspec.structs.replace(begin, query=told))
    assert reply.refusal is not None
    assert reply.refusal.code == "secure"
    assert "promise" in reply.refusal.rule


@pytest.mark.parametrize(
    ("strategy", "how", "said"),
    [
        (fl.FedNewton(), "plain", "mean of their clipped updates"),
        (fl.SCAFFOLD(), "plain", "mean of their clipped updates"),
        (fl.FedNova(), "secure", "mean of their clipped updates"),
        (fl.Ditto(), "plain", "mean of their clipped updates"),
        (fl.FedAvg(aggregator=fl.Median()), "plain", "mean of their clipped updates"),
        (fl.FedAvg(aggregator=fl.NormClipping()), "plain", "mean of their clipped updates"),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_what_is_no_mean_of_updates_is_refused_before_anything_is_asked(
    strategy: Strategy, how: str, said: str
) -> None:
    fed, between = federation()
    asked = len(between.passed)
    with pytest.raises(PrivacyError, match=said):
        run_of(fed, promise_of(), how=how, strategy=strategy)
    assert len(between.passed) == asked


def test_a_site_keeps_to_the_same_rules_whoever_asks() -> None:
    site = deal(table(200, 3), (200,))[0]
    adaptive = promise_of(adaptive=fl.AdaptiveClipping())
    with pytest.raises(RefusedError, match="secure sum hides"):
        event_of_update(fit(site), adaptive, hidden=True)
    strategy = fl.Ditto()
    run = fl.Federation([site]).train(fl.LogisticRegression(), strategy=strategy)
    query = strategy.plan(run.problem, run.state)[site.name]
    # An answer with more in it than the update that is clipped.
    reply = ask(site, query, privacy=promise_of())
    assert reply.answer is None
    assert reply.refusal is not None
    assert reply.refusal.code == "no-sensitivity"
    assert site.ledger.frame["noise_multiplier"].isna().all()


def test_too_coarse_steps_for_the_noise_are_refused_and_nothing_is_opened() -> None:
    fed, _ = federation()
    with pytest.raises(SecureSumError, match="must be there") as caught:
        run_of(
            fed,
            promise_of(1e9, 1, clipping_norm=1e-3),
            1,
            how=fl.SecureSum(bits=0),
            strategy=fl.FedAvg(weighting="equal"),
        )
    assert "at least 8 steps" in str(caught.value)


@pytest.mark.parametrize(
    "strategy",
    [fl.FedAdam(), fl.FedAvgM(), fl.FedProx(site_fraction=0.8), fl.FedSGD()],
    ids=lambda each: type(each).__name__,
)
@BOTH
def test_strategies_that_average_run_under_a_promise_about_sites(
    strategy: Strategy, how: str
) -> None:
    fed, _ = federation()
    run = run_of(fed, promise_of(rounds=3), 3, how=how, strategy=strategy)
    assert 0 < run.history["epsilon"].iloc[-1] <= 8.0 + 1e-6
    assert run.history["train_loss"].isna().all()


@BOTH
def test_an_estimator_that_clips_no_row_can_keep_a_promise_about_sites(how: Any) -> None:
    fed, _ = federation()
    model = fl.SklearnModel(SGDClassifier(loss="log_loss", random_state=0))
    run = fed.train(model, strategy=fl.FedAvg(), privacy=promise_of(rounds=2), aggregation=how)
    run.run(2, progress=False)
    assert run.history["epsilon"].iloc[-1] == pytest.approx(8.0, abs=0.01)
    record = fl.RecordDP(epsilon=1.0, delta=DELTA, rounds=2)
    run = fed.train(model, strategy=fl.FedAvg(), privacy=record)
    with pytest.raises(PrivacyError, match="clipped row by row"):
        run.step()


# R18
def test_a_norm_that_adapts_is_carried_along_and_its_count_is_paid_for(tmp_path: Path) -> None:
    privacy = promise_of(rounds=6, adaptive=fl.AdaptiveClipping())
    fed, _ = federation()
    run = run_of(fed, privacy, 4, how="plain")
    norms = [done.state.clipping_norm for done in run.rounds]
    assert norms[0] is None
    assert len(set(norms[1:])) == 4
    # Both releases of a round together cost what one without a count costs.
    plain = calibrate(promise_of(rounds=6), Releases(1), unit="site")
    assert 2 * charged_multiplier(fed) == pytest.approx(plain)
    again = fl.resume(run.save(tmp_path / "run"), fed)
    assert again.state.clipping_norm == norms[-1]
    run.step()
    again.step()
    assert again.state.clipping_norm == run.state.clipping_norm
    assert run.rewind(2).state.clipping_norm == norms[2]
    with pytest.raises(PrivacyError, match="norm of each update"):
        run_of(fed, privacy, how="secure")


# R18
def test_noise_on_updates_grows_by_what_the_count_costs() -> None:
    fed, _ = wide()
    adaptive = fl.AdaptiveClipping(learning_rate=1e-9, count_share=0.5)
    privacy = promise_of(rounds=4, adaptive=adaptive)
    run = run_of(fed, privacy, 4, how="plain", strategy=fl.FedSGD(learning_rate=STILL))
    needed = multiplier(privacy, "plain") * 0.5 * 60 / 200
    assert moves(run).std() == pytest.approx(needed * math.sqrt(2), rel=0.06)


def test_the_coordinator_keeps_no_exact_update() -> None:
    fed, _ = federation()
    run = run_of(fed, promise_of(rounds=2), 2, how="plain")
    done = run.rounds[-1]
    assert done.answers == {}
    assert set(done.norms) == {TOGETHER}
    assert done.norms[TOGETHER] == pytest.approx(float(np.linalg.norm(moves(run)[-1])))
    assert done.frame["update_norm"].isna().all()
    with pytest.raises(TrainingError, match="update of each site"):
        run.contributions()


# R13
@BOTH
def test_displays_and_card_say_whose_epsilon_it_is(how: str, tmp_path: Path) -> None:
    fed, _ = federation()
    run = run_of(fed, promise_of(rounds=2), 2, how=how)
    assert "neighbours: add or remove one site" in run._repr_html_()
    assert "one site" in str(run.plot().layout.yaxis.title.text)
    assert "one record of the site could change" in repr(fed.privacy)
    assert ("trusted the coordinator" in repr(fed.privacy)) == (how == "plain")
    assert ("A secure sum" in run.rounds[-1]._repr_html_()) == (how == "secure")
    assert ("add the noise (seeded)" in run.rounds[-1]._repr_html_()) == (how == "plain")
    run.export(tmp_path / "model", key=fl.SigningKey.load(tmp_path / "key"))
    card = (tmp_path / "model" / "card.md").read_text("utf-8")
    assert "for one site. Neighbours: add or remove one site." in card
    assert ("before it masked its update" in card) == (how == "secure")
    assert ("trusted with their updates" in card) == (how == "plain")
    assert "covers one whole site" in card


def test_what_a_run_spends_is_counted_for_one_unit() -> None:
    fed, _ = federation(test_size=0.25)
    run = run_of(fed, promise_of(rounds=4), 1)
    record = fl.RecordDP(epsilon=1.0, delta=DELTA, rounds=2)
    with pytest.raises(PrivacyError, match="counted for one unit"):
        run.fork(privacy=record)
    other: Any = promise_of()
    with pytest.raises(PrivacyError, match="promise about records"):
        run.evaluate(privacy=other)
    aside = run.fork(privacy=promise_of(4.0, 2))
    aside.step()
    assert aside.history["epsilon"].iloc[-1] > run.history["epsilon"].iloc[-1]
    assert run.evaluate(privacy=record).privacy == record
    nothing: Any = "8"
    with pytest.raises(PrivacyError, match="must be a promise"):
        run_of(fed, nothing)


SHARED = fl.SecureSum(shared_noise=True)


# R17
@pytest.mark.parametrize("gone", [0, 1])
@pytest.mark.parametrize("weighting", ["rows", "equal"])
def test_a_record_may_be_hidden_by_noise_that_sites_share(gone: int, weighting: Any) -> None:
    wire, sites = Wire(), wide_sites(SIZES)
    fed = fl.Federation(sites, seed=5, engine=wire)
    (between,) = wire.between
    record = fl.RecordDP(epsilon=2.0, delta=DELTA, rounds=4, clipping_norm=0.5)
    strategy = fl.FedSGD(weighting=weighting, learning_rate=0.1)
    run = fed.train(fl.LogisticRegression(), strategy=strategy, privacy=record, aggregation=SHARED)
    lost = sorted(fed.sites)[2 : 2 + gone]
    between.lost = lambda request: request.site in lost and isinstance(request.query, Mask)
    exact: list[Array] = []
    for _ in range(4):
        exact.append(clipped_mean(run, [site for site in sites if site.name not in lost]))
        run.step()
    noise = moves(run) - np.array(exact)
    z = calibrate(record, Releases(1), mechanism="concentrated")
    # By rows, each record of any site weighs as much; else those of the smallest site most.
    left = [SIZES[i] for i in range(4) if i not in range(2, 2 + gone)]
    share = 1 / sum(left) if weighting == "rows" else 1 / 45 / len(left)
    expected = z * 0.1 * 0.5 * share * math.sqrt((4 - gone) / 3)
    assert noise.std() == pytest.approx(expected, rel=0.06)
    # The ledgers are charged for the sum's noise, of which none of them has enough alone.
    accountant = rdp.RdpAccountant()
    accountant.compose(dp_accounting.GaussianDpEvent(z), 4)
    epsilon = accountant.get_epsilon(DELTA)
    spent = [0.0 if site in lost else epsilon for site in fed.sites]
    assert fed.privacy.totals["epsilon_spent"].tolist() == pytest.approx(spent, rel=1e-6)
    assert run.history["epsilon"].iloc[-1] == pytest.approx(epsilon, rel=1e-6)
    assert epsilon <= 2.0 + 1e-6
    assert 'noise is "shared"' in repr(fed.privacy)
    assert set(fed.privacy.frame["noise"]) == {"seeded, shared"}
    assert "SiteDP" not in repr(fed.privacy)


def clipped_mean(run: Training, sites: list[fl.Site]) -> Array:
    """The step that clipped gradients of some sites would make without noise."""
    plan = run.strategy.plan(run.problem, run.state)
    total, weight = np.zeros(run.state.parameters.vector.size), 0.0
    assert isinstance(run.strategy, fl.FedSGD)
    assert run.privacy is not None
    weights = run.strategy.weights(run.problem, run.problem.rows)
    for site in sites:
        name, query = site.name, plan[site.name]
        assert isinstance(query, LocalFit)
        x, y = site._rows["train"].arrays(query.space, query.model.reads)
        rows = np.asarray(query.model.row_gradients(query.parameters, x, y))
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        clipped = rows * np.minimum(1.0, run.privacy.clipping_norm / lengths)
        slope = clipped.mean(axis=0)
        slope = slope + query.penalty * query.model.penalised(query.parameters).vector
        total, weight = total - weights[name] * query.learning_rate * slope, weight + weights[name]
    return np.asarray(total / weight)


def test_shared_noise_is_less_and_judging_may_have_it_too() -> None:
    record = fl.RecordDP(epsilon=2.0, delta=DELTA)
    noise = []
    for how in (SHARED, fl.SecureSum()):
        fed, _ = federation(test_size=0.25)
        run = fed.train(
            fl.LogisticRegression(), strategy=fl.FedSGD(), privacy=record, aggregation=how
        )
        noise.append(run.evaluate(privacy=record).frame["accuracy_noise"].item())
    # Four shares of which three are enough, and Rényi divergences where the others have more.
    assert noise[0] / noise[1] == pytest.approx(math.sqrt(1 / 3), rel=0.1)


def test_where_noise_cannot_come_in_shares_it_is_said_before_anything_is_spent() -> None:
    fed, between = federation()
    record = fl.RecordDP(epsilon=2.0, delta=DELTA, rounds=4)
    for strategy in (fl.FedAvg(local_steps=2), fl.FedAvg(batch_size=8), fl.FedNewton()):
        run = fed.train(
            fl.LogisticRegression(), strategy=strategy, privacy=record, aggregation=SHARED
        )
        with pytest.raises(PrivacyError, match="one release on all rows"):
            run.step()
    assert fed.privacy.frame.empty
    run = fed.train(
        fl.LogisticRegression(), strategy=fl.FedSGD(), privacy=record, aggregation=SHARED
    )
    run.step()
    # A coordinator that says less of the sensitivity than a site knows.
    begin = next(q for q, _ in between.passed if isinstance(q.query, Advertise) and q.run == run.id)
    assert isinstance(begin.query, Advertise)
    assert begin.query.setting.sensitivity > 0
    lying = run._coordinator
    rows = {key: 10 * n for key, n in lying.declared.items()}
    run._coordinator = dataclasses.replace(lying, declared=rows)
    with pytest.raises(SecureSumError, match="what one record can change"):
        run.step()


def test_a_run_under_masks_goes_on_from_its_save(tmp_path: Path) -> None:
    fed, _ = federation()
    run = run_of(fed, promise_of(rounds=2), 1)
    again = fl.resume(run.save(tmp_path / "run"), fed)
    assert again.privacy == run.privacy
    again.step()
    assert again.rounds[-1].hidden
    with pytest.raises(PrivacyError, match="calibrated to 2 rounds"):
        again.step()
    assert isinstance(again.state.parameters, Parameters)
    assert set(RANGES) <= set(run.problem.space.schema.names)
