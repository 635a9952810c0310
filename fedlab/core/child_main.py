"""The program of the process that runs a model of somebody else; see `fedlab.core.child`.

It is started by its path and imports nothing of fedlab before it is told where that is. What it
writes goes to a copy of its standard output, so that a library that prints disturbs nobody.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import warnings
from typing import BinaryIO


def frame(pipe: BinaryIO) -> bytes:
    """One message: its length as eight bytes, and itself."""
    (size,) = struct.unpack("<Q", pipe.read(8))
    return pipe.read(size)


def main() -> None:
    """Read where libraries are, the file, and rows; answer on what was standard output."""
    source = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.close(nothing)
    sys.path[:] = json.loads(frame(source))
    warnings.simplefilter("ignore")

    from fedlab.core.child_work import work

    work(lambda: frame(source), answers)


if __name__ == "__main__":
    main()
