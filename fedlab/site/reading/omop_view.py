"""What an OMOP reader is asked for: a cohort, its index date, and columns about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from fedlab.errors import DataError
from fedlab.site.reading.declared import read_declaration
from fedlab.site.reading.fhir_view import Name

__all__ = [
    "Age",
    "Cohort",
    "ConceptValue",
    "Days",
    "Died",
    "EventTable",
    "IndexDate",
    "Measured",
    "OmopColumn",
    "OmopView",
    "Present",
    "Sex",
]

EventTable = Literal[
    "visit_occurrence",
    "condition_occurrence",
    "drug_exposure",
    "procedure_occurrence",
    "measurement",
    "observation",
]
Concepts = tuple[Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)], ...]
Some = Annotated[Concepts, msgspec.Meta(min_length=1)]
Days = tuple[int | None, int | None]
# About two centuries; a larger number is a slip.
FARTHEST = 73_000


class Cohort(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is in the table: persons with such an event, whose date is their index date.

    Parameters
    ----------
    table : str
        E.g. "visit_occurrence".
    concepts : tuple of int, default ()
        Concept ids of the event; empty for any.
    descendants : bool, default False
        Whether narrower concepts count too, by table ``concept_ancestor``.
    take : "first" or "last", default "first"
        Which event of a person is the index.
    """

    table: EventTable
    concepts: Concepts = ()
    descendants: bool = False
    take: Literal["first", "last"] = "first"


class _Column(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    name: Name


class IndexDate(_Column, frozen=True, tag="index_date"):
    """The index date itself."""


class Age(_Column, frozen=True, tag="age"):
    """Completed years at the index date; an unknown day of birth is the middle of its span.

    A month without its day counts from its 15th, and a year alone from its 1 July.
    """


class Sex(_Column, frozen=True, tag="sex"):
    """Text "male" (8507) or "female" (8532) by ``gender_concept_id``; otherwise missing."""


class Measured(_Column, frozen=True, tag="measurement"):
    """A number from table ``measurement``, in a window of days about the index date.

    Parameters
    ----------
    name : str
    concepts : tuple of int
    descendants : bool, default False
    take : str, default "last"
        "first", "last", "mean", "min", "max" or "count".
    days : pair of int or None, default (-365, 0)
        First and last day, counted from the index date, both included; None for no bound.
    unit : int, optional
        Concept id of the unit that is required: rows in others are passed over and counted.
        Without it the unit is kept, as column ``<name>_unit``, and a person with several units gets
        no mean, minimum or maximum.
    """

    concepts: Some
    descendants: bool = False
    take: Literal["first", "last", "mean", "min", "max", "count"] = "last"
    days: Days = (-365, 0)
    unit: int | None = None

    @property
    def keeps_unit(self) -> bool:
        """Whether the table has a column for the unit."""
        return self.unit is None and self.take != "count"


class Present(_Column, frozen=True, tag="present"):
    """Whether there is such an event in a window of days about the index date."""

    table: EventTable
    concepts: Some
    descendants: bool = False
    days: Days = (None, 0)


class ConceptValue(_Column, frozen=True, tag="concept"):
    """The concept id that a measurement or observation has as its value."""

    table: Literal["measurement", "observation"]
    concepts: Some
    descendants: bool = False
    take: Literal["first", "last"] = "last"
    days: Days = (None, 0)


class Died(_Column, frozen=True, tag="died"):
    """Whether the person died within so many days after the index date, that day included.

    Who has no row in table ``death`` is taken as alive, followed up or not.
    """

    days: Annotated[int, msgspec.Meta(ge=0, le=FARTHEST)]


OmopColumn = IndexDate | Age | Sex | Measured | Present | ConceptValue | Died
Windowed = Measured | Present | ConceptValue


class OmopView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of one row a person of a cohort.

    Parameters
    ----------
    cohort : Cohort
    columns : tuple of columns
        Each `IndexDate`, `Age`, `Sex`, `Measured`, `Present`, `ConceptValue` or `Died`; in a dict
        or file by ``kind``.
    units : "id" or "code", default "id"
        Whether units are shown as concept ids, or as the codes (UCUM) that table ``concept`` has.

    Examples
    --------
    >>> view = OmopView.of({
    ...     "cohort": {"table": "visit_occurrence", "concepts": [9201]},
    ...     "columns": [
    ...         {"kind": "age", "name": "age"},
    ...         {"kind": "measurement", "name": "glucose", "concepts": [3004501]},
    ...         {"kind": "died", "name": "died", "days": 30},
    ...     ],
    ... })
    >>> view.names()
    ['age', 'glucose', 'glucose_unit', 'died']
    """

    cohort: Cohort
    columns: Annotated[tuple[OmopColumn, ...], msgspec.Meta(min_length=1)]
    units: Literal["id", "code"] = "id"

    @classmethod
    def of(cls, declaration: OmopView | Mapping[str, Any] | str | Path) -> OmopView:
        """Check a declaration: a dict, or the path of a YAML or JSON file.

        Raises
        ------
        DataError
        """
        view = read_declaration(declaration, cls, "OMOP view")
        view.check()
        return view

    def names(self) -> list[str]:
        """Names of the columns, in order."""
        names: list[str] = []
        for column in self.columns:
            kept = isinstance(column, Measured) and column.keeps_unit
            names += [column.name, f"{column.name}_unit"] if kept else [column.name]
        return names

    def check(self) -> None:
        """Raise DataError for names that are taken, or windows that end before they begin."""
        names = [name.lower() for name in ["person_id", *self.names()]]
        repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if repeated:
            raise DataError(
                "Columns must have names of their own.",
                f"{repeated[0]!r} more than once",
                "Rename one; 'person_id' and '<name>_unit' are taken.",
            )
        for column in self.columns:
            if not isinstance(column, Windowed):
                continue
            low, high = column.days
            ordered = low is None or high is None or low <= high
            if not ordered or any(abs(day or 0) > FARTHEST for day in column.days):
                raise DataError(
                    f"The window of column {column.name!r} must be days that rise.",
                    f"{column.days!r}",
                    "Pass e.g. days=(-365, 0) for the year before the index date.",
                )
