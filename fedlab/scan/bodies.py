"""(P) Biometric identifiers, and genetic sequences, which are of (R).

The fingerprint of a key or a file is arithmetic, not a finger's.
"""

from __future__ import annotations

import re

from fedlab.scan.rule import Match, Rule

__all__ = ["RULES"]

MATERIAL = (
    r"(?:0x)?[A-Fa-f0-9]{12,400}|[A-Za-z0-9+/]{16,400}={0,2}"
    r"|\[(?:\s?-?\d{1,4}(?:\.\d{1,12})?\s?,){3}"
)
ARITHMETIC = re.compile(
    r"\b(?:key|sha|sha-?\d{1,3}|md5|certificate|model|manifest|signature|public|host|ssh|tls|data"
    r"|file|schema)\b",
    re.IGNORECASE,
)


def _is_of_a_body(match: Match) -> bool:
    near = match.string[max(0, match.start() - 40) : match.start("value")]
    return ARITHMETIC.search(near) is None and re.search(r"\d", match["value"]) is not None


RULES = (
    Rule(
        "biometric",
        "a biometric template",
        re.compile(
            r"(?<![a-z])(?:(?:finger|thumb|palm|hand|voice|foot|face)[\s_-]?prints?"
            r"|(?:iris|retina(?:l)?|face|facial|voice|gait|fingerprint|palm|vein)[\s_-]"
            r"(?:scans?|templates?|embeddings?|vectors?|encodings?|codes?|minutiae|hash))"
            rf"[\w\s]{{0,20}}[\"']?\s?[:=]\s?[\"']?(?P<value>{MATERIAL})",
            re.IGNORECASE,
        ),
        _is_of_a_body,
    ),
    Rule(
        "other_code",
        "a genetic sequence",
        re.compile(r"(?<![A-Za-z])[ACGTN]{30}"),
        # A run of A is how base64 writes zeros.
        lambda match: len(set(match[0]) & set("ACGT")) > 2,
    ),
)
