"""What a process gives up before it reads a model of somebody else, for good.

On systems without these limits the clock of the process that started it is all there is.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["give_up", "give_up_files"]


def give_up(cpu_seconds: int, memory: int) -> None:
    """Set limits on computing, on memory beyond what is mapped now, on files and processes."""
    if sys.platform == "win32":
        return
    import resource

    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    seconds = int(used) + cpu_seconds
    # The second limit kills where the signal at the first is held off.
    _lower(resource.RLIMIT_CPU, seconds, seconds + 1)
    _lower(resource.RLIMIT_AS, _mapped() + memory)
    # A picture of its memory would hold rows.
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NPROC, 0)


def give_up_files(spare: int = 0) -> None:
    """Leave room for no more open files, and so for no socket, than `spare`."""
    if sys.platform == "win32":
        return
    import resource

    highest = max((each for each in map(int, os.listdir("/dev/fd")) if _is_open(each)), default=2)
    # What is free below would still be given out.
    while (number := os.dup(highest)) < highest:
        pass
    os.close(number)
    _lower(resource.RLIMIT_NOFILE, highest + 1 + spare)


def _is_open(number: int) -> bool:
    # The listing itself is among what it lists, and closed by now.
    with suppress(OSError):
        os.fstat(number)
        return True
    return False


def _lower(kind: int, soft: int, hard: int | None = None) -> None:
    import resource

    _, most = resource.getrlimit(kind)
    wanted = soft if hard is None else hard
    if most != resource.RLIM_INFINITY:
        wanted = min(wanted, most)
    # A system without it has the clock.
    with suppress(OSError, ValueError):
        resource.setrlimit(kind, (min(soft, wanted), wanted))


def _mapped() -> int:
    # Of what the libraries have mapped most is never touched, so the limit counts from there.
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except (OSError, ValueError):
        return 4 << 30
    return pages * os.sysconf("SC_PAGE_SIZE")
