"""Tables wherever they stand: printed by pandas, comma-separated, in HTML, as records, in code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["Table", "code_tables", "printed_tables", "record_table"]


# `1,000 rows` on several lines is no table with commas between its cells.
THOUSANDS = re.compile(r"(?<![\d.])\d{1,3},\d{3}(?!\d)")


class Table(NamedTuple):
    """Header and rows of cells as text. A frame's nameless index has an empty header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    typed: bool = False  # a column that pandas prints with its dtype below


def printed_tables(text: str) -> Iterator[Table]:
    """Tables in plain text: cells apart by two spaces, tabs, bars, commas or semicolons.

    Examples
    --------
    >>> next(printed_tables("   age  sex" + chr(10) + "0   63    1" + chr(10) + "1   67    1"))
    Table(header=('', 'age', 'sex'), rows=(('0', '63', '1'), ('1', '67', '1')), typed=False)
    """
    block: list[list[str]] = []
    head = ""
    for line in [*text.split("\n"), ""]:
        cells = _cells(line)
        if len(cells) > 1:
            head = head if block else line
            block.append(cells)
            continue
        if len(block) == 1 and head[:1] == " " and re.fullmatch(r"\w[^ ]{0,60} {0,200}", line):
            block[0].insert(0, line.strip())  # the name of pandas' index, below its columns
            continue
        if len(block) > 2 and not THOUSANDS.search(head):
            yield _table(block, typed="dtype:" in line)
        block = []


def _cells(line: str) -> list[str]:
    line = line.strip().strip("|")
    if set(line) <= set("-+=|: ") or len(line) > 20_000:
        return []
    for mark in ("|", "\t", "  ", ";", ","):
        least = 2 if mark == "," else 1
        if line.count(mark) >= least:
            parts = re.split(r" {2,}", line.strip()) if mark == "  " else line.split(mark)
            return [part.strip(" \"'") for part in parts]
    return []


def _table(block: Sequence[Sequence[str]], *, typed: bool) -> Table:
    if typed and block[0][0] == "0":
        return Table(("", ""), tuple(tuple(row[:2]) for row in block), True)
    head, body = list(block[0]), [list(row) for row in block[1:]]
    wide = max(len(row) for row in body)
    if len(head) < wide:
        head = [""] * (wide - len(head)) + head
    return Table(tuple(head), tuple(tuple(row) for row in body), typed)


def record_table(records: object) -> Table | None:
    """A list of objects with the same keys, as JSON and charts hold rows."""
    if not isinstance(records, list) or len(records) < 3:
        return None
    first = records[0]
    if not isinstance(first, dict) or not all(isinstance(record, dict) for record in records):
        return None
    if any(isinstance(value, dict | list) for value in first.values()):
        return None  # parts of a chart or a form, not cells
    names = tuple(map(str, first))
    return Table(
        ("", *names),
        tuple((str(i), *(str(r.get(name, "")) for name in first)) for i, r in enumerate(records)),
    )


def code_tables(source: str) -> Iterator[Table]:
    """Tables that a cell writes out: a dict of columns, a list of records."""
    lines = (" " if line.lstrip()[:1] in {"%", "!"} else line for line in source.split("\n"))
    try:
        tree = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # not Python; the text of the cell is read all the same
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            table = _columns(node)
        elif isinstance(node, ast.List):
            table = record_table(_value(node))
        else:
            continue
        if table is not None:
            yield table


def _value(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _columns(node: ast.Dict) -> Table | None:
    value = _value(node)
    if not isinstance(value, dict):
        return None
    columns = {str(k): v for k, v in value.items() if isinstance(v, list | tuple)}
    length = min((len(column) for column in columns.values()), default=0)
    if length < 3 or len({len(column) for column in columns.values()}) > 1:
        return None
    rows = zip(*columns.values(), strict=True)
    return Table(("", *columns), tuple((str(i), *map(str, row)) for i, row in enumerate(rows)))
