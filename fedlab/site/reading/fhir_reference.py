"""References between FHIR resources, and what every resource needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from fedlab.site.reading.faults import RecordError

__all__ = ["check_resource", "known_types", "patient_of", "reference_key", "resolve", "type_of"]

# FHIR R4, 2.24.0.1 (id) and 2.3.0.1 (literal references); an address before the type is dropped.
ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
LITERAL = re.compile(
    r"(?:https?://[^\s?#]*/)?([A-Z][A-Za-z]{1,63})/([A-Za-z0-9\-.]{1,64})"
    r"(?:/_history/[A-Za-z0-9\-.]{1,64})?"
)
OTHER = re.compile(r"#\S*|urn:(?:uuid|oid):\S+|https?://\S+|[A-Z][A-Za-z]*\?\S+")
# Elements that name whom a resource is about, in the order in which they are looked for.
ABOUT = ("subject", "patient", "beneficiary", "individual")


def reference_key(reference: Mapping[str, Any]) -> tuple[str, str] | None:
    """Type and id that a reference names; None where it names none.

    Raises
    ------
    RecordError
        When the reference has no form of a reference.

    Examples
    --------
    >>> reference_key({"reference": "https://mercy.example/fhir/Patient/p1/_history/2"})
    ('Patient', 'p1')
    """
    text = reference.get("reference")
    if text is None:
        return None
    if not isinstance(text, str):
        raise RecordError("bad_reference")
    match = LITERAL.fullmatch(text)
    if match is not None:
        return match[1], match[2]
    if OTHER.fullmatch(text):
        return None
    raise RecordError("bad_reference")


def type_of(resource: object) -> str:
    """The type of a resource of FHIR R4.

    Raises
    ------
    RecordError
    """
    if not isinstance(resource, dict):
        raise RecordError("not_an_object")
    kind = resource.get("resourceType")
    if not isinstance(kind, str):
        raise RecordError("without_type")
    if kind not in known_types():
        raise RecordError("unknown_type")
    return kind


def check_resource(resource: Mapping[str, Any]) -> str:
    """The id of a resource whose id and references have their form.

    Raises
    ------
    RecordError
    """
    key = resource.get("id")
    if key is None:
        raise RecordError("missing_id")
    if not isinstance(key, str) or not ID.fullmatch(key):
        raise RecordError("bad_id")
    for value in resource.values():
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, dict) and "reference" in item:
                reference_key(item)
    return key


def patient_of(resource: Mapping[str, Any]) -> tuple[str | None, str]:
    """The id of the patient that a resource is about; if there is none, why.

    Raises
    ------
    RecordError
        When the element that names the patient has no form of a reference.
    """
    if resource["resourceType"] == "Patient":
        return resource["id"], ""
    for name in ABOUT:
        about = resource.get(name)
        if about is None:
            continue
        if not isinstance(about, dict):
            raise RecordError("bad_reference")
        found = reference_key(about)
        if found is None:
            return None, "without_patient"
        return (found[1], "") if found[0] == "Patient" else (None, "not_a_patient")
    return None, "without_patient"


def resolve(value: Any, targets: Mapping[str, str]) -> None:
    """Put ``Type/id`` in place of references to a bundle's own ``fullUrl``."""
    level = [value]
    while level:
        item = level.pop()
        if isinstance(item, dict):
            text = item.get("reference")
            if isinstance(text, str) and text in targets:
                item["reference"] = targets[text]
            level.extend(item.values())
        elif isinstance(item, list):
            level.extend(item)


@cache
def known_types() -> frozenset[str]:
    """Types of resources of FHIR R4."""
    from fhirpathpy.models import models

    parents = models["r4"]["type2Parent"]
    return frozenset(
        name
        for name, parent in parents.items()
        if parent in ("Resource", "DomainResource") and name != "DomainResource"
    )
