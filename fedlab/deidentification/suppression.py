"""A table without the rows that too few others resemble."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fedlab.deidentification.csv_file import write_csv
from fedlab.displays.tables import to_html
from fedlab.errors import DataError

__all__ = ["Suppressed", "require_k", "suppress"]


@dataclass(frozen=True, repr=False, eq=False)
class Suppressed:
    """What is left of a table, and how much is not.

    Attributes
    ----------
    frame : DataFrame
        The rows of classes of at least `k`.
    k : int
    rows_left_out : int
    classes_left_out : int
    """

    frame: pd.DataFrame
    k: int
    rows_left_out: int
    classes_left_out: int

    @property
    def notes(self) -> list[str]:
        """What was left out, and whom that may be about."""
        return [
            f"{self.rows_left_out:,} rows in {self.classes_left_out:,} classes smaller than "
            f"{self.k} were left out; {len(self.frame):,} stay.",
            "Those left out are the uncommon patients: what is computed from the rest leaves them "
            "out, too.",
        ]

    def write(self, path: str | Path) -> Path:
        """Write the rest as CSV, as `Deidentified.write` does."""
        return write_csv(self.frame, path)

    def __repr__(self) -> str:
        return "\n".join(self.notes)

    def _repr_html_(self) -> str:
        counts = {"rows": [len(self.frame), self.rows_left_out]}
        table = pd.DataFrame(counts, index=pd.Index(["stay", "left out"], name="which"))
        return to_html(table, title=f"Classes of at least {self.k} rows", notes=self.notes)


def require_k(k: object) -> int:
    """`k` as a whole number of at least 2.

    Raises
    ------
    DataError
        When it is none.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 2:
        raise DataError("k is a whole number of at least 2.", repr(k), "Pass e.g. 11.")
    return int(k)


def suppress(
    table: pd.DataFrame, sizes: np.ndarray[tuple[int], np.dtype[np.int64]], k: int
) -> Suppressed:
    """Leave out the rows whose class is smaller than `k`.

    Raises
    ------
    DataError
        When no row would stay.
    """
    stays = sizes >= k
    if not stays.any():
        raise DataError(
            f"A class must have {k} rows to stay.",
            "only smaller ones",
            "Generalise a column first, e.g. with fl.generalise, or choose a smaller k.",
        )
    out = sizes[~stays]
    rest = table[stays].reset_index(drop=True)
    for name in rest.select_dtypes("category"):
        # Its list would tell the categories of the rows that are gone.
        rest[name] = rest[name].cat.remove_unused_categories()
    # Each of the n rows of a class is 1/n of it.
    return Suppressed(
        frame=rest,
        k=k,
        rows_left_out=len(out),
        classes_left_out=round(float((1 / out).sum())),
    )
