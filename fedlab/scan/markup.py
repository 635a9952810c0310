"""HTML as a reader sees it: its text, its tables, its attributes and comments.

The standard library's parser takes quadratic time on tags that never end (CVE-2025-6069), so tags
are found by one bounded pattern here. Whatever is taken for no tag stays text, and is read as text.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

from fedlab.scan.tables import Table

__all__ = ["Page", "read_html"]

# Neither sign of a tag may stand inside, so the search for an end stops at the next beginning.
TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]{0,20})\b([^<>]{0,4000})>")
ATTRIBUTE = re.compile(r"""([\w:-]{1,40})\s{0,4}=\s{0,4}("[^"]*"|'[^']*'|[^\s"'>]{1,2000})""")
INLINE = frozenset(
    ["b", "i", "em", "strong", "span", "a", "u", "s", "small", "sub", "sup", "code", "font", "wbr"]
)
CELLS = frozenset(["td", "th"])
LOOKS = frozenset(["class", "style", "id", "xmlns", "viewbox", "d", "points"])


class Page(NamedTuple):
    """Text with one line a block, and the tables."""

    text: str
    tables: tuple[Table, ...]


class _Reader:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self.hidden: list[str] = []
        self.tables: list[Table] = []
        self.rows: list[list[str]] = []
        self.cell: list[str] | None = None

    def read(self, text: str) -> None:
        self.parts.append(text)
        if self.cell is not None:
            self.cell.append(text)

    def tag(self, closing: bool, name: str, attributes: str) -> None:
        for key, value in ATTRIBUTE.findall(attributes):
            if key.lower() not in LOOKS:
                self.hidden.append(f"{key}: {html.unescape(value).strip(chr(34) + chr(39))}")
        if name not in INLINE:
            self.parts.append(" | " if name in CELLS else "\n")
        if name in CELLS or name == "tr":
            # HTML lets the end of a cell and of a row go without saying.
            self.end_cell()
        if name == "tr" and not closing:
            self.rows.append([])
        elif name in CELLS and not closing:
            self.cell = []
        elif name == "table" and closing:
            self.end_table()

    def end_cell(self) -> None:
        if self.cell is not None and self.rows:
            self.rows[-1].append("".join(self.cell).strip())
        self.cell = None

    def end_table(self) -> None:
        self.end_cell()
        rows = [row for row in self.rows if row]
        # Pandas puts the name of the index into a second row of the head.
        if len(rows) > 2 and not any(rows[1][1:]) and rows[1][0]:
            rows[0][0] = rows[0][0] or rows[1][0]
            del rows[1]
        if len(rows) > 1:
            self.tables.append(Table(tuple(rows[0]), tuple(map(tuple, rows[1:]))))
        self.rows = []


def read_html(source: str) -> Page:
    """Read HTML however broken it is, in time that grows linearly with it.

    Examples
    --------
    >>> read_html("<p>a<b>b</b></p><!-- c --><i title='d &amp; e'>").text.split("|")[0].split()
    ['ab', '<!--', 'c', '-->', 'title:', 'd', '&', 'e']
    """
    reader = _Reader()
    place = 0
    for match in TAG.finditer(source):
        reader.read(html.unescape(source[place : match.start()]))
        reader.tag(bool(match[1]), match[2].lower(), match[3])
        place = match.end()
    reader.read(html.unescape(source[place:]))
    reader.end_table()
    return Page("".join(reader.parts) + "\n" + "\n".join(reader.hidden), tuple(reader.tables))
