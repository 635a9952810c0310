"""A record of processing activities, GDPR Art. 30(1), filled in from what a site knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pandas as pd

from fedlab.errors import DataError
from fedlab.site.audit import LEAST_YEARS

if TYPE_CHECKING:
    from fedlab.site.site import Site

__all__ = ["ProcessingRecord", "processing_record"]


POINTS = "abcdefg"


class ProcessingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The seven fields of GDPR Art. 30(1), points (a) to (g). A record, no claim of compliance.

    Attributes
    ----------
    controller : str
        (a) Name and contact of the controller, and of the data protection officer.
    purposes : str
        (b) Of the processing.
    categories : str
        (c) Of data subjects and of personal data.
    recipients : str
        (d) To whom data are or will be disclosed.
    transfers : str
        (e) To third countries, and the safeguards.
    erasure : str
        (f) Time limits.
    security : str
        (g) Technical and organisational measures.

    Raises
    ------
    DataError
        When a field is empty; "none" is a statement, nothing is not.
    """

    controller: str
    purposes: str
    categories: str
    recipients: str
    transfers: str
    erasure: str
    security: str

    def __post_init__(self) -> None:
        _check_told({name: getattr(self, name) for name in self.__struct_fields__})

    @property
    def frame(self) -> pd.DataFrame:
        """One row a field, with its point of Art. 30(1)."""
        rows = [
            (f"({p})", n, getattr(self, n))
            for p, n in zip(POINTS, self.__struct_fields__, strict=True)
        ]
        return pd.DataFrame(rows, columns=["point", "field", "text"])

    def write(self, path: str | Path) -> None:
        """Write the record as JSON."""
        Path(path).write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")


def processing_record(
    site: Site, *, controller: str, transfers: str, erasure: str, recipients: str
) -> ProcessingRecord:
    """The record of a site; see `Site.processing_record`."""
    _check_told({"controller": controller, "transfers": transfers})
    _check_told({"erasure": erasure, "recipients": recipients})
    policy, frame = site.policy, site.audit.frame
    purposes = policy.purposes or tuple(sorted(set(frame["purpose"]) - {""})) or ("none so far",)
    seen = sorted(set(frame["actor"]) - {"", "unsigned"})
    actors = sorted({*policy.analysts, *policy.auditors, *seen})
    named = f"{recipients}; actors: {', '.join(actors)}" if actors else recipients
    measures = [
        "rows stay at the site; answers pass one door that checks purpose, columns and cohort",
        f"at least {policy.minimum_rows} rows or patients behind each answer",
        "records are chained by hash and signed",
        "signed requests of named actors only" if policy.names_actors else "requests not signed",
        "approval of the data owner" if policy.approval else "no approval required",
        f"privacy budget epsilon {policy.epsilon:g}" if policy.epsilon else "no privacy budget",
        "answers leave within secure sums only" if not policy.reveal else "answers leave singly",
    ]
    columns = ", ".join([*site.schema.names, site.schema.target])
    return ProcessingRecord(
        controller=controller,
        purposes=", ".join(purposes),
        categories=f"patients of {site.name}; health data: {columns}",
        recipients=named,
        transfers=transfers,
        erasure=f"{erasure}; records of requests at least {LEAST_YEARS} years",
        security="; ".join(measures),
    )


def _check_told(fields: Mapping[str, str]) -> None:
    empty = [name for name, text in fields.items() if not text.strip()]
    if empty:
        raise DataError(
            "A record of processing needs all seven fields.",
            f"nothing for {', '.join(empty)}",
            "State it, or say 'none'.",
        )
