"""The columns a model reads, and what becomes of each, as a section of the card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fedlab.core.schema import Column
from fedlab.core.space import Space
from fedlab.core.vocabulary import Vocabulary
from fedlab.export.kinds import refuses_gaps
from fedlab.export.markdown import as_code, table

if TYPE_CHECKING:
    from fedlab.export.kinds import Fitted

__all__ = ["features"]


def features(model: Fitted, space: Space) -> Iterator[str]:
    """A table of the columns, and sentences on categories that have no column of their own."""
    missing = _missing(model, space)
    rows = [[as_code(c.name), c.kind, _domain(c), missing[c.name]] for c in space.schema.columns]
    yield table(["Column", "Kind", "Categories or range", "Missing counts as"], rows, texts=4)
    yield "Ranges are public and were declared, not read from rows."
    unseen = [name for name, each in space.vocabulary.items() if not each.unseen]
    if unseen:
        yield "A category that is not listed counts as none of them."
    for name, vocabulary in space.vocabulary.items():
        if vocabulary.rare or vocabulary.unseen:
            yield _shared(name, vocabulary)
    sampler = getattr(model, "named_steps", {}).get("rbfsampler")
    if sampler is not None:
        yield (
            f"The kernel is taken through {len(sampler.random_offset_):,} random features of all "
            "columns together, so that no column has a coefficient of its own."
        )


def _missing(model: Fitted, space: Space) -> dict[str, str]:
    if refuses_gaps(model, space.keeps_missing):
        numbers = ["not taken"] * len(space.numbers)
    elif space.keeps_missing:
        numbers = ["missing"] * len(space.numbers)
    else:
        numbers = [f"{value:.6g}" for value in space.fill]
    counts = dict(zip([column.name for column in space.numbers], numbers, strict=True))
    for name, vocabulary in space.vocabulary.items():
        other = vocabulary.bucket if vocabulary.unseen else None
        counts_as = other if vocabulary.fill is None else vocabulary.fill
        counts[name] = "none" if counts_as is None else as_code(counts_as)
    return counts


def _shared(name: str, vocabulary: Vocabulary) -> str:
    rare = ", ".join(map(as_code, vocabulary.rare))
    if vocabulary.bucket is None:
        return f"Of {as_code(name)}, {rare} had too few rows and count as none."
    who = [rare] if rare else []
    if vocabulary.unseen:
        who.append("what is not listed")
    return f"Of {as_code(name)}, {' and '.join(who)} count as {as_code(vocabulary.bucket)}."


def _domain(column: Column) -> str:
    if column.kind == "category":
        return ", ".join(map(as_code, column.categories))
    return "not declared" if column.low is None else f"{column.low:g} to {column.high:g}"
