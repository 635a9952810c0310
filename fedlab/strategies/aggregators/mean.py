"""The weighted mean: exact, and spoiled by one bad site."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fedlab.core.parameters import Parameters, weighted_mean
from fedlab.strategies.aggregators.aggregator import Aggregator

__all__ = ["Mean"]


class Mean(Aggregator, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Mean of the updates by the sites' weights. McMahan et al. 2017, algorithm 1, last line.

    Examples
    --------
    >>> updates = {"a": Parameters({"w": [1.0]}), "b": Parameters({"w": [3.0]})}
    >>> Mean().combine({"a": 1.0, "b": 3.0}, updates)["w"]
    array([2.5])
    """

    def combine(
        self, weights: Mapping[str, float], updates: Mapping[str, Parameters], *, lost: int = 0
    ) -> Parameters:
        """Added in the order of the sites' names."""
        return weighted_mean(weights, updates)
