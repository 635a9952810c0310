"""Which simulated site each row goes to: pure functions of the rows' classes and a seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fedlab.core.seeds import generator
from fedlab.errors import DataError

__all__ = ["LabelSkew", "QuantitySkew", "Skew", "assign", "in_words"]

IntArray: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelSkew:
    """Sites whose mixes of classes differ (Hsu et al. 2019), of one size unless said otherwise.

    Each site draws its mix from Dirichlet(alpha * p), where p is the mix of the whole table, and
    then its rows from that mix, without replacement; a class that has run out is passed over.

    Parameters
    ----------
    alpha : float
        Concentration. 100 is close to identical sites, 1 gives very different ones, and below
        0.3 most sites hold nearly one class when there are two.
    sizes : float, optional
        Concentration of the Dirichlet from which the sites' shares of the rows are drawn, as in
        `QuantitySkew`; by default sites are of one size.

    Examples
    --------
    >>> LabelSkew(0.3), LabelSkew(0.3, sizes=2)
    (LabelSkew(alpha=0.3), LabelSkew(alpha=0.3, sizes=2))
    """

    alpha: float
    sizes: float | None = None

    def __post_init__(self) -> None:
        _check_alpha(self.alpha)
        if self.sizes is not None:
            _check_alpha(self.sizes)

    def __repr__(self) -> str:
        sizes = "" if self.sizes is None else f", sizes={self.sizes!r}"
        return f"LabelSkew(alpha={self.alpha!r}{sizes})"


@dataclass(frozen=True, slots=True)
class QuantitySkew:
    """Sites of one mix whose sizes differ: the shares of rows are drawn from a Dirichlet.

    Parameters
    ----------
    alpha : float
        Concentration. 100 is close to equal sizes, 0.3 gives a few large sites and many small.

    Examples
    --------
    >>> QuantitySkew(0.5)
    QuantitySkew(alpha=0.5)
    """

    alpha: float

    def __post_init__(self) -> None:
        _check_alpha(self.alpha)


Skew: TypeAlias = float | LabelSkew | QuantitySkew | None


def assign(
    codes: IntArray, n_sites: int, *, skew: Skew = None, seed: int = 0, minimum_rows: int = 1
) -> IntArray:
    """Give each row the number of its site; pure, and blind to numpy's global random state.

    Parameters
    ----------
    codes : array of int
        The class of each row, from 0.
    n_sites, skew, seed, minimum_rows
        As in `partition`.

    Returns
    -------
    array of int
        Values from 0 to ``n_sites - 1``, one per row.

    Examples
    --------
    >>> np.bincount(assign(np.array([0, 1] * 10), 4)).tolist()
    [5, 5, 5, 5]
    """
    rows = len(codes)
    if rows < n_sites * minimum_rows:
        raise DataError(
            rule=f"{n_sites} sites with at least {minimum_rows} row(s) each need "
            f"{n_sites * minimum_rows} rows.",
            came=f"{rows} rows",
            remedy="Take fewer sites or a smaller minimum_rows.",
        )
    if isinstance(skew, (int, float)) and not isinstance(skew, bool):
        skew = LabelSkew(skew)
    rng = generator(seed, "partition")
    if isinstance(skew, LabelSkew):
        turns = np.arange(rows) % n_sites
        if skew.sizes is not None:
            shares = rng.dirichlet(np.full(n_sites, _tame(skew.sizes)))
            sizes = _sizes(shares, rows, minimum_rows)
            turns = rng.permutation(np.repeat(np.arange(n_sites), sizes))
        return _deal_by_label(codes, n_sites, skew.alpha, turns, rng)
    if isinstance(skew, QuantitySkew):
        shares = rng.dirichlet(np.full(n_sites, _tame(skew.alpha)))
    elif skew is None:
        shares = np.full(n_sites, 1 / n_sites)
    else:
        raise DataError(
            rule="skew must be None, a number, LabelSkew or QuantitySkew.",
            came=f"a {type(skew).__name__}",
            remedy="Pass e.g. skew=0.3 or skew=fl.QuantitySkew(0.5).",
        )
    where = np.empty(rows, dtype=np.int64)
    where[rng.permutation(rows)] = np.repeat(np.arange(n_sites), _sizes(shares, rows, minimum_rows))
    return where


def _deal_by_label(
    codes: IntArray, n_sites: int, alpha: float, turns: IntArray, rng: np.random.Generator
) -> IntArray:
    counts = np.bincount(codes)
    mixes = rng.dirichlet(_tame(alpha * counts / counts.sum()), size=n_sites)
    rows_of = [rng.permutation(np.flatnonzero(codes == label)) for label in range(len(counts))]
    left = counts.astype(np.float64)
    where = np.empty(len(codes), dtype=np.int64)
    # Sites draw in turn, one row each: a class that runs out runs out for all at once, and what
    # is left over does not pile up at the last site.
    for site, draw in zip(turns, rng.random(len(codes)), strict=True):
        weights = mixes[site] * (left > 0)
        if not weights.any():
            weights = left
        ladder = np.cumsum(weights)
        label = int(np.searchsorted(ladder, draw * ladder[-1], side="right"))
        # A draw next to 1 can round up to the last rung itself.
        label = min(label, int(np.flatnonzero(weights)[-1]))
        left[label] -= 1
        where[rows_of[label][int(left[label])]] = site
    return where


def _sizes(shares: npt.NDArray[np.float64], rows: int, minimum: int) -> IntArray:
    exact = shares * rows
    sizes = np.floor(exact).astype(np.int64)
    most_cut = np.argsort(sizes - exact, kind="stable")
    sizes[most_cut[: rows - int(sizes.sum())]] += 1
    while sizes.min() < minimum:
        sizes[np.argmax(sizes)] -= 1
        sizes[np.argmin(sizes)] += 1
    return sizes


def _check_alpha(alpha: object) -> None:
    if isinstance(alpha, (int, float)) and not isinstance(alpha, bool):
        came = repr(alpha)
        if 0 < alpha < math.inf:
            return
    else:
        came = f"a {type(alpha).__name__}"
    raise DataError(
        rule="alpha of a skew must be a positive number.",
        came=came,
        remedy="Pass e.g. 0.3; smaller is more skewed.",
    )


def _tame(alpha: npt.ArrayLike) -> npt.NDArray[np.float64]:
    # Outside of these the gamma draws behind a Dirichlet under- or overflow to NaN.
    return np.clip(np.asarray(alpha, dtype=np.float64), 1e-300, 1e100)


def in_words(count: int, skew: Skew, seed: int) -> str:
    """The deal in words, for a citation.

    Examples
    --------
    >>> in_words(5, 0.3, 7)
    '5 sites, LabelSkew(alpha=0.3), seed 7'
    """
    kind = LabelSkew(skew) if isinstance(skew, (int, float)) else skew
    return f"{count} sites, {'no skew' if kind is None else kind}, seed {seed}"
