"""What is wrong with a mapping: every fault, each with its line."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from fedlab.errors import DataError

__all__ = ["Fault", "Faults", "meant", "shown"]

LONGEST, MOST = 60, 40
# Looking for what was meant among more than so many names takes longer than it helps.
MOST_NAMES = 500


class Fault(NamedTuple):
    """One fault.

    Attributes
    ----------
    line : int or None
        From 1; None where there is no file.
    path : str
        Keys from the outermost one, joined by points.
    rule, came, remedy : str
    """

    line: int | None
    path: str
    rule: str
    came: str
    remedy: str


class Faults:
    """Collects the faults of one mapping, so that all are told at once.

    Parameters
    ----------
    source : str
        Name of the file, or what else is read.
    """

    def __init__(self, source: str) -> None:
        self.source, self.found = source, list[Fault]()

    def add(self, line: int | None, path: str, rule: str, came: str, remedy: str) -> None:
        """Note a fault."""
        self.found.append(Fault(line, path, rule, came, remedy))

    @property
    def many(self) -> bool:
        """Whether so many were noted that further ones are counted only."""
        return len(self.found) >= MOST

    def raise_any(self) -> None:
        """Raise DataError with all that were noted, in the order of lines."""
        if not self.found:
            return
        ordered = sorted(self.found, key=lambda fault: fault.line or 0)
        lines = [self._told(fault) for fault in ordered[:MOST]]
        more = len(ordered) - len(lines)
        if more:
            lines.append(f"and {more} more")
        count = len(ordered)
        raise DataError(
            "A mapping must say what it means.",
            f"{count} fault{'s' * (count > 1)}:\n  " + "\n  ".join(lines).removesuffix("."),
            "Mend each where it stands.",
        )

    def _told(self, fault: Fault) -> str:
        where = [self.source]
        if fault.line is not None:
            where.append(f"line {fault.line}")
        if fault.path:
            where.append(shown(fault.path))
        return f"{', '.join(where)}: {fault.rule} Got {fault.came}. {fault.remedy}"


def shown(text: str) -> str:
    """Text of a mapping on one line, not too long."""
    plain = "".join(each if each.isprintable() else "�" for each in text)
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"


def meant(text: str, known: Iterable[str], otherwise: str) -> str:
    """What was meant instead of an unknown name, as a sentence.

    Examples
    --------
    >>> meant("colum", ["column", "unit"], "Leave it out.")
    "Did you mean 'column'?"
    """
    names = list(known)[:MOST_NAMES]
    near = [name for name in names if name.lower() == text.lower()]
    near = near or get_close_matches(text[:LONGEST], names, n=1)
    return f"Did you mean {shown(near[0])!r}?" if near else otherwise
