"""Threads of one process that take turns but for their long computations.

Short work that lets go of the interpreter for a moment, such as a line written to a database, makes
the threads wake each other at every such moment, which takes longer than the work. Whoever has the
turn is not waited for by the others in the meantime.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["aside", "turn"]

_own = threading.local()


@contextmanager
def turn(lock: threading.Lock) -> Iterator[None]:
    """Hold `lock`, which `aside` lets go of meanwhile."""
    lock.acquire()
    _own.lock = lock
    try:
        yield
    finally:
        # An interrupt may have come before `aside` had it back.
        if _own.lock is not None:
            _own.lock = None
            lock.release()


@contextmanager
def aside() -> Iterator[None]:
    """Let the others have their turn; nothing where none was taken.

    Examples
    --------
    >>> with aside():
    ...     pass
    """
    lock: threading.Lock | None = getattr(_own, "lock", None)
    if lock is None:
        yield
        return
    _own.lock = None
    lock.release()
    try:
        yield
    finally:
        lock.acquire()
        _own.lock = lock
