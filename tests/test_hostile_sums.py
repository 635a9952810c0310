"""Secure sums among foes: on the line, at the coordinator's desk and at one of the sites.

Whatever they do, a sum is the exact one of the sites that a round names, or it ends by a typed
error with the run as it was; and no site ever gives both secrets of a peer.

Two things no secure sum can see, and they are shown as such: a site that masks other numbers than
its own, and numbers that are a hundred times too large but still fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from pathlib import Path
from threading import Barrier
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fedlab as fl
from fedlab.core.parameters import Parameters
from fedlab.core.wire import decode, encode
from fedlab.engines import Connection
from fedlab.errors import FedlabError, RefusedError, SecureSumError
from fedlab.privacy import Event
from fedlab.privacy.secure.differencing import tells_few
from fedlab.privacy.secure.member import Member, Opening
from fedlab.privacy.secure.opening import open_sum
from fedlab.privacy.secure.setting import Advert, Setting, floor
from fedlab.privacy.secure.signatures import Identity
from fedlab.queries import Answer, Moments, NewtonStep, Query, Reply, Request
from fedlab.queries.packing import Leaf, Pattern, unpack
from fedlab.queries.secure_sum import (
    Advertise,
    Advertised,
    Confirm,
    Confirmed,
    Mask,
    Masked,
    Open,
    Opened,
    SecureStep,
    Shared,
    ShareSecrets,
)
from fedlab.site import Site
from fedlab.site.secure_sums import MOST_AT_ONCE
from fedlab.training import Training
from tests.builders import OPEN, RANGES, ask, deal, table

SIZES = (30, 25, 23, 22)
STEPS: tuple[Any, ...] = (Advertise, ShareSecrets, Mask, Confirm, Open)
FRAME = table(100, 3)


def question_of(step: Query) -> bytes:
    return step.digest if isinstance(step, SecureStep) else b""


@dataclass
class Foe:
    """Somebody on the line, who sees all and changes what goes through, as bytes."""

    inner: Connection
    asked: Callable[[Request], Request] = lambda request: request
    replied: Callable[[Request, Reply], Reply] = lambda request, reply: reply
    seen: list[tuple[Request, Reply]] = field(default_factory=list)

    @property
    def sites(self) -> tuple[str, ...]:
        return self.inner.sites

    def ask(self, requests: Sequence[Request], on_reply: Any = None) -> list[Reply]:
        replies = []
        for sent in requests:
            request = decode(encode(self.asked(sent)), Request)
            (reply,) = self.inner.ask([request])
            self.seen.append((request, reply))
            replies.append(decode(encode(self.replied(request, reply)), Reply))
            if on_reply is not None:
                on_reply(replies[-1])
        return replies

    def away(self) -> None:
        self.asked, self.replied = (lambda request: request), (lambda request, reply: reply)


@dataclass(frozen=True)
class Line:
    """An engine with a foe in it."""

    foes: list[Foe] = field(default_factory=list)

    def connect(self, sites: Sequence[Site]) -> Connection:
        self.foes.append(Foe(fl.InProcess().connect(sites)))
        return self.foes[-1]


def federation(
    sites: Sequence[Site] | None = None, actor: fl.Actor | None = None
) -> tuple[fl.Federation, Foe]:
    line = Line()
    engine: Any = line if actor is None else fl.Signed(actor, line)
    fed = fl.Federation(deal(FRAME, SIZES) if sites is None else sites, seed=5, engine=engine)
    return fed, line.foes[0]


def secure(fed: fl.Federation, **given: Any) -> Training:
    return fed.train(fl.LogisticRegression(), aggregation="secure", **given)


@cache
def right_steps() -> dict[frozenset[str], Parameters]:
    """The first step of a plain run over all sites, and over any three of them."""
    found = {}
    fed = fl.Federation(deal(FRAME, SIZES), seed=5)
    for names in [fed.sites, *combinations(sorted(fed.sites), 3)]:
        others = [site for site in deal(FRAME, SIZES) if site.name in names]
        whole = fed.train(fl.LogisticRegression())
        run = fl.Federation(others, seed=5).train(fl.LogisticRegression())
        rows = {site: whole.problem.rows[site] for site in names}
        run.problem = msgspec.structs.replace(whole.problem, rows=rows)
        run.rounds = whole.rounds
        found[frozenset(names)] = run.step().state.parameters
    return found


def right_or_refused(run: Training) -> FedlabError | None:
    """Take the first step: the exact one of the sites it names, or a typed no and nothing else."""
    before = run.rounds
    try:
        done = run.step()
    except FedlabError as error:
        assert run.rounds == before
        return error
    expected = right_steps()[frozenset(done.rows)]
    assert np.abs((done.state.parameters - expected).vector).max() < 1e-8
    assert sum(done.rows.values()) == sum(SIZES[int(site[1:])] for site in done.rows)
    return None


def no_secret_opened(seen: Iterable[tuple[Request, Reply]]) -> None:
    """No site gave both shares of one peer, or twice, under whatever name of a sum."""  # R3
    given: dict[tuple[str, bytes, str], str] = {}
    for request, reply in seen:
        if isinstance(reply.answer, Opened):
            opening = reply.answer.opening
            for kind, peers in (("pad", opening.pads), ("own", opening.own)):
                for peer in peers:
                    key = (reply.site, question_of(request.query), peer)
                    assert key not in given
                    given[key] = kind


def held(foe: Foe) -> list[Site]:
    by_name: dict[str, Site] = foe.inner.by_name  # type: ignore[attr-defined]
    return [by_name[name] for name in sorted(by_name)]


def n_entries(foe: Foe) -> int:
    """How much all ledgers hold."""
    return sum(len(site.ledger.frame) for site in held(foe))


@dataclass
class Once:
    """Changes the first message of a step to or from a site, and no other."""

    step: type[Query]
    site: str
    change: Callable[[Any], Any]
    done: int = 0

    def __call__(self, request: Request, message: Any) -> Any:
        if self.done or request.site != self.site or not isinstance(request.query, self.step):
            return message
        self.done += 1
        return self.change(message)

    def on(self, foe: Foe, *, reply: bool) -> None:
        if reply:
            foe.replied = self
        else:
            foe.asked = lambda request: self(request, request)


def changed_bytes(how: str, place: float, by: int) -> Callable[[Any], Any]:
    """A message with a byte changed, put in or left out, or cut short, as it would be read."""

    def change(message: Any) -> Any:
        data = encode(message)
        at = int(place * len(data))
        left, right = data[:at], data[at + 1 :]
        middle = {"other": [data[at] ^ by], "more": [data[at], by]}.get(how, [])
        return decode(left + bytes(middle) + (b"" if how == "cut" else right), type(message))

    return change


HOW = st.sampled_from(["other", "other", "other", "more", "fewer", "cut"])
PLACES = st.floats(0, 1, exclude_max=True)
BY = st.integers(1, 255)
SITES = st.sampled_from(["s00", "s01", "s02", "s03"])


@settings(max_examples=40, deadline=None)
@given(st.sampled_from((*STEPS, NewtonStep)), SITES, st.booleans(), HOW, PLACES, BY)
def test_one_changed_byte_of_any_message_is_found_or_changes_nothing(
    step: type[Query], site: str, reply: bool, how: str, place: float, by: int
) -> None:  # R11
    fed, foe = federation()
    run = secure(fed)
    before = n_entries(foe)
    once = Once(step, site, changed_bytes(how, place, by))
    once.on(foe, reply=reply)
    right_or_refused(run)
    assert once.done
    no_secret_opened(foe.seen)
    # One entry for each sum that a site masked its answer for, and none for what it refused; a
    # rehearsal that was changed into a question is one more: only signatures prevent that.
    masked = sum(isinstance(r.answer, Masked) and r.round == 1 for _, r in foe.seen)
    assert masked <= n_entries(foe) - before <= masked + 1


@settings(max_examples=15, deadline=None)
@given(st.sampled_from((*STEPS, NewtonStep)), SITES, HOW, PLACES, BY)
def test_one_changed_byte_of_a_signed_request_is_refused_by_the_site(
    step: type[Query], site: str, how: str, place: float, by: int
) -> None:  # R11 R37
    ann = fl.Actor("ann")
    fed, foe = federation(
        deal(FRAME, SIZES, policy=fl.Policy(analysts={"ann": ann.public})), actor=ann
    )
    run = secure(fed)
    sent: list[Request] = []

    def change(request: Request) -> Request:
        sent.append(request)
        sent.append(changed_bytes(how, place, by)(request))
        return sent[-1]

    Once(step, site, change).on(foe, reply=False)
    right_or_refused(run)
    no_secret_opened(foe.seen)
    if len(sent) == 2 and sent[0] != sent[1]:
        (reply,) = [r for q, r in foe.seen if encode(q) == encode(sent[1])]
        assert reply.refusal is not None
        assert reply.refusal.code in {"signature", "misaddressed", "replay"}


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_no_step_is_answered_twice_in_whatever_order_it_is_replayed(signed: bool) -> None:
    ann = fl.Actor("ann")  # R3 R28
    policy = fl.Policy(analysts={"ann": ann.public}) if signed else fl.Policy()
    fed, foe = federation(deal(FRAME, SIZES, policy=policy), actor=ann if signed else None)
    run = secure(fed)
    run.step()
    steps = [request for request, _ in foe.seen if isinstance(request.query, SecureStep)]
    before = n_entries(foe)
    for request in [*steps, *reversed(steps)]:
        (reply,) = foe.inner.ask([request])
        assert reply.answer is None
        assert reply.refusal is not None
        assert reply.refusal.code == ("replay" if signed else "secure")
    assert n_entries(foe) == before
    run.step()
    no_secret_opened(foe.seen)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
@pytest.mark.parametrize("earlier", ["round", "run", "other site"])
def test_a_reply_from_elsewhere_is_taken_for_none(step: type[SecureStep], earlier: str) -> None:
    fed, foe = federation()  # R11 R28
    other = secure(fed, strategy=fl.FedAvg())
    other.step()
    run = secure(fed)

    def stale(request: Request, reply: Reply) -> Reply:
        if request.site != "s01" or not isinstance(request.query, step):
            return reply
        site = "s02" if earlier == "other site" else "s01"
        for asked, old in reversed(foe.seen):
            if isinstance(asked.query, step) and old.site == site and asked.run == other.id:
                # Also under the right name and number, which its signature does not cover then.
                forged = msgspec.structs.replace(old, site="s01", round=request.round)
                return old if earlier == "run" else forged
        raise AssertionError("nothing to replay")

    foe.replied = stale
    assert right_or_refused(run) is None
    # It was left out of the sum, or only of those who helped to open it.
    assert ("s01" in run.rounds[-1].rows) == (step in (Confirm, Open))
    no_secret_opened(foe.seen)


@pytest.mark.parametrize(
    "forged", [{"rows": 24}, {"charge": Event(9.0)}, {"signature": bytes(64)}, {"round": 2}]
)
def test_what_goes_beside_masked_values_cannot_be_changed_on_the_way(forged: Any) -> None:  # R11
    fed, foe = federation()
    run = secure(fed)
    Once(Mask, "s01", lambda reply: msgspec.structs.replace(reply, **forged)).on(foe, reply=True)
    assert right_or_refused(run) is None
    assert "s01" not in run.rounds[-1].rows
    assert not run.rounds[-1].charges


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
@pytest.mark.parametrize("renamed", [True, False])
def test_replies_of_two_sites_that_were_swapped_open_nothing(
    step: type[SecureStep], renamed: bool
) -> None:
    fed, foe = federation()
    run = secure(fed)
    swap = {"s01": "s02", "s02": "s01"}
    ask_all = foe.ask

    def ask(requests: Sequence[Request], on_reply: Any = None) -> list[Reply]:
        replies = ask_all(requests)
        if isinstance(requests[0].query, step):
            by_name = {reply.site: reply for reply in replies}
            replies = [
                msgspec.structs.replace(by_name[swap.get(r.site, r.site)], site=r.site)
                if renamed
                else by_name[swap.get(r.site, r.site)]
                for r in requests
            ]
        for reply in replies:
            if on_reply is not None:
                on_reply(reply)
        return replies

    foe.ask = ask  # type: ignore[method-assign]
    error = right_or_refused(run)
    assert isinstance(error, SecureSumError)
    no_secret_opened(foe.seen)


@pytest.mark.parametrize("part", ["run", "round", "seed", "site"])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_a_request_of_another_run_round_seed_or_site_ends_nothing_but_itself(
    part: str, step: type[SecureStep]
) -> None:
    fed, foe = federation()
    other: dict[str, Any] = {"run": "other", "round": 0, "seed": 6, "site": "s02"}
    run = secure(fed)
    change = {part: other[part]}
    Once(step, "s01", lambda request: msgspec.structs.replace(request, **change)).on(
        foe, reply=False
    )
    error = right_or_refused(run)
    assert error is None or isinstance(error, FedlabError)
    no_secret_opened(foe.seen)


# --- a site that is the foe ---------------------------------------------------------------


def from_site(
    foe: Foe, site: str, step: type[SecureStep], change: Callable[[Any], Any]
) -> Callable[[Request, Reply], Reply]:
    """What a hostile site sends: its own signature is under all of it."""
    identity = next(each for each in held(foe) if each.name == site)._store.identity

    def replied(request: Request, reply: Reply) -> Reply:
        query = request.query
        if request.site != site or not isinstance(query, step) or reply.answer is None:
            return reply
        changed = msgspec.structs.replace(reply, answer=change(reply.answer))
        return changed.signed(identity, query.about)

    return replied


def with_opening(answer: Opened, **parts: Any) -> Opened:
    return Opened(msgspec.structs.replace(answer.opening, **parts))


def more_leaves(answer: Masked) -> Masked:
    leaves = (*answer.pattern.leaves, Leaf(("more",), (2,), False))
    pattern = msgspec.structs.replace(answer.pattern, leaves=leaves)
    return Masked(np.concatenate([answer.values, [1, 2]]), pattern)


FOREIGN: dict[str, tuple[Any, Callable[[Any], Answer], str | None]] = {
    "other keys, not signed": (
        Advertise,
        lambda a: Advertised(msgspec.structs.replace(a.advert, pad=b"\x09" + bytes(31))),
        r"keys of 's01'",
    ),
    "keys of small order": (
        Advertise,
        lambda a: Advertised(msgspec.structs.replace(a.advert, seal=bytes(32))),
        r"keys of 's01'",
    ),
    "short keys": (
        Advertise,
        lambda a: Advertised(msgspec.structs.replace(a.advert, seal=b"")),
        None,
    ),
    "garbage for letters": (
        ShareSecrets,
        lambda a: Shared({site: bytes(len(letter)) for site, letter in a.sealed.items()}),
        r"from 's01' one that was changed",
    ),
    "huge letters": (
        ShareSecrets,
        lambda a: Shared({site: bytes(10**6) for site in a.sealed}),
        None,
    ),
    "a letter too few": (
        ShareSecrets,
        lambda a: Shared(dict(list(a.sealed.items())[1:])),
        None,
    ),
    "a letter for a stranger": (
        ShareSecrets,
        lambda a: Shared({**a.sealed, "stranger": b"letter"}),
        None,
    ),
    "too few values": (Mask, lambda a: Masked(a.values[1:], a.pattern), None),
    "floats": (Mask, lambda a: Masked(a.values.view(np.float64), a.pattern), None),
    "a table": (Mask, lambda a: Masked(a.values[None], a.pattern), None),
    "another pattern": (Mask, more_leaves, r"from 's01'"),
    "no pattern": (Mask, lambda a: Masked(a.values[:0], Pattern("x", ())), r"from 's01'"),
    "a pattern of bytes that nobody has": (
        Mask,
        lambda a: Masked(a.values, Pattern("x", (Leaf(("v",), (2**62, 4), True),))),
        None,
    ),
    "another's signature": (Confirm, lambda a: Confirmed(bytes(64)), r"confirmation of 's01'"),
    "no signature": (Confirm, lambda a: Confirmed(b""), None),
    "no shares": (Open, lambda a: Opened(Opening(pads={}, own={})), None),
    "short shares": (
        Open,
        lambda a: with_opening(a, own=dict.fromkeys(a.opening.own, b"short")),
        None,
    ),
    "wrong shares": (
        Open,
        lambda a: with_opening(a, own=dict.fromkeys(a.opening.own, bytes(33))),
        r"wrong share",
    ),
    "shares of strangers": (
        Open,
        lambda a: with_opening(a, own={**a.opening.own, "stranger": bytes(33)}),
        None,
    ),
    "another kind of answer": (Open, lambda a: Confirmed(bytes(64)), None),
    "no step's answer": (Mask, lambda a: Shared({}), None),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_hostile_site_is_left_out_or_named_and_nobody_else_is_harmed(kind: str) -> None:
    step, change, said = FOREIGN[kind]  # R25
    fed, foe = federation()
    run = secure(fed)
    foe.replied = from_site(foe, "s01", step, change)
    error = right_or_refused(run)
    if said is None:
        assert error is None
    else:
        with pytest.raises(FedlabError, match=said):
            raise error or AssertionError("it went through")
    no_secret_opened(foe.seen)


@pytest.mark.parametrize("step", [Mask, Confirm], ids=lambda step: step.__name__)
@pytest.mark.parametrize("rows", [-1, 10**9])
def test_more_rows_than_a_site_declared_are_not_believed(step: Any, rows: int) -> None:  # R25
    fed, foe = federation()
    run = secure(fed)
    identity = held(foe)[1]._store.identity

    def boast(request: Request, reply: Reply) -> Reply:
        if request.site != "s01" or not isinstance(request.query, step):
            return reply
        boasting = msgspec.structs.replace(reply, rows=rows)
        return boasting.signed(identity, request.query.about)

    foe.replied = boast
    assert right_or_refused(run) is None
    assert run.rounds[-1].rows.get("s01") in ([None] if step is Mask else [25])


def test_a_hostile_site_that_wraps_no_shares_is_named() -> None:
    sites = deal(FRAME, SIZES)
    fed, foe = federation(sites)
    run = secure(fed)
    real = Member.share
    text = encode(["no", "shares"])

    def wrapped(member: Member, adverts: Mapping[str, Advert]) -> dict[str, bytes]:
        from fedlab.privacy.secure.envelope import seal

        letters = real(member, adverts)
        if member.name != "s01":
            return letters
        return {
            site: seal(
                member._seal_key(member.name, site, site),
                member.setting.use("shares", member.name, site),
                text,
            )
            for site in letters
        }

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Member, "share", wrapped)
        with pytest.raises(SecureSumError, match="from 's01' something else than shares"):
            run.step()
    no_secret_opened(foe.seen)


def test_other_numbers_under_a_mask_cannot_be_noticed_but_must_be_finite() -> None:  # R24
    fed, foe = federation()
    run = secure(fed)
    foe.replied = from_site(
        foe, "s01", Mask, lambda answer: Masked(answer.values + 2**32, answer.pattern)
    )
    done = run.step()
    expected = right_steps()[frozenset(fed.sites)]
    # Every number of the sum is off by one, and nobody can tell: a secure sum hides lies, too.
    assert np.abs((done.state.parameters - expected).vector).max() > 1e-3
    assert np.isfinite(done.state.parameters.vector).all()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused_at_the_site_and_the_others_go_on(
    value: float,
) -> None:  # R8
    fed, foe = federation()
    run = secure(fed)
    real = NewtonStep.compute

    def overflown(query: NewtonStep, rows: Any, context: Any) -> Any:
        answer: Any = real(query, rows, context)
        if context.purpose[-1] != "s01":
            return answer
        fields = {
            name: Parameters({key: array * value for key, array in part.items()})
            for name in answer.__struct_fields__
            if isinstance(part := getattr(answer, name), Parameters)
        }
        return msgspec.structs.replace(answer, **fields)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NewtonStep, "compute", overflown)
        assert right_or_refused(run) is None
    assert "s01" not in run.rounds[-1].rows
    said = [r.refusal for _, r in foe.seen if r.refusal is not None]
    assert [each.came for each in said if each.code == "secure"] == ["NaN or infinity"]


@pytest.mark.parametrize("factor", [100.0, 1e12])
def test_a_hundred_times_too_large_goes_unseen_unless_a_sum_could_overflow(factor: float) -> None:
    fed, foe = federation()  # R8 R24
    run = secure(fed)
    real = NewtonStep.compute

    def scaled(query: NewtonStep, rows: Any, context: Any) -> Any:
        answer: Any = real(query, rows, context)
        times = factor if context.purpose[-1] == "s01" else 1.0
        fields = {
            name: Parameters({key: array * times for key, array in part.items()})
            for name in answer.__struct_fields__
            if isinstance(part := getattr(answer, name), Parameters)
        }
        return msgspec.structs.replace(answer, **fields)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NewtonStep, "compute", scaled)
        done = run.step()
    overflows = factor > 1e9
    assert ("s01" in done.rows) != overflows
    expected = right_steps()[frozenset(done.rows)]
    gap = np.abs((done.state.parameters - expected).vector).max()
    assert gap < 1e-8 if overflows else gap > 1e-3
    no_secret_opened(foe.seen)


# --- a coordinator that is the foe --------------------------------------------------------


class Desk:
    """A coordinator that asks whatever it likes, in its own words."""

    def __init__(self, doors: Sequence[Site], query: Query | None = None, **changes: Any) -> None:
        self.sites = {site.name: site for site in doors}
        schema = doors[0].schema
        n_numbers = sum(column.kind == "number" for column in schema.columns)
        self.query: Any = query or Moments(schema, np.zeros(n_numbers))
        names = tuple(sorted(self.sites))
        given: dict[str, Any] = {
            "run": "run",
            "round": 1,
            "attempt": 0,
            "question": sha(self.query),
            "sites": names,
            "identities": tuple(bytes.fromhex(self.sites[name].identity) for name in names),
            "weights": (1,) * len(names),
            "threshold": floor(len(names), collusion=False),
            **changes,
        }
        self.setting = Setting(**given)
        self.seen: list[tuple[Request, Reply]] = []

    def ask(self, site: str, step: Query, **changes: Any) -> Reply:
        named = {"run": self.setting.run, "round": self.setting.round, **changes}
        reply = ask(self.sites[site], step, **named)
        request = Request(site=site, query=step, seed=0, run=named["run"], round=named["round"])
        self.seen.append((request, reply))
        return reply

    def begin(self, *names: str) -> dict[str, Advert]:
        step = Advertise(digest=self.setting.digest, setting=self.setting, query=self.query)
        replies = {site: told(self.ask(site, step)) for site in names or self.sites}
        return {site: answer.advert for site, answer in replies.items()}

    def share(self, adverts: dict[str, Advert]) -> dict[str, dict[str, bytes]]:
        step = ShareSecrets(digest=self.setting.digest, adverts=adverts)
        return {site: told(self.ask(site, step)).sealed for site in adverts}

    def mask(self, sealed: dict[str, dict[str, bytes]], *names: str) -> dict[str, Masked]:
        return {
            site: told(
                self.ask(
                    site,
                    Mask(
                        digest=self.setting.digest,
                        sealed={s: box[site] for s, box in sealed.items() if site in box},
                    ),
                )
            )
            for site in names or sealed
        }

    def confirm(self, survivors: Sequence[str]) -> dict[str, bytes]:
        step = Confirm(digest=self.setting.digest, survivors=tuple(survivors))
        return {site: told(self.ask(site, step)).signature for site in survivors}

    def open(self, signed: dict[str, bytes]) -> dict[str, Opening]:
        step = Open(digest=self.setting.digest, confirmations=signed)
        return {site: told(self.ask(site, step)).opening for site in signed}

    def sum(self, *names: str) -> np.ndarray[Any, Any]:
        """A whole sum over `names`, opened."""
        adverts = self.begin()
        sealed = self.share(adverts)
        masked = self.mask(sealed, *names)
        openings = self.open(self.confirm(sorted(masked)))
        values = {site: answer.values.view(np.uint64) for site, answer in masked.items()}
        total = open_sum(self.setting, adverts, frozenset(sealed), values, openings)
        found: np.ndarray[Any, Any] = total.view(np.int64) / 2.0**self.setting.bits
        return found


def sha(query: Query) -> bytes:
    import hashlib

    return hashlib.sha256(encode(query)).digest()


def told(reply: Reply) -> Any:
    """The answer, or the refusal as it would be raised."""
    if reply.error is not None:
        raise reply.error
    return reply.answer


def refused(match: str) -> Any:
    return pytest.raises(RefusedError, match=match)


def sites_of(n_sites: int, home: Path | None = None, **options: Any) -> list[Site]:
    sites = deal(FRAME.iloc[: 12 * n_sites], (12,) * n_sites, **options)
    if home is None:
        return sites
    return [
        fl.Site(
            site.name,
            FRAME.iloc[12 * i : 12 * i + 12],
            target="died",
            test_size=0.0,
            policy=options.get("policy", OPEN),
            home=home / site.name,
            ranges=RANGES,
            simulated=True,
        )
        for i, site in enumerate(sites)
    ]


def pooled_of(desk: Desk, names: Iterable[str]) -> np.ndarray[Any, Any]:
    """The sum that is due, from answers in the clear."""
    parts = []
    for name in names:
        answer: Any = told(ask(desk.sites[name], desk.query))
        parts.append(np.concatenate([answer.count, answer.total, answer.squares]))
    total: np.ndarray[Any, Any] = np.sum(parts, axis=0)
    return total


def test_a_desk_that_keeps_the_rules_gets_the_sum() -> None:
    desk = Desk(sites_of(4))
    total = desk.sum()
    assert np.abs(total - pooled_of(desk, desk.sites)).max() < 1e-6
    no_secret_opened(desk.seen)


def test_nothing_is_opened_twice_nor_with_two_lists_nor_begun_again() -> None:  # R3
    desk = Desk(sites_of(4))
    adverts = desk.begin()
    sealed = desk.share(adverts)
    desk.mask(sealed)
    whole = sorted(desk.sites)
    signed = desk.confirm(whole)
    desk.open(signed)
    digest = desk.setting.digest
    for site in whole:
        with refused("begun here and not ended"):
            told(desk.ask(site, Open(digest=digest, confirmations=signed)))
        with refused("begun here and not ended"):
            told(desk.ask(site, Confirm(digest=digest, survivors=tuple(whole[:3]))))
        with refused("takes part in a secure sum once"):
            desk.begin(site)
    no_secret_opened(desk.seen)


def test_a_second_list_of_survivors_ends_the_sum_for_the_site() -> None:  # R3 R4
    desk = Desk(sites_of(4))
    desk.mask(desk.share(desk.begin()))
    names = sorted(desk.sites)
    signed = desk.confirm(names)
    with refused("once each"):
        desk.confirm(names[:3])
    with refused("begun here and not ended"):
        desk.open(signed)
    no_secret_opened(desk.seen)


def test_of_two_lists_that_come_at_the_same_moment_one_is_signed() -> None:  # R3
    for attempt in range(10):
        desk = Desk(sites_of(4), attempt=attempt)
        desk.mask(desk.share(desk.begin()))
        names = sorted(desk.sites)
        lists = [tuple(names), tuple(names[:3])]
        start = Barrier(2)

        def sign(survivors: tuple[str, ...], desk: Desk = desk, start: Barrier = start) -> bool:
            start.wait()
            reply = desk.ask("s00", Confirm(digest=desk.setting.digest, survivors=survivors))
            return reply.answer is not None

        with ThreadPoolExecutor(2) as pool:
            assert sum(pool.map(sign, lists)) <= 1


def test_a_sum_that_a_site_began_is_over_after_a_restart_and_not_begun_again(
    tmp_path: Path,
) -> None:  # R3 R26
    desk = Desk(sites_of(3, tmp_path))
    adverts = desk.begin()
    sealed = desk.share(adverts)
    desk.mask(sealed)
    names = sorted(desk.sites)
    signed = desk.confirm(names)
    again = Desk(sites_of(3, tmp_path))
    assert again.setting.digest == desk.setting.digest
    with refused("begun here and not ended"):
        again.open(signed)
    with refused("takes part in a secure sum once"):
        again.begin()
    fresh = Desk(list(again.sites.values()), attempt=1)
    assert np.abs(fresh.sum() - pooled_of(fresh, names)).max() < 1e-6
    for name in names:
        assert fl.audit.verify(tmp_path / name)
    assert "secure" in set(fresh.sites["s00"].audit.frame["outcome"])


def test_two_questions_do_not_go_under_one_digest() -> None:  # R5
    desk = Desk(sites_of(3))
    other = msgspec.structs.replace(desk.query, center=desk.query.center + 1.0)
    for step in (
        Advertise(digest=desk.setting.digest, setting=desk.setting, query=other),
        Advertise(
            digest=desk.setting.digest,
            setting=msgspec.structs.replace(desk.setting, attempt=1),
            query=desk.query,
        ),
        Advertise(
            digest=desk.setting.digest,
            setting=desk.setting,
            query=desk.query,
            privacy=fl.RecordDP(epsilon=1.0, delta=1e-5, rounds=1),
        ),
    ):
        with refused("question, promise|sensitivity"):
            told(desk.ask("s00", step))
    with refused("question, promise"):
        told(
            desk.ask(
                "s00",
                Advertise(digest=desk.setting.digest, setting=desk.setting, query=desk.query),
                round=2,
            )
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": (1, 1, 2)},
        {"bits": 31},
        {"mean": True},
        {"threshold": 3},
        {"seed": 0, "round": 2},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_sites_that_are_told_different_settings_trust_no_keys_of_each_other(
    changes: dict[str, Any],
) -> None:  # R4 R5
    desk = Desk(sites_of(3))
    adverts = desk.begin("s00", "s01")
    other = Desk(list(desk.sites.values()), **changes)
    adverts |= other.begin("s02")
    with refused("signed by the identity"):
        desk.share(adverts)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": 2}, "between 3 and 4"),
        ({"weights": (1, 1, 1, 10**9), "mean": True}, "more than 90%"),
        ({"weights": (1, 1, 1, 0)}, "positive"),
        ({"protocol": "fedlab secure sum 0"}, "speaks"),
        ({"sites": ("s00", "s01", "s02"), "identities": (), "weights": ()}, "lists that do not"),
        ({"degree": 2, "threshold": 1}, "between 2 and 3"),
    ],
)
def test_a_site_takes_part_in_no_sum_that_would_tell_its_own_answer(
    changes: dict[str, Any], said: str
) -> None:  # R2 R6
    desk = Desk(sites_of(4), **changes)
    with refused(said):
        desk.begin("s00")


def test_a_site_may_insist_on_sums_that_hold_out_against_collusion() -> None:  # R2
    sites = sites_of(4, policy=fl.Policy(minimum_rows=1, collusion=True))
    with refused("hold out against collusion"):
        Desk(sites).begin("s00")
    with refused("between 3 and 4"):
        Desk(sites, collusion=True, threshold=2).begin("s00")
    Desk(sites, collusion=True, threshold=floor(4, collusion=True)).sum()


def test_weights_of_those_who_are_left_may_not_be_lopsided_either() -> None:  # R6
    desk = Desk(sites_of(5), weights=(1, 1, 60, 30, 30), mean=True)
    desk.mask(desk.share(desk.begin()))
    with refused("more than 90%"):
        desk.confirm(["s00", "s01", "s02"])


def test_one_question_with_two_weightings_is_refused() -> None:  # R6
    sites = sites_of(4)
    Desk(sites).sum()
    # The second sum less the first is a site's own answer.
    with refused("differ by fewer"):
        Desk(sites, attempt=1, weights=(1, 1, 1, 2), mean=True).sum()


def test_three_sums_that_together_tell_one_site_are_refused() -> None:  # R6
    sites = sites_of(7)
    names = [site.name for site in sites]
    Desk(sites).sum(*names[:4])
    Desk(sites, attempt=1).sum(names[0], *names[4:])
    # No two of the three differ by fewer than three sites; the first two less the third is s00's.
    with refused("differ by fewer"):
        Desk(sites, attempt=2).sum()


def test_a_sum_may_be_asked_again_over_the_same_sites() -> None:
    sites = sites_of(3)
    first, second = (Desk(sites, attempt=attempt).sum() for attempt in (0, 1))
    assert first.tolist() == second.tolist()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcde"), st.integers(1, 4), min_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_what_sums_tell_together_is_found_as_by_ranks(
    sums: list[dict[str, int]],
) -> None:
    rows = np.array([[each.get(site, 0) for site in "abcde"] for each in sums])
    tells = any(
        np.linalg.matrix_rank(np.delete(rows, pair, axis=1)) < np.linalg.matrix_rank(rows)
        for pair in combinations(range(5), 2)
    )
    assert tells_few(sums) == tells


def invented(desk_sites: Sequence[Site], n_invented: int) -> dict[str, Any]:
    """A setting with sites that are nobody's."""
    real = {site.name: bytes.fromhex(site.identity) for site in desk_sites}
    fake = {f"x{i}": Identity.fresh().public for i in range(n_invented)}
    everyone = dict(sorted({**real, **fake}.items()))
    return {
        "sites": tuple(everyone),
        "identities": tuple(everyone.values()),
        "weights": (1,) * len(everyone),
        "threshold": floor(len(everyone), collusion=False),
    }


