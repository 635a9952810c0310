"""Which rows a tree sees, and which features a node may use: randomness by purpose."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.seeds import generator
from fedlab.core.trees.keys import Ints

__all__ = ["bootstrap_weights", "draw_features"]


def bootstrap_weights(
    seed: int, forest_seed: int, sites: Mapping[str, int], n_trees: int
) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """How often each row counts in each tree, shape ``(n_trees, n_samples)``.

    Weights are Poisson with mean 1, the limit of drawing n of n rows with replacement, since no
    site knows how many of all the rows it will have drawn (the online bootstrap of Oza and Russell
    2001). They follow from the site's name and the row's place in its table, so that a pooled
    table of the same sites, one after another, gets the same.

    Parameters
    ----------
    seed, forest_seed : int
    sites : mapping of str to int
        Rows of each site, in the order in which they stand.
    n_trees : int

    Examples
    --------
    >>> both = bootstrap_weights(7, 0, {"a": 3, "b": 2}, 4)
    >>> bool((both[:, :3] == bootstrap_weights(7, 0, {"a": 3}, 4)).all())
    True
    """
    blocks = [
        np.minimum(
            generator(seed, forest_seed, site, "bootstrap").poisson(1.0, (n_trees, rows)), 255
        ).astype(np.uint8)
        for site, rows in sites.items()
    ]
    return np.concatenate(blocks, axis=1)


def draw_features(random: np.random.Generator, n_nodes: int, n_features: int, draw: int) -> Ints:
    """Different features for each node, rising, shape ``(n_nodes, draw)``."""
    if draw >= n_features:
        return np.tile(np.arange(n_features, dtype=np.int32), (n_nodes, 1))
    order: Array = random.random((n_nodes, n_features))
    drawn = np.argpartition(order, draw, axis=1)[:, :draw]
    return np.sort(drawn, axis=1).astype(np.int32)
