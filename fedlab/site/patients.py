"""Whose rows a site holds: who may be asked about today, and which runs they were in.

Identifiers of patients never leave: the records know them by a keyed hash, whose key follows from
the site's own.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from fedlab.queries import Request
from fedlab.site.approval import model_of
from fedlab.site.consent import Consent, patient_text
from fedlab.site.ledger import now, today
from fedlab.site.store import Store

__all__ = ["Cohort", "Participation", "Patients"]

PSEUDONYM_BYTES = 16


@dataclass(frozen=True, eq=False, repr=False)
class Cohort:
    """The rows of a split that may be used for a purpose today.

    Attributes
    ----------
    kept : ndarray of bool of shape (n_samples,) or None
        None for all rows.
    rows, patients : int
    members : bytes
        Pseudonyms of its patients, sorted and joined.
    """

    kept: np.ndarray[tuple[int], np.dtype[np.bool_]] | None
    rows: int
    patients: int
    members: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of its members."""
        return hashlib.sha256(self.members).digest()


@dataclass(frozen=True, repr=False)
class Participation:
    """The runs a patient's rows may have been used in, for the patient.

    Attributes
    ----------
    frame : DataFrame
        One row a run, purpose and kind of model, and since when.
    """

    frame: pd.DataFrame

    @property
    def notes(self) -> list[str]:
        """What leaving does to these models, and what it does not (GDPR Art. 17)."""
        return [
            "After a withdrawal the patient's rows are used in no further round.",
            "What these models learned before is not unlearned by it: their weights change only "
            "when they are trained again without the rows.",
        ]

    def __repr__(self) -> str:
        return "\n".join([self.frame.to_string(index=False), *self.notes])


class Patients:
    """The patients of one site.

    Parameters
    ----------
    store : Store
    by_split : mapping of str to sequence of object
        The patient of each row, by split.
    consent : Consent or None
        Who agreed; None for all who have not withdrawn.
    """

    def __init__(
        self, store: Store, by_split: Mapping[str, Sequence[object]], consent: Consent | None
    ) -> None:
        self._store, self.consent = store, consent
        self._key = hashlib.sha256(b"fedlab patients 1" + store.identity.secret).digest()
        self._known: dict[str, bytes] = {}
        self._rows = {
            split: [self._pseudonym(patient_text(each)) for each in patients]
            for split, patients in by_split.items()
        }
        self._cohorts: dict[tuple[str, str, date, int], Cohort] = {}
        self._noted: set[tuple[str, str, str, bytes]] = set()

    @property
    def rows(self) -> Mapping[str, Sequence[bytes]]:
        """The pseudonym of each row's patient, by split."""
        return self._rows

    def _pseudonym(self, patient: str) -> bytes:
        if patient not in self._known:
            whole = hmac.digest(self._key, patient.encode("utf-8", "surrogatepass"), "sha256")
            self._known[patient] = whole[:PSEUDONYM_BYTES]
        return self._known[patient]

    def cohort(self, split: str, purpose: str) -> Cohort:
        """Whose rows may be used for `purpose` today; reads no row."""
        ((withdrawals,),) = self._store.read("SELECT count(*) FROM withdrawals")
        key = (split, purpose, today(), withdrawals)
        if key not in self._cohorts:
            # What held yesterday, or before a withdrawal, is not asked for again.
            self._cohorts = {k: v for k, v in self._cohorts.items() if k[2:] == key[2:]}
            self._cohorts[key] = self._drawn(split, purpose, key[2])
        return self._cohorts[key]

    def _drawn(self, split: str, purpose: str, day: date) -> Cohort:
        here = self._rows[split]
        permitted = set(here)
        withdrawn = self._withdrawn()
        if self.consent is None:
            for patient, told in withdrawn.items():
                if any(each in ("", purpose) for each, _ in told):
                    permitted.discard(patient)
        else:
            by_name = {p: withdrawn[k] for p, k in self._names().items() if k in withdrawn}
            named = self.consent.permitted(purpose, day, by_name)
            permitted &= {self._pseudonym(patient) for patient in named}
        kept = np.array([each in permitted for each in here], dtype=bool)
        members = b"".join(sorted(permitted))
        return Cohort(None if kept.all() else kept, int(kept.sum()), len(permitted), members)

    def _names(self) -> dict[str, bytes]:
        told = () if self.consent is None else self.consent.authorizations
        return {each.patient: self._pseudonym(each.patient) for each in told}

    def _withdrawn(self) -> dict[bytes, list[tuple[str, date]]]:
        found: dict[bytes, list[tuple[str, date]]] = {}
        for time, patient, purpose in self._store.read(
            "SELECT time, patient, purpose FROM withdrawals ORDER BY sequence"
        ):
            found.setdefault(patient, []).append((purpose, date.fromisoformat(time[:10])))
        return found

    def withdraw(self, patient: object, purpose: str) -> None:
        """Write down that a patient no longer agrees, to `purpose` or, when empty, to anything."""
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT INTO withdrawals (time, patient, purpose) VALUES (?, ?, ?)",
                (now(), self._pseudonym(patient_text(patient)), purpose),
            )

    def take_part(self, request: Request, cohort: Cohort) -> None:
        """Write down, once, whose rows a run is about to use."""
        told = (request.run, request.query.purpose, model_of(request))
        key = (*told, cohort.members)
        if key in self._noted:
            return
        with self._store.transaction() as connection:
            find = "SELECT sequence FROM cohorts WHERE digest = ?"
            if not connection.execute(find, (cohort.digest,)).fetchall():
                connection.execute(
                    "INSERT INTO cohorts (digest, patients) VALUES (?, ?)",
                    (cohort.digest, cohort.members),
                )
            ((number,),) = connection.execute(find, (cohort.digest,)).fetchall()
            if not connection.execute(
                "SELECT 1 FROM participation WHERE run = ? AND purpose = ? AND model = ?"
                " AND cohort = ?",
                (*told, number),
            ).fetchall():
                connection.execute(
                    "INSERT INTO participation (time, run, purpose, model, cohort)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (now(), *told, number),
                )
        self._noted.add(key)

    def runs_of(self, patient: object) -> Participation:
        """The runs in which a patient's rows may have been used."""
        pseudonym = self._pseudonym(patient_text(patient))
        cohorts = {
            number
            for number, members in self._store.read("SELECT sequence, patients FROM cohorts")
            if pseudonym in _split(members)
        }
        rows = self._store.read(
            "SELECT run, purpose, model, cohort, time FROM participation ORDER BY sequence"
        )
        names = ["run", "purpose", "model", "since"]
        found = [(run, purpose, model, t) for run, purpose, model, c, t in rows if c in cohorts]
        frame = pd.DataFrame(found, columns=names).drop_duplicates(names[:3], ignore_index=True)
        return Participation(frame)


def _split(members: bytes) -> set[bytes]:
    return {
        members[start : start + PSEUDONYM_BYTES]
        for start in range(0, len(members), PSEUDONYM_BYTES)
    }
