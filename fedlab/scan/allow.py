"""Allowances: what a notebook's author looked at and found to be nobody's, with the reason.

In a cell, for this cell and its outputs: ``# fedlab: allow url: where the data come from`` in code,
``<!-- fedlab: allow date: of the paper -->`` in text; several kinds with commas between. For the
whole notebook, in its metadata: ``{"fedlab": {"allow": {"url": "where the data come from"}}}``.
An allowance without a reason, of no known kind, or whose reason is itself a hit allows nothing and
is told of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from fedlab.scan.kinds import KINDS
from fedlab.scan.looking import in_text

__all__ = ["Allowances", "allowances_of_cell", "allowances_of_notebook"]

COMMENT = re.compile(
    r"(?:#|<!--|//|%)[ \t]{0,8}fedlab:[ \t]{0,8}allow\b(?P<rest>[^\n]{0,500})", re.I
)
LEAST = 3


class Allowances(NamedTuple):
    """Reasons by kind, and what is wrong with the rest."""

    reasons: Mapping[str, str]
    faults: tuple[str, ...] = ()


def allowances_of_cell(source: str) -> Allowances:
    """The allowances in a cell's comments.

    Examples
    --------
    >>> allowances_of_cell("# fedlab: allow url, date: of the paper").reasons
    {'url': 'of the paper', 'date': 'of the paper'}
    >>> allowances_of_cell("# fedlab: allow url").faults
    ('An allowance of url gives no reason.',)
    """
    reasons: dict[str, str] = {}
    faults: list[str] = []
    for match in COMMENT.finditer(source):
        kinds, _, reason = match["rest"].replace("-->", " ").partition(":")
        for kind in kinds.split(","):
            _add(kind.strip(), reason, reasons, faults)
    return Allowances(reasons, tuple(faults))


def allowances_of_notebook(metadata: object) -> Allowances:
    """The allowances in a notebook's metadata."""
    ours = metadata.get("fedlab") if isinstance(metadata, dict) else None
    stated = ours.get("allow") if isinstance(ours, dict) else None
    reasons: dict[str, str] = {}
    faults: list[str] = []
    for kind, reason in stated.items() if isinstance(stated, dict) else ():
        _add(kind, reason, reasons, faults)
    if stated is not None and not isinstance(stated, dict):
        faults.append("The metadata's allowances are no object of kinds and reasons.")
    return Allowances(reasons, tuple(faults))


def _add(kind: str, reason: object, reasons: dict[str, str], faults: list[str]) -> None:
    if kind not in KINDS:
        faults.append(f"An allowance is of no known kind. The kinds: {', '.join(KINDS)}.")
    elif not isinstance(reason, str) or len(reason.strip()) < LEAST:
        faults.append(f"An allowance of {kind} gives no reason.")
    elif any(True for _ in in_text(reason)):
        faults.append(f"The reason of an allowance of {kind} holds what looks like an identifier.")
    else:
        reasons[kind] = reason.strip()
