"""Who asks, and whether the policy lets them: decided before a row is read."""

from __future__ import annotations

from fedlab.errors import RefusedError
from fedlab.privacy import SiteDP
from fedlab.queries import Describe, Query, ReadAuditHead, ReadLedger, Request
from fedlab.site.charges import charge_of
from fedlab.site.columns import Fitting, asked_schema, check_columns, check_groups, narrowed
from fedlab.site.patients import Cohort
from fedlab.site.policy import Policy
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
    "check_parameters",
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
    check_groups(query)
    asked = asked_schema(query)
    if asked is not None and not fitting.has(asked):
        raise RefusedError(
            "A request must ask for the columns the site declared.",
            "other columns, kinds or categories",
            "Describe the site again.",
            code="unfit",
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
    # What is promised of sites is kept by the coordinator, which sees what each site says.
    exact = not hidden and (request.privacy is None or isinstance(request.privacy, SiteDP))
    if exact and not (request.query.guarded or policy.unguarded):
        raise RefusedError(
            "The site's exact answers pass its law on small cells, or leave within a secure sum.",
            f"{type(request.query).__name__}, which does not pass it",
            "Pass aggregation='secure' to fed.train, or train with privacy where the site has a "
            "budget.",
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


def check_parameters(query: Query, cohort: Cohort, policy: Policy) -> None:
    """Raise RefusedError where exact sums would fit too many parameters to too few patients.

    A model with about as many parameters as patients repeats them.
    """
    most = policy.most_parameters * cohort.patients
    if query.n_parameters > most:
        raise RefusedError(
            f"A fit by exact curvatures has at most {policy.most_parameters:g} parameters a "
            "patient.",
            f"{query.n_parameters} for {cohort.patients}",
            "Leave features out, use a strategy of gradients such as fl.FedAvg(), or agree on "
            "another ratio with the data owner.",
            code="parameters",
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
    if query.tells_errors and not policy.allows_error_sums:
        raise RefusedError(
            "The site tells no sums of a model's errors, from which values of single rows follow.",
            type(query).__name__,
            "Judge by counts and bounds, or have the data owner look at the model and set "
            "Policy(error_sums=True).",
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
