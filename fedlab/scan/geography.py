"""(B) Places smaller than a state: addresses, cities, counties, ZIP codes, coordinates.

The rule lets the first three digits of a ZIP code stand where all codes that begin with them hold
more than 20,000 people; `LOW_ZIP3` lists the others. The name of a city alone is not detected.
"""

from __future__ import annotations

import re

from fedlab.core.safe_harbor import LOW_ZIP3
from fedlab.scan.rule import Match, Rule, labelled

__all__ = ["RULES", "is_fine_zip"]

STATES = (
    "AL AK AZ AR CA CO CT DE DC FL GA HI IA ID IL IN KS KY LA MA MD ME MI MN MO MS MT NC ND NE NH"
    " NJ NM NV NY OH OK OR PA PR RI SC SD TN TX UT VA VT WA WI WV WY"
    " AS FM GU MH MP PW VI AA AE AP"
)
# Without those that papers use for something else: odds ratio, degrees of a doctor, units.
PLAIN_STATES = "AK AZ FL IA IL KS KY MN NC NH NJ NM NV NY OH RI TN TX UT VT WA WI WV WY"
STATES_AND_MONTHS = """
alabama alaska arizona arkansas california colorado connecticut delaware florida georgia hawaii
idaho illinois indiana iowa kansas kentucky louisiana maine maryland massachusetts michigan
minnesota mississippi missouri montana nebraska nevada ohio oklahoma oregon
pennsylvania tennessee texas utah vermont virginia washington wisconsin wyoming america
england scotland wales ireland france germany spain italy europe canada mexico india china japan
switzerland hungary january february march april may june july august september october november
december the each this
"""
LARGE = frozenset(STATES_AND_MONTHS.split())
OF_TWO_WORDS = (
    "new york,new hampshire,new jersey,new mexico,north carolina,north dakota,south carolina"
    ",south dakota,west virginia,rhode island,united states,united kingdom"
)
LARGE_PAIRS = frozenset(OF_TWO_WORDS.split(","))
WORD = r"[A-Z][A-Za-z'.-]{1,20}"
CITY = rf"{WORD}(?:\s{WORD}){{0,2}}"
STREET = (
    "Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Terrace|Ter"
    "|Highway|Hwy|Parkway|Pkwy|Square|Way|Circle|Cir|Alley|Avenues|Bridge|Canyon|Causeway|Cliffs?"
    "|Common|Corners?|Cove|Creek|Crescent|Crossing|Crossroads?|Estates?|Expressway|Extension|Falls"
    "|Fields?|Flats?|Forest|Freeway|Gardens?|Gateway|Glens?|Greens?|Grove|Harbors?|Haven|Heights"
    "|Hills?|Hollow|Islands?|Junctions?|Knolls?|Lakes?|Landing|Lodge|Manors?|Meadows?|Mews|Mills?"
    "|Motorway|Mountains?|Orchard|Overpass|Parks?|Parkways|Passage|Pike|Pines?|Plains?|Plaza|Prairie"
    "|Ranch|Rapids?|Ridges?|Rivers?|Roads|Row|Shores?|Springs?|Spurs?|Squares|Station|Stream"
    "|Streets|Summit|Throughway|Trail|Tunnel|Turnpike|Underpass|Valleys?|Viaduct|Views?|Villages?"
    "|Ville|Vista|Walks?|Wells?"
)


def is_fine_zip(text: str) -> bool:
    """A ZIP code that says more than the rule allows.

    Examples
    --------
    >>> is_fine_zip("02139"), is_fine_zip("021"), is_fine_zip("036"), is_fine_zip("000")
    (True, False, True, False)
    """
    number = re.sub(r"\D", "", text)
    return number in LOW_ZIP3 if len(number) == 3 else len(number) in {4, 5, 9}


def _fine_zip(match: Match) -> bool:
    return is_fine_zip(match["value"])


