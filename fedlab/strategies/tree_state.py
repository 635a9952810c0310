"""From summed histograms to splits and the nodes they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.trees.bins import Bins
from fedlab.core.trees.fixed import SUM_BITS
from fedlab.core.trees.keys import Ints
from fedlab.errors import TrainingError
from fedlab.queries import Answer, Histogram

__all__ = [
    "Asked",
    "Splits",
    "finished_error",
    "histograms_of",
    "in_halves",
    "split_classes",
    "split_numbers",
    "sum_cells",
]

T = TypeVar("T")

LARGE = 100_000
"""Numbers from which on a second thread is worth its start."""

BLOCK = 1 << 15
"""Cells that stay in the processor's cache while all sites are added."""


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


def in_halves(
    n: int, size: int, work: Callable[[int, int], T], middle: int | None = None
) -> list[T]:
    """``work(begin, end)`` on 0 to `n` in order, by two threads where there are many cells.

    What is worked on does not depend on its neighbours, so the result has the same bits.

    Examples
    --------
    >>> in_halves(5, LARGE, lambda begin, end: (begin, end)), in_halves(5, 1, lambda b, e: (b, e))
    ([(0, 2), (2, 5)], [(0, 5)])
    """
    middle = n // 2 if middle is None else middle
    if size < LARGE or not 0 < middle < n:
        return [work(0, n)]
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(work, middle, n)
        return [work(0, middle), second.result()]


def histograms_of(answers: Mapping[str, Answer]) -> list[Ints]:
    """The cells of each site, by name."""
    cells = []
    for site in sorted(answers):
        answer = answers[site]
        if not isinstance(answer, Histogram):
            raise TypeError("trees are split by histograms")
        cells.append(answer.cells)
    if not cells:
        raise TypeError("a round needs an answer")
    return cells


def sum_cells(answers: Mapping[str, Answer]) -> Ints:
    """Sum of the sites' histograms; whole numbers, so in any order."""
    parts = histograms_of(answers)
    total = np.empty_like(parts[0])

    def add(begin: int, end: int) -> None:
        for at in range(begin, end, BLOCK):
            some = slice(at, min(at + BLOCK, end))
            own = total[some]
            own[:] = parts[0][some]
            for part in parts[1:]:
                own += part[some]

    in_halves(len(total), total.size, add)
    return total


def _in_halves(
    cells: Ints, asked: Asked, bins: Bins, best: Callable[[Ints, Ints, Ints], tuple[Array, ...]]
) -> list[Array]:
    """``best(cells, begin, whole)`` of all nodes, whose cells stand one behind the other."""
    widths = bins.widths[asked.features]
    first = np.append(0, np.cumsum(widths))[asked.begin]

    def some(begin: int, end: int) -> tuple[Array, ...]:
        return best(
            cells[first[begin] : first[end]], asked.begin[begin : end + 1], asked.whole[begin:end]
        )

    parts = in_halves(len(asked.node), cells.size, some)
    return [np.concatenate(own) for own in zip(*parts, strict=True)]


def split_classes(
    cells: Ints, asked: Asked, bins: Bins, class_weight: Array, minimum: int
) -> Splits:
    """Splits by Gini impurity; leaves say the weighted shares of the classes."""
    from fedlab.core.trees import splits

    present, widths = bins.present, bins.widths

    def best(cells: Ints, begin: Ints, whole: Ints) -> tuple[Array, ...]:
        return splits.best_classes(
            cells, asked.features, begin, present, widths, class_weight, minimum, whole
        )

    feature, cut, missing_left, total, left, missing, gain = _in_halves(cells, asked, bins, best)

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

    present, widths = bins.present, bins.widths

    def best(cells: Ints, begin: Ints, whole: Ints) -> tuple[Array, ...]:
        return splits.best_numbers(cells, asked.features, begin, present, widths, minimum, whole)

    feature, cut, missing_left, total, left, missing, gain = _in_halves(cells, asked, bins, best)
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
