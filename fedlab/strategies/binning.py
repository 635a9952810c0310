"""Agree on bins: the first rounds of every strategy that grows trees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np

from fedlab.core.parameters import Array, Parameters
from fedlab.core.trees.bins import Bins, bins_of
from fedlab.core.trees.cells import WIDTHS, Cells, first_cells, refine, worth_refining
from fedlab.core.trees.fixed import SUM_BITS
from fedlab.core.trees.keys import Ints, floats_of, largest_key
from fedlab.queries import Answer, CellCounts, CountCells
from fedlab.strategies.strategy import Problem

__all__ = ["Binning"]


class Binning(msgspec.Struct, frozen=True):
    """How far the counting is.

    Attributes
    ----------
    cells : Cells
        Of every feature and, after them, of a target of numbers.
    passes : int
    missing : ndarray of shape (n_features,)
    target : ndarray
        Rows of each class; or rows, mean and mean square of a target of numbers.
    center, half : float
        Middle and half width of the range of a target of numbers.
    """

    cells: Cells
    passes: int
    missing: Array
    target: Array
    center: float = 0.0
    half: float = 0.0

    @staticmethod
    def start(problem: Problem, reads: Literal["classes", "numbers"]) -> Binning:
        """Nothing counted yet."""
        n_features = len(problem.space.names)
        return Binning(
            first_cells(n_features + (reads == "numbers")), 0, np.zeros(n_features), np.zeros(0)
        )

    def _asked(self, max_bins: int) -> Ints:
        cells, n_features = self.cells, len(self.missing)
        wanted = worth_refining(cells, max_bins)
        # Only the ends of the target's range matter, and those only roughly.
        target = np.flatnonzero(cells.column == n_features)
        if len(target):
            wanted[target] = False
            if self.passes < 2:
                wanted[target[[0, -1]]] = True
        return wanted

    def done(self, reads: Literal["classes", "numbers"], max_bins: int) -> bool:
        """Whether the bins are found, and the target's sums where it is a number."""
        counted = self.passes > 0 and len(self.target) > 0
        return counted and not self._asked(max_bins).any()

    def query(
        self, problem: Problem, reads: Literal["classes", "numbers"], max_bins: int
    ) -> CountCells:
        """What to ask next."""
        return CountCells(
            space=problem.space,
            reads=reads,
            cells=self.cells.take(self._asked(max_bins)),
            width=WIDTHS[self.passes],
            center=self.center,
            half=self.half,
        )

    def add(
        self,
        reads: Literal["classes", "numbers"],
        max_bins: int,
        answers: Mapping[str, Answer],
    ) -> Binning:
        """What is known with the counts of all sites."""
        parts = [_counts(answers[site]) for site in sorted(answers)]
        counts = parts[0].counts.astype(np.int64)
        for part in parts[1:]:
            counts += part.counts
        asked = self._asked(max_bins)
        cells = refine(self.cells, asked, WIDTHS[self.passes], counts)
        missing = np.sum([part.missing for part in parts], axis=0).astype(np.float64)
        target: Array = np.stack([part.target for part in parts]).sum(axis=0).astype(np.float64)
        center, half = self.center, self.half
        if reads == "numbers" and half <= 0 and self.passes == 1:
            center, half = _range(cells, len(self.missing))
        elif reads == "numbers" and len(target):
            target = target / np.array([1.0, target[0], target[0]])
            target[1:] *= 2.0**-SUM_BITS
        return Binning(cells, self.passes + 1, missing, target, center, half)

    def bins(self, max_bins: int) -> Bins:
        """The bins that all sites agree on."""
        return bins_of(self.cells, self.missing, max_bins)

    def carry(self) -> dict[str, Array]:
        """Named arrays for a state."""
        cells = self.cells
        return {
            "cells": np.stack([cells.column, cells.start, cells.shift, cells.count]).astype(float),
            "passes": np.array(float(self.passes)),
            "missing": self.missing,
            "target": self.target,
            "range": np.array([self.center, self.half]),
        }

    @staticmethod
    def carried(carried: Parameters) -> Binning:
        """Undo `carry`."""
        cells = Cells(*carried["cells"].astype(np.int64))
        center, half = carried["range"].tolist()
        passes = int(carried["passes"])
        return Binning(cells, passes, carried["missing"], carried["target"], center, half)


def _range(cells: Cells, column: int) -> tuple[float, float]:
    own = cells.take(cells.column == column)
    last = min(int(own.start[-1]) + (1 << int(own.shift[-1])) - 1, largest_key())
    low, high = floats_of(np.array([own.start[0], last])).tolist()
    center = (low + high) / 2
    return center, max(high - center, np.finfo(np.float32).tiny)


def _counts(answer: Answer) -> CellCounts:
    if not isinstance(answer, CellCounts):
        raise TypeError("bins are agreed from counts of cells")
    return answer
