"""Figures of merit against scikit-learn on the pooled held-out rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

import fedlab as fl
from fedlab.core.metrics import from_histogram
from fedlab.errors import DataError, TrainingError
from fedlab.privacy import RecordDP
from fedlab.training import Training
from tests.builders import MODEL, RANGES, deal, rows_of, table

POLICIES = fl.Policy(minimum_rows=11)


def make(sizes: list[int], **options: object) -> tuple[list[fl.Site], Training]:
    sites = deal(table(sum(sizes), seed=91), sizes, test_size=0.4, **options)
    run = fl.Federation(sites).train(MODEL, strategy=fl.FedAvg())
    run.run(5, progress=False)
    return sites, run


def test_figures_are_those_of_scikit_learn_on_the_pooled_held_out_rows() -> None:
    sites, run = make([300, 200, 100])
    frame = run.evaluate().frame
    for name, chosen in [("(all sites)", sites), *((site.name, [site]) for site in sites)]:
        rows = rows_of(chosen, "test")
        probability = run.model.predict_proba(rows)[:, 1]
        line = frame.loc[name]
        assert line["rows"] == len(rows)
        predicted = run.model.predict(rows)
        assert line["accuracy"] == pytest.approx(accuracy_score(rows["died"], predicted))
        assert line["sensitivity"] == pytest.approx(recall_score(rows["died"], predicted))
        assert line["specificity"] == pytest.approx(1 - predicted[rows["died"] == 0].mean())
        assert line["precision"] == pytest.approx(precision_score(rows["died"], predicted))
        assert line["f1"] == pytest.approx(f1_score(rows["died"], predicted))
        assert line["log_loss"] == pytest.approx(log_loss(rows["died"], probability), abs=1e-12)
        # Two rows in one of the 100 bins count as tied.
        bins = np.clip(np.ceil(probability * 100) - 1, 0, 99)
        negative, positive = bins[rows["died"] == 0], bins[rows["died"] == 1]
        tied = np.mean(negative[:, None] == positive[None, :]) / 2
        assert abs(line["auc"] - roc_auc_score(rows["died"], probability)) <= tied + 1e-12
        assert line["auc"] == pytest.approx(roc_auc_score(rows["died"], bins))


def test_where_nothing_is_found_f1_is_nothing_and_precision_a_share_of_no_rows() -> None:
    missed = from_histogram(np.array([[5.0, 0.0], [3.0, 0.0]]))
    assert missed["f1"] == 0
    assert np.isnan(missed["precision"])
    nobody_ill = from_histogram(np.array([[5.0, 0.0], [0.0, 0.0]]))
    assert np.isnan(nobody_ill["f1"])


def test_history_shows_the_same_figures_as_an_evaluation() -> None:
    _, run = make([200, 100])
    everyone = run.evaluate().frame.loc["(all sites)"]
    last = run.history.iloc[-1]
    assert last["held_out_loss"] == pytest.approx(everyone["log_loss"], abs=1e-15)
    assert last["held_out_accuracy"] == everyone["accuracy"]


def test_sites_that_refuse_are_named_and_not_counted() -> None:
    _, run = make([200, 100, 20], policy=POLICIES)
    evaluation = run.evaluate()
    assert list(evaluation.refusals) == ["s02"]
    assert "s02" not in evaluation.frame.index
    assert evaluation.frame.loc["(all sites)", "rows"] == 120
    assert "at least 11 rows" in evaluation.refusals["s02"]
    assert "'s02'" in repr(evaluation)
    assert "s02" in evaluation._repr_html_()


def test_when_all_refuse_the_first_reason_is_told() -> None:
    _, run = make([20, 20], policy=POLICIES)
    with pytest.raises(TrainingError, match=r"refusals from all 2 sites.*at least 11 rows"):
        run.evaluate()


def test_one_class_alone_has_no_area() -> None:
    frame = table(200, seed=92).sort_values("died", ignore_index=True)
    run = fl.Federation(deal(frame, [50, 150], test_size=0.4)).train(MODEL, strategy=fl.FedNewton())
    run.step()
    found = run.evaluate().frame
    assert found["auc"].isna().tolist() == [True, False, False]


def test_no_site_may_have_the_name_of_the_line_for_all() -> None:
    with pytest.raises(DataError, match="Rename it"):
        fl.Federation([fl.Site("(all sites)", table(60), target="died")])


def test_a_private_evaluation_is_charged_and_says_how_noisy_it_is() -> None:
    policy = fl.Policy(epsilon=3.0)
    sites = deal(table(600, seed=93), [300, 300], test_size=0.4, policy=policy, ranges=RANGES)
    promise = RecordDP(epsilon=1.0, delta=1e-5, rounds=2)
    run = fl.Federation(sites).train(MODEL, strategy=fl.FedAvg(batch_size=None), privacy=promise)
    run.step()
    with pytest.raises(TrainingError, match="only with noise"):
        run.evaluate()
    once = RecordDP(epsilon=1.0, delta=1e-5)
    evaluation = run.evaluate(privacy=once)
    assert [site.ledger.frame["query"].tolist() for site in sites] == [
        ["LocalFit", "ScoreHistogram"]
    ] * 2
    line = evaluation.frame.loc["(all sites)"]
    rows = rows_of(sites, "test")
    exact = run.model.score(rows, rows["died"])
    assert abs(line["accuracy"] - exact) < 5 * line["accuracy_noise"]
    assert "auc" not in evaluation.frame
    # A promise made anew is a new promise, charged to the same ledgers.
    run.step()
    run.evaluate(privacy=once)
    assert [len(site.ledger.frame) for site in sites] == [4, 4]
