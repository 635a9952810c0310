"""The ledger composes everything, only grows, and no order of requests overspends."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import dp_accounting
import msgspec
import pytest
from dp_accounting import pld
from hypothesis import given, settings
from hypothesis import strategies as st

import fedlab as fl
from fedlab.errors import DataError, PrivacyError, RefusedError
from fedlab.privacy import Event, Releases, epsilon_bound, epsilon_spent
from fedlab.queries import Answer, Context, Query, Rows, Tally
from tests.builders import DELTA, PROMISE, QUERIES, ask, entries, fit, make, request, start


def by_hand(events: Iterable[tuple[float, float, int]]) -> float:
    """ε by Google's accountant, equal mechanisms counted together."""
    counts: Counter[tuple[float, float]] = Counter()
    for z, rate, count in events:
        counts[z, rate] += count
    return _composed(tuple(sorted(counts.items())))


@cache
def _composed(counts: tuple[tuple[tuple[float, float], int], ...]) -> float:
    accountant = pld.PLDAccountant()
    for (z, rate), count in counts:
        event: Any = dp_accounting.GaussianDpEvent(z)
        if rate < 1:
            event = dp_accounting.PoissonSampledDpEvent(rate, event)
        accountant.compose(event, count)
    return float(accountant.get_epsilon(DELTA)) if counts else 0.0


# R12
@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (Event(1.0), 4.3772),
        (Event(4.0, count=16), 4.3772),
        (Event(1.0, count=10), 17.857),
        (Event(4.0, 0.01, 10_000), 0.9470),
        (Event(1.0, 0.01, 1_000), 1.8282),
    ],
    ids=str,
)
def test_the_reference_table_is_reproduced(event: Event, shown: float) -> None:
    digits = len(str(shown).split(".")[1])
    assert round(epsilon_spent([event], DELTA), digits) == pytest.approx(shown, abs=10**-digits)
    assert epsilon_bound([event], DELTA) > epsilon_spent([event], DELTA)


def test_epsilon_is_that_of_the_accountant_on_the_same_events() -> None:
    site = make(policy=fl.Policy(minimum_rows=1))
    assert site.ledger.epsilon(DELTA) == 0
    for kind in (0, 1, 2, 3, 4, 1, 0):
        assert request(site, kind) == "answered"
        assert site.ledger.epsilon(DELTA) == pytest.approx(by_hand(entries(site)), abs=1e-9)
    fed = fl.Federation([site])
    assert fed.privacy.totals["epsilon_spent"].iloc[0] == pytest.approx(
        by_hand(entries(site)), abs=1e-9
    )
    assert fed.privacy.totals["exact_answers"].iloc[0] == 1


@pytest.mark.parametrize("kind", [0, 1])
def test_a_promise_can_be_spent_to_its_last_round_and_costs_no_more(kind: int) -> None:
    promise = QUERIES[kind][2]
    assert promise is not None
    policy = fl.Policy(epsilon=promise.epsilon, delta=promise.delta, minimum_rows=1)
    site = make(policy=policy)
    codes = [request(site, kind, round=k) for k in range(promise.rounds + 1)]
    assert codes == ["answered"] * promise.rounds + ["rounds"]
    assert 0.98 * promise.epsilon < site.ledger.epsilon(promise.delta) <= promise.epsilon


STEP = st.tuples(
    st.integers(0, 4),
    st.sampled_from(["ask", "ask", "ask", "rehearse", "restart", "run", "rewind", "fork"]),
    st.integers(0, 3),
)


# R19
@settings(max_examples=12)
@given(st.lists(STEP, min_size=4, max_size=12))
def test_no_walk_of_requests_spends_more_than_the_budget(steps: list[tuple[int, str, int]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        site, before = make(home), 0.0
        run = start(site)
        for kind, verb, name in steps:
            lines = len(site.ledger.frame)
            if verb == "restart":
                site = make(home)
                run = start(site)
            elif verb in ("ask", "rehearse"):
                request(site, kind, run=f"run-{name}", rehearsal=verb == "rehearse")
            elif verb == "rewind":
                run.rewind(0)
            elif verb == "fork":
                run = run.fork()
            else:
                with contextlib.suppress(RefusedError, PrivacyError):
                    run.step()
            spent = by_hand(entries(site))
            assert before <= spent <= 2.0
            assert len(site.ledger.frame) >= lines
            if verb in ("rehearse", "restart", "rewind", "fork"):
                assert len(site.ledger.frame) == lines
            # A site with a budget answers nothing exactly.
            assert site.ledger.frame["noise_multiplier"].notna().all()
            before = spent
        assert make(home).ledger.epsilon(DELTA) == pytest.approx(before, abs=1e-9)


# R19
def test_threads_and_other_holders_of_the_home_cannot_overspend_together(tmp_path: Path) -> None:
    sites = [make(tmp_path), make(tmp_path)]
    request(sites[0], 2, run="warm")
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda i: request(sites[i % 2], 2, run=f"r{i}"), range(40)))
    assert set(codes) == {"answered", "budget"}
    spent = by_hand(entries(sites[0]))
    assert 1.5 < spent <= 2.0
    assert codes.count("answered") + 1 == len(entries(make(tmp_path)))


