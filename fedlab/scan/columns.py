"""What the header of a column says about its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from fedlab.scan.dates import OLD
from fedlab.scan.geography import is_fine_zip
from fedlab.scan.names import looks_like_a_name
from fedlab.scan.rule import Hit, masked
from fedlab.scan.tables import Table

__all__ = ["column_hits", "is_age"]

Judge = Callable[[str], bool]
EMPTY = re.compile(r"[\W_]*(?:nan|none|null|na|nat|n/?a|redacted|masked|removed|x+|0)?[\W_]*", re.I)
LABELS = {
    "count",
    "n",
    "missing",
    "unique",
    "freq",
    "nan",
    "rows",
    "number",
    "std",
    "sum",
    "nunique",
}


def _numbered(least: int) -> Judge:
    return lambda text: sum(map(str.isdigit, text)) >= least and "." not in text


def _lettered(text: str) -> bool:
    return re.search(r"[A-Za-z]{2}", text) is not None


def _dated(text: str) -> bool:
    return re.fullmatch(r"\d{8}|\d{1,4}[/.-]\d{1,2}(?:[/.-]\d{1,4})?.{0,20}", text) is not None


def _old(text: str) -> bool:
    return re.fullmatch(rf"{OLD}(?:\.0{{1,6}})?", text) is not None


AGE = re.compile(
    r"(?:.{0,30}[_ ])?ages?(?:[_ ](?:years|yrs|at[_ ].{1,30}))?|age\W{1,2}years?\W?", re.I
)
COLUMNS: tuple[tuple[str, str, Judge], ...] = (
    (
        "name",
        r"(?:patient|first|last|given|family|full|middle|maiden)[_ ]?(?:name)|surname|forename"
        r"|lastname|firstname|mother|father|physician|doctor|next[_ ]of[_ ]kin",
        _lettered,
    ),
    ("name", r"names?|patient|person|subject|contact", looks_like_a_name),
    ("geography", r"zip(?:3|[_ ]?code)?|postal[_ ]?code|postcode", is_fine_zip),
    ("geography", r"address|street|city|town|county|village|parish|birth[_ ]?place", _lettered),
    ("geography", r"lat(?:itude)?|lon(?:gitude)?|lng", lambda v: bool(re.search(r"\.\d{3}", v))),
    (
        "date",
        r"dob|birth[_ ]?da(?:te|y)|.{0,30}date|date.{0,30}"
        r"|(?:admit|discharge|death)[_ ]?(?:time|dt)",
        _dated,
    ),
    ("date", AGE.pattern, _old),
    (
        "phone",
        r"(?:tele|cell|mobile[_ ]|home[_ ])?phone(?:[_ ]?n(?:umber|o))?|mobile|tel",
        _numbered(7),
    ),
    ("fax", r"fax(?:[_ ]?n(?:umber|o))?", _numbered(7)),
    ("ssn", r"ssn|social[_ ]?security(?:[_ ]?n(?:umber|o))?", _numbered(4)),
    (
        "medical_record",
        r"mrns?|medical[_ ]?record.{0,12}|hospital[_ ]?(?:id|no|number)",
        _numbered(3),
    ),
    (
        "health_plan",
        r"(?:member|beneficiary|subscriber|policy|insurance|plan|medicare|medicaid)"
        r"[_ ]?(?:id|no|number)",
        _numbered(3),
    ),
    (
        "account",
        r"(?:account|acct|invoice|card|bank)[_ ]?(?:id|no|number)|iban|account",
        _numbered(4),
    ),
    ("licence", r"licen[cs]e(?:[_ ]?(?:id|no|number))?|passport.{0,8}|npi|dea", _numbered(4)),
    ("vehicle", r"vin|(?:licen[cs]e[_ ]|number[_ ])?plate", _numbered(1)),
    ("device", r"(?:device|serial|implant)[_ ]?(?:id|no|number)|imei|udi|mac", _numbered(3)),
    (
        "biometric",
        r"(?:finger|voice|palm|face)[_ ]?print.{0,10}|(?:iris|retina|face)[_ ].{1,12}",
        _numbered(3),
    ),
    (
        "other_code",
        r"(?:patient|subject|participant|person|study|case|specimen|encounter|accession|donor)"
        r"[_ ]?(?:id|no|number|code|key|num)|pid|uuid|nhs.{0,8}",
        _numbered(1),
    ),
)
HEADERS = [(kind, re.compile(pattern, re.IGNORECASE), judge) for kind, pattern, judge in COLUMNS]


def is_age(text: str) -> bool:
    """Whether a header or a row's label is an age."""
    return AGE.fullmatch(text[:60]) is not None


def column_hits(table: Table) -> Iterator[Hit]:
    """Values whose column says what they are, and ages of the oldest in a summary."""
    for place, header in enumerate(table.header):
        for kind, pattern, judge in HEADERS:
            if len(header) > 60 or pattern.fullmatch(header) is None:
                continue
            values = [row[place][:200] for row in _people(table.rows) if place < len(row)]
            for value in values:
                if not EMPTY.fullmatch(value) and judge(value):
                    old = pattern.pattern == AGE.pattern
                    why = "an age over 89 in a column" if old else "values of a column so named"
                    yield Hit(kind, why, masked(value))
    yield from _oldest(table)


def _people(rows: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    """Rows that are no counts; the largest value of a summary is somebody's."""
    return (row for row in rows if row and row[0].lower() not in LABELS)


def _oldest(table: Table) -> Iterator[Hit]:
    """The greatest age in a summary with one row a feature."""
    greatest = [i for i, name in enumerate(table.header) if name.lower() in {"max", "maximum"}]
    for row in table.rows:
        for place in greatest:
            if row and is_age(row[0]) and place < len(row) and _old(row[place]):
                yield Hit("date", "the age of the oldest, over 89", masked(row[place]))
