"""One SELECT, and nothing else."""

from __future__ import annotations

import re

from fedlab.errors import DataError

__all__ = ["check_select"]

# Words that begin or hide a change, wherever they stand outside quotes and comments: a WITH may
# hold an INSERT, a SELECT may go INTO a table or lock what it reads.
WORDS = """
alter attach begin call checkpoint commit copy create delete detach do drop exec execute export
grant import insert install into load lock merge pragma prepare reindex release rename revoke
rollback savepoint set truncate update upsert use vacuum
"""
CHANGING = frozenset(WORDS.split())
# An escaped quote or MySQL's comment would end where this reader and the database do not agree.
AMBIGUOUS = ("\\'", '\\"', "#", "\x00")
TOKEN = re.compile(
    r"""
    --(?=\s|\Z)[^\n]*                               # comments
    | /\*.*?(?:\*/|\Z)
    | '(?:[^']|'')*(?:'|\Z)                         # texts
    | "(?:[^"]|"")*(?:"|\Z)                         # names in quotes
    | `[^`]*(?:`|\Z)
    | (?P<word>[^\W\d]\w*)
    | (?P<end>;)
    | (?P<other>\S)
    """,
    re.VERBOSE | re.DOTALL,
)


def check_select(query: object) -> str:
    """The query, without a semicolon at its end, if it is one SELECT.

    Words are looked at, in any dialect; a function that changes something when it is called is not
    found so. Only a user of the database with the right to read alone rules that out.

    Raises
    ------
    DataError

    Examples
    --------
    >>> check_select("SELECT age FROM patients; -- all")
    'SELECT age FROM patients'
    >>> check_select("WITH gone AS (DELETE FROM patients RETURNING *) SELECT * FROM gone")
    Traceback (most recent call last):
    ...
    fedlab.errors.DataError: A query must be one SELECT. Got the word 'DELETE'. Use SELECT ...
    """
    if not isinstance(query, str):
        raise _refused(type(query).__name__)
    first, stop = "", len(query)
    ended = False
    for match in TOKEN.finditer(query):
        text = match.group()
        if text.startswith(("--", "/*")):
            if text.startswith("/*!"):
                raise _refused("a comment that MySQL executes")
            continue
        if ended:
            raise _refused("a second statement")
        if match["end"]:
            ended, stop = True, match.start()
            continue
        if match["word"]:
            first = first or text.lower()
            if text.lower() in CHANGING:
                raise _refused(f"the word {text!r}")
    if first not in ("select", "with"):
        raise _refused("no SELECT" if not first else f"one that begins with {first!r}")
    if any(sign in query for sign in AMBIGUOUS):
        raise _refused("a sign that databases read differently")
    return query[:stop]


def _refused(came: str) -> DataError:
    return DataError(
        "A query must be one SELECT.",
        came,
        "Use SELECT or WITH; write a column of that name in quotes.",
    )
