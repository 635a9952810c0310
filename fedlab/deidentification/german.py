"""What German names of columns say, as hospitals there write them."""

from __future__ import annotations

import re

__all__ = ["GERMAN", "is_german_age"]

NUMBER = r"[_ ]?(?:n(?:umme)?r|id|kennung|code)_?"
#: Kinds of identifiers, patterns of whole names, and which values count: those with letters, those
#: finer than a year, or any.
GERMAN: tuple[tuple[str, str, str], ...] = (
    (
        "name",
        r"(?:vor|nach|zu|familien|geburts|ruf|patient(?:en)?)?[_ ]?namen?|patient(?:in)?"
        r"|(?:haus)?arzt|einweiser|angehörige",
        "letters",
    ),
    (
        "geography",
        r"(?:wohn|heimat|geburts)?ort|stra(?:ß|ss)e|hausnummer|adresse|anschrift|stadt|gemeinde"
        r"|(?:land)?kreis|plz|postleitzahl",
        "any",
    ),
    ("date", r".{0,30}datum|.{0,30}zeit(?:punkt|stempel)|geburtstag|geb(?:oren)?(?:_am)?_?", "day"),
    ("phone", r"(?:telefon|handy|mobil(?:telefon)?)(?:[_ ]?n(?:umme)?r_?)?", "any"),
    ("fax", rf"(?:tele)?fax(?:{NUMBER})?", "any"),
    (
        "health_plan",
        rf"(?:kranken)?(?:versicherten|versicherungs|kassen){NUMBER}|krankenkasse{NUMBER}"
        rf"|kvnr|egk{NUMBER}",
        "any",
    ),
    ("account", rf"(?:konto|karten|rechnungs){NUMBER}", "any"),
    ("vehicle", r"(?:kfz[_ ]?)?kennzeichen", "any"),
    (
        "other_code",
        rf"(?:patient(?:en)?|pat|fall|aufnahme|akten|studien|proben|befund|auftrags"
        rf"|proband(?:en)?){NUMBER}|piz|pseudonym",
        "any",
    ),
)
AGE = re.compile(
    r"(?:.{1,30}[_ ]|patienten)?alter(?:[_ ](?:bei|in|zum|am)[_ ].{1,30})?", re.IGNORECASE
)


def is_german_age(text: str) -> bool:
    """Whether a name is that of an age.

    Examples
    --------
    >>> [is_german_age(name) for name in ("Alter", "Alter_bei_Aufnahme", "Altersgruppe")]
    [True, True, False]
    """
    return AGE.fullmatch(text[:60]) is not None
