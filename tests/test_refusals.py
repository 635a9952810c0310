"""A site says no before it looks, whoever asks and however it is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fedlab as fl
from fedlab.errors import RefusedError
from fedlab.privacy import RecordDP
from fedlab.queries import Ranks
from tests.builders import (
    DELTA,
    MODEL,
    PROMISE,
    RANGES,
    ask,
    deal,
    fit,
    histogram,
    lone,
    make,
    request,
    table,
)


class Sealed:
    """Rows that nobody may look at."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError("rows were read")

    def __len__(self) -> int:
        raise AssertionError("rows were read")


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("budget", {}, {"privacy": RecordDP(epsilon=3.0, delta=1e-5)}),
    ("exact", {}, {"privacy": None}),
    ("misaddressed", {}, {"privacy": PROMISE, "site": "another"}),
    ("cohort", {"policy": fl.Policy(epsilon=2.0, minimum_rows=65)}, {"privacy": PROMISE}),
]


@pytest.mark.parametrize(("code", "site", "request_"), REFUSED, ids=[each[0] for each in REFUSED])
def test_a_refusal_comes_before_any_row_is_read(
    code: str, site: dict[str, Any], request_: dict[str, Any]
) -> None:
    door = make(**site)
    door._rows = {"train": Sealed(), "test": Sealed()}  # type: ignore[dict-item]
    reply = ask(door, histogram(door), **request_)
    assert reply.refusal is not None
    assert reply.refusal.code == code
    assert reply.answer is None
    assert reply.charge is None
    assert door.ledger.frame.empty
    assert door.audit.frame["outcome"].tolist() == [code]
    # What must not be read was indeed there to be read.
    allowed = ask(make(), histogram(make()), privacy=PROMISE)
    assert allowed.refusal is None


def test_queries_without_bounded_sensitivity_are_refused_under_privacy() -> None:
    site = make()
    reply = ask(site, Ranks(site.schema, np.zeros((3, 2))), privacy=PROMISE)
    assert reply.refusal is not None
    assert reply.refusal.code == "no-sensitivity"
    assert site.ledger.frame.empty


def test_a_rehearsal_costs_nothing_and_says_so() -> None:
    site = make()
    reply = ask(site, histogram(site), privacy=PROMISE, rehearsal=True)
    assert (reply.answer, reply.refusal, reply.charge) == (None, None, None)
    assert site.ledger.frame.empty


def test_a_hostile_coordinator_gets_no_more_rounds_than_were_calibrated() -> None:
    site = make(policy=fl.Policy(minimum_rows=1))
    codes = [request(site, 0, round=1) for _ in range(5)]
    assert codes == ["answered"] * 3 + ["rounds"] * 2
    # Nor by renaming the promise: the budget counts whatever the run is called.
    poor = make()
    codes = [request(poor, 0, run=f"run-{i}", round=1) for i in range(20)]
    assert codes[-1] == "budget"
    assert poor.ledger.epsilon(DELTA) <= 2.0


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": -3},
        {"epochs": -1, "batch_size": -5},
        {"epochs": 0},
        {"batch_size": -5, "steps": 1},
        {"batch_size": 0},
    ],
    ids=str,
)
def test_impossible_counts_cannot_credit_the_ledger(changes: dict[str, Any]) -> None:
    site = make()
    assert request(site, 2) == "answered"
    spent = site.ledger.epsilon(DELTA)
    with pytest.raises(ValueError, match="at least 1"):
        ask(site, fit(site, **changes), privacy=PROMISE)
    assert site.ledger.epsilon(DELTA) == spent
    assert request(site, 2, run="next") == "answered"


def test_one_site_that_refuses_keeps_the_others_from_paying() -> None:
    frame = table(120, seed=33)
    rich, poor = deal(frame, [60, 60], policy=None)
    poor.policy = fl.Policy(epsilon=0.01)
    run = fl.Federation([rich, poor]).train(MODEL, strategy=fl.FedAvg(), privacy=PROMISE)
    with pytest.raises(RefusedError, match="s01"):
        run.step()
    assert rich.ledger.frame.empty
    assert run.round == 0


@pytest.mark.parametrize(
    ("steps", "batch_size", "refused"),
    [(1, 1, True), (2, 5, True), (1, 11, False), (None, 1, False), (1, None, False)],
)
def test_an_answer_from_a_few_rows_of_many_is_an_answer_from_few(
    steps: int | None, batch_size: int | None, refused: bool
) -> None:
    door = lone(table(60), policy=fl.Policy(), ranges=RANGES)
    reply = ask(door, fit(door, steps=steps, batch_size=batch_size))
    assert (reply.refusal is not None) == refused
    if reply.refusal is not None:
        assert reply.refusal.code == "cohort"
        assert "batch_size" in reply.refusal.remedy
