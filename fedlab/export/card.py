"""The model card: what the model is, what it was made from, and what it must not be taken for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from fedlab.core.schema import Column
from fedlab.core.space import Space
from fedlab.export.facts import CardFacts
from fedlab.export.instructions import checking, use
from fedlab.export.limits import limits
from fedlab.export.markdown import as_code, as_prose, table
from fedlab.privacy import RecordDP

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["write_card"]


def write_card(model: Pipeline, space: Space, facts: CardFacts, public_key: bytes) -> str:
    """The card in Markdown; the same facts give the same text."""
    parts = [
        f"# Model card of {as_code(facts.run)}",
        *_predicts(space, facts),
        "## Data",
        *_data(facts),
        "## Features",
        *_features(space),
        "## Training",
        *_training(facts),
        "## Metrics by site",
        *_metrics(facts),
        "## Privacy",
        *_privacy(facts),
        "## Limits",
        "\n".join(f"- {limit}" for limit in limits(facts)),
        "## Coefficients",
        *_coefficients(model, space, facts),
        "## Files and signature",
        *checking(public_key),
        "## Use",
        *use(),
    ]
    return "\n\n".join(parts) + "\n"


def _predicts(space: Space, facts: CardFacts) -> Iterator[str]:
    classes = ", ".join(map(as_code, space.schema.classes))
    numbers, categories = len(space.numbers), len(space.categories)
    yield (
        f"It predicts {as_code(space.schema.target)}: for each row the probability of every class, "
        f"{classes}, from {numbers} numeric and {categories} categorical columns. It was trained "
        f"at {_count(len(facts.sites), 'site')} whose rows stayed where they were."
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


def _features(space: Space) -> Iterator[str]:
    yield table(
        ["Column", "Kind", "Categories or range"],
        [[as_code(c.name), c.kind, _domain(c)] for c in space.schema.columns],
        texts=3,
    )
    yield (
        "Ranges are public and were declared, not read from rows. A missing number counts as the "
        "centre given under Coefficients; a category that is missing or not listed counts as none."
    )


def _domain(column: Column) -> str:
    if column.kind == "category":
        return ", ".join(map(as_code, column.categories))
    return "not declared" if column.low is None else f"{column.low:g} to {column.high:g}"


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


def _metrics(facts: CardFacts) -> Iterator[str]:
    if facts.evaluation is None:
        yield f"**Not evaluated.** {as_prose(facts.not_evaluated)}"
        return
    yield _frame(facts.evaluation.frame, "Site")
    yield "Counted on held-out rows at the sites."
    yield from map(as_prose, facts.evaluation.notes)


def _privacy(facts: CardFacts) -> Iterator[str]:
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
        f"Privacy unit: {RecordDP.unit}. Neighbouring tables: {RecordDP.neighbours}. Composed by "
        "the accountant over everything each site had answered when this card was written, other "
        "runs and analyses included."
    )
    yield from map(as_prose, facts.spend.notes)


def _coefficients(model: Pipeline, space: Space, facts: CardFacts) -> Iterator[str]:
    fitted = model[-1]
    if not hasattr(fitted, "coef_"):
        yield "This kind of model has none."
        return
    centres = [f"{value:.6g}" for value in space.scaling["mean"]]
    scales = [f"{value:.6g}" for value in space.scaling["scale"]]
    # An indicator column is not scaled.
    blanks = [""] * (len(space.names) - len(centres))
    rows = [
        [as_code(name), f"{beta:.6g}", _odds(beta), centre, scale]
        for name, beta, centre, scale in zip(
            space.names, fitted.coef_[0], centres + blanks, scales + blanks, strict=True
        )
    ]
    rows.append(["intercept", f"{fitted.intercept_[0]:.6g}", "", "", ""])
    yield table(["Feature", "Coefficient", "Odds ratio", "Centre", "Unit"], rows)
    unit = (
        "the standard deviation over all sites' training rows"
        if facts.privacy is None
        else "a quarter of the declared range"
    )
    yield (
        f"Odds of class {as_code(space.schema.classes[-1])}, for one unit more of a number "
        f"({unit}) or for having the category. Categories of one column are compared by the "
        "difference of their coefficients. They are penalised, and describe association, not cause."
    )


def _odds(beta: float) -> str:
    return f"{math.exp(beta):.4g}" if abs(beta) < 700 else "beyond counting"


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
