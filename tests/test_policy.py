"""What a data owner forbids is refused before a row is read, with a code and a remedy."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import fedlab as fl
from fedlab.core.space import from_ranges
from fedlab.errors import DataError, PrivacyError, RefusedError
from fedlab.privacy import Releases
from fedlab.queries import REFUSALS, Answer, Context, Moments, Query, Reply, Rows, Tally
from fedlab.secure_sum import SecureCoordinator
from fedlab.site import Actor, Approval, Site
from fedlab.site.gate import asked_schema
from tests.builders import MODEL, OPEN, RANGES, ask, deal, fit, histogram, table
from tests.test_refusals import Sealed

LEE, EVE = Actor("lee"), Actor("eve")
TODAY = date(2030, 6, 15)


class Peek(Query, msgspec.Struct, frozen=True, tag=True):
    """Reads every column there is, and says nothing of it beforehand."""

    def compute(self, rows: Rows, context: Context) -> Answer:
        return Tally({name: np.zeros(1) for name in rows.features.columns})

    def releases(self, n_rows: int) -> Releases | None:
        return None

    def accepts(self, answer: Answer) -> bool:
        return isinstance(answer, Tally)


class PeekIn(Query, msgspec.Struct, frozen=True, tag=True):
    """Names some columns, and tries to read more."""

    schema: Any

    def compute(self, rows: Rows, context: Context) -> Answer:
        return Tally({name: np.zeros(1) for name in rows.features.columns})

    def releases(self, n_rows: int) -> Releases | None:
        return None

    def accepts(self, answer: Answer) -> bool:
        return isinstance(answer, Tally)


def door(**policy: Any) -> Site:
    """A site of 64 rows, with `minimum_rows=1` and what else is said."""
    options: dict[str, Any] = {"target": "died", "test_size": 0.0, "ranges": RANGES}
    return Site("mercy", table(64, seed=31), policy=fl.Policy(minimum_rows=1, **policy), **options)


def sealed(site: Site) -> Site:
    """The same site, whose rows nobody may look at."""
    site._rows = {"train": Sealed(), "test": Sealed()}  # type: ignore[dict-item]
    return site


def code(reply: Reply) -> str:
    if reply.refusal is None:
        return "answered"
    assert reply.answer is None
    assert reply.refusal.code in REFUSALS
    assert reply.refusal.remedy.endswith(".")
    return reply.refusal.code


FORBIDDEN: list[tuple[str, dict[str, Any]]] = [
    ("purpose", {"purposes": ["evaluation"]}),
    ("purpose", {"purposes": ()}),
    ("query", {"queries": ["NewtonStep", "ScoreHistogram"]}),
    ("columns", {"columns": ["age"]}),
    ("approval", {"owners": {"lee": LEE.public}, "approval": True}),
    ("signature", {"analysts": {"lee": LEE.public}}),
    ("reveal", {"reveal": False}),
]


@pytest.mark.parametrize(
    ("expected", "policy"), FORBIDDEN, ids=[f"{code} {sorted(given)}" for code, given in FORBIDDEN]
)
@pytest.mark.parametrize("rehearsal", [False, True])
def test_what_is_forbidden_is_refused_before_a_row_is_read(
    expected: str, policy: dict[str, Any], rehearsal: bool
) -> None:
    query = fit(door())
    site = sealed(door(**policy))
    assert code(ask(site, query, rehearsal=rehearsal)) == expected
    assert site.ledger.frame.empty
    assert site.audit.frame["outcome"].tolist() == [expected]
    # The same question is answered where the rule is not.
    assert code(ask(door(), query)) == "answered"


def test_what_is_allowed_by_name_is_answered() -> None:
    site = door(purposes=["training"], queries=["LocalFit"], columns=list(table(4).columns))
    assert code(ask(site, fit(site))) == "answered"
    assert code(ask(site, histogram(site))) == "purpose"


# R39
def test_a_forbidden_column_is_neither_described_nor_read() -> None:
    site = door(columns=["age", "smoker"])
    assert site.schema.names == ("age", "smoker")
    assert code(ask(site, fit(site))) == "answered"
    whole = door().schema
    forbidden = msgspec.structs.replace(whole, columns=whole.columns[1:2])
    for space in map(from_ranges, (whole, forbidden)):
        query = fit(door(), space=space, parameters=MODEL.init(space))
        assert code(ask(site, query)) == "columns"
    assert code(ask(site, Peek())) == "columns"
    reply = ask(site, PeekIn(site.schema))
    assert isinstance(reply.answer, Tally)
    assert set(reply.answer.sums) == {"age", "smoker"}


# R39
def test_a_query_sees_the_columns_it_names_and_no_others() -> None:
    site = door()
    schema = msgspec.structs.replace(site.schema, columns=site.schema.columns[1:2])
    reply = ask(site, PeekIn(schema))
    assert isinstance(reply.answer, Tally)
    assert set(reply.answer.sums) == {schema.names[0]}


def test_columns_are_found_in_questions_within_questions() -> None:
    site = door(columns=["age"])
    inner = fit(door())
    query = fl.queries.PersonalFit(common=inner, own=inner.parameters, learning_rate=0.1, mu=0.1)
    assert asked_schema(query) == inner.space.schema
    assert code(ask(site, query)) == "columns"


def test_sites_that_allow_the_same_columns_train_on_those() -> None:
    policy = fl.Policy(minimum_rows=1, columns=["age", "lab"])
    kept = table(60, seed=5)[["age", "lab", "died"]]
    narrow = fl.Federation(deal(table(60, seed=5), [30, 30], policy=policy)).train(MODEL)
    plain = fl.Federation(
        deal(kept, [30, 30], policy=OPEN, ranges={k: RANGES[k] for k in ("age", "lab")})
    ).train(MODEL)
    for run in (narrow, plain):
        run.run(2, progress=False)
    assert narrow.state == plain.state


def approved(*approvals: Approval) -> Site:
    site = door(owners={"lee": LEE.public}, approval=True)
    for approval in approvals:
        site.approve(approval)
    return site


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedlab.site.approval.today", lambda: TODAY)


COVERS: list[tuple[str, dict[str, Any]]] = [
    ("answered", {}),
    ("answered", {"run": "run"}),
    ("approval", {"run": "another"}),
    ("answered", {"purpose": "training"}),
    ("approval", {"purpose": "evaluation"}),
    ("answered", {"model": "LogisticRegression"}),
    ("approval", {"model": "Ridge"}),
    ("answered", {"expires": TODAY}),
    ("approval", {"expires": TODAY - timedelta(1)}),
    ("approval", {"run": "run", "purpose": "training", "model": "Ridge"}),
]


@pytest.mark.parametrize(("expected", "what"), COVERS, ids=str)
def test_an_approval_covers_what_it_says_until_it_expires(
    expected: str, what: dict[str, Any]
) -> None:
    site = approved(LEE.approve("mercy", **{"expires": TODAY, **what}))
    assert code(ask(site, fit(site))) == expected
    assert site.audit.frame["query"].tolist() == ["Approval", "LocalFit"]
    assert site.audit.frame["actor"].tolist() == ["lee", "unsigned"]


@pytest.mark.parametrize(
    "change",
    [
        {"expires": TODAY + timedelta(9999)},
        {"run": "another"},
        {"purpose": "evaluation"},
        {"model": "Ridge"},
        {"owner": "kim"},
        {"site": "other"},
        {"signature": bytes(64)},
    ],
    ids=str,
)
def test_an_approval_that_was_changed_or_is_a_strangers_is_refused(change: dict[str, Any]) -> None:
    whole = LEE.approve("mercy", expires=TODAY, run="run", purpose="training")
    with pytest.raises(DataError, match="signed by one of its owners"):
        approved(msgspec.structs.replace(whole, **change))
    with pytest.raises(DataError, match="signed by one of its owners"):
        approved(msgspec.structs.replace(whole, owner="lee").signed(EVE.identity))
    with pytest.raises(DataError):
        approved(LEE.approve("other", expires=TODAY))


def test_an_owner_who_is_dropped_from_the_policy_approves_nothing_any_more() -> None:
    site = approved(LEE.approve("mercy", expires=TODAY))
    assert code(ask(site, fit(site))) == "answered"
    site.policy = fl.Policy(minimum_rows=1, owners={"lee": EVE.public}, approval=True)
    assert code(ask(site, fit(site))) == "approval"


def test_an_approval_lives_on_in_the_home(tmp_path: Path) -> None:
    policy = fl.Policy(minimum_rows=1, owners={"lee": LEE.public}, approval=True)
    options: dict[str, Any] = {"target": "died", "ranges": RANGES, "home": tmp_path}
    Site("mercy", table(64), policy=policy, **options).approve(LEE.approve("mercy", expires=TODAY))
    again = Site("mercy", table(64), policy=policy, **options)
    assert code(ask(again, fit(again))) == "answered"


def test_a_run_says_which_site_waits_for_its_owner() -> None:
    policy = fl.Policy(minimum_rows=1, owners={"lee": LEE.public}, approval=True)
    sites = deal(table(60, seed=5), [30, 30])
    sites[1].policy = policy
    with pytest.raises(RefusedError, match=r"'s01'.*approved") as caught:
        fl.Federation(sites).train(MODEL).step()
    assert caught.value.code == "approval"


KEY = "ab" * 32
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"columns": "age"}, "list of names"),
    ({"queries": [1]}, "list of names"),
    ({"analysts": {"ann": "short"}}, "64 hexadecimal digits"),
    ({"auditors": {"ann": "zz" * 32}}, "64 hexadecimal digits"),
    ({"peers": {"other": "zz" * 32}}, "64 hexadecimal digits"),
    ({"analysts": {"ann": KEY}, "auditors": {"ann": KEY}}, "one role"),
    ({"analysts": {"": KEY}}, "one role"),
    ({"approval": True}, "without owners"),
    ({"minimum_sites": 2}, "at least 3"),
]


@pytest.mark.parametrize(("options", "said"), WRONG, ids=str)
def test_a_policy_that_means_nothing_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(PrivacyError, match=said):
        fl.Policy(**options)


def test_a_policy_is_read_from_a_file_and_written(tmp_path: Path) -> None:
    text = f"""
    epsilon = 3.0
    minimum_rows = 20
    columns = ["lab", "age"]
    approval = true
    [analysts]
    ann = "{KEY}"
    [owners]
    "dr. lee" = "{KEY}"
    """
    (tmp_path / "policy.toml").write_text(text)
    policy = fl.Policy.read(tmp_path / "policy.toml")
    assert policy == fl.Policy(
        epsilon=3.0,
        minimum_rows=20,
        columns=("age", "lab"),
        approval=True,
        analysts={"ann": KEY},
        owners={"dr. lee": KEY},
    )
    policy.write(tmp_path / "policy.json")
    assert fl.Policy.read(tmp_path / "policy.json") == policy


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("minimum_row = 20", "'minimum_row'"),
        ("minimum_rows = 'many'", "minimum_rows"),
        ("minimum_rows = 0", "at least 1"),
        ("columns = 'age'", "columns"),
        ("epsilon =", "readable TOML"),
    ],
)
def test_a_policy_file_that_is_not_understood_is_refused_whole(
    text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "policy.toml").write_text(text)
    with pytest.raises(PrivacyError, match=said):
        fl.Policy.read(tmp_path / "policy.toml")
    with pytest.raises(PrivacyError, match="readable"):
        fl.Policy.read(tmp_path / "none.toml")


def test_a_site_that_reveals_nothing_takes_part_in_secure_sums_alone() -> None:
    frame = table(90, seed=5)
    sites = deal(frame, [30, 30, 30], policy=fl.Policy(minimum_rows=1, reveal=False))
    fed = fl.Federation(sites)
    query = Moments(fed.schema, np.zeros(3))
    coordinator = SecureCoordinator(
        fl.InProcess().connect(sites),
        0,
        fed.coordinator.declared,
        identities={site.name: bytes.fromhex(site.identity) for site in sites},
    )
    (reply,) = coordinator.ask("sum", 1, dict.fromkeys(fed.sites, query)).values()
    assert reply.rows == 90
    with pytest.raises(RefusedError, match="only within a secure sum"):
        fed.coordinator.ask("sum", 1, dict.fromkeys(fed.sites, query))
    # What else a site has against it is still known before a key is made.
    sites[2].policy = fl.Policy(minimum_rows=31, reveal=False)
    with pytest.raises(RefusedError, match="at least 31 rows"):
        coordinator.ask("sum", 2, dict.fromkeys(fed.sites, query))
    assert sites[0].audit.frame["query"].tolist().count("Advertise") == 1
