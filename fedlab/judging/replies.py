"""What sites said of a model, and what follows from all of it together."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from fedlab.core.parameters import Array
from fedlab.errors import RefusedError, TrainingError
from fedlab.privacy import RecordDP
from fedlab.queries import Answer, Query, Reply

if TYPE_CHECKING:
    from fedlab.asking.bench import Bench
    from fedlab.secure_sum import SecureSum

__all__ = ["Said", "ask_sites", "require", "total"]

A = TypeVar("A", bound=Answer)


@dataclass(frozen=True)
class Said(Generic[A]):
    """Answers by site, in the order of names, and refusals.

    Attributes
    ----------
    answers : dict of str to Answer
        One for all sites together under a secure sum.
    noise : dict of str to float
        The noise multiplier of each.
    refusals : dict of str to RefusedError
    answering : int
        How many sites are in the answers.
    """

    answers: dict[str, A]
    noise: dict[str, float]
    refusals: dict[str, RefusedError]
    answering: int


def ask_sites(
    federation: Bench,
    query: Query,
    kind: type[A],
    *,
    privacy: RecordDP | None,
    aggregation: str | SecureSum,
) -> Said[A]:
    """Ask every site; none need answer."""
    coordinator = federation.asked_by(aggregation)
    queries = dict.fromkeys(federation.sites, query)
    # A promise is kept by one answer, so each question is a run of its own.
    run = f"judged-{secrets.token_hex(6)}"
    replies, refused = coordinator.ask_willing(run, 0, queries, privacy)
    answers = {
        site: answer for site in sorted(replies) if isinstance(answer := replies[site].answer, kind)
    }
    return Said(
        answers,
        {site: _noise(replies[site]) for site in answers},
        {site: refused[site] for site in sorted(refused)},
        len(federation.sites) - len(refused),
    )


def require(said: Said[Any]) -> None:
    """Raise TrainingError when no site answered, with every site's reason."""
    if said.answers:
        return
    reasons = [
        f"site {site!r} awaits approval"
        if error.code == "approval"
        else f"site {site!r}: {error.rule} Got {error.came}"
        for site, error in said.refusals.items()
    ]
    remedies = dict.fromkeys(error.remedy for error in said.refusals.values())
    raise TrainingError(
        "At least one site must judge the model.",
        "refusals from all: " + "; ".join(reasons),
        " ".join(remedies),
    )


def _noise(reply: Reply) -> float:
    return 0.0 if reply.charge is None else reply.charge.noise_multiplier


def total(answers: Mapping[str, Any], name: str) -> Array:
    """The sum of one array over all answers."""
    summed: Array = np.sum([getattr(answers[site], name) for site in sorted(answers)], axis=0)
    return summed