@pytest.mark.parametrize("name", ["spend", "audit"])
@pytest.mark.parametrize(
    "attack",
    ["UPDATE {0} SET round = 9", "DELETE FROM {0}", "REPLACE INTO {0} SELECT * FROM {0}"],
)
def test_records_only_grow(name: str, attack: str, tmp_path: Path) -> None:
    site = make(tmp_path)
    request(site, 2)
    connection = sqlite3.connect(tmp_path / "records.sqlite", isolation_level=None)
    try:
        with pytest.raises(sqlite3.IntegrityError, match="only grow"):
            connection.execute(attack.format(name))
    finally:
        connection.close()
    assert len(entries(site)) == 1


class Crash(Query, msgspec.Struct, frozen=True, tag=True):
    """Looks at the site's file, as it is on disk while computing, and fails."""

    seen: ClassVar[list[int]] = []
    path: str
    interrupt: bool = False

    def compute(self, rows: Rows, context: Context) -> Answer:
        connection = sqlite3.connect(self.path)
        self.seen.append(connection.execute("SELECT count(*) FROM spend").fetchone()[0])
        connection.close()
        if self.interrupt:
            raise KeyboardInterrupt
        raise ValueError("crash")

    def releases(self, n_rows: int) -> Releases | None:
        return Releases(1)

    def accepts(self, answer: Answer) -> bool:
        return isinstance(answer, Tally)


@pytest.mark.parametrize("interrupt", [False, True])
def test_the_debit_is_on_disk_before_anything_is_computed(interrupt: bool, tmp_path: Path) -> None:
    site = make(tmp_path)
    query = Crash(str(tmp_path / "records.sqlite"), interrupt)
    Crash.seen.clear()
    if interrupt:
        with pytest.raises(KeyboardInterrupt):
            ask(site, query, privacy=PROMISE)
    else:
        reply = ask(site, query, privacy=PROMISE)
        assert reply.refusal is not None
        assert reply.refusal.code == "failed"
        assert reply.charge is not None
    assert Crash.seen == [1]
    assert len(entries(make(tmp_path))) == 1
    assert request(site, 2) == "answered"


def test_the_home_of_another_site_is_refused(tmp_path: Path) -> None:
    request(make(tmp_path), 2)
    with pytest.raises(DataError, match="A home belongs to one site"):
        make(tmp_path, name="thief")


@pytest.mark.parametrize("content", [b"", b"garbage" * 500, None], ids=["empty", "garbage", "file"])
def test_a_home_that_holds_no_records_is_refused_or_begun(
    content: bytes | None, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    if content is None:
        home.write_text("not a folder")
    else:
        home.mkdir()
        (home / "records.sqlite").write_bytes(content)
    if content == b"":
        assert request(make(home), 2) == "answered"
        return
    with pytest.raises(DataError, match="home must be a folder"):
        fl.Federation([make(home)])


def test_rewinding_and_forking_give_nothing_back_and_history_says_so() -> None:
    site = make(policy=fl.Policy(minimum_rows=1))
    run = start(site)
    run.run(2, progress=False)
    spent = site.ledger.epsilon(DELTA)
    run.rewind(0)
    assert site.ledger.epsilon(DELTA) == spent
    run.step()
    with pytest.raises(PrivacyError, match="calibrated to 3 rounds"):
        run.step()
    # What this run cost is what its three answers cost, whichever rounds are still in view.
    assert run.history["epsilon"].iloc[-1] == pytest.approx(site.ledger.epsilon(DELTA), abs=1e-9)
    fork = run.fork()
    fork.step()
    assert len(entries(site)) == 4


def test_accounting_writes_nothing_under_the_cell(caplog: pytest.LogCaptureFixture) -> None:
    # Python prints a warning that no one handles, so it would stand in a saved notebook.
    site = make()
    assert request(site, 0) == "answered"
    assert ask(site, fit(site, batch_size=32), privacy=PROMISE).refusal is None
    assert [record.getMessage() for record in caplog.records] == []