def test_invented_sites_are_kept_out_by_a_policy_that_names_peers() -> None:  # R4
    names = {site.name: site.identity for site in sites_of(3)}
    sites = sites_of(3, policy=fl.Policy(minimum_rows=1, peers=names))
    desk = Desk(sites[:1], **invented(sites[:1], 4))
    with refused("identity it is known by|among those only"):
        desk.begin("s00")


def test_without_named_peers_invented_sites_pass_for_sites() -> None:  # R4
    # Known on first sight only: why a policy should name its peers.
    sites = sites_of(3)
    desk = Desk(sites[:1], **invented(sites[:1], 2))
    assert set(desk.begin("s00")) == {"s00"}


def test_a_forged_first_setting_does_not_decide_who_peers_are() -> None:  # R4
    sites = sites_of(3)
    forged = [bytes.fromhex(site.identity) for site in sites]
    forged[1], forged[2] = Identity.fresh().public, Identity.fresh().public
    Desk(sites, attempt=7, identities=tuple(forged)).begin("s00")
    honest = Desk(sites)
    assert np.abs(honest.sum() - pooled_of(honest, honest.sites)).max() < 1e-6
    # From now on they are known.
    with refused("identity it is known by"):
        Desk(sites, attempt=8, identities=tuple(forged)).begin("s00")


