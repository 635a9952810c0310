"""The model card: what the model is, what it was made from, and what it must not be taken for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from fedlab.core.space import Space
from fedlab.export.columns import features
from fedlab.export.facts import CardFacts
from fedlab.export.insides import insides
from fedlab.export.instructions import checking, use
from fedlab.export.kinds import grown, outputs_of, refuses_gaps
from fedlab.export.limits import limits
from fedlab.export.markdown import as_code, as_prose, table
from fedlab.export.wording import meaning, says
from fedlab.privacy import RecordDP, SiteDP

if TYPE_CHECKING:
    from fedlab.export.kinds import Fitted

__all__ = ["write_card"]


def write_card(model: Fitted, space: Space, facts: CardFacts, public_key: bytes) -> str:
    """The card in Markdown; the same facts give the same text."""
    parts = [
        f"# Model card of {as_code(facts.run)}",
        *_predicts(model, space, facts),
        "## Data",
        *_data(facts),
        "## Features",
        *features(model, space),
        "## Training",
        *_training(facts),
        "## Metrics by site",
        *_metrics(model, facts),
        "## Privacy",
        *_privacy(facts),
        "## Limits",
        "\n".join(f"- {limit}" for limit in limits(facts, model)),
        *insides(model, space, facts),
        "## Files and signature",
        *checking(public_key, estimator=not grown(model)),
        "## Use",
        *use(outputs_of(model), takes_gaps=not refuses_gaps(model, space.keeps_missing)),
    ]
    return "\n\n".join(parts) + "\n"


def _predicts(model: Fitted, space: Space, facts: CardFacts) -> Iterator[str]:
    numbers, categories = len(space.numbers), len(space.vocabulary)
    yield (
        f"{says(model, space)}from {numbers} numeric and {categories} categorical columns. It was "
        f"trained at {_count(len(facts.sites), 'site')} whose rows stayed where they were."
    )


def _data(facts: CardFacts) -> Iterator[str]:
    rows = [
        [
            as_code(site.name),
            "simulated" if site.simulated else "real",
            f"{site.train_rows:,}",
            f"{site.test_rows:,}",
        ]
        for site in facts.sites
    ]
    yield table(["Site", "Kind", "Training rows", "Held-out rows"], rows, texts=2)
    if any(site.simulated for site in facts.sites):
        yield (
            "A simulated site was a part of the analyst's notebook; its source tells whether its "
            "rows are of real patients."
        )
    sources: dict[str, list[str]] = {}
    for site in facts.sites:
        sources.setdefault(site.source, []).append(as_code(site.name))
    for source, sites in sources.items():
        whose = "all sites" if len(sources) == 1 else ", ".join(sites)
        yield f"Source of {whose}: {as_prose(source) if source.strip() else 'not stated.'}"


def _training(facts: CardFacts) -> Iterator[str]:
    yield table(
        ["What", "How"],
        [
            ["Run", as_code(facts.run)],
            ["Model", as_code(facts.model)],
            ["Strategy", as_code(facts.strategy)],
            ["Rounds", f"{facts.rounds:,}"],
            ["Seed", f"{facts.seed}"],
            ["Promise", as_code(facts.privacy) if facts.privacy else "none: exact answers"],
        ],
        texts=2,
    )
    yield (
        "The engine that carries the messages does not change the parameters: seed, sites, model "
        "and strategy do, and noise where there is a promise. The strategy is that of the last "
        "round; a run that was forked may have begun with another."
    )


def _metrics(model: Fitted, facts: CardFacts) -> Iterator[str]:
    if facts.evaluation is None:
        yield f"**Not evaluated.** {as_prose(facts.not_evaluated)}"
        return
    yield _frame(facts.evaluation.frame, "Site")
    yield "Counted on held-out rows at the sites."
    meanings = {name: meaning(name, model) for name in facts.evaluation.frame.columns}
    known = {name: says for name, says in meanings.items() if says is not None}
    if known:
        yield "\n".join(f"- {name.replace('_', ' ')}: {says}." for name, says in known.items())
    yield from map(as_prose, facts.evaluation.notes)


def _privacy(facts: CardFacts) -> Iterator[str]:
    promise = facts.privacy
    if promise is not None:
        yield (
            f"Promise of the run: ε = {promise.epsilon:g} at δ = {promise.delta:g} over "
            f"{promise.rounds:,} rounds, for one {promise.unit}. Neighbours: {promise.neighbours}. "
            f"{_adder(promise, secure=facts.secure)}"
        )
    if facts.spend is None:
        yield "The sites' ledgers were not read."
        return
    totals = facts.spend.totals
    rows = [
        [
            as_code(site),
            # Up, never down: a figure smaller than the loss would promise too much.
            _ceiling(float(line["epsilon_spent"])),
            "no limit" if pd.isna(line["budget"]) else f"{float(line['budget']):g}",
            str(line["delta"]),
            f"{int(line['exact_answers']):,}",
        ]
        for site, line in totals.to_dict("index").items()
    ]
    yield table(["Site", "ε spent", "Budget", "δ", "Answers without noise"], rows)
    yield (
        f"Privacy unit of the ledgers: {RecordDP.unit}. Neighbouring tables: "
        f"{RecordDP.neighbours}. Composed by the accountant over everything each site had answered "
        "when this card was written, other runs and analyses included."
    )
    yield from map(as_prose, facts.spend.notes)


def _adder(promise: RecordDP | SiteDP, *, secure: bool) -> str:
    if promise.unit == "record":
        return "Each site added the noise to what it sent."
    if secure:
        return "Each site added a share of the noise before it masked its update."
    return "The coordinator, whom sites trusted with their updates, added the noise."


def _ceiling(epsilon: float) -> str:
    return f"{math.ceil(epsilon * 1e4) / 1e4:.4f}" if math.isfinite(epsilon) else f"{epsilon}"


def _frame(frame: pd.DataFrame, index: str) -> str:
    head = [index, *(str(name).replace("_", " ") for name in frame.columns)]
    rows = [
        [as_code(site), *(_figure(line[name]) for name in frame.columns)]
        for site, line in frame.to_dict("index").items()
    ]
    return table(head, rows)


def _figure(value: object) -> str:
    if isinstance(value, float):
        return "—" if math.isnan(value) else f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else as_code(value)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"
