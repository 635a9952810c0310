"""Rows of a printed Table 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fedlab.asking.printed import (
    NOTHING,
    SUPPRESSED,
    PaperRow,
    amount,
    mean_text,
    median_text,
    p_text,
)

__all__ = ["rows_of"]

WORDS = {
    "number": "mean (SD)",
    "median": "median [IQR]",
    "flag": "no. (%)",
    "category": "no. (%)",
}


def rows_of(
    column: str, part: pd.DataFrame, groups: Sequence[str], *, tested: bool
) -> list[PaperRow]:
    """The printed rows of one column."""
    lines = part.to_dict("records")
    first, kind = lines[0], str(lines[0]["kind"])
    tests = _tests(first) if tested else []
    levels, label = list(dict.fromkeys(part["level"])), f"{column} — {WORDS[kind]}"
    by_level = {
        level: {line["group"]: line for line in lines if line["level"] == level} for level in levels
    }
    if kind == "category":
        rows = [PaperRow(label, [*[""] * len(groups), *tests])]
        for level in levels:
            cells = [_patients(by_level[level][group]) for group in groups]
            rows.append(PaperRow(str(level), cells, indent=1))
    else:
        # Of a flag, those who have it.
        shown, write = by_level[levels[-1]], _patients if kind == "flag" else _number
        rows = [PaperRow(label, [*(write(shown[group]) for group in groups), *tests])]
    absent = [by_level[levels[0]][group] for group in groups]
    if tested and any(line["missing"] != 0 for line in absent):
        cells = [amount(line["missing"], line["missing_status"]) for line in absent]
        rows.append(PaperRow("Missing", cells, indent=1))
    return rows


def _patients(line: dict[Any, Any]) -> str:
    text, share = amount(line["patients"], line["status"]), float(line["share"])
    return text if share != share else f"{text} ({100 * share:.1f})"


def _number(line: dict[Any, Any]) -> str:
    mark = "†" if line["status"] == "in part" else ""
    if line["status"] == "suppressed":
        return SUPPRESSED
    if line["kind"] == "median":
        if line["median"] != line["median"]:
            return NOTHING
        return median_text(line["q25"], line["median"], line["q75"], mark)
    if line["mean"] != line["mean"]:
        return NOTHING
    return mean_text(float(line["mean"]), float(line["sd"]), mark)


def _tests(line: dict[Any, Any]) -> list[str]:
    mark = "†" if line["tested"] == "some sites" else ""
    p_value, smd = float(line["p_value"]), float(line["smd"])
    return [
        NOTHING if p_value != p_value else p_text(p_value) + mark,
        NOTHING if smd != smd else f"{smd:.2f}{mark}",
    ]