def test_sums_that_are_begun_and_never_ended_fill_no_memory() -> None:
    sites = sites_of(3)
    first = Desk(sites)
    adverts = first.begin()
    for attempt in range(1, 3 * MOST_AT_ONCE):
        Desk(sites, attempt=attempt).begin("s00")
    assert len(sites[0]._sums._open) == MOST_AT_ONCE
    # The oldest was given up: its coordinator is told so, and begins anew.
    with refused("begun here and not ended"):
        first.share(adverts)
    last = Desk(sites, attempt=99)
    assert np.abs(last.sum() - pooled_of(last, last.sites)).max() < 1e-6


def test_two_coordinators_at_once_do_not_disturb_each_other() -> None:
    sites = sites_of(4)
    one, two = Desk(sites, run="one"), Desk(sites, run="two", attempt=5)
    adverts = {desk: desk.begin() for desk in (one, two)}
    sealed = {desk: desk.share(adverts[desk]) for desk in (two, one)}
    masked = {desk: desk.mask(sealed[desk]) for desk in (one, two)}
    signed = {desk: desk.confirm(sorted(masked[desk])) for desk in (two, one)}
    for desk in (one, two):
        openings = desk.open(signed[desk])
        values = {site: answer.values.view(np.uint64) for site, answer in masked[desk].items()}
        total = open_sum(desk.setting, adverts[desk], frozenset(values), values, openings)
        found = total.view(np.int64) / 2.0**desk.setting.bits
        assert np.abs(found - pooled_of(desk, desk.sites)).max() < 1e-6
    no_secret_opened([*one.seen, *two.seen])


