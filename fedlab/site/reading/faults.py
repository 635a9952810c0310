"""What can be wrong with a record, as a closed list of codes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FAULTS", "GAPS", "LEFT_OUT", "Fault", "RecordError"]

# Each code names a class of fault. Texts are ours: a parser's own would quote the record.
FAULTS = {
    "bad_concept": "a concept id that is not a whole number",
    "bad_date": "a date that is not one",
    "bad_id": "an id that is not in the form that the standard asks for",
    "bad_number": "a number that cannot be read, or is not finite",
    "bad_reference": "a reference that is not in the form Type/id, or is not text",
    "broken_gzip": "compressed bytes that are damaged or end too early",
    "expansion": "compressed bytes that grow beyond the limit; the file was left there",
    "invalid_encoding": "bytes that are not UTF-8 text",
    "missing_columns": "a row of fewer fields than the table has columns",
    "missing_concept": "a row without its concept id",
    "missing_date": "a row without its date",
    "missing_id": "a record without its id",
    "missing_person": "a row without its person",
    "not_a_number": "a value that a column of numbers cannot hold",
    "not_a_truth": "a condition whose answer is neither true nor false",
    "not_a_value": "a structure where a column needs one value",
    "not_an_object": "JSON that is not an object",
    "not_json": "text that is not JSON",
    "not_r4": "a resource that its FHIR R4B model does not allow",
    "path_failed": "a resource on which the path of a column cannot be computed",
    "quoting": "a quote that is not closed, or stands where none may",
    "repeated_id": "a second record with the id of another",
    "repeated_key": "an object that has the same key twice",
    "several_values": "several values where a column needs one",
    "too_deep": "JSON nested deeper than the limit",
    "too_long": "a line or bundle longer than the limit",
    "too_many_columns": "a row of more fields than the table has columns",
    "too_many_rows": "a resource that a view turns into more rows than the limit",
    "truncated": "a last line that ends inside a record",
    "unknown_type": "a resource whose type FHIR R4 does not have",
    "without_type": "an object without resourceType",
}

LEFT_OUT = {
    "blank": "blank lines",
    "no_resource": "entries of a bundle without a resource",
    "no_rows": "records in which the view found no row",
    "not_a_patient": "records about something other than a patient",
    "not_asked": "records that the view does not ask for",
    "without_patient": "records that name no patient",
}

GAPS = {
    "died_before": "persons who died before the index date",
    "no_date": "rows without a date, where one was needed to order them",
    "not_the_unit": "rows in another unit than the one required",
    "several_units": "patients with values in several units, which were not mixed",
    "several_values": "patients with several different values, where one was expected",
    "without_record": "patients that records name, and that have no record of their own",
    "bad_birth_date": "patients born after the index date, or more than 130 years before",
}


@dataclass(frozen=True)
class Fault:
    """One malformed record.

    Attributes
    ----------
    file : str
        Name of the file below the folder that was read, or of the table.
    line : int or None
        Line at which the record begins, from 1, in a text file; number of the row, from 1, in any
        other; None where the source has no order.
    code : str
        A key of `FAULTS`.
    """

    file: str
    line: int | None
    code: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {FAULTS[self.code]}"


class RecordError(Exception):
    """Ends the reading of one record; caught where records are counted, and never shown."""

    def __init__(self, code: str, line: int | None = None) -> None:
        super().__init__(code)
        self.code, self.line = code, line
