"""The one place that knows the compiler of the inner loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["compiled"]

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on its first call; other threads run meanwhile.

    No fast-math and no threads inside: what it computes has the same bits everywhere. The machine
    code is kept beside the source, or in numba's own folder where that is read-only.
    """
    import numba

    wrapped: Callable[P, R] = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    return wrapped
