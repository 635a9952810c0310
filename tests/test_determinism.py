"""One seed, one result, to the bit: whatever the order, the engine, or the way there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fedlab as fl
from fedlab.core.wire import encode
from fedlab.errors import DataError
from fedlab.queries import LocalFit
from fedlab.site import Site
from fedlab.strategies import Strategy
from fedlab.training import Training
from tests.builders import bits, deal, table

ROOT = Path(__file__).parents[1]
PRIVATE = fl.RecordDP(epsilon=4.0, delta=1e-5, rounds=12)
KINDS: dict[str, tuple[Strategy, fl.RecordDP | None]] = {
    "newton": (fl.FedNewton(), None),
    "fedavg": (fl.FedAvg(batch_size=16, site_fraction=0.7), None),
    "private": (fl.FedAvg(batch_size=16, local_steps=2), PRIVATE),
}
kinds = pytest.mark.parametrize("kind", sorted(KINDS))


def sites(kind: str) -> list[Site]:
    """Five fresh sites, of equal size where each size would be calibrated anew, for seconds."""
    sizes = [80] * 5 if kind == "private" else [150, 120, 60, 40, 30]
    return deal(table(400, seed=21), sizes, test_size=0.2)


def start(kind: str, seed: int = 7, turn: bool = False, **engine: Any) -> Training:
    strategy, privacy = KINDS[kind]
    these = sites(kind)[::-1] if turn else sites(kind)
    fed = fl.Federation(these, seed=seed, engine=fl.InProcess(**engine))
    return fed.train(fl.LogisticRegression(), strategy=strategy, privacy=privacy)


@cache
def reference(kind: str) -> bytes:
    """Bits after four rounds without incident."""
    run = start(kind)
    run.run(4, progress=False)
    return bits(run.state.parameters)


def assert_same(kind: str, run: Training) -> None:
    assert run.round == 4
    assert bits(run.state.parameters) == reference(kind)


@kinds
@pytest.mark.parametrize(
    "change",
    [{}, {"turn": True}, {"wire": True}, {"threads": 2}, {"threads": 4, "wire": True}],
    ids=str,
)
def test_the_same_seed_gives_the_same_bits(kind: str, change: dict[str, Any]) -> None:
    run = start(kind, **change)
    run.run(4, progress=False)
    assert_same(kind, run)


@kinds
def test_another_seed_gives_another_result_where_chance_plays_a_part(kind: str) -> None:
    run = start(kind, seed=8)
    run.run(4, progress=False)
    same = bits(run.state.parameters) == reference(kind)
    assert same == (kind == "newton")


@pytest.mark.parametrize("seed", [2**63, 2**64 + 1, 2**70, -(2**70), -1])
def test_a_seed_counts_whole_and_travels_or_is_refused(seed: int, tmp_path: Path) -> None:
    try:
        plain = start("fedavg", seed=seed)
    except DataError as error:
        assert "seed" in error.rule  # noqa: PT017  either is sound
        return
    plain.step()
    wired = start("fedavg", seed=seed, wire=True)
    wired.step()
    assert bits(plain.state.parameters) == bits(wired.state.parameters)
    plain.save(tmp_path / "run.fedlab")
    small = start("fedavg", seed=seed % 2**32)
    small.step()
    assert (bits(small.state.parameters) == bits(plain.state.parameters)) == (seed % 2**32 == seed)


@kinds
@pytest.mark.parametrize("wire", [False, True])
def test_saving_and_resuming_halfway_changes_no_bit(kind: str, wire: bool, tmp_path: Path) -> None:
    run = start(kind)
    run.run(2, progress=False)
    path = run.save(tmp_path / "run.fedlab")
    fed = fl.Federation(sites(kind)[::-1], seed=7, engine=fl.InProcess(wire=wire))
    again = fl.resume(path, fed)
    assert again.id == run.id
    assert encode(again.rounds) == encode(run.rounds)
    again.run(2, progress=False)
    assert_same(kind, again)
    again.save(path)
    assert fl.resume(path, fed).history.equals(again.history)


@kinds
def test_rewinding_and_going_on_changes_no_bit(kind: str) -> None:
    run = start(kind)
    run.run(3, progress=False)
    run.rewind(1).run(3, progress=False)
    assert_same(kind, run)


@kinds
def test_a_fork_without_changes_takes_the_same_road(kind: str) -> None:
    run = start(kind)
    run.run(2, progress=False)
    fork = run.fork()
    run.run(1, progress=False)
    fork.run(2, progress=False)
    assert_same(kind, fork)
    assert run.round == 3
    assert fork.id != run.id


def interrupt_after(times: int) -> Callable[[object], None]:
    """A listener that is interrupted at its n-th call, and once only."""
    calls = 0

    def hear(_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == times:
            raise KeyboardInterrupt

    return hear


@kinds
@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_while_replies_arrive_leaves_a_whole_state(kind: str, threads: int) -> None:
    run = start(kind, threads=threads)
    run.step()
    before = run.rounds
    with pytest.raises(KeyboardInterrupt):
        run.step(on_reply=interrupt_after(2))
    assert run.rounds is before
    run.run(3, progress=False)
    assert_same(kind, run)


@kinds
def test_an_interrupt_between_rounds_keeps_the_round_that_was_done(kind: str) -> None:
    run = start(kind)
    with pytest.raises(KeyboardInterrupt):
        run.run(4, progress=False, on_round=interrupt_after(2))
    assert run.round == 2
    run.run(2, progress=False)
    assert_same(kind, run)


@pytest.mark.parametrize("kind", ["fedavg", "private"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError])
def test_an_interrupt_while_a_site_computes_leaves_a_whole_state(
    kind: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(kind)
    run.step()
    genuine, calls = LocalFit.compute, 0

    def compute(self: LocalFit, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise error
        return genuine(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(LocalFit, "compute", compute)
        expected = KeyboardInterrupt if error is KeyboardInterrupt else fl.errors.RefusedError
        with pytest.raises(expected):
            run.step()
    assert run.round == 1
    run.run(3, progress=False)
    assert_same(kind, run)


PROGRAM = """
import hashlib
import numpy as np, pandas as pd
import fedlab as fl
random = np.random.default_rng(0)
x = random.normal(size=(2000, 120))
frame = pd.DataFrame(x).rename(columns=str)
frame["died"] = (x[:, :5].sum(axis=1) + random.normal(size=2000) > 0).astype(int)
sites = fl.partition(frame, 3, target="died")
fed = fl.Federation(sites, seed=1)
for strategy in (fl.FedNewton(), fl.FedAvg(batch_size=None)):
    run = fed.train(fl.LogisticRegression(), strategy=strategy)
    run.run(3, progress=False)
    print(hashlib.sha256(run.state.parameters.vector.tobytes()).hexdigest())
