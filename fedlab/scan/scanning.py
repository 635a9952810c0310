"""The two verbs: scan a notebook, scan a text."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from fedlab.errors import DataError
from fedlab.scan.allow import Allowances, allowances_of_cell, allowances_of_notebook
from fedlab.scan.looking import in_text
from fedlab.scan.notebook import Piece, cells_of, joined, pieces, read_notebook
from fedlab.scan.reading import hits_in
from fedlab.scan.report import Finding, ScanReport
from fedlab.scan.rule import Hit, masked

__all__ = ["scan_notebook", "scan_text"]


def scan_notebook(
    path: str | os.PathLike[str], *, rows: int | Collection[int] | None = None
) -> ScanReport:
    """Look through a notebook for what looks like identifiers or rows of patients.

    Read are sources, outputs of all types, tracebacks, attachments, widget state, and metadata of
    the notebook, its cells and outputs, all of any nbformat from 2 to 4. Detectors follow the
    eighteen kinds of the Safe Harbor rule, 45 CFR 164.514(b)(2)(i), and one more finds rows: tables
    and charts with one entry a patient, and errors that quote a value.

    What is not detected may be there. A scan is no de-identification, and no statement that a
    notebook complies with any law.

    Parameters
    ----------
    path : str or path-like
        The ``.ipynb`` file. It is read, never run.
    rows : int or collection of int, optional
        Numbers of rows that sites are known to hold: any table or chart of that length counts.

    Returns
    -------
    ScanReport
        Where something was found and of what kind, without repeating it. How to allow a finding is
        told in `fedlab.scan.allow`.

    Raises
    ------
    DataError
        If the file is missing, too large, damaged, or no notebook; or if `rows` is no count.

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> cell = {"cell_type": "markdown", "metadata": {}, "source": "Seen by Dr. Miller"}
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "notes.ipynb"
    >>> _ = file.write_text(json.dumps({"nbformat": 4, "cells": [cell]}))
    >>> report = scan_notebook(file)
    >>> report.clean, report.lines[0], report.lines[6]
    (False, 'names: detected 1', 'social security numbers: not detected')
    """
    counts = _counts(rows)
    notebook = read_notebook(path)
    whole = allowances_of_notebook(notebook.get("metadata"))
    by_cell = _by_cell(cells_of(notebook) or [])
    file = Path(path)
    found: list[Finding] = []
    # A name of a file often holds the day of work, which is nobody's.
    title = [
        hit for hit in in_text(re.sub(r"[_.]", " ", file.stem)) if hit.kind not in {"date", "rows"}
    ]
    found += _findings(Piece(None, None, "file name", "", None), title, whole.reasons)
    for piece in pieces(notebook):
        allowed = dict(whole.reasons)
        if piece.cell is not None:
            allowed |= by_cell[piece.cell].reasons
        found += _findings(piece, hits_in(piece, counts), allowed)
    notes = [*whole.faults]
    notes += [f"Cell {n}: {fault}" for n, cell in enumerate(by_cell) for fault in cell.faults]
    # A name that was hit is not repeated either.
    return ScanReport(masked(file.name) if title else file.name, tuple(found), tuple(notes))


def scan_text(text: str, *, rows: int | Collection[int] | None = None) -> ScanReport:
    """Look through a text as `scan_notebook` does through a notebook.

    Parameters
    ----------
    text : str
        Free text, a printed table, comma-separated values.
    rows : int or collection of int, optional
        Numbers of rows that sites are known to hold.

    Returns
    -------
    ScanReport

    Raises
    ------
    DataError
        If `text` is no str, or `rows` is no count.

    Examples
    --------
    >>> scan_text("Accuracy 0.8123 on 131 rows").clean
    True
    >>> scan_text("She is 93 years old").open[0].kind
    'date'
    """
    if not isinstance(text, str):
        raise DataError("text must be a str.", type(text).__name__, "Decode bytes first.")
    place = Piece(None, None, "text", "text/plain", None)
    return ScanReport("text", tuple(_findings(place, in_text(text, _counts(rows)), {})))


def _counts(rows: int | Collection[int] | None) -> frozenset[int]:
    counts = [] if rows is None else [rows] if isinstance(rows, int) else list(rows)
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in counts):
        raise DataError("rows must be counts from 1 on.", "something else", "Pass e.g. rows=303.")
    return frozenset(counts)


def _by_cell(cells: Iterable[object]) -> list[Allowances]:
    sources = (
        joined(cell.get("source", cell.get("input"))) if isinstance(cell, dict) else None
        for cell in cells
    )
    return [allowances_of_cell(s) if isinstance(s, str) else Allowances({}) for s in sources]


def _findings(piece: Piece, hits: Iterable[Hit], allowed: Mapping[str, str]) -> list[Finding]:
    """Alike hits of one piece as one finding, so that a long table makes a short report."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for hit in hits:
        alike[hit.kind, hit.why].append(hit.excerpt)
    return [
        Finding(
            piece.cell,
            piece.output,
            kind,
            piece.where,
            why,
            excerpts[0],
            len(excerpts),
            allowed.get(kind, ""),
        )
        for (kind, why), excerpts in alike.items()
    ]
