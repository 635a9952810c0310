"""Shapley values of a game whose coalitions are bit masks. Shapley 1953; Castro et al. 2009."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from fedlab.core.parameters import Array

__all__ = ["exact_shapley", "sampled_shapley"]

Worth = Callable[[Sequence[int]], Array]


def exact_shapley(n_players: int, worth: Worth) -> Array:
    """Values of all players from the worth of all coalitions, shape ``(n_players,)``.

    Parameters
    ----------
    n_players : int
    worth : callable
        Takes bit masks of coalitions, gives their worths; the empty one is worth 0.

    Examples
    --------
    A pair of gloves: two left hands, one right; only a pair is worth 1.

    >>> pair = lambda masks: np.array([float((m & 0b011) > 0 and (m & 0b100) > 0) for m in masks])
    >>> exact_shapley(3, pair).round(4)
    array([0.1667, 0.1667, 0.6667])
    """
    masks = np.arange(1 << n_players)
    values = worth(masks.tolist())
    sizes = np.bitwise_count(masks)
    # Share of the orders in which a coalition of this size comes just before a given player.
    shares = np.array(
        [1 / (n_players * math.comb(n_players - 1, size)) for size in range(n_players)]
    )
    shapley = np.zeros(n_players)
    for player in range(n_players):
        without = masks[(masks >> player & 1) == 0]
        gains = values[without | (1 << player)] - values[without]
        shapley[player] = gains @ shares[sizes[without]]
    return shapley


def sampled_shapley(
    n_players: int, worth: Worth, n_orders: int, random: np.random.Generator
) -> tuple[Array, Array]:
    """Means and standard errors over sampled orders in which players join.

    In every order the gains add up to the worth of all, so the estimates do as well.

    Returns
    -------
    tuple of ndarray
        Values and standard errors, each ``(n_players,)``.
    """
    orders = np.array([random.permutation(n_players) for _ in range(n_orders)])
    chains = [_prefixes(order) for order in orders.tolist()]
    values = worth([mask for chain in chains for mask in chain]).reshape(n_orders, n_players)
    gains = np.diff(values, axis=1, prepend=0.0)
    by_player = np.empty_like(gains)
    np.put_along_axis(by_player, orders, gains, axis=1)
    return by_player.mean(axis=0), by_player.std(axis=0, ddof=1) / math.sqrt(n_orders)


def _prefixes(order: Sequence[int]) -> list[int]:
    masks, mask = [], 0
    for player in order:
        mask |= 1 << player
        masks.append(mask)
    return masks
