"""A mapping as a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fedlab.errors import DataError

__all__ = ["to_toml", "to_yaml", "write_text"]


def write_text(settings: Mapping[str, Any], path: Path) -> Path:
    """Write settings to a file.

    Raises
    ------
    DataError
        When its name ends in neither .yaml, .yml nor .toml, or it cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in {".yaml", ".yml", ".toml"}:
        raise DataError(
            "A mapping must be written as YAML or TOML.",
            repr(path.name),
            "Name it e.g. mercy.yaml.",
        )
    text = to_toml(settings) if kind == ".toml" else to_yaml(settings)
    fault = ""
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except (OSError, ValueError) as error:
        fault = type(error).__name__
    if fault:
        raise DataError(
            "A mapping must be written where files can be.",
            f"{path.name!r}, which fails with {fault}",
            "Check the folder, and that one may write there.",
        )
    return path


def to_yaml(settings: Mapping[str, Any]) -> str:
    """Settings as YAML, short lists on one line."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes lists on one line, and repeats what stands twice instead of naming it."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def on_one_line(dumper: Any, data: list[Any]) -> Any:
        return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)

    Dumper.add_representer(list, on_one_line)
    text = yaml.dump(dict(settings), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
    return str(text)


def to_toml(settings: Mapping[str, Any]) -> str:
    """Settings as TOML; the standard library reads it but does not write it."""
    return "\n".join(_table(settings, ())) + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    plain = {key: value for key, value in table.items() if key not in inner}
    if path and (plain or not inner):
        yield f"[{'.'.join(map(_key, path))}]"
    for key, value in plain.items():
        yield f"{_key(key)} = {_value(value)}"
    if plain:
        yield ""
    for key, value in inner.items():
        yield from _table(value, (*path, key))


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _quoted(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return _quoted(str(value))


def _quoted(text: str) -> str:
    """A basic string (TOML 1.0, section "String")."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\u{ord(m[0]):04x}", plain) + '"'
