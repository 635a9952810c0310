"""A site as it is kept in its home: everything it needs to be opened again, sealed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from fedlab.errors import DataError
from fedlab.site.consent import Authorization, patient_text
from fedlab.site.mapping import Mapped, MappingReport
from fedlab.site.policy import Policy
from fedlab.site.sealed import read_key, read_sealed, write_sealed
from fedlab.site.tables import Table

__all__ = ["Kept"]

FILE = "site.sealed"


def _feather(frame: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.to_feather(stream)
    return stream.getvalue()


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A site's table and settings; attributes as the parameters of `Site`.

    Attributes
    ----------
    table : bytes
        The table in the Arrow format, in the federation's words, with all declared categories.
    unmapped : dict of str to bytes
        By column, a bit for each row: whether it held a value that the site's mapping did not know.
    report : bytes
        What the mapping made of the rows, in the Arrow format; empty without a mapping.
    authorizations : tuple of Authorization or None
    """

    name: str
    target: str
    event: str | None
    test_size: float
    seed: int
    policy: Policy
    categories: dict[str, tuple[str, ...]]
    ranges: dict[str, tuple[float, float]]
    patient: str | None
    authorizations: tuple[Authorization, ...] | None
    source: str
    simulated: bool
    table: bytes
    unmapped: dict[str, bytes] = {}
    report: bytes = b""

    def __repr__(self) -> str:
        return f"Kept({self.name!r})"

    @classmethod
    def of(cls, table: Table, **settings: Any) -> Kept:
        """The site of a table.

        Raises
        ------
        DataError
            When a column holds values of several types.
        """
        frame, patient = table.frame, table.patient
        if patient is not None:
            frame = frame.assign(**{patient: [patient_text(each) for each in frame[patient]]})
        try:
            whole = _feather(frame)
        # Its text may quote a cell.
        except Exception as error:
            raise DataError(
                "A table that is kept needs columns of one type each.",
                type(error).__name__,
                "Convert the column.",
                site=settings["name"],
            ) from None
        return cls(
            table=whole,
            target=table.target,
            event=table.event,
            patient=patient,
            categories={name: tuple(each) for name, each in table.categories.items()},
            ranges={name: (low, high) for name, (low, high) in table.ranges.items()},
            unmapped={name: np.packbits(each).tobytes() for name, each in table.unmapped.items()},
            report=b"" if table.report is None else _feather(table.report.frame.reset_index()),
            **settings,
        )

    @property
    def frame(self) -> pd.DataFrame:
        """The table."""
        return pd.read_feather(io.BytesIO(self.table))

    @property
    def mapped(self) -> pd.DataFrame | Mapped:
        """The table, with what its mapping did not know where it had one."""
        frame = self.frame
        if not self.report:
            return frame
        flags = {
            name: np.unpackbits(np.frombuffer(bits, np.uint8), count=len(frame)).astype(bool)
            for name, bits in self.unmapped.items()
        }
        report = pd.read_feather(io.BytesIO(self.report)).set_index("feature")
        return Mapped(frame, flags, MappingReport(report))

    def write(self, home: str | Path | None, key: str | Path | None) -> None:
        """Seal it into the home.

        Raises
        ------
        DataError
            When there is no home, or no key.
        """
        if home is None:
            raise DataError(
                "A table is kept in a home.", "no home", "Pass home=folder.", site=self.name
            )
        secret = read_key(key, Path(home), self.name)
        write_sealed(Path(home) / FILE, secret, self.name, msgspec.msgpack.encode(self))

    @classmethod
    def read(cls, home: Path, key: str | Path | None) -> Kept:
        """What was kept in a home.

        Raises
        ------
        DataError
            When it is missing, was changed or cut, or needs another key.
        """
        name, data = read_sealed(home / FILE, read_key(key, home, home.name))
        try:
            kept = msgspec.msgpack.decode(data, type=cls)
        except msgspec.DecodeError:
            kept = None
        if kept is None or kept.name != name:
            raise DataError(
                "A kept site must be readable by this version.",
                "one that is not",
                "Open it with the version that wrote it.",
            )
        return kept
