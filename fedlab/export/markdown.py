"""Markdown in which a name from elsewhere stays a name.

Names are set as code, where Markdown, HTML and TeX mean nothing; prose is escaped by backslashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["as_code", "as_prose", "table"]

# Line breaks and controls would end a row or a line; direction marks would reorder what follows;
# lone surrogates have no bytes.
UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
MEANS_SOMETHING = re.compile(r"[\\`*_\[\]<>&~{}#!^=@]|:(?=//)")


def _one_line(text: object) -> str:
    return UNSHOWN.sub(" ", str(text))


def as_code(text: object) -> str:
    """A name, set as code; or as prose where it has a bar, which code in a table cannot hold.

    Examples
    --------
    >>> print(as_code("a_b"), as_code("`x`"), as_code("a|b"))
    `a_b` `` `x` `` a&#124;b
    """
    plain = _one_line(text)
    if "|" in plain:
        return as_prose(plain)
    if not plain.strip():
        return "` `"
    fence = "`" * (max(map(len, re.findall("`+", plain)), default=0) + 1)
    # One space on either side is taken off again when it is shown.
    padded = f" {plain} " if plain[0] in "` " or plain[-1] in "` " else plain
    return f"{fence}{padded}{fence}"


def as_prose(text: object) -> str:
    r"""A sentence from elsewhere, such as a citation.

    A dollar becomes code, since a backslash does not keep every viewer from reading TeX; a bar
    becomes an entity, since viewers differ on what a backslash before it means in a table.

    Examples
    --------
    >>> print(as_prose("<b> *5* $"))
    \<b\> \*5\* `$`
    """
    escaped = MEANS_SOMETHING.sub(r"\\\g<0>", _one_line(text)).replace("|", "&#124;")
    return re.sub(r"\$+", r"`\g<0>`", escaped)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 1) -> str:
    """A table of cells that are Markdown already.

    Parameters
    ----------
    head : sequence of str
    rows : iterable of sequence of str
    texts : int
        So many columns hold text; those after them hold numbers, which are set right.

    Examples
    --------
    >>> print(table(["site", "rows"], [[as_code("mercy"), "12"]]))
    | site | rows |
    | :--- | ---: |
    | `mercy` | 12 |
    """
    rules = [":---"] * texts + ["---:"] * (len(head) - texts)
    lines = [head, rules, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
