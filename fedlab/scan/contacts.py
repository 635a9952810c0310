"""(D) Telephone and (E) fax numbers.

North American numbers need an area code and an exchange that exist by the numbering plan (neither
begins with 0 or 1), others a plus sign or a label. `phonenumbers` was measured against this: its
matcher takes pairs of decimals and counts in tables for numbers.
"""

from __future__ import annotations

import re

from fedlab.scan.rule import Match, Rule, digits

__all__ = ["RULES"]

FAX = re.compile(r"\b(?:tele)?fax|\bfacsimile|_fax", re.IGNORECASE)
PHONE = re.compile(r"\b(?:tele)?phone|\btel\b|\bcall|\bcell|\bmobile", re.IGNORECASE)
EXTENSION = r"(?:\s?(?:x|ext\.?)\s?\d{1,6})?"
AMERICAN = re.compile(
    r"(?<![\w.+/-])(?:(?:\+|00)?1[\s.-]?)?"
    r"(?:\([2-9]\d\d\)\s{0,2}[2-9]\d\d[\s.-]\d{4}"
    r"|[2-9]\d\d(?P<mark>[.-])\s?[2-9]\d\d(?P=mark)\s?\d{4})"
    rf"{EXTENSION}(?![\w-]|\.\d)"
)
FOREIGN = re.compile(r"(?<![\w.+])\+[1-9](?:(?:\(0\)|[ .()-]{0,2})\d){7,14}(?![\w-]|\.\d)")
NUMBER = rf"(?P<value>\+?\(?\d(?:[\s().-]{{0,2}}\d){{6,14}}){EXTENSION}(?![\w]|\.\d)"
LABEL = r"""["'.]?\s{0,2}(?:no\.?|number|nr|#)?\s{0,2}[:=|]?\s{0,2}["']?(?:is\s|at\s)?"""
LABELLED = re.compile(
    rf"(?<![A-Za-z])(?:(?:tele)?phone|tel|mobile|cell(?:ular)?|contact number|call){LABEL}{NUMBER}",
    re.IGNORECASE,
)
LABELLED_FAX = re.compile(rf"(?<![A-Za-z])(?:(?:tele)?fax|facsimile){LABEL}{NUMBER}", re.IGNORECASE)


def _is_fax(match: Match) -> bool:
    """The nearer of two labels on the same line says which it is."""
    before = match.string[max(0, match.start() - 30) : match.start()].rpartition("\n")[2]
    fax, phone = (
        max((found.start() for found in label.finditer(before)), default=-1)
        for label in (FAX, PHONE)
    )
    return fax > phone or match.string[match.end() : match.end() + 8].lower().startswith(" (fax")


def _is_phone(match: Match) -> bool:
    return not _is_fax(match)


def _signed_decimal(match: Match) -> bool:
    """`+1.2345678` is a number with its sign."""
    return re.fullmatch(r"\+\d+\.\d+", match[0]) is not None


RULES = (
    Rule("phone", "a North American number", AMERICAN, _is_phone),
    Rule("fax", "a number after the word fax", AMERICAN, _is_fax),
    Rule(
        "phone",
        "an international number",
        FOREIGN,
        lambda match: _is_phone(match) and not _signed_decimal(match),
    ),
    Rule(
        "fax",
        "a number after the word fax",
        FOREIGN,
        lambda match: _is_fax(match) and not _signed_decimal(match),
    ),
    Rule("phone", "a number after a label", LABELLED, digits(7, 15)),
    Rule("fax", "a number after the word fax", LABELLED_FAX, digits(7, 15)),
)
