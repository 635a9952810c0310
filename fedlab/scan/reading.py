"""Which detectors read which piece of a notebook."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from fedlab.scan.images import media_hits
from fedlab.scan.kinds import ROWS
from fedlab.scan.looking import in_html, in_structure, in_tables, in_text
from fedlab.scan.notebook import STATE, Piece
from fedlab.scan.rows import quoted_hits
from fedlab.scan.rule import Hit
from fedlab.scan.tables import code_tables

__all__ = ["hits_in"]

#: Characters of a widget's buffer, from which on it may hold rows.
BUFFER = 1024
MEDIA = ("image/", "video/", "audio/")


def hits_in(piece: Piece, counts: Collection[int] = ()) -> Iterator[Hit]:
    """All hits in one piece."""
    mime, content = piece.mime.lower(), piece.content
    if mime.startswith(MEDIA) and mime != "image/svg+xml":
        yield from media_hits(mime, content)
    elif not isinstance(content, str):
        yield from in_structure(content, counts)
        if mime == STATE:
            yield from _buffers(content)
    elif mime in {"text/html", "image/svg+xml", "application/xml", "text/xml"}:
        yield from in_html(content, counts)
    elif mime == "traceback":
        yield from in_text(content, counts)
        yield from quoted_hits(content)
    elif mime == "code":
        yield from in_text(content, counts)
        yield from in_tables(tuple(code_tables(content)), counts)
    elif mime.startswith("text/") or mime.endswith(("json", "javascript")):
        yield from in_text(content, counts)
    else:
        # A type nobody here can read, such as PDF or a binary table.
        yield from in_text(content, counts)
        yield from media_hits(mime, content)


def _buffers(state: object) -> Iterator[Hit]:
    """Binary values of widgets: pictures, and arrays that nobody here can read."""
    stack = [state]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if node.get("_model_name") == "ImageModel" or node.get("model_name") == "ImageModel":
                yield Hit("photo", "an image widget", "")
            data = node.get("data")
            if node.get("encoding") == "base64" and isinstance(data, str) and len(data) >= BUFFER:
                yield Hit(
                    ROWS, "a widget's binary value, not looked into", f"{len(data)} characters"
                )
            stack += node.values()
        elif isinstance(node, list):
            stack += node
