"""The site's law on small cells."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fedlab.core.blocks import blocks_of
from fedlab.core.parameters import Array
from fedlab.core.small_cuts import Cut
from fedlab.core.suppression import suppress
from fedlab.core.tellings import Telling
from fedlab.errors import WithheldError
from fedlab.queries import Rows
from fedlab.queries.disclosure import Cells, Codes, Flags, Shown
from fedlab.queries.query import Split
from fedlab.site.patient_counts import PatientCounts
from fedlab.site.policy import Policy
from fedlab.site.told import Told, refusal

__all__ = ["SmallCells"]

MOST_MERGES = 64
"""So often a table or blocks are made coarser one by one; then all at once."""
REST, UNTOLD, FREE, FIRST = 1, 2, 3, 4
"""Numbers of groups: whom a question is not about, whom it is about and tells nothing of, small
groups without a value that may be told, and from there on those that are told."""


class SmallCells:
    """What may be told of groups of the patients in `rows`, for one answer; see `Disclosure`.

    What is told is parted into groups that do not overlap: each cell that is shown, those that are
    suppressed together, whom the question is not about. No union of these may differ from a union
    of the groups of an earlier answer by fewer patients than the minimum, see
    `fedlab.core.small_cuts`. Three answers that give a patient away only together are not found.

    A patient with rows in several cells counts in each of them. Sums over cells are then not what
    totals of patients are; both are taken as known, see `suppress`, and as overlaps are shared out
    among groups, cells are suppressed rather too often than not often enough.

    Parameters
    ----------
    rows : Rows
        Those that may be used.
    policy : Policy
    told : Told
        What the site told before.
    split : "train", "test" or "all"
    kept : ndarray of bool or None
        Which rows of the split `rows` are; None for all.
    hidden : bool
        Whether the answer leaves within a secure sum, which tells of no single site.
    """

    def __init__(
        self,
        rows: Rows,
        policy: Policy,
        told: Told,
        split: Split,
        kept: Flags | None,
        *,
        hidden: bool = False,
    ) -> None:
        self._minimum, self._missing_cells = policy.minimum_rows, policy.missing_cells
        self._ratio = math.inf if hidden else policy.most_parameters
        self._guarded = policy.minimum_rows > 1
        self._single_values = policy.single_values
        self._told, self._split, self._kept = told, split, kept
        self._n_rows = len(rows)
        self._count = PatientCounts(rows)
        self._places: Any = None
        self._cohort: Flags | None = None
        self._free = np.zeros(len(rows), dtype=bool)
        self._now: list[Telling] = []
        self._merges = 0
        self._since = 0

    @property
    def single_values(self) -> bool:
        """As the policy says."""
        return self._single_values

    def cohort(self, chosen: Flags) -> None:
        """Raise WithheldError where too few are asked about or left out, or differ from others."""
        inside, outside = self._count.of(chosen), self._count.of(~chosen)
        if inside < self._minimum or 0 < outside < self._minimum:
            raise WithheldError(
                f"An answer must come from at least {self._minimum} patients, and leave out as "
                "many or none.",
                "a condition that fewer meet, or fail",
                "Ask about a wider group.",
                code="cohort",
            )
        self._cohort = np.asarray(chosen, dtype=bool)
        if self._guarded:
            telling = self._telling(np.where(chosen, FIRST, REST))
            if self._told.conflict(telling, self._minimum, self._now) is not None:
                raise refusal(self._minimum)
            self._now.append(telling)

    def few(self, chosen: Flags) -> bool:
        """Whether they are from 1 to one less than the minimum."""
        return 0 < self._count.of(chosen) < self._minimum

    def parameters(self, number: int, chosen: Flags) -> None:
        """Raise WithheldError where these patients are too few for so many parameters."""
        if number > self._ratio * self._count.of(chosen):
            # How many they are is told by it: what differs by a few must not be told beside it.
            self.close()
            raise WithheldError(
                f"A fit by exact sums has at most {self._ratio:g} parameters a patient.",
                f"{number} for the patients whom a condition leaves",
                "Leave features out, ask about a wider group, or agree on another ratio with the "
                "data owner.",
                code="parameters",
            )

    def table(
        self,
        cells: Codes,
        shape: tuple[int, ...],
        *,
        missing: Cells | None = None,
        veiled: Cells | None = None,
    ) -> Shown:
        """Patients by cell, suppressed as `suppress` has it and where an earlier answer forbids."""
        size = math.prod(shape)
        counts = self._count.by_cell(cells, size).reshape(shape)
        if not self._guarded:
            return Shown(counts, np.ones(shape, dtype=bool))
        about = self._about(cells)
        free = None
        if missing is not None and self._missing_cells:
            free = np.asarray(missing, dtype=bool) & (counts > 0) & (counts < self._minimum)
            self._free |= (cells >= 0) & np.ravel(free)[cells]
        most = self._count.most(cells, shape)
        hidden = np.zeros(shape, dtype=bool)
        if veiled is not None:
            hidden |= np.asarray(veiled, dtype=bool) & (counts == 0)
        n_veiled = hidden.sum()
        shown = suppress(counts, self._minimum, hidden=hidden, free=free, most=most)

        def telling() -> Telling:
            told = np.ravel(shown if free is None else shown & ~free)
            groups = np.where(about, np.where(self._free, FREE, UNTOLD), REST)
            return self._telling(np.where((cells >= 0) & told[cells], cells + FIRST, groups))

        def coarser(cut: Cut, names: Array) -> Telling:
            nonlocal shown, hidden
            groups = names.astype(np.int64)
            untold = cut.first[groups == UNTOLD]
            before = hidden.sum()
            # One cell untold on each side joins the two: best such as the other telling cuts.
            for side in (True, False):
                mine = (groups >= FIRST) & (cut.first == side)
                if mine.any() and side not in untold:
                    few = -np.ravel(counts)[groups[mine] - FIRST]
                    best = np.lexsort((few, cut.near[mine]))[-1]
                    hidden.flat[groups[mine][best] - FIRST] = True
            if hidden.sum() == before:
                if not (shown & (counts > 0)).any():
                    raise refusal(self._minimum)
                hidden |= shown & (counts > 0)
            if hidden.sum() - n_veiled > MOST_MERGES:
                hidden |= shown & (counts > 0)
            # What was suppressed for an earlier one stays so, or all had to be looked at anew.
            shown &= suppress(counts, self._minimum, hidden=hidden, free=free, most=most)
            return telling()

        self._settle(telling(), coarser)
        return Shown(np.where(shown, counts, 0.0), shown)

    def blocks(
        self,
        cells: Codes,
        n_cells: int,
        *,
        fixed: tuple[int, ...] = (),
        groups: Codes | None = None,
    ) -> Codes:
        """Neighbouring cells put together until each block has nobody or enough."""
        if not self._guarded:
            return np.arange(n_cells, dtype=np.int64)
        about = self._about(cells)
        inside = cells >= 0
        kinds = np.zeros(self._n_rows, dtype=np.int64) if groups is None else groups
        n_kinds = int(kinds[inside].max(initial=0)) + 1
        counts = self._count.in_parts(cells, kinds, n_cells, n_kinds)
        blocks = blocks_of(counts, self._minimum, fixed)
        self._merges = 0

        def telling() -> Telling:
            mine = blocks[cells]
            told = inside & (mine >= 0)
            rest = np.where(about, np.where(self._free, FREE, UNTOLD), REST)
            return self._telling(np.where(told, FIRST + mine * n_kinds + kinds, rest))

        def coarser(cut: Cut, names: Array) -> Telling:
            nonlocal blocks
            self._merges += 1
            blocks = self._joined(blocks, counts, cut, names, fixed)
            return telling()

        self._settle(telling(), coarser)
        return blocks

    def close(self) -> None:
        """Have the site remember what is told.

        Raises
        ------
        WithheldError
            When another answer meanwhile does not go with this one.
        """
        if self._now:
            self._told.keep(self._now, self._minimum, self._since)

    def _settle(self, telling: Telling, coarser: Callable[[Cut, Array], Telling]) -> None:
        """Note a telling, made coarser until it goes with all others.

        Groups that are put together are in no conflict in which they were not before, so each of
        the others is looked at once.
        """
        start = 0
        while True:
            found = self._told.conflict(telling, self._minimum, self._now, start)
            if found is None:
                break
            start, cut = found
            telling = coarser(cut, self._names)
        self._now.append(telling)

    def _joined(
        self, blocks: Codes, counts: Array, cut: Cut, names: Array, fixed: tuple[int, ...]
    ) -> Codes:
        """Blocks of which two neighbours on different sides of a cut are one, or one is untold."""
        n_kinds = counts.shape[1]
        n_blocks = int(blocks.max()) + 1
        if n_blocks < 1:
            raise refusal(self._minimum)
        held = np.bincount(blocks[blocks >= 0], counts.sum(axis=1)[blocks >= 0])
        starts = np.flatnonzero(np.diff(blocks) > 0) + 1
        starts = starts[(blocks[starts - 1] >= 0) & ~np.isin(starts, fixed)]
        left = blocks[starts - 1]
        if self._merges > MOST_MERGES and len(left):
            return _without(blocks, starts[::2])
        here = np.zeros((2, n_blocks), dtype=bool)
        near = np.zeros(n_blocks)
        for number, side, few in zip(names.astype(np.int64), cut.first, cut.near, strict=True):
            if number >= FIRST:
                here[int(side), (number - FIRST) // n_kinds] = True
                near[(number - FIRST) // n_kinds] += few
        apart = (here[:, left] | here[:, left + 1]).all(axis=0)
        if apart.any():
            # Best two of those that the other telling cuts.
            close = apart & (near[left] > 0) & (near[left + 1] > 0)
            wanted = close if close.any() else apart
            cost = np.where(wanted, held[left] + held[left + 1], np.inf)
            return _without(blocks, starts[[int(np.argmin(cost))]])
        # No edge between blocks is what tells: one at an end is told no more.
        least = 0 if held[0] <= held[-1] else n_blocks - 1
        kept = np.where(blocks == least, -1, blocks)
        return np.where(kept > least, kept - 1, kept)

    def _about(self, cells: Codes) -> Flags:
        """Whom the answer is about: its cohort, by default all, and who is in a cell."""
        if self._cohort is None:
            self.cohort(np.ones(self._n_rows, dtype=bool))
        inside: Flags = cells >= 0
        return inside if self._cohort is None else self._cohort | inside

    def _telling(self, groups: Codes) -> Telling:
        """Groups of the rows at hand as groups of all rows the site ever had."""
        if self._places is None:
            places = self._told.places(self._split)
            self._places = places if self._kept is None else places[self._kept]
            self._since = self._told.refresh()
        whole = np.zeros(self._told.size, dtype=np.int64)
        whole[self._places] = groups
        telling = Telling.of(whole, free=(FREE,), rest=REST)
        # Which of the groups the numbers of the telling stand for.
        self._names = np.zeros(telling.count)
        self._names[telling.groups] = whole[: len(telling.groups)]
        return telling


def _without(blocks: Codes, starts: Codes) -> Codes:
    """Blocks of which those that begin at these cells are joined to the ones before."""
    joined = np.zeros(len(blocks), dtype=np.int64)
    joined[starts] = 1
    return np.where(blocks < 0, -1, blocks - np.cumsum(joined))
