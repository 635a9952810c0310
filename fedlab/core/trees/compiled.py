"""The one place that knows the compiler of the inner loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

__all__ = ["brief", "compiled"]

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on its first call; other threads run meanwhile.

    No fast-math and no threads inside: what it computes has the same bits everywhere. The machine
    code is kept beside the source, or in the user's cache folder where that is read-only; where
    both are, each process compiles anew.
    """
    return _compile(function, nogil=True)


def brief(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that takes microseconds; other threads wait.

    To let them run and to get the interpreter back takes longer than such a function does.
    """
    return _compile(function, nogil=False)


def _compile(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    import numba

    wrapped: Callable[P, R]
    try:
        wrapped = numba.njit(cache=True, error_model="numpy", **options)(function)
    # So numba says that it finds no folder to write to.
    except RuntimeError:
        wrapped = numba.njit(error_model="numpy", **options)(function)
    return wrapped
