"""The columns of the OMOP CDM 5.4 that are read, their types, and what is a fault in them."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["EVENTS", "FIELDS", "Field"]


class Field(NamedTuple):
    """One column of a CDM table.

    Attributes
    ----------
    name : str
        What it is called here.
    column : str
        What it is called in the CDM.
    kind : str
    fault : str
        Code when it cannot be read.
    missing : str or None
        Code when a row has none; None where it may be missing.
    absent : bool
        Whether the table may do without the column.
    """

    name: str
    column: str
    kind: Literal["integer", "date", "moment", "number", "text"]
    fault: str
    missing: str | None = None
    absent: bool = False


PERSON = Field("person_id", "person_id", "integer", "bad_id", "missing_person")


def _event(table: str, concept: str, date: str, moment: str) -> tuple[Field, ...]:
    return (
        PERSON,
        Field("concept_id", concept, "integer", "bad_concept", "missing_concept"),
        Field("started", date, "date", "bad_date", "missing_date"),
        Field("moment", moment, "moment", "bad_date", absent=True),
        Field("id", f"{table}_id", "integer", "bad_id", absent=True),
    )


_VALUES = (
    Field("value", "value_as_number", "number", "bad_number"),
    Field("value_concept", "value_as_concept_id", "integer", "bad_concept"),
    Field("unit", "unit_concept_id", "integer", "bad_concept"),
)
EVENTS: dict[str, tuple[Field, ...]] = {
    "visit_occurrence": _event(
        "visit_occurrence", "visit_concept_id", "visit_start_date", "visit_start_datetime"
    ),
    "condition_occurrence": _event(
        "condition_occurrence",
        "condition_concept_id",
        "condition_start_date",
        "condition_start_datetime",
    ),
    "drug_exposure": _event(
        "drug_exposure",
        "drug_concept_id",
        "drug_exposure_start_date",
        "drug_exposure_start_datetime",
    ),
    "procedure_occurrence": _event(
        "procedure_occurrence", "procedure_concept_id", "procedure_date", "procedure_datetime"
    ),
    "measurement": (
        *_event(
            "measurement", "measurement_concept_id", "measurement_date", "measurement_datetime"
        ),
        *_VALUES,
    ),
    "observation": (
        *_event(
            "observation", "observation_concept_id", "observation_date", "observation_datetime"
        ),
        _VALUES[1],
    ),
}
FIELDS: dict[str, tuple[Field, ...]] = {
    **EVENTS,
    "person": (
        PERSON,
        Field("sex", "gender_concept_id", "integer", "bad_concept"),
        Field("year", "year_of_birth", "integer", "bad_number"),
        Field("month", "month_of_birth", "integer", "bad_number", absent=True),
        Field("day", "day_of_birth", "integer", "bad_number", absent=True),
        Field("born", "birth_datetime", "moment", "bad_date", absent=True),
    ),
    "death": (PERSON, Field("started", "death_date", "date", "bad_date", "missing_date")),
    "concept_ancestor": (
        Field("ancestor", "ancestor_concept_id", "integer", "bad_concept", "missing_concept"),
        Field("concept_id", "descendant_concept_id", "integer", "bad_concept", "missing_concept"),
    ),
    "concept": (
        Field("concept_id", "concept_id", "integer", "bad_concept", "missing_concept"),
        Field("code", "concept_code", "text", "bad_concept"),
    ),
}
