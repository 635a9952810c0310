"""Resources one by one from files of NDJSON and bundles, each with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fedlab.site.reading.faults import RecordError
from fedlab.site.reading.fhir_files import Limits, Source, read_lines, read_whole
from fedlab.site.reading.fhir_json import bundle_parts, peek_type, read_json
from fedlab.site.reading.fhir_reference import known_types, resolve

__all__ = ["Record", "read_records"]


class Record(NamedTuple):
    """What stands at a line: a resource, or why there is none.

    Attributes
    ----------
    line : int
    resource : object
        Any JSON value; None if there is none.
    fault : str or None
        Code of a malformed record.
    left_out : str or None
        Reason for which a sound record needs no further look.
    """

    line: int
    resource: Any = None
    fault: str | None = None
    left_out: str | None = None


def read_records(source: Source, wanted: frozenset[str], limits: Limits) -> Iterator[Record]:
    """Every record of a file, in order.

    Parameters
    ----------
    source : Source
    wanted : frozenset of str
        Types of resources that are asked for. Others of NDJSON are checked to be JSON with a type,
        and not read any further.
    limits : Limits

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    if source.name.lower().endswith(".json"):
        yield from _bundle(source, limits)
        return
    names = tuple(f'"{kind}"'.encode() for kind in sorted(wanted))
    for line in read_lines(source, limits):
        if line.fault is not None:
            yield Record(line.number, fault=line.fault)
        elif not line.raw.strip():
            yield Record(line.number, left_out="blank")
        elif peek_type(line.raw, names) in known_types():
            yield Record(line.number, left_out="not_asked")
        else:
            try:
                yield Record(line.number, read_json(line.raw, limits.depth))
            except RecordError as problem:
                cut = line.last and problem.code in ("not_json", "invalid_encoding")
                yield Record(line.number, fault="truncated" if cut else problem.code)


def _bundle(source: Source, limits: Limits) -> Iterator[Record]:
    """Entries of a bundle, or the one resource that a file holds."""
    raw = read_whole(source, limits)
    if raw is None:
        yield Record(1, fault="too_long")
        return
    members: dict[str, Any] = {}
    entries: list[tuple[int, Any]] = []
    problem: RecordError | None = None
    try:
        for name, at, value in bundle_parts(raw, limits.depth):
            if name == "entry":
                entries.append((at, value))
            else:
                members[name] = value
    except RecordError as found:
        problem = found
    if problem is None and members.get("resourceType") != "Bundle":
        # Other resources have an `entry` of their own, e.g. List.
        if entries:
            members["entry"] = [value for _, value in entries]
        broken = [value.code for _, value in entries if isinstance(value, RecordError)]
        yield Record(1, members, broken[0] if broken else None)
        return
    targets = dict(_targets(value) for _, value in entries if _targets(value)[0])
    for at, value in entries:
        yield _entry(at, value, targets)
    if problem is not None:
        yield Record(problem.line or 1, fault=problem.code)


def _targets(entry: object) -> tuple[str, str]:
    """``fullUrl`` of an entry and the ``Type/id`` of its resource; empty if there is none."""
    if not isinstance(entry, Mapping):
        return "", ""
    url, resource = entry.get("fullUrl"), entry.get("resource")
    if not isinstance(url, str) or not isinstance(resource, Mapping):
        return "", ""
    kind, key = resource.get("resourceType"), resource.get("id", _id_of(url))
    return (url, f"{kind}/{key}") if isinstance(key, str) else ("", "")


def _id_of(url: str) -> str | None:
    """The id that a resource has by its address alone, as in a transaction still to be sent."""
    return url.removeprefix("urn:uuid:") if url.startswith("urn:uuid:") else None


def _entry(line: int, entry: object, targets: Mapping[str, str]) -> Record:
    if isinstance(entry, RecordError):
        return Record(line, fault=entry.code)
    if not isinstance(entry, dict):
        return Record(line, fault="not_an_object")
    resource = entry.get("resource")
    if resource is None:
        return Record(line, left_out="no_resource")
    url = entry.get("fullUrl")
    if isinstance(resource, dict):
        if "id" not in resource and isinstance(url, str) and _id_of(url) is not None:
            resource["id"] = _id_of(url)
        resolve(resource, targets)
    return Record(line, resource)
