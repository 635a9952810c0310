"""FHIR R4 resources as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fedlab.site.reading.columns import as_columns
from fedlab.site.reading.declared import read_declaration, read_mapping
from fedlab.site.reading.faults import RecordError
from fedlab.site.reading.fhir_files import Limits, find_files
from fedlab.site.reading.fhir_flat import Flatten, Row, compile_view
from fedlab.site.reading.fhir_gather import Gatherer, Piece
from fedlab.site.reading.fhir_records import Record, read_records
from fedlab.site.reading.fhir_reference import check_resource, patient_of, type_of
from fedlab.site.reading.fhir_view import FhirView, ViewDefinition
from fedlab.site.reading.report import Reading
from fedlab.site.reading.tally import Tally

__all__ = ["read_fhir"]


def read_fhir(
    paths: str | Path | Sequence[str | Path],
    view: FhirView | ViewDefinition | Mapping[str, Any] | str | Path,
    *,
    strict: bool = False,
    validate: bool = False,
    limits: Limits | None = None,
) -> Reading:
    r"""Read FHIR R4 bundles and bulk NDJSON into a table.

    Files are read line by line, so memory holds the table and one line, whatever the size of the
    export; a bundle in one .json file is held whole. A malformed resource is counted and listed
    with file and line, and the rest is read.

    Parameters
    ----------
    paths : path or sequence of paths
        Files that end in .json (a bundle, or one resource), .ndjson or .ndjson.gz, or folders of
        them.
    view : FhirView, ViewDefinition, dict or path
        A `FhirView` gives one row a patient. A ViewDefinition of SQL on FHIR gives the rows that
        it says, in the order of the files. Either may be a dict, or a YAML or JSON file.
    strict : bool, default False
        Whether the first malformed resource raises.
    validate : bool, default False
        Whether each resource that is asked for is also validated by the models of FHIR R4B in
        ``fhir.resources``. This takes 0.1 to 1.5 ms a resource, and finds what no column needs.
    limits : Limits, optional
        Sizes above which a record is malformed.

    Returns
    -------
    Reading

    Raises
    ------
    DataError
        For paths or views that cannot be used; when strict, for the first malformed resource.

    Notes
    -----
    Every resource that a view asks for must have a type, an id, and references of the form that
    FHIR R4 (2.3.0.1) gives them; other resources must be JSON with a type. A resource id that comes
    twice is used once: the first in the order of the files' names.

    Examples
    --------
    >>> import json, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> resource = {"resourceType": "Patient", "id": "p1", "gender": "female"}
    >>> _ = (folder / "Patient.ndjson").write_text(json.dumps(resource) + "\nnot JSON\n")
    >>> columns = [{"name": "sex", "path": "gender"}]
    >>> reading = read_fhir(folder, {"resource": "Patient", "select": [{"column": columns}]})
    >>> reading.report
    <ReadingReport FHIR R4: 1 read, 1 malformed, 0 left out>
    >>> print(reading.report.faults[0])
    Patient.ndjson:2: text that is not JSON
    """
    limits = Limits() if limits is None else limits
    wanted = _view(view)
    tally = Tally("FHIR R4", strict=strict)
    sources, ignored = find_files(paths)
    table = (
        _Patients(wanted, tally, limits) if isinstance(wanted, FhirView) else _Rows(wanted, limits)
    )
    check = _validator() if validate else None
    seen: set[int] = set()
    for source in sources:
        for record in read_records(source, table.types, limits):
            if record.left_out is not None:
                tally.left_out(record.left_out)
                continue
            try:
                _take(record, table, tally, seen, check)
            except RecordError as problem:
                code = problem.code
            else:
                continue
            tally.malformed(source.name, record.line, code)
    frame = table.frame()
    return Reading(frame, tally.report([source.name for source in sources], ignored))


def _take(
    record: Record,
    table: _Rows | _Patients,
    tally: Tally,
    seen: set[int],
    check: Callable[[str, dict[str, Any]], None] | None,
) -> None:
    """Count a resource once, as read or left out, and put what it gives into the table.

    Raises
    ------
    RecordError
        Before anything of the resource is in the table.
    """
    if record.fault is not None:
        raise RecordError(record.fault)
    kind = type_of(record.resource)
    if kind not in table.types:
        tally.left_out("not_asked")
        return
    key = check_resource(record.resource)
    # Hashes of 64 bits, since a set of the ids of a large export would outgrow the table.
    mark = hash((kind, key))
    if mark in seen:
        raise RecordError("repeated_id")
    if check is not None:
        check(kind, record.resource)
    reason = table.take(kind, key, record.resource)
    seen.add(mark)
    if reason is None:
        tally.read(kind)
    else:
        tally.left_out(reason)


class _Rows:
    """The rows of one ViewDefinition."""

    def __init__(self, view: ViewDefinition, limits: Limits) -> None:
        view.check()
        self.types = frozenset({view.resource})
        self._flatten = compile_view(view, limits.rows)
        self._columns: dict[str, list[Any]] = {name: [] for name in view.names()}

    def take(self, kind: str, key: str, resource: Mapping[str, Any]) -> str | None:
        """Add what a resource gives; the reason, if that is nothing."""
        rows = self._flatten(resource)
        if rows is None:
            return "not_asked"
        for row in rows:
            for name, values in self._columns.items():
                values.append(row[name])
        return None if rows else "no_rows"

    def frame(self) -> pd.DataFrame:
        """All rows."""
        return as_columns(self._columns)


class _Patients:
    """One row a patient, from several views."""

    def __init__(self, view: FhirView, tally: Tally, limits: Limits) -> None:
        self._view, self._tally = view, tally
        self.types = frozenset(each.resource for each in view.views)
        self._gatherers = [(column.view, Gatherer(column, tally)) for column in view.columns]
        self._views: list[tuple[ViewDefinition, Flatten]] = [
            (each, compile_view(each, limits.rows)) for each in view.views
        ]
        self._patients: set[str] = set()
        self._whole = any(each.resource == "Patient" for each in view.views)

    def take(self, kind: str, key: str, resource: Mapping[str, Any]) -> str | None:
        """Add what a resource gives; the reason, if that is nothing."""
        pieces: list[tuple[Gatherer, str, Piece]] = []
        patients: list[str] = []
        reasons = ["not_asked"]
        for view, flatten in self._views:
            if view.resource != kind:
                continue
            rows = flatten(resource)
            if not rows:
                reasons += [] if rows is None else ["no_rows"]
                continue
            for row in rows:
                patient, reason = _whose(view, row, resource)
                if patient is None:
                    reasons.append(reason)
                    continue
                patients.append(patient)
                for name, gatherer in self._gatherers:
                    piece = gatherer.piece(row, key) if name == view.name else None
                    if piece is not None:
                        pieces.append((gatherer, patient, piece))
        for gatherer, patient, piece in pieces:
            gatherer.add(patient, piece)
        if kind == "Patient" or not self._whole:
            self._patients.update(patients)
        return None if patients else reasons[-1]

    def frame(self) -> pd.DataFrame:
        """One row a patient, in the order of their ids."""
        patients = sorted(self._patients)
        columns: dict[str, list[Any]] = {"patient": list(patients)}
        for _, gatherer in self._gatherers:
            columns.update(gatherer.columns(patients))
            strangers = len(gatherer.patients() - self._patients)
            self._tally.gap(gatherer.column.name, "without_record", strangers)
        return as_columns(columns)


def _whose(view: ViewDefinition, row: Row, resource: Mapping[str, Any]) -> tuple[str | None, str]:
    if "patient" not in row:
        return patient_of(resource)
    patient = row["patient"]
    return (None if patient is None else str(patient)), "without_patient"


def _view(view: object) -> FhirView | ViewDefinition:
    if isinstance(view, ViewDefinition):
        return read_declaration(view, ViewDefinition, "ViewDefinition")
    if isinstance(view, FhirView):
        return FhirView.of(view)
    found = read_mapping(view, "FHIR view")
    if "views" in found:
        return FhirView.of(found)
    return read_declaration(found, ViewDefinition, "ViewDefinition")


def _validator() -> Callable[[str, dict[str, Any]], None]:
    from fhir.resources.R4B import get_fhir_model_class

    def check(kind: str, resource: dict[str, Any]) -> None:
        try:
            get_fhir_model_class(kind).model_validate(resource)
        except Exception:
            # Its text quotes the resource.
            fault = True
        else:
            fault = False
        if fault:
            raise RecordError("not_r4")

    return check
