"""Model parameters: named arrays that never change, with the arithmetic papers write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Array", "Parameters", "is_finite_array", "weighted_mean"]

Array = NDArray[np.float64]


def is_finite_array(value: object, shape: tuple[int, ...]) -> bool:
    """Whether `value` is a float64 array of this shape without NaN or infinity.

    Examples
    --------
    >>> is_finite_array(np.zeros(2), (2,)), is_finite_array(np.array(["a"]), (1,))
    (True, False)
    """
    return (
        isinstance(value, np.ndarray)
        and value.dtype == np.float64
        and value.shape == shape
        and bool(np.isfinite(value).all())
    )


def _is_constant(values: ArrayLike) -> TypeGuard[Array]:
    # States share arrays that do not change from round to round, so they do not grow by round.
    return (
        isinstance(values, np.ndarray)
        and values.dtype == np.float64
        and values.flags.owndata
        and not values.flags.writeable
    )


class Parameters(Mapping[str, Array]):
    """Named float64 arrays, read-only, which add, scale and measure as one vector.

    Parameters
    ----------
    arrays : mapping of str to array_like
        Copied, unless read-only already, and kept in the order of the mapping.

    Examples
    --------
    >>> start = Parameters({"coef": [1.0, 2.0], "intercept": 0.5})
    >>> step = Parameters({"coef": [2.0, 0.0], "intercept": 0.0})
    >>> (start + 0.5 * step)["coef"]
    array([2., 2.])
    >>> step.norm()
    2.0
    """

    __slots__ = ("_arrays",)

    def __init__(self, arrays: Mapping[str, ArrayLike]) -> None:
        self._arrays: dict[str, Array] = {}
        for name, values in arrays.items():
            array = values if _is_constant(values) else np.array(values, dtype=np.float64)
            array.setflags(write=False)
            self._arrays[name] = array

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}{array.shape}" for name, array in self._arrays.items())
        return f"Parameters({shapes})"

    def __eq__(self, other: object) -> bool:
        """Equal to the bit, names and shapes included."""
        if not isinstance(other, Parameters):
            return NotImplemented
        return list(self) == list(other) and all(
            self[name].shape == other[name].shape and self[name].tobytes() == other[name].tobytes()
            for name in self
        )

    def __hash__(self) -> int:
        return hash(tuple((name, array.tobytes()) for name, array in self._arrays.items()))

    def __add__(self, other: Parameters) -> Parameters:
        return Parameters({name: self[name] + other[name] for name in self})

    def __sub__(self, other: Parameters) -> Parameters:
        return Parameters({name: self[name] - other[name] for name in self})

    def __mul__(self, factor: float) -> Parameters:
        return Parameters({name: self[name] * factor for name in self})

    __rmul__ = __mul__

    @property
    def vector(self) -> Array:
        """All values as one vector, shape ``(n_parameters,)``."""
        return np.concatenate([array.ravel() for array in self._arrays.values()])

    def like(self, vector: Array) -> Parameters:
        """Give `vector` the names and shapes of these parameters."""
        ends = np.cumsum([array.size for array in self._arrays.values()])[:-1]
        parts = np.split(np.asarray(vector), ends)
        return Parameters(
            {name: part.reshape(self[name].shape) for name, part in zip(self, parts, strict=True)}
        )

    def fits(self, pattern: Parameters) -> bool:
        """Whether names and shapes are those of `pattern` and all values are finite."""
        return list(self) == list(pattern) and all(
            is_finite_array(self[name], pattern[name].shape) for name in self
        )

    def norm(self) -> float:
        """Euclidean norm over all values."""
        return float(np.sqrt(sum(float(np.sum(array**2)) for array in self._arrays.values())))


def weighted_mean(weights: Mapping[str, float], updates: Mapping[str, Parameters]) -> Parameters:
    """Mean of the sites' updates, added in the order of the sites' names.

    Floating-point sums depend on their order, so a fixed order keeps a result independent of who
    answered first.

    Examples
    --------
    >>> ones, threes = Parameters({"w": [1.0]}), Parameters({"w": [3.0]})
    >>> weighted_mean({"a": 1.0, "b": 3.0}, {"b": threes, "a": ones})["w"]
    array([2.5])
    """
    sites = sorted(updates)
    total = sum(weights[site] for site in sites)
    mean = updates[sites[0]] * (weights[sites[0]] / total)
    for site in sites[1:]:
        mean = mean + updates[site] * (weights[site] / total)
    return mean
