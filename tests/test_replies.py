"""Replies are looked at before they are believed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pytest

import fedlab as fl
from fedlab.coordinator import Coordinator
from fedlab.core.parameters import Parameters
from fedlab.core.schema import Column, Schema
from fedlab.engines import InProcess
from fedlab.errors import FedlabError, MessageError
from fedlab.queries import (
    Describe,
    LocalFit,
    Moments,
    MomentSums,
    NewtonStep,
    Reply,
    Request,
    Score,
    Slope,
    Tally,
    Update,
)
from tests.builders import PROMISE, ask, bits, deal, numeric

Tamper = Callable[[Reply], Reply | None]


@dataclass
class Liar:
    """An engine whose last site's replies to one kind of query are tampered with."""

    kind: type
    tamper: Tamper

    def connect(self, sites: Sequence[fl.Site]) -> Any:
        genuine = InProcess().connect(sites)
        liar = self

        class Line:
            sites = genuine.sites

            def ask(self, requests: Sequence[Request], on_reply: Any = None) -> list[Reply]:
                replies: list[Reply | None] = list(genuine.ask(requests, on_reply))
                if isinstance(requests[0].query, liar.kind) and not requests[0].rehearsal:
                    last = replies[-1]
                    assert last is not None
                    replies[-1] = liar.tamper(last)
                return [reply for reply in replies if reply is not None]

        return Line()


def with_array(array: Any) -> Tamper:
    return lambda reply: msgspec.structs.replace(
        reply, answer=Update(Parameters({"coef": array, "intercept": 0.0}))
    )


REPLACED: dict[str, Tamper] = {
    "nan": with_array([0.0, np.nan, 0.0]),
    "infinite": with_array([0.0, np.inf, 0.0]),
    "shape": with_array([0.0, 0.0]),
    "shape-2d": with_array([[0.0, 0.0, 0.0]]),
    "names": lambda r: msgspec.structs.replace(
        r, answer=Update(Parameters({"coefs": np.zeros(3), "intercept": 0.0}))
    ),
    "order": lambda r: msgspec.structs.replace(
        r, answer=Update(Parameters({"intercept": 0.0, "coef": np.zeros(3)}))
    ),
    "type": lambda r: msgspec.structs.replace(r, answer=Tally({})),
    "empty": lambda r: msgspec.structs.replace(r, answer=None),
    "site": lambda r: msgspec.structs.replace(r, site="s00"),
    "round": lambda r: msgspec.structs.replace(r, round=r.round + 1),
    "silent": lambda _: None,
    "rows-0": lambda r: msgspec.structs.replace(r, rows=0),
    "rows-negative": lambda r: msgspec.structs.replace(r, rows=-1),
    "rows-many": lambda r: msgspec.structs.replace(r, rows=10**9),
    "charge": lambda r: msgspec.structs.replace(r, charge=None),
}


# R25
@pytest.mark.parametrize("lie", sorted(REPLACED))
@pytest.mark.parametrize("private", [False, True])
def test_a_reply_that_does_not_fit_leaves_state_and_ledger_whole(lie: str, private: bool) -> None:
    if lie == "charge" and not private:
        pytest.skip("an exact answer has no charge")
    sites = deal(numeric(60), [30, 30])
    fed = fl.Federation(sites, engine=Liar(LocalFit, REPLACED[lie]))
    run = fed.train(
        fl.LogisticRegression(),
        strategy=fl.FedAvg(batch_size=None),
        privacy=PROMISE if private else None,
    )
    before = bits(run.state.parameters)
    with pytest.raises(MessageError):
        run.step()
    assert run.round == 0
    assert bits(run.state.parameters) == before
    # What the honest sites gave is known, and so it stays on their ledgers.
    fits = [(s.ledger.frame["query"] == "LocalFit").sum() for s in sites]
    assert fits == [1, 1]


OBJECTS = np.array([[object()] * 4] * 4)


@pytest.mark.parametrize(
    ("kind", "tamper"),
    [
        (NewtonStep, lambda r: _slope(r, hessian=OBJECTS)),
        (NewtonStep, lambda r: _slope(r, hessian=np.full((4, 4), np.nan))),
        (NewtonStep, lambda r: _slope(r, hessian=np.zeros((3, 4)))),
        (NewtonStep, lambda r: _slope(r, hessian=np.full((4, 4), "a"))),
        (NewtonStep, lambda r: _slope(r, loss=math.nan)),
        (Moments, lambda r: msgspec.structs.replace(r, answer=MomentSums(*[OBJECTS[0, :3]] * 3))),
        (Moments, lambda r: msgspec.structs.replace(r, answer=MomentSums(*[-np.ones(3)] * 3))),
        (Score, lambda r: msgspec.structs.replace(r, answer=Tally({"log_loss": OBJECTS[0]}))),
        (Score, lambda r: msgspec.structs.replace(r, rows=0)),
    ],
    ids=range(9),
)
def test_arrays_that_are_no_finite_numbers_are_message_errors(kind: type, tamper: Tamper) -> None:
    fed = fl.Federation(deal(numeric(60), [30, 30]), engine=Liar(kind, tamper))
    with pytest.raises(MessageError):
        fed.train(fl.LogisticRegression(), strategy=fl.FedNewton()).step()


def _slope(reply: Reply, **changes: Any) -> Reply:
    assert isinstance(reply.answer, Slope)
    return msgspec.structs.replace(reply, answer=msgspec.structs.replace(reply.answer, **changes))


def test_asking_a_site_that_is_not_there_is_a_typed_error() -> None:
    connection = InProcess().connect(deal(numeric(30), [30]))
    with pytest.raises(FedlabError, match="nobody"):
        Coordinator(connection, 0).ask("run", 1, {"nobody": Describe()})


def test_a_request_for_another_site_or_other_columns_is_refused_at_the_site() -> None:
    (site,) = deal(numeric(30), [30])
    reply = ask(site, Moments(Schema((Column("weight"),), "died", (0, 1)), np.zeros(1)))
    assert reply.refusal is not None
    assert reply.refusal.code == "unfit"
    reply = ask(site, Describe(), site="other")
    assert reply.refusal is not None
    assert reply.refusal.code == "misaddressed"
