"""(R) Any other number that stands for one person: study and specimen numbers, national numbers."""

from __future__ import annotations

from fedlab.scan.rule import Rule, digits, labelled

__all__ = ["RULES"]

ID = r"[\s_-]{0,2}(?:id(?:entifier)?s?|no|nr|num(?:ber)?|#|code)\b"

RULES: tuple[Rule, ...] = (
    labelled(
        "other_code",
        rf"(?:patient|subject|participant|person|study|case|specimen|biospecimen|encounter|visit"
        rf"|accession|enrol?ment|donor|employee|student|resident|national|tax(?:payer)?|identity"
        rf"|nhs|chi|aadhaar|curp|cpf|bsn){ID}|nhs|aadhaar|accession|nino",
        r"[A-Z0-9][A-Z0-9/-]{1,40}(?: \d{2,6}){0,4}",
        "a number after a person's label",
        digits(3),
    ),
)
