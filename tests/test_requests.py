"""Who asks is known, each request is taken once and in order, and roles keep to theirs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fedlab as fl
from fedlab import audit
from fedlab.core.wire import decode, encode
from fedlab.engines import Signed
from fedlab.errors import DataError, MessageError, RefusedError
from fedlab.queries import (
    Describe,
    Moments,
    MomentSums,
    Query,
    ReadAuditHead,
    ReadLedger,
    Reply,
    Request,
)
from fedlab.secure_sum import SecureCoordinator
from fedlab.site import Actor, Site
from tests.builders import MODEL, PROMISE, RANGES, deal, fit, numeric, table

ANN, KIM, LEE, EVE = Actor("ann"), Actor("kim"), Actor("lee"), Actor("eve")
POLICY = fl.Policy(
    minimum_rows=1,
    analysts={"ann": ANN.public},
    auditors={"kim": KIM.public},
    owners={"lee": LEE.public},
)


def door(home: Path | None = None, policy: fl.Policy = POLICY) -> Site:
    options: dict[str, Any] = {"target": "died", "test_size": 0.0, "ranges": RANGES, "home": home}
    return Site("mercy", table(64, seed=31), policy=policy, **options)


def plain(query: Query | None = None, **changes: Any) -> Request:
    options: dict[str, Any] = {"site": "mercy", "run": "run", "round": 1, "seed": 0}
    return Request(query=query or QUERY, **{**options, **changes})


def code(reply: Reply) -> str:
    return "answered" if reply.refusal is None else reply.refusal.code


QUERY = fit(door())


def test_a_site_that_names_analysts_answers_them_and_nobody_else() -> None:
    site = door()
    assert code(site.answer(ANN.sign(plain()))) == "answered"
    assert code(site.answer(plain())) == "signature"
    assert code(site.answer(plain(actor="ann", sequence=99))) == "signature"
    assert code(site.answer(EVE.sign(plain()))) == "signature"
    posing = plain().signed("ann", 99, EVE.identity)
    assert code(site.answer(posing)) == "signature"
    assert code(site.answer(plain(Describe()))) == "signature"
    told = site.audit.frame
    assert told["actor"].tolist() == ["ann", *["unsigned"] * 5]
    assert told["outcome"].tolist() == ["answered", *["signature"] * 5]
    # What a stranger sends uses up no number of ann's.
    assert code(site.answer(ANN.sign(plain()))) == "answered"


def test_a_simulated_site_takes_unsigned_requests_unless_it_names_actors() -> None:
    site = door(policy=fl.Policy(minimum_rows=1))
    assert code(site.answer(plain())) == "answered"
    # A signature that nobody can check names nobody.
    assert code(site.answer(EVE.sign(plain()))) == "answered"
    assert set(site.audit.frame["actor"]) == {"unsigned"}


CHANGES: list[tuple[str, Callable[[Request], Any]]] = [
    ("run", lambda r: "other"),
    ("round", lambda r: r.round + 1),
    ("seed", lambda r: r.seed + 1),
    ("query", lambda r: msgspec.structs.replace(QUERY, learning_rate=9.0)),
    ("privacy", lambda r: PROMISE),
    ("rehearsal", lambda r: True),
    ("actor", lambda r: "kim"),
    ("sequence", lambda r: r.sequence + 1),
    ("signature", lambda r: bytes(64)),
    ("signature", lambda r: b""),
]


# R11
@pytest.mark.parametrize(("part", "change"), CHANGES, ids=[part for part, _ in CHANGES])
def test_a_signature_binds_every_part(part: str, change: Callable[[Request], Any]) -> None:
    site, request = door(), ANN.sign(plain())
    forged = msgspec.structs.replace(request, **{part: change(request)})
    assert code(site.answer(forged)) == "signature"
    assert site.ledger.frame.empty
    assert code(site.answer(request)) == "answered"


# R11
def test_a_request_to_one_site_is_none_to_another() -> None:
    request = msgspec.structs.replace(ANN.sign(plain(site="other")), site="mercy")
    assert code(door().answer(request)) == "signature"


# R11
@given(data=st.data())
def test_a_changed_byte_of_a_signed_request_is_refused(data: st.DataObject) -> None:
    request = ANN.sign(plain())
    sent = bytearray(encode(request))
    place = data.draw(st.integers(0, len(sent) - 1))
    sent[place] ^= data.draw(st.integers(1, 255))
    try:
        arrived = decode(bytes(sent), Request)
    except MessageError:
        return
    public = bytes.fromhex(ANN.public)
    same = encode(msgspec.structs.replace(arrived)) == encode(request)
    assert arrived.is_signed_by(public) == same


# R28
def test_replay_and_reordering_are_refused_by_number_and_not_by_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = door()
    first, second, third = (ANN.sign(plain()) for _ in range(3))
    assert code(site.answer(first)) == "answered"
    assert code(site.answer(first)) == "replay"
    assert code(site.answer(third)) == "answered"
    assert code(site.answer(second)) == "replay"
    hour = time.time() - 3600
    monkeypatch.setattr(time, "time", lambda: hour)
    monkeypatch.setattr(
        "fedlab.site.ledger.now", lambda: datetime.fromtimestamp(hour, UTC).isoformat()
    )
    assert code(site.answer(third)) == "replay"
    assert code(site.answer(ANN.sign(plain()))) == "answered"
    assert len(site.ledger.frame) == 3


@pytest.mark.parametrize("number", [0, -1, 2**63, 2**64 - 1])
def test_an_impossible_number_is_refused(number: int) -> None:
    site = door()
    request = plain().signed("ann", number, ANN.identity)
    assert code(site.answer(request)) == "replay"
    assert code(site.answer(ANN.sign(plain()))) == "answered"


# R28
def test_a_restart_forgets_no_number(tmp_path: Path) -> None:
    ann = Actor("ann", tmp_path / "ann")
    policy = fl.Policy(minimum_rows=1, analysts={"ann": ann.public})
    request = ann.sign(plain())
    assert code(door(tmp_path / "home", policy).answer(request)) == "answered"
    assert code(door(tmp_path / "home", policy).answer(request)) == "replay"
    again = Actor("ann", tmp_path / "ann")
    assert again.public == ann.public
    later = again.sign(plain())
    assert later.sequence > request.sequence
    assert code(door(tmp_path / "home", policy).answer(later)) == "answered"


@pytest.mark.parametrize("round", [2**63, 2**64 - 1, -(2**63)])
def test_a_request_of_an_impossible_round_is_recorded_too(round: int) -> None:
    site = door(policy=fl.Policy(minimum_rows=65))
    assert code(site.answer(plain(round=round))) == "cohort"
    assert len(site.audit.frame) == 1


def test_one_request_sent_many_times_at_once_is_answered_once(tmp_path: Path) -> None:
    sites = [door(tmp_path), door(tmp_path)]
    request = ANN.sign(plain())
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda i: code(sites[i % 2].answer(request)), range(8)))
    assert sorted(codes) == ["answered", *["replay"] * 7]
    assert audit.verify(tmp_path, sites[0].audit.head)


@pytest.mark.parametrize("actor", [KIM, LEE], ids=["auditor", "owner"])
def test_auditors_and_owners_read_ledgers_and_heads_only(actor: Actor) -> None:
    site = door()
    for query in (Describe(), ReadLedger(), ReadAuditHead()):
        assert code(site.answer(actor.sign(plain(query)))) == "answered"
    assert code(site.answer(actor.sign(plain()))) == "role"
    assert code(site.answer(actor.sign(plain(rehearsal=True)))) == "role"
    assert site.ledger.frame.empty
    assert set(site.audit.frame["actor"]) == {actor.name}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("wire", [False, True])
def test_a_signed_run_has_the_bits_of_an_unsigned_one(threads: int, wire: bool) -> None:
    engine = fl.InProcess(threads=threads, wire=wire)
    states = []
    for policy, line in (
        (fl.Policy(minimum_rows=1), engine),
        (POLICY, Signed(ANN, engine)),
    ):
        sites = deal(table(80, seed=5), [30, 50], policy=policy)
        run = fl.Federation(sites, engine=line).train(MODEL)
        run.run(3, progress=False)
        states.append(run.state)
    assert states[0] == states[1]
    assert set(sites[0].audit.frame["actor"]) == {"ann"}
    numbers = sites[0].audit.frame["number"].tolist()
    assert numbers == sorted(set(numbers))


def test_a_federation_without_the_analysts_key_says_how_to_sign() -> None:
    with pytest.raises(RefusedError, match="signed by an actor") as caught:
        fl.Federation(deal(table(60, seed=5), [60], policy=POLICY))
    assert caught.value.code == "signature"
    with pytest.raises(RefusedError, match="Ask as an analyst") as caught:
        fl.Federation(deal(table(60, seed=5), [60], policy=POLICY), engine=Signed(KIM)).train(MODEL)
    assert caught.value.code == "role"


def test_numbers_are_set_aside_so_that_none_comes_twice(tmp_path: Path) -> None:
    numbers = [Actor("ann", tmp_path).sign(plain()).sequence for _ in range(3)]
    assert numbers == sorted(set(numbers))
    one = Actor("ann", tmp_path)
    assert [one.sign(plain()).sequence for _ in range(3)] == [3073, 3074, 3075]


def test_an_actor_needs_a_name_and_a_home_that_holds_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs a name"):
        Actor(" ")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="home must be a folder"):
        Actor("ann", tmp_path / "file")
    assert "secret" not in repr(ANN)
    assert ANN.identity.secret.hex() not in repr(vars(ANN))


def test_a_secure_sum_is_signed_step_by_step_and_leaves_out_who_did_not_agree() -> None:
    frame = numeric(90, seed=5).assign(mrn=range(90))
    sites = deal(frame, [30, 30, 30], policy=POLICY, patient="mrn")
    fed = fl.Federation(sites, engine=Signed(ANN))
    coordinator = SecureCoordinator(
        Signed(ANN).connect(sites),
        0,
        fed.coordinator.declared,
        identities={site.name: bytes.fromhex(site.identity) for site in sites},
    )
    query = Moments(fed.schema, np.zeros(len(fed.schema.names)))
    told = coordinator.ask("sum", 1, dict.fromkeys(fed.sites, query))
    sites[1].withdraw(40)
    left = coordinator.ask("sum", 2, dict.fromkeys(fed.sites, query))
    (before,), (after,) = told.values(), left.values()
    assert isinstance(before.answer, MomentSums)
    assert isinstance(after.answer, MomentSums)
    gone = frame.iloc[40][list(fed.schema.names)].to_numpy(float)
    np.testing.assert_allclose(before.answer.total - after.answer.total, gone, atol=1e-7)
    steps = sites[1].audit.frame
    assert set(steps["actor"]) == {"ann", "site"}
    assert {"Advertise", "ShareSecrets", "Mask", "Confirm", "Open"} <= set(steps["query"])
    unsigned = dataclasses.replace(coordinator, connection=fl.InProcess().connect(sites))
    with pytest.raises(RefusedError, match="signed by an actor"):
        unsigned.ask("sum", 3, dict.fromkeys(fed.sites, query))
