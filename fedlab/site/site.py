"""A site and its one door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fedlab.core.schema import Schema
from fedlab.errors import DataError, RefusedError, SecureSumError, WithheldError
from fedlab.privacy import Event, SiteDP
from fedlab.queries import (
    Answer,
    Describe,
    Description,
    ReadLedger,
    Refusal,
    Reply,
    Request,
)
from fedlab.queries.audit_head import ReadAuditHead
from fedlab.queries.query import Split
from fedlab.queries.secure_sum import Advertise, SecureStep
from fedlab.site.approval import Approval, Approvals
from fedlab.site.audit import AuditLog
from fedlab.site.computing import Computing
from fedlab.site.consent import Consent
from fedlab.site.gate import (
    UNSIGNED,
    Fitting,
    charge_of,
    check_address,
    check_cohort,
    check_consent,
    check_fit,
    check_parameters,
    check_reveal,
    check_single_rows,
    check_turn,
    identified,
    narrowed,
)
from fedlab.site.holding import read_holding
from fedlab.site.identities import Identities
from fedlab.site.keeping import Kept
from fedlab.site.ledger import Entry, Ledger
from fedlab.site.mapping import Mapping as SiteMapping
from fedlab.site.mapping import MappingReport
from fedlab.site.patients import Cohort, Participation, Patients
from fedlab.site.policy import Policy
from fedlab.site.processing import ProcessingRecord, processing_record
from fedlab.site.readers import Data
from fedlab.site.secure_sums import SecureSums
from fedlab.site.store import Store
from fedlab.site.tables import declared_table
from fedlab.site.told import Told

__all__ = ["Site"]

PURPOSES = ("training", "evaluation", "summary")


class Site:
    """One hospital: its rows stay here, and `answer` is the only way to ask about them.

    Parameters
    ----------
    name : str
        Shown everywhere as plain text.
    data : DataFrame, path of a CSV or Parquet file, or what a reader of records gave
        One row a patient, shape ``(n_samples, n_columns)``. Numbers, booleans and declared
        categories; features may have missing values.
    target : str
        Column to predict, known for every row. With `event` it is a time, positive, in any unit
        that all sites share. It may be left to the mapping.
    mapping : Mapping or path of its file, optional
        How the table's columns, codes and units become the federation's features. It may name
        target, event, patient, categories and ranges, which are then not given here.
    event : str, optional
        Column that tells whether the time ended in the event: 1, or was censored: 0. No feature.
    test_size : float
        Share of rows held out for judging, stratified by class, or by event, where the site has
        enough rows.
    seed : int
        Decides which rows are held out.
    home : path, optional
        Folder in which the site's records and its key live on; without it they live as long as
        the kernel.
    policy : Policy, optional
        What the site allows.
    categories : mapping of str to sequence of str, optional
        The list of categories of each text column. A list is declared, not read off the rows,
        because a rare value would tell who is there.
    ranges : mapping of str to (float, float), optional
        Public plausible range of numeric columns, which record-level privacy scales by.
    patient : str, optional
        Column that tells whose row it is. No feature; it never leaves the site.
    consent : Consent, optional
        What the patients agreed to; needs `patient`. Rows of patients who did not agree to a
        query's purpose are left out of its answer.
    source : str
        Where the rows came from, as a citation.
    simulated : bool, optional
        A simulated site repeats its privacy noise from the federation's seed; a real one takes it
        from the operating system. By default a site is simulated when it has no home.
    keep : bool
        Keep table, consent and settings in the home too, encrypted by AES-256-GCM; `Site.open`
        reads them.
    key : path, optional
        File of the key to keep them with, outside of the home: see ``fl.site.make_key``. By default
        it is looked for in the environment variable ``FEDLAB_SITE_KEY``.

    Raises
    ------
    DataError
        When rows, target, categories or ranges cannot be used.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [41.0, 52.0, 63.0, 74.0], "died": [0, 0, 1, 1]})
    >>> Site("mercy", frame, target="died", test_size=0.5)
    Site('mercy', 2 training rows, 2 held out, 1 feature)
    """

    def __init__(
        self,
        name: str,
        data: Data,
        *,
        target: str | None = None,
        mapping: SiteMapping | str | Path | None = None,
        event: str | None = None,
        test_size: float = 0.2,
        seed: int = 0,
        home: str | Path | None = None,
        policy: Policy | None = None,
        categories: Mapping[str, Sequence[str]] | None = None,
        ranges: Mapping[str, tuple[float, float]] | None = None,
        patient: str | None = None,
        consent: Consent | None = None,
        source: str = "",
        simulated: bool | None = None,
        keep: bool = False,
        key: str | Path | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise DataError(
                "A site needs a name.", f"{name!r}", "Pass e.g. Site('mercy', frame, ...)."
            )
        if consent is not None and not isinstance(consent, Consent):
            raise DataError(
                "consent must be a Consent.",
                type(consent).__name__,
                "Pass e.g. fl.Consent.read(table).",
                site=name,
            )
        self.name = name
        self.policy = policy or Policy()
        self.simulated = home is None if simulated is None else simulated
        self.source = source
        table = declared_table(
            name,
            data,
            mapping=mapping,
            target=target,
            event=event,
            patient=patient,
            categories=categories,
            ranges=ranges,
        )
        holding = read_holding(
            name, table, consented=consent is not None, test_size=test_size, seed=seed
        )
        self._mapping_report = table.report
        self._schema, self._rows = holding.schema, holding.rows
        self._card = {split: len(rows) for split, rows in holding.rows.items()}
        self._card["all"] = sum(self._card.values())
        self._store = Store(None if home is None else Path(home), name)
        self._sums = SecureSums(
            name, self._store.identity, self._store, self.policy, simulated=self.simulated
        )
        self._approvals = Approvals(name, self._store)
        self._patients: Patients | None = None
        if holding.patients is not None:
            self._patients = Patients(self._store, holding.patients, consent)
        pseudonyms = None if self._patients is None else self._patients.rows
        identities = Identities(self._store.identity.secret, self._rows, pseudonyms)
        self._told = Told(self._store, identities)
        self._computing = Computing(name, self._told, simulated=self.simulated)
        self._fitting = Fitting(self._schema)
        if keep:
            kept = Kept.of(
                table,
                name=name,
                test_size=test_size,
                seed=seed,
                policy=self.policy,
                authorizations=None if consent is None else consent.authorizations,
                source=source,
                simulated=self.simulated,
            )
            kept.write(home, key)
            self.audit.note("Kept", "sealed")

    @classmethod
    def open(
        cls, home: str | Path, *, key: str | Path | None = None, policy: Policy | None = None
    ) -> Site:
        """The site that keeps its table in `home`.

        Parameters
        ----------
        home : path
        key : path, optional
            File of the key, by default the environment variable ``FEDLAB_SITE_KEY``.
        policy : Policy, optional
            Instead of the one that was kept.

        Raises
        ------
        DataError
            When nothing is kept there, or it was changed, cut, or sealed with another key.
        """
        kept = Kept.read(Path(home), key)
        return cls(
            kept.name,
            kept.mapped,
            target=kept.target,
            event=kept.event,
            test_size=kept.test_size,
            seed=kept.seed,
            home=home,
            policy=policy or kept.policy,
            categories=kept.categories,
            ranges=kept.ranges,
            patient=kept.patient,
            consent=None if kept.authorizations is None else Consent(kept.authorizations),
            source=kept.source,
            simulated=kept.simulated,
        )

    def __repr__(self) -> str:
        columns = len(self._schema.columns)
        return (
            f"Site({self.name!r}, {self._card['train']} training rows, "
            f"{self._card['test']} held out, {columns} feature{'s' * (columns != 1)})"
        )

    @property
    def mapping_report(self) -> MappingReport | None:
        """What the mapping made of the rows, in exact counts, for the site's own eyes."""
        return self._mapping_report

    @property
    def ledger(self) -> Ledger:
        """What was answered, and what it cost."""
        return Ledger(self._store)

    @property
    def audit(self) -> AuditLog:
        """What was asked, answered or not."""
        return AuditLog(self._store)

    @property
    def schema(self) -> Schema:
        """What the site declares of its columns: those that its policy lets be read."""
        return narrowed(self._schema, self.policy)

    @property
    def identity(self) -> str:
        """The Ed25519 public key of the site's signatures, hexadecimal."""
        return self._store.identity.public.hex()

    def approve(self, approval: Approval) -> None:
        """Take an approval that one of the site's data owners signed.

        Raises
        ------
        DataError
            When it is for another site, or not signed by an owner that the policy names.
        """
        self._approvals.take(approval, self.policy)
        self.audit.note(
            "Approval", "approved", actor=approval.owner, purpose=approval.purpose or ""
        )

    def withdraw(self, patient: object, purpose: str = "", *, actor: str = "site") -> None:
        """Leave a patient's rows out from the next answer on.

        What models learned from them before stays in those models: see `runs_of`. A run that goes
        on keeps the weights of sites that it began with; its replies tell the rows that are left,
        so that analysts see how many rows went, and not whose.

        Parameters
        ----------
        patient : object
            As in the column of patients. It need not be there.
        purpose : str
            Which purpose is withdrawn; empty for all.
        actor : str
            Who took the withdrawal, for the audit log.
        """
        self._known_patients().withdraw(patient, purpose)
        self.audit.note("Withdrawal", "withdrawn", actor=actor, purpose=purpose)

    def runs_of(self, patient: object) -> Participation:
        """The runs in which a patient's rows may have been used (GDPR Art. 15 and 17)."""
        return self._known_patients().runs_of(patient)

    def processing_record(
        self, *, controller: str, recipients: str, transfers: str = "none", erasure: str
    ) -> ProcessingRecord:
        """A record of processing activities with the seven fields of GDPR Art. 30(1).

        Purposes, categories of data, actors and security measures are filled in from policy,
        columns and audit log. It is a record, no claim of compliance.

        Parameters
        ----------
        controller : str
            Name and contact of the controller, and of the data protection officer.
        recipients : str
            To whom results are disclosed.
        transfers : str
            To third countries, and the safeguards.
        erasure : str
            When the rows are erased.

        Raises
        ------
        DataError
            When a field is empty.
        """
        return processing_record(
            self,
            controller=controller,
            recipients=recipients,
            transfers=transfers,
            erasure=erasure,
        )

    def _known_patients(self) -> Patients:
        if self._patients is None:
            raise DataError(
                "The site must know whose rows it holds.",
                "a site without a column of patients",
                "Pass e.g. Site(..., patient='mrn').",
                site=self.name,
            )
        return self._patients

    def answer(self, request: Request) -> Reply:
        """Answer `request`, or refuse with a typed reason; the one door to the rows.

        Whether to answer is decided, and the cost written down, before a row is read. An error of
        the computation leaves as the name of its class, since its text may quote a row.
        """
        rows = 0
        event: Event | None = None
        answer: Answer | None = None
        refusal: Refusal | None = None
        outcome, actor = "interrupted", UNSIGNED
        step = request.query if isinstance(request.query, SecureStep) else None
        try:
            check_address(request, self.name)
            actor = identified(request, self.policy)
            check_turn(request, self.policy, self._store)
            asked = request if step is None else self._sums.inner(request)
            cohort = None
            if asked is not None:
                check_fit(asked.query, self._fitting, self.policy)
                cohort = self._allow(asked)
                rows = 0 if cohort is None else cohort.rows
                shares = self._sums.shares(request)
                event = self._permit(asked, cohort, hidden=step is not None, shares=shares)
            if step is None and request.rehearsal:
                outcome, event = "rehearsed", None
            else:
                if isinstance(step, Advertise):
                    # Nothing has been read, nor paid.
                    rows, event = 0, None
                answer, refusal = self._compute(request, asked, event, cohort)
                outcome = "answered" if refusal is None else refusal.code
        except RefusedError as error:
            outcome = error.code
            refusal = Refusal(error.code, error.rule, error.came, error.remedy)
        finally:
            self.audit.record(request, outcome, actor)
        reply = Reply(
            site=self.name,
            round=request.round,
            rows=rows,
            charge=event,
            answer=answer,
            refusal=refusal,
        )
        return reply if step is None else reply.signed(self._store.identity, step.about)

    def _allow(self, request: Request) -> Cohort | None:
        """The rows that may be used for the request; None where it reads none."""
        query = request.query
        if not query.reads_rows:
            return None
        if self.policy.approval:
            self._approvals.check(request, self.policy)
        if self._patients is None:
            rows = self._card[query.split]
            return Cohort(None, rows, rows, b"")
        cohort = self._patients.cohort(query.split, query.purpose)
        if self._card[query.split]:
            check_consent(request, cohort)
        return cohort

    def _permit(
        self, request: Request, cohort: Cohort | None, *, hidden: bool, shares: bool
    ) -> Event | None:
        query, privacy = request.query, request.privacy
        if cohort is None:
            return None
        whose = "rows" if self._patients is None else "patients"
        check_cohort(request, cohort, self.policy, whose=whose)
        event = charge_of(request, cohort.rows, self.policy, hidden=hidden, shares=shares)
        source = "seeded" if self.simulated else "system"
        if isinstance(privacy, SiteDP):
            source = f"{source}, shared for sites" if hidden else "coordinator"
        elif shares:
            source = f"{source}, shared"
        if event is None:
            check_single_rows(query, self.policy)
            if not hidden:
                check_parameters(query, cohort, self.policy)
        if not request.rehearsal:
            check_reveal(request, self.policy, hidden=hidden)
        self.ledger.debit(
            Entry(
                run=request.run,
                round=request.round,
                query=type(query).__name__,
                purpose=query.purpose,
                event=event,
                rounds=None if privacy is None else privacy.rounds,
                noise="none" if event is None else source,
            ),
            self.policy,
            rehearsal=request.rehearsal,
        )
        if request.rehearsal:
            # Last, so that one for a secure sum, which passes over it, hears all else first.
            check_reveal(request, self.policy, hidden=hidden)
        if self._patients is not None and not request.rehearsal:
            self._patients.take_part(request, cohort)
        return event

    def _compute(
        self,
        request: Request,
        asked: Request | None,
        event: Event | None,
        cohort: Cohort | None,
    ) -> tuple[Answer | None, Refusal | None]:
        try:
            if asked is request:
                return self._answer(request, event, cohort), None
            masks = asked is not None and not asked.rehearsal
            answer = (
                self._answer(asked, event, cohort, hidden=True)
                if asked is not None and masks
                else None
            )
            rows = 0 if cohort is None else cohort.rows
            return self._sums.take(request, answer, rows), None
        except SecureSumError as error:
            return None, Refusal("secure", error.rule, error.came, error.remedy)
        except WithheldError:
            raise
        # Whatever it is, its text may quote a row: only the name of its class leaves.
        except Exception as error:
            return None, Refusal(
                "failed",
                "The site could not compute the answer.",
                f"{type(error).__name__} in {type(request.query).__name__}",
                "Ask the site; its text stays there since it may quote rows.",
            )

    def _answer(
        self,
        request: Request,
        event: Event | None,
        cohort: Cohort | None,
        *,
        hidden: bool = False,
    ) -> Answer:
        if isinstance(request.query, Describe):
            return self._describe()
        if isinstance(request.query, ReadLedger):
            return self.ledger.statement(self.policy)
        if isinstance(request.query, ReadAuditHead):
            return self.audit.head_at(request.query.at)
        return self._computing.answer(
            request, self._rows, self.policy, event, cohort, hidden=hidden
        )

    def _describe(self) -> Description:
        return Description(
            schema=self.schema,
            train_rows=self._declared("train"),
            test_rows=self._declared("test"),
            epsilon=self.policy.epsilon,
            delta=self.policy.delta,
            exact=self.policy.allows_exact,
            minimum_rows=self.policy.minimum_rows,
            simulated=self.simulated,
            source=self.source,
            identity=self._store.identity.public,
            reveal=self.policy.reveal,
            grid_width=self.policy.grid_width,
        )

    def _declared(self, split: Split) -> int:
        """The most rows that an answer may come from today, whatever its purpose."""
        if self._patients is None:
            return self._card[split]
        purposes = self.policy.purposes or PURPOSES
        return max((self._patients.cohort(split, each).rows for each in purposes), default=0)
