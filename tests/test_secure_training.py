"""Training and judging through secure sums, as an analyst and as a foe meets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import fedlab as fl
from fedlab.core.model import Model
from fedlab.engines import Connection
from fedlab.errors import PrivacyError, RefusedError, SecureSumError, TrainingError
from fedlab.queries import Refusal, Reply, Request
from fedlab.queries.secure_sum import (
    Advertise,
    Confirm,
    Mask,
    Masked,
    Open,
    SecureStep,
    ShareSecrets,
)
from fedlab.rounds import TOGETHER
from fedlab.secure_sum import SecureCoordinator, SecureSum
from fedlab.site import Site
from fedlab.strategies import Strategy
from fedlab.training import Training
from tests.builders import bits, deal, table

SIZES = (60, 50, 45, 45)
Rule = Callable[[Request], bool]


@dataclass
class Between:
    """A connection that loses, changes or writes down what passes."""

    inner: Connection
    lost: Rule = lambda request: False
    change: Callable[[Request, Reply], Reply] = lambda request, reply: reply
    passed: list[tuple[Request, Reply]] = field(default_factory=list)

    @property
    def sites(self) -> tuple[str, ...]:
        return self.inner.sites

    def ask(self, requests: Sequence[Request], on_reply: Any = None) -> list[Reply]:
        replies = []
        for request in requests:
            if self.lost(request):
                gone = Refusal("absent", "A site must answer.", "silence", "Ask again.")
                replies.append(Reply(site=request.site, round=request.round, rows=0, refusal=gone))
                continue
            (reply,) = self.inner.ask([request])
            reply = self.change(request, reply)
            self.passed.append((request, reply))
            replies.append(reply)
            if on_reply is not None:
                on_reply(reply)
        return replies


@dataclass(frozen=True)
class Wire:
    """An engine with something in between."""

    between: list[Between] = field(default_factory=list)

    def connect(self, sites: Sequence[Site]) -> Connection:
        self.between.append(Between(fl.InProcess().connect(sites)))
        return self.between[-1]


def federation(**site: Any) -> tuple[fl.Federation, Between]:
    wire = Wire()
    site = {"test_size": 0.25, "policy": fl.Policy(), **site}
    fed = fl.Federation(deal(table(200, 3), SIZES, **site), seed=5, engine=wire)
    return fed, wire.between[0]


def run_of(
    fed: fl.Federation,
    model: Model | None = None,
    rounds: int = 0,
    *,
    aggregation: Any = "secure",
    **given: Any,
) -> Training:
    run = fed.train(model or fl.LogisticRegression(), aggregation=aggregation, **given)
    run.run(rounds, progress=False)
    return run


@pytest.mark.parametrize(
    ("model", "strategy", "rounds", "preprocess"),
    [
        (fl.LogisticRegression(), None, 8, None),
        (fl.LogisticRegression(), None, 8, fl.Preprocess(impute="median", min_count=11)),
        (fl.SVC(kernel="linear"), None, 8, None),
        (fl.LogisticRegression(), fl.FedAvg(), 4, None),
        (fl.LogisticRegression(), fl.FedSGD(weighting="equal"), 4, None),
        (fl.LogisticRegression(), fl.FedAdam(), 4, None),
        (fl.LogisticRegression(), fl.FedProx(site_fraction=0.8), 4, None),
        (fl.BernoulliNB(), None, 1, fl.Preprocess()),
        (fl.KMeans(n_clusters=2), None, 3, None),
        (fl.PCA(), None, 2, None),
        (fl.RandomForestClassifier(n_trees=4, max_depth=3), None, 20, None),
        (fl.GradientBoostingClassifier(n_trees=3), None, 20, None),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_secure_run_is_the_plain_one_to_1e_8(
    model: Model, strategy: Strategy | None, rounds: int, preprocess: fl.Preprocess | None
) -> None:
    fed, _ = federation()
    given = {"strategy": strategy, "preprocess": preprocess}
    plain = run_of(fed, model, rounds, aggregation="plain", **given)
    secure = run_of(fed, model, rounds, **given)
    gap = secure.state.parameters - plain.state.parameters
    assert np.abs(gap.vector).max() <= 1e-8
    assert secure.round == plain.round
    left, right = (run.history.drop(columns="bytes").iloc[-1] for run in (secure, plain))
    for name in ("train_loss", "held_out_loss"):
        assert left[name] == pytest.approx(right[name], abs=1e-8)
    score = model.score
    assert list(secure.evaluate().frame.index) == ["(all sites)"]
    both = [run.evaluate().frame[score].iloc[-1] for run in (secure, plain)]
    assert both[0] == pytest.approx(both[1], abs=1e-8)


def test_trees_and_counts_are_the_same_to_the_bit() -> None:
    fed, _ = federation()
    forest = fl.RandomForestClassifier(n_trees=4, max_depth=3)
    runs = [run_of(fed, forest, 20, aggregation=how) for how in ("plain", "secure")]
    assert bits(runs[0].state.parameters) == bits(runs[1].state.parameters)


def test_nothing_of_a_single_site_leaves_it_in_the_clear() -> None:  # R9
    fed, between = federation()
    secure = run_of(fed, rounds=2)
    secure.evaluate()
    from_rows = [
        (request, reply)
        for request, reply in between.passed
        if request.run == secure.id and reply.answer is not None
    ]
    assert from_rows
    assert all(isinstance(request.query, SecureStep) for request, _ in from_rows)
    plain = run_of(fed, rounds=2, aggregation="plain")
    ours = {
        type(value)
        for _, reply in from_rows
        for value in [getattr(reply.answer, "values", None)]
        if value is not None
    }
    assert ours == {np.ndarray}
    # The same question twice: other keys, so nothing repeats but the sum.
    masked = [r.answer.values for q, r in from_rows if isinstance(r.answer, Masked)]
    assert len({bits(fl.core.parameters.Parameters({"v": v})) for v in masked}) == len(masked)
    assert plain.rounds[1].answers.keys() == fed.rows.keys()
    assert secure.rounds[1].answers.keys() == {TOGETHER}


STEPS = (Advertise, ShareSecrets, Mask, Confirm, Open)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_a_site_that_drops_out_at_any_step_is_survived(step: type[SecureStep]) -> None:  # R1
    fed, between = federation()
    run = run_of(fed, rounds=1)
    whole = run.fork()
    gone = sorted(fed.sites)[1]
    between.lost = lambda request: request.site == gone and isinstance(request.query, step)
    done = run.step()
    in_sum = step in (Confirm, Open)
    assert (gone in done.rows) == in_sum
    between.lost = lambda request: False
    if in_sum:
        assert np.abs((whole.step().state.parameters - run.state.parameters).vector).max() < 1e-8
    held = deal(table(200, 3), SIZES, test_size=0.25)
    others = [site for site in held if site.name != gone]
    if not in_sum:
        # The step that the three others would have taken from there.
        fed_3 = fl.Federation(others, seed=5)
        plain = fed_3.train(fl.LogisticRegression())
        plain.problem = msgspec.structs.replace(
            run.problem, rows={s: n for s, n in run.problem.rows.items() if s != gone}
        )
        plain.rounds = whole.rounds[:2]
        expected = plain.step().state.parameters
        assert np.abs((expected - run.state.parameters).vector).max() < 1e-8


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_below_the_threshold_a_round_fails_closed_and_nothing_changes(
    step: type[SecureStep],
) -> None:  # R2
    fed, between = federation()
    run = run_of(fed, rounds=1)
    before = run.rounds
    gone = sorted(fed.sites)[:2]
    between.lost = lambda request: request.site in gone and isinstance(request.query, step)
    with pytest.raises(SecureSumError, match=r"must be there|needs 3 shares"):
        run.step()
    assert run.rounds == before
    opened = [q for q, _ in between.passed if isinstance(q.query, Open)]
    between.lost = lambda request: False
    run.step()
    assert run.round == 2
    assert opened is not None


def test_survivors_of_two_tries_may_not_differ_by_one_site() -> None:  # R6
    fed, between = federation()
    run = run_of(fed, rounds=1)
    aside = run.fork()
    run.step()
    gone = sorted(fed.sites)[1]
    between.lost = lambda request: request.site == gone and isinstance(request.query, Mask)
    with pytest.raises(SecureSumError, match="differ by fewer"):
        aside.step()


def test_a_site_may_tell_nothing_outside_a_secure_sum() -> None:
    fed, _ = federation(policy=fl.Policy(reveal=False))
    with pytest.raises(RefusedError, match="only within a secure sum") as caught:
        run_of(fed, aggregation="plain")
    assert caught.value.code == "reveal"
    assert run_of(fed, rounds=1).round == 1


def test_a_site_takes_part_only_in_sums_of_as_many_as_its_policy_says() -> None:  # R6
    fed, _ = federation(policy=fl.Policy(minimum_sites=5))
    with pytest.raises(SecureSumError, match="at least 5 sites"):
        run_of(fed, rounds=1)


def test_two_sites_cannot_hide_from_each_other() -> None:
    fed = fl.Federation(deal(table(200, 3), (100, 100)))
    with pytest.raises(SecureSumError, match="at least 3"):
        run_of(fed)


def test_a_peer_that_comes_with_another_identity_is_not_trusted() -> None:  # R4
    sites = deal(table(200, 3), SIZES)
    run_of(fl.Federation(sites), rounds=1)
    stranger = deal(table(200, 3), SIZES)[0]
    with pytest.raises(SecureSumError, match="identity it is known by"):
        run_of(fl.Federation([stranger, *sites[1:]]), rounds=1)


def test_pinned_identities_hold_from_the_first_sum() -> None:  # R4
    pinned = fl.Policy(peers={"a": "00" * 32})
    fed, _ = federation(policy=pinned)
    name = sorted(fed.sites)[0]
    fed, _ = federation(policy=fl.Policy(peers={name: "00" * 32}))
    with pytest.raises(SecureSumError, match="identity it is known by"):
        run_of(fed, rounds=1)


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (fl.SCAFFOLD(), "hides what each site sent"),
        (fl.FedNova(), "hides what each site sent"),
        (fl.Ditto(), "hides what each site sent"),
        (fl.FineTuning(), "hides what each site sent"),
        (fl.FedAvg(aggregator=fl.Median()), "robust rule"),
        (fl.FedAvg(aggregator=fl.NormClipping()), "robust rule"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_needs_single_answers_says_so_before_any_is_asked(
    strategy: Strategy, said: str
) -> None:  # R24
    fed, between = federation()
    asked = len(between.passed)
    with pytest.raises(TrainingError, match=said):
        run_of(fed, strategy=strategy)
    assert len(between.passed) == asked


def test_single_contributions_are_refused_with_a_reason() -> None:
    fed, _ = federation()
    run = run_of(fed, strategy=fl.FedAvg(), rounds=2)
    with pytest.raises(TrainingError, match="hidden in secure sums"):
        run.contributions()


def test_a_round_says_what_is_hidden() -> None:
    fed, _ = federation()
    run = run_of(fed, rounds=1)
    done = run.rounds[-1]
    assert "A secure sum" in done._repr_html_()
    assert list(done.frame.index) == sorted(fed.sites)
    assert done.frame["update_norm"].isna().all()
    assert (done.frame["bytes"] > 500).all()
    assert run.history["sites"].iloc[-1] == 4
    assert run.plot().data


def test_values_that_are_too_large_are_refused_with_a_remedy() -> None:  # R8
    fed, _ = federation()
    with pytest.raises(SecureSumError, match="larger than its share"):
        run_of(fed, aggregation=SecureSum(bits=52), rounds=1)


def test_noise_and_masks_go_together_and_the_ledgers_are_the_same() -> None:
    promise = fl.RecordDP(epsilon=3.0, delta=1e-5, rounds=3)
    spent = []
    for how in ("plain", "secure"):
        fed = fl.Federation(deal(table(200, 3), SIZES, test_size=0.25))
        run = run_of(fed, strategy=fl.FedAvg(), rounds=3, aggregation=how, privacy=promise)
        spent.append((run.state.parameters, fed.privacy.totals["epsilon_spent"].tolist()))
        assert run.history["epsilon"].iloc[-1] == pytest.approx(3.0, abs=0.01)
    assert np.abs((spent[0][0] - spent[1][0]).vector).max() < 1e-8
    assert spent[0][1] == spent[1][1]


def test_a_secure_run_goes_on_from_its_save_as_a_secure_run(tmp_path: Path) -> None:
    fed, _ = federation()
    run = run_of(fed, rounds=1)
    path = run.save(tmp_path / "run")
    again = fl.resume(path, fed)
    again.step()
    assert again.rounds[-1].hidden
    assert isinstance(again._coordinator, SecureCoordinator)


@pytest.mark.parametrize("how", ["masked", "", 7])
def test_aggregation_has_two_ways(how: Any) -> None:
    fed, _ = federation()
    with pytest.raises(TrainingError, match="'plain', 'secure' or a SecureSum"):
        run_of(fed, aggregation=how)


def test_what_was_seen_of_the_latest_sums_can_be_looked_at() -> None:
    fed, between = federation()
    run = run_of(fed, rounds=1)
    gone = sorted(fed.sites)[1]
    between.lost = lambda request: request.site == gone and isinstance(request.query, Mask)
    run.step()
    assert isinstance(run._coordinator, SecureCoordinator)
    records = [each for each in run._coordinator.records if each.query == "NewtonStep"]
    assert records[-1].lost == {gone: "masked values"}
    assert set(records[-1].bytes[gone]) == {"keys", "shares"}
    assert len(run._coordinator.records) <= 16


def test_the_analyst_may_pin_who_the_sites_are() -> None:  # R4
    sites = deal(table(200, 3), SIZES)
    keys = {site.name: site.identity for site in sites}
    assert fl.Federation(sites, identities=keys).sites == tuple(sorted(keys))
    with pytest.raises(PrivacyError, match="another identity"):
        fl.Federation(sites, identities={**keys, "s00": keys["s01"]})
    with pytest.raises(PrivacyError, match="no such site"):
        fl.Federation(sites, identities={"stranger": keys["s01"]})
