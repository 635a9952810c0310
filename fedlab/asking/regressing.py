"""A generalised linear model over all sites, fitted and judged in one call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec
import numpy as np

from fedlab.asking.asked import How, ask, new_run
from fedlab.asking.bench import Bench
from fedlab.asking.naming import Where, conditions, listed, names_read
from fedlab.asking.survival_asked import check_level
from fedlab.coordinator import Coordinator, Listener
from fedlab.core.linear import Linear
from fedlab.core.logistic import LogisticRegression
from fedlab.core.poisson import PoissonRegression
from fedlab.core.regression import LinearRegression
from fedlab.core.schema import Schema
from fedlab.core.space import unscaled
from fedlab.errors import DataError, TrainingError
from fedlab.estimates import Inference
from fedlab.evaluation import tally
from fedlab.inference import infer
from fedlab.preprocessing import agree_space
from fedlab.privacy import RecordDP, SiteDP
from fedlab.queries import Query, Reply
from fedlab.queries.among import Among, CountRows
from fedlab.queries.groups import Condition, schema_of
from fedlab.strategies import FedNewton, Problem, State

__all__ = ["Family", "Missing", "glm"]

Family = Literal["linear", "logistic", "poisson"]
Missing = Literal["drop", "fill"]

MODELS: dict[str, Linear] = {
    "linear": LinearRegression(),
    "logistic": LogisticRegression(C=math.inf),
    "poisson": PoissonRegression(alpha=0.0),
}
ROUNDS = 60
FINISHED = 1e-9
# From where a loss moves by no more than the rounding of a secure sum; the step after that is one
# of about the square of 1e-4 standard errors. Categories and an intercept leave directions open in
# which rounding alone makes steps of any length, so that these do not tell.
SETTLED = 1e-9


@dataclass(frozen=True, kw_only=True)
class _Among(Coordinator):
    """Asks every query among those rows alone that a question is about."""

    inner: Coordinator
    schema: Schema
    complete: tuple[str, ...]
    where: tuple[Condition, ...]

    @classmethod
    def of(
        cls,
        inner: Coordinator,
        schema: Schema,
        complete: tuple[str, ...],
        where: tuple[Condition, ...],
    ) -> _Among:
        return cls(
            inner.connection,
            inner.seed,
            inner.declared,
            inner.simulated,
            inner=inner,
            schema=schema,
            complete=complete,
            where=where,
        )

    def among(self, query: Query) -> Among:
        return Among(query=query, schema=self.schema, complete=self.complete, where=self.where)

    def ask(
        self,
        run: str,
        round: int,
        queries: Mapping[str, Query],
        privacy: RecordDP | SiteDP | None = None,
        on_reply: Listener | None = None,
        *,
        tolerated: int = 0,
        weights: Mapping[str, int] | None = None,
    ) -> dict[str, Reply]:
        narrowed = {site: self.among(query) for site, query in queries.items()}
        return self.inner.ask(
            run, round, narrowed, privacy, on_reply, tolerated=tolerated, weights=weights
        )


def glm(
    federation: Bench,
    features: Sequence[str] | None,
    family: Family,
    references: Mapping[str, str] | None,
    missing: Missing,
    where: Where | None,
    how: How,
    *,
    level: float,
) -> Inference:
    """Fit by Newton's method and ask for what the errors need; see `Federation.glm`."""
    check_level(level)
    model, schema = _model(family), _narrowed(federation.schema, features)
    if missing not in ("drop", "fill"):
        raise DataError(
            "missing must be 'drop' or 'fill'.",
            f"{missing!r}",
            "Pass missing='drop' to fit to rows that have all values.",
        )
    model.check(schema)
    conditioned = conditions(federation.schema, where)
    read = names_read((), conditioned, *schema.names)
    coordinator = _Among.of(
        federation.asked_by(how.aggregation),
        schema_of(federation.schema, read),
        schema.names if missing == "drop" else (),
        conditioned,
    )
    run = new_run()
    size = len(model.init(unscaled(schema)).vector)
    question = coordinator.among(CountRows(schema=schema, parameters=size))
    counted = ask(federation, question, how, run=run)
    willing = tuple(site for site in federation.sites if site not in counted.refusals)
    told = {site: int(tally(reply)["rows"][0]) for site, reply in counted.by_site.items()}
    rows = {site: told.get(site, 0) for site in willing}
    if set(told) != set(willing):
        # Their sum is all that is known of them, and all that is needed.
        rows = {**dict.fromkeys(willing, 0), willing[0]: sum(told.values())}
    space = agree_space(coordinator, willing, schema, model)
    problem = Problem(model=model, space=space, rows=rows, seed=federation.seed)
    state = _fitted(coordinator, run, problem, rounded=how.aggregation != "plain")
    found = infer(
        coordinator,
        run,
        state.round + 1,
        problem,
        state.parameters,
        level=level,
        references=references,
    )
    return replace(found, notes=_notes(found, problem, missing, len(willing), counted.notes))


def _fitted(coordinator: Coordinator, run: str, problem: Problem, *, rounded: bool) -> State:
    strategy = FedNewton()
    state, loss = strategy.init(problem), math.inf
    for number in range(1, ROUNDS + 1):
        queries = strategy.plan(problem, state)
        replies = coordinator.ask(run, number, queries)
        answers = {site: r.answer for site, r in sorted(replies.items()) if r.answer is not None}
        state = strategy.combine(problem, state, answers)
        moved = np.abs(state.carried["step"]).max() * float(state.carried["length"])
        before, loss = loss, float(state.carried["objective"])
        settled = abs(loss - before) <= SETTLED and float(state.carried["length"]) == 1.0
        if (rounded and settled) or moved <= FINISHED * (1 + np.abs(state.parameters.vector).max()):
            break
    return state


def _model(family: str) -> Linear:
    if family not in MODELS:
        raise TrainingError(
            "family must be one of 'linear', 'logistic' and 'poisson'.",
            f"{family!r}",
            "Pass e.g. family='logistic'.",
        )
    return MODELS[family]


def _narrowed(schema: Schema, features: Sequence[str] | None) -> Schema:
    given = schema.names if features is None else listed(features, "features")
    wanted = list(dict.fromkeys(given))
    unknown = [name for name in wanted if name not in schema.names]
    if unknown or not wanted:
        raise DataError(
            "A model is of features of the federation.",
            f"{unknown[0]!r}" if unknown else "none",
            f"Choose from {', '.join(map(repr, schema.names))}.",
        )
    by_name = {column.name: column for column in schema.columns}
    return msgspec.structs.replace(schema, columns=tuple(by_name[name] for name in wanted))


def _notes(
    found: Inference, problem: Problem, missing: Missing, n_sites: int, others: list[str]
) -> tuple[str, ...]:
    statistic = "t" if isinstance(problem.model, LinearRegression) else "z"
    gaps = (
        "those that have a value of every feature"
        if missing == "drop"
        else "a missing number counts as the mean, and standard errors do not know that it was "
        "missing"
    )
    first = (
        f"Wald tests ({statistic}) of {problem.space.schema.target} on {problem.total_rows:,} rows "
        f"of {'one site' if n_sites == 1 else f'{n_sites} sites'}, held-out ones too; {gaps}."
    )
    return (first, *found.notes[1:], *others)
