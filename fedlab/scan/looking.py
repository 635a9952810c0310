"""All detectors on one text, table, page or structure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import chain

from fedlab.scan import bodies, codes, contacts, dates, geography, internet, names, records, things
from fedlab.scan.columns import column_hits
from fedlab.scan.images import embedded_hits
from fedlab.scan.markup import read_html
from fedlab.scan.normal import plain
from fedlab.scan.rows import array_hits, chart_hits, table_hits
from fedlab.scan.rule import Hit, Rule, find, masked, rejoined
from fedlab.scan.tables import Table, printed_tables, record_table

__all__ = ["RULES", "in_html", "in_structure", "in_tables", "in_text"]

#: Every detector that reads text.
RULES: tuple[Rule, ...] = tuple(
    chain.from_iterable(
        family.RULES
        for family in (names, geography, dates, contacts, internet, records, things, bodies, codes)
    )
)
# Keys whose values are numbers of a program, not of a person.
PROGRAM = {
    "bdata",
    "model_id",
    "id",
    "uid",
    "_model_module_version",
    "_view_module_version",
    "color",
}
TIMES = re.compile(r"start_time|end_time|(?:iopub|shell)\..{1,40}")
TAG = re.compile(r"<[^<>]{0,300}>")


def in_text(text: str, counts: Collection[int] = ()) -> Iterator[Hit]:
    """Hits in text, each identifier once however many detectors or line breaks it meets."""
    yield from embedded_hits(text)
    shown = plain(text)
    yield from _written(shown)
    yield from in_tables(printed_tables(shown), counts)
    yield from array_hits(shown)


def _written(shown: str) -> Iterator[Hit]:
    whole = rejoined(shown)
    found: set[tuple[str, str]] = set()
    for version in [shown] if whole == shown else [shown, whole]:
        for rule, value in find(RULES, version):
            key = (rule.kind, re.sub(r"\W", "", value))
            if key not in found:
                found.add(key)
                yield Hit(rule.kind, rule.why, masked(value))


def in_tables(
    tables: Iterator[Table] | tuple[Table, ...], counts: Collection[int]
) -> Iterator[Hit]:
    """Hits of columns by their headers, and tables that look like rows."""
    for table in tables:
        yield from column_hits(table)
        yield from table_hits(table, counts)


def in_html(source: str, counts: Collection[int] = ()) -> Iterator[Hit]:
    """Hits in what a page shows and in what it hides in attributes and comments."""
    yield from embedded_hits(source)
    page = read_html(source)
    shown = plain(page.text)
    yield from _written(shown)
    yield from in_tables(page.tables, counts)


def in_structure(value: object, counts: Collection[int] = ()) -> Iterator[Hit]:
    """Hits in JSON: every key with its values as a line of text, lists of records as tables."""
    if isinstance(value, dict):
        yield from chart_hits(value, counts)
    lines: list[str] = []
    stack: list[tuple[str, object]] = [("", value)]
    while stack:
        key, node = stack.pop()
        if key in PROGRAM or TIMES.fullmatch(key):
            continue
        if isinstance(node, dict):
            stack += [(str(name), inner) for name, inner in node.items()]
            lines += [str(name) for name in node]
        elif isinstance(node, list):
            table = record_table(node)
            if table is not None:
                yield from in_tables((table,), counts)
            scalars = [str(item) for item in _worth_reading(node)]
            if scalars:
                lines.append(f"{key}: {' ; '.join(scalars)}")
            stack += [(key, item) for item in node if isinstance(item, dict | list)]
        elif isinstance(node, str):
            yield from embedded_hits(node)
            if "\n" in node or "<t" in node:
                yield from in_tables((*printed_tables(node), *read_html(node).tables), counts)
            lines.append(f"{key}: {TAG.sub(' ', node)}")
        elif node is not None and not isinstance(node, bool):
            lines.append(f"{key}: {node}")
    yield from _written(plain("\n\n".join(lines)))


def _worth_reading(node: list[object]) -> list[object]:
    """The scalars of a list. Of numbers alone the first tell what all are."""
    scalars = [item for item in node if not isinstance(item, dict | list)]
    return scalars[:50] if all(isinstance(item, int | float) for item in scalars) else scalars
