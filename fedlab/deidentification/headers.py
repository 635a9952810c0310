"""What the name of a column says, beyond what the scan of notebooks reads in headers.

A table that leaves is read more strictly than a notebook: a column that is wrongly dropped can be
kept by its name, and one that wrongly stays cannot be called back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from fedlab.deidentification.german import GERMAN, is_german_age
from fedlab.scan.columns import EMPTY, HEADERS, is_age

__all__ = ["header_judges", "names_age", "spellings"]

Judge = Callable[[str], bool]


def _lettered(text: str) -> bool:
    return re.search(r"[A-Za-z]{2}", text) is not None


def _finer_than_a_year(text: str) -> bool:
    return re.fullmatch(r"(?:1[89]|20)\d\d(?:\.0{1,6})?", text) is None


def _anything(text: str) -> bool:
    return True


ADDRESS = r"(?:[_ ]?addr(?:ess)?(?:es)?)?"
MORE: tuple[tuple[str, str, Judge], ...] = (
    # Which words are names cannot be told, so all in such a column are.
    ("name", r"names?|patient|person|subject|contact", _lettered),
    (
        "date",
        r"(?:.{1,30}[_ ])?(?:dates?|dob|datetime|timestamp|birth[_ ]?day|month)",
        _finer_than_a_year,
    ),
    (
        "other_code",
        r"(?:.{1,30}[_ ])?(?:ids?|identifiers?|guid|uuid|key)"
        r"|(?:row|record)[_ ]?(?:names?|n(?:umber|o))",
        _anything,
    ),
    ("email", rf"e[_ ]?mails?{ADDRESS}", _lettered),
    ("url", rf"(?:web[_ ]?site|home[_ ]?page|url|link|web){ADDRESS}s?", _lettered),
    ("ip_address", rf"ip(?:v[46])?{ADDRESS}|host[_ ]?name", _anything),
    (
        "photo",
        r"(?:photo(?:graph)?|portrait|picture|mugshot|image[_ ]?(?:file|path|url|id))s?"
        r"(?:[_ ]?(?:file|path|url|id))?",
        _anything,
    ),
)
JUDGES = {"letters": _lettered, "day": _finer_than_a_year, "any": _anything}
ALL: tuple[tuple[str, re.Pattern[str], Judge], ...] = (
    *((kind, pattern, judge) for kind, pattern, judge in HEADERS),
    *((kind, re.compile(pattern, re.IGNORECASE), judge) for kind, pattern, judge in MORE),
    *((kind, re.compile(pattern, re.IGNORECASE), JUDGES[by]) for kind, pattern, by in GERMAN),
)


def spellings(name: str) -> tuple[str, ...]:
    """A column's name as it stands, and with underscores between its words.

    Examples
    --------
    >>> spellings("PatientName"), spellings("first-name")
    (('PatientName', 'Patient_Name'), ('first-name', 'first_name'))
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return name, re.sub(r"[\s.-]{1,9}", "_", apart)


def header_judges(name: str) -> Iterator[tuple[str, Judge]]:
    """Kinds that a column so named may hold, each with the test of its values.

    Ages are left to who knows the values as numbers.

    Examples
    --------
    >>> [(kind, judge("00123")) for kind, judge in header_judges("MRN")]
    [('medical_record', True)]
    """
    for kind, pattern, judge in ALL:
        for text in spellings(name):
            if len(text) <= 60 and pattern.fullmatch(text) and not _is_age(text):
                yield kind, _of_some(judge)
                break


def names_age(name: str) -> bool:
    """Whether a column is named as an age.

    Examples
    --------
    >>> names_age("Age at admission"), names_age("Alter"), names_age("stage")
    (True, True, False)
    """
    return any(map(_is_age, spellings(name)))


def _is_age(text: str) -> bool:
    return is_age(text) or is_german_age(text)


def _of_some(judge: Judge) -> Judge:
    return lambda text: EMPTY.fullmatch(text) is None and judge(text)
