"""Who asks, and whether the policy lets them: decided before a row is read."""

from __future__ import annotations

import msgspec

from fedlab.core.schema import Schema
from fedlab.core.space import Space
from fedlab.errors import PrivacyError, RefusedError
from fedlab.privacy import Event, Releases, SiteDP, calibrate
from fedlab.queries import Describe, Query, ReadAuditHead, ReadLedger, Request
from fedlab.site.patients import Cohort
from fedlab.site.policy import Policy
from fedlab.site.site_level import event_of_update
from fedlab.site.store import Store

__all__ = [
    "TOLD",
    "UNSIGNED",
    "Fitting",
    "asked_schema",
    "charge_of",
    "check_address",
    "check_cohort",
    "check_consent",
    "check_fit",
    "check_reveal",
    "check_single_rows",
    "check_turn",
    "identified",
    "narrowed",
]

TOLD = (Describe, ReadLedger, ReadAuditHead)
"""What a site tells of itself, without a row."""
UNSIGNED = "unsigned"


def identified(request: Request, policy: Policy) -> str:
    """The actor of a request, for the audit log.

    Raises
    ------
    RefusedError
        When the policy names actors and the request is not signed by one of them.
    """
    if not policy.names_actors:
        return UNSIGNED
    known = policy.known(request.actor)
    if known is None or not request.is_signed_by(known[1]):
        raise RefusedError(
            "Requests must be signed by an actor whom the site's policy names.",
            "one that is not signed" if not request.signature else "a signature that does not fit",
            "Pass engine=fl.Signed(fl.Actor(...)), and have the actor's key put in the policy.",
            code="signature",
        )
    return request.actor


def check_turn(request: Request, policy: Policy, store: Store) -> None:
    """Raise RefusedError unless it is the actor's next request, and for the actor's role."""
    known = policy.known(request.actor) if policy.names_actors else None
    if known is None:
        return
    _once(request, store)
    if known[0] != "analyst" and not isinstance(request.query, TOLD):
        raise RefusedError(
            "Only analysts may ask about rows; auditors and owners read ledgers and heads.",
            f"{type(request.query).__name__} from an {known[0]}",
            "Ask as an analyst.",
            code="role",
        )


def _once(request: Request, store: Store) -> None:
    # By number and not by clock: an hour of skew changes nothing. On disk before it is answered,
    # so that a restart forgets nothing.
    with store.transaction() as connection:
        found = connection.execute(
            "SELECT number FROM counters WHERE actor = ?", (request.actor,)
        ).fetchone()
        last = 0 if found is None else found[0]
        if not last < request.sequence < 2**63:
            raise RefusedError(
                "The number of a request must be higher than that of the one before.",
                f"{request.sequence} after {last}",
                "Send each request once and in order; keep an analyst's home, which counts.",
                code="replay",
            )
        connection.execute(
            "INSERT INTO counters VALUES (?, ?)"
            " ON CONFLICT (actor) DO UPDATE SET number = excluded.number",
            (request.actor, request.sequence),
        )


def check_address(request: Request, site: str) -> None:
    """Raise RefusedError unless the request is for `site`."""
    if request.site != site:
        raise RefusedError(
            "A request must name the site it is for.",
            f"a request for {request.site!r}",
            "Address it to this site.",
            code="misaddressed",
        )