def test_parts_of_two_sums_do_not_go_together() -> None:
    sites = sites_of(3)
    one, two = Desk(sites), Desk(sites, attempt=1)
    sealed = one.share(one.begin())
    two.share(two.begin())
    with refused("from 's01' one that was changed|from 's00' one that was changed"):
        two.mask(sealed)
    two = Desk(sites, attempt=2)
    two.mask(two.share(two.begin()))
    one.mask(sealed)
    signed = one.confirm(sorted(one.sites))
    two.confirm(sorted(two.sites))
    with refused("one list of survivors"):
        two.open(signed)
    no_secret_opened([*one.seen, *two.seen])


@pytest.mark.parametrize("kind", ["step", "description", "ledger"])
def test_only_questions_about_rows_are_summed(kind: str) -> None:
    from fedlab.queries import Describe, ReadLedger

    sites = sites_of(3)
    inner: Query = {
        "step": Open(digest=b"", confirmations={}),
        "description": Describe(),
        "ledger": ReadLedger(),
    }[kind]
    desk = Desk(sites, inner)
    with pytest.raises(RefusedError) as caught:
        desk.sum()
    assert caught.value.code in {"unfit", "secure", "failed"}
    no_secret_opened(desk.seen)


def test_ledger_and_audit_are_whole_whatever_was_tried(tmp_path: Path) -> None:  # R26 R42
    policy = fl.Policy(minimum_rows=1, epsilon=3.0, exact=True)
    sites = sites_of(4, tmp_path, policy=policy)
    heads = [site.audit.head for site in sites]
    fed, foe = federation(sites)
    promise = fl.RecordDP(epsilon=2.0, delta=1e-5, rounds=2)
    run = secure(fed, strategy=fl.FedAvg(), privacy=promise)
    for step, name in zip(STEPS, ["s00", "s01", "s02", "s03", "s00"], strict=True):
        Once(step, name, lambda reply: msgspec.structs.replace(reply, round=9)).on(foe, reply=True)
        before = run.rounds
        try:
            run.step()
        except FedlabError:
            assert run.rounds == before
    no_secret_opened(foe.seen)
    for site, head in zip(sites, heads, strict=True):
        assert fl.audit.verify(tmp_path / site.name, head)
        noisy = site.ledger.frame.dropna(subset=["noise_multiplier"])
        masked = [
            r
            for q, r in foe.seen
            if r.site == site.name and isinstance(r.answer, Masked) and r.charge
        ]
        # Each masked answer was paid for before it left, and nothing else was.
        assert len(noisy) == len(masked) <= 2


