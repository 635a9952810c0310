"""A whole mapping from nodes."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Any

from fedlab.errors import DataError
from fedlab.site.mapping.dates import known_form
from fedlab.site.mapping.expressions import Expression
from fedlab.site.mapping.faults import Faults, shown
from fedlab.site.mapping.feature import FeatureMapping
from fedlab.site.mapping.nodes import Node
from fedlab.site.mapping.reading import feature_of
from fedlab.site.mapping.table import Table

__all__ = ["in_order", "read_settings"]

KEYS = ["version", "target", "event", "patient", "dates", "decimal", "missing", "features"]
VERSION = "1"


def read_settings(node: Node, faults: Faults) -> dict[str, Any]:
    """What `Mapping` takes; what does not fit is noted in `faults`."""
    if node.kind != "table":
        faults.add(
            node.line,
            "",
            "A mapping must be keys with values.",
            node.words,
            "Write e.g. target: died, then features: with one key for each.",
        )
        return {}
    table = Table(node, "", KEYS, faults)
    if "version" in table and table.choice("version", [VERSION]) is None:
        return {}
    dates = table.text("dates", 'dates: "%m/%d/%Y"')
    if dates is not None and not known_form(dates):
        table.fault(
            "dates",
            "dates must say how a whole date is written.",
            "another text",
            'Write e.g. "%m/%d/%Y", or leave it out for 2020-11-23.',
        )
    settings: dict[str, Any] = {
        "target": _named(table, "target", faults),
        "event": _named(table, "event", faults),
        "patient": table.text("patient", "patient: mrn"),
        "dates": dates,
        "decimal": table.choice("decimal", [".", ","]) or ".",
        "missing": table.texts("missing", 'missing: ["", NA, -9]', blank=True) or ("",),
        "features": _features(table, faults),
    }
    _check_names(table, settings, faults)
    return settings


def _named(table: Table, key: str, faults: Faults) -> FeatureMapping | None:
    node = table.node(key)
    if node is None:
        return None
    if node.kind != "table":
        name = table.text(key, f"{key}: died")
        return None if name is None else FeatureMapping(name, column=name)
    inner = Table(node, key, [entry.key for entry in node.entries], faults)
    name = inner.text("name", "name: died")
    if name is None and "name" not in inner:
        inner.fault("name", f"The {key} must have the federation's name.", "none", "Add name:.")
    return feature_of(name or key, node, key, faults, more=["name"])


def _features(table: Table, faults: Faults) -> tuple[FeatureMapping, ...]:
    node = table.node("features")
    if node is None or node.kind != "table" or not node.entries:
        table.fault(
            "features",
            "A mapping must have features.",
            "none" if node is None or node.kind == "table" else node.words,
            "Add features: with one key for each feature of the federation.",
        )
        return ()
    found = []
    for entry in node.entries:
        path = f"features.{entry.key}"
        if not entry.key.strip() or not entry.key.isprintable():
            faults.add(entry.line, path, "A feature must have a name.", "another", "Name it.")
        feature = feature_of(entry.key, entry.value, path, faults)
        if feature is not None:
            found.append(feature)
    if found and all(feature.helper for feature in found):
        table.fault("features", "A mapping must have features.", "helpers only", "Add one.")
    return tuple(found)


def _check_names(table: Table, settings: dict[str, Any], faults: Faults) -> None:
    names = [feature.name for feature in settings["features"]]
    for key in ("target", "event"):
        found = settings[key]
        if found is None:
            continue
        if found.helper:
            table.fault(key, f"The {key} is no helper.", "helper: true", "Take it away.")
        if found.name in names:
            table.fault(
                key, f"The {key} must not be a feature too.", repr(shown(found.name)), "Rename one."
            )
        names.append(found.name)
    if settings["event"] is not None and settings["target"] is None:
        table.fault("event", "An event needs a target.", "none", "Add target:, the time.")
    if settings["patient"] is not None and settings["patient"] in names:
        table.fault(
            "patient",
            "The column of patients must not be a feature.",
            "the name of one",
            "Rename the feature: whose row it is never leaves the site.",
        )
    try:
        in_order(settings["features"])
    except CycleError as error:
        cycle = error.args[1]
        node = table.node("features")
        lines = {} if node is None else {entry.key: entry.line for entry in node.entries}
        faults.add(
            lines.get(cycle[0]),
            f"features.{cycle[0]}",
            "A derived feature must not go round in a circle.",
            " from ".join(shown(each) for each in cycle),
            "Derive one of them from columns.",
        )


def in_order(features: tuple[FeatureMapping, ...]) -> list[FeatureMapping]:
    """Features, each after those that it is derived from.

    Raises
    ------
    graphlib.CycleError
    """
    known = {feature.name: feature for feature in features}
    graph = {name: _read_by(feature, known) for name, feature in known.items()}
    return [known[name] for name in TopologicalSorter(graph).static_order()]


def _read_by(feature: FeatureMapping, known: dict[str, FeatureMapping]) -> list[str]:
    if feature.derive is None:
        return []
    try:
        names = Expression(feature.derive).names
    except DataError:
        # Noted where the feature is read.
        return []
    # Its own name is that of the column.
    return [name for name in names if name in known and name != feature.name]
