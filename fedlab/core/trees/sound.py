"""Whether what came over the wire may index arrays: the inner loops do not check.

A question that is not sound would read or write memory beside the arrays, so a site looks first.
"""

from __future__ import annotations

from fedlab.core.trees.bins import Bins
from fedlab.core.trees.keys import Ints
from fedlab.core.trees.nodes import Nodes
from fedlab.errors import TrainingError

__all__ = ["require", "require_bins", "require_nodes", "within"]


def require(sound: bool, what: str) -> None:
    """Raise TrainingError unless `sound`."""
    if not sound:
        raise TrainingError(
            "Trees, bins and nodes that are asked for must fit each other.",
            f"{what} that do not",
            "Check that both sides run the same version of fedlab.",
        )


def within(values: Ints, low: int, high: int) -> bool:
    """Whether all values are from `low` to below `high`; so it is for none.

    Examples
    --------
    >>> import numpy as np
    >>> within(np.array([0, 2]), 0, 3), within(np.array([-1]), 0, 3)
    (True, False)
    """
    return values.size == 0 or bool(values.min() >= low and values.max() < high)


def require_bins(bins: Bins, n_features: int) -> None:
    """Raise TrainingError unless each feature has up to 254 rising cuts."""
    counts = bins.first[1:] - bins.first[:-1]
    require(
        bins.missing.shape == (n_features,)
        and bins.first.shape == (n_features + 1,)
        and bins.first[0] == 0
        and bins.first[-1] == len(bins.cuts)
        and within(counts, 0, 255),
        "bins",
    )


def require_nodes(nodes: Nodes, n_features: int) -> None:
    """Raise TrainingError unless children stand behind their parents and features exist."""
    from fedlab.core.trees import walking

    shapes = {array.shape for array in (nodes.feature, nodes.cut, nodes.left, nodes.missing_left)}
    require(shapes == {(len(nodes),)}, "nodes")
    feature, _, left, _ = nodes.writable()
    require(walking.is_sound(feature, left, n_features), "nodes")
