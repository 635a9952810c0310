"""Noise in shares: enough of it with any survivors, and no more claimed than the theorem says."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fedlab.core.parameters import Array, Parameters
from fedlab.errors import PrivacyError, SecureSumError
from fedlab.privacy import Event, RecordDP, Releases, SiteDP, calibrate, epsilon_spent
from fedlab.privacy.secure.distributed_noise import (
    Whole,
    add_noise,
    event_of,
    in_steps,
    local_scale,
    noisy_share,
    system_whole_noise,
    teaching_whole_noise,
)
from fedlab.privacy.secure.fixed_point import largest, quantise, read_sum
from fedlab.privacy.secure.pads import Ring
from fedlab.privacy.site_level import clip_update
from tests.builders import DELTA
from tests.test_secure_protocol import Cohort

BITS = 20
PROMISE = RecordDP(epsilon=2.0, delta=DELTA, rounds=10)


def discrete_gaussian(scale: float, reach: int) -> Array:
    numbers = np.arange(-reach, reach + 1)
    mass = np.exp(-(numbers**2) / (2 * scale**2))
    return np.asarray(mass / mass.sum())


def renyi(order: float, mass: Array, shift: int) -> float:
    """Rényi divergence of a distribution on whole numbers from itself, shifted."""
    one, other = mass[shift:], mass[: len(mass) - shift]
    some = (one > 1e-280) & (other > 1e-280)
    total = np.sum(np.exp(order * np.log(one[some]) + (1 - order) * np.log(other[some])))
    return float(np.log(total) / (order - 1))


# R12: proposition 14 against the divergence itself, of sums that are far from Gaussian, too
@pytest.mark.parametrize("scale", [0.5, 0.6, 0.8, 1.0, 3.0])
@pytest.mark.parametrize("n_sites", [1, 2, 3, 5])
@pytest.mark.parametrize("shift", [1, 2])
def test_the_bound_is_above_the_divergence_of_the_sum(
    scale: float, n_sites: int, shift: int
) -> None:
    one = discrete_gaussian(scale, math.ceil(14 * scale))
    mass = one
    for _ in range(n_sites - 1):
        mass = np.convolve(mass, one)
    event = event_of(scale, float(shift), n_values=1, least=n_sites, n_sites=n_sites)
    for order in (1.5, 2.0, 4.0, 8.0):
        assert renyi(order, mass, shift) <= order / (2 * event.noise_multiplier**2) * (1 + 1e-9)


def test_the_distance_of_two_sites_is_the_one_term_of_its_sum() -> None:
    event = event_of(0.5, 1.0, n_values=9, least=2, n_sites=2)
    tau = 10 * math.exp(-2 * math.pi**2 * 0.25 / 2)
    assert 1 / event.noise_multiplier == pytest.approx(1 / (math.sqrt(2) * 0.5) + 3 * tau)
    assert event.mechanism == "concentrated"
    # With steps as fine as they are, nothing of it is left.
    assert event_of(8.0, 8.0, n_values=10**6, least=4, n_sites=9).noise_multiplier == 2.0


def by_hand(rho: float) -> float:
    """ε of zero-concentrated privacy (Canonne, Kamath and Steinke 2020, corollary 13)."""
    orders = 1 + np.geomspace(1e-2, 1e3, 20_000)
    losses = rho * orders + np.log(1 / (orders * DELTA)) / (orders - 1) + np.log1p(-1 / orders)
    return float(losses.min())


# R12
def test_a_promise_kept_by_shares_of_noise_costs_what_the_theorem_says() -> None:
    n_sites, least, n_values = 6, 4, 50
    z = calibrate(PROMISE, Releases(1), mechanism="concentrated")
    steps = in_steps(0.7, weight=3, bits=BITS, n_values=n_values)
    scale = local_scale(z, steps, least=least)
    event = event_of(scale, steps, n_values=n_values, least=least, n_sites=n_sites)
    assert event == Event(event.noise_multiplier, mechanism="concentrated")
    assert event.noise_multiplier == pytest.approx(z)
    # Worked out without our accountant, from the scale that a site adds.
    rho = 10 * steps**2 / (2 * least * scale**2)
    spent = epsilon_spent([event] * 10, DELTA)
    assert by_hand(rho) <= spent <= by_hand(rho) * 1.01
    assert 1.99 < spent <= 2.0 + 1e-6


def test_the_event_of_a_share_is_known_before_anything_is_computed() -> None:
    for z, bits, sites in ((0.5, 32, 3), (3.0, 12, 40), (11.0, 20, 7)):
        values: Ring = np.zeros(1000, dtype=np.uint64)
        noisy, event = noisy_share(
            values,
            teaching_whole_noise(np.random.default_rng(0)),
            noise_multiplier=z,
            sensitivity=1.0,
            weight=5,
            bits=bits,
            least=sites - 1,
            n_sites=sites,
        )
        assert event.noise_multiplier == pytest.approx(z, rel=1e-15)
        needed = z * in_steps(1.0, weight=5, bits=bits, n_values=1000) / math.sqrt(sites - 1)
        assert noisy.view(np.int64).std() == pytest.approx(needed, rel=0.1)


# R17
@settings(max_examples=20)
@given(st.integers(3, 6), st.data())
def test_any_survivors_that_may_be_left_bring_enough_noise(
    n_sites: int, data: st.DataObject
) -> None:
    lost = data.draw(st.integers(0, n_sites - 2))
    least, n_values = n_sites - lost, 4000
    steps = in_steps(1.0, weight=1, bits=BITS, n_values=n_values)
    scale = local_scale(2.0, steps, least=least)
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    noise = teaching_whole_noise(random)
    zeros: Ring = np.zeros(n_values, dtype=np.uint64)
    shares = [add_noise(zeros, scale, n_sites, noise) for _ in range(n_sites)]
    needed = 2.0 * steps
    for size in range(least, n_sites + 1):
        for survivors in combinations(range(n_sites), size):
            total: Ring = np.sum([shares[i] for i in survivors], axis=0, dtype=np.uint64)
            spread = total.view(np.int64).astype(float).std()
            # 4,000 draws: the standard error of a standard deviation is 1.1 percent of it.
            assert spread == pytest.approx(needed * math.sqrt(size / least), rel=0.06)
    fewer = event_of(scale, steps, n_values=n_values, least=least, n_sites=n_sites)
    assert fewer.noise_multiplier == pytest.approx(2.0)


@settings(max_examples=80)
@given(
    arrays.arrays(np.float64, (2, 6), elements=st.floats(-100, 100)),
    st.integers(1, 1000),
    st.sampled_from([0, 4, 20]),
)
def test_rounding_adds_no_more_to_the_sensitivity_than_is_provided_for(
    pair: Array, weight: int, bits: int
) -> None:
    sensitivity = float(np.linalg.norm(pair[0] - pair[1]))
    if sensitivity == 0:
        return
    one, other = (quantise(each * weight, bits, 3).view(np.int64) for each in pair)
    change = np.linalg.norm((one - other).astype(float))
    assert change <= in_steps(sensitivity, weight=weight, bits=bits, n_values=6)


def test_the_sum_under_noise_is_the_sum_and_its_noise() -> None:
    random = np.random.default_rng(3)
    values = random.normal(size=(4, 5))
    scale = 100.0
    drawn: list[Whole] = []

    def noise(n_values: int, scale: float) -> Whole:
        drawn.append(teaching_whole_noise(random)(n_values, scale))
        return drawn[-1]

    hidden = [add_noise(quantise(row, BITS, 4), scale, 4, noise) for row in values]
    opened = read_sum(np.sum(hidden, axis=0, dtype=np.uint64), BITS)
    exact = sum(read_sum(quantise(row, BITS, 4), BITS) for row in values)
    np.testing.assert_allclose(opened, exact + np.sum(drawn, axis=0) / 2**BITS, atol=1e-12)
    # R16: on the common grid of whole steps.
    assert (opened * 2**BITS == np.round(opened * 2**BITS)).all()


# R15
def test_zeros_and_nothing_get_noise_and_no_error() -> None:
    zeros: Ring = np.zeros(2000, dtype=np.uint64)
    noisy = add_noise(zeros, 1000.0, 3, system_whole_noise)
    assert (noisy != 0).mean() > 0.99
    assert add_noise(zeros[:0], 1000.0, 3, system_whole_noise).shape == (0,)
    assert (zeros == 0).all()


# R16
def test_system_noise_is_whole_has_its_scale_and_forgets_numpys_seed() -> None:
    drawn = []
    for _ in range(2):
        np.random.seed(0)  # noqa: NPY002  what must not matter
        drawn.append(system_whole_noise(3000, 50.0))
    assert drawn[0].dtype == np.int64
    assert (drawn[0] != drawn[1]).any()
    both = np.concatenate(drawn)
    assert both.std() == pytest.approx(50.0, rel=0.05)
    assert abs(both.mean()) < 5 * 50 / math.sqrt(6000)
    # Also where a double no longer holds all of its digits.
    assert system_whole_noise(3000, 2.0**45).astype(float).std() == pytest.approx(2.0**45, rel=0.08)


def test_what_leaves_no_room_or_is_too_coarse_is_refused() -> None:
    with pytest.raises(PrivacyError, match="at least 8 steps"):
        local_scale(2.0, 4.0, least=4)
    with pytest.raises(PrivacyError, match="one site"):
        local_scale(2.0, 1000.0, least=0)
    zeros: Ring = np.zeros(3, dtype=np.uint64)
    for scale in (0.0, math.inf, math.nan, 2.0**57):
        with pytest.raises(PrivacyError, match="below 2\\^63"):
            add_noise(zeros, scale, 3, system_whole_noise)
    full = np.full(1, largest(3), dtype=np.int64).view(np.uint64)
    with pytest.raises(SecureSumError, match="add up"):
        add_noise(full, 10.0, 3, system_whole_noise)
    for sensitivity, weight in ((0.0, 1), (math.inf, 1), (math.nan, 1), (1.0, 0)):
        with pytest.raises(PrivacyError, match="positive sensitivity"):
            in_steps(sensitivity, weight=weight, bits=BITS, n_values=3)


# R17: whole site-level rounds through real masks, whoever of those that may be gone is gone
@pytest.mark.parametrize("gone", [(), (0,), (1, 4)])
def test_a_masked_sum_of_clipped_updates_opens_to_the_mean_and_enough_noise(
    gone: tuple[int, ...],
) -> None:
    n_sites, n_values = 5, 3000
    promise = SiteDP(epsilon=8.0, delta=1e-3, rounds=4, clipping_norm=0.5)
    z = calibrate(promise, Releases(1), unit="site", mechanism="concentrated")
    weights = (3, 1, 2, 1, 1)
    cohort = Cohort(n_sites, weights=weights, bits=BITS, mean=True)
    # Below its threshold no sum is opened, so that is what noise is calibrated to.
    least = cohort.setting.threshold
    assert n_sites - len(gone) >= least == 3
    random = np.random.default_rng(len(gone))
    exact, events = np.zeros(n_values), set()
    for index, name in enumerate(cohort.names):
        update = clip_update(Parameters({"w": random.normal(size=n_values)}), 0.5)
        weighted = quantise(update.vector * weights[index], BITS, n_sites)
        cohort.values[name], event = noisy_share(
            weighted,
            teaching_whole_noise(random),
            noise_multiplier=z,
            sensitivity=promise.clipping_norm,
            weight=max(weights),
            bits=BITS,
            least=least,
            n_sites=n_sites,
        )
        events.add(event)
        if index not in gone:
            exact += read_sum(weighted, BITS)
    total, survivors = cohort.run({cohort.names[i]: 2 for i in gone})
    opened = read_sum(np.array(total, dtype=np.uint64), BITS)
    needed = z * max(weights) * promise.clipping_norm
    spread = (opened - exact).std()
    assert spread == pytest.approx(needed * math.sqrt(len(survivors) / least), rel=0.06)
    (event,) = events
    assert epsilon_spent([event] * 4, 1e-3) <= 8.0 + 1e-6
    # No single site's own share would be enough.
    own = cohort.values[cohort.names[0]].view(np.int64).std() / 2**BITS
    assert own < 0.7 * needed
