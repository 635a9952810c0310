"""How much a round and a Shapley table cost over the arithmetic that they cannot do without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

import fedlab as fl
from fedlab.core.blas import one_thread
from fedlab.core.parameters import Array, Parameters, weighted_mean
from fedlab.queries import Update

ROOT = Path(__file__).parents[2]
Benchmark = Any


def rows(n_rows: int, n_columns: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    x = random.normal(size=(n_rows, n_columns))
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(n_columns)])
    frame["died"] = (x[:, :5].sum(axis=1) + random.normal(size=n_rows) > 0).astype(int)
    return frame


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """Median time of some work, after one turn to warm up."""
    work()
    taken = []
    for _ in range(times):
        begun = perf_counter()
        work()
        taken.append(perf_counter() - begun)
    return median(taken)


def newton_step(x: Array, y: Array, w: Array) -> Array:
    """One Newton step of the penalised loss on pooled rows, as one would write it."""
    p = 1 / (1 + np.exp(-(x @ w)))
    penalty = np.append(np.ones(len(w) - 1), 0.0)
    hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
    step: Array = w - np.linalg.solve(hessian, x.T @ (p - y) + penalty * w)
    return step


def report(benchmark: Benchmark, bare: float) -> None:
    ratio = benchmark.stats.stats.median / bare
    benchmark.extra_info.update(bare_seconds=bare, ratio=ratio)
    print(f"\n{benchmark.name}: {ratio:.2f} times the bare {bare * 1e3:.1f} ms")


def test_a_newton_round_over_ten_sites(benchmark: Benchmark) -> None:
    frame = rows(100_000, 50)
    sites = fl.partition(frame, 10, target="died", test_size=0.0)
    run = fl.Federation(sites).train(
        fl.LogisticRegression(), strategy=fl.FedNewton(), evaluate=False
    )
    run.step()
    benchmark.pedantic(lambda: run.rewind(0).step(), rounds=7, warmup_rounds=1)
    x = frame.drop(columns="died").to_numpy()
    design = np.hstack([(x - x.mean(axis=0)) / x.std(axis=0), np.ones((len(x), 1))])
    y = frame["died"].to_numpy(float)
    with one_thread():
        bare = seconds(lambda: newton_step(design, y, np.zeros(51)))
    report(benchmark, bare)


def test_a_shapley_table_of_eight_sites(benchmark: Benchmark) -> None:
    frame = rows(8_000, 30)
    sites = fl.partition(frame, 8, target="died", test_size=0.5)
    run = fl.Federation(sites).train(fl.LogisticRegression(), strategy=fl.FedAvg(), evaluate=False)
    done = run.step()
    benchmark.pedantic(run.contributions, rounds=5, warmup_rounds=1)
    start = run.rounds[0].state.parameters
    deltas = {n: a.delta for n, a in done.answers.items() if isinstance(a, Update)}
    names = sorted(deltas)
    held = [site._rows["test"].arrays(run.problem.space, "classes") for site in sites]
    weights = {name: float(run.problem.rows[name]) for name in names}

    def candidates() -> list[Parameters]:
        found = [start]
        for mask in range(1, 256):
            chosen = {name: deltas[name] for i, name in enumerate(names) if mask >> i & 1}
            found.append(start + weighted_mean(weights, chosen))
        return found

    def evaluations() -> None:
        for each in candidates():
            for x, y in held:
                run.problem.differentiable.losses(each, x, y).sum()

    with one_thread():
        bare = seconds(evaluations)
    report(benchmark, bare)


def test_importing_fedlab(benchmark: Benchmark) -> None:
    def run(code: str) -> None:
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)

    benchmark.pedantic(run, args=("import fedlab",), rounds=7, warmup_rounds=1)
    report(benchmark, seconds(lambda: run("pass")))


def test_making_a_federation_of_fifty_sites(benchmark: Benchmark) -> None:
    frame = rows(10_000, 20)
    benchmark.pedantic(
        lambda: fl.Federation(fl.partition(frame, 50, target="died")), rounds=5, warmup_rounds=1
    )