"""


def test_threads_of_the_linear_algebra_change_no_bit() -> None:
    printed = set()
    for threads in ("1", "2"):
        limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), threads)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, **limits},
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        printed.add(done.stdout)
    assert len(printed) == 1
    assert len(printed.pop().split()) == 2 * hashlib.sha256().digest_size // 32


def test_rounds_are_values_that_compare() -> None:
    for kind in ("newton", "fedavg"):
        run, again = start(kind), start(kind)
        assert run.step() == again.step()


def real_run(home: Path) -> bytes:
    """Parameters of one private round at sites with a home."""
    np.random.seed(0)  # noqa: NPY002  what must not matter
    frame = table(200, seed=22)
    policy = fl.Policy(minimum_rows=1)
    (site,) = deal(frame, [200], home=home, policy=policy)
    run = fl.Federation([site], seed=7).train(
        fl.LogisticRegression(), strategy=fl.FedAvg(batch_size=50), privacy=PRIVATE
    )
    run.step()
    assert site.ledger.frame["noise"].tolist() == ["system"]
    return bits(run.state.parameters)


# R16
def test_noise_at_a_real_site_cannot_be_repeated(tmp_path: Path) -> None:
    assert len({real_run(tmp_path / name) for name in "abc"}) == 3


def test_a_second_thread_cannot_step_into_a_round() -> None:
    sites = deal(table(120, seed=91), [60, 60])
    run = fl.Federation(sites).train(fl.LogisticRegression(), strategy=fl.FedAvg())
    before = run.round
    refused: list[Exception] = []

    def intrude(_: object) -> None:
        try:
            run.step()
        except fl.errors.TrainingError as error:
            refused.append(error)

    run.step(on_reply=intrude)
    assert run.round == before + 1
    assert len(refused) == 2
