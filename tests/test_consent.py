"""Only rows of patients who agreed are used, until they do not; nobody's name leaves."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fedlab as fl
from fedlab import audit
from fedlab.core.wire import encode
from fedlab.errors import DataError, MessageError, RefusedError
from fedlab.queries import Describe, Description, Moments, MomentSums
from fedlab.site import Authorization, Consent, ProcessingRecord, Site
from tests.builders import MODEL, OPEN, RANGES, answer_of, ask, fit, histogram, numeric, rows_of
from tests.test_refusals import Sealed

TODAY = date(2030, 6, 15)
ALL = ("training", "evaluation", "summary")
N = 60
NAMES = [f"Jane-Doe-{i:03d}" for i in range(N)]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    set_day(monkeypatch, TODAY)


def set_day(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    monkeypatch.setattr("fedlab.site.patients.today", lambda: day)
    monkeypatch.setattr("fedlab.site.patients.now", lambda: f"{day.isoformat()}T12:00:00+00:00")


def whole(patient: str, **changes: Any) -> Authorization:
    """An authorization that lacks nothing."""
    options: dict[str, Any] = {
        "what": "laboratory values and outcome, 2020 to 2025",
        "discloser": "Mercy Hospital",
        "receiver": "the analysts of the study",
        "purposes": ALL,
        "expires": TODAY + timedelta(365),
        "signed_by": "the patient",
        "signed_on": TODAY - timedelta(30),
    }
    options.update(changes)
    if isinstance(options["expires"], date):
        options["expires"] = options["expires"].isoformat()
    return Authorization(patient=patient, **options)


def door(consent: Consent | None = None, **options: Any) -> Site:
    """A site of 60 rows, one patient each; nothing is held out unless asked."""
    frame = options.pop("frame", numeric(N, seed=3).assign(mrn=NAMES))
    settings = {"target": "died", "test_size": 0.0, "ranges": RANGES, "policy": OPEN, **options}
    return Site("mercy", frame, patient="mrn", consent=consent, **settings)


def agreed(n: int = N, **changes: Any) -> Consent:
    return Consent([whole(name, **changes) for name in NAMES[:n]])


def sums(site: Site) -> MomentSums:
    reply = ask(site, Moments(site.schema, np.zeros(len(site.schema.names))))
    answer = answer_of(reply)
    assert isinstance(answer, MomentSums)
    return answer


def rows(site: Site) -> int:
    return ask(site, Moments(site.schema, np.zeros(len(site.schema.names)))).rows


def test_a_site_with_consent_gives_what_the_rows_of_those_who_agreed_give() -> None:
    kept = numeric(N, seed=3).iloc[:40]
    states = []
    for site in (
        door(agreed(40)),
        Site("mercy", kept, target="died", test_size=0.0, ranges=RANGES, policy=OPEN),
    ):
        run = fl.Federation([site]).train(MODEL)
        run.run(3, progress=False)
        states.append(run.state)
    assert states[0] == states[1]


# R39
@pytest.mark.parametrize(
    "element", ["what", "discloser", "receiver", "purposes", "expires", "signed_by", "signed_on"]
)
def test_an_authorization_that_lacks_an_element_is_unusable(element: str) -> None:
    empty: dict[str, Any] = {"purposes": (), "signed_on": None}
    lacking = whole(NAMES[0], **{element: empty.get(element, " ")})
    assert lacking.missing == (element,)
    consent = Consent([lacking, *agreed().authorizations[1:]])
    assert consent.unusable == {1: (element,)}
    assert rows(door(consent)) == N - 1
    # A column that is not in the table is an element that is missing.
    table = pd.DataFrame([msgspec.structs.asdict(each) for each in agreed(3).authorizations])
    assert set(Consent.read(table.drop(columns=element)).unusable.values()) == {(element,)}


# R39
@pytest.mark.parametrize(
    ("changes", "permitted"),
    [
        ({}, True),
        ({"expires": TODAY}, True),
        ({"expires": TODAY - timedelta(1)}, False),
        ({"expires": "none"}, True),
        ({"expires": "end of the study"}, True),
        ({"expires": "some day"}, False),
        ({"signed_on": TODAY}, True),
        ({"signed_on": TODAY + timedelta(1)}, False),
        ({"purposes": ("training",)}, False),
        ({"purposes": ("summary",)}, True),
    ],
    ids=str,
)
def test_an_authorization_holds_for_its_purposes_and_its_days(
    changes: dict[str, Any], permitted: bool
) -> None:
    site = door(Consent([whole(NAMES[0], **changes), *agreed().authorizations[1:]]))
    assert rows(site) == N - 1 + permitted


def test_an_authorization_expires_over_night(monkeypatch: pytest.MonkeyPatch) -> None:
    site = door(Consent([whole(NAMES[0], expires=TODAY), *agreed().authorizations[1:]]))
    assert rows(site) == N
    set_day(monkeypatch, TODAY + timedelta(1))
    assert rows(site) == N - 1


# R39
def test_a_withdrawal_holds_from_the_next_round_on_and_is_in_the_audit() -> None:
    site = door(agreed())
    run = fl.Federation([site]).train(MODEL, strategy=fl.FedSGD(learning_rate=0.1))
    run.step()
    before = sums(site)
    site.withdraw(NAMES[7], actor="kim")
    assert site.audit.frame.iloc[-1][["query", "outcome", "actor"]].tolist() == [
        "Withdrawal",
        "withdrawn",
        "kim",
    ]
    after = sums(site)
    gone = rows_of([site]).iloc[7][list(site.schema.names)].to_numpy(float)
    np.testing.assert_allclose(before.total - after.total, gone, rtol=1e-9, atol=1e-9)
    run.step()
    assert [done.rows["mercy"] for done in run.rounds[1:]] == [N, N - 1]


# R39
@given(st.data())
def test_no_order_of_withdrawals_lets_a_row_back_in(data: st.DataObject) -> None:
    site = door(agreed())
    left, last = set(range(N)), N
    for _ in range(data.draw(st.integers(1, 5))):
        who = data.draw(st.integers(0, N + 3))
        purpose = data.draw(st.sampled_from(["", "summary", "training"]))
        site.withdraw(f"Jane-Doe-{who:03d}", purpose)
        if purpose != "training":
            left.discard(who)
        reply = ask(site, Moments(site.schema, np.zeros(3)))
        assert reply.rows == len(left) <= last
        last = reply.rows


def test_a_withdrawal_of_one_purpose_leaves_the_others() -> None:
    site = door(agreed())
    site.withdraw(NAMES[0], "training")
    assert ask(site, fit(site)).rows == N - 1
    assert rows(site) == N


def test_who_signs_again_after_a_withdrawal_is_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    again = whole(NAMES[0], signed_on=TODAY + timedelta(2))
    site = door(Consent([*agreed().authorizations, again]))
    site.withdraw(NAMES[0])
    assert rows(site) == N - 1
    set_day(monkeypatch, TODAY + timedelta(2))
    assert rows(site) == N


def test_a_withdrawal_outlives_the_kernel_and_reaches_every_holder_of_the_home(
    tmp_path: Path,
) -> None:
    first, second = door(agreed(), home=tmp_path), door(agreed(), home=tmp_path)
    assert rows(second) == N
    first.withdraw(NAMES[0])
    assert rows(second) == N - 1
    assert rows(door(agreed(), home=tmp_path)) == N - 1
    assert audit.verify(tmp_path, first.audit.head)


def test_without_a_list_of_consents_who_withdrew_is_left_out() -> None:
    site = door()
    assert rows(site) == N
    site.withdraw(NAMES[0])
    site.withdraw("nobody here")
    assert rows(site) == N - 1


def test_too_few_who_agreed_are_refused_before_a_row_is_read() -> None:
    for n, expected in ((0, "consent"), (10, "cohort")):
        consent = agreed(n)
        site = door(consent, policy=fl.Policy())
        site._rows = {"train": Sealed(), "test": Sealed()}  # type: ignore[dict-item]
        reply = ask(site, fit(site))
        assert reply.refusal is not None
        assert reply.refusal.code == expected
        assert site.ledger.frame.empty


# R34
def test_the_minimum_counts_patients_and_not_rows() -> None:
    frame = numeric(N, seed=3).assign(mrn=[i % 10 for i in range(N)])
    site = door(frame=frame, policy=fl.Policy())
    with pytest.raises(RefusedError, match=r"11 patients\. Got 10 training patients"):
        fl.Federation([site]).train(MODEL)
    assert ask(door(frame=frame), fit(site)).rows == N


def test_what_is_declared_is_the_most_that_may_answer_and_falls_after_a_withdrawal() -> None:
    consent = Consent([*agreed(30).authorizations, whole(NAMES[40], purposes=("summary",))])
    site = door(consent)
    described = answer_of(ask(site, Describe()))
    assert isinstance(described, Description)
    assert described.train_rows == 31
    site.withdraw(NAMES[0])
    described = answer_of(ask(site, Describe()))
    assert isinstance(described, Description)
    assert described.train_rows == 30


def test_more_rows_than_were_declared_are_still_no_answer() -> None:
    site = door(agreed(30))
    fed = fl.Federation([site])
    site._patients.consent = agreed(40)  # type: ignore[union-attr]
    site._patients._cohorts.clear()  # type: ignore[union-attr]
    with pytest.raises(MessageError, match="no more than the declared"):
        fed.train(MODEL).step()


# R30
def test_who_the_patients_are_never_leaves(tmp_path: Path) -> None:
    site = door(agreed(), home=tmp_path, test_size=0.2)
    site.withdraw(NAMES[0])
    run = fl.Federation([site]).train(MODEL)
    run.run(2, progress=False)
    replies = [ask(site, query) for query in (Describe(), fit(site), histogram(site))]
    run.save(tmp_path / "run.fedlab")
    told = [repr(site), repr(run), site.audit.frame.to_string(), repr(agreed()), repr(site.runs_of)]
    told += [repr(each) for each in agreed().authorizations]
    told += [encode(reply).decode("latin-1") for reply in replies]
    told += [file.read_bytes().decode("latin-1") for file in tmp_path.iterdir()]
    assert "mrn" not in site.schema.names
    for text in told:
        assert "Jane" not in text
        assert "mrn" not in text


# R39
def test_a_patient_can_be_told_the_runs_they_were_in(tmp_path: Path) -> None:
    site = door(agreed(50), home=tmp_path)
    first = fl.Federation([site]).train(MODEL)
    first.run(2, progress=False)
    site.withdraw(NAMES[0])
    second = fl.Federation([site]).train(MODEL)
    second.run(2, progress=False)
    again = door(agreed(50), home=tmp_path)
    for name, runs in (
        (NAMES[0], {first.id}),
        (NAMES[1], {first.id, second.id}),
        (NAMES[55], set()),
        ("nobody", set()),
    ):
        told = again.runs_of(name)
        training = told.frame[told.frame["purpose"] == "training"]
        assert set(training["run"]) == runs
        assert "not unlearned" in repr(told)
    with pytest.raises(DataError, match="whose rows"):
        Site("mercy", numeric(N), target="died").runs_of("p")


def test_a_rehearsal_puts_nobody_in_a_run() -> None:
    site = door(agreed())
    ask(site, fit(site), rehearsal=True)
    assert site.runs_of(NAMES[0]).frame.empty


# R39
def test_the_record_of_processing_has_its_seven_fields(tmp_path: Path) -> None:
    site = door(agreed())
    sums(site)
    told: dict[str, str] = {
        "controller": "Mercy Hospital, privacy@mercy.example; officer: Dr. Lee",
        "recipients": "the analysts of the study",
        "erasure": "ten years after discharge",
    }
    record = site.processing_record(**told)
    assert record.frame["point"].tolist() == [f"({letter})" for letter in "abcdefg"]
    assert record.frame["text"].str.len().min() > 0
    assert "summary" in record.purposes
    assert "lab" in record.categories
    record.write(tmp_path / "record.json")
    assert msgspec.json.decode((tmp_path / "record.json").read_bytes(), type=ProcessingRecord) == (
        record
    )
    for missing in told:
        with pytest.raises(DataError, match=f"nothing for {missing}"):
            site.processing_record(**{**told, missing: " "})


def test_authorizations_are_read_from_a_table_or_file(tmp_path: Path) -> None:
    lines = [
        {**msgspec.structs.asdict(each), "purposes": "; ".join(ALL), "patient": place}
        for place, each in enumerate(agreed(3).authorizations)
    ]
    frame = pd.DataFrame(lines)
    frame.to_csv(tmp_path / "consent.csv", index=False)
    expected = tuple(
        msgspec.structs.replace(each, patient=str(place))
        for place, each in enumerate(agreed(3).authorizations)
    )
    assert Consent.read(frame).authorizations == expected
    assert Consent.read(tmp_path / "consent.csv").authorizations == expected
    # Numbers that became floats beside a gap are the same patients.
    gapped = pd.concat([frame.assign(patient=frame["patient"].astype(float)), pd.DataFrame([{}])])
    assert Consent.read(gapped).authorizations[:3] == expected
    assert "patient" in Consent.read(gapped).unusable[4]
    with pytest.raises(DataError, match="line 1"):
        Consent.read(frame.assign(expires="next year, Jane Doe"))
    with pytest.raises(DataError, match="column of patients"):
        Consent.read(frame.drop(columns="patient"))
    with pytest.raises(DataError, match="readable CSV"):
        Consent.read(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"patient": None, "consent": agreed(1)}, "whose row it is"),
        ({"patient": "name"}, "must be in the table"),
        ({"patient": "gap"}, "Every row must be a patient's"),
        ({"patient": "gap", "consent": [whole("1")]}, "must be a Consent"),
    ],
    ids=str,
)
def test_a_site_that_does_not_know_its_patients_says_so(options: dict[str, Any], said: str) -> None:
    frame = numeric(N).assign(gap=[np.nan, *range(1, N)])
    with pytest.raises(DataError, match=said):
        Site("mercy", frame, target="died", **options)


def test_a_patient_is_the_same_however_the_number_is_written() -> None:
    frame = numeric(N, seed=3).assign(mrn=[float(i) for i in range(N)])
    told: list[Any] = [0, 1.0, " 2", "3.0"]
    consent = Consent([whole(each, purposes="summary") for each in told])
    assert [each.patient for each in consent.authorizations] == ["0", "1", "2", "3.0"]
    assert consent.unusable == {}
    assert rows(door(consent, frame=frame)) == 3
    with pytest.raises(DataError, match="made of authorizations"):
        Consent([("p", "q")])  # type: ignore[list-item]
