"""Robust rules that look at each parameter by itself.

Yin, Chen, Ramchandran and Bartlett 2018, "Byzantine-robust distributed learning: towards optimal
statistical rates", arXiv 1803.01498, definitions 1 and 2. Each result lies between the smallest
and the largest honest value of its coordinate.

Every site counts as one, so that a site which holds most rows counts for little: on the six centres
of `pbc3`, one with 45 % of the rows, both stay 2.1 ± 1.3 points of accuracy behind the exact fit
(mean and standard error of five splits); on the other bundled data sets they keep up.
"""

from __future__ import annotations

import msgspec
import numpy as np

from fedlab.core.parameters import Array
from fedlab.errors import TrainingError
from fedlab.strategies.aggregators.aggregator import Robust
from fedlab.strategies.checks import whole

__all__ = ["Median", "TrimmedMean"]


class Median(Robust, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Median of each parameter over the sites (definition 1). Every site counts as one.

    Examples
    --------
    >>> from fedlab.core.parameters import Parameters
    >>> updates = {"a": [0.1], "b": [0.2], "c": [99.0]}
    >>> updates = {site: Parameters({"w": values}) for site, values in updates.items()}
    >>> Median().combine(dict.fromkeys(updates, 1.0), updates)["w"]
    array([0.2])
    """

    def rule(self, values: Array, shares: Array, lost: int) -> Array:
        """The middle value, or the mean of the two in the middle."""
        return np.asarray(np.median(values, axis=0), dtype=np.float64)


class TrimmedMean(Robust, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Mean of each parameter without its `f` largest and `f` smallest values (definition 2).

    Every site counts as one. With f = 0 it is the plain mean.

    Parameters
    ----------
    f : int
        Sites that may send anything; the federation needs more than 2 f.

    Raises
    ------
    TrainingError
        When f is not a whole number of at least 0 or, in use, not below half of the sites.

    Examples
    --------
    >>> from fedlab.core.parameters import Parameters
    >>> updates = {"a": [0.1], "b": [0.2], "c": [99.0]}
    >>> updates = {site: Parameters({"w": values}) for site, values in updates.items()}
    >>> TrimmedMean(f=1).combine(dict.fromkeys(updates, 1.0), updates)["w"]
    array([0.2])
    """

    f: int

    def __post_init__(self) -> None:
        whole("f", self.f, least=0)

    def check(self, n_sites: int) -> None:
        """Raise TrainingError unless there are more than 2 f sites."""
        if n_sites <= 2 * self.f:
            raise TrainingError(
                f"TrimmedMean(f={self.f}) needs at least {2 * self.f + 1} sites in a round.",
                f"{n_sites}",
                "Lower f, or ask more sites.",
            )

    def tolerates(self, n_sites: int) -> int:
        """As many as are trimmed."""
        return self.f

    def rule(self, values: Array, shares: Array, lost: int) -> Array:
        """Sort each coordinate, cut both ends."""
        cut = max(self.f - lost, 0)
        kept = np.sort(values, axis=0)[cut : len(values) - cut]
        return np.asarray(kept.mean(axis=0), dtype=np.float64)
