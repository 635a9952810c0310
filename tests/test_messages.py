"""Bytes that cross: they come back as they were, or fail as a MessageError, and never otherwise."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fedlab as fl
from fedlab.core.model import Model
from fedlab.core.wire import Open, decode, encode
from fedlab.errors import MessageError
from fedlab.privacy import Event
from fedlab.queries import (
    Answer,
    AuditHead,
    Describe,
    Description,
    LocalFit,
    Moments,
    MomentSums,
    NewtonStep,
    PersonalFit,
    PersonalUpdate,
    Query,
    ReadAuditHead,
    ReadLedger,
    Refusal,
    Reply,
    Request,
    Score,
    ScoreHistogram,
    Slope,
    Statement,
    StatementLine,
    Tally,
    Update,
)
from fedlab.strategies import Aggregator, Strategy
from tests.builders import PROMISE
from tests.travelling import ARRAYS, MORE, PARAMETERS, POSITIVE, SCHEMAS, SPACES, SPLITS, TEXT
from tests.travelling_judging import JUDGING

MODELS = st.builds(fl.LogisticRegression, C=POSITIVE | st.just(math.inf))
EVENTS = st.builds(Event, POSITIVE, st.floats(0.01, 1), st.integers(1, 9)) | st.builds(
    Event,
    POSITIVE,
    count=st.integers(1, 9),
    mechanism=st.sampled_from(["gaussian", "laplace", "concentrated"]),
)
COMMON: dict[str, Any] = {"model": MODELS, "space": SPACES}
MANY = st.lists(PARAMETERS, max_size=3).map(tuple)
FITS = st.builds(
    LocalFit,
    parameters=PARAMETERS,
    penalty=POSITIVE,
    learning_rate=POSITIVE,
    batch_size=st.none() | st.integers(1, 99),
    epochs=st.integers(1, 9),
    steps=st.none() | st.integers(1, 9),
    **COMMON,
)
STRATEGIES = (
    fl.FedNewton(),
    fl.FedSGD(learning_rate=0.1),
    fl.FedAvgM(aggregator=fl.Median()),
    fl.FedProx(mu=0.5),
    fl.SCAFFOLD(),
    fl.FedNova(),
    fl.FedAdagrad(),
    fl.FedAdam(),
    fl.FedYogi(),
    fl.Ditto(),
    fl.FineTuning(),
)
RULES = (
    fl.Mean(),
    fl.Median(),
    fl.TrimmedMean(f=1),
    fl.Krum(f=1),
    fl.MultiKrum(f=1, keep=2),
    fl.GeometricMedian(),
    fl.NormClipping(),
    fl.CentredClipping(),
)
OTHER_MODELS = (fl.LinearRegression(), fl.Ridge(), fl.PoissonRegression(), fl.SVC())
MEMBERS: dict[type, st.SearchStrategy[Any]] = {
    **MORE,
    **JUDGING,
    fl.LogisticRegression: MODELS,
    fl.FedAvg: st.builds(
        fl.FedAvg,
        local_epochs=st.integers(1, 9),
        local_steps=st.none() | st.integers(1, 9),
        batch_size=st.none() | st.integers(1, 99),
        learning_rate=st.none() | POSITIVE,
        site_fraction=st.floats(0.01, 1),
        weighting=st.sampled_from(["rows", "equal"]),
    ),
    **{type(each): st.just(each) for each in (*STRATEGIES, *RULES, *OTHER_MODELS)},
    Describe: st.just(Describe()),
    ReadLedger: st.just(ReadLedger()),
    ReadAuditHead: st.builds(ReadAuditHead, st.integers(0, 2**53)),
    AuditHead: st.builds(
        AuditHead,
        site=TEXT,
        sequence=st.integers(0, 2**53),
        hash=st.binary(max_size=32),
        identity=st.binary(max_size=32),
        signature=st.binary(max_size=64),
    ),
    Moments: st.builds(Moments, SCHEMAS, ARRAYS),
    PersonalFit: st.builds(
        PersonalFit, common=FITS, own=PARAMETERS, learning_rate=POSITIVE, mu=POSITIVE
    ),
    PersonalUpdate: st.builds(PersonalUpdate, PARAMETERS, PARAMETERS),
    NewtonStep: st.builds(
        NewtonStep,
        parameters=PARAMETERS,
        curvature_norm=POSITIVE,
        curvature_share=st.floats(0.01, 0.99),
        **COMMON,
    ),
    LocalFit: FITS,
    Score: st.builds(Score, candidates=MANY, split=SPLITS, **COMMON),
    ScoreHistogram: st.builds(
        ScoreHistogram, candidates=MANY, split=SPLITS, bins=st.sampled_from([2, 100]), **COMMON
    ),
    Description: st.builds(
        Description,
        schema=SCHEMAS,
        train_rows=st.integers(0, 99),
        test_rows=st.integers(0, 99),
        epsilon=st.none() | POSITIVE,
        delta=st.floats(1e-9, 0.1),
        exact=st.booleans(),
        minimum_rows=st.integers(1, 99),
        simulated=st.booleans(),
        source=TEXT,
    ),
    MomentSums: st.builds(MomentSums, ARRAYS, ARRAYS, ARRAYS),
    Slope: st.builds(
        Slope, loss=st.floats(), gradient=PARAMETERS, hessian=ARRAYS, variance=POSITIVE
    ),
    Tally: st.builds(Tally, st.dictionaries(TEXT, ARRAYS, max_size=3)),
    Update: st.builds(Update, PARAMETERS),
    Statement: st.builds(
        Statement,
        lines=st.lists(
            st.builds(StatementLine, TEXT, TEXT, TEXT, st.integers(0, 9), st.none() | EVENTS, TEXT),
            max_size=2,
        ).map(tuple),
        epsilon=POSITIVE,
        budget=st.none() | POSITIVE,
        delta=st.floats(1e-9, 0.1),
    ),
}
FAMILIES: tuple[type, ...] = (Query, Answer, Strategy, Model, Aggregator)


def family_of(kind: type) -> Any:
    return next(family for family in FAMILIES if issubclass(kind, family))


def members(family: type) -> set[type]:
    """Every tagged class of a family that fedlab itself defines."""
    found: set[type] = set()
    kind: type
    for kind in family.__subclasses__():
        if kind.__module__.startswith("fedlab"):
            config = getattr(kind, "__struct_config__", None)
            tagged = config is not None and config.tag is not None
            found |= ({kind} if tagged else set()) | members(kind)
    return found


def test_every_class_that_travels_is_tried_here() -> None:
    found = [kind for family in FAMILIES for kind in members(family)]
    assert set(found) == set(MEMBERS)


@pytest.mark.parametrize("kind", MEMBERS, ids=lambda kind: kind.__name__)
@settings(max_examples=15)
@given(data=st.data())
def test_every_value_comes_back_with_the_same_bits(kind: type, data: st.DataObject) -> None:
    value = data.draw(MEMBERS[kind])
    sent = encode(value)
    back = decode(sent, family_of(kind))
    assert type(back) is kind
    assert encode(back) == sent


QUERIES = st.one_of(*(MEMBERS[kind] for kind in MEMBERS if issubclass(kind, Query)))
ANSWERS = st.one_of(*(MEMBERS[kind] for kind in MEMBERS if issubclass(kind, Answer)))
REQUESTS = st.builds(
    Request,
    site=TEXT,
    run=TEXT,
    round=st.integers(0, 2**40),
    seed=st.integers(-(2**63), 2**64 - 1),
    query=QUERIES,
    privacy=st.none() | st.just(PROMISE),
    rehearsal=st.booleans(),
    actor=TEXT,
    sequence=st.integers(0, 2**64 - 1),
    signature=st.binary(max_size=64),
)
REPLIES = st.builds(
    Reply,
    site=TEXT,
    round=st.integers(0, 99),
    rows=st.integers(0, 99),
    charge=st.none() | EVENTS,
    answer=st.none() | ANSWERS,
    refusal=st.none() | st.builds(Refusal, TEXT, TEXT, TEXT, TEXT),
)


@settings(max_examples=40)
@given(st.one_of(REQUESTS, REPLIES), st.data())
def test_damaged_bytes_are_a_message_error_or_another_value_of_the_type(
    message: Request | Reply, data: st.DataObject
) -> None:
    sent = encode(message)
    assert encode(decode(sent, type(message))) == sent
    cut = data.draw(st.integers(0, len(sent) - 1))
    flipped = bytearray(sent)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(sent) - 1))
        flipped[place] = data.draw(st.integers(0, 255))
    for damaged in (sent[:cut], bytes(flipped), sent + b"\x00"):
        try:
            back = decode(damaged, type(message))
        except MessageError:
            continue
        assert type(back) is type(message)
        encode(back)


@settings(max_examples=60)
@given(st.binary(max_size=60))
def test_noise_is_no_message(noise: bytes) -> None:
    for kind in (Request, Reply, Query):
        with pytest.raises(MessageError):
            decode(noise, kind)


def packed(**array: Any) -> bytes:
    """A reply whose update has one hand-made array."""
    body = {"dtype": "<f8", "shape": [1], "data": bytes(8), **array}
    answer = {"type": "Update", "delta": {"coef": body}}
    return msgspec.msgpack.encode({"site": "s", "round": 1, "rows": 1, "answer": answer})


def nested(depth: int) -> bytes:
    head = msgspec.msgpack.encode({"site": "s", "round": 1, "rows": 1, "answer": None})
    return head[:-1] + b"\x91" * depth + b"\x90"


PICKLE = b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x8c\x06system\x93."
LIES: dict[str, bytes] = {
    **{f"dtype {d}": packed(dtype=d) for d in ("|O", "<U2", "<M8[s]", ">f8", "<f4", ["<f8"], None)},
    **{f"shape {s}": packed(shape=s) for s in ([2], [2**62, 4], [-1], [1.0], None, "1")},
    "shape of 65 dimensions": packed(shape=[1] * 65),
    "shape of a truth": packed(shape=[True]),
    "empty and huge": packed(shape=[0, 2**63], data=b""),
    "empty and huger": packed(shape=[0, 2**64 - 1], data=b""),
    "empty and many": packed(shape=[2**32, 2**32, 0, 2**40], data=b""),
    "data of text": packed(data="12345678"),
    "data of nothing": packed(data=None),
    "data of numbers": packed(data=[0] * 8),
    "unknown name": packed().replace(b"Update", b"Upgrad"),
    "name of the family": packed().replace(b"Update", b"Answer"),
    "name of a query": packed().replace(b"\xa6Update", b"\xa8LocalFit"),
    "nested deep": nested(500),
    "nested deeper": nested(100_000),
    "nothing": b"",
    "pickle": PICKLE,
}


@pytest.mark.parametrize("lie", LIES)
def test_lying_arrays_and_unknown_names_are_message_errors(lie: str) -> None:
    assert decode(packed(), Reply).answer is not None
    with pytest.raises(MessageError):
        decode(LIES[lie], Reply)


def test_a_message_of_too_many_bytes_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedlab.core.wire.MAXIMUM_BYTES", 10)
    with pytest.raises(MessageError, match="at most 10 bytes"):
        decode(bytes(11), Reply)


def test_objects_do_not_travel() -> None:
    for value in (np.array([object()]), np.array(["a"]), np.array([1 + 1j]), object()):
        with pytest.raises(TypeError, match="travel"):
            encode({"value": value})
    assert not issubclass(dict, Open)