# --- patterns -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        Pattern("MomentSums", (Leaf((), (3,), False),)),
        Pattern("MomentSums", (Leaf(("a", "b", "c"), (3,), False),)),
        Pattern("MomentSums", (Leaf(("count",), (-1, -3), False),)),
        Pattern("MomentSums", (Leaf(("count",), (3,), False), Leaf(("count", "x"), (0,), False))),
        Pattern("MomentSums", (Leaf(("count",), (3,), False),)),
        Pattern("MomentSums", (Leaf(("none",), (3,), False),)),
        Pattern("Nothing", (Leaf(("count",), (3,), False),)),
        Pattern("Masked", (Leaf(("values",), (3,), False),)),
        Pattern("MomentSums", (Leaf(("count",), (4,), False),)),
        Pattern("MomentSums", ()),
    ],
)
def test_a_pattern_of_no_answer_ends_the_sum(pattern: Pattern) -> None:  # R25
    with pytest.raises(SecureSumError, match=r"as many values|look like an answer"):
        unpack(np.zeros(3, dtype=np.uint64), pattern, weight=1, bits=32)


def test_what_goes_beside_masked_values_does_not_depend_on_rows() -> None:  # R9
    patterns = []
    for seed in (3, 4):
        fed, foe = federation(deal(table(100, seed), SIZES, test_size=0.25))
        run = secure(fed)
        run.step()
        run.evaluate()
        patterns.append(
            [(r.site, r.answer.pattern) for _, r in foe.seen if isinstance(r.answer, Masked)]
        )
        # Beside them are numbers of rows, which sites declare to everybody who asks.
        declared = {site.name: set(site._card.values()) for site in held(foe)}
        assert all(r.rows in declared[r.site] for _, r in foe.seen if isinstance(r.answer, Masked))
    assert patterns[0] == patterns[1]
