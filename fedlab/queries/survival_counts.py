"""Patients who leave, by group, interval of time, and whether by the event or by censoring."""

from __future__ import annotations

import math
from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.leaving_blocks import Blocks, bounds, spread
from fedlab.core.parameters import Array, is_finite_array
from fedlab.core.schema import Schema
from fedlab.privacy import Releases
from fedlab.queries.disclosure import Codes, Disclosure, Flags
from fedlab.queries.group_counts import is_tally, shape_of, without_value
from fedlab.queries.groups import Condition, Factor, cells_of, chosen
from fedlab.queries.query import Answer, Context, Query, Rows, Split

__all__ = [
    "CENSORED",
    "EVENT",
    "FEWEST",
    "MOST",
    "SPREAD",
    "UNKNOWN",
    "CountSurvival",
    "SurvivalCounts",
    "slot_widths",
    "slots_of",
]

EVENT, CENSORED, UNKNOWN = 0, 1, 2
FEWEST, SPREAD, MOST = 0, 1, 2


class SurvivalCounts(Answer, msgspec.Struct, frozen=True, eq=False, tag=True, kw_only=True):
    """How many have left by the end of each slot of time; all of it adds up over sites.

    Attributes
    ----------
    patients : ndarray of shape (n_groups,)
        Rows of each group; 0 where the site does not tell of it.
    left : ndarray of shape (3, 3, n_groups, n_slots)
        Rows that left by the end of the slot: with the event, censored, or in an unknown one of
        the two ways; and of each the fewest there may be, as many as there are when everybody at
        risk is as likely to leave all through a block, and the most. All three are equal at the
        end of a block.
    told, hidden : ndarray of shape (n_groups,)
        1 where the site tells who left in which way; 1 where it tells nothing of the group.
    """

    patients: Array
    left: Array
    told: Array
    hidden: Array


