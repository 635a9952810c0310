"""From nodes to settings: what each key of a mapping may hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from fedlab.core.analytes import ANALYTES, analyte_named
from fedlab.core.units import check_units
from fedlab.errors import DataError
from fedlab.site.mapping.expressions import Expression
from fedlab.site.mapping.faults import Faults, meant, shown
from fedlab.site.mapping.feature import FeatureMapping, Outside
from fedlab.site.mapping.nodes import Entry, Node
from fedlab.site.mapping.table import Table

__all__ = ["KEYS", "feature_of"]

KEYS = [
    "column",
    "derive",
    "unit",
    "to",
    "analyte",
    "molar_mass",
    "values",
    "categories",
    "range",
    "outside",
    "missing",
    "helper",
]


def feature_of(
    name: str, node: Node, path: str, faults: Faults, *, more: Sequence[str] = ()
) -> FeatureMapping | None:
    """One feature; None where there is no table of its settings.

    A text alone is the name of its column.
    """
    if node.kind == "text" and node.text.strip():
        return FeatureMapping(name, column=node.text)
    if node.kind != "table":
        faults.add(
            node.line,
            path,
            "A feature must say where it comes from.",
            node.words,
            "Write e.g. column: AGE below its name.",
        )
        return None
    table = Table(node, path, [*more, *KEYS], faults)
    settings: dict[str, Any] = {
        "column": table.text("column", "column: AGE"),
        "derive": table.text("derive", "derive: weight / height ** 2"),
        "unit": table.text("unit", "unit: mg/dL"),
        "to": table.text("to", "to: mmol/L"),
        "analyte": table.text("analyte", "analyte: glucose"),
        "molar_mass": table.number("molar_mass", "molar_mass: 180.156"),
        "categories": table.texts("categories", "categories: [female, male]") or (),
        "values": _values(table, faults),
        "range": table.pair("range"),
        "outside": table.choice("outside", get_args(Outside)) or "missing",
        "missing": table.texts("missing", 'missing: ["", NA, -9]', blank=True),
        "helper": table.truth("helper"),
    }
    _check_source(table, settings)
    _check_units(name, table, settings)
    _check_kinds(table, settings)
    return FeatureMapping(name, **settings)


def _values(table: Table, faults: Faults) -> tuple[tuple[str, str | float], ...]:
    node = table.node("values")
    if node is None:
        return ()
    if node.kind != "table" or not node.entries:
        table.fault(
            "values",
            "values must say what each code means.",
            node.words if node.kind != "table" else "no code",
            "Write one line for each code, e.g. M: male.",
        )
        return ()
    declared = table.node("categories")
    good = [entry for entry in node.entries if _fits(entry, table, faults)]
    numeric = declared is None and all(entry.value.kind == "number" for entry in good)
    listed = (
        None
        if declared is None
        else dict.fromkeys(item.text for item in declared.items or (declared,))
    )
    pairs: list[tuple[str, str | float]] = []
    for entry in good:
        if listed is not None and entry.value.text not in listed:
            faults.add(
                entry.line,
                table.at("values"),
                "A code must mean one of the categories.",
                repr(shown(entry.value.text)),
                "Correct it."
                if faults.many
                else meant(entry.value.text, listed, "Add it to categories, or correct it."),
            )
        pairs.append((entry.key, entry.value.number if numeric else entry.value.text))
    return tuple(pairs)


def _fits(entry: Entry, table: Table, faults: Faults) -> bool:
    path = table.at("values")
    if entry.value.kind not in {"text", "number"} or not entry.value.text.strip():
        faults.add(
            entry.line,
            path,
            "A code must mean a category or a number.",
            entry.value.words,
            "Write a text or a number; true and false in quotes, or as 1 and 0.",
        )
        return False
    if "*" in entry.key[:-1] or entry.key != entry.key.strip() or not entry.key:
        faults.add(
            entry.line,
            path,
            "A code must be a text, with a * at its end alone.",
            "another",
            "Write e.g. E11* for all codes that begin with E11; blanks around a code do not count.",
        )
        return False
    return True


def _check_source(table: Table, settings: dict[str, Any]) -> None:
    if ("column" in table) == ("derive" in table):
        both = "column" in table
        table.fault(
            "derive" if both else "column",
            "A feature must have either a column or derive.",
            "both" if both else "neither",
            "Keep one." if both else "Add column: with the name that the table has.",
        )
    if settings["derive"] is None:
        return
    try:
        tells_text = Expression(settings["derive"]).tells_text
    except DataError as error:
        fault = error
    else:
        if tells_text and "categories" not in table and "values" not in table:
            table.fault(
                "derive",
                "A feature that is derived as text needs its categories.",
                "none",
                "Add categories: with the list.",
            )
        return
    table.fault("derive", fault.rule, fault.came, fault.remedy)


def _check_units(name: str, table: Table, settings: dict[str, Any]) -> None:
    if ("unit" in table) != ("to" in table):
        key, other = ("unit", "to") if "unit" in table else ("to", "unit")
        table.fault(
            key,
            "A unit must come with the unit it becomes.",
            f"{key} without {other}",
            f"Add {other}:, the {'federation' if other == 'to' else 'site'}'s unit.",
        )
    analyte = settings["analyte"]
    if analyte is not None and analyte_named(analyte) is None:
        table.fault(
            "analyte",
            "An analyte must be one of the list.",
            repr(shown(analyte)),
            meant(analyte, ANALYTES, "Give molar_mass: in g/mol instead."),
        )
        return
    for key in ("analyte", "molar_mass"):
        if key in table and "unit" not in table:
            table.fault(key, f"{key} needs a unit.", "none", "Add unit: and to:.")
    if settings["unit"] is None or settings["to"] is None:
        return
    for key in ("values", "categories"):
        if key in table:
            table.fault(key, "What has a unit has no categories.", key, "Keep one of the two.")
    try:
        check_units(
            settings["unit"],
            settings["to"],
            analyte=analyte or name,
            molar_mass=settings["molar_mass"],
        )
    except DataError as error:
        fault = error
    else:
        return
    key = "to" if fault.came == repr(settings["to"]) else "unit"
    table.fault(key, fault.rule, fault.came, fault.remedy)


def _check_kinds(table: Table, settings: dict[str, Any]) -> None:
    texts = settings["categories"] or any(isinstance(each, str) for _, each in settings["values"])
    if "range" in table and texts:
        table.fault("range", "Categories have no range.", "both", "Keep one of the two.")
    if "outside" in table and "range" not in table:
        table.fault("outside", "outside needs a range.", "none", "Add range: [low, high].")
