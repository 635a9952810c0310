"""How a model of two classes scores patients: counts by class and bin of the score."""

from __future__ import annotations

import msgspec
import numpy as np

from fedlab.core.parameters import Array, is_finite_array
from fedlab.privacy import Releases
from fedlab.queries.disclosure import Codes, Flags
from fedlab.queries.group_counts import is_tally
from fedlab.queries.judge import Judging, told_cells
from fedlab.queries.query import Answer, Context, Rows

__all__ = ["JudgeScores", "ScoreTable", "edges_of"]

MAXIMUM_BINS = 2_000
TENTHS = 10


def edges_of(bins: int, threshold: float) -> Array:
    """Edges of equal bins from 0 to 1, with the threshold among them.

    A score on an edge is in the bin below it, so that a score is called positive when it is above
    the threshold, as the larger of two probabilities is.

    Examples
    --------
    >>> edges_of(4, 0.3).tolist()
    [0.0, 0.25, 0.3, 0.5, 0.75, 1.0]
    """
    return np.unique(np.append(np.arange(bins + 1) / bins, threshold))


class ScoreTable(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Rows by group, class and bin of the score; all of it adds up over sites.

    Attributes
    ----------
    lowest : ndarray of shape (n_groups, 2, n_bins)
        The rows of each block of bins at its first bin. Blocks are neighbours put together until
        each has nobody or enough patients; where all are single bins, this is the histogram.
    highest : ndarray of the same shape
        The same rows at the last bin of their block.
    rows : ndarray of shape (n_groups,)
        Of groups that are told, those of a class that is not told included; 0 elsewhere.
    shown : ndarray of shape (n_groups,)
        1 where the site tells the group.
    classes : ndarray of shape (n_groups, 2)
        1 where the site tells the class within the group.
    """

    lowest: Array
    highest: Array
    rows: Array
    shown: Array
    classes: Array


class JudgeScores(Judging, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Counts of rows by group, class and score, small ones put together or suppressed.

    A model is any function of a row, so a bin of its scores is a group of patients like any other:
    groups and classes pass the site's law as tables, and the bins of each class of each group as
    blocks. The threshold is a boundary of blocks where the law lets both its sides be told.

    Under privacy every bin has noise instead. A record is in one bin of everybody and in one for
    each factor, so that the root of one more than the number of factors is the sensitivity.

    Attributes
    ----------
    threshold : float
    bins : int
        Equal ones from 0 to 1.
    """

    threshold: float = 0.5
    bins: int = 100

    def __post_init__(self) -> None:
        if not 2 <= self.bins <= MAXIMUM_BINS or not 0 < self.threshold < 1:
            raise ValueError(
                f"bins must be from 2 to {MAXIMUM_BINS}, the threshold between 0 and 1"
            )
        if len(self.schema.classes) != 2:
            raise ValueError("scores are of two classes")

    @property
    def edges(self) -> Array:
        """Of the bins, the threshold among them."""
        return edges_of(self.bins, self.threshold)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the counts."""
        return self.n_groups, 2, len(self.edges) - 1

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Counts of the rows that meet all conditions."""
        kept = self.begin(rows, context)
        scores = self.predicted(rows, kept, context)[:, -1]
        classes = self.classes(rows, kept)
        bins = np.searchsorted(self.edges[1:-1], scores, side="left").astype(np.int64)
        if context.privacy is not None:
            return self._hidden(rows, kept, classes, bins, context)
        lowest, highest = np.zeros(self.shape), np.zeros(self.shape)
        counted, shown = np.zeros(self.n_groups), np.zeros(self.n_groups)
        known = np.zeros((self.n_groups, 2))
        side = (self.edges[bins] >= self.threshold).astype(np.int64)
        for grouping in self.groupings(rows, kept):
            told = told_cells(context, kept, grouping, np.zeros_like(classes), ())
            by_class = told_cells(context, kept, grouping, classes, (2,)) & told[:, None]
            by_side = told_cells(context, kept, grouping, classes * 2 + side, (2, 2))
            whole = slice(grouping.first, grouping.first + grouping.n_levels)
            inside = grouping.levels >= 0
            sizes = np.bincount(grouping.levels[inside], minlength=grouping.n_levels)
            counted[whole], shown[whole] = np.where(told, sizes, 0), told
            known[whole] = by_class
            kinds = np.where(inside, grouping.levels * 2 + classes, -1)
            kinds[inside] = np.where(by_class.ravel()[kinds[inside]], kinds[inside], -1)
            split = by_side.all(axis=2).ravel()
            ends = self._ends(kinds, bins, kept, split, context)
            lowest[whole], highest[whole] = (each.reshape(-1, 2, self.shape[2]) for each in ends)
        return ScoreTable(lowest, highest, counted, shown, known)

    def _ends(
        self, kinds: Codes, bins: Codes, kept: Flags, split: Flags, context: Context
    ) -> tuple[Array, Array]:
        """Rows of each kind at the first and at the last bin of their blocks.

        Tenths first, and then the bins within what they have become: sites then share more of their
        boundaries.

        Parameters
        ----------
        kinds : ndarray of int of shape (n_kept,)
            The level and class of each row; -1 where they are not told.
        bins : ndarray of int of shape (n_kept,)
        kept : ndarray of bool of shape (n_samples,)
        split : ndarray of bool of shape (n_kinds,)
            Which kinds may be told on either side of the threshold.
        context : Context

        Returns
        -------
        tuple of two ndarray of shape (n_kinds, n_bins)
        """
        n_kinds, n_bins = len(split), self.shape[2]
        counts = np.bincount((kinds * n_bins + bins)[kinds >= 0], minlength=n_kinds * n_bins)
        law = context.disclosure
        if law is None:
            exact = counts.reshape(n_kinds, n_bins).astype(np.float64)
            return exact, exact
        coarse = np.unique(np.append(np.arange(1, TENTHS) / TENTHS, self.threshold))
        tenths = np.searchsorted(coarse, self.edges[:-1], side="right")
        cut, n_tenths = int(np.searchsorted(coarse, self.threshold)) + 1, len(coarse) + 1
        fixed = [kind * n_tenths for kind in range(1, n_kinds)]
        fixed += [int(kind) * n_tenths + cut for kind in np.flatnonzero(split)]
        cells = np.full(len(kept), -1, dtype=np.int64)
        cells[kept] = np.where(kinds < 0, -1, kinds * n_tenths + tenths[bins])
        wide = law.blocks(cells, n_kinds * n_tenths, fixed=tuple(sorted(fixed)))
        # Of each bin, the block that its tenth is in.
        of_bin = np.repeat(np.arange(n_kinds), n_bins) * n_tenths + np.tile(tenths, n_kinds)
        outer = wide[of_bin]
        starts = np.arange(n_kinds * n_bins) % n_bins == 0
        starts[1:] |= np.diff(outer) != 0
        cells[kept] = np.where(kinds < 0, -1, kinds * n_bins + bins)
        cells[cells >= 0] = np.where(outer[cells[cells >= 0]] < 0, -1, cells[cells >= 0])
        fine = law.blocks(cells, n_kinds * n_bins, fixed=tuple(np.flatnonzero(starts)[1:].tolist()))
        return _at_ends(counts, np.where(outer < 0, -1, fine), n_kinds, n_bins)

    def _hidden(
        self, rows: Rows, kept: Flags, classes: Codes, bins: Codes, context: Context
    ) -> ScoreTable:
        counts = np.zeros(self.shape)
        for grouping in self.groupings(rows, kept):
            inside = grouping.levels >= 0
            places = grouping.first + grouping.levels[inside]
            np.add.at(counts, (places, classes[inside], bins[inside]), 1.0)
        noisy = context.release(counts, sensitivity=self.sensitivity)
        ones = np.ones(self.n_groups)
        return ScoreTable(noisy, noisy, noisy.sum(axis=(1, 2)), ones, np.ones((self.n_groups, 2)))

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy table."""
        return Releases(1)

    def accepts(self, answer: Answer) -> bool:
        """Finite tables of the agreed shapes."""
        groups = self.shape[:1]
        return (
            isinstance(answer, ScoreTable)
            and is_finite_array(answer.lowest, self.shape)
            and is_finite_array(answer.highest, self.shape)
            and is_finite_array(answer.rows, groups)
            and is_tally(answer.shown, groups)
            and is_tally(answer.classes, (self.n_groups, 2))
        )


def _at_ends(counts: Codes, blocks: Codes, n_kinds: int, n_bins: int) -> tuple[Array, Array]:
    """Rows of each block at its first and at its last bin; those of no block at either end."""
    first, last = np.zeros((n_kinds, n_bins)), np.zeros((n_kinds, n_bins))
    for kind in range(n_kinds):
        mine = counts[kind * n_bins : (kind + 1) * n_bins]
        within = blocks[kind * n_bins : (kind + 1) * n_bins]
        for block in np.unique(within[mine > 0]):
            held = np.flatnonzero(within == block)
            rows = mine[held].sum()
            # Of those that are told nowhere no more is known than their class.
            run = (0, n_bins - 1) if block < 0 else (held[0], held[-1])
            first[kind, run[0]] += rows
            last[kind, run[1]] += rows
    return first, last
