"""The ε of a whole site: clipped before averaging, weights in the sensitivity, counts paid for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fedlab.core.parameters import Array, Parameters
from fedlab.core.wire import decode, encode
from fedlab.errors import PrivacyError
from fedlab.privacy import (
    AdaptiveClipping,
    Event,
    RecordDP,
    Releases,
    SiteDP,
    calibrate,
    epsilon_bound,
    epsilon_spent,
    system_noise,
    teaching_noise,
)
from fedlab.privacy.site_level import (
    SiteRound,
    clip_update,
    for_records,
    private_round,
    sensitivity_of_mean,
    site_event,
)
from tests.builders import DELTA, Recorder, ask, deal, histogram, numeric

PROMISE = SiteDP(epsilon=8.0, delta=1e-3, rounds=10, clipping_norm=0.5)
WILD = st.floats(-1e300, 1e300)


def updates_of(vectors: dict[str, Array]) -> dict[str, Parameters]:
    return {site: Parameters({"w": vector}) for site, vector in vectors.items()}


def mean_of(updates: dict[str, Parameters], weights: dict[str, float], **options: object) -> Array:
    """What is to be hidden."""
    recorder = Recorder()
    private_round(updates, weights, PROMISE, recorder, noise_multiplier=1.0)
    assert recorder.scales == [sensitivity_of_mean(weights, 0.5)]
    return recorder.values[0]


# R14
@settings(max_examples=80)
@given(
    arrays.arrays(np.float64, (4, 3), elements=WILD),
    st.lists(st.floats(1e-3, 1e6), min_size=4, max_size=4),
    st.integers(0, 3),
)
def test_a_site_that_is_there_or_not_changes_the_mean_by_at_most_its_sensitivity(
    vectors: Array, weighed: list[float], gone: int
) -> None:
    sites = "abcd"
    weights = dict(zip(sites, weighed, strict=True))
    updates = updates_of(dict(zip(sites, vectors, strict=True)))
    fewer = {site: update for site, update in updates.items() if site != sites[gone]}
    change = np.linalg.norm(mean_of(updates, weights) - mean_of(fewer, weights))
    assert change <= sensitivity_of_mean(weights, 0.5) * (1 + 1e-9)


# R14
@settings(max_examples=40)
@given(arrays.arrays(np.float64, (2, 3), elements=WILD), st.floats(1e-3, 1e6))
def test_a_record_that_turns_its_sites_update_around_is_hidden_by_half_the_multiplier(
    vectors: Array, weight: float
) -> None:
    weights = {"a": weight, "b": 1.0}
    one, other = (updates_of({"a": v, "b": np.zeros(3)}) for v in vectors)
    change = np.linalg.norm(mean_of(one, weights) - mean_of(other, weights))
    assert change <= 2 * sensitivity_of_mean(weights, 0.5) * (1 + 1e-9)
    assert for_records(Event(3.0, count=4)) == Event(1.5, count=4)


# R12, R14
def test_a_site_of_most_of_the_weight_costs_far_more_than_equal_weights_would_say() -> None:
    rows = {"a": 900.0, "b": 25.0, "c": 25.0, "d": 25.0, "e": 25.0}
    equal = dict.fromkeys(rows, 1.0)
    # Noise of z = 1 scaled by 1 / n, over means by rows and over equal means.
    noise = 1.0 / 5
    assert round(epsilon_spent([site_event(noise, rows, 1.0)], DELTA), 1) == 28.6
    assert round(epsilon_spent([site_event(noise, equal, 1.0)], DELTA), 2) == 4.38


# R12
def test_the_noise_of_a_promise_keeps_it_over_all_its_rounds() -> None:
    z = calibrate(PROMISE, Releases(1), unit="site")
    spent = [private_round(some(), ones(), PROMISE, keep, noise_multiplier=z).event] * 10
    assert 7.95 < epsilon_spent(spent, PROMISE.delta) <= 8.0


def keep(values: Array, scale: float) -> Array:
    return values


def some(n_sites: int = 4) -> dict[str, Parameters]:
    random = np.random.default_rng(n_sites)
    return {f"s{i}": Parameters({"w": random.normal(size=3)}) for i in range(n_sites)}


def ones(n_sites: int = 4) -> dict[str, float]:
    return {f"s{i}": 1.0 for i in range(n_sites)}


def test_a_round_is_the_mean_of_clipped_updates_over_all_that_were_asked() -> None:
    updates = updates_of({"a": np.array([3.0, 4.0]), "b": np.array([0.1, 0.0])})
    weights = {"a": 1.0, "b": 3.0, "lost": 4.0}
    recorder = Recorder()
    done = private_round(updates, weights, PROMISE, recorder, noise_multiplier=2.0)
    # (1 * (0.3, 0.4) + 3 * (0.1, 0)) / 8: a site that is gone is in the denominator.
    np.testing.assert_allclose(done.mean["w"], [0.6 / 8, 0.4 / 8])
    assert recorder.scales == [2.0 * 0.5 * 4 / 8]
    assert done.clipping_norm == 0.5
    assert done.event == Event(2.0)


def test_the_order_of_sites_changes_no_bit() -> None:
    updates, weights = some(7), ones(7)
    backwards = dict(reversed(list(updates.items())))
    assert (mean_of(updates, weights) == mean_of(backwards, weights)).all()


# R15
def test_zero_and_integer_updates_get_noise() -> None:
    noise = teaching_noise(np.random.default_rng(0))
    for value in (np.zeros(4), np.array([1, 2, 3, 4])):
        updates = {"a": Parameters({"w": value}), "b": Parameters({"w": np.zeros(4)})}
        weights = {"a": 1.0, "b": 1.0}
        done = private_round(updates, weights, PROMISE, noise, noise_multiplier=1.0)
        exact = mean_of(updates, weights)
        assert (done.mean["w"] != exact).all()


# R15
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_update_that_is_not_finite_stops_the_round_before_noise_is_drawn(value: float) -> None:
    recorder = Recorder()
    updates = {**some(), "s1": Parameters({"w": [0.0, value, 0.0]})}
    with pytest.raises(PrivacyError, match="finite updates"):
        private_round(updates, ones(), PROMISE, recorder, noise_multiplier=1.0)
    assert recorder.values == []


def test_updates_of_sites_that_were_not_asked_and_no_updates_are_refused() -> None:
    for updates in (some(5), {}):
        with pytest.raises(PrivacyError, match="sites that were asked"):
            private_round(updates, ones(4), PROMISE, keep, noise_multiplier=1.0)
    for weights in ({}, {"a": 0.0, "b": 1.0}, {"a": math.nan}, {"a": math.inf}):
        with pytest.raises(PrivacyError, match="positive weights"):
            sensitivity_of_mean(weights, 1.0)


@given(arrays.arrays(np.float64, 5, elements=WILD), st.floats(1e-3, 1e3))
def test_clipping_shortens_to_the_norm_and_leaves_shorter_updates_alone(
    vector: Array, norm: float
) -> None:
    update = Parameters({"w": vector})
    clipped = clip_update(update, norm)
    assert np.linalg.norm(clipped.vector) <= norm * (1 + 1e-12)
    if np.abs(vector).max() < norm / 3:
        assert clipped == update


# R16
def test_deployed_noise_forgets_numpys_seed_and_lies_on_a_grid() -> None:
    done = []
    for _ in range(2):
        np.random.seed(0)  # noqa: NPY002  what must not matter
        done.append(private_round(some(), ones(), PROMISE, system_noise, noise_multiplier=1.0))
    assert (done[0].mean.vector != done[1].mean.vector).all()
    grid = np.ldexp(done[0].mean.vector, 60)
    assert (grid == np.round(grid)).all()


# R18
@pytest.mark.parametrize(("z", "share"), [(0.8, 0.3), (3.0, 0.05)])
def test_counting_for_adaptive_clipping_is_paid_for_by_the_updates(z: float, share: float) -> None:
    adaptive = AdaptiveClipping(count_share=share)
    updates, count = adaptive.split(z)
    assert updates > z
    # One site moves the count about one half by at most one half.
    both = [Event(updates), Event(count / 0.5)]
    for known in (epsilon_bound, epsilon_spent):
        assert known(both, DELTA) == pytest.approx(known([Event(z)], DELTA), rel=1e-3)


# R18
def test_a_round_with_adaptive_clipping_hides_updates_and_count_and_charges_both() -> None:
    promise = SiteDP(
        epsilon=8.0, delta=1e-3, rounds=10, clipping_norm=0.5, adaptive=AdaptiveClipping()
    )
    updates = updates_of({"a": np.array([3.0, 4.0]), "b": np.array([0.1, 0.0])})
    weights = {"a": 1.0, "b": 1.0, "lost": 1.0}
    recorder = Recorder()
    done = private_round(updates, weights, promise, recorder, noise_multiplier=2.0)
    multiplier, noise = AdaptiveClipping().split(2.0)
    assert recorder.scales == [multiplier * 0.5 / 3, noise]
    # One of two is unclipped: 1/2 - 1/2 about one half, over three sites that were asked.
    assert recorder.values[1].tolist() == [0.0]
    assert done.clipping_norm == pytest.approx(0.5)
    assert done.event == Event(2.0)


def test_the_clipping_norm_follows_the_quantile_of_the_sites_norms() -> None:
    random = np.random.default_rng(1)
    norms = random.lognormal(1.0, 0.5, 100)
    updates = {f"s{i:03}": Parameters({"w": [norm]}) for i, norm in enumerate(norms)}
    weights = dict.fromkeys(updates, 1.0)
    for quantile in (0.25, 0.8):
        promise = SiteDP(
            epsilon=8.0, delta=1e-3, rounds=60, adaptive=AdaptiveClipping(quantile=quantile)
        )
        norm, noise = promise.clipping_norm, teaching_noise(random)
        for _ in range(60):
            done: SiteRound = private_round(
                updates, weights, promise, noise, noise_multiplier=1.0, clipping_norm=norm
            )
            norm = done.clipping_norm
        assert norm == pytest.approx(np.quantile(norms, quantile), rel=0.2)


def test_arguments_out_of_range_are_refused_in_words() -> None:
    with pytest.raises(PrivacyError, match="epsilon must be positive"):
        SiteDP(epsilon=0.0, delta=1e-3)
    for name in ("quantile", "learning_rate", "count_share"):
        for value in (0.0, -1.0, math.inf, math.nan):
            with pytest.raises(PrivacyError, match=name):
                AdaptiveClipping(**{name: value})


# R13
def test_a_promise_says_its_unit_and_relation_and_travels() -> None:
    promise = SiteDP(epsilon=8.0, delta=1e-3, rounds=10, adaptive=AdaptiveClipping())
    assert (promise.unit, promise.neighbours) == ("site", "add or remove one site")
    # Told apart on the wire from a promise about records.
    record = RecordDP(epsilon=1.0, delta=1e-5)
    either: Any = SiteDP | RecordDP | None
    for each in (promise, record):
        assert decode(encode(each), either) == each


# R13
def test_a_promise_about_sites_is_never_taken_for_one_about_records() -> None:
    with pytest.raises(PrivacyError, match="keeps no promise about a site"):
        calibrate(PROMISE, Releases(1))
    with pytest.raises(PrivacyError, match="keeps no promise about a record"):
        calibrate(RecordDP(epsilon=1.0, delta=1e-5), Releases(1), unit="site")
    site = deal(numeric(40), [40])[0]
    promise: Any = PROMISE
    reply = ask(site, histogram(site), privacy=promise)
    assert reply.answer is None
    assert reply.refusal is not None
    assert len(site.ledger.frame) == 0