class Fitting:
    """Whether a schema that is asked for fits a site's; remembers the last one that did.

    In one process the requests of a run share their schema, which never changes.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._last: Schema | None = None

    def has(self, asked: Schema) -> bool:
        """Whether the site has all columns that are asked for."""
        if asked is not self._last:
            if not _has(self._schema, asked):
                return False
            self._last = asked
        return True


def check_fit(query: Query, fitting: Fitting, policy: Policy) -> None:
    """Raise RefusedError unless query and columns are there, and the policy allows them."""
    if not query.reads_rows and not isinstance(query, TOLD):
        raise RefusedError(
            "Only what a site tells of itself is answered without a policy's leave.",
            type(query).__name__,
            "Say that the query reads rows.",
            code="unfit",
        )
    check_use(query, policy)
    check_columns(query, policy)
    asked = asked_schema(query)
    if asked is not None and not fitting.has(asked):
        raise RefusedError(
            "A request must ask for the columns the site declared.",
            "other columns, kinds or categories",
            "Describe the site again.",
            code="unfit",
        )


def _has(schema: Schema, asked: Schema) -> bool:
    mine = {column.name: column for column in schema.columns}
    same = (asked.target, asked.event) == (schema.target, schema.event)
    # Categories that only other sites declare are allowed: rows are matched by their names.
    return same and all(
        column.name in mine
        and column.kind == mine[column.name].kind
        and set(column.categories) >= set(mine[column.name].categories)
        for column in asked.columns
    )


def check_use(query: Query, policy: Policy) -> None:
    """Raise RefusedError unless the policy allows the query's kind and purpose."""
    if not query.reads_rows:
        return
    kind = type(query).__name__
    if policy.purposes is not None and query.purpose not in policy.purposes:
        raise RefusedError(
            f"The site allows the purposes {', '.join(policy.purposes) or 'none'}.",
            f"{kind} for {query.purpose}",
            "Agree on the purpose with the data owner.",
            code="purpose",
        )
    if policy.queries is not None and kind not in policy.queries:
        raise RefusedError(
            f"The site allows the queries {', '.join(policy.queries) or 'none'}.",
            kind,
            "Use a strategy that asks these, or agree on more with the data owner.",
            code="query",
        )


def check_columns(query: Query, policy: Policy) -> None:
    """Raise RefusedError where a query asks for features that the policy keeps back.

    A query that does not say what it reads gets nothing where the policy names columns.
    """
    if policy.columns is None or not query.reads_rows:
        return
    asked = asked_schema(query)
    if asked is None or not set(asked.names) <= set(policy.columns):
        raise RefusedError(
            f"The site lets {len(policy.columns)} features be read, as it describes.",
            "a query that does not say what it reads" if asked is None else "a query for others",
            "Describe the site again, and ask for those.",
            code="columns",
        )


def asked_schema(query: Query) -> Schema | None:
    """The columns that a query says it reads; None where it does not say."""
    for name in getattr(query, "__struct_fields__", ()):
        value = getattr(query, name)
        if isinstance(value, Query):
            value = asked_schema(value)
        if isinstance(value, Space):
            value = value.schema
        if isinstance(value, Schema):
            return value
    return None


def narrowed(schema: Schema, policy: Policy) -> Schema:
    """A site's schema without the features that its policy keeps back."""
    if policy.columns is None:
        return schema
    kept = tuple(column for column in schema.columns if column.name in policy.columns)
    return msgspec.structs.replace(schema, columns=kept)


def check_consent(request: Request, cohort: Cohort) -> None:
    """Raise RefusedError where no patient agreed to the purpose."""
    if not cohort.rows:
        raise RefusedError(
            "Only rows of patients who agreed to the purpose are used.",
            f"no patient who agreed to {request.query.purpose}",
            "Ask for a purpose that patients agreed to.",
            code="consent",
        )


def check_reveal(request: Request, policy: Policy, *, hidden: bool) -> None:
    """Raise RefusedError where an answer must not leave on its own."""
    if not (hidden or policy.reveal):
        raise RefusedError(
            "The site's answers leave only within a secure sum.",
            f"{type(request.query).__name__} without one",
            "Pass aggregation='secure' to fed.train.",
            code="reveal",
        )
    if not (hidden or policy.allows_exact) and isinstance(request.privacy, SiteDP):
        raise RefusedError(
            "The site answers only with noise, and trusts no coordinator to add it.",
            f"{type(request.query).__name__} under SiteDP without a secure sum",
            "Pass aggregation='secure' to fed.train, so that the site adds noise itself.",
            code="reveal",
        )


