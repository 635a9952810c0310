"""Risk sets over a grid of times: the sums a site sends, and the partial likelihood they give.

At time ``t`` the risk set holds the rows whose own time is not before ``t``. Cox's partial
likelihood (Cox 1972; ties of Breslow 1974 and of Efron 1977) knows rows only through sums over
these sets, so the likelihood of the pooled rows follows from the sites' sums.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from fedlab.core.parameters import Array, Parameters

__all__ = ["Ties", "no_rows", "on_grid", "partial_likelihood", "risk_sums", "unpacked"]

Ties = Literal["efron", "breslow"]
Cells = np.ndarray[Any, np.dtype[np.int64]]


def on_grid(time: Array, event: Array, grid: Array, *, exact: bool) -> tuple[Cells, Array]:
    """The last grid time at which each row is at risk, and whether its event counts.

    Parameters
    ----------
    time, event : ndarray of shape (n_samples,)
    grid : ndarray of shape (n_times,)
    exact : bool
        Whether the grid holds every time at which an event happens. Otherwise a time is rounded up
        to the grid; a row whose time is beyond the last one is censored there.

    Returns
    -------
    cells : ndarray of shape (n_samples,)
        Index into the grid; -1 for a row that is gone before the first grid time.
    events : ndarray of shape (n_samples,)

    Examples
    --------
    >>> time, event = np.array([5.0, 30.0, 31.0, 99.0]), np.ones(4)
    >>> on_grid(time, event, np.array([30.0, 60.0]), exact=False)
    (array([0, 0, 1, 1]), array([1., 1., 1., 0.]))
    """
    if exact:
        return np.searchsorted(grid, time, side="right").astype(np.int64) - 1, event
    cells = np.searchsorted(grid, time, side="left").astype(np.int64)
    within = cells < len(grid)
    return np.minimum(cells, len(grid) - 1), np.where(within, event, 0.0)


def no_rows(n_times: int, n_features: int, ties: Ties) -> Parameters:
    """The sums of no rows.

    ``at_risk_0`` of shape ``(n_times,)``, ``at_risk_1`` of ``(n_times, n_features)`` and
    ``at_risk_2`` of ``(n_times, n_features (n_features + 1) / 2)`` are sums over the risk set of
    the relative hazard, alone, times the row, and times the upper triangle of its outer product.
    ``tied_0``, ``tied_1`` and ``tied_2`` are the same over the rows whose event is at that time;
    empty for Breslow's ties. ``events`` of ``(n_times,)`` counts those, and ``covariates`` of
    ``(n_features,)`` is the sum of all rows with an event.
    """
    triangle = n_features * (n_features + 1) // 2
    tied = n_times if ties == "efron" else 0
    return Parameters(
        {
            "at_risk_0": np.zeros(n_times),
            "at_risk_1": np.zeros((n_times, n_features)),
            "at_risk_2": np.zeros((n_times, triangle)),
            "tied_0": np.zeros(tied),
            "tied_1": np.zeros((tied, n_features)),
            "tied_2": np.zeros((tied, triangle)),
            "events": np.zeros(n_times),
            "covariates": np.zeros(n_features),
        }
    )


def risk_sums(
    x: Array, cells: Cells, event: Array, coef: Array, *, n_times: int, ties: Ties
) -> Parameters:
    """The sums of these rows at `coef`, named and shaped as `no_rows` says.

    Parameters
    ----------
    x : ndarray of shape (n_samples, n_features)
    cells, event : ndarray of shape (n_samples,)
        From `on_grid`.
    coef : ndarray of shape (n_features,)
    """
    hazard = np.exp(x @ coef)
    happened = event > 0
    leaving = _by_cell(x, cells, hazard, n_times)
    # A row is at risk until it leaves: sum from the last time back to the first.
    at_risk = [np.cumsum(part[::-1], axis=0)[::-1] for part in leaving]
    tied = [part[:0] for part in leaving]
    if ties == "efron":
        tied = _by_cell(x[happened], cells[happened], hazard[happened], n_times)
    sums = {f"at_risk_{order}": part for order, part in enumerate(at_risk)}
    sums |= {f"tied_{order}": part for order, part in enumerate(tied)}
    sums["events"] = np.bincount(cells[happened], minlength=n_times).astype(np.float64)
    sums["covariates"] = x[happened].sum(axis=0)
    return Parameters(sums)


def _by_cell(x: Array, cells: Cells, hazard: Array, n_times: int) -> list[Array]:
    n_features = x.shape[1]
    upper = np.triu_indices(n_features)
    zeroth = np.zeros(n_times)
    first = np.zeros((n_times, n_features))
    second = np.zeros((n_times, len(upper[0])))
    order = np.argsort(cells, kind="stable")
    ends = np.searchsorted(cells[order], np.arange(n_times + 1), side="left")
    for cell in np.flatnonzero(np.diff(ends)):
        rows = order[ends[cell] : ends[cell + 1]]
        weighted = hazard[rows, None] * x[rows]
        zeroth[cell] = hazard[rows].sum()
        first[cell] = weighted.sum(axis=0)
        second[cell] = (x[rows].T @ weighted)[upper]
    return [zeroth, first, second]


def partial_likelihood(sums: Parameters, coef: Array, ties: Ties) -> tuple[float, Array, Array]:
    """Negative log partial likelihood, its gradient and its Hessian.

    Parameters
    ----------
    sums : Parameters
        Of all sites together, at `coef`.
    coef : ndarray of shape (n_features,)
    ties : "efron" or "breslow"

    Returns
    -------
    loss : float
    gradient : ndarray of shape (n_features,)
    hessian : ndarray of shape (n_features, n_features)
    """
    count = np.rint(sums["events"]).astype(np.int64)
    # One entry for each event. Of d events at one time, Efron's l-th (from 0) sees a risk set from
    # which the share l / d of all d is gone; Breslow's sees the whole set.
    at = np.repeat(np.arange(len(count)), count)
    gone = np.zeros(len(at))
    if ties == "efron":
        rank = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
        gone = rank / count[at]
    zeroth, first = sums["at_risk_0"][at], sums["at_risk_1"][at]
    if ties == "efron":
        zeroth = zeroth - gone * sums["tied_0"][at]
        first = first - gone[:, None] * sums["tied_1"][at]
    mean = first / zeroth[:, None]
    loss = float(np.log(zeroth).sum() - coef @ sums["covariates"])
    gradient = mean.sum(axis=0) - sums["covariates"]
    second = np.bincount(at, 1 / zeroth, minlength=len(count)) @ sums["at_risk_2"]
    if ties == "efron":
        second = second - np.bincount(at, gone / zeroth, minlength=len(count)) @ sums["tied_2"]
    return loss, gradient, unpacked(second, len(coef)) - mean.T @ mean


def unpacked(triangle: Array, n_features: int) -> Array:
    """The symmetric matrix of which `triangle` is the upper part, row by row.

    Examples
    --------
    >>> unpacked(np.array([1.0, 2.0, 3.0]), 2)
    array([[1., 2.],
           [2., 3.]])
    """
    matrix = np.zeros((n_features, n_features))
    matrix[np.triu_indices(n_features)] = triangle
    whole: Array = matrix + np.triu(matrix, 1).T
    return whole
