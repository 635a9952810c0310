"""Judge a model over all sites: file, plan, questions, figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fedlab.asking.naming import By, Where, conditions, factors
from fedlab.core.child import inspect_model
from fedlab.core.foreign import ModelLimits, Seen
from fedlab.errors import DataError, PrivacyError
from fedlab.judging.models import ModelFile, as_file
from fedlab.judging.reading import Columns, plan_of
from fedlab.judging.result import GroupName, Judgement
from fedlab.judging.scored import Style
from fedlab.judging.ways import Way
from fedlab.privacy import RecordDP
from fedlab.queries.groups import Condition, Factor, schema_of

if TYPE_CHECKING:
    from fedlab.asking.bench import Bench
    from fedlab.secure_sum import SecureSum

__all__ = ["evaluate_model"]

BINS, BINS_UNDER_NOISE = 100, 10
MOST_BINS = 2_000
MOST_KNOWN = 64
_KNOWN: dict[str, Seen] = {}


def evaluate_model(
    federation: Bench,
    model: Any,
    *,
    threshold: float = 0.5,
    by: By | None = None,
    split: Literal["train", "test", "all"] = "all",
    where: Where | None = None,
    privacy: RecordDP | None = None,
    aggregation: str | SecureSum = "plain",
    bins: int | None = None,
    name: str = "",
    columns: Columns | None = None,
    output: str | None = None,
    score: str | None = None,
    classes: Sequence[Any] | None = None,
    level: float = 0.95,
    bootstrap: int = 1000,
    stratified: bool = False,
) -> Judgement:
    """Judge a model on the sites' rows; see `Federation.evaluate`."""
    schema = federation.schema
    if schema.event is not None:
        raise DataError(
            "Models from elsewhere are judged by classes or numbers.",
            f"a target that is a time until {schema.event!r}",
            "Judge a survival model of fedlab by run.evaluate().",
        )
    _check(threshold, split, privacy, bins, level, bootstrap)
    sent = as_file(model)
    seen = _seen(sent)
    plan = plan_of(
        seen,
        schema,
        columns=columns,
        output=output,
        score=score,
        classes=classes if classes is not None else (sent.labels or None),
    )
    groups, limits = factors(schema, by), conditions(schema, where)
    read = [part.column for feed in plan.feeds for part in feed.parts]
    read += [*(each.column for each in groups), *(each.column for each in limits)]
    asked: dict[str, Any] = {
        "schema": schema_of(schema, read),
        "file": sent.file,
        "plan": plan,
        "factors": groups,
        "where": limits,
        "split": split,
    }
    way = Way(
        federation=federation,
        asked=asked,
        privacy=privacy,
        aggregation=aggregation,
        style=Style(
            edges=np.array([0.0, 1.0]),
            threshold=threshold,
            level=level,
            times=bootstrap,
            calibrated=plan.reads in ("probabilities", "probability", "logit"),
        ),
        stratified=stratified,
        names=_names(groups),
    )
    two = len(schema.classes) == 2 and plan.reads != "label"
    count = bins or (BINS if privacy is None else BINS_UNDER_NOISE)
    judged = (
        way.numbers() if plan.reads == "number" else (way.scores(count) if two else way.confusion())
    )
    return Judgement(
        name=name or sent.says,
        digest=sent.digest,
        size=len(sent.file),
        kind="numbers" if plan.reads == "number" else "scores" if two else "confusion",
        target=schema.target,
        classes=tuple(map(str, schema.classes)),
        groups=way.names,
        judged=judged.by,
        refusals=judged.refusals,
        silent=judged.silent,
        answering=judged.answering,
        n_sites=len(federation.sites),
        minimum=max(federation.minimums.values()),
        threshold=threshold,
        level=level,
        reads=plan.reads,
        conditioned=_says(limits),
        split=split,
        privacy=privacy,
        edges=judged.edges,
    )


def _seen(sent: ModelFile) -> Seen:
    """What the file says of itself; looked at once."""
    if sent.digest not in _KNOWN:
        while len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.pop(next(iter(_KNOWN)), None)
        _KNOWN[sent.digest] = inspect_model(sent.file, ModelLimits())
    return _KNOWN[sent.digest]


def _check(
    threshold: float,
    split: str,
    privacy: RecordDP | None,
    bins: int | None,
    level: float,
    bootstrap: int,
) -> None:
    for word, value in (("threshold", threshold), ("level", level)):
        if not (isinstance(value, int | float) and 0 < value < 1):
            raise DataError(
                f"{word} must be between 0 and 1.", f"{value!r}", f"Pass e.g. {word}=0.5."
            )
    if split not in ("train", "test", "all"):
        raise DataError("split must be 'train', 'test' or 'all'.", f"{split!r}", "Pass 'all'.")
    if bins is not None and not (isinstance(bins, int) and 2 <= bins <= MOST_BINS):
        raise DataError(
            f"bins must be a whole number from 2 to {MOST_BINS}.", f"{bins!r}", "Pass e.g. 100."
        )
    if not (isinstance(bootstrap, int) and 0 <= bootstrap <= 100_000):
        raise DataError(
            "bootstrap must be a whole number from 0 to 100,000.", f"{bootstrap!r}", "Pass 1000."
        )
    if privacy is not None and not isinstance(privacy, RecordDP):
        raise PrivacyError(
            "Models are judged under a promise about records.",
            type(privacy).__name__,
            "Pass e.g. privacy=fl.RecordDP(epsilon=0.5, delta=1e-5).",
        )


def _names(groups: Sequence[Factor]) -> tuple[GroupName, ...]:
    names = [GroupName("", "", "everybody")]
    for factor in groups:
        edges = [
            f"{low:g} to {high:g}"
            for low, high in zip(factor.edges, factor.edges[1:], strict=False)
        ]
        for level in [*(factor.values or edges), "missing", "unmapped"]:
            names.append(GroupName(factor.column, level, f"{factor.column}: {level}"))
    return tuple(names)


def _says(limits: Sequence[Condition]) -> str:
    return ", ".join(sorted(each.column for each in limits))
