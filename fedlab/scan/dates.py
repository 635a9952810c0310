"""(C) Dates finer than a year and ages over 89.

A year alone is allowed, and so is "90 or older". Whose date it is cannot be told from the text, so
the date of a paper counts too; an allowance with its reason is the answer to that.
"""

from __future__ import annotations

import re

from fedlab.scan.rule import Match, Rule, labelled

__all__ = ["OLD", "RULES"]

YEAR = r"(?:1[89]|20)\d\d"
MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
DAY = r"(?:0?[1-9]|[12]\d|3[01])"
#: Ages that may not be told: 90 to 130, beyond which nobody is.
OLD = r"(?:9\d|1[0-2]\d|130)"
VERSION = re.compile(r"(?:[=~<>!]=|\bv|version\W{0,3}|release\W{0,3})\s?$", re.IGNORECASE)
OPEN_BEFORE = re.compile(r"(?:over|above|than|least|most|under|below|until|[<>≥≤])\s{0,2}$", re.I)


def _is_no_version(match: Match) -> bool:
    return VERSION.search(match.string[max(0, match.start() - 12) : match.start()]) is None


def _is_day_of_year(match: Match) -> bool:
    first, second = int(match["a"]), int(match["b"])
    dated = 1 <= first <= 31 and 1 <= second <= 31 and min(first, second) <= 12
    # `1.2.34` and `1-2-34` are versions and ranges more often than days.
    return dated and (match["mark"] == "/" or len(match["year"]) == 4) and _is_no_version(match)


def _is_month(match: Match) -> bool:
    """`may 5` and `march 12` are words as often as months; capitals or a year decide."""
    text = match[0]
    doubtful = re.search(r"\b(?:may|mar|march|dec|sept?|oct|jan)\b", text) is not None
    return not doubtful or re.search(YEAR, text) is not None


def _is_exact_age(match: Match) -> bool:
    return OPEN_BEFORE.search(match.string[max(0, match.start() - 12) : match.start()]) is None


def _is_compact(match: Match) -> bool:
    number = re.sub(r"\D", "", match["value"])
    if len(number) != 8:
        return True
    year, month, day = int(number[:4]), int(number[4:6]), int(number[6:])
    return 1850 <= year <= 2100 and 1 <= month <= 12 and 1 <= day <= 31


def _date(why: str, pattern: str, flags: int = 0) -> Rule:
    return Rule("date", why, re.compile(pattern, flags), _is_no_version)


def _age(pattern: str) -> Rule:
    return Rule("date", "an age over 89", re.compile(pattern, re.I), _is_exact_age)


RULES = (
    _date(
        "a day",
        rf"(?<![\d.-]){YEAR}(?P<mark>[-/.])(?:0[1-9]|1[0-2]|[1-9])(?P=mark){DAY}(?!\d|[.-]\d)",
    ),
    Rule(
        "date",
        "a day",
        re.compile(
            rf"(?<![\w./-])(?P<a>\d{{1,2}})(?P<mark>[/.-])(?P<b>\d{{1,2}})(?P=mark)"
            rf"(?P<year>{YEAR}|\d\d)(?![\w/-]|\.\d)"
        ),
        _is_day_of_year,
    ),
    Rule(
        "date",
        "a day of a month",
        re.compile(
            rf"\b{MONTH}\b\.?\s{{1,2}}{DAY}(?:st|nd|rd|th)?(?![\d%]|\.\d)(?:,?\s{YEAR}\b)?", re.I
        ),
        _is_month,
    ),
    Rule(
        "date",
        "a day of a month",
        re.compile(
            rf"(?<![\d.]){DAY}(?:st|nd|rd|th)?\.?(?:\sof)?[\s-]{MONTH}\b\.?(?:[\s,-]{{1,2}}{YEAR}\b)?",
            re.I,
        ),
        _is_month,
    ),
    _date("a month of a year", rf"\b{MONTH}\b\.?(?:,|\sof)?[\s-]{{1,2}}{YEAR}\b", re.I),
    _date("a month of a year", rf"(?<![\w./-]){YEAR}-(?:0[1-9]|1[0-2])(?![\w-]|\.\d)"),
    _date("a month of a year", rf"(?<![\w./-])(?:0?[1-9]|1[0-2])/{YEAR}(?![\w/-]|\.\d)"),
    _date("a quarter of a year", rf"\b(?:{YEAR}[\s-]?Q[1-4]|Q[1-4][\s-]{YEAR})\b"),
    _date("a day", rf"\b(?:date|datetime|Timestamp)\({YEAR},\s?\d{{1,2}},\s?\d{{1,2}}"),
    labelled(
        "date",
        r"d\.?o\.?b\.?|birth[\s_]?dates?|birthday|(?:date|day)[\s_]of[\s_](?:birth|death|admission"
        r"|discharge|service|visit|surgery)|(?:admission|discharge|death|visit|service)[\s_]dates?"
        r"|(?:born|admitted|discharged|died|seen|visited)\son",
        r"\d{1,2}[/.-]\d{1,2}(?:[/.-]\d{2,4})?|\d{8}",
        "a date after a label",
        _is_compact,
    ),
    _age(
        rf"(?<![a-z])age[sd]?(?:[\s_]?\(?(?:in[\s_])?(?:years|yrs)\)?)?[\s\"':=|]{{1,4}}(?:of\s|is\s|was\s)?"
        rf"(?:\d{{1,2}}\s?(?:-|to|and)\s?)?(?P<value>{OLD})"
        r"(?![\w%+]|\.\d|,\d|\s?\+|\sor\s(?:over|older|above|more)|\sand\s(?:over|older|above))"
    ),
    _age(
        rf"(?<![\d.,-])(?P<value>{OLD})[\s-]?(?:(?:years?|yrs?|y)[\s./-]{{0,2}}(?:old\b|o\b)"
        r"|years?\sof\sage\b)"
    ),
    _age(r"\bninety-?\s?[a-z]{0,6}[\s-]years?[\s-](?:old|of\sage)\b"),
)