class CountSurvival(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Counts from which the federation's survival curves follow, or bounds of them.

    A slot is an interval, from after a time of the grid up to the next; where `exact`, the times
    of the grid are slots of their own between those. The last slot is without an end.

    By the site's law neighbouring slots are put together to blocks of nobody or of enough, events
    and censorings each for themselves. Where a group has too few of either, it is told when its
    patients leave and not how; where it is too small, nothing is told of it. Under privacy each
    slot has noise instead: a record leaves once, so the sensitivity is 1.

    Attributes
    ----------
    schema : Schema
        Of the columns that are read.
    grid : tuple of float
        Positive times that rise, in the unit of the target.
    exact : bool
    factors : tuple of Factor
        By which curves are told apart.
    where : tuple of Condition
    """

    purpose: ClassVar[str] = "summary"
    guarded: ClassVar[bool] = True

    schema: Schema
    grid: tuple[float, ...]
    exact: bool = False
    factors: tuple[Factor, ...] = ()
    where: tuple[Condition, ...] = ()
    split: Split = "all"

    def __post_init__(self) -> None:
        rising = np.diff(self.grid, prepend=0.0)
        if not (len(self.grid) and (rising > 0).all() and math.isfinite(self.grid[-1])):
            raise ValueError("a grid needs positive times that rise")

    @property
    def n_groups(self) -> int:
        """Cells of the factors' cross, with missing and unmapped."""
        return math.prod(shape_of(self.factors))

    @property
    def n_slots(self) -> int:
        """Slots of time."""
        return (2 if self.exact else 1) * len(self.grid) + 1

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Cumulative counts of the rows that meet all conditions."""
        if rows.event is None:
            raise ValueError("survival needs to know where times end in the event")
        kept = chosen(rows, self.where)
        groups, shape = cells_of(rows, self.factors, kept)
        events = rows.event.to_numpy(dtype=np.float64) > 0
        slots = slots_of(rows.target.to_numpy(dtype=np.float64), self.grid, exact=self.exact)
        if context.disclosure is None:
            return self._hidden(groups, events, slots, context)
        context.disclosure.cohort(kept)
        return self._told(groups, shape, events, slots, context.disclosure)

    def _told(
        self,
        groups: Codes,
        shape: tuple[int, ...],
        events: Flags,
        slots: Codes,
        law: Disclosure,
    ) -> SurvivalCounts:
        lacks = without_value(shape)
        sized = law.table(groups, shape, missing=lacks).shown.ravel()
        cells = np.where(groups < 0, -1, groups * 2 + np.where(events, EVENT, CENSORED))
        by_way = law.table(cells, (*shape, 2), missing=np.stack([lacks, lacks], axis=-1)).shown
        parted = by_way.reshape(-1, 2).all(axis=1) & sized
        patients = np.zeros(self.n_groups)
        left = np.zeros((3, 3, self.n_groups, self.n_slots))
        widths = slot_widths(self.grid, exact=self.exact)
        for group in np.flatnonzero(sized):
            inside = groups == group
            patients[group] = inside.sum()
            parts = {EVENT: inside & events, CENSORED: inside & ~events}
            if not parted[group]:
                parts = {UNKNOWN: inside}
            ways = {
                way: self._blocks(np.where(part, slots, -1), law)
                for way, part in parts.items()
                if part.any()
            }
            evenly = spread(patients[group], list(ways.values()), widths)
            for (way, blocks), likely in zip(ways.items(), evenly, strict=True):
                fewest, most = bounds(blocks)
                left[way, :, group] = fewest, likely, most
        told, hidden = parted.astype(np.float64), (~sized).astype(np.float64)
        return SurvivalCounts(patients=patients, left=left, told=told, hidden=hidden)

    def _blocks(self, slots: Codes, law: Disclosure) -> Blocks:
        """Slots put together as the site's law has it."""
        blocks = law.blocks(slots, self.n_slots)
        if (blocks < 0).any():
            # That all of them leave at some time is known without it.
            blocks = np.zeros(self.n_slots, dtype=np.int64)
        counts = np.bincount(slots[slots >= 0], minlength=self.n_slots)
        return Blocks(blocks, np.bincount(blocks, weights=counts).astype(np.float64))

    def _hidden(
        self, groups: Codes, events: Flags, slots: Codes, context: Context
    ) -> SurvivalCounts:
        cells = (np.where(events, EVENT, CENSORED) * self.n_groups + groups) * self.n_slots + slots
        size = 2 * self.n_groups * self.n_slots
        counts = np.bincount(cells[groups >= 0], minlength=size).astype(np.float64)
        noisy = context.release(counts, sensitivity=1.0).reshape(2, self.n_groups, self.n_slots)
        left = np.zeros((3, 3, self.n_groups, self.n_slots))
        left[:UNKNOWN] = np.cumsum(noisy, axis=-1)[:, None]
        nothing = np.zeros(self.n_groups)
        return SurvivalCounts(
            patients=noisy.sum(axis=(0, 2)), left=left, told=nothing + 1, hidden=nothing
        )

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy table."""
        return Releases(1)

    def finest_time(self) -> float:
        """As fine as the grid, in which the start counts as a time; or exact times."""
        return 0.0 if self.exact else float(np.diff(self.grid, prepend=0.0).min())

    def accepts(self, answer: Answer) -> bool:
        """Finite arrays of the agreed shapes; sums with noise may have any sign."""
        shape = (self.n_groups,)
        return (
            isinstance(answer, SurvivalCounts)
            and is_finite_array(answer.patients, shape)
            and is_finite_array(answer.left, (3, 3, *shape, self.n_slots))
            and is_tally(answer.told, shape)
            and is_tally(answer.hidden, shape)
        )


def slots_of(times: Array, grid: tuple[float, ...], *, exact: bool) -> Codes:
    """The slot of each time.

    Examples
    --------
    >>> slots_of(np.array([5.0, 10.0, 11.0, 99.0]), (10.0, 20.0), exact=False)
    array([0, 0, 1, 2])
    >>> slots_of(np.array([5.0, 10.0, 11.0, 99.0]), (10.0, 20.0), exact=True)
    array([0, 1, 2, 4])
    """
    slots = np.searchsorted(grid, times, side="left")
    if exact:
        slots = slots + np.searchsorted(grid, times, side="right")
    return slots.astype(np.int64)


def slot_widths(grid: tuple[float, ...], *, exact: bool) -> Array:
    """How long each slot is; one without an end counts as the longest other.

    Examples
    --------
    >>> slot_widths((10.0, 40.0), exact=True)
    array([10.,  0., 30.,  0., 30.])
    """
    widths = np.diff(grid, prepend=0.0)
    if exact:
        widths = np.stack([widths, np.zeros_like(widths)], axis=1).ravel()
    return np.append(widths, widths.max())
