"""Dates and times of FHIR as numbers that can be ordered."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from fedlab.site.reading.faults import RecordError

__all__ = ["moment"]

# FHIR R4, 2.24.0.1: date, dateTime and instant.
FORM = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)"
    r"(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)


def moment(text: object) -> float:
    """Seconds since 1970 of a FHIR date, dateTime or instant.

    A date counts from its beginning, and a time without zone as UTC.

    Raises
    ------
    RecordError
        When it is none.

    Examples
    --------
    >>> moment("1970-01-02")
    86400.0
    >>> moment("1970-01-01T01:00:00+01:00")
    0.0
    """
    match = FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise RecordError("bad_date")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    leap = second == "60"  # allowed by FHIR, unknown to Python
    try:
        base = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            59 if leap else int(second or 0),
            tzinfo=UTC,
        )
    except ValueError:
        raise RecordError("bad_date") from None
    seconds = base.timestamp() + leap + (float(f"0.{fraction}") if fraction else 0.0)
    if zone in (None, "Z"):
        return seconds
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 14 or minutes > 59:
        raise RecordError("bad_date")
    return seconds - (1 if zone[0] == "+" else -1) * (hours * 3600 + minutes * 60)
