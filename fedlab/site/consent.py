"""What patients agreed to: who may use their rows, for what, and until when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from fedlab.errors import DataError

__all__ = ["Authorization", "Consent", "patient_text"]

OPEN_ENDS = ("none", "end of the study")
"""Expiries without a date that research may state (45 CFR 164.508(c)(1)(v))."""


class Authorization(msgspec.Struct, frozen=True, kw_only=True):
    """One signed authorization, with the elements of 45 CFR 164.508(c)(1).

    Attributes
    ----------
    patient : str
        As in the site's patient column.
    what : str
        What may be used: a description of the information.
    discloser, receiver : str
        Who may disclose it, and to whom.
    purposes : tuple of str
        What for, by the purposes of queries: "training", "evaluation", "summary".
    expires : str
        The last day it holds, as 2030-01-31; or "none" or "end of the study", which end by
        withdrawal alone.
    signed_by : str
        The patient, or who signs for them and by what right.
    signed_on : date or None
        Holds from this day on.

    Examples
    --------
    >>> Authorization(patient="p1", what="records of 2020", purposes=("training",)).missing
    ('discloser', 'receiver', 'expires', 'signed_by', 'signed_on')
    """

    patient: str
    what: str = ""
    discloser: str = ""
    receiver: str = ""
    purposes: tuple[str, ...] = ()
    expires: str = ""
    signed_by: str = ""
    signed_on: date | None = None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "patient", patient_text(self.patient))
        given: object = self.purposes
        if isinstance(given, str):
            msgspec.structs.force_setattr(self, "purposes", (given,))

    def __repr__(self) -> str:
        # Whose it is stays at the site, also where it is shown.
        return f"Authorization({len(self.purposes)} purposes, missing={self.missing})"

    @property
    def missing(self) -> tuple[str, ...]:
        """Elements without which it cannot be used."""
        texts = {"patient": self.patient, "what": self.what, "discloser": self.discloser}
        texts |= {"receiver": self.receiver, "signed_by": self.signed_by}
        sound = {name: bool(text.strip()) for name, text in texts.items()}
        sound["purposes"] = any(purpose.strip() for purpose in self.purposes)
        sound["expires"] = self.last_day is not None
        sound["signed_on"] = self.signed_on is not None
        return tuple(name for name in self.__struct_fields__ if not sound[name])

    @property
    def last_day(self) -> date | None:
        """The last day it holds; None where it says none that can be read."""
        if self.expires in OPEN_ENDS:
            return date.max
        try:
            return date.fromisoformat(self.expires)
        except ValueError:
            return None

    def permits(self, purpose: str, day: date, withdrawn: Iterable[tuple[str, date]] = ()) -> bool:
        """Whether it lets rows be used for `purpose` on `day`.

        Parameters
        ----------
        purpose : str
        day : date
        withdrawn : iterable of (str, date)
            Purposes, empty for all, that the patient has withdrawn, and when. What was signed on a
            later day holds again.
        """
        signed, last = self.signed_on, self.last_day
        if self.missing or purpose not in self.purposes or signed is None or last is None:
            return False
        gone = any(p in ("", purpose) and signed <= when for p, when in withdrawn)
        return signed <= day <= last and not gone


@dataclass(frozen=True, repr=False)
class Consent:
    """The authorizations of a site's patients. Whoever has none is left out of every answer.

    Parameters
    ----------
    authorizations : sequence of Authorization
        Several of one patient add up.

    Raises
    ------
    DataError
        When something else is among them.

    Examples
    --------
    >>> Consent([Authorization(patient="p1")])
    Consent(1 authorization, 1 unusable)
    """

    authorizations: tuple[Authorization, ...]

    def __init__(self, authorizations: Sequence[Authorization]) -> None:
        told = tuple(authorizations)
        if not all(isinstance(each, Authorization) for each in told):
            raise DataError(
                "Consent is made of authorizations.",
                "something else among them",
                "Pass fl.Authorization values, or a table to fl.Consent.read.",
            )
        object.__setattr__(self, "authorizations", told)

    def __repr__(self) -> str:
        count = len(self.authorizations)
        return f"Consent({count} authorization{'s' * (count != 1)}, {len(self.unusable)} unusable)"

    @classmethod
    def read(cls, data: pd.DataFrame | str | Path) -> Consent:
        """Authorizations from a table or CSV file, one a line.

        Parameters
        ----------
        data : DataFrame or path
            With columns named as the attributes of `Authorization`; `purposes` separated by
            semicolons, dates as 2030-01-31. A column that is not there is an element that is
            missing.

        Raises
        ------
        DataError
            When it cannot be read, or a date is none.
        """
        try:
            frame = data if isinstance(data, pd.DataFrame) else pd.read_csv(data)
        except (OSError, ValueError):
            raise DataError(
                "Authorizations must be a DataFrame or a readable CSV file.",
                f"{Path(str(data)).name!r}",
                "Check the path.",
            ) from None
        if "patient" not in frame.columns:
            raise DataError(
                "Authorizations need a column of patients.", "a table without 'patient'", "Name it."
            )
        lines = frame.to_dict("records")
        return cls([_authorization(line, number) for number, line in enumerate(lines, start=1)])

    @property
    def unusable(self) -> dict[int, tuple[str, ...]]:
        """Places, from 1, of authorizations that lack an element, and which they lack."""
        found = enumerate(self.authorizations, start=1)
        return {place: each.missing for place, each in found if each.missing}

    @property
    def purposes(self) -> tuple[str, ...]:
        """All purposes that usable authorizations name."""
        usable = [each for each in self.authorizations if not each.missing]
        return tuple(sorted({purpose for each in usable for purpose in each.purposes}))

    def permitted(
        self, purpose: str, day: date, withdrawn: Mapping[str, Sequence[tuple[str, date]]]
    ) -> set[str]:
        """Patients whose rows may be used for `purpose` on `day`.

        Parameters
        ----------
        purpose : str
        day : date
        withdrawn : mapping of str to sequence of (str, date)
            Purposes and days, by patient, as `Authorization.permits` takes them.
        """
        return {
            each.patient
            for each in self.authorizations
            if each.permits(purpose, day, withdrawn.get(each.patient, ()))
        }


def patient_text(value: object) -> str:
    """A patient's identifier as text, the same for 7, 7.0 and "7"."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _authorization(line: Mapping[Any, Any], number: int) -> Authorization:
    told = {str(k): v for k, v in line.items() if not (pd.api.types.is_scalar(v) and pd.isna(v))}
    purposes = told.get("purposes", ())
    if isinstance(purposes, str):
        purposes = purposes.split(";")
    texts = {name: str(told.get(name, "")) for name in ("what", "discloser", "receiver")}
    signed_on = told.get("signed_on", "")
    return Authorization(
        patient=patient_text(told.get("patient", "")),
        purposes=tuple(each.strip() for each in purposes if each.strip()),
        expires=_day(told.get("expires", ""), "expires", number),
        signed_by=str(told.get("signed_by", "")),
        signed_on=None if signed_on == "" else _date(signed_on, "signed_on", number),
        **texts,
    )


def _day(value: object, name: str, number: int) -> str:
    text = str(value).strip()
    return text if text in ("", *OPEN_ENDS) else _date(value, name, number).isoformat()


def _date(value: object, name: str, number: int) -> date:
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError:
        raise DataError(
            f"{name} must be a date such as 2030-01-31.", f"line {number}", "Correct the line."
        ) from None
