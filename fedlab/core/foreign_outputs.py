"""What models of somebody else give, as numbers of the agreed shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from fedlab.core.foreign import Label, Plan
from fedlab.core.parameters import Array

__all__ = ["NoLabelError", "NoShapeError", "StrangeFileError", "as_numbers"]


class StrangeFileError(ValueError):
    """A model file that is not run; its text says why and quotes names of the file alone."""


class NoShapeError(ValueError):
    """An output of another shape than the plan says."""


class NoLabelError(ValueError):
    """A class that the plan does not know."""


def as_numbers(plan: Plan, values: Any, n_rows: int) -> Array:
    """One output for `n_rows`, ``(n_rows, plan.width)``.

    Parameters
    ----------
    plan : Plan
    values : ndarray, or list of dict
        A tensor with a row for each, or a mapping of classes to probabilities for each.
    n_rows : int

    Raises
    ------
    NoShapeError, NoLabelError

    Examples
    --------
    >>> plan = Plan(feeds=(), output="p", reads="probabilities", order=(1, 0), width=2)
    >>> as_numbers(plan, np.array([[0.2, 0.8]]), 1)
    array([[0.8, 0.2]])
    """
    if isinstance(values, list):
        return _from_maps(plan, values, n_rows)
    array = np.asarray(values)
    if array.size == 0 or array.size % n_rows:
        raise NoShapeError
    array = array.reshape(n_rows, -1)
    if plan.reads == "label":
        if array.shape[1] != 1:
            raise NoShapeError
        return _places(plan, array[:, 0])[:, None]
    # Text and complex numbers are no scores.
    if array.dtype.kind not in "fiub":
        raise NoShapeError
    numbers = array.astype(np.float64)
    if plan.order:
        if numbers.shape[1] != len(plan.order):
            raise NoShapeError
        return numbers[:, list(plan.order)]
    return numbers


def _from_maps(plan: Plan, values: list[Any], n_rows: int) -> Array:
    if len(values) != n_rows or not all(isinstance(each, dict) for each in values):
        raise NoShapeError
    numbers = np.empty((n_rows, len(plan.labels)))
    for row, told in enumerate(values):
        named = {_plain(key): value for key, value in told.items()}
        if set(named) != set(plan.labels):
            raise NoLabelError
        numbers[row] = [float(named[label]) for label in plan.labels]
    return numbers


def _places(plan: Plan, labels: Any) -> Array:
    places = {label: float(place) for place, label in enumerate(plan.labels)}
    try:
        return np.array([places[_plain(label)] for label in labels.tolist()])
    except KeyError:
        raise NoLabelError from None


def _plain(label: Any) -> Label:
    if isinstance(label, bytes):
        return label.decode()
    plain: Label = label.item() if isinstance(label, np.generic) else label
    return plain
