"""(G) to (K): social security, medical record, health plan, account and licence numbers.

All but a few have no shape of their own and are known by their label. Check digits: IBAN by ISO
7064 (mod 97-10), cards by ISO/IEC 7812 (Luhn), the Medicare beneficiary identifier by its
positions, the DEA number by its seventh digit.
"""

from __future__ import annotations

import re

from fedlab.scan.rule import Match, Rule, digits, labelled

__all__ = ["RULES", "luhn"]

CODE = r"[A-Z]{0,4}[0-9*](?:[ -]?[0-9*]){3,24}"
TIGHT = r"[A-Z0-9][A-Z0-9/-]{2,24}"
NUMBER = r"(?:[\s_-]{0,2}(?:id(?:entifier)?|no|nr|num(?:ber)?|#)\b)"
# Country and length, of the IBAN registry (ISO 13616).
IBANS = (
    "AD24 AE23 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 ES24"
    " FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IS26 IT27 JO30 KW30 KZ20"
    " LB28 LI21 LT20 LU20 LV21 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25"
    " QA29 RO24 RS22 SA24 SE24 SI19 SK24 SM27 TN24 TR26 UA29 VG24 XK20"
)
LENGTHS = {entry[:2]: int(entry[2:]) for entry in IBANS.split()}


def luhn(number: str) -> bool:
    """Whether the last digit checks the others.

    Examples
    --------
    >>> luhn("79927398713"), luhn("79927398710")
    (True, False)
    """
    total = 0
    for place, digit in enumerate(map(int, reversed(number))):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _is_social(match: Match) -> bool:
    number = re.sub(r"\D", "", match["value"])
    if len(number) == 4:
        return True
    area, group, serial = number[:3], number[3:5], number[5:]
    # Never issued: area 000, 666 and 900 on, group 00, serial 0000.
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def _is_card(match: Match) -> bool:
    return luhn(re.sub(r"\D", "", match["value"]))


def _is_iban(match: Match) -> bool:
    text = re.sub(r"\s", "", match["value"])
    if LENGTHS.get(text[:2]) != len(text):
        return False
    turned = text[4:] + text[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


def _is_dea(match: Match) -> bool:
    d = [int(digit) for digit in match["value"][2:]]
    return (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]


RULES = (
    Rule(
        "ssn",
        "a social security number",
        re.compile(r"(?<![\w.+-])(?P<value>\d{3}-\d{2}-\d{4})(?![\w-]|\.\d)"),
        _is_social,
    ),
    labelled(
        "ssn",
        r"ssn|s\.s\.n\.|soc(?:ial)?\.?[\s_]sec(?:urity)?\.?(?:[\s_](?:number|no|num))?",
        r"\d{3}[\s.-]?\d{2}[\s.-]?\d{4}",
        "a social security number after a label",
        _is_social,
    ),
    labelled(
        "ssn",
        r"(?:ssn|social security(?: number)?)[\s,(]{0,3}"
        r"(?:ending(?: in)?|last (?:4|four)(?: digits)?)"
        r"|last (?:4|four)(?: digits)?(?: of)?(?: the)? (?:ssn|social(?: security)?)",
        r"\d{4}",
        "the end of a social security number",
    ),
    labelled(
        "medical_record",
        r"mrns?|m\.r\.n\.|emr|ehr id|(?:(?:medical|health|hospital|clinic)[\s_]?"
        rf"(?:record|chart|file|history)?|patient[\s_](?:record|chart|file)|unit){NUMBER}|med(?:ical)?\.?[\s_]rec(?:ord)?\.?|mr\s?#|chart\s?#"
        rf"|(?:chart|record){NUMBER}|hospital{NUMBER}",
        TIGHT,
        "a number after a medical record's label",
        digits(4),
    ),
    Rule(
        "health_plan",
        "a Medicare beneficiary identifier",
        re.compile(
            r"(?<![\w-])(?P<value>[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?"
            r"[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d\d)(?![\w-])"
        ),
    ),
    labelled(
        "health_plan",
        rf"(?:health[\s_]?plan|beneficiary|member|subscriber|insur(?:ance|ed)|medicare|medicaid"
        rf"|group|policy|plan|hicn?|mbi){NUMBER}|hicn|mbi|(?:beneficiary|subscriber|medicaid"
        r"|medicare)",
        TIGHT,
        "a number after a health plan's label",
        digits(4),
    ),
    Rule(
        "account",
        "an IBAN",
        re.compile(r"(?<![\w])(?P<value>[A-Z]{2}\d{2}(?:\s?[A-Z0-9]){11,30})(?![\w])"),
        _is_iban,
    ),
    Rule(
        "account",
        "a card number",
        re.compile(
            r"(?<![\w.-])(?<!\d )(?P<value>[3-6]\d{3}([ -])\d{4}\2\d{4}\2\d{4})(?![\w-]|\.\d| \d)"
        ),
        _is_card,
    ),
    labelled(
        "account",
        rf"(?:bank[\s_]|billing[\s_]|patient[\s_])?(?:account|acct|a/c)\.?{NUMBER}?|iban|routing{NUMBER}"
        rf"|(?:credit|debit)[\s_]card{NUMBER}?|card{NUMBER}|(?:invoice|bill){NUMBER}",
        CODE,
        "a number after an account's label",
        digits(5),
        gap=r"""[\s"':=#*|._-]{0,6}(?:is\s)?""",
    ),
    Rule(
        "licence",
        "a DEA number",
        re.compile(r"(?<![\w-])(?P<value>[A-HJ-MPRSTUX][A-Z9]\d{7})(?![\w-])"),
        _is_dea,
    ),
    labelled(
        "licence",
        rf"(?:driver'?s?[\s_]?)?licen[cs]e(?!\s?plate){NUMBER}?|(?:birth[\s_]|death[\s_])?"
        rf"certificat(?:e|ion){NUMBER}?|passport{NUMBER}?|(?:npi|dea|dl)(?![a-z0-9]){NUMBER}?"
        rf"|registration{NUMBER}",
        TIGHT,
        "a number after a licence's label",
        digits(5),
    ),
)
