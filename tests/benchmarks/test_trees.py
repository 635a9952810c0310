"""How long federated trees take beside the libraries that grow them on the pooled rows.

Each round is one fit of ours after one fit of each peer, so that what else the machine does meets
all of them; the least times are compared.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

import fedlab as fl
from fedlab.core.model import Model
from fedlab.training import Training

ROOT = Path(__file__).parents[2]
Benchmark = Any
OPEN = fl.Policy(minimum_rows=1)
ROUNDS = 5


def grow(run: Training) -> Training:
    """All rounds."""
    while not run.strategy.finished(run.problem, run.state):
        run.step()
    return run


@pytest.fixture(scope="module")
def rows() -> tuple[Any, Any]:
    """100,000 rows of 50 features, and two classes."""
    x, y = make_classification(
        100_000, 50, n_informative=15, n_redundant=10, flip_y=0.1, class_sep=0.8, random_state=0
    )
    return x, y


@pytest.fixture(scope="module")
def federation(rows: tuple[Any, Any]) -> fl.Federation:
    """The rows at ten sites, two of which compute at once."""
    x, y = rows
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(50)]).assign(target=y)
    sites = [
        fl.Site(f"s{i}", part, target="target", test_size=0, policy=OPEN)
        for i, part in enumerate(frame.iloc[i : i + 10_000] for i in range(0, 100_000, 10_000))
    ]
    return fl.Federation(sites, engine=fl.InProcess(threads=2))


def compare(
    benchmark: Benchmark, ours: Callable[[], object], peers: dict[str, Callable[[], object]]
) -> None:
    """Fit by turns, and print our least time over each peer's."""
    seconds: dict[str, list[float]] = {name: [] for name in peers}

    def fit_peers() -> None:
        for name, peer in peers.items():
            begun = perf_counter()
            peer()
            seconds[name].append(perf_counter() - begun)

    benchmark.pedantic(ours, setup=fit_peers, rounds=ROUNDS, warmup_rounds=1)
    own = benchmark.stats.stats.min
    for name, taken in seconds.items():
        least = min(taken[1:])
        benchmark.extra_info.update({f"{name}_seconds": least, f"{name}_ratio": own / least})
        print(f"\n{benchmark.name}: {own:.2f} s, {own / least:.2f} times {name}'s {least:.2f} s")


def fitted(federation: fl.Federation, model: Model) -> Callable[[], object]:
    return lambda: grow(federation.train(model, evaluate=False))


def test_boosting_over_ten_sites(
    benchmark: Benchmark, rows: tuple[Any, Any], federation: fl.Federation
) -> None:
    x, y = rows
    pooled = HistGradientBoostingClassifier(max_iter=100, early_stopping=False)
    ours = fitted(federation, fl.GradientBoostingClassifier())
    compare(benchmark, ours, {"HistGradientBoosting": lambda: pooled.fit(x, y)})


def test_a_forest_of_64_bins_over_ten_sites(
    benchmark: Benchmark, rows: tuple[Any, Any], federation: fl.Federation
) -> None:
    x, y = rows
    pooled = RandomForestClassifier(100, max_depth=8, n_jobs=2, random_state=0)
    ours = fitted(federation, fl.RandomForestClassifier())
    compare(benchmark, ours, {"RandomForest": lambda: pooled.fit(x, y)})


def test_a_forest_of_255_bins_over_ten_sites(
    benchmark: Benchmark, rows: tuple[Any, Any], federation: fl.Federation
) -> None:
    xgboost = pytest.importorskip("xgboost")
    x, y = rows
    pooled = xgboost.XGBRFClassifier(
        n_estimators=100, max_depth=8, max_bin=256, colsample_bynode=1 / np.sqrt(50), n_jobs=2
    )
    ours = fitted(federation, fl.RandomForestClassifier(max_bins=255))
    compare(benchmark, ours, {"xgboost": lambda: pooled.fit(x, y)})


FIRST = """
import numpy as np, pandas as pd, fedlab as fl
x = np.random.default_rng(0).normal(size=(200, 3))
frame = pd.DataFrame(x, columns=list("abc")).assign(target=(x[:, 0] > 0).astype(int))
fed = fl.Federation(fl.partition(frame, 2, target="target"))
for model in (fl.GradientBoostingClassifier(n_trees=2), fl.RandomForestClassifier(n_trees=2)):
    run = fed.train(model, evaluate=False)
    while not run.strategy.finished(run.problem, run.state):
        run.step()
"""


def test_the_first_trees_of_a_machine_and_of_a_process(
    benchmark: Benchmark, tmp_path: Path
) -> None:
    def first(folder: Path) -> float:
        begun = perf_counter()
        env = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
        subprocess.run([sys.executable, "-c", FIRST], check=True, cwd=ROOT, env=env)
        return perf_counter() - begun

    compiling = first(tmp_path)
    benchmark.pedantic(first, args=(tmp_path,), rounds=3)
    warm = benchmark.stats.stats.min
    benchmark.extra_info.update(compiling_seconds=compiling - warm)
    print(f"\n{benchmark.name}: compiling once takes {compiling - warm:.1f} s; then {warm:.1f} s")
