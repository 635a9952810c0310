"""Everything that can go wrong, as one tree.

::

    FedlabError
    ├── DataError            rows, columns or files that cannot be used
    │   └── SchemaError      sites that do not describe the same features
    ├── PrivacyError         a privacy promise that cannot be made or kept
    │   └── SecureSumError   a secure sum that has to stop; nothing was opened
    ├── TrainingError        a model, strategy or run that cannot go on
    ├── RefusedError         a site said no; carries the site's code
    │   └── WithheldError    the same, found while it was computing
    ├── MessageError         bytes that are not a message of ours
    ├── SaveFileError        a save that is damaged, foreign or newer
    └── ExportError          an exported model that is incomplete or was changed

A message says the rule, what came, and the remedy, in that order. None of them quotes a value from
a row: they hold names, counts, types and the arguments of the call.
"""

from __future__ import annotations

__all__ = [
    "DataError",
    "ExportError",
    "FedlabError",
    "MessageError",
    "PrivacyError",
    "RefusedError",
    "SaveFileError",
    "SchemaError",
    "SecureSumError",
    "TrainingError",
    "WithheldError",
]


class FedlabError(Exception):
    """Base of all errors of the package: the rule, what came, the remedy.

    Parameters
    ----------
    rule : str
        What has to hold, as a sentence.
    came : str
        What came instead, without a value from any row.
    remedy : str
        What to do about it, as a sentence.
    site : str, optional
        The site it happened at.
    round : int, optional
        The round it happened in.

    Examples
    --------
    >>> print(PrivacyError("epsilon must be positive.", "-1", "Pass e.g. epsilon=2.0."))
    epsilon must be positive. Got -1. Pass e.g. epsilon=2.0.
    >>> print(DataError("A site needs rows.", "0 rows", "Check the file.", site="mercy"))
    Site 'mercy': A site needs rows. Got 0 rows. Check the file.
    """

    def __init__(
        self,
        rule: str,
        came: str,
        remedy: str,
        *,
        site: str | None = None,
        round: int | None = None,
    ) -> None:
        self.rule, self.came, self.remedy = rule, came, remedy
        self.site, self.round = site, round
        super().__init__(rule, came, remedy)

    def __str__(self) -> str:
        where = [] if self.site is None else [f"site {self.site!r}"]
        where += [] if self.round is None else [f"round {self.round}"]
        prefix = ", ".join(where)
        prefix = f"{prefix[0].upper()}{prefix[1:]}: " if prefix else ""
        return f"{prefix}{self.rule} Got {self.came}. {self.remedy}"


class DataError(FedlabError, ValueError):
    """Rows, columns or files that cannot be used."""


class SchemaError(DataError):
    """Sites that do not describe the same features."""


class PrivacyError(FedlabError, ValueError):
    """A privacy promise that cannot be made or kept."""


class SecureSumError(PrivacyError):
    """A secure sum has to stop: too few sites, a message that does not fit. Nothing was opened."""


class TrainingError(FedlabError, ValueError):
    """A model, strategy or run that cannot go on."""


class RefusedError(FedlabError):
    """A site refused to answer; nothing about its rows was learned.

    Attributes
    ----------
    code : str
        The site's reason, one of `fedlab.queries.REFUSALS`.
    """

    def __init__(
        self,
        rule: str,
        came: str,
        remedy: str,
        *,
        code: str = "failed",
        site: str | None = None,
        round: int | None = None,
    ) -> None:
        super().__init__(rule, came, remedy, site=site, round=round)
        self.code = code


class WithheldError(RefusedError):
    """A site's law, found while it computes, forbids the answer.

    Its words leave the site, as those of no other error of a computation do. Whoever raises it
    vouches that they hold nothing from a row.
    """


class MessageError(FedlabError, ValueError):
    """Bytes that are not a message of ours."""


class SaveFileError(FedlabError):
    """A save that is damaged, foreign or newer."""


class ExportError(FedlabError):
    """An exported model that is incomplete or was changed."""
