"""Gaussian noise: from the operating system where rows are real, seeded in simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fedlab.core.parameters import Array
from fedlab.errors import PrivacyError

__all__ = ["Noise", "system_noise", "teaching_noise"]

GRID = -40

Noise = Callable[[Array, float], Array]


def _finite(values: Array) -> Array:
    if not np.isfinite(values).all():
        raise PrivacyError(
            "Only finite values can be hidden by noise.",
            "NaN or infinity",
            "Check learning rate and data; nothing was released.",
        )
    return np.asarray(values, dtype=np.float64)


def teaching_noise(random: np.random.Generator) -> Noise:
    """Repeatable noise for simulated sites.

    Whoever knows the seed can take it off, so it teaches and tests, and protects nobody.
    """

    def add(values: Array, scale: float) -> Array:
        exact = _finite(values)
        return exact + random.normal(0.0, scale, exact.shape)

    return add


def system_noise(values: Array, scale: float) -> Array:
    """Noise from OpenDP's sampler on the operating system's entropy.

    The sampler is exact and releases multiples of a power of two about 2^-40 of the scale, so that
    the last bits of a float tell nothing (Mironov 2012; Canonne, Kamath and Steinke 2020).

    Parameters
    ----------
    values : ndarray of any shape
    scale : float
        Standard deviation.
    """
    import opendp.prelude as dp

    exact = _finite(values)
    if exact.size == 0:
        return exact
    dp.enable_features("contrib")
    measure = dp.m.make_gaussian(
        dp.vector_domain(dp.atom_domain(T=float, nan=False), size=exact.size),
        dp.l2_distance(T=float),
        scale=scale,
        k=math.floor(math.log2(scale)) + GRID,
    )
    noisy = measure(exact.ravel().tolist())
    return np.array(noisy, dtype=np.float64).reshape(exact.shape)
