"""Parameters of each site's own: Ditto and fine-tuning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

import fedlab as fl
from fedlab.core.parameters import Array
from fedlab.core.regression import LinearRegression
from fedlab.errors import PrivacyError, TrainingError
from fedlab.queries import Context, PersonalFit, Rows
from fedlab.strategies import Ditto, FedAvg, FineTuning, Strategy, personal_parameters
from fedlab.training import Training
from tests.builders import OPEN, Recorder, bits, deal, fit, numeric, rows_of

HALVES: dict[str, Any] = {"learning_rate": 0.5, "local_steps": 2, "batch_size": None}
BEST = {"a": np.array([1.0, 1.0]), "b": np.array([4.0, -2.0])}
POOLED = np.array([3.0, -1.0])


def train(strategy: Strategy, rounds: int) -> Training:
    """Two sites whose gradient is ``w`` minus their entry of `BEST`."""
    frames = {
        "a": pd.DataFrame({"x": [1.0, -1.0], "y": [2.0, 0.0]}),
        "b": pd.DataFrame({"x": [1.0, -1.0, 1.0, -1.0], "y": [2.0, -6.0, 2.0, -6.0]}),
    }
    sites = [fl.Site(n, f, target="y", test_size=0, policy=OPEN) for n, f in frames.items()]
    run = fl.Federation(sites).train(LinearRegression(), strategy=strategy, evaluate=False)
    run.run(rounds, progress=False)
    return run


def own(run: Training, site: str) -> Array:
    return personal_parameters(run.strategy, run.problem, run.state, site).vector


def test_ditto_worked_by_hand() -> None:
    # With lam = 1 a step of one half ends in the middle between the site's optimum and w.
    for rounds, common in ((1, 0.0 * POOLED), (2, 0.75 * POOLED)):
        run = train(Ditto(lam=1.0, **HALVES), rounds)
        for site, best in BEST.items():
            np.testing.assert_allclose(own(run, site), (best + common) / 2, rtol=0, atol=1e-14)


def test_fine_tuning_worked_by_hand() -> None:
    # Two steps go three quarters of the way to the site's optimum; the common ones stay.
    for rounds, way in ((1, 3 / 4), (2, 15 / 16)):
        run = train(FineTuning(**HALVES), rounds)
        for site, best in BEST.items():
            np.testing.assert_allclose(own(run, site), way * best, rtol=0, atol=1e-14)
        assert not run.state.parameters.vector.any()


def test_without_a_pull_ditto_learns_what_each_site_would_alone() -> None:
    run = train(Ditto(lam=0.0, **HALVES), 40)
    for site, best in BEST.items():
        np.testing.assert_allclose(own(run, site), best, rtol=0, atol=1e-12)


def test_with_a_strong_pull_ditto_is_the_common_model() -> None:
    run = train(Ditto(lam=1e6, local_steps=2, batch_size=None), 40)
    for site in BEST:
        np.testing.assert_allclose(own(run, site), POOLED, rtol=0, atol=1e-4)


def test_fine_tuning_is_the_last_act_of_a_run() -> None:
    fed = fl.Federation(deal(numeric(120), [60, 40, 20]), seed=1)
    run = fed.train(fl.LogisticRegression(), strategy=FedAvg(), evaluate=False)
    run.run(3, progress=False)
    tuned = run.fork(strategy=FineTuning(local_epochs=3))
    tuned.step()
    assert bits(tuned.state.parameters) == bits(run.state.parameters)
    ones = [own(tuned, site) for site in fed.sites]
    assert len({one.tobytes() for one in ones}) == 3
    # Round 4 of FedAvg with one site alone is that site's local training.
    alone = run.fork(strategy=FedAvg(local_epochs=3))
    done = alone.step()
    common = run.state.parameters
    for site, one in zip(fed.sites, ones, strict=True):
        moved = common + alone.strategy.direction(done.answers[site])
        np.testing.assert_array_equal(one, moved.vector)


def test_a_personal_model_fits_its_site_better_where_sites_are_unlike() -> None:
    frame = numeric(300, seed=4, signal=3.0)
    frame.loc[150:, "died"] = 1 - frame.loc[150:, "died"]
    sites = deal(frame, [150, 150])
    run = fl.Federation(sites).train(
        fl.LogisticRegression(), strategy=Ditto(local_epochs=3), evaluate=False
    )
    run.run(15, progress=False)
    model, space = run.problem.model, run.problem.space
    for site in sites:
        rows = rows_of([site])
        y = rows["died"].to_numpy()
        figures = []
        for parameters in (
            run.state.parameters,
            personal_parameters(run.strategy, run.problem, run.state, site.name),
        ):
            fitted = model.estimator(parameters, space, n_samples=300, n_iter=15)
            figures.append(float(fitted.score(rows.drop(columns="died"), y)))
        assert figures[1] > figures[0] + 0.15


def test_sites_that_sat_out_have_the_common_parameters() -> None:
    fed = fl.Federation(deal(numeric(120), [40] * 3), seed=1)
    run = fed.train(fl.LogisticRegression(), strategy=Ditto(site_fraction=0.3), evaluate=False)
    done = run.step()
    for site in fed.sites:
        same = bits(personal_parameters(run.strategy, run.problem, run.state, site)) == bits(
            run.state.parameters
        )
        assert same == (site not in done.answers)


def test_under_privacy_both_trainings_draw_samples_of_their_own() -> None:
    (site,) = deal(numeric(80), [80])
    common = fit(site, batch_size=8, steps=6)
    query = PersonalFit(common=common, own=common.parameters, learning_rate=0.1, mu=0.0)
    released = query.releases(80)
    assert released is not None
    assert (released.count, released.sampling_rate) == (12, 0.1)
    recorder = Recorder()
    rows: Rows = site._rows["train"]
    context: Context = recorder.context(allowed=released.count)
    query.compute(rows, context)
    assert context.released == 12
    first, second = recorder.values[:6], recorder.values[6:]
    assert all((a != b).any() for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("strategy", "site", "rule"),
    [
        (FedAvg(), "a", "Personal parameters need a personalised strategy"),
        (Ditto(), "c", "The run has the sites 'a', 'b'"),
    ],
)
def test_who_has_no_personal_parameters_is_told_so(
    strategy: Strategy, site: str, rule: str
) -> None:
    run = train(strategy, 0)
    with pytest.raises(TrainingError, match=rule):
        personal_parameters(run.strategy, run.problem, run.state, site)


@pytest.mark.parametrize("strategy", [Ditto(local_epochs=2), FineTuning(local_epochs=2)])
def test_each_sites_own_parameters_are_judged_on_its_own_held_out_rows(strategy: Strategy) -> None:
    frame = numeric(300, seed=4, signal=3.0)
    frame.loc[150:, "died"] = 1 - frame.loc[150:, "died"]
    sites = deal(frame, [150, 100, 50], test_size=0.3)
    run = fl.Federation(sites).train(fl.LogisticRegression(), strategy=strategy, evaluate=False)
    run.run(4, progress=False)
    plain, found = run.evaluate().frame, run.evaluate(personal=True).frame
    pd.testing.assert_frame_equal(found[plain.columns], plain)
    right, losses, n_rows = 0.0, 0.0, 0
    for site in sites:
        rows = rows_of([site], "test")
        x, y = rows.drop(columns="died"), rows["died"].to_numpy()
        model = run.personal_model(site.name)
        accuracy, loss = model.score(x, y), log_loss(y, model.predict_proba(x))
        assert found.loc[site.name, "personal_accuracy"] == pytest.approx(accuracy)
        assert found.loc[site.name, "personal_log_loss"] == pytest.approx(loss)
        right, losses = right + accuracy * len(y), losses + loss * len(y)
        n_rows += len(y)
    assert found["personal_accuracy"].iloc[-1] == pytest.approx(right / n_rows)
    assert found["personal_log_loss"].iloc[-1] == pytest.approx(losses / n_rows)
    assert found["personal_accuracy"].iloc[-1] > found["accuracy"].iloc[-1] + 0.1


def test_personal_parameters_of_numbers_are_judged_by_r2() -> None:
    frame = numeric(200, seed=1).drop(columns="died").assign(cost=lambda f: 2 * f["age"] + f["lab"])
    sites = deal(frame, [120, 80], target="cost", test_size=0.3)
    run = fl.Federation(sites).train(LinearRegression(), strategy=Ditto(), evaluate=False)
    run.run(3, progress=False)
    found = run.evaluate(personal=True).frame
    for site in sites:
        rows = rows_of([site], "test")
        score = run.personal_model(site.name).score(rows.drop(columns="cost"), rows["cost"])
        assert found.loc[site.name, "personal_r2"] == pytest.approx(score)


def test_a_site_that_does_not_judge_is_left_out_of_a_personal_evaluation() -> None:
    frame = numeric(120)
    sites = deal(frame.iloc[:80], [40, 40], test_size=0.3)
    few = fl.Site("few", frame.iloc[80:], target="died", test_size=0.05)
    run = fl.Federation([*sites, few]).train(fl.LogisticRegression(), strategy=Ditto())
    run.step()
    found = run.evaluate(personal=True)
    assert list(found.frame.index) == ["s00", "s01", "(all sites)"]
    assert list(found.refusals) == ["few"]


def test_a_personal_evaluation_needs_personal_parameters_and_exact_sums() -> None:
    fed = fl.Federation(deal(numeric(80), [40, 40], test_size=0.3))
    with pytest.raises(TrainingError, match="need a personalised strategy"):
        fed.train(fl.LogisticRegression(), strategy=FedAvg()).evaluate(personal=True)
    run = fed.train(fl.LogisticRegression(), strategy=Ditto())
    with pytest.raises(PrivacyError, match="exact sums only"):
        run.evaluate(personal=True, privacy=fl.RecordDP(epsilon=1.0, delta=1e-5))
