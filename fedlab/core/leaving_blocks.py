"""Counts of blocks of time as cumulative counts of slots: the fewest, the likely and the most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fedlab.core.parameters import Array

__all__ = ["Blocks", "bounds", "spread"]

PASSES = 2
Places = np.ndarray[Any, np.dtype[np.int64]]


class Blocks(NamedTuple):
    """Runs of neighbouring slots, and how many leave in each.

    Attributes
    ----------
    of_slot : ndarray of int of shape (n_slots,)
        The block of each slot, rising from 0 by at most 1.
    totals : ndarray of shape (n_blocks,)
    """

    of_slot: Places
    totals: Array

    @property
    def last(self) -> Any:
        """Which slots end a block, ``(n_slots,)``."""
        return np.append(self.of_slot[1:] != self.of_slot[:-1], True)


def bounds(blocks: Blocks) -> tuple[Array, Array]:
    """The fewest and the most that may have left by the end of each slot.

    Examples
    --------
    >>> bounds(Blocks(np.array([0, 0, 1]), np.array([5.0, 2.0])))
    (array([0., 5., 7.]), array([5., 5., 7.]))
    """
    most = np.cumsum(blocks.totals)[blocks.of_slot]
    fewest = np.where(blocks.last, most, most - blocks.totals[blocks.of_slot])
    return fewest, most


def spread(patients: float, ways: Sequence[Blocks], widths: Array) -> list[Array]:
    """Cumulative counts when, within each block, everybody at risk is as likely to leave.

    Each way of leaving has a constant hazard within each of its blocks, so that who leaves in a
    slot is in proportion to the time patients are at risk in it (the piecewise exponential model,
    Friedman 1982). Patients at risk are those of counts that are even in time, and then those of
    what follows from them. It is not gone on with: where nobody is left after a block, no constant
    hazard makes that so, and all would leave at its start.

    Parameters
    ----------
    patients : float
        At risk at the start.
    ways : sequence of Blocks
    widths : ndarray of shape (n_slots,)
        How long each slot is.

    Returns
    -------
    list of ndarray of shape (n_slots,)
        One for each way.
    """
    at_risk = np.full(len(widths), max(patients, 1.0))
    left: list[Array] = []
    for _ in range(PASSES if ways else 0):
        left = [_shared_out(blocks, widths * at_risk) for blocks in ways]
        gone = np.sum(left, axis=0)
        middle = patients - (gone + np.append(0.0, gone[:-1])) / 2
        at_risk = np.maximum(middle, 1e-6)
    return left


def _shared_out(blocks: Blocks, weights: Array) -> Array:
    of_slot, last = blocks.of_slot, blocks.last
    past = np.cumsum(weights)
    firsts = np.searchsorted(of_slot, np.arange(len(blocks.totals)))
    before = np.append(0.0, past)[firsts][of_slot]
    whole = np.bincount(of_slot, weights=weights)[of_slot]
    share = np.where(last, 1.0, (past - before) / np.where(whole > 0, whole, 1.0))
    fewest, most = bounds(blocks)
    counted = most - blocks.totals[of_slot] + blocks.totals[of_slot] * np.clip(share, 0.0, 1.0)
    return np.asarray(np.clip(counted, fewest, most), dtype=np.float64)
