"""Values to bytes and back: typed MessagePack, no code in it.

An *open* family (queries, answers, models, strategies) travels with the name of its class. Only
classes that were defined as members of the family can be read back, each with the types its fields
declare; nothing that arrives is executed.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import msgspec
import numpy as np

from fedlab.core.parameters import Parameters
from fedlab.errors import MessageError

__all__ = ["Open", "decode", "encode", "encoded_size", "member"]

T = TypeVar("T")

DTYPES = frozenset({"<f8", "<i8", "<i4", "|u1", "|b1"})
MAXIMUM_BYTES = 1 << 28


class Open:
    """Base of a family of tagged structs to which anyone may add a member.

    A member is ``class Mean(Query, msgspec.Struct, frozen=True, tag=True)``; a field annotated with
    the family takes any member.
    """

    __slots__ = ()


def member(family: type, name: object) -> Any:
    """The class of an open family that goes by `name`.

    Raises
    ------
    TypeError
        When there is none.
    """
    waiting: list[type] = list(family.__subclasses__())
    while waiting:
        candidate = waiting.pop()
        config = getattr(candidate, "__struct_config__", None)
        if config is not None and config.tag is not None and config.tag == name:
            return candidate
        waiting += candidate.__subclasses__()
    raise TypeError(f"no {family.__name__} has that name")


def _write(value: Any, copy: bool = True) -> Any:
    if isinstance(value, Parameters):
        return dict(value)
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value).reshape(value.shape)
        if array.dtype.newbyteorder("<").str not in DTYPES:
            raise TypeError(f"arrays of {array.dtype} do not travel")
        if not copy:
            return {"dtype": array.dtype.newbyteorder("<").str, "shape": array.shape, "data": b""}
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        return {"dtype": little.dtype.str, "shape": little.shape, "data": little.tobytes()}
    raise TypeError(f"{type(value).__name__} does not travel")


def _read(kind: Any, value: Any) -> Any:
    if kind is Parameters:
        return Parameters({str(name): _array(array) for name, array in value.items()})
    if getattr(kind, "__origin__", kind) is np.ndarray:
        return _array(value)
    if isinstance(kind, type) and issubclass(kind, Open):
        return msgspec.convert(value, member(kind, value.get("type")), dec_hook=_read)
    raise TypeError(f"{kind!r} does not travel")


def _array(value: Any) -> Any:
    dtype, shape, data = value["dtype"], value["shape"], value["data"]
    if dtype not in DTYPES:
        raise TypeError("an array of a type that does not travel")
    if not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError("an array of no shape")
    if math.prod(shape) * np.dtype(dtype).itemsize != len(data):
        raise ValueError("an array whose bytes do not fill its shape")
    array = np.frombuffer(data, dtype).reshape(shape)
    array.setflags(write=False)
    return array


def encode(value: Any) -> bytes:
    """Bytes of a struct; the same value gives the same bytes.

    Examples
    --------
    >>> decode(encode({"mean": np.array([1.5])}), dict[str, np.ndarray])
    {'mean': array([1.5])}
    """
    return msgspec.msgpack.encode(value, enc_hook=_write)


def encoded_size(value: Any) -> int:
    """Length of ``encode(value)``, without copying the arrays in it.

    Examples
    --------
    >>> value = {"mean": np.arange(100.0)}
    >>> encoded_size(value) == len(encode(value))
    True
    """
    left_out = 0

    def write(inner: Any) -> Any:
        nonlocal left_out
        written = _write(inner, copy=False)
        if isinstance(inner, np.ndarray):
            # MessagePack heads bytes by 2, 3 or 5 more, of which the empty ones below have 2.
            size = inner.nbytes
            left_out += size + (0 if size < 1 << 8 else 1 if size < 1 << 16 else 3)
        return written

    return len(msgspec.msgpack.encode(value, enc_hook=write)) + left_out


def decode(data: bytes, kind: type[T]) -> T:
    """Read `data` as a `kind`.

    Raises
    ------
    MessageError
        When the bytes are too many, damaged, or of another type than declared.
    """
    if len(data) > MAXIMUM_BYTES:
        raise MessageError(
            f"A message has at most {MAXIMUM_BYTES} bytes.", f"{len(data)}", "Send less at once."
        )
    try:
        return msgspec.msgpack.decode(data, type=kind, dec_hook=_read)
    except (
        msgspec.DecodeError,
        TypeError,
        ValueError,
        KeyError,
        AttributeError,
        RecursionError,
    ) as error:
        raise MessageError(
            f"A message must be a valid {getattr(kind, '__name__', 'value')}.",
            f"bytes that fail to read ({type(error).__name__})",
            "Check that both sides run the same version of fedlab.",
        ) from None
