"""How far each strategy's default call stays behind the exact fit, on all bundled data sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import fedlab as fl
from fedlab.errors import TrainingError
from fedlab.strategies import Strategy

# The smallest sites would refuse, and they are part of the question.
EVERYBODY = fl.Policy(minimum_rows=1)
DATASETS = ("opt", "indo", "breast_cancer", "leukaemia", "pbc3")
SEEDS, ROUNDS = 5, 40
RULES = (
    fl.Median(),
    fl.TrimmedMean(f=1),
    fl.Krum(f=1),
    fl.MultiKrum(f=1, keep=2),
    fl.GeometricMedian(),
    fl.NormClipping(),
    fl.CentredClipping(),
)
PLAIN: tuple[Strategy, ...] = (
    fl.FedSGD(),
    fl.FedAvg(),
    fl.FedAvgM(),
    fl.FedProx(),
    fl.SCAFFOLD(),
    fl.FedNova(),
    fl.FedAdagrad(),
    fl.FedAdam(),
    fl.FedYogi(),
    fl.Ditto(),
)
STRATEGIES = {type(each).__name__: each for each in PLAIN}
STRATEGIES |= {type(rule).__name__: fl.FedAvg(aggregator=rule) for rule in RULES}


def accuracy(fed: fl.Federation, strategy: Strategy) -> float:
    run = fed.train(fl.LogisticRegression(), strategy=strategy, evaluate=False)
    run.run(ROUNDS, progress=False)
    return float(run.evaluate().frame["accuracy"].iloc[-1])


def behind(name: str) -> dict[str, str]:
    """Points of accuracy more than the exact fit, and their standard error over the splits."""
    points: dict[str, list[float]] = {}
    for seed in range(SEEDS):
        fed = fl.Federation(getattr(fl.datasets, name)(policy=EVERYBODY, seed=seed), seed=7)
        exact = accuracy(fed, fl.FedNewton())
        for label, strategy in STRATEGIES.items():
            try:
                points.setdefault(label, []).append(100 * (accuracy(fed, strategy) - exact))
            except TrainingError:
                points.pop(label)
    error = np.sqrt(SEEDS)
    return {k: f"{np.mean(each):+.2f} ± {np.std(each) / error:.2f}" for k, each in points.items()}


def test_defaults_beside_the_exact_fit(capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.DataFrame({name: behind(name) for name in DATASETS})
    with capsys.disabled():
        print(f"\nPoints of accuracy over the exact fit, {SEEDS} splits:\n{table.to_string()}")
