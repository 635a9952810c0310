"""(Q) Photographs, and sound, which may hold a voice (P).

Nobody looks into a picture here: each raster image counts, except a PNG that says Matplotlib drew
it and that packs as small as drawings do. A photograph inside such a figure is not detected.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Iterator

from fedlab.scan.kinds import ROWS
from fedlab.scan.rule import Hit

__all__ = ["DATA_URI", "embedded_hits", "media_hits"]

DATA_URI = re.compile(
    r"data:([a-z]{1,12}/[a-z0-9.+-]{1,40})(?:;[a-z-]{1,20}=[\w-]{1,20})?;base64", re.I
)
CODED = re.compile(r"[A-Za-z0-9+/=]*")
#: Bytes a pixel, above which a PNG holds texture; charts take a tenth of it.
TEXTURE = 0.5


def media_hits(mime: str, content: object) -> Iterator[Hit]:
    """What an output or an attachment of this type may show."""
    family = mime.partition("/")[0]
    text = content if isinstance(content, str) else ""
    if mime == "image/svg+xml":
        yield from embedded_hits(text)
    elif mime == "image/png" and _is_drawing(text):
        return
    elif family in {"image", "video"} or mime == "application/dicom":
        yield Hit("photo", f"an embedded {mime}", f"{len(text)} characters")
    elif family == "audio":
        yield Hit(
            "biometric", f"an embedded {mime}, which may hold a voice", f"{len(text)} characters"
        )
    else:
        yield Hit(ROWS, f"an embedded {mime}, which is not looked into", f"{len(text)} characters")


def embedded_hits(text: str) -> Iterator[Hit]:
    """Images, video and sound inside text, HTML or SVG."""
    for match in DATA_URI.finditer(text):
        mime = match[1].lower()
        if mime.partition("/")[0] in {"image", "video", "audio"} and mime != "image/svg+xml":
            content = CODED.match(text, match.end() + 1)
            yield from media_hits(mime, content[0] if content else "")


def _is_drawing(coded: str) -> bool:
    head = re.sub(r"\s", "", coded[:4096])
    try:
        raw = base64.b64decode(head[: len(head) // 4 * 4])
    except (binascii.Error, ValueError):
        return False
    if (
        raw[:8] != b"\x89PNG\r\n\x1a\n"
        or len(raw) < 24
        or b"Software\x00Matplotlib" not in raw[:2048]
    ):
        return False
    width, height = struct.unpack(">II", raw[16:24])
    return bool(len(coded) * 0.75 <= TEXTURE * width * height)
