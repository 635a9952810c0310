"""Noise and sampling are what the accountant was told they are."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from fedlab.privacy import Releases, system_noise, teaching_noise
from fedlab.queries import Context, Update
from tests.builders import PROMISE, Recorder, answer_of, ask, batch_sizes, deal, fit, numeric, table


# R13
def test_batches_under_privacy_are_poisson_samples() -> None:
    query = fit(deal(numeric(20), [20])[0], batch_size=20, steps=1)
    sizes = np.array(batch_sizes(query, 100, 2000))
    # Binomial(100, 0.2): mean 20, variance 16; five standard errors of each.
    assert abs(sizes.mean() - 20) < 5 * 4 / math.sqrt(2000)
    assert abs(sizes.var() - 16) < 5 * 16 * math.sqrt(2 / 2000)
    assert query.releases(100) == Releases(1, 0.2)


def test_rows_of_a_poisson_sample_are_drawn_each_on_its_own_coin() -> None:
    query = fit(deal(numeric(20), [20])[0], batch_size=5, steps=1)
    recorder = Recorder()
    drawn = np.zeros((3000, 10))
    for seed in range(3000):
        drawn[seed, next(query._batches(10, recorder.context(seed=seed)))] = 1
    assert np.abs(drawn.mean(axis=0) - 0.5).max() < 0.05
    correlation = np.corrcoef(drawn.T) - np.eye(10)
    # A shuffled batch of fixed size would show -1/9.
    assert np.abs(correlation).max() < 0.08


@pytest.mark.parametrize("batch_size", [None, 100, 1000])
def test_all_rows_claim_no_amplification(batch_size: int | None) -> None:
    query = fit(deal(numeric(20), [20])[0], batch_size=batch_size, epochs=2)
    assert query.releases(100) == Releases(2, 1.0)
    assert batch_sizes(query, 100, 3) == [100] * 6


def test_noise_of_integers_scalars_and_nothing_is_float() -> None:
    for noise in (system_noise, teaching_noise(np.random.default_rng(0))):
        assert noise(np.array([3, 4]), 1.0).dtype == np.float64
        assert noise(np.array(2.0), 1.0).shape == ()
        assert noise(np.zeros((2, 0, 3)), 1.0).shape == (2, 0, 3)
        assert noise(np.zeros((2, 3)), 1.0).shape == (2, 3)


# R16
def test_system_noise_has_its_standard_deviation_and_forgets_numpys_seed() -> None:
    np.random.seed(0)  # noqa: NPY002  what must not matter
    one = system_noise(np.zeros(4000), 3.0)
    np.random.seed(0)  # noqa: NPY002
    two = system_noise(np.zeros(4000), 3.0)
    assert not (one == two).any()
    assert np.std(np.append(one, two)) == pytest.approx(3.0, rel=0.05)
    assert abs(np.append(one, two).mean()) < 5 * 3 / math.sqrt(8000)


# R16
@pytest.mark.parametrize("value", [0.0, 0.1, 1e-9, 1e6 / 3])
def test_system_noise_lies_on_a_grid_that_does_not_depend_on_the_value(value: float) -> None:
    noisy = system_noise(np.full(4000, value), 1.0)
    # Coarser than the last bit of a sum near 1, so that rounding tells nothing of the value.
    grid = np.ldexp(noisy, 50)
    assert (grid == np.round(grid)).all()


def test_a_real_site_takes_noise_and_samples_from_the_system(tmp_path: Path) -> None:
    frame = table(64, seed=49)
    site = deal(frame, [64], home=tmp_path)[0]
    query = fit(site, steps=1, batch_size=None)
    updates = [
        answer_of(ask(site, query, privacy=PROMISE, run=f"r{i}", seed=0, round=1)) for i in range(2)
    ]
    vectors = [update.delta.vector for update in updates if isinstance(update, Update)]
    assert not (vectors[0] == vectors[1]).any()
    secret = Context((0,), secret=True)
    assert (secret.random("batches").random(4) != secret.random("batches").random(4)).all()
