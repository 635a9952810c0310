"""Data frames as HTML that follows the notebook's light or dark theme."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fedlab.displays.escape import as_html

__all__ = ["counted", "rounded_up", "to_html"]

STYLE = (
    "<style>.fedlab{font-size:var(--jp-ui-font-size1,13px);margin:4px 0}"
    ".fedlab table{border-collapse:collapse}"
    ".fedlab caption{caption-side:top;text-align:left;font-weight:600;padding:4px 0;"
    "color:var(--jp-ui-font-color1,inherit)}"
    ".fedlab th,.fedlab td{padding:3px 10px;text-align:right;"
    "border-bottom:1px solid var(--jp-border-color2,#ccc)}"
    ".fedlab th{font-weight:600}.fedlab .text{text-align:left}"
    ".fedlab p{margin:4px 0;color:var(--jp-ui-font-color2,#666);max-width:60em}"
    ".fedlab .scroll{overflow-x:auto}</style>"
)


def rounded_up(values: pd.Series) -> pd.Series:
    """Four decimals, never less than the value: what privacy cost is not rounded in our favour.

    Examples
    --------
    >>> rounded_up(pd.Series([1.99991, 2.0])).tolist()
    [2.0, 2.0]
    >>> rounded_up(pd.Series([2.00001])).tolist()
    [2.0001]
    """
    return pd.Series(np.ceil(values.astype(float) * 1e4) / 1e4, index=values.index)


def counted(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """The frame with these columns, where it has them, as whole numbers if they are.

    Examples
    --------
    >>> frame = pd.DataFrame({"rows": [12.0, float("nan")], "auc": [1.0, 1.0]})
    >>> counted(frame, "rows", "patients").dtypes.astype(str).tolist()
    ['Int64', 'float64']
    """
    whole = [name for name in names if name in frame and (frame[name].dropna() % 1 == 0).all()]
    return frame.astype(dict.fromkeys(whole, "Int64"))


def to_html(
    frame: pd.DataFrame, *, title: str, notes: Sequence[str] = (), index: bool = True
) -> str:
    """Table with a title above and notes below; every cell and name is escaped.

    Parameters
    ----------
    frame : DataFrame
    title : str
    notes : sequence of str
        Sentences below the table.
    index : bool
        Whether the index is shown as first column.
    """
    shown = frame.reset_index() if index else frame
    textual = [not pd.api.types.is_numeric_dtype(shown[name].dtype) for name in shown.columns]
    head = "".join(
        _cell("th", str(name).replace("_", " "), text)
        for name, text in zip(shown.columns, textual, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(_cell("td", _shown(v), text) for v, text in zip(row, textual, strict=True))
        + "</tr>"
        for row in shown.itertuples(index=False, name=None)
    )
    below = "".join(f"<p>{as_html(note)}</p>" for note in notes)
    # The classes keep MathJax from reading a name with dollar signs as a formula.
    return (
        f'<div class="fedlab tex2jax_ignore mathjax_ignore">{STYLE}<div class="scroll"><table>'
        f"<caption>{as_html(title)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>{below}</div>"
    )


def _cell(tag: str, value: str, text: bool) -> str:
    return f"<{tag}{' class=text' if text else ''}>{as_html(value)}</{tag}>"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "—" if value != value else f"{value:,.4f}"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    return "—" if value is None or value is pd.NA else str(value)
