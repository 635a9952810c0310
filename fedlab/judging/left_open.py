"""Figures that blocks and suppressed classes leave open, told in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fedlab.displays.judging_figures import words_of
from fedlab.judging.scored import Line

__all__ = ["notes_of_open", "wide"]

WIDE = 0.02
FIRST = ("auc", "accuracy", "sensitivity", "specificity")


def wide(lines: Mapping[str, Line]) -> dict[str, Line]:
    """Figures that are left open by more than bins alone would.

    Examples
    --------
    >>> list(wide({"auc": Line(0.8, low=0.7, high=0.9), "accuracy": Line(0.8, low=0.8, high=0.8)}))
    ['auc']
    """
    return {name: lines[name] for name in FIRST if name in lines and _width(lines[name]) > WIDE}


def notes_of_open(
    everybody: Mapping[str, Line], groups: Iterable[Mapping[str, Line]], minimum: int
) -> list[str]:
    """What to know of figures by score, and of those that have bounds alone.

    Parameters
    ----------
    everybody : mapping of str to Line
    groups : iterable of mapping of str to Line
        Everybody and each subgroup.
    minimum : int
        Fewest patients that sites tell of.
    """
    notes = []
    spans = [
        f"{words_of(name)} is between {line.low:.4f} and {line.high:.4f}"
        for name, line in wide(everybody).items()
    ]
    if spans:
        notes.append(
            f"Sites put neighbouring scores together until each block has {minimum} patients or "
            "nobody, and more of them after other answers about nearly the same patients: "
            f"{', '.join(spans)} for certain. Estimates of models that were judged one after the "
            "other may differ by that alone."
        )
    vague = dict.fromkeys(
        words_of(name)
        for lines in groups
        for name, line in lines.items()
        if line.estimate != line.estimate and line.low == line.low
    )
    if vague:
        notes.append(
            "What is left wide open has no estimate in some group, but low and high (.intervals): "
            f"{', '.join(vague)}."
        )
    return notes


def _width(line: Line) -> float:
    return line.high - line.low
