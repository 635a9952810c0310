"""A notebook's file, and every piece of it that holds text, data or a picture.

The JSON is read as it is. A library that validates or upgrades it would drop what a notebook may
not hold, and what is hidden there leaves with the file all the same.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from fedlab.errors import DataError

__all__ = ["LARGEST", "Piece", "cells_of", "pieces", "read_notebook"]

#: Bytes of the largest notebook that is read, 256 MiB.
LARGEST = 2**28
# nbformat 3 names an output's formats by these words.
OLD_FORMATS = {
    "text": "text/plain",
    "html": "text/html",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "pdf": "application/pdf",
    "latex": "text/latex",
    "json": "application/json",
    "javascript": "application/javascript",
    "traceback": "traceback",
    "evalue": "message",
    "stream": "text/plain",
}
MIME = re.compile(r"[a-z]{1,12}/[a-z0-9.+-]{1,60}")
STATE = "application/vnd.jupyter.widget-state+json"


class Piece(NamedTuple):
    """One content at one place. ``mime`` says how to read it."""

    cell: int | None
    output: int | None
    where: str
    mime: str
    content: object


def read_notebook(path: str | os.PathLike[str]) -> dict[str, object]:
    """Read and check the outer shape of a notebook.

    Raises
    ------
    DataError
        If there is no such file, or it is too large, damaged, or not a notebook of nbformat 2 to 4.
    """
    file = Path(path)
    remedy = "Pass the path of an .ipynb file."
    if not file.is_file():
        raise DataError("A notebook is a file.", "a path without a file", remedy)
    if (size := file.stat().st_size) > LARGEST:
        raise DataError(
            f"A notebook has at most {LARGEST:,} bytes.", f"{size:,} bytes", "Clear large outputs."
        )
    try:
        found = json.loads(file.read_bytes().decode("utf-8-sig"), object_pairs_hook=_whole)
    except (ValueError, RecursionError) as error:
        came = f"a file that is not ({type(error).__name__})"
        # The cause would quote the text.
        raise DataError("A notebook is JSON in UTF-8.", came, "Restore the file.") from None
    if not isinstance(found, dict) or not isinstance(cells_of(found), list):
        raise DataError("A notebook holds a list of cells.", "JSON without one", remedy)
    version = found.get("nbformat", 4)
    if version not in (2, 3, 4):
        raise DataError(
            "nbformat must be 2, 3 or 4.", "another", "Save it with Jupyter 4 or later."
        )
    return found


def _whole(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """All members of an object; of two with one name a parser would show only the last."""
    found: dict[str, object] = {}
    for name, value in pairs:
        while name in found:
            name += "+"
        found[name] = value
    return found


def cells_of(notebook: Mapping[str, object]) -> list[object] | None:
    """The cells; before nbformat 4 they lie in worksheets. None if there is no list of them."""
    cells = notebook.get("cells")
    if isinstance(cells, list):
        return cells
    sheets = notebook.get("worksheets")
    if not isinstance(sheets, list):
        return None
    inner = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    return [cell for cells in inner if isinstance(cells, list) for cell in cells]


def joined(content: object) -> object:
    """Text that may be stored as a list of lines."""
    if isinstance(content, list) and all(isinstance(line, str) for line in content):
        return "".join(content)
    return content


def pieces(notebook: Mapping[str, object]) -> Iterator[Piece]:
    """Every piece of a notebook, known or not, once."""
    for number, cell in enumerate(cells_of(notebook) or []):
        if isinstance(cell, dict):
            yield from _cell(number, cell)
        else:
            yield Piece(number, None, "cell", "application/json", cell)
    for name, content in notebook.items():
        if name == "metadata" and isinstance(content, dict):
            yield from _metadata(content)
        elif name not in {"cells", "worksheets", "nbformat", "nbformat_minor"}:
            yield Piece(None, None, "other part", "application/json", {name: content})


def _metadata(metadata: Mapping[str, object]) -> Iterator[Piece]:
    rest = dict(metadata)
    widgets = rest.pop("widgets", None)
    rest.pop("language_info", None)
    rest.pop("kernelspec", None)
    yield Piece(None, None, "notebook metadata", "application/json", rest)
    if widgets is not None:
        yield Piece(None, None, "widget state", STATE, widgets)


def _cell(number: int, cell: Mapping[str, object]) -> Iterator[Piece]:
    kind = "code" if cell.get("cell_type") == "code" else "text/markdown"
    for name, content in cell.items():
        if name in {"source", "input"}:
            yield Piece(number, None, "source", kind, joined(content))
        elif name == "outputs" and isinstance(content, list):
            for place, output in enumerate(content):
                yield from _output(number, place, output)
        elif name == "attachments" and isinstance(content, dict):
            for file, formats in content.items():
                yield Piece(number, None, "attachment's name", "text/plain", file)
                yield from _formats(number, None, "attachment", formats)
        elif name not in {"id", "cell_type", "execution_count", "prompt_number"}:
            where = "cell metadata" if name == "metadata" else "other part of the cell"
            yield Piece(number, None, where, "application/json", {name: content})


def _formats(cell: int, output: int | None, where: str, formats: object) -> Iterator[Piece]:
    if not isinstance(formats, dict):
        yield Piece(cell, output, where, "application/json", formats)
        return
    for mime, content in formats.items():
        known = MIME.fullmatch(mime) is not None and not re.search(r"\d{3}", mime)
        told = mime if known else "of an unknown type"
        yield Piece(cell, output, f"{where} {told}", mime, joined(content))
        if not known:
            yield Piece(cell, output, "name of a type", "text/plain", mime)


def _output(cell: int, place: int, output: object) -> Iterator[Piece]:
    if not isinstance(output, dict):
        yield Piece(cell, place, "output", "application/json", output)
        return
    for name, content in output.items():
        if name == "data":
            yield from _formats(cell, place, "output", content)
        elif name == "traceback" and isinstance(content, list):
            lines = "\n".join(line for line in content if isinstance(line, str))
            yield Piece(cell, place, "traceback", "traceback", lines)
        elif name == "evalue":
            yield Piece(cell, place, "error message", "traceback", joined(content))
        elif name == "text" or name in OLD_FORMATS:
            mime = OLD_FORMATS.get(name, "text/plain")
            yield Piece(cell, place, f"output {name}", mime, joined(content))
        elif name not in {"output_type", "execution_count", "prompt_number", "ename"}:
            where = "output metadata" if name == "metadata" else "other part of the output"
            yield Piece(cell, place, where, "application/json", {name: content})
