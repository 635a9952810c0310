"""A site and its one door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from fedlab.core.blas import one_thread
from fedlab.core.schema import Schema, check_ranges, read_schema
from fedlab.errors import DataError, PrivacyError, RefusedError, SecureSumError
from fedlab.privacy import Event, calibrate, system_noise, teaching_noise
from fedlab.privacy.secure.signatures import Identity
from fedlab.queries import (
    Answer,
    Context,
    Describe,
    Description,
    ReadLedger,
    Refusal,
    Reply,
    Request,
    Rows,
)
from fedlab.queries.secure_sum import Advertise, SecureStep
from fedlab.site.audit import AuditLog
from fedlab.site.identity import keep_identity
from fedlab.site.ledger import Entry, Ledger
from fedlab.site.policy import Policy
from fedlab.site.readers import declare_categories, read_table
from fedlab.site.secure_sums import SecureSums
from fedlab.site.split import split_rows
from fedlab.site.store import Store

__all__ = ["Site"]


class Site:
    """One hospital: its rows stay here, and `answer` is the only way to ask about them.

    Parameters
    ----------
    name : str
        Shown everywhere as plain text.
    data : DataFrame, or path of a CSV or Parquet file
        One row a patient, shape ``(n_samples, n_columns)``. Numbers, booleans and declared
        categories; features may have missing values.
    target : str
        Column to predict, known for every row. With `event` it is a time, positive, in any unit
        that all sites share.
    event : str, optional
        Column that tells whether the time ended in the event: 1, or was censored: 0. No feature.
    test_size : float
        Share of rows held out for judging, stratified by class, or by event, where the site has
        enough rows.
    seed : int
        Decides which rows are held out.
    home : path, optional
        Folder in which ledger and audit log live on; without it they live as long as the kernel.
    policy : Policy, optional
        What the site allows.
    categories : mapping of str to sequence of str, optional
        The list of categories of each text column. A list is declared, not read off the rows,
        because a rare value would tell who is there.
    ranges : mapping of str to (float, float), optional
        Public plausible range of numeric columns, which record-level privacy scales by.
    source : str
        Where the rows came from, as a citation.
    simulated : bool, optional
        A simulated site repeats its privacy noise from the federation's seed; a real one takes it
        from the operating system. By default a site is simulated when it has no home.

    Raises
    ------
    DataError
        When rows, target, categories or ranges cannot be used.

    Examples
    --------
    >>> frame = pd.DataFrame({"age": [41.0, 52.0, 63.0, 74.0], "died": [0, 0, 1, 1]})
    >>> Site("mercy", frame, target="died", test_size=0.5)
    Site('mercy', 2 training rows, 2 held out, 1 feature)
    """

    def __init__(
        self,
        name: str,
        data: pd.DataFrame | str | Path,
        *,
        target: str,
        event: str | None = None,
        test_size: float = 0.2,
        seed: int = 0,
        home: str | Path | None = None,
        policy: Policy | None = None,
        categories: Mapping[str, Sequence[str]] | None = None,
        ranges: Mapping[str, tuple[float, float]] | None = None,
        source: str = "",
        simulated: bool | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise DataError(
                "A site needs a name.", f"{name!r}", "Pass e.g. Site('mercy', frame, ...)."
            )
        self.name = name
        self.policy = policy or Policy()
        self.simulated = home is None if simulated is None else simulated
        self.source = source
        frame = declare_categories(read_table(data, name), categories or {}, name)
        if target not in frame.columns:
            raise DataError(
                "The target must be a column of the table.",
                f"{target!r}, which is none of its {len(frame.columns)} columns",
                "Check the name, and that a file begins with a line of names.",
                site=name,
            )
        if event is not None and (event not in frame.columns or event == target):
            raise DataError(
                "The event must be a column of the table other than the target.",
                f"{event!r}",
                "Pass the name of the column that is 1 where the time ended in the event.",
                site=name,
            )
        check_ranges(frame, ranges or {}, name)
        self._schema = read_schema(frame, target, ranges or {}, name, event)
        train, test = split_rows(frame[target if event is None else event], test_size, seed, name)
        self._card = {"train": len(train), "test": len(test)}
        features = frame.drop(columns=[target] if event is None else [target, event])
        self._rows = {
            split: Rows(
                features.iloc[part].reset_index(drop=True),
                frame[target].iloc[part].reset_index(drop=True),
                None if event is None else frame[event].iloc[part].reset_index(drop=True),
            )
            for split, part in (("train", train), ("test", test))
        }
        self._store = Store(None if home is None else Path(home), name)
        identity = Identity.fresh() if home is None else keep_identity(Path(home), name)
        self._sums = SecureSums(name, identity, self._store, self.policy)

    def __repr__(self) -> str:
        columns = len(self._schema.columns)
        return (
            f"Site({self.name!r}, {self._card['train']} training rows, "
            f"{self._card['test']} held out, {columns} feature{'s' * (columns != 1)})"
        )

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
        """What the site declares of its columns."""
        return self._schema

    def answer(self, request: Request) -> Reply:
        """Answer `request`, or refuse with a typed reason; the one door to the rows.

        Whether to answer is decided, and the cost written down, before a row is read. An error of
        the computation leaves as the name of its class, since its text may quote a row.
        """
        rows = 0
        event: Event | None = None
        answer: Answer | None = None
        refusal: Refusal | None = None
        outcome = "interrupted"
        step = request.query if isinstance(request.query, SecureStep) else None
        try:
            self._address(request)
            asked = request if step is None else self._sums.inner(request)
            if asked is not None:
                rows = self._card[asked.query.split] if asked.query.reads_rows else 0
                self._verify(asked)
                event = self._permit(asked, rows, hidden=step is not None)
            if step is None and request.rehearsal:
                outcome, event = "rehearsed", None
            else:
                event = None if isinstance(step, Advertise) else event
                answer, refusal = self._compute(request, asked, event)
                outcome = "answered" if refusal is None else refusal.code
        except RefusedError as error:
            outcome = error.code
            refusal = Refusal(error.code, error.rule, error.came, error.remedy)
        finally:
            self.audit.record(request, outcome)
        return Reply(
            site=self.name,
            round=request.round,
            rows=rows,
            charge=event,
            answer=answer,
            refusal=refusal,
        )

    def _address(self, request: Request) -> None:
        if request.site != self.name:
            raise RefusedError(
                "A request must name the site it is for.",
                f"a request for {request.site!r}",
                "Address it to this site.",
                code="misaddressed",
            )

    def _verify(self, request: Request) -> None:
        space = getattr(request.query, "space", None)
        declared = isinstance(request.query, Describe | ReadLedger)
        if not request.query.reads_rows and not declared:
            raise RefusedError(
                "Only a description and a statement are answered without a policy's leave.",
                type(request.query).__name__,
                "Say that the query reads rows.",
                code="unfit",
            )
        asked = getattr(request.query, "schema", None) if space is None else space.schema
        if asked is not None and not self._has(asked):
            raise RefusedError(
                "A request must ask for the columns the site declared.",
                "other columns, kinds or categories",
                "Describe the site again.",
                code="unfit",
            )

    def _has(self, asked: Schema) -> bool:
        mine = {column.name: column for column in self._schema.columns}
        same = (asked.target, asked.event) == (self._schema.target, self._schema.event)
        # Categories that only other sites declare are allowed: rows are matched by their names.
        return same and all(
            column.name in mine
            and column.kind == mine[column.name].kind
            and set(column.categories) >= set(mine[column.name].categories)
            for column in asked.columns
        )

    def _permit(self, request: Request, rows: int, *, hidden: bool) -> Event | None:
        query, privacy = request.query, request.privacy
        if not query.reads_rows:
            return None
        if not (hidden or self.policy.reveal):
            raise RefusedError(
                "The site's answers leave only within a secure sum.",
                f"{type(query).__name__} without one",
                "Pass aggregation='secure' to fed.train.",
                code="reveal",
            )
        if rows < self.policy.minimum_rows:
            raise RefusedError(
                f"An answer must come from at least {self.policy.minimum_rows} rows.",
                f"{rows} {'training' if query.split == 'train' else 'held-out'} rows",
                "Leave the site out, or agree on another minimum with the data owner.",
                code="cohort",
            )
        event = None if privacy is None else self._event(request, rows)
        if event is None and not self.policy.allows_exact:
            raise RefusedError(
                "The site answers only with noise.",
                f"{type(query).__name__} without privacy",
                "Pass privacy=fl.RecordDP(...).",
                code="exact",
            )
        self.ledger.debit(
            Entry(
                run=request.run,
                round=request.round,
                query=type(query).__name__,
                purpose=query.purpose,
                event=event,
                rounds=None if privacy is None else privacy.rounds,
                noise="none" if event is None else "seeded" if self.simulated else "system",
            ),
            self.policy,
            rehearsal=request.rehearsal,
        )
        return event

    def _event(self, request: Request, rows: int) -> Event:
        releases = request.query.releases(rows)
        if releases is None or request.privacy is None:
            raise RefusedError(
                "An answer under privacy needs a bounded sensitivity.",
                f"{type(request.query).__name__}, which has none",
                "Use a strategy that clips rows, such as FedAvg.",
                code="no-sensitivity",
            )
        try:
            noise_multiplier = calibrate(request.privacy, releases)
        except PrivacyError as error:
            raise RefusedError(error.rule, error.came, error.remedy, code="budget") from None
        return Event(noise_multiplier, releases.sampling_rate, releases.count)

    def _compute(
        self, request: Request, asked: Request | None, event: Event | None
    ) -> tuple[Answer | None, Refusal | None]:
        try:
            if asked is request:
                return self._answer(request, event), None
            masks = asked is not None and not asked.rehearsal
            answer = self._answer(asked, event) if asked is not None and masks else None
            return self._sums.take(request, answer), None
        except SecureSumError as error:
            return None, Refusal("secure", error.rule, error.came, error.remedy)
        # Whatever it is, its text may quote a row: only the name of its class leaves.
        except Exception as error:
            return None, Refusal(
                "failed",
                "The site could not compute the answer.",
                f"{type(error).__name__} in {type(request.query).__name__}",
                "Ask the site; its text stays there since it may quote rows.",
            )

    def _answer(self, request: Request, event: Event | None) -> Answer:
        if isinstance(request.query, Describe):
            return self._describe()
        if isinstance(request.query, ReadLedger):
            return self.ledger.statement(self.policy)
        context = Context((request.seed, request.round, self.name))
        if event is not None:
            use = f"noise of {type(request.query).__name__}"
            seeded = teaching_noise(context.random(use))
            context.privacy = request.privacy
            context.noise_multiplier = event.noise_multiplier
            context.noise = seeded if self.simulated else system_noise
            context.secret = not self.simulated
            context.allowed = event.count
        with one_thread():
            answer = request.query.compute(self._rows[request.query.split], context)
        context.close()
        return answer

    def _describe(self) -> Description:
        return Description(
            schema=self._schema,
            train_rows=self._card["train"],
            test_rows=self._card["test"],
            epsilon=self.policy.epsilon,
            delta=self.policy.delta,
            exact=self.policy.allows_exact,
            minimum_rows=self.policy.minimum_rows,
            simulated=self.simulated,
            source=self.source,
            identity=self._sums.identity.public,
            reveal=self.policy.reveal,
        )
