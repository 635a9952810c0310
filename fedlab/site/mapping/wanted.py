"""The federation's features, as a site is asked for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from fedlab.core.analytes import ANALYTES, analyte_named
from fedlab.core.schema import Schema
from fedlab.core.units import known_unit
from fedlab.errors import DataError
from fedlab.site.mapping.faults import Faults, meant, shown
from fedlab.site.mapping.feature import FeatureMapping
from fedlab.site.mapping.files import read_nodes
from fedlab.site.mapping.mapping import Mapping
from fedlab.site.mapping.nodes import Node
from fedlab.site.mapping.reading import KEYS
from fedlab.site.mapping.table import Table

__all__ = ["Feature", "wanted_features"]

Role = Literal["feature", "target", "event", "patient"]
Kind = Literal["number", "category"]


@dataclass(frozen=True)
class Feature:
    """One feature of the federation.

    Parameters
    ----------
    name : str
    kind : "number" or "category", optional
        By default a category where it has categories.
    unit : str, optional
        The federation's.
    categories : sequence of str
    range : (float, float), optional
        Plausible values, in `unit`.
    analyte : str, optional
        What is measured, by default as `name` says.
    role : "feature", "target", "event" or "patient"

    Raises
    ------
    DataError
        When its parts do not fit together.
    """

    name: str
    kind: Kind | None = None
    unit: str | None = None
    categories: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    analyte: str | None = None
    role: Role = "feature"

    def __post_init__(self) -> None:
        listed = tuple(self.categories)
        object.__setattr__(self, "categories", listed)
        object.__setattr__(self, "kind", self.kind or ("category" if listed else "number"))
        limits = self.range
        rises = limits is None or (len(limits) == 2 and limits[0] < limits[1])
        text = isinstance(self.name, str) and self.name.strip() and self.name.isprintable()
        known = self.unit is None or known_unit(self.unit)
        kinds = self.kind in get_args(Kind) and self.role in get_args(Role)
        whole = (self.kind == "category") == bool(listed)
        if not (text and rises and known and kinds and whole):
            raise DataError(
                "A feature needs a name, and a known unit, a range that rises or categories.",
                f"{shown(str(self.name))!r} of unit {self.unit!r} with {len(listed)} categories",
                "Write e.g. fl.Feature('glucose', unit='mmol/L', range=(1, 50)).",
            )
        if limits is not None:
            object.__setattr__(self, "range", (float(limits[0]), float(limits[1])))


def wanted_features(features: object) -> tuple[Feature, ...]:
    """The features that a federation, a schema, a file or a list tells of.

    Parameters
    ----------
    features : sequence of Feature, Schema, Mapping, anything with a ``schema``, or path
        A file is written like a mapping; of another hospital's mapping it is what its features
        become that counts.

    Raises
    ------
    DataError
        When it is none of these, or names a feature twice.
    """
    if isinstance(features, str | Path):
        found = _from_file(Path(features))
    elif isinstance(features, Mapping):
        found = _from_mapping(features)
    elif isinstance(features, Schema):
        found = _from_schema(features)
    elif isinstance(getattr(features, "schema", None), Schema):
        found = _from_schema(features.schema)  # type: ignore[attr-defined]
    else:
        found = tuple(features) if isinstance(features, Iterable) else ()
    names = [each.name for each in found if isinstance(each, Feature)]
    if not names or len(names) < len(found) or len(set(names)) < len(names):
        raise DataError(
            "Features must be a list of different Feature, a Schema, a Federation or a file.",
            f"a {type(features).__name__}" if len(names) < len(found) or not names else "repeats",
            "Pass e.g. [fl.Feature('age', unit='a', range=(0, 120))].",
        )
    return found


def _from_schema(schema: Schema) -> tuple[Feature, ...]:
    features = [
        Feature(
            column.name,
            column.kind,
            categories=column.categories,
            range=None if column.low is None or column.high is None else (column.low, column.high),
        )
        for column in schema.columns
    ]
    texts = tuple(str(each) for each in schema.classes if isinstance(each, str))
    target = Feature(schema.target, categories=texts, role="target")
    event = [] if schema.event is None else [Feature(schema.event, role="event")]
    return (*features, target, *event)


def _from_mapping(mapping: Mapping) -> tuple[Feature, ...]:
    asked: list[tuple[Role, FeatureMapping]] = [
        ("feature", each) for each in mapping.features if not each.helper
    ]
    asked += [("target", mapping.target)] if mapping.target is not None else []
    asked += [("event", mapping.event)] if mapping.event is not None else []
    return tuple(
        Feature(
            each.name,
            unit=each.to,
            categories=each.listed,
            range=each.range,
            analyte=each.analyte,
            role=role,
        )
        for role, each in asked
    )


def _from_file(path: Path) -> tuple[Feature, ...]:
    faults = Faults(shown(path.name))
    node = read_nodes(path, faults)
    found: list[Feature] = []
    if node is not None and node.kind == "table":
        keys = ["version", "target", "event", "patient", "dates", "decimal", "missing", "features"]
        table = Table(node, "", keys, faults)
        listed = table.node("features")
        for entry in () if listed is None else listed.entries:
            found += _one(entry.key, entry.value, f"features.{entry.key}", "feature", faults)
        roles: tuple[Role, ...] = ("target", "event")
        for role in roles:
            asked = table.node(role)
            if asked is not None:
                found += _one(None, asked, role, role, faults)
    elif node is not None:
        faults.add(node.line, "", "It must be keys with values.", node.words, "Add features:.")
    faults.raise_any()
    return tuple(found)


def _one(name: str | None, node: Node, path: str, role: Role, faults: Faults) -> list[Feature]:
    if node.kind in {"nothing", "text"}:
        return [Feature(name or node.text, role=role)]
    table = Table(node, path, ["name", "kind", *KEYS], faults)
    unit = table.text("to", "to: mmol/L") or table.text("unit", "unit: mmol/L")
    key = "to" if "to" in table else "unit"
    if unit is not None and not known_unit(unit):
        table.fault(key, "A unit must be known.", repr(shown(unit)), "Write e.g. mmol/L.")
    analyte = table.text("analyte", "analyte: glucose")
    if analyte is not None and analyte_named(analyte) is None:
        remedy = meant(analyte, ANALYTES, "Leave it out.")
        table.fault("analyte", "An analyte must be listed.", repr(shown(analyte)), remedy)
    settings: dict[str, Any] = {
        "kind": table.choice("kind", get_args(Kind)),
        "unit": unit,
        "categories": table.texts("categories", "categories: [no, yes]") or (),
        "range": table.pair("range"),
        "analyte": analyte,
        "role": role,
    }
    if faults.found:
        return []
    return [Feature(name or table.text("name", "name: died") or role, **settings)]
