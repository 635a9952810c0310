"""A run beside its sites alone and the pooled fit: the same figures by another way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score

import fedlab as fl
from fedlab.errors import DataError, PrivacyError, TrainingError
from fedlab.privacy import RecordDP
from fedlab.site import reveal
from fedlab.training import Training
from tests.builders import BUDGET, MODEL, RANGES, deal, make, numeric, rows_of, table

SIZES = [200, 90, 40]


def begin(rounds: int = 12) -> tuple[list[fl.Site], Training]:
    sites = deal(table(sum(SIZES), seed=5), SIZES, test_size=0.3)
    run = fl.Federation(sites, seed=3).train(MODEL, strategy=fl.FedNewton(), evaluate=False)
    run.run(rounds, progress=False)
    return sites, run


def test_each_site_alone_is_a_federation_of_one_judged_on_the_rows_of_all() -> None:
    sites, run = begin()
    frame = run.beside_single_sites().frame
    rows = rows_of(sites, "test")
    for site in sites:
        own = fl.Federation([site], seed=3).train(MODEL, strategy=fl.FedNewton(), evaluate=False)
        own.run(12, progress=False)
        predicted = own.model.predict(rows)
        line = frame.loc[site.name]
        assert line["training_rows"] == own.problem.total_rows
        assert line["held_out_rows"] == len(rows)
        assert line["accuracy"] == pytest.approx(accuracy_score(rows["died"], predicted))
        assert line["f1"] == pytest.approx(f1_score(rows["died"], predicted))


def test_the_federated_line_is_the_evaluation_of_the_run() -> None:
    _, run = begin()
    line = run.beside_single_sites().frame.loc["(federated)"]
    judged = run.evaluate().frame.loc["(all sites)"]
    assert line["accuracy"] == judged["accuracy"]
    assert line["auc"] == judged["auc"]
    assert line["training_rows"] == run.problem.total_rows


def test_the_pooled_line_is_scikit_learn_on_all_rows() -> None:
    sites = deal(numeric(sum(SIZES), seed=6), SIZES, test_size=0.3)
    run = fl.Federation(sites).train(MODEL, strategy=fl.FedNewton(), evaluate=False)
    run.run(12, progress=False)
    beside = run.beside_single_sites(sites)
    train, held_out = rows_of(sites), rows_of(sites, "test")
    features = [name for name in train if name != "died"]
    mean, scale = train[features].mean(), train[features].std(ddof=0)
    twin = LogisticRegression(tol=1e-10, max_iter=1000)
    twin.fit((train[features] - mean) / scale, train["died"])
    predicted = twin.predict((held_out[features] - mean) / scale)
    line = beside.frame.loc["(pooled)"]
    assert line["accuracy"] == pytest.approx(accuracy_score(held_out["died"], predicted))
    assert line["f1"] == pytest.approx(f1_score(held_out["died"], predicted))
    # An exact model is its pooled twin, so that the margin is none.
    assert beside.margins["to_pooled"].abs().max() < 1e-12


def test_a_forest_is_grown_to_its_end_at_each_site() -> None:
    sites = deal(table(330, seed=5), SIZES, test_size=0.3)
    forest = fl.RandomForestClassifier(n_trees=10, max_depth=3)
    run = fl.Federation(sites, seed=3).train(forest, evaluate=False)
    run.run(50, progress=False)
    frame = run.beside_single_sites(sites).frame
    assert frame.index.tolist() == ["(pooled)", "(federated)", "s00", "s01", "s02"]
    assert (frame["accuracy"] > 0.5).all()


def test_numbers_are_judged_by_their_own_figure() -> None:
    frame = numeric(330, seed=7).drop(columns="died")
    sites = deal(frame, SIZES, test_size=0.3, target="lab", ranges={})
    run = fl.Federation(sites).train(fl.Ridge(alpha=1.0), evaluate=False)
    run.run(2, progress=False)
    beside = run.beside_single_sites(sites)
    assert beside.margins.index.tolist() == ["r2"]
    assert abs(beside.margins["to_pooled"]["r2"]) < 1e-12
    assert [trace.name for trace in beside.plot().data] == ["R²"]


def test_splits_are_averaged_and_their_spread_is_told() -> None:
    parts = []
    for seed in (0, 1, 2):
        sites = deal(table(sum(SIZES), seed=5), SIZES, test_size=0.3, seed=seed)
        run = fl.Federation(sites).train(MODEL, strategy=fl.FedNewton(), evaluate=False)
        run.run(8, progress=False)
        parts.append(run.beside_single_sites(sites))
    together = parts[0].averaged_with(*parts[1:])
    each = np.array([part.frame.loc["s01", "accuracy"] for part in parts])
    assert together.frame.loc["s01", "accuracy"] == pytest.approx(each.mean())
    assert together.spread.loc["s01", "accuracy"] == pytest.approx(each.std(ddof=1))
    singles = [part.frame.drop(index=["(federated)", "(pooled)"])["f1"].max() for part in parts]
    assert together.margins.loc["f1", "best_single"] == pytest.approx(np.mean(singles))
    assert "of each of 3 splits" in repr(together)
    assert together.plot().data[0].error_x.array is not None
    assert parts[0].plot().data[0].error_x.array is None


def test_a_site_that_refuses_is_named_and_the_others_stay() -> None:
    policy = fl.Policy(minimum_rows=15)
    sites = deal(table(310, seed=8), [200, 90, 20], test_size=0.3, policy=policy)
    # Twenty rows leave fourteen for training, which the site's policy holds back.
    run = fl.Federation(sites[:2]).train(MODEL, strategy=fl.FedNewton(), evaluate=False)
    run.run(8, progress=False)
    assert "s02" not in run.beside_single_sites().frame.index
    few = deal(table(310, seed=8), [200, 90, 20], test_size=0.3)
    run = fl.Federation(few).train(MODEL, strategy=fl.FedNewton(), evaluate=False)
    run.run(8, progress=False)
    few[2].policy = policy
    beside = run.beside_single_sites(few)
    assert "s02" not in beside.frame.index
    assert "'s02' alone has no model" in repr(beside)


def test_private_runs_and_wrong_sites_are_refused() -> None:
    sites, run = begin(2)
    with pytest.raises(TrainingError, match="needs the sites of the run"):
        run.beside_single_sites(sites[:2])
    private = fl.Federation(
        deal(table(330, seed=5), SIZES, policy=BUDGET, ranges=RANGES, test_size=0.3)
    ).train(
        MODEL,
        strategy=fl.FedAvg(local_steps=1, batch_size=None),
        privacy=RecordDP(epsilon=1.0, delta=1e-5, rounds=1),
    )
    with pytest.raises(PrivacyError, match="exact answers"):
        private.beside_single_sites()


def test_rows_are_revealed_of_simulated_sites_alone(tmp_path: Path) -> None:
    sites = deal(table(60, seed=1), [40, 20], test_size=0.25)
    pd.testing.assert_frame_equal(reveal(sites[::-1], "test"), rows_of(sites, "test"))
    pd.testing.assert_frame_equal(reveal(sites[0]), rows_of(sites[:1]))
    real = fl.Site("real", table(40, seed=2), target="died", home=tmp_path)
    with pytest.raises(PrivacyError, match="Only simulated sites"):
        reveal([make(), real])
    with pytest.raises(DataError, match="no sites"):
        reveal([])
    with pytest.raises(DataError, match="split"):
        reveal(sites, "validation")  # type: ignore[arg-type]
