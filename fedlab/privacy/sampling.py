"""How often a round of local training looks at the rows, and with which sampling."""

from __future__ import annotations

import math

from fedlab.privacy.events import Releases

__all__ = ["count_steps", "releases_of_steps"]


def count_steps(n_rows: int, *, batch_size: int | None, epochs: int, steps: int | None) -> int:
    """Gradient steps that a site of `n_rows` takes in a round.

    Examples
    --------
    >>> count_steps(70, batch_size=32, epochs=2, steps=None)
    6
    """
    batch = n_rows if batch_size is None else min(batch_size, n_rows)
    return steps or epochs * math.ceil(n_rows / batch)


def releases_of_steps(
    n_rows: int, *, batch_size: int | None, epochs: int, steps: int | None
) -> Releases:
    """One noisy sum a step, over all rows or over a Poisson sample of `batch_size` expected rows.

    Examples
    --------
    >>> releases_of_steps(64, batch_size=32, epochs=1, steps=None)
    Releases(count=2, sampling_rate=0.5)
    """
    count = count_steps(n_rows, batch_size=batch_size, epochs=epochs, steps=steps)
    return Releases(count, 1.0 if batch_size is None else min(batch_size, n_rows) / n_rows)
