"""A model of somebody else, run in a process of its own that is killed at its limit.

The process is told the file first, and rows only once it has found the file sound. It has no
environment, may write no file, has no room for another open file or socket, and has a limit on its
computing and memory (see `child_limits`). Of what it says after it has seen rows nothing is
believed but one byte, and numbers of the agreed shape.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np

from fedlab.core.foreign import ModelLimits, Plan, Seen
from fedlab.core.parameters import Array
from fedlab.errors import WithheldError

__all__ = ["Batch", "Fault", "Job", "inspect_model", "run_model"]

MAIN = Path(__file__).with_name("child_main.py")
LONGEST_REPORT = 1 << 20
# One thread each, since the limits leave no room for more.
ENVIRONMENT = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
DONE, SHAPE, RAISED, MEMORY, LABEL = 1, 2, 3, 4, 5
SAYS = {
    SHAPE: "other shapes than its plan says",
    RAISED: "an error of its own",
    LABEL: "a class that the federation does not have",
}


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is told first."""

    file: bytes
    plan: Plan | None
    cpu_seconds: int
    memory: int


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Rows, by input: doubles as bytes, or texts row by row."""

    n_rows: int
    inputs: list[bytes | list[str]]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why the process does not run a file; said before it has seen a row."""

    code: str
    came: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What it found in the file."""

    seen: Seen | None = None
    fault: Fault | None = None


def inspect_model(file: bytes, limits: ModelLimits) -> Seen:
    """What a model file says of itself, found in a process of its own.

    Raises
    ------
    WithheldError
        Code ``"model"`` for a file that is not run, ``"limits"`` for one that takes too much.
    """
    with _started(file, None, limits) as child:
        return child.seen()


def run_model(
    file: bytes, plan: Plan, inputs: Sequence[Array | list[str]], n_rows: int, limits: ModelLimits
) -> Array:
    """What a model gives for rows, ``(n_rows, plan.width)``, all finite.

    Parameters
    ----------
    file : bytes
    plan : Plan
    inputs : sequence of ndarray or list of str
        As `fedlab.core.foreign.fed` makes them.
    n_rows : int
    limits : ModelLimits

    Raises
    ------
    WithheldError
        Code ``"model"`` for a file that is not run, ``"limits"`` for one stopped at a limit,
        ``"failed"`` for one that crashes or gives something else than numbers as agreed.
    """
    with _started(file, plan, limits) as child:
        child.seen()
        packed = [
            each if isinstance(each, list) else np.ascontiguousarray(each, "<f8").tobytes()
            for each in inputs
        ]
        child.send(msgspec.msgpack.encode(Batch(n_rows=n_rows, inputs=packed)))
        status = child.take(1)[0]
        if status != DONE:
            raise (
                child.stopped("its memory")
                if status == MEMORY
                else _failed(SAYS.get(status, "something that is no answer"))
            )
        values = np.frombuffer(child.take(n_rows * plan.width * 8), "<f8")
    if not np.isfinite(values).all():
        raise _failed("numbers that are not finite")
    return values.reshape(n_rows, plan.width).astype(np.float64)


class _Child:
    def __init__(self, process: subprocess.Popen[bytes], limits: ModelLimits) -> None:
        self._process, self._limits = process, limits
        self._late = threading.Event()
        self._timer = threading.Timer(limits.seconds, self._overdue)
        self._timer.daemon = True
        self._timer.start()

    def _overdue(self) -> None:
        self._late.set()
        self._kill()

    def _kill(self) -> None:
        if hasattr(os, "killpg"):
            # Whatever it may have started is of its session.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def close(self) -> None:
        self._timer.cancel()
        if self._process.returncode is None:
            self._kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                _open(pipe).close()
        self._process.wait()

    def send(self, data: bytes) -> None:
        pipe = _open(self._process.stdin)
        try:
            pipe.write(struct.pack("<Q", len(data)))
            pipe.write(data)
            pipe.flush()
        except OSError:
            raise self._gone() from None

    def take(self, size: int) -> bytes:
        data = _open(self._process.stdout).read(size)
        if len(data) < size:
            raise self._gone()
        return data

    def seen(self) -> Seen:
        (size,) = struct.unpack("<Q", self.take(8))
        if size > LONGEST_REPORT:
            raise _failed("a report of no length that fits")
        try:
            report = msgspec.json.decode(self.take(size), type=Report)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            report = Report(fault=Fault(code="failed", came="a report that fails to read"))
        fault = report.fault
        if fault is not None and fault.code == "limits":
            raise self.stopped("its memory")
        if fault is not None or report.seen is None:
            came = "nothing" if fault is None else fault.came
            raise WithheldError(
                "A model file must be ONNX of the operators that sites run, or a skops archive of "
                "the scikit-learn classes that they know.",
                came[:300],
                "Export it again as ONNX, in ai.onnx and ai.onnx.ml operators, with its data "
                "inside.",
                code="model",
            )
        return report.seen

    def stopped(self, what: str) -> WithheldError:
        limits = self._limits
        return WithheldError(
            "A model runs within the site's limits: "
            f"{limits.seconds:g} s, {limits.cpu_seconds} s of computing, "
            f"{limits.memory / (1 << 20):.0f} MiB of memory.",
            f"one that was stopped at the limit of {what}",
            "Use a smaller model, or agree on other limits (fl.Policy(model_limits=...)).",
            code="limits",
        )

    def _gone(self) -> WithheldError:
        self._process.kill()
        code = self._process.wait()
        if self._late.is_set():
            return self.stopped("its time")
        if hasattr(signal, "SIGXCPU") and code == -signal.SIGXCPU:
            return self.stopped("its computing time")
        return _failed("a crash of its process")


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the process was started without pipes")
    return pipe


def _failed(came: str) -> WithheldError:
    return WithheldError(
        "A model must give finite numbers as its plan says, for each row by itself.",
        came,
        "Run it on rows of your own; it may need every column filled, or other columns=.",
        code="failed",
    )


@contextmanager
def _started(file: bytes, plan: Plan | None, limits: ModelLimits) -> Iterator[_Child]:
    if len(file) > limits.file_bytes:
        raise WithheldError(
            f"A model file may have {limits.file_bytes:,} bytes.",
            f"{len(file):,}",
            "Use a smaller model, or agree on other limits (fl.Policy(model_limits=...)).",
            code="model",
        )
    options: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {}
    process = subprocess.Popen(  # noqa: S603 - this interpreter and a file of this package
        # Isolated: no variable of the environment, no folder of the user and no hook of the
        # installation decides what is imported.
        [sys.executable, "-I", "-S", "-B", str(MAIN)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        cwd=os.path.abspath(os.sep),
        close_fds=True,
        **options,
    )
    child = _Child(process, limits)
    try:
        # Where the libraries are that this process runs with; it runs with no others.
        places = [os.path.abspath(place) for place in (*sys.path, str(MAIN.parents[2])) if place]
        child.send(msgspec.json.encode(places))
        job = Job(file=file, plan=plan, cpu_seconds=limits.cpu_seconds, memory=limits.memory)
        child.send(msgspec.msgpack.encode(job))
        yield child
    finally:
        child.close()


def _environment() -> dict[str, str]:
    # Windows starts no process without it.
    kept = {"SYSTEMROOT": os.environ["SYSTEMROOT"]} if "SYSTEMROOT" in os.environ else {}
    return {**ENVIRONMENT, **kept}
