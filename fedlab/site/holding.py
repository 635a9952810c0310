"""What a site holds: its rows, split, and what it declares of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from fedlab.core.schema import Schema, check_ranges, read_schema
from fedlab.errors import DataError
from fedlab.queries import Rows
from fedlab.queries.disclosure import Codes
from fedlab.queries.query import Split, joined
from fedlab.site.consent import patient_text
from fedlab.site.readers import declare_categories, take_patients
from fedlab.site.split import Indices, split_rows
from fedlab.site.tables import Table

__all__ = ["Holding", "read_holding"]


class Splits(dict[Split, Rows]):
    """Rows by split; those of both together are put together when they are first asked for."""

    def __missing__(self, split: Split) -> Rows:
        if split != "all":
            raise KeyError(split)
        self[split] = both = joined(self["train"], self["test"])
        return both


class Holding(NamedTuple):
    """The rows of a site.

    Attributes
    ----------
    schema : Schema
    rows : dict of str to Rows
        By split.
    patients : dict of str to list, or None
        Whose row each is, by split; None where the site does not know.
    """

    schema: Schema
    rows: Mapping[Split, Rows]
    patients: dict[str, list[object]] | None

    def __repr__(self) -> str:
        return "Holding(…)"


def read_holding(
    site: str, table: Table, *, consented: bool, test_size: float, seed: int
) -> Holding:
    """Split a table; parameters as of `Site`.

    Raises
    ------
    DataError
        When rows, target, patients, categories or ranges cannot be used.
    """
    target, event = table.target, table.event
    frame, patients = take_patients(table.frame, table.patient, consented, site)
    frame = declare_categories(frame, table.categories, site)
    _check_columns(frame, target, event, site)
    check_ranges(frame, table.ranges, site)
    schema = read_schema(frame, target, table.ranges, site, event)
    train, test = split_rows(frame[target if event is None else event], test_size, seed, site)
    features = frame.drop(columns=[target] if event is None else [target, event])
    parts: dict[Split, Indices] = {"train": train, "test": test}
    codes = None if patients is None else _codes(patients)
    rows = Splits(
        {
            split: Rows(
                features.iloc[part].reset_index(drop=True),
                frame[target].iloc[part].reset_index(drop=True),
                None if event is None else frame[event].iloc[part].reset_index(drop=True),
                None if codes is None else codes[part],
                {name: flags[part] for name, flags in table.unmapped.items()},
            )
            for split, part in parts.items()
        }
    )
    if patients is None:
        return Holding(schema, rows, None)
    parts["all"] = np.concatenate([train, test])
    return Holding(
        schema, rows, {split: [patients[i] for i in part] for split, part in parts.items()}
    )


def _codes(patients: list[object]) -> Codes:
    """Whole numbers that tell patients apart as the site's records do, and tell nothing else."""
    codes, _ = pd.factorize(np.array([patient_text(each) for each in patients], dtype=object))
    return codes.astype(np.int64)


def _check_columns(frame: pd.DataFrame, target: str, event: str | None, site: str) -> None:
    if target not in frame.columns:
        raise DataError(
            "The target must be a column of the table.",
            f"{target!r}, which is none of its {len(frame.columns)} columns",
            "Check the name, and that a file begins with a line of names.",
            site=site,
        )
    if event is not None and (event not in frame.columns or event == target):
        raise DataError(
            "The event must be a column of the table other than the target.",
            f"{event!r}",
            "Pass the name of the column that is 1 where the time ended in the event.",
            site=site,
        )
