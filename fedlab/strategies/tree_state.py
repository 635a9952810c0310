"""From summed histograms to splits and the nodes they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.trees.bins import Bins
from fedlab.core.trees.fixed import SUM_BITS
from fedlab.core.trees.keys import Ints
from fedlab.errors import TrainingError
from fedlab.queries import Answer, Histogram

__all__ = ["Asked", "Splits", "finished_error", "split_classes", "split_numbers", "sum_cells"]


@dataclass(frozen=True)
class Asked:
    """Open nodes of one round, sorted by tree, and the open nodes that wait.

    Attributes
    ----------
    tree, node, depth, whole : ndarray of shape (n_open,)
        ``whole`` is 1 where all features are looked at, in a drawn order, since all of those drawn
        first were constant.
    features, begin : ndarray
        Node ``i`` looks at ``features[begin[i] : begin[i + 1]]``.
    rest : ndarray of shape (4, n_waiting)
    """

    tree: Ints
    node: Ints
    depth: Ints
    whole: Ints
    features: Ints
    begin: Ints
    rest: Array


@dataclass(frozen=True)
class Splits:
    """The best split of each open node, and what its nodes say.

    Attributes
    ----------
    feature, cut, missing_left : ndarray of shape (n_open,)
    gain : ndarray of shape (n_open,)
    node : dict of str to ndarray of shape (n_open, ...)
    children : dict of str to ndarray of shape (n_open, 2, ...)
    """

    feature: Ints
    cut: Ints
    missing_left: Ints
    gain: Array
    node: dict[str, Array]
    children: dict[str, Array]


def sum_cells(answers: Mapping[str, Answer]) -> Ints:
    """Sum of the sites' histograms; whole numbers, so in any order."""
    total: Ints | None = None
    for site in sorted(answers):
        answer = answers[site]
        if not isinstance(answer, Histogram):
            raise TypeError("trees are split by histograms")
        if total is None:
            total = answer.cells.copy()
        else:
            total += answer.cells
    if total is None:
        raise TypeError("a round needs an answer")
    return total


def split_classes(
    cells: Ints, asked: Asked, bins: Bins, class_weight: Array, minimum: int
) -> Splits:
    """Splits by Gini impurity; leaves say the weighted shares of the classes."""
    from fedlab.core.trees import splits

    feature, cut, missing_left, total, left, missing, gain = splits.best_classes(
        cells, asked.features, asked.begin, bins.present, bins.widths, class_weight, minimum,
        asked.whole,
    )  # fmt: skip

    def describe(rows: Ints) -> dict[str, Array]:
        weighted = rows * class_weight
        weight = weighted.sum(axis=-1)
        shares = weighted / np.where(weight > 0, weight, 1.0)[..., None]
        return {
            "value": shares,
            "count": rows.sum(axis=-1).astype(np.float64),
            "weight": weight,
            "impurity": np.where((rows > 0).sum(axis=-1) > 1, 1 - (shares**2).sum(axis=-1), 0.0),
        }

    sides = np.stack([left, total - left], axis=1)
    children = describe(sides)
    to_left = np.where(missing, missing_left, children["count"][:, 0] > children["count"][:, 1])
    return Splits(feature, cut, to_left, gain, describe(total), children)


def split_numbers(
    cells: Ints, asked: Asked, bins: Bins, center: float, half: float, minimum: int
) -> Splits:
    """Splits by squared error; leaves say the mean."""
    from fedlab.core.trees import splits

    feature, cut, missing_left, total, left, missing, gain = splits.best_numbers(
        cells, asked.features, asked.begin, bins.present, bins.widths, minimum, asked.whole
    )
    unit = 2.0**-SUM_BITS

    def describe(sums: Ints) -> dict[str, Array]:
        rows = sums[..., 0].astype(np.float64)
        divisor = np.maximum(rows, 1.0)
        mean, square = sums[..., 1] / divisor * unit, sums[..., 2] / divisor * unit
        variance = square - mean**2
        # Sums are of rounded numbers, so equal ones may seem to vary by a few units.
        pure = variance <= 4 * unit * np.maximum(np.abs(mean), unit)
        return {
            "value": (center + half * mean)[..., None],
            "count": rows,
            "weight": rows,
            "impurity": np.where(pure, 0.0, variance * half**2),
        }

    children = describe(np.stack([left, total - left], axis=1))
    to_left = np.where(missing, missing_left, children["count"][:, 0] > children["count"][:, 1])
    gain = gain * (half * unit) ** 2
    return Splits(feature, cut, to_left, gain, describe(total), children)


def finished_error(what: str) -> TrainingError:
    """The error of asking for a round more."""
    return TrainingError(
        f"A {what} that is grown has no further round.",
        "a request for one more",
        "Start a run with more or deeper trees.",
    )
