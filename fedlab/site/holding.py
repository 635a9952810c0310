"""What a site holds: its rows, split, and what it declares of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from fedlab.core.schema import Schema, check_ranges, read_schema
from fedlab.errors import DataError
from fedlab.queries import Rows
from fedlab.site.readers import declare_categories, read_table, take_patients
from fedlab.site.split import split_rows

__all__ = ["Holding", "read_holding"]


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
    rows: dict[str, Rows]
    patients: dict[str, list[object]] | None

    def __repr__(self) -> str:
        return "Holding(…)"


def read_holding(
    site: str,
    data: pd.DataFrame | str | Path,
    *,
    target: str,
    event: str | None,
    patient: str | None,
    consented: bool,
    test_size: float,
    seed: int,
    categories: Mapping[str, Sequence[str]],
    ranges: Mapping[str, tuple[float, float]],
) -> Holding:
    """Read and split a table; parameters as of `Site`.

    Raises
    ------
    DataError
        When rows, target, patients, categories or ranges cannot be used.
    """
    frame, patients = take_patients(read_table(data, site), patient, consented, site)
    frame = declare_categories(frame, categories, site)
    _check_columns(frame, target, event, site)
    check_ranges(frame, ranges, site)
    schema = read_schema(frame, target, ranges, site, event)
    train, test = split_rows(frame[target if event is None else event], test_size, seed, site)
    features = frame.drop(columns=[target] if event is None else [target, event])
    parts = (("train", train), ("test", test))
    rows = {
        split: Rows(
            features.iloc[part].reset_index(drop=True),
            frame[target].iloc[part].reset_index(drop=True),
            None if event is None else frame[event].iloc[part].reset_index(drop=True),
        )
        for split, part in parts
    }
    if patients is None:
        return Holding(schema, rows, None)
    return Holding(schema, rows, {split: [patients[i] for i in part] for split, part in parts})


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
