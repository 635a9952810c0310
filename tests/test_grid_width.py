"""A site may refuse survival times finer than a grid of its own choice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import fedlab as fl
from fedlab.core.cox import CoxRegression
from fedlab.errors import PrivacyError, RefusedError
from fedlab.queries import EventTimes, RiskHistogram, RiskSets
from fedlab.survival import concordance
from fedlab.training import Training
from tests.builders import ask, deal, numeric

MONTHLY = fl.Policy(minimum_rows=1, grid_width=30)


def sites(policy: fl.Policy = MONTHLY) -> list[fl.Site]:
    frame = numeric(160, seed=1)
    days = np.random.default_rng(0).integers(1, 400, len(frame)).astype(float)
    options: dict[str, Any] = {"target": "days", "event": "died", "ranges": None}
    return deal(frame.assign(days=days), [90, 70], test_size=0.3, policy=policy, **options)


def train(grid: Any, policy: fl.Policy = MONTHLY) -> Training:
    run = fl.Federation(sites(policy)).train(CoxRegression(grid=grid))
    run.run(3, progress=False)
    return run


@pytest.mark.parametrize(
    ("grid", "came"),
    [
        ("exact", "EventTimes on exact times"),
        (range(10, 400, 10), "RiskSets on a grid of times 10 apart"),
        ([30, 59, 90], "RiskSets on a grid of times 29 apart"),
        ([20, 50, 80], "RiskSets on a grid of times 20 apart"),
    ],
)
def test_a_finer_grid_is_refused_in_words(grid: Any, came: str) -> None:
    with pytest.raises(RefusedError, match=came) as caught:
        train(grid)
    assert caught.value.code == "times"
    assert "at least 30 apart" in str(caught.value)
    assert "coarser grid" in str(caught.value)


@pytest.mark.parametrize("grid", [range(30, 400, 30), [60.0, 90.0, 365.0]])
def test_a_grid_as_wide_is_answered(grid: Any) -> None:
    run = train(grid)
    assert run.round == 3
    assert np.isfinite(run.evaluate().frame["concordance"]).all()


def test_a_wide_grid_that_rounding_makes_uneven_is_answered() -> None:
    tenths = np.arange(1, 20) * 0.1
    assert np.diff(tenths, prepend=0).min() < 0.1
    frame = numeric(60).assign(years=lambda each: np.linspace(0.05, 1.8, len(each)))
    policy = fl.Policy(minimum_rows=1, grid_width=0.1)
    made = deal(frame, [60], target="years", event="died", ranges=None, policy=policy)
    fl.Federation(made).train(CoxRegression(grid=tenths.tolist()), evaluate=False).run(
        2, progress=False
    )


def test_without_a_width_exact_times_are_answered() -> None:
    assert train("exact", fl.Policy(minimum_rows=1)).round == 3


def test_who_says_exact_may_not_bring_a_coarse_grid_along() -> None:
    run = train(range(30, 400, 30))
    (door, _), space = sites(), run.problem.space
    query = RiskSets(
        model=CoxRegression(grid="exact"), space=space, parameters=run.state.parameters
    )
    refused = ask(door, query).refusal
    assert refused is not None
    assert refused.code == "times"


def test_a_refusal_reads_no_row_and_writes_no_charge() -> None:
    run = train(range(30, 400, 30))
    (door, _), model = sites(), CoxRegression(grid="exact")
    reply = ask(door, EventTimes(model=model, space=run.problem.space))
    assert reply.answer is None
    assert door.ledger.frame.empty
    assert door.audit.frame["outcome"].tolist() == ["times"]


def test_pairs_across_sites_are_counted_with_noise_alone() -> None:
    run = train(range(30, 400, 30))
    with pytest.raises(RefusedError, match="RiskHistogram on exact times"):
        concordance(fl.Federation(sites()), run)
    query = RiskHistogram(
        model=CoxRegression(grid=range(30, 400, 30)),
        space=run.problem.space,
        parameters=run.state.parameters,
        bins=10,
    )
    noisy = ask(sites()[0], query, privacy=fl.RecordDP(epsilon=1.0, delta=1e-5))
    assert noisy.refusal is None


def test_the_width_is_declared_and_shown_where_there_is_one() -> None:
    assert fl.Federation(sites()).frame["grid_width"].tolist() == [30, 30]
    assert "grid_width" not in fl.Federation(sites(fl.Policy())).frame


@pytest.mark.parametrize("width", [-1.0, np.inf, np.nan])
def test_a_width_is_a_distance(width: float) -> None:
    with pytest.raises(PrivacyError, match="grid_width"):
        fl.Policy(grid_width=width)


def test_other_models_do_not_mind() -> None:
    made = deal(numeric(80), [80], policy=MONTHLY)
    run = fl.Federation(made).train(fl.LogisticRegression(), evaluate=False)
    assert isinstance(run.step().frame, pd.DataFrame)
