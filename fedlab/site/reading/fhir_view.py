"""What a FHIR reader is asked for: ViewDefinitions of SQL on FHIR, and tables of patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from fedlab.errors import DataError
from fedlab.site.reading.declared import read_declaration

__all__ = ["Condition", "FhirColumn", "FhirView", "Select", "Take", "ViewColumn", "ViewDefinition"]

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=255)]
Take = Literal["only", "first", "last", "mean", "min", "max", "count", "exists"]
ORDERED = ("first", "last")
NUMBERS = ("mean", "min", "max")


class ViewColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One column: a name, and the FHIRPath of its value."""

    name: Name
    path: str
    collection: bool = False


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A FHIRPath that is true of the resources to keep."""

    path: str


class Select(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Columns, for the resource or for each thing that a path finds in it."""

    column: tuple[ViewColumn, ...] = ()
    select: tuple[Select, ...] = ()
    union_all: tuple[Select, ...] = ()
    for_each: str | None = None
    for_each_or_null: str | None = None

    def names(self) -> list[str]:
        """Names of the columns, in order."""
        names = [column.name for column in self.column]
        names += [name for inner in self.select for name in inner.names()]
        return names + (self.union_all[0].names() if self.union_all else [])

    def walk(self) -> Iterator[Select]:
        """Itself and all within."""
        yield self
        for inner in (*self.select, *self.union_all):
            yield from inner.walk()


class ViewDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A table of one type of resource, as SQL on FHIR 2.0 writes it down.

    Read are ``resource``, ``name``, ``select`` (``column``, ``forEach``, ``forEachOrNull``,
    ``unionAll``, nested ``select``), ``where`` and ``constant``; what only describes the view is
    passed over.
    """

    resource: str
    select: Annotated[tuple[Select, ...], msgspec.Meta(min_length=1)]
    name: str | None = None
    where: tuple[Condition, ...] = ()
    constant: tuple[dict[str, Any], ...] = ()

    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [name for select in self.select for name in select.names()]

    def constants(self) -> dict[str, object]:
        """Values of ``%name``."""
        found: dict[str, object] = {}
        for entry in self.constant:
            values = [value for key, value in entry.items() if key.startswith("value")]
            name = entry.get("name")
            scalar = len(values) == 1 and isinstance(values[0], bool | int | float | str)
            if not isinstance(name, str) or not scalar or name in found:
                raise DataError(
                    "A constant must have a name of its own and one value.",
                    f"{len(entry)} members",
                    "Write e.g. {'name': 'loinc', 'valueUri': 'http://loinc.org'}.",
                )
            found[name] = values[0]
        return found

    def check(self) -> None:
        """Raise DataError for what cannot become a flat table."""
        from fedlab.site.reading.fhir_reference import known_types

        if self.resource not in known_types():
            raise DataError(
                "A view must be of a type of resource that FHIR R4 has.",
                f"{self.resource!r}",
                "Write e.g. 'Observation'.",
            )
        for select in (inner for outer in self.select for inner in outer.walk()):
            if select.for_each is not None and select.for_each_or_null is not None:
                raise DataError(
                    "A select goes over one thing.", "forEach and forEachOrNull", "Drop one."
                )
            if any(other.names() != select.union_all[0].names() for other in select.union_all):
                raise DataError(
                    "Tables of a unionAll must have the same columns in the same order.",
                    "others",
                    "Name them alike.",
                )
            listed = [column.name for column in select.column if column.collection]
            if listed:
                raise DataError(
                    "A column holds one value.",
                    f"{listed[0]!r}, which is a collection",
                    "Pick or join, e.g. name.given.first() or name.given.join(' ').",
                )
        names = self.names()
        repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if repeated or not names:
            raise DataError(
                "Columns of a view must have names of their own.",
                f"{repeated[0]!r} more than once" if repeated else "no column",
                "Rename one." if repeated else "Add a column.",
            )


class FhirColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One column of a table of patients, gathered from the rows of a view.

    Parameters
    ----------
    name : str
    view : str
        Name of the view.
    column : str, optional
        Column of the view whose values are gathered; not needed to count rows.
    take : str, default "only"
        "first" and "last" by `date`, "mean", "min", "max", "count", "exists", or "only": the one
        value that all rows of the patient agree on. Rows that have the same date are ordered by
        the id of their resource, so the order of files plays no part.
    date : str, optional
        Column of the view by which rows are ordered.
    unit : str, optional
        Column of the view with the unit. It is kept as column ``<name>_unit``. A patient with
        several units gets no mean, minimum or maximum, and is counted in the report.
    required_unit : str, optional
        Rows in any other unit are passed over, and counted in the report.
    """

    name: Name
    view: str
    column: str | None = None
    take: Take = "only"
    date: str | None = None
    unit: str | None = None
    required_unit: str | None = None

    @property
    def keeps_unit(self) -> bool:
        """Whether the table has a column for the unit."""
        return self.unit is not None and self.required_unit is None

    def check(self, views: Mapping[str, ViewDefinition]) -> None:
        """Raise DataError unless view and columns are there, and fit what is taken."""
        if self.view not in views:
            raise DataError(
                f"Column {self.name!r} must name one of the views.",
                f"{self.view!r}",
                f"Write one of {', '.join(map(repr, views))}.",
            )
        names = views[self.view].names()
        for name in (self.column, self.date, self.unit):
            if name is not None and name not in names:
                raise DataError(
                    f"Column {self.name!r} must use columns of its view.",
                    f"{name!r}",
                    f"Write one of {', '.join(map(repr, names))}.",
                )
        needs = {
            "column": self.column is None and self.take not in ("count", "exists"),
            "date": self.date is None and self.take in ORDERED,
            "unit": self.unit is None and self.required_unit is not None,
        }
        missing = [name for name, lacking in needs.items() if lacking]
        if missing:
            raise DataError(
                f"Column {self.name!r} takes {self.take!r}, which needs {missing[0]!r}.",
                "none",
                f"Name the column of view {self.view!r}.",
            )


