"""How a site's columns, codes and units become the federation's features."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from fedlab.displays.tables import to_html
from fedlab.errors import DataError
from fedlab.site.mapping.applying import Made, Making, no_column
from fedlab.site.mapping.faults import Faults, shown
from fedlab.site.mapping.feature import USUAL_MISSING, FeatureMapping
from fedlab.site.mapping.files import parse_nodes, read_nodes
from fedlab.site.mapping.nodes import node_of
from fedlab.site.mapping.report import Mapped, MappingReport
from fedlab.site.mapping.whole import in_order, read_settings
from fedlab.site.mapping.writing import write_text

__all__ = ["Mapping"]


@dataclass(frozen=True, repr=False)
class Mapping:
    """What a site's table means in the federation's words.

    It is written as a small YAML or TOML file, which `read` takes, or in Python. Every site has its
    own, so that tables need not be made alike first.

    Parameters
    ----------
    features : sequence of FeatureMapping
    target, event : FeatureMapping, optional
        Each made like a feature, e.g. with ``values`` that take "Deceased" to 1.
    patient : str, optional
        The site's column that tells whose row it is.
    dates : str, optional
        How dates are written, as of `datetime.strptime`; by default as in 2020-11-23.
    decimal : "." or ","
        The decimal sign of numbers in columns of text; columns of numbers have none any more.
    missing : sequence of str
        Codes that mean "no value" in all columns.

    Raises
    ------
    DataError
        With every fault, and its line where it came from a file.

    Examples
    --------
    >>> mercy = Mapping.from_dict(
    ...     {
    ...         "target": {
    ...             "name": "died",
    ...             "column": "STATUS",
    ...             "values": {"Deceased": 1, "Home": 0},
    ...         },
    ...         "features": {
    ...             "glucose": {"column": "GLU", "unit": "mg/dL", "to": "mmol/L"},
    ...             "diabetes": {
    ...                 "column": "DX",
    ...                 "values": {"E10*": "type 1", "E11*": "type 2", "*": "none"},
    ...             },
    ...         },
    ...     }
    ... )
    >>> table = pd.DataFrame(
    ...     {"GLU": [90.0, 180.0], "DX": ["E11.9", "I10"], "STATUS": ["Home", "Deceased"]}
    ... )
    >>> mercy.apply(table).frame.round(2)
       glucose diabetes  died
    0     5.00   type 2     0
    1     9.99     none     1
    """

    features: tuple[FeatureMapping, ...]
    target: FeatureMapping | None = None
    event: FeatureMapping | None = None
    patient: str | None = None
    dates: str | None = None
    decimal: str = "."
    missing: tuple[str, ...] = field(default=USUAL_MISSING)

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", _features(self.features))
        object.__setattr__(self, "missing", tuple(self.missing))
        names = [feature.name for feature in self.features]
        if len(set(names)) < len(names):
            raise DataError(
                "A feature must be mapped once.",
                f"{len(names)} features with {len(set(names))} names",
                "Take one away.",
            )
        faults = Faults("mapping")
        read_settings(node_of(self.to_dict()), faults)
        faults.raise_any()

    @classmethod
    def read(cls, path: str | Path) -> Mapping:
        """The mapping of a YAML or TOML file.

        Parameters
        ----------
        path : path
            Ends in .yaml, .yml or .toml.

        Raises
        ------
        DataError
            When there is no such file, or with all its faults and their lines.
        """
        if not isinstance(path, str | Path):
            raise DataError(
                "A mapping is read from the path of a file.",
                type(path).__name__,
                "Pass e.g. 'mercy.yaml', or use Mapping.from_dict.",
            )
        faults = Faults(shown(Path(path).name))
        node = read_nodes(Path(path), faults)
        settings = {} if node is None else read_settings(node, faults)
        faults.raise_any()
        return cls(**settings)

    @classmethod
    def parse(
        cls, data: bytes | str, form: Literal["yaml", "toml"] = "yaml", *, name: str = "mapping"
    ) -> Mapping:
        """The mapping of the text of a file.

        Raises
        ------
        DataError
            With all its faults and their lines.
        """
        faults = Faults(name)
        whole = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        node = parse_nodes(whole, form, faults)
        settings = {} if node is None else read_settings(node, faults)
        faults.raise_any()
        return cls(**settings)

    @classmethod
    def from_dict(cls, settings: Dict[str, Any]) -> Mapping:
        """The mapping of a dictionary with the keys of a file.

        Raises
        ------
        DataError
            With all its faults.
        """
        faults = Faults("mapping")
        found = read_settings(node_of(settings), faults)
        faults.raise_any()
        return cls(**found)

    def to_dict(self) -> dict[str, Any]:
        """Its settings, as `from_dict` takes them and files hold them."""
        told: dict[str, Any] = {"version": 1}
        for key, made in (("target", self.target), ("event", self.event)):
            if made is not None:
                told[key] = {"name": made.name, **made.to_dict()}
        if self.patient is not None:
            told["patient"] = self.patient
        if self.dates is not None:
            told["dates"] = self.dates
        if self.decimal != ".":
            told["decimal"] = self.decimal
        if self.missing != USUAL_MISSING:
            told["missing"] = list(self.missing)
        told["features"] = {feature.name: feature.to_dict() for feature in self.features}
        return told

    def write(self, path: str | Path) -> Path:
        """Write it as a YAML or TOML file; `read` gives it back.

        Raises
        ------
        DataError
            When the name ends in neither, or the file cannot be written.
        """
        return write_text(self.to_dict(), Path(path))

    def apply(self, frame: pd.DataFrame) -> Mapped:
        """The table in the federation's words.

        Parameters
        ----------
        frame : DataFrame of shape (n_samples, n_columns)
            The site's.

        Raises
        ------
        DataError
            When a column is missing; when no value of a column fits; when the target is unknown or
            out of range in a row. Its text quotes no value.
        """
        if not isinstance(frame, pd.DataFrame) or not frame.columns.is_unique:
            raise DataError(
                "A mapping needs a table with different names of columns.",
                type(frame).__name__,
                "Pass a DataFrame, e.g. from pd.read_csv.",
            )
        frame = frame.reset_index(drop=True)
        made = self._made(frame)
        kept = [feature for feature in self.features if not feature.helper]
        asked = [each for each in (self.target, self.event) if each is not None]
        for each in asked:
            _check_known(each, made[each.name])
        columns = {each.name: made[each.name].values for each in [*kept, *asked]}
        for each in asked:
            columns[each.name] = _whole(columns[each.name])
        if self.patient is not None:
            columns[self.patient] = frame[self.patient]
        report = pd.DataFrame(
            [
                {"from": each.column or "derived", **made[each.name].counts}
                for each in [*self.features, *asked]
            ],
            index=pd.Index([each.name for each in [*self.features, *asked]], name="feature"),
        )
        unmapped = {
            each.name: made[each.name].unmapped for each in kept if made[each.name].unmapped.any()
        }
        return Mapped(pd.DataFrame(columns), unmapped, MappingReport(report))

    def _made(self, frame: pd.DataFrame) -> dict[str, Made]:
        making = Making(frame, self.missing, self.dates, self.decimal)
        asked = [each for each in (self.target, self.event) if each is not None]
        known = {feature.name: feature for feature in self.features}
        lost: dict[str, list[str]] = {}
        for each in [*self.features, *asked]:
            for name in making.absent(each, known):
                lost.setdefault(name, []).append(each.name)
        if self.patient is not None and self.patient not in frame.columns:
            lost.setdefault(self.patient, []).append("patients")
        if lost:
            raise no_column(lost, [str(name) for name in frame.columns])
        for each in [*in_order(self.features), *asked]:
            making.make(each)
        return making.made

    @property
    def frame(self) -> pd.DataFrame:
        """One row a feature: where it comes from, in which unit, and how many codes it knows."""
        asked = [("target", self.target), ("event", self.event)]
        rows = [("feature", each) for each in self.features] + [
            (role, each) for role, each in asked if each is not None
        ]
        return pd.DataFrame(
            [
                {
                    "role": "helper" if each.helper else role,
                    "from": each.column or each.derive,
                    "unit": each.unit or "",
                    "to": each.to or "",
                    "codes": len(each.values),
                    "categories": len(each.listed),
                    "range": ""
                    if each.range is None
                    else f"{each.range[0]:g} to {each.range[1]:g}",
                }
                for role, each in rows
            ],
            index=pd.Index([each.name for _, each in rows], name="feature"),
        )

    def __repr__(self) -> str:
        target = "" if self.target is None else f", target={self.target.name!r}"
        return f"Mapping({len(self.features)} features{target})"

    def _repr_html_(self) -> str:
        patient = [] if self.patient is None else [f"Whose row it is: column {self.patient!r}."]
        return to_html(self.frame, title="Mapping", notes=patient)


def _features(given: object) -> tuple[FeatureMapping, ...]:
    found = tuple(given) if isinstance(given, Iterable) else ()
    if not all(isinstance(each, FeatureMapping) for each in found):
        raise DataError(
            "Features of a mapping must be FeatureMapping.",
            "something else",
            "Pass e.g. [fl.FeatureMapping('age', column='AGE')], or use Mapping.from_dict.",
        )
    return found


def _check_known(feature: FeatureMapping, made: Made) -> None:
    if made.counts["unmapped"]:
        raise DataError(
            f"The mapping must know every value of {shown(feature.name)!r}.",
            f"{made.counts['unmapped']} rows with one that it does not know",
            "Complete its values, or leave those rows out.",
        )


def _whole(values: pd.Series) -> pd.Series:
    """Whole numbers as such, so that classes are the same labels at every site."""
    if values.dtype.kind != "f" or values.isna().any():
        return values
    numbers = values.to_numpy()
    fits = np.isfinite(numbers).all() and (numbers == np.rint(numbers)).all()
    return values.astype(np.int64) if fits and (abs(numbers) < 2**53).all() else values