def check_cohort(request: Request, cohort: Cohort, policy: Policy, *, whose: str) -> None:
    """Raise RefusedError where an answer would come from too few."""
    if min(cohort.rows, cohort.patients) < policy.minimum_rows:
        split = "training" if request.query.split == "train" else "held-out"
        raise RefusedError(
            f"An answer must come from at least {policy.minimum_rows} {whose}.",
            f"{cohort.patients} {split} {whose}",
            "Leave the site out, or agree on another minimum with the data owner.",
            code="cohort",
        )


def check_single_rows(query: Query, policy: Policy) -> None:
    """Raise RefusedError where an answer without noise would tell single rows apart."""
    if query.tells_values and not policy.single_values:
        raise RefusedError(
            "The site does not tell counts from which values of single rows follow.",
            type(query).__name__,
            "Fill gaps by their mean (fl.Preprocess(impute='mean')), use a model without "
            "trees, or leave the site out.",
            code="values",
        )
    finest = query.finest_time()
    # A grid like 0.1, 0.2, 0.3 is uneven by rounding.
    if finest < policy.grid_width * (1 - 1e-9):
        raise RefusedError(
            f"Times on a grid must be at least {policy.grid_width:g} apart.",
            f"{type(query).__name__} on "
            + (f"a grid of times {finest:g} apart" if finest > 0 else "exact times"),
            "Pass a coarser grid, the first time of which is as far from 0, e.g. "
            "fl.CoxRegression(grid=range(30, 3650, 30)) for months, where time is in days.",
            code="times",
        )
    fewest = query.fewest_rows()
    if fewest is not None and fewest < policy.minimum_rows:
        raise RefusedError(
            f"An answer must come from at least {policy.minimum_rows} rows.",
            f"{type(query).__name__} whose answer may come from {fewest}",
            "Pass a larger batch_size, or None for all rows.",
            code="cohort",
        )


def charge_of(
    request: Request, rows: int, policy: Policy, *, hidden: bool = False, shares: bool = False
) -> Event | None:
    """What an answer from `rows` costs; None for one without noise.

    `hidden` tells whether it leaves within a secure sum, `shares` whether of that sum's noise this
    site adds a share.

    Raises
    ------
    RefusedError
        When no noise keeps the promise, or the policy allows no answer without noise.
    """
    event = None if request.privacy is None else _event(request, rows, hidden=hidden, shares=shares)
    if event is None and not policy.allows_exact:
        raise RefusedError(
            "The site answers only with noise.",
            f"{type(request.query).__name__} without privacy",
            "Pass privacy=fl.RecordDP(...).",
            code="exact",
        )
    return event


def _event(request: Request, rows: int, *, hidden: bool, shares: bool) -> Event:
    if isinstance(request.privacy, SiteDP):
        try:
            return event_of_update(request.query, request.privacy, hidden=hidden)
        except PrivacyError as error:
            raise RefusedError(error.rule, error.came, error.remedy, code="budget") from None
    releases = request.query.releases(rows)
    if releases is None or request.privacy is None:
        raise RefusedError(
            "An answer under privacy needs a bounded sensitivity.",
            f"{type(request.query).__name__}, which has none",
            "Use a strategy that clips rows, such as FedAvg.",
            code="no-sensitivity",
        )
    if shares:
        limit = request.privacy.clipping_norm
        if releases != Releases(1) or request.query.shared_sensitivity(rows, limit) is None:
            raise RefusedError(
                "Noise comes in shares where an answer is one release on all rows.",
                f"{type(request.query).__name__} with {releases.count} at a sampling rate of "
                f"{releases.sampling_rate:.3g}",
                "Use fl.FedSGD(), or leave shared_noise out.",
                code="no-sensitivity",
            )
    try:
        if shares:
            z = calibrate(request.privacy, releases, mechanism="concentrated")
            return Event(z, mechanism="concentrated")
        noise_multiplier = calibrate(request.privacy, releases)
    except PrivacyError as error:
        raise RefusedError(error.rule, error.came, error.remedy, code="budget") from None
    return Event(noise_multiplier, releases.sampling_rate, releases.count)
