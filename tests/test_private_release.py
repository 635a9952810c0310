"""What leaves a site under RecordDP: bounded, noised, counted, and nothing beside it."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import fedlab as fl
from fedlab.core.parameters import Array, Parameters
from fedlab.core.wire import encode
from fedlab.errors import PrivacyError
from fedlab.privacy import RecordDP, Releases, calibrate, system_noise, teaching_noise
from fedlab.queries import Answer, Context, Query, Rows, Tally, Update
from fedlab.site import Site
from tests.builders import (
    MODEL,
    PROMISE,
    Recorder,
    answer_of,
    ask,
    batch_sizes,
    deal,
    fit,
    histogram,
    numeric,
    table,
)

NUMBERS = st.floats(-1e6, 1e6)


def site_of(frame: pd.DataFrame, **options: Any) -> Site:
    return deal(frame, [len(frame)], **options)[0]


def hidden(query: Query, features: pd.DataFrame, target: pd.Series, **options: Any) -> Recorder:
    recorder = Recorder()
    query.compute(Rows(features, target), recorder.context(**options))
    return recorder


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[pd.DataFrame, int]:
    """A table of wild values, and which of its rows the neighbour does not have."""
    n_rows = draw(st.integers(2, 8))
    values = draw(arrays.arrays(np.float64, (n_rows, 3), elements=NUMBERS))
    died = draw(arrays.arrays(np.int64, n_rows, elements=st.integers(0, 1)))
    frame = pd.DataFrame(values, columns=["age", "lab", "smoker"]).assign(died=died)
    return frame, draw(st.integers(0, n_rows - 1))


# R14
@settings(max_examples=60)
@given(neighbours(), st.floats(0.01, 10), arrays.arrays(np.float64, 4, elements=st.floats(-5, 5)))
def test_a_row_changes_the_sum_of_gradients_by_at_most_the_clipping_norm(
    case: tuple[pd.DataFrame, int], clip: float, start: Array
) -> None:
    frame, row = case
    site = site_of(numeric(20))
    at = MODEL.init(fit(site).space).like(start)
    query = fit(site, parameters=at, steps=1)
    fewer = frame.drop(index=row).reset_index(drop=True)
    sums = [
        hidden(query, f.drop(columns="died"), f["died"], clipping_norm=clip) for f in (frame, fewer)
    ]
    change = np.linalg.norm(sums[0].values[0] - sums[1].values[0])
    assert change <= clip * (1 + 1e-9)
    assert sums[0].scales == sums[1].scales == [clip]


@settings(max_examples=40)
@given(neighbours(), st.integers(1, 5), st.sampled_from([2, 10, 100]))
def test_a_row_changes_all_histograms_together_by_at_most_their_sensitivity(
    case: tuple[pd.DataFrame, int], n_candidates: int, bins: int
) -> None:
    frame, row = case
    site = site_of(numeric(20))
    space = fit(site).space
    random = np.random.default_rng(n_candidates)
    start = MODEL.init(space)
    candidates = tuple(start.like(random.normal(size=4)) for _ in range(n_candidates))
    query = histogram(site, bins=bins, candidates=candidates)
    fewer = frame.drop(index=row).reset_index(drop=True)
    one, other = (hidden(query, f.drop(columns="died"), f["died"]) for f in (frame, fewer))
    change = np.linalg.norm(one.values[0] - other.values[0])
    assert change <= one.scales[0] * (1 + 1e-12)
    assert one.scales == other.scales == [pytest.approx(math.sqrt(n_candidates))]


# R14
def test_the_divisor_is_the_batch_size_asked_for_and_never_the_size_of_the_sample() -> None:
    frame = numeric(40, seed=41)
    site = site_of(frame)
    features, target = frame.drop(columns="died"), frame["died"]
    query = fit(site, batch_size=8, steps=1, learning_rate=1.0, penalty=0.0)
    sizes = set()
    for seed in range(12):
        recorder = Recorder()
        update = query.compute(Rows(features, target), recorder.context(seed=seed))
        assert isinstance(update, Update)
        np.testing.assert_allclose(update.delta.vector, -recorder.values[0] / 8, rtol=0, atol=1e-15)
        sizes.add(len(next(query._batches(40, recorder.context(seed=seed)))))
    assert len(sizes) > 3


def test_the_ledger_claims_the_rate_that_was_sampled_with() -> None:
    site = site_of(table(64, seed=42))
    reply = ask(site, fit(site, batch_size=16), privacy=PROMISE)
    assert reply.charge is not None
    assert (reply.charge.sampling_rate, reply.charge.count) == (0.25, 4)
    assert reply.charge.noise_multiplier == calibrate(PROMISE, Releases(4, 0.25))


# R15
def test_a_zero_update_and_an_empty_batch_get_noise() -> None:
    frame = numeric(30, seed=43)
    site = site_of(frame)
    sure = MODEL.init(fit(site).space).like(np.array([0, 0, 0, 800.0]))
    certain = frame.assign(died=1)
    recorder = hidden(
        fit(site, parameters=sure, steps=1), certain.drop(columns="died"), certain["died"]
    )
    assert np.abs(recorder.values[0]).max() == 0
    random = np.random.default_rng(0)
    context = recorder.context()
    context.noise = teaching_noise(random)
    update = fit(site, parameters=sure, steps=1, penalty=0.0).compute(
        Rows(certain.drop(columns="died"), certain["died"]), context
    )
    assert isinstance(update, Update)
    assert (update.delta.vector != 0).all()
    # One row in 30 a step: most samples are empty, and every step is noised all the same.
    sparse = fit(site, batch_size=1, steps=50)
    assert 0 in batch_sizes(sparse, 30, 1)
    assert len(hidden(sparse, frame.drop(columns="died"), frame["died"]).values) == 50


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_fails_closed(value: float) -> None:
    for noise in (system_noise, teaching_noise(np.random.default_rng(0))):
        with pytest.raises(PrivacyError, match="finite"):
            noise(np.array([0.0, value]), 1.0)
    site = site_of(table(64, seed=44))
    at = MODEL.init(fit(site).space).like(np.full(7, value))
    reply = ask(site, fit(site, parameters=at), privacy=PROMISE)
    assert reply.answer is None
    assert reply.refusal is not None
    assert reply.refusal.code == "failed"


class Greedy(Query, msgspec.Struct, frozen=True, tag=True):
    """Announces one release and makes more, or none at all, or reads what it said it would not."""

    releasing: int

    def compute(self, rows: Rows, context: Context) -> Answer:
        total = rows.target.to_numpy(float).sum(keepdims=True)
        for _ in range(self.releasing):
            total = context.release(total, 1.0)
        return Tally({"sum": total})

    def releases(self, n_rows: int) -> Releases | None:
        return Releases(1)

    def accepts(self, answer: Answer) -> bool:
        return isinstance(answer, Tally)


@pytest.mark.parametrize("releasing", [2, 5])
def test_a_query_that_releases_more_than_it_announced_is_refused(releasing: int) -> None:
    site = site_of(table(64, seed=45))
    reply = ask(site, Greedy(releasing), privacy=PROMISE)
    assert reply.answer is None
    assert reply.refusal is not None
    assert len(site.ledger.frame) == 1


def test_a_query_that_forgets_to_release_lets_nothing_out() -> None:
    site = site_of(table(64, seed=45))
    assert ask(site, Greedy(1), privacy=PROMISE).refusal is None
    reply = ask(site, Greedy(0), privacy=PROMISE)
    assert reply.answer is None


class Sly(Greedy, frozen=True, tag=True):
    """Says that it reads no row, and does."""

    reads_rows = False


def test_a_query_that_says_it_reads_no_row_is_given_none() -> None:
    site = site_of(table(64, seed=45), policy=fl.Policy(epsilon=1.0, minimum_rows=65))
    reply = ask(site, Sly(0))
    assert reply.answer is None


@pytest.mark.parametrize("clip", [0.5, 2.0])
def test_the_noise_has_the_size_that_the_ledger_paid_for(clip: float) -> None:
    frame = table(64, seed=46)
    site = site_of(frame)
    promise = RecordDP(epsilon=1.0, delta=1e-5, rounds=1, clipping_norm=clip)
    query = fit(site, steps=1, learning_rate=1.0, penalty=0.0)
    exact = hidden(query, frame.drop(columns="died"), frame["died"], clipping_norm=clip).values[0]
    noise = []
    for number in range(300):
        reply = ask(site, query, privacy=promise, run=f"run-{number}", round=number)
        update = answer_of(reply)
        assert isinstance(update, Update)
        noise.append(-64 * update.delta.vector - exact)
    assert reply.charge is not None
    expected = reply.charge.noise_multiplier * clip
    # 2,100 draws: the standard error of a standard deviation is 1.5 percent of it.
    assert np.std(noise) == pytest.approx(expected, rel=0.07)
    assert abs(np.mean(noise)) < 5 * expected / math.sqrt(2100)


def test_a_private_reply_holds_nothing_but_the_noisy_update() -> None:
    site = site_of(table(64, seed=47))
    reply = ask(site, fit(site), privacy=PROMISE)
    update = answer_of(reply)
    assert isinstance(update, Update)
    fields = msgspec.msgpack.decode(encode(reply))
    names = {"site", "round", "rows", "charge", "answer", "refusal", "signature"}
    assert set(fields) == names
    assert reply.signature == b""
    assert set(fields["answer"]) == {"type", "delta"}
    assert set(fields["answer"]["delta"]) == {"coef", "intercept"}
    assert fields["rows"] == 64
    assert set(fields["charge"]) == {"noise_multiplier", "sampling_rate", "count", "mechanism"}


def test_a_private_run_asks_for_nothing_beside_the_noisy_updates() -> None:
    site = site_of(table(64, seed=48))
    run = fl.Federation([site]).train(MODEL, strategy=fl.FedAvg(batch_size=None), privacy=PROMISE)
    done = run.step()
    assert set(site.audit.frame["query"]) == {"Describe", "LocalFit"}
    assert site.ledger.frame["noise_multiplier"].notna().all()
    assert (done.before, done.after, done.held_out) == ({}, {}, {})
    assert done.frame["loss_after"].isna().all()
    assert run.history["train_loss"].isna().all()


def test_without_a_range_for_every_number_a_private_run_does_not_begin() -> None:
    sites = deal(table(64, seed=50), [64], ranges={"age": (20, 100)})
    with pytest.raises(PrivacyError, match="no range for 'lab', 'smoker'"):
        fl.Federation(sites).train(MODEL, strategy=fl.FedAvg(), privacy=PROMISE)
    assert set(sites[0].audit.frame["query"]) == {"Describe"}


def test_a_strategy_without_bounded_sensitivity_offers_no_privacy() -> None:
    fed = fl.Federation(deal(table(64), [64]))
    with pytest.raises(PrivacyError, match="FedSums has no bounded sensitivity"):
        fed.train(MODEL, strategy=fl.FedSums(), privacy=PROMISE)
    private = fed.train(MODEL, strategy=fl.FedAvg(), privacy=PROMISE)
    with pytest.raises(PrivacyError, match="FedSums has no bounded sensitivity"):
        private.fork(strategy=fl.FedSums())
    with pytest.raises(fl.errors.TrainingError, match="private from its start"):
        fed.train(MODEL, strategy=fl.FedAvg()).fork(privacy=PROMISE)


def test_parameters_of_rows_far_outside_the_ranges_are_still_clipped() -> None:
    frame = numeric(64, seed=51)
    frame.loc[0, "age"] = 1e200
    site = site_of(frame)
    reply = ask(site, fit(site), privacy=PROMISE)
    update = answer_of(reply)
    assert isinstance(update, Update)
    assert isinstance(update.delta, Parameters)
    assert np.abs(update.delta.vector).max() < 100