def _is_small(match: Match) -> bool:
    words = match["value"].lower().split()
    return words[0] not in LARGE and " ".join(words[:2]) not in LARGE_PAIRS


def _spelled(states: str) -> str:
    return "|".join(states.split())


RULES = (
    Rule(
        "geography",
        "a street address",
        re.compile(
            rf"(?<![\d.,])\b\d{{1,5}}[A-Za-z]?\s(?:[NSEW]\.?\s|\d{{1,3}}(?:st|nd|rd|th)\s)?"
            rf"(?:{WORD}\s){{0,3}}(?:{STREET})\b"
        ),
        # `5 Court` needs something between its number and its street.
        lambda match: len(match[0].split()) > 2,
    ),
    Rule(
        "geography",
        "an address with a flat",
        re.compile(
            rf"(?<![\d.,])\b\d{{1,5}}\s(?:{WORD}\s){{1,3}}(?:Apt|Apartment|Suite|Unit|Flat)\b\.?\s?\w"
        ),
    ),
    labelled("geography", r"p\.?\s?o\.?\s?box", r"\d{1,6}", "a post office box"),
    labelled(
        "geography",
        r"zip(?:3|[\s_-]?codes?)?|(?:3|three)-digit zip|post(?:al)?[\s_-]?code|plz",
        r"\d{5}(?:-\d{4})?|\d{3}|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|[A-Z]\d[A-Z]\s?\d[A-Z]\d",
        "a postal code after a label",
        lambda match: match["value"][0].isalpha() or is_fine_zip(match["value"]),
    ),
    Rule(
        "geography",
        "a ZIP code after a state",
        re.compile(
            rf"[a-z],?[ \n](?:{_spelled(STATES)})[ ]{{1,2}}(?P<value>\d{{5}}(?:-\d{{4}})?)\b"
        ),
        _fine_zip,
    ),
    Rule("geography", "a ZIP+4 code", re.compile(r"(?<![\w.+-])\d{5}-\d{4}(?![\w-]|\.\d)")),
    Rule(
        "geography",
        "a postcode",
        re.compile(r"(?<![\w-])[A-Z]{1,2}\d[A-Z\d]?\s\d[ABD-HJLNP-UW-Z]{2}(?![\w-])"),
    ),
    Rule(
        "geography",
        "a place after a label",
        re.compile(
            r"""(?i:(?<![a-z])(?:city|town|village|county|parish|precinct|district|municipality"""
            r"""|hometown|birthplace|place of birth|address|street|census tract)["']?\s{0,2}[:=]"""
            rf"""\s{{0,2}}["']?)(?P<value>{WORD}(?:\s{WORD}){{0,2}}|\d{{4,6}}(?:\.\d{{2}})?\b)"""
        ),
        _is_small,
    ),
    Rule(
        "geography",
        "a county",
        re.compile(r"\b(?P<value>[A-Z][a-z]{2,20})\s(?:County|Parish|Borough)\b"),
        _is_small,
    ),
    Rule(
        "geography",
        "where somebody lives",
        re.compile(
            r"\b(?i:lives?|living|lived|resides?|residing|resided|resident|native|born|raised"
            r"|grew\sup)\s(?:in|of|at|near)\s(?P<value>[A-Z][a-z]{2,20}(?:\s[A-Z][a-z]{2,20})?)"
        ),
        _is_small,
    ),
    Rule(
        "geography",
        "a city and its state",
        re.compile(rf"\b(?P<value>{CITY}),\s(?:{_spelled(PLAIN_STATES)})\b"),
        _is_small,
    ),
    labelled(
        "geography",
        r"lat|latitude|lng|lon|longitude|gps",
        r"[-+]?\d{1,3}\.\d{3,12}",
        "a coordinate",
    ),
    Rule(
        "geography",
        "a coordinate",
        re.compile(r"\d{1,2}\.\d{2,10}\s?°?\s?[NS][,\s]{1,3}\d{1,3}\.\d{2,10}\s?°?\s?[EW]\b"),
    ),
)
