"""A result as a table to be read: as text, HTML, Markdown or LaTeX."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from fedlab.displays.paper_table import PaperRow, paper_html
from fedlab.export.markdown import as_prose, table

__all__ = [
    "NOTHING",
    "SUPPRESSED",
    "PaperRow",
    "Printed",
    "amount",
    "frame_text",
    "mean_text",
    "median_text",
    "p_text",
    "with_p_values",
]

SUPPRESSED = "supp."
"""In place of a figure that a site does not tell."""
NOTHING = "—"
EM_SPACE = "\u2003"
TEX = {"≥": r"$\geq$", "±": r"$\pm$", "—": "---", "–": "--", "²": r"\textsuperscript{2}"}
TEX |= {"χ": r"$\chi$", "ε": r"$\varepsilon$", "δ": r"$\delta$", "−": "$-$", EM_SPACE: r"\quad "}
TEX |= {"∞": r"$\infty$"}


@dataclass(frozen=True)
class Printed:
    """Cells as texts, none of them escaped yet.

    Attributes
    ----------
    title : str
    head : sequence of str
        Of the column of labels, and of the others.
    rows : sequence of PaperRow
    notes : sequence of str
    """

    title: str
    head: Sequence[str]
    rows: Sequence[PaperRow]
    notes: Sequence[str] = ()

    def _lines(self, space: str) -> list[list[str]]:
        width = len(self.head) - 1
        return [
            [space * row.indent + row.label, *row.cells, *[""] * (width - len(row.cells))]
            for row in self.rows
        ]

    def text(self) -> str:
        """Columns of equal width."""
        lines = [list(self.head), *self._lines("  ")]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.head))]
        shown = [
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, *shown, *self.notes])

    def html(self) -> str:
        """As `paper_html`."""
        held = (SUPPRESSED,)
        return paper_html(self.title, self.head, self.rows, self.notes, held=held)

    def markdown(self) -> str:
        """A table of GitHub's Markdown, names escaped, levels set in by em spaces."""
        lines = [[as_prose(cell) for cell in line] for line in self._lines(EM_SPACE)]
        notes = "\n\n".join(map(as_prose, self.notes))
        shown = table([as_prose(name) for name in self.head], lines)
        return f"**{as_prose(self.title)}**\n\n{shown}\n\n{notes}\n"

    def latex(self) -> str:
        """A table environment for LaTeX with booktabs, names escaped by pandas."""
        columns = [f"c{i}" for i in range(len(self.head))]
        frame = pd.DataFrame([list(self.head), *self._lines(EM_SPACE)], columns=columns)
        styled = frame.style.format(escape="latex").hide(axis="index").hide(axis="columns")
        body = _tex(styled.to_latex(hrules=False, column_format="l" + "c" * (len(columns) - 1)))
        begin, first, *others = body.splitlines()
        notes = pd.DataFrame({"note": list(self.notes)}).style.format(escape="latex")
        below = [
            rf"\par {line.rstrip(' ' + chr(92))}"
            for line in _tex(notes.hide(axis="index").hide(axis="columns").to_latex()).splitlines()
            if self.notes and not line.startswith((r"\begin", r"\end"))
        ]
        caption = pd.DataFrame([self.title]).style.format(escape="latex").hide(axis="index")
        title = _tex(caption.hide(axis="columns").to_latex()).splitlines()[1].rstrip(" \\")
        return "\n".join(
            [
                r"\begin{table}",
                rf"\caption{{{title}}}",
                begin,
                r"\toprule",
                first,
                r"\midrule",
                *others[:-1],
                r"\bottomrule",
                others[-1],
                r"\footnotesize" if below else "",
                *below,
                r"\end{table}",
                "",
            ]
        )


def _tex(text: str) -> str:
    for character, written in TEX.items():
        text = text.replace(character, written)
    return text


def frame_text(frame: pd.DataFrame) -> str:
    """Lines of a frame with its index; nothing stands as a dash.

    Examples
    --------
    >>> print(frame_text(pd.DataFrame({"mean": [1.23456, float("nan")]}, index=["a", "b"])))
         mean
    a  1.2346
    b       —
    """
    shown = frame.round(4)
    for name in shown.columns[shown.dtypes == "Int64"]:
        shown[name] = shown[name].astype("object").where(shown[name].notna(), NOTHING)
    return shown.to_string(na_rep=NOTHING)


def with_p_values(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its column ``p_value`` as papers print it.

    Examples
    --------
    >>> with_p_values(pd.DataFrame({"p_value": [0.00004, 0.5]}))["p_value"].tolist()
    ['<0.001', '0.50']
    """
    return frame.assign(p_value=frame["p_value"].map(p_text))


def amount(value: float, state: str) -> str:
    """A count of patients as it is printed.

    Examples
    --------
    >>> amount(1200, "shown"), amount(12, "at least"), amount(0, "suppressed")
    ('1,200', '≥12', 'supp.')
    >>> amount(1.25, "noisy")
    '1.2'
    """
    if state == "suppressed" or (state == "at least" and value == 0):
        return SUPPRESSED
    if value != value:
        return NOTHING
    return {"at least": f"≥{value:,.0f}", "noisy": f"{value:z,.1f}"}.get(state, f"{value:,.0f}")


def mean_text(mean: float, sd: float, mark: str = "") -> str:
    """Mean and standard deviation, the second to two digits or one decimal.

    Examples
    --------
    >>> mean_text(68.861, 17.08), mean_text(1.408, 0.393, "†"), mean_text(0.5, float("nan"))
    ('68.9 (17.1)', '1.41† (0.39)', '0.5 (—)')
    >>> mean_text(-0.01, 5.0)
    '0.0 (5.0)'
    """
    if sd != sd:
        return f"{mean + 0.0:.4g}{mark} ({NOTHING})"
    decimals = _decimals(sd)
    return f"{mean:z,.{decimals}f}{mark} ({sd:,.{decimals}f})"


def median_text(low: float, median: float, high: float, mark: str = "") -> str:
    """A median between two others, to two digits of their distance or one decimal.

    Examples
    --------
    >>> median_text(0.875, 1.794, 3.019, "†"), median_text(50.0, 50.0, math.inf)
    ('1.8† [0.9, 3.0]', '50.00 [50.00, ∞]')
    """
    decimals = _decimals(high - low) if math.isfinite(high - low) else 2
    # Bounds may be open, and a rounded zero has no sign.
    first, middle, last = (
        f"{each:z,.{decimals}f}".replace("inf", "∞") for each in (low, median, high)
    )
    return f"{middle}{mark} [{first}, {last}]"


def _decimals(spread: float) -> int:
    return 1 if not spread > 0 else min(max(1 - math.floor(math.log10(spread)), 1), 9)


def p_text(value: float) -> str:
    """A p-value as papers print it.

    Examples
    --------
    >>> p_text(0.00004), p_text(0.0234), p_text(0.5), p_text(float("nan"))
    ('<0.001', '0.023', '0.50', '—')
    """
    if value != value:
        return NOTHING
    if value < 0.001:
        return "<0.001"
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
