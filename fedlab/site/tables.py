"""The table of a site together with what is declared of it, by its mapping or by hand."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from fedlab.errors import DataError
from fedlab.site.mapping import FeatureMapping, Mapped, Mapping, MappingReport
from fedlab.site.mapping.report import Flags
from fedlab.site.readers import Data, read_table

__all__ = ["Table", "declared_table"]


@dataclass(frozen=True, repr=False)
class Table:
    """A table in the federation's words; attributes as the parameters of `Site`.

    Attributes
    ----------
    unmapped : dict of str to ndarray of bool of shape (n_samples,)
        By column, where a row held a value that the mapping does not know.
    report : MappingReport or None
    """

    frame: pd.DataFrame
    target: str
    event: str | None = None
    patient: str | None = None
    categories: Dict[str, Sequence[str]] = field(default_factory=dict)
    ranges: Dict[str, tuple[float, float]] = field(default_factory=dict)
    unmapped: Dict[str, Flags] = field(default_factory=dict)
    report: MappingReport | None = None

    def __repr__(self) -> str:
        return f"Table(shape={self.frame.shape})"


def declared_table(
    site: str,
    data: Data,
    *,
    mapping: Mapping | str | Path | None = None,
    target: str | None = None,
    event: str | None = None,
    patient: str | None = None,
    categories: Dict[str, Sequence[str]] | None = None,
    ranges: Dict[str, tuple[float, float]] | None = None,
) -> Table:
    """Read a table, and map it where there is a mapping; parameters as of `Site`.

    Raises
    ------
    DataError
        When the table cannot be read or mapped; when the mapping says something else than what is
        given beside it; when nobody names the target.
    """
    given, limits = dict(categories or {}), dict(ranges or {})
    frame = read_table(data, site)
    if mapping is None:
        if target is None:
            raise DataError(
                "A site needs a target.",
                "neither target= nor mapping=",
                "Pass e.g. Site('mercy', frame, target='died').",
                site=site,
            )
        flags, report = ({}, None) if not isinstance(data, Mapped) else (data.unmapped, data.report)
        return Table(frame, target, event, patient, given, limits, flags, report)
    try:
        whole = mapping if isinstance(mapping, Mapping) else _read(mapping)
        whole = _completed(whole, target, event, patient, given)
        limits = _ranges(whole, limits)
        mapped = whole.apply(frame)
    except DataError as error:
        fault = error
    else:
        ends, of = _name(whole.target), _name(whole.event)
        return Table(
            mapped.frame,
            ends or "",
            of,
            whole.patient,
            {},
            limits,
            mapped.unmapped,
            mapped.report,
        )
    raise DataError(fault.rule, fault.came, fault.remedy, site=site)


def _read(mapping: object) -> Mapping:
    if not isinstance(mapping, str | Path):
        raise DataError(
            "mapping must be a Mapping, or the path of its file.",
            type(mapping).__name__,
            "Pass e.g. mapping='mercy.yaml'.",
        )
    return Mapping.read(mapping)


def _name(made: FeatureMapping | None) -> str | None:
    return None if made is None else made.name


def _completed(
    mapping: Mapping,
    target: str | None,
    event: str | None,
    patient: str | None,
    categories: Dict[str, Sequence[str]],
) -> Mapping:
    """The mapping with what it leaves open; a name alone is that of a column."""
    for key, given in (("target", target), ("event", event)):
        said = getattr(mapping, key)
        if given is None:
            continue
        if said is None:
            more: dict[str, Any] = {key: FeatureMapping(given, column=given)}
            mapping = replace(mapping, **more)
        elif said.name != given:
            raise _conflict(key, repr(said.name), repr(given))
    if patient is not None and mapping.patient is None:
        mapping = replace(mapping, patient=patient)
    elif patient is not None and mapping.patient != patient:
        raise _conflict("patient", repr(mapping.patient), repr(patient))
    if mapping.target is None:
        raise DataError(
            "A site needs a target.",
            "a mapping without one",
            "Add target: to it, or pass target= beside it.",
        )
    for name, listed in categories.items():
        mapping = _with_categories(mapping, name, listed)
    return mapping


def _with_categories(mapping: Mapping, name: str, listed: Sequence[str]) -> Mapping:
    wanted = tuple(str(each) for each in listed)
    made = [*mapping.features, *(each for each in (mapping.target,) if each is not None)]
    found = next((each for each in made if each.name == name and not each.helper), None)
    if found is None:
        raise DataError(
            "Declared categories must belong to a column.",
            f"{name!r}, which the mapping does not make",
            "Correct the name.",
        )
    if found.listed == wanted:
        return mapping
    if found.listed or found.values:
        raise _conflict(
            f"categories of {name!r}", f"{len(found.listed)} categories", "another list"
        )
    more = replace(found, categories=wanted)
    if found is mapping.target:
        return replace(mapping, target=more)
    features = tuple(more if each is found else each for each in mapping.features)
    return replace(mapping, features=features)


def _ranges(
    mapping: Mapping, given: Dict[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Public ranges, of the mapping and beside it."""
    said = {
        each.name: each.range
        for each in mapping.features
        if each.range is not None and not each.helper
    }
    for name, bounds in given.items():
        if name in said and tuple(bounds) != said[name]:
            raise _conflict(f"range of {name!r}", f"{said[name]!r}", f"{bounds!r}")
    return {**said, **given}


def _conflict(what: str, said: str, given: str) -> DataError:
    return DataError(
        f"What is given beside a mapping must agree with it: {what}.",
        f"{given}, while the mapping has {said}",
        "Give it in one place.",
    )
