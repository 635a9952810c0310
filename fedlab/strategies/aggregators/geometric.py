"""The geometric median.

Pillutla, Kakade and Harchaoui 2022, "Robust aggregation for federated learning", IEEE
Transactions on Signal Processing 70, arXiv 1912.13445.
"""

from __future__ import annotations

import msgspec
import numpy as np

from fedlab.core.parameters import Array
from fedlab.strategies.aggregators.aggregator import Robust
from fedlab.strategies.checks import positive, whole

__all__ = ["GeometricMedian"]


class GeometricMedian(Robust, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The vector with the least weighted sum of distances to the updates (RFA).

    Found by the smoothed Weiszfeld algorithm (algorithm 2): a mean in which a site counts by its
    weight over its distance, again and again. Bad sites must hold less than half of the weight.
    Sites declare their rows themselves; where one might lie about them, use
    ``weighting="equal"``.

    Parameters
    ----------
    smoothing : float
        Distances below it count as if they were it (ν in the paper).
    iterations : int
        At most so many; it stops when nothing moves any more.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> from fedlab.core.parameters import Parameters
    >>> updates = {"a": [0.1], "b": [0.2], "c": [99.0]}
    >>> updates = {site: Parameters({"w": values}) for site, values in updates.items()}
    >>> GeometricMedian().combine(dict.fromkeys(updates, 1.0), updates)["w"].round(5)
    array([0.2])
    """

    smoothing: float = 1e-6
    iterations: int = 1000

    def __post_init__(self) -> None:
        positive("smoothing", self.smoothing, example=1e-6)
        whole("iterations", self.iterations)

    def rule(self, values: Array, shares: Array, lost: int) -> Array:
        """Weiszfeld's iteration from the median of each coordinate, which bad sites move little."""
        centre = np.asarray(np.median(values, axis=0), dtype=np.float64)
        for _ in range(self.iterations):
            distances = np.linalg.norm(values - centre, axis=1)
            pull = shares / np.maximum(distances, self.smoothing)
            moved = (pull / pull.sum()) @ values
            still = np.linalg.norm(moved - centre) <= 1e-12 * (1 + np.linalg.norm(moved))
            centre = moved
            if still:
                break
        return centre
