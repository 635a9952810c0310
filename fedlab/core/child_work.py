"""What the process does with a model of somebody else: look at the file, then at rows."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from importlib import import_module
from typing import Any, BinaryIO, NoReturn

import msgspec
import numpy as np

from fedlab.core.child import (
    DONE,
    LABEL,
    LONGEST_REPORT,
    MEMORY,
    RAISED,
    SHAPE,
    Batch,
    Fault,
    Job,
    Report,
)
from fedlab.core.child_limits import give_up, give_up_files
from fedlab.core.foreign import Feed, kind_of
from fedlab.core.foreign_outputs import NoLabelError, NoShapeError
from fedlab.core.parameters import Array

__all__ = ["work"]

# How libraries say that there was no memory, each its own way.
OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "llocate memory", "MemoryError")
IMPORTS_LEFT = 32
LIBRARIES = {"onnx": ("onnx", "onnx.defs", "onnxruntime"), "skops": ("pandas", "skops.io")}


def work(read: Callable[[], bytes], answers: BinaryIO) -> None:
    """Take a job and, where it has a plan, rows; answer each."""
    job = msgspec.msgpack.decode(read(), type=Job)
    loader = _loader(job.file)
    give_up(job.cpu_seconds, job.memory)
    # Estimators import what they compute with as late as when they are asked.
    give_up_files(IMPORTS_LEFT if kind_of(job.file) == "skops" else 0)
    try:
        model, seen = loader(job.file, job.plan)
        report = Report(seen=seen)
    except BaseException as error:
        model, report = None, Report(fault=_fault(error))
    said = msgspec.json.encode(report)
    if len(said) > LONGEST_REPORT:
        model, said = (
            None,
            msgspec.json.encode(
                Report(fault=Fault(code="model", came="a file that says too much of itself"))
            ),
        )
    answers.write(struct.pack("<Q", len(said)) + said)
    answers.flush()
    if model is None or job.plan is None:
        _leave()
    plan = job.plan
    try:
        batch = msgspec.msgpack.decode(read(), type=Batch)
        inputs = [
            _array(feed, data, batch.n_rows)
            for feed, data in zip(plan.feeds, batch.inputs, strict=True)
        ]
        values = np.ascontiguousarray(model(inputs, batch.n_rows), "<f8")
        if values.shape != (batch.n_rows, plan.width):
            raise NoShapeError
        answers.write(bytes([DONE]) + values.tobytes())
    # Whatever it is, one byte of it leaves.
    except BaseException as error:
        answers.write(bytes([_status(error)]))
    answers.flush()
    _leave()


def _leave() -> NoReturn:
    # Without a look at what libraries would still do: their ends print, and may fail for want of
    # files.
    os._exit(0)


def _loader(file: bytes) -> Callable[..., Any]:
    # Libraries are there before the limits are, which leave them no file to be read from.
    kind = kind_of(file)
    for library in LIBRARIES[kind]:
        import_module(library)
    if kind == "skops":
        from fedlab.core.foreign_skops import open_estimator

        return open_estimator
    from fedlab.core.foreign_onnx import open_graph

    return open_graph


def _array(feed: Feed, data: bytes | list[str], n_rows: int) -> Array | Any:
    shape = (n_rows, len(feed.parts))
    if isinstance(data, bytes):
        return np.frombuffer(data, "<f8").reshape(shape)
    return np.array(data, dtype=object).reshape(shape)


def _fault(error: BaseException) -> Fault:
    from fedlab.core.foreign_outputs import StrangeFileError

    if _short_of_memory(error):
        return Fault(code="limits", came="")
    if isinstance(error, StrangeFileError):
        return Fault(code="model", came=str(error))
    return Fault(code="model", came=f"a file that fails to read ({type(error).__name__})")


def _short_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(word in str(error) for word in OUT_OF_MEMORY)


def _status(error: BaseException) -> int:
    if _short_of_memory(error):
        return MEMORY
    if isinstance(error, NoShapeError):
        return SHAPE
    return LABEL if isinstance(error, NoLabelError) else RAISED
