"""A mapping's file, read whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fedlab.errors import DataError
from fedlab.site.mapping.faults import Faults
from fedlab.site.mapping.nodes import Node
from fedlab.site.mapping.toml_nodes import toml_nodes
from fedlab.site.mapping.yaml_nodes import yaml_nodes

__all__ = ["parse_nodes", "read_nodes"]

MOST_BYTES = 128 * 1024


def read_nodes(path: Path, faults: Faults) -> Node | None:
    """The nodes of a YAML or TOML file; None after a fault that ends the reading.

    Raises
    ------
    DataError
        When the file is missing, too large or of another kind.
    """
    if path.suffix.lower() not in {".yaml", ".yml", ".toml"}:
        raise DataError(
            "A mapping must be a YAML or TOML file.",
            repr(path.name),
            "Name it e.g. mercy.yaml, or pass Mapping.from_dict(...).",
        )
    data = None
    try:
        if path.is_file() and path.stat().st_size <= MOST_BYTES:
            data = path.read_bytes()
    except (OSError, ValueError):
        # The path itself cannot be one.
        data = None
    if data is None or len(data) > MOST_BYTES:
        raise DataError(
            f"A mapping must be a file of at most {MOST_BYTES // 1024} KiB.",
            f"{path.name!r}, which is missing, unreadable or larger",
            "Check the path; tables of patients go to Site(name, data).",
        )
    return parse_nodes(data, "toml" if path.suffix.lower() == ".toml" else "yaml", faults)


def parse_nodes(data: bytes, form: Literal["yaml", "toml"], faults: Faults) -> Node | None:
    """The nodes of the bytes of a file; None after a fault that ends the reading."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        text = None
    if text is None:
        faults.add(line, "", "It must be text in UTF-8.", "other bytes", "Save it as UTF-8.")
        return None
    return yaml_nodes(text, faults) if form == "yaml" else toml_nodes(text, faults)
