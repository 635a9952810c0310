"""A table as medical papers print it: three rules, levels set in, footnotes below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fedlab.displays.escape import as_html
from fedlab.displays.tables import STYLE

__all__ = ["PaperRow", "paper_html"]

LOOK = (
    "<style>.fedlab table.paper{font-variant-numeric:tabular-nums;"
    "border-top:2px solid var(--jp-ui-font-color1,currentColor);"
    "border-bottom:2px solid var(--jp-ui-font-color1,currentColor)}"
    ".fedlab .paper th,.fedlab .paper td{border:0;padding:3px 14px;text-align:center;"
    "white-space:nowrap;background:transparent}"
    ".fedlab .paper caption{white-space:nowrap}"
    ".fedlab .paper thead th{border-bottom:1px solid var(--jp-ui-font-color1,currentColor);"
    "vertical-align:bottom}"
    ".fedlab .paper tbody th{font-weight:400;text-align:left;padding-left:8px}"
    ".fedlab .paper thead th:first-child{text-align:left;padding-left:8px}"
    ".fedlab .paper tbody tr:nth-child(n) {background:transparent}"
    ".fedlab .paper tr.head th{font-weight:600;padding-top:8px}"
    ".fedlab .paper tr.all th,.fedlab .paper tr.all td{font-weight:600}"
    ".fedlab .paper tbody tr:hover{background:rgba(128,128,128,.12)}"
    ".fedlab .paper td.held{color:#808080;font-style:italic;font-weight:400!important}"
    ".fedlab .foot p{font-size:.92em}</style>"
)


class PaperRow(NamedTuple):
    """One row of a printed table.

    Attributes
    ----------
    label : str
    cells : sequence of str
    indent : int
        How far the label is set in.
    kind : "row", "head" or "all"
        A head stands above rows that are set in; the row for all sites is bold.
    """

    label: str
    cells: Sequence[str]
    indent: int = 0
    kind: str = "row"


def paper_html(
    title: str,
    head: Sequence[str],
    rows: Sequence[PaperRow],
    notes: Sequence[str],
    *,
    held: Sequence[str] = (),
) -> str:
    """The table; every cell, name and note is escaped.

    Parameters
    ----------
    title : str
    head : sequence of str
        Of the column of labels, and of the others.
    rows : sequence of PaperRow
    notes : sequence of str
        Sentences below the table.
    held : sequence of str
        Cells that stand for something that is not told, and look like it.

    Examples
    --------
    >>> "&lt;b&gt;" in paper_html("t", ["", "n"], [PaperRow("<b>", ["3"])], [])
    True
    """
    top = "".join(f'<th scope="col">{as_html(name)}</th>' for name in head)
    body = "".join(_row(row, len(head) - 1, held) for row in rows)
    below = "".join(f"<p>{as_html(note)}</p>" for note in notes)
    # The classes keep MathJax from reading a name with dollar signs as a formula.
    return (
        f'<div class="fedlab tex2jax_ignore mathjax_ignore">{STYLE}{LOOK}<div class="scroll">'
        f'<table class="paper"><caption>{as_html(title)}</caption><thead><tr>{top}</tr></thead>'
        f'<tbody>{body}</tbody></table></div><div class="foot">{below}</div></div>'
    )


def _row(row: PaperRow, width: int, held: Sequence[str]) -> str:
    cells = [*row.cells, *[""] * (width - len(row.cells))]
    told = "".join(
        f"<td{' class=held' if cell in held else ''}>{as_html(cell)}</td>" for cell in cells
    )
    space = f' style="padding-left:{8 + 16 * row.indent}px"' if row.indent else ""
    kind = f' class="{row.kind}"' if row.kind in ("head", "all") else ""
    return f'<tr{kind}><th scope="row"{space}>{as_html(row.label)}</th>{told}</tr>'