class FhirView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of one row a patient, gathered from several views of FHIR resources.

    Whose a row is, is told by the view's column ``patient`` if there is one; otherwise by the
    resource: its own id if it is a Patient, else its ``subject``, ``patient`` or ``beneficiary``.
    If a view is of Patient, the table has the patients of that view; otherwise all that are met.

    Parameters
    ----------
    views : tuple of ViewDefinition
        Each with a name.
    columns : tuple of FhirColumn

    Examples
    --------
    >>> patients = {
    ...     "resource": "Patient",
    ...     "name": "patients",
    ...     "select": [{"column": [{"name": "sex", "path": "gender"}]}],
    ... }
    >>> view = FhirView.of({
    ...     "views": [patients],
    ...     "columns": [{"name": "sex", "view": "patients", "column": "sex"}],
    ... })
    >>> view.views[0].names()
    ['sex']
    """

    views: Annotated[tuple[ViewDefinition, ...], msgspec.Meta(min_length=1)]
    columns: Annotated[tuple[FhirColumn, ...], msgspec.Meta(min_length=1)]

    @classmethod
    def of(cls, declaration: FhirView | Mapping[str, Any] | str | Path) -> FhirView:
        """Check a declaration: a dict, or the path of a YAML or JSON file.

        Raises
        ------
        DataError
        """
        view = read_declaration(declaration, cls, "FHIR view")
        view.check()
        return view

    def check(self) -> None:
        """Raise DataError for views without a name of their own, or columns that do not fit."""
        by_name = {view.name: view for view in self.views if view.name}
        if len(by_name) < len(self.views):
            raise DataError(
                "Views must have names of their own.",
                f"{len(by_name)} names of {len(self.views)} views",
                "Give each a 'name'.",
            )
        for view in self.views:
            view.check()
        names = ["patient"]
        for column in self.columns:
            column.check({str(name): view for name, view in by_name.items()})
            names += [column.name] + ([f"{column.name}_unit"] if column.keeps_unit else [])
        repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if repeated:
            raise DataError(
                "Columns must have names of their own.",
                f"{repeated[0]!r} more than once",
                "Rename one; 'patient' and '<name>_unit' are taken.",
            )
