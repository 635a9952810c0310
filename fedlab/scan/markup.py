"""HTML as a reader sees it: its text, its tables, its attributes and comments."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import NamedTuple

from fedlab.scan.tables import Table

__all__ = ["Page", "read_html"]

INLINE = {
    "b",
    "i",
    "em",
    "strong",
    "span",
    "a",
    "u",
    "s",
    "small",
    "sub",
    "sup",
    "code",
    "font",
    "wbr",
}


class Page(NamedTuple):
    """Text with one line a block, and the tables."""

    text: str
    tables: tuple[Table, ...]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden: list[str] = []
        self.tables: list[Table] = []
        self.rows: list[list[str]] = []
        self.cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name not in {"class", "style", "id", "xmlns", "viewbox", "d", "points"}:
                self.hidden.append(f"{name}: {value}")
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.cell = []
            self.parts.append(" | ")
        if tag not in INLINE and tag not in {"td", "th"}:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"} and self.cell is not None:
            if self.rows:
                self.rows[-1].append("".join(self.cell).strip())
            self.cell = None
        elif tag == "table":
            self.finish()
        if tag not in INLINE and tag not in {"td", "th"}:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)
        if self.cell is not None:
            self.cell.append(data)

    def handle_comment(self, data: str) -> None:
        self.hidden.append(data)

    def finish(self) -> None:
        rows = [row for row in self.rows if row]
        # Pandas puts the name of the index into a second row of the head.
        if len(rows) > 2 and not any(rows[1][1:]) and rows[1][0]:
            rows[0][0] = rows[0][0] or rows[1][0]
            del rows[1]
        if len(rows) > 1:
            self.tables.append(Table(tuple(rows[0]), tuple(map(tuple, rows[1:]))))
        self.rows, self.cell = [], None


def read_html(source: str) -> Page:
    """Read HTML however broken it is.

    Examples
    --------
    >>> read_html("<p>a<b>b</b></p><!-- c -->").text.split()
    ['ab', 'c']
    """
    reader = _Reader()
    reader.feed(source)
    reader.close()
    reader.finish()
    return Page("".join(reader.parts) + "\n" + "\n".join(reader.hidden), tuple(reader.tables))
