"""(L) Vehicles and (M) devices: frame numbers, plates, serial numbers, UDI, IMEI, MAC addresses.

The check digit of a vehicle's frame number is that of 49 CFR 565.15(c); a unique device identifier
is known by its GS1 application identifiers (01), (21), (11), (17), (10).
"""

from __future__ import annotations

import re

from fedlab.scan.records import NUMBER, luhn
from fedlab.scan.rule import Match, Rule, digits, labelled

__all__ = ["RULES"]

VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "12345678123457923456789"), strict=True))
WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def _is_frame(match: Match) -> bool:
    text = match["value"].upper()
    numbers = [VALUES[c] if c in VALUES else int(c) for c in text]
    check = sum(w * n for w, n in zip(WEIGHTS, numbers, strict=True)) % 11
    # Letters beyond F tell it from a hash of seventeen signs.
    mixed = sum(map(str.isdigit, text)) >= 3 and re.search(r"[G-Z]", text) is not None
    return mixed and text[8] == ("X" if check == 10 else str(check))


def _is_imei(match: Match) -> bool:
    return luhn(re.sub(r"\D", "", match["value"]))


RULES = (
    Rule(
        "vehicle",
        "a vehicle identification number",
        re.compile(r"(?<![\w+/-])(?P<value>[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8})(?![\w+/-])"),
        _is_frame,
    ),
    labelled(
        "vehicle",
        rf"vin(?:{NUMBER})?|vehicle{NUMBER}|chassis{NUMBER}|vehicle identification number",
        r"[A-HJ-NPR-Z0-9]{11,17}",
        "a number after a vehicle's label",
        digits(4),
    ),
    labelled(
        "vehicle",
        rf"(?:licen[cs]e|number|registration|vehicle)[\s_]?plate{NUMBER}?|plate{NUMBER}",
        r"[A-Z0-9]{1,4}[ -]?[A-Z0-9]{2,6}",
        "a plate after its label",
        digits(1),
    ),
    Rule(
        "device",
        "a unique device identifier",
        re.compile(r"\(01\)\d{14}(?:\((?:21|11|17|10)\)[A-Za-z0-9-]{1,20}){0,4}"),
    ),
    Rule(
        "device",
        "a MAC address",
        re.compile(
            r"(?<![\w:-])(?P<value>[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\2){4}[0-9A-Fa-f]{2})(?![\w:-])"
        ),
        # Six pairs with the dashes of `01-02-03-04-05-06` are counts as often.
        lambda match: re.search(r"[A-Fa-f:]", match["value"]) is not None,
    ),
    labelled("device", "imei", r"\d{2}[ -]?\d{6}[ -]?\d{6}[ -]?\d", "an IMEI", _is_imei),
    labelled(
        "device",
        rf"serial(?:{NUMBER})|s/n|udi(?:-di)?|(?:device|implant|pacemaker|pump|lot){NUMBER}"
        r"|(?:device|implant|pacemaker)[\s_]serial(?:[\s_](?:number|no))?",
        r"[A-Z0-9][A-Z0-9/-]{3,40}",
        "a number after a device's label",
        digits(3),
    ),
)
