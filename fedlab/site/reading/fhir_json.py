"""JSON read strictly: what two parsers could read differently is malformed (RFC 8259, RFC 7493)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec

from fedlab.site.reading.faults import RecordError

__all__ = ["bundle_parts", "peek_type", "read_json", "read_text"]

SPACE = " \t\r\n"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RecordError("repeated_key")
    return found


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise RecordError("bad_number")
    return value


def _constant(_: str) -> NoReturn:
    raise RecordError("bad_number")


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_constant=_constant)


class _Head(msgspec.Struct):
    resource_type: str = msgspec.field(name="resourceType")


HEAD = msgspec.json.Decoder(_Head)


def read_text(raw: bytes) -> str:
    """Bytes as text.

    Raises
    ------
    RecordError
        When they are not UTF-8.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise RecordError("invalid_encoding") from None


def read_json(raw: bytes, depth: int) -> Any:
    """One JSON value.

    Raises
    ------
    RecordError
        For bytes that are not UTF-8 or not JSON, repeated keys, numbers that are not finite, halves
        of surrogate pairs, and nesting beyond `depth`.
    """
    text = read_text(raw)
    return _value(text, len(text) - len(text.lstrip(SPACE)), depth, whole=True)[0]


def _value(text: str, start: int, depth: int, *, whole: bool = False) -> tuple[Any, int]:
    """The value that begins at `start`, and where it ends."""
    try:
        value, end = DECODER.raw_decode(text, start)
    except RecursionError:
        raise RecordError("too_deep") from None
    except ValueError:  # also numbers of more digits than Python converts
        raise RecordError("not_json") from None
    if whole and text[end:].strip(SPACE):
        raise RecordError("not_json")
    brackets = text.count("{", start, end) + text.count("[", start, end)
    if brackets > depth and _depth(value) > depth:
        raise RecordError("too_deep")
    # A lone surrogate can only be written as an escape, and cannot be stored as text.
    if text.find("\\ud", start, end) >= 0 or text.find("\\uD", start, end) >= 0:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise RecordError("invalid_encoding") from None
    return value, end


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level:
        inner: list[Any] = []
        for item in level:
            inner.extend(item.values() if isinstance(item, dict) else item)
        level = [item for item in inner if isinstance(item, dict | list)]
        depth += 1
    return depth


def peek_type(raw: bytes, wanted: tuple[bytes, ...]) -> str | None:
    r"""The type of a resource that is surely none of the wanted ones; None if it has to be read.

    The type can only be a wanted one if its quoted name is in the bytes, or an escape is. What is
    passed over so is checked to be UTF-8, JSON and an object with a type, and no further.

    Examples
    --------
    >>> peek_type(b'{"resourceType": "Device"}', (b'"Patient"',))
    'Device'
    >>> peek_type(b'{"resourceType": "\\u0050atient"}', (b'"Patient"',)) is None
    True
    """
    if b"\\u" in raw or any(name in raw for name in wanted):
        return None
    try:
        raw.decode("utf-8")
        return HEAD.decode(raw).resource_type
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def bundle_parts(raw: bytes, depth: int) -> Iterator[tuple[str, int, Any]]:
    """Members of one JSON object with their lines; members of its ``entry`` one by one.

    Yields
    ------
    (str, int, value)
        Name of the member, line at which the value begins, the value; an array under ``entry`` is
        given item by item. An item that is malformed in itself, yet has an end, is given as its
        RecordError.

    Raises
    ------
    RecordError
        With its line, where the text stops being JSON; parts before it have been given.
    """
    place = _Place(read_text(raw))
    try:
        yield from _members(place, depth)
    except RecordError as problem:
        raise RecordError(problem.code, place.line(place.at)) from None


def _members(place: _Place, depth: int) -> Iterator[tuple[str, int, Any]]:
    if not place.takes("{"):
        _value(place.text, place.at, depth, whole=True)
        raise RecordError("not_an_object")
    seen: set[str] = set()
    more = not place.takes("}")
    while more:
        name, place.at = _value(place.text, place.space(), 1)
        if not isinstance(name, str) or not place.takes(":"):
            raise RecordError("not_json")
        if name in seen:
            raise RecordError("repeated_key")
        seen.add(name)
        if name == "entry" and place.takes("["):
            yield from _items(place, depth - 2)
        else:
            start = place.space()
            value, place.at = _value(place.text, start, depth - 1)
            yield name, place.line(start), value
        more = _goes_on(place, "}")
    if place.space() < len(place.text):
        raise RecordError("not_json")


def _items(place: _Place, depth: int) -> Iterator[tuple[str, int, Any]]:
    more = not place.takes("]")
    while more:
        start = place.space()
        value: Any
        try:
            value, place.at = _value(place.text, start, depth)
        except RecordError as problem:
            value, place.at = problem, _end(place.text, start)
        yield "entry", place.line(start), value
        more = _goes_on(place, "]")


def _goes_on(place: _Place, close: str) -> bool:
    if place.takes(close):
        return False
    if not place.takes(","):
        raise RecordError("not_json")
    return True


def _end(text: str, start: int) -> int:
    """Where a value ends, whatever is wrong within it."""
    try:
        return json.JSONDecoder().raw_decode(text, start)[1]
    except RecursionError:
        raise RecordError("too_deep") from None
    except ValueError:
        raise RecordError("not_json") from None


class _Place:
    """A place in a text that only moves on, and knows its line."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self._counted, self._line = 0, 1

    def space(self) -> int:
        """Move past white space."""
        while self.at < len(self.text) and self.text[self.at] in SPACE:
            self.at += 1
        return self.at

    def takes(self, sign: str) -> bool:
        """Move past the sign, if it comes next."""
        if not self.text.startswith(sign, self.space()):
            return False
        self.at += 1
        return True

    def line(self, at: int) -> int:
        """Line of a place, from 1."""
        self._line += self.text.count("\n", self._counted, at)
        self._counted = at
        return self._line
