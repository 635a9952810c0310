"""The eighteen kinds of identifiers of the Safe Harbor rule, and rows, which are no identifier."""

from __future__ import annotations

from types import MappingProxyType

__all__ = ["KINDS", "ROWS"]

ROWS = "rows"

#: Kind, and what 45 CFR 164.514(b)(2)(i) calls it, in the order (A) to (R) of the rule.
KINDS = MappingProxyType(
    {
        "name": "names",
        "geography": "places smaller than a state, ZIP codes",
        "date": "dates finer than a year, ages over 89",
        "phone": "telephone numbers",
        "fax": "fax numbers",
        "email": "email addresses",
        "ssn": "social security numbers",
        "medical_record": "medical record numbers",
        "health_plan": "health plan beneficiary numbers",
        "account": "account numbers",
        "licence": "certificate and licence numbers",
        "vehicle": "vehicle identifiers and plates",
        "device": "device identifiers and serial numbers",
        "url": "web addresses",
        "ip_address": "IP addresses",
        "biometric": "finger, voice and other biometric prints",
        "photo": "full-face photographs and comparable images",
        "other_code": "other unique numbers, characteristics and codes",
        # Not of the rule: a value is no identifier, yet a row of values can single somebody out.
        ROWS: "rows or raw values that look like patients'",
    }
)
