"""The bins all sites agree on, and rows as numbers of bins."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from fedlab.core.parameters import Array, Parameters
from fedlab.core.trees.cells import Cells, cuts
from fedlab.core.trees.keys import Ints, as_single

__all__ = ["Bins", "bins_of"]


class Bins(msgspec.Struct, frozen=True, eq=False):
    """Cuts of every feature, rising, and where values are missing.

    Bin ``b`` of a feature holds the numbers above cut ``b - 1`` and up to cut ``b``; the bin after
    the last holds the missing ones.

    Attributes
    ----------
    cuts : ndarray of shape (n_cuts,)
        Of all features, one feature after the other; exact in single precision.
    first : ndarray of shape (n_features + 1,)
        Where each feature's cuts begin.
    missing : ndarray of shape (n_features,)
        Rows over all sites whose value is missing.
    """

    cuts: np.ndarray[Any, np.dtype[Any]]
    first: np.ndarray[Any, np.dtype[Any]]
    missing: np.ndarray[Any, np.dtype[Any]]

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.missing)

    @property
    def present(self) -> Ints:
        """Bins of each feature, without the one for missing values, shape ``(n_features,)``."""
        return (np.diff(self.first) + 1).astype(np.int32)

    @property
    def widths(self) -> Ints:
        """Bins of each feature, with one for missing values where there are any."""
        return (self.present + (self.missing > 0)).astype(np.int32)

    @property
    def n_cells(self) -> int:
        """Bins of all features together."""
        return len(self.cuts) + self.n_features + int(np.count_nonzero(self.missing))

    def same(self, other: Bins) -> bool:
        """Whether all cuts are the same to the bit."""
        # States of one run share the arrays themselves.
        return (
            self.first.tobytes() == other.first.tobytes()
            and (self.cuts is other.cuts or np.array_equal(self.cuts, other.cuts))
            and (self.missing is other.missing or np.array_equal(self.missing, other.missing))
        )

    def codes(self, x: Array) -> Ints:
        """Number of each value's bin, shape ``(n_features, n_samples)``: features are contiguous.

        Examples
        --------
        >>> bins = Bins(np.array([0.5, 1.5]), np.array([0, 2]), np.array([1]))
        >>> bins.codes(np.array([[0.0], [1.5], [9.0], [np.nan]]))
        array([[0, 1, 2, 3]], dtype=uint8)
        """
        codes = np.empty((self.n_features, len(x)), dtype=np.uint8)
        for feature in range(self.n_features):
            values = as_single(x[:, feature])
            own = self.cuts[self.first[feature] : self.first[feature + 1]].astype(np.float32)
            code = np.searchsorted(own, values, side="left")
            codes[feature] = np.where(np.isnan(values), len(own) + 1, code)
        return codes

    def threshold(self, feature: Ints, cut: Ints) -> Array:
        """The number that each cut of a feature stands for; past the last, the largest number."""
        from fedlab.core.trees.keys import LARGEST

        position = self.first[feature] + cut
        beyond = position >= self.first[feature + 1]
        padded = np.append(self.cuts, LARGEST)
        return np.where(beyond, LARGEST, padded[np.where(beyond, len(self.cuts), position)])

    def cut_of(self, feature: Ints, threshold: Array) -> Ints:
        """The cut that each threshold is, undoing `threshold`; 0 where `feature` is -1."""
        from fedlab.core.trees import walking

        return walking.find_cuts(
            feature.astype(np.int32),
            np.array(threshold),
            np.array(self.cuts),
            self.first.astype(np.int64),
        )

    def carry(self) -> dict[str, Array]:
        """Named arrays for a state."""
        return {"cuts": self.cuts, "first": self.first, "missing": self.missing}

    @staticmethod
    def carried(carried: Parameters) -> Bins:
        """Undo `carry`."""
        return Bins(carried["cuts"], carried["first"].astype(np.int64), carried["missing"])


def bins_of(cells: Cells, missing: Array, max_bins: int) -> Bins:
    """Bins from counted cells; columns after the last of `missing` are left out."""
    own = [cuts(cells, column, max_bins) for column in range(len(missing))]
    first = np.concatenate([[0], np.cumsum([len(each) for each in own])]).astype(np.int64)
    return Bins(np.concatenate([np.zeros(0), *own]), first, missing)
