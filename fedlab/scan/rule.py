"""A detector is a pattern, a test of what it matched, and the kind it stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

__all__ = ["Hit", "Rule", "digits", "find", "labelled", "masked", "rejoined"]

Match = re.Match[str]
# What may stand between a label and its value: `MRN: 1`, `"mrn": "1"`, `mrn=1`, `MRN no. is 1`.
GAP = r"""[\s"':=#*|._-]{0,6}(?:(?:is|was|of|no|nr|num|number|id|code)\b[\s"':=#*|._-]{0,4}){0,2}"""


class Hit(NamedTuple):
    """What looks like an identifier: its kind, the reason, and its shape without its characters."""

    kind: str
    why: str
    excerpt: str


class Rule(NamedTuple):
    """One detector. The group ``value`` of the pattern, if it has one, is the identifier.

    No pattern has an unbounded repeat, so each place of a text costs at most a constant and a scan
    grows linearly with the text (a test reads every pattern).
    """

    kind: str
    why: str
    pattern: re.Pattern[str]
    accept: Callable[[Match], bool] = lambda match: True


def labelled(
    kind: str,
    label: str,
    value: str,
    why: str,
    accept: Callable[[Match], bool] = lambda match: True,
    *,
    gap: str = GAP,
) -> Rule:
    """A value that is one only because a label stands before it, whatever the letters' case."""
    pattern = rf"(?<![A-Za-z0-9])(?:{label}){gap}(?P<value>{value})(?!\w|\.\d)"
    return Rule(kind, why, re.compile(pattern, re.IGNORECASE), accept)


def digits(at_least: int, at_most: int = 99) -> Callable[[Match], bool]:
    """Accept values with enough digits to number somebody."""

    def accept(match: Match) -> bool:
        return at_least <= sum(map(str.isdigit, match["value"])) <= at_most

    return accept


def masked(text: str, longest: int = 24) -> str:
    """The shape of a text: every letter and digit is a dot.

    Examples
    --------
    >>> masked("078-05-1120")
    '•••-••-••••'
    """
    shape = re.sub(r"\s+", " ", re.sub(r"[^\W_]", "•", text.strip()[: longest + 1]))
    return shape if len(shape) <= longest else shape[: longest - 1] + "…"


# A break inside an identifier comes after or before the mark that joins its parts.
BREAK = re.compile(
    r"(?<=[A-Za-z0-9][-@./])\n[ \t]{0,8}(?=[A-Za-z0-9])"
    r"|(?<=[A-Za-z0-9])\n[ \t]{0,8}(?=[-./][A-Za-z0-9])"
    # Not before every `@`, which begins a decorator.
    r"|(?<=[A-Za-z0-9])\n[ \t]{0,8}(?=@[A-Za-z0-9-]{1,63}\.(?:com|org|net|edu|gov)\b)"
)


def rejoined(text: str) -> str:
    """Identifiers that a line break cut at a joining mark, made whole.

    Examples
    --------
    >>> rejoined("078-05-" + chr(10) + "1120")
    '078-05-1120'
    """
    return BREAK.sub("", text)


def find(rules: Iterable[Rule], text: str) -> Iterator[tuple[Rule, str]]:
    """Every rule that fires and the text it fired on."""
    for rule in rules:
        group = "value" if "value" in rule.pattern.groupindex else 0
        match = rule.pattern.search(text)
        while match is not None:
            taken = rule.accept(match)
            if taken:
                yield rule, match[group]
            # A match that is refused must not hide one that begins inside it.
            after = max(match.end(), match.start() + 1) if taken else match.start() + 1
            match = rule.pattern.search(text, after)
