"""Declarations of views: a dict, or a YAML or JSON file, checked against their type."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from fedlab.errors import DataError

__all__ = ["read_declaration", "read_mapping"]

Declared = TypeVar("Declared", bound=msgspec.Struct)
LARGEST = 4 << 20


def read_declaration(
    declaration: Declared | Mapping[str, Any] | str | Path, kind: type[Declared], what: str
) -> Declared:
    """The declaration as its type.

    Raises
    ------
    DataError
        With the place in the declaration that does not fit. A declaration holds no rows.
    """
    if isinstance(declaration, kind):
        # A struct made by hand is not checked by its constructor.
        return _converted(msgspec.to_builtins(declaration), kind, what)
    return _converted(read_mapping(declaration, what), kind, what)


def read_mapping(declaration: object, what: str) -> dict[str, Any]:
    """A declaration as a dict, from a dict or a file.

    Raises
    ------
    DataError
    """
    value: object = declaration
    if isinstance(declaration, str | Path):
        value = _loaded(Path(declaration), what)
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise DataError(
            f"{_a(what)} must be a mapping of names.",
            type(value).__name__,
            "Pass a dict, or the path of a .yaml or .json file.",
        )
    return dict(value)


def _loaded(path: Path, what: str) -> object:
    import yaml

    if path.suffix.lower() not in (".yaml", ".yml", ".json") or not path.is_file():
        raise DataError(
            f"{_a(what)} is read from a .yaml or .json file.", repr(path.name), "Check the path."
        )
    place = ""
    try:
        if path.stat().st_size <= LARGEST:
            # JSON is YAML, but for tabs; its own parser also is the faster.
            text = path.read_text("utf-8")
            return msgspec.json.decode(text) if path.suffix == ".json" else yaml.safe_load(text)
        place = ", which is too large"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = ", which stops being YAML" + (f" at line {mark.line + 1}" if mark else "")
    except (yaml.YAMLError, msgspec.MsgspecError, ValueError, RecursionError, OSError):
        place = ", which cannot be parsed"
    raise DataError(
        f"{_a(what)} must be YAML or JSON.", f"{path.name!r}{place}", "Correct the file."
    )


def _converted(value: object, kind: type[Declared], what: str) -> Declared:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        problem = str(error)
    except RecursionError:
        problem = "nesting that does not end"
    raise DataError(
        f"{_a(what)} must have the form its type says.",
        f"a fault: {problem}",
        f"See help(fedlab.site.reading.{kind.__name__}).",
    )


def _a(what: str) -> str:
    return f"{'An' if what[:1] in 'AEIOU' else 'A'} {what}"
