"""Cox's model over sites, against statsmodels and scikit-survival on the pooled rows."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from statsmodels.duration.hazard_regression import PHReg

import fedlab as fl
from fedlab import datasets
from fedlab.core.concordance import concordance_counts, concordance_interval, risk_histogram
from fedlab.core.cox import CoxRegression
from fedlab.core.parameters import Array, Parameters
from fedlab.core.risk_sets import Ties, no_rows, on_grid, partial_likelihood, risk_sums
from fedlab.core.wire import decode, encode
from fedlab.errors import DataError, PrivacyError, SchemaError, TrainingError
from fedlab.queries import EventTimes, RiskSets, Sums, Times
from fedlab.queries.query import Split
from fedlab.strategies.fedcox import FedCox
from fedlab.survival import concordance
from fedlab.training import Training
from tests.builders import OPEN, deal, numeric

TIES: tuple[Ties, ...] = ("efron", "breslow")
SIZES = (3, 40, 1, 90, 66)


def survivors(n_rows: int = 200, seed: int = 0, *, whole: bool = True) -> pd.DataFrame:
    """Numbers, a flag and a category that shorten life, with tied times where they are whole."""
    random = np.random.default_rng(seed)
    age, lab = random.normal(60, 10, n_rows), random.normal(size=n_rows)
    smoker, ward = random.integers(0, 2, n_rows), random.integers(0, 3, n_rows)
    risk = 0.05 * (age - 60) + 0.4 * lab - 0.3 * smoker + 0.5 * (ward == 1)
    life, watched = random.exponential(20 * np.exp(-risk)), random.exponential(30, n_rows)
    time = np.minimum(life, watched)
    return pd.DataFrame(
        {
            "age": age,
            "lab": lab,
            "smoker": smoker,
            "ward": pd.Categorical.from_codes(ward, categories=pd.Index(["n", "s", "w"])),
            "time": np.ceil(time) if whole else time + 1e-3,
            "died": (life <= watched).astype(int),
        }
    )


def sites_of(frame: pd.DataFrame, sizes: tuple[int, ...] = SIZES, **options: Any) -> list[fl.Site]:
    return deal(frame, sizes, target="time", event="died", ranges=None, **options)


def fitted(sites: list[fl.Site], rounds: int = 9, **options: Any) -> Training:
    options = {"grid": "exact", **options}
    run = fl.Federation(sites, seed=3).train(CoxRegression(**options), evaluate=False)
    run.run(rounds, progress=False)
    return run


def inference(run: Training, **options: Any) -> pd.DataFrame:
    return run.inference(**options).frame


def pooled(sites: list[fl.Site], split: Split = "train") -> pd.DataFrame:
    parts = []
    for site in sites:
        rows, schema = site._rows[split], site.schema
        assert rows.event is not None
        assert schema.event is not None
        parts.append(rows.features.assign(**{schema.target: rows.target, schema.event: rows.event}))
    return pd.concat(parts, ignore_index=True)


def oracle(frame: pd.DataFrame, time: str, event: str, ties: Ties) -> pd.DataFrame:
    """Estimates and standard errors of statsmodels, by name of the term."""
    x = frame.drop(columns=[time, event])
    numbers = x.select_dtypes("number").columns
    x[numbers] = x[numbers].fillna(x[numbers].mean())
    design = pd.get_dummies(x, drop_first=True, dtype=float, prefix_sep="=")
    # Standardised, or its Newton steps overflow; from a first fit by another method, since they
    # are not halved and diverge from zero.
    deviation = design.std()
    model = PHReg(frame[time], (design - design.mean()) / deviation, status=frame[event], ties=ties)
    start = model.fit(method="bfgs", disp=0).params
    fit = model.fit(start_params=start, disp=0)
    table = {"estimate": fit.params, "standard_error": fit.bse, "p_value": fit.pvalues}
    result = pd.DataFrame(table, index=design.columns)
    result[["estimate", "standard_error"]] = result[["estimate", "standard_error"]].div(
        deviation, axis=0
    )
    return result


@cache
def real(name: str) -> list[fl.Site]:
    sites: list[fl.Site] = getattr(datasets, name)(policy=OPEN, test_size=0.0)
    return sites


@pytest.mark.parametrize("ties", TIES)
class TestAgainstStatsmodels:
    @pytest.mark.parametrize("name", ["cgd", "pbc", "dialysis"])
    def test_coefficients_and_standard_errors_of_real_patients(self, name: str, ties: Ties) -> None:
        sites = real(name)
        found = inference(fitted(sites, ties=ties))
        schema = sites[0].schema
        assert schema.event is not None
        expected = oracle(pooled(sites), schema.target, schema.event, ties)
        assert set(found.index) == set(expected.index)
        for column in expected:
            np.testing.assert_allclose(
                found[column], expected.reindex(found.index)[column], rtol=1e-6, atol=1e-9
            )

    def test_a_coarse_grid_is_the_fit_of_times_rounded_up_to_it(self, ties: Ties) -> None:
        frame = survivors(whole=False)
        grid = np.array([2.0, 5, 6, 10, 20, 25])
        found = inference(fitted(sites_of(frame), grid=grid, ties=ties))
        beyond = frame["time"] > grid[-1]
        rounded = frame.assign(
            time=np.where(beyond, 26.0, grid[np.minimum(np.searchsorted(grid, frame["time"]), 5)]),
            died=frame["died"].where(~beyond, 0),
        )
        assert beyond.any()
        expected = oracle(rounded, "time", "died", ties)
        for column in expected:
            np.testing.assert_allclose(found[column], expected[column], rtol=1e-6, atol=1e-9)

    def test_likelihood_gradient_and_hessian_anywhere(self, ties: Ties) -> None:
        frame = survivors(120, seed=4)
        x = frame[["age", "lab", "smoker"]].to_numpy(float) / 10
        time, event = frame["time"].to_numpy(float), frame["died"].to_numpy(float)
        grid = np.unique(time[event > 0])
        coef = np.array([0.7, -0.4, 0.2])
        cells, _ = on_grid(time, event, grid, exact=True)
        total = risk_sums(x, cells, event, coef, n_times=len(grid), ties=ties)
        loss, gradient, hessian = partial_likelihood(total, coef, ties)
        model = PHReg(time, x, status=event, ties=ties)
        by_zero, _, _ = partial_likelihood(
            risk_sums(x, cells, event, 0 * coef, n_times=len(grid), ties=ties), 0 * coef, ties
        )
        # Statsmodels leaves out a constant that depends on ties.
        gap = model.loglike(0 * coef) - model.loglike(coef)
        assert loss - by_zero == pytest.approx(gap, rel=1e-9)
        np.testing.assert_allclose(gradient, -model.score(coef), rtol=1e-9)
        np.testing.assert_allclose(hessian, -model.hessian(coef), rtol=1e-9)

    def test_the_baseline_hazard_is_breslows(self, ties: Ties) -> None:
        frame = survivors(150, seed=2)[["age", "lab", "time", "died"]]
        run = fitted(sites_of(frame, (100, 50)), ties=ties)
        scale = run.problem.space.scaling
        x = (frame[["age", "lab"]].to_numpy() - scale["mean"]) / scale["scale"]
        fit = PHReg(frame["time"], x, status=frame["died"], ties=ties).fit(disp=0)
        times, cumulative, _ = fit.baseline_cumulative_hazard[0]
        at = np.searchsorted(times, run.model.event_times_, side="right") - 1
        # Statsmodels gives the hazard up to a time, without the events at it.
        ours = run.model.baseline_cumulative_hazard_
        np.testing.assert_allclose([0.0, *ours[:-1]], cumulative[at], rtol=1e-8)


class TestAgainstScikitSurvival:
    @pytest.mark.parametrize("ties", TIES)
    @pytest.mark.parametrize("alpha", [0.0, 3.0])
    @pytest.mark.parametrize("name", ["cgd", "pbc", "dialysis"])
    def test_risks_survival_and_concordance_of_real_patients(
        self, name: str, alpha: float, ties: Ties
    ) -> None:
        linear = pytest.importorskip("sksurv.linear_model")
        metrics = pytest.importorskip("sksurv.metrics")
        sites = real(name)
        run, frame = fitted(sites, ties=ties, alpha=alpha), pooled(sites)
        schema = sites[0].schema
        x = run.problem.space.matrix(frame)
        if alpha == 0:
            # Without a penalty the indicators of all categories leave the coefficients open.
            first = [f"{c.name}={c.categories[0]}" for c in run.problem.space.categories]
            x = x[:, [n not in first for n in run.problem.space.names]]
        died, time = frame[schema.event].to_numpy() == 1, frame[schema.target].to_numpy(float)
        y = np.array(list(zip(died, time, strict=True)), dtype=[("e", bool), ("t", float)])
        pooled_fit = linear.CoxPHSurvivalAnalysis(alpha=alpha, ties=ties, tol=1e-13).fit(x, y)
        if alpha > 0:
            np.testing.assert_allclose(run.model.coef_, pooled_fit.coef_, rtol=1e-6, atol=1e-9)
        survival = run.model.predict_survival_function(frame)
        at = np.searchsorted(pooled_fit.unique_times_, survival.columns)
        expected = pooled_fit.predict_survival_function(x, return_array=True)[:, at]
        np.testing.assert_allclose(survival, expected, rtol=1e-6, atol=1e-9)
        risk = run.model.predict(frame)
        assert run.model.score(frame) == metrics.concordance_index_censored(died, time, risk)[0]


class TestSites:
    @settings(max_examples=20)
    @given(
        cuts=st.lists(st.integers(1, 79), max_size=5, unique=True),
        seed=st.integers(0, 30),
        ties=st.sampled_from(TIES),
    )
    def test_how_rows_lie_at_sites_does_not_matter(
        self, cuts: list[int], seed: int, ties: Ties
    ) -> None:
        frame = survivors(80, seed=seed)
        sizes = tuple(int(size) for size in np.diff([0, *sorted(cuts), 80]))
        parts, whole = (fitted(sites_of(frame, each), 8, ties=ties) for each in (sizes, (80,)))
        for name in ("coef", "times", "hazard"):
            np.testing.assert_allclose(
                parts.state.parameters[name], whole.state.parameters[name], rtol=1e-7, atol=1e-9
            )

    def test_sites_without_events_take_part(self) -> None:
        frame = survivors().sort_values("died", ignore_index=True)
        censored = int((frame["died"] == 0).sum())
        assert censored > 60
        found = inference(fitted(sites_of(frame, (50, 10, 140))))
        expected = oracle(frame, "time", "died", "efron")
        np.testing.assert_allclose(found["estimate"], expected["estimate"], rtol=1e-6)

    def test_the_order_of_sites_does_not_matter_to_the_bit(self) -> None:
        there, back = sites_of(survivors()), sites_of(survivors())[::-1]
        assert fitted(there).state.parameters == fitted(back).state.parameters

    def test_no_event_anywhere_is_an_error(self) -> None:
        frame = survivors().assign(died=0)
        with pytest.raises(TrainingError, match="event at some site"):
            fitted(sites_of(frame), 1)

    def test_a_grid_in_another_unit_is_an_error(self) -> None:
        with pytest.raises(TrainingError, match="unit of the target"):
            fitted(sites_of(survivors()), 1, grid=[0.001, 0.002])

    def test_a_likelihood_without_a_maximum_stays_finite(self) -> None:
        frame = survivors(100).assign(lab=lambda each: each["died"] * 1.0)
        run = fitted(sites_of(frame, (60, 40)), 15)
        assert np.isfinite(run.state.parameters.vector).all()

    def test_an_overshooting_step_is_halved(self) -> None:
        random = np.random.default_rng(1)
        x = random.standard_cauchy(150)
        time = random.exponential(np.exp(-np.clip(x, -3, 3)))
        frame = pd.DataFrame({"x": x, "time": time + 1e-3, "died": 1})
        run = fl.Federation(sites_of(frame, (100, 50))).train(
            CoxRegression(grid="exact"), evaluate=False
        )
        lengths = []
        for _ in range(40):
            lengths.append(float(run.step().state.carried["length"]))
        assert min(lengths) < 1
        scale = float(run.problem.space.scaling["scale"][0])
        model = PHReg(frame["time"], x / scale, status=frame["died"], ties="efron")
        assert np.abs(model.score(run.state.parameters["coef"])).max() < 1e-7

    def test_contributions_are_worked_out_with_a_site_without_events(self) -> None:
        frame = survivors().sort_values("died", ignore_index=True)
        sites = sites_of(frame, (50, 50, 100), test_size=0.3)
        run = fl.Federation(sites).train(CoxRegression(grid=range(1, 60, 2)))
        run.run(4, progress=False)
        assert np.isfinite(run.contributions().frame["shapley"]).all()

    def test_contributions_are_worked_out_on_exact_times(self) -> None:
        sites = sites_of(survivors(), (50, 50, 100), test_size=0.3)
        run = fl.Federation(sites).train(CoxRegression(grid="exact"))
        run.run(3, progress=False)
        assert np.isfinite(run.contributions().frame.to_numpy()).all()

    def test_a_saved_run_goes_on_with_the_same_bits(self, tmp_path: Path) -> None:
        sites = sites_of(survivors())
        run = fitted(sites, 3)
        run.save(tmp_path / "run.fedlab")
        again = fl.resume(tmp_path / "run.fedlab", fl.Federation(sites, seed=3))
        run.step(), again.step()
        assert again.state == run.state

    def test_it_offers_no_privacy(self) -> None:
        with pytest.raises(PrivacyError):
            fl.Federation(sites_of(survivors())).train(
                CoxRegression(grid="exact"),
                strategy=FedCox(),
                privacy=fl.RecordDP(epsilon=1, delta=1e-5, rounds=2),
            )


class TestJudging:
    def test_history_and_evaluation_judge_within_sites(self) -> None:
        sites = sites_of(survivors(), (40, 60, 100), test_size=0.3)
        run = fl.Federation(sites).train(CoxRegression(grid="exact"))
        run.run(6, progress=False)
        history = run.history
        assert history["held_out_concordance"].iloc[-1] > 0.55
        assert history["held_out_concordance"].iloc[0] == 0.5
        frame = run.evaluate().frame
        alone = pooled(sites[:1], "test")
        assert frame.loc["s00", "concordance"] == pytest.approx(run.model.score(alone))
        pairs = [naive_pairs(pooled([site], "test"), run) for site in sites]
        total = sum(one for one, _ in pairs) / sum(two for _, two in pairs)
        assert frame["concordance"].iloc[-1] == pytest.approx(total)

    def test_the_loss_is_the_partial_likelihood_with_sites_as_strata(self) -> None:
        sites = sites_of(survivors(), (40, 60, 100))
        run = fl.Federation(sites).train(CoxRegression(grid="exact", ties="breslow"))
        run.run(8, progress=False)
        frame = pooled(sites)
        x, strata = run.problem.space.matrix(frame), np.repeat([0, 1, 2], [40, 60, 100])
        model = PHReg(frame["time"], x, status=frame["died"], ties="breslow", strata=strata)
        expected = model.loglike(np.zeros(6)) - model.loglike(run.state.parameters["coef"])
        change = run.history["train_loss"].iloc[-1] - run.history["train_loss"].iloc[0]
        assert change * len(frame) == pytest.approx(expected, rel=1e-9)

    @pytest.mark.parametrize("bins", [20, 200, 5000])
    def test_pairs_across_sites_are_within_the_bounds(self, bins: int) -> None:
        sites = sites_of(survivors())
        run, frame = fitted(sites), pooled(sites)
        table = concordance(fl.Federation(sites), run, split="train", bins=bins).frame
        every, true = table.iloc[-1], run.model.score(frame)
        assert every["lower"] <= true <= every["upper"]
        assert every["upper"] - every["lower"] < 5 / bins
        assert every["pairs"] == naive_pairs(frame, run)[1]
        within = sum(naive_pairs(pooled([site]), run)[1] for site in sites)
        assert table.iloc[-2]["pairs"] == within < every["pairs"]

    def test_held_out_pairs_are_compared_on_a_grid_too(self) -> None:
        sites = sites_of(survivors(), (100, 100), test_size=0.3)
        run = fitted(sites, grid=range(1, 80, 3))
        shown = concordance(fl.Federation(sites), run)
        assert 0.5 < shown.frame["concordance"].iloc[-1] < 1
        assert "(all sites) compares" in repr(shown)
        assert "<table" in shown._repr_html_()

    def test_concordance_needs_a_fit_of_cox(self) -> None:
        sites = sites_of(survivors())
        fed = fl.Federation(sites)
        with pytest.raises(TrainingError, match="grid of times"):
            concordance(fed, fed.train(CoxRegression(grid="exact"), evaluate=False))
        with pytest.raises(TrainingError, match="bins"):
            concordance(fed, fitted(sites, 2), bins=1)

    @given(seed=st.integers(0, 200), n_rows=st.integers(0, 40))
    def test_concordance_is_that_of_every_pair(self, seed: int, n_rows: int) -> None:
        random = np.random.default_rng(seed)
        draws = [random.integers(low, high, n_rows) for low, high in ((1, 8), (0, 2), (0, 4))]
        time, event, risk = (draw.astype(np.float64) for draw in draws)
        found = concordance_counts(time, event, risk)
        assert found == naive(time, event, risk)
        # As many bins as risks, and a grid of all times: the histogram knows all.
        grid = np.unique(time[event > 0])
        counts = risk_histogram(time, event, risk, grid, 1.0, 200)
        middle, lower, upper, pairs = concordance_interval(counts)
        assert pairs == found[1]
        if pairs:
            assert middle == pytest.approx(found[0] / found[1])
            assert lower <= middle <= upper

    @pytest.mark.parametrize("n_times", [1, 3, 40, 100_000])
    def test_many_rows_are_counted_in_chunks_of_any_ties(self, n_times: int) -> None:
        random = np.random.default_rng(n_times)
        time = random.integers(0, n_times, 2500).astype(np.float64)
        event = random.integers(0, 2, 2500).astype(np.float64)
        risk = random.integers(0, 50, 2500).astype(np.float64)
        later = (time > time[:, None]) | ((time == time[:, None]) & (event == 0))
        later &= event[:, None] > 0
        higher = later & (risk[:, None] > risk)
        equal = later & (risk[:, None] == risk)
        expected = (higher.sum() + equal.sum() / 2, later.sum())
        assert concordance_counts(time, event, risk) == expected


def naive(time: Array, event: Array, risk: Array) -> tuple[float, float]:
    concordant = comparable = 0.0
    for i in np.flatnonzero(event):
        for j in range(len(time)):
            if time[j] > time[i] or (time[j] == time[i] and not event[j]):
                comparable += 1
                concordant += (risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j])
    return concordant, comparable


def naive_pairs(frame: pd.DataFrame, run: Training) -> tuple[float, float]:
    time, event = frame["time"].to_numpy(float), frame["died"].to_numpy(float)
    return naive(time, event, run.model.predict(frame))


class TestEstimator:
    def test_it_takes_rows_in_the_sites_own_columns(self) -> None:
        frame = survivors()
        run = fitted(sites_of(frame))
        x = run.problem.space.matrix(frame)
        parameters, model = run.state.parameters, run.problem.model
        np.testing.assert_allclose(run.model.predict(frame), x @ parameters["coef"])
        times = np.array([0.5, 1, 7.5, 1000])
        found = run.model.predict_survival_function(frame, times)
        assert list(found.columns) == [0.5, 1, 7.5, 1000]
        assert (found[0.5] == 1).all()
        assert isinstance(model, CoxRegression)
        np.testing.assert_allclose(found, model.survival(parameters, x, times))
        survival = run.model.predict_survival_function(frame)
        assert (np.diff(survival.to_numpy()) <= 0).all()

    def test_a_score_takes_times_beside_or_within_the_table(self) -> None:
        frame = survivors()
        model = fitted(sites_of(frame)).model
        x, y = frame.drop(columns=["time", "died"]), frame[["time", "died"]]
        assert model.score(x, y) == model.score(frame) > 0.6
        with pytest.raises(DataError, match="'time' or 'died'"):
            model.score(x)

    def test_it_is_a_scikit_learn_estimator_that_cannot_be_fitted(self) -> None:
        model = fitted(sites_of(survivors()), ties="breslow", alpha=0.5).model
        assert model.get_params() == {"ties": "breslow", "alpha": 0.5}
        assert clone(model).get_params() == model.get_params()
        assert list(model.feature_names_in_) == ["age", "lab", "smoker", "ward"]
        with pytest.raises(TrainingError, match="A federation fits"):
            model.fit(survivors())

    def test_a_reference_can_be_chosen(self) -> None:
        run = fitted(sites_of(survivors()))
        plain, other = inference(run), inference(run, references={"ward": "s"})
        assert other["estimate"]["ward=n"] == pytest.approx(-plain["estimate"]["ward=s"])
        assert (plain["hazard_ratio_lower"] < plain["hazard_ratio"]).all()


class TestRefused:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"ties": "exact"}, "ties"),
            ({"alpha": -1.0}, "alpha"),
            ({"grid": "months"}, "grid"),
            ({"grid": ()}, "grid"),
            ({"grid": (2.0, 1.0)}, "grid"),
            ({"grid": (0.0, 1.0)}, "grid"),
            ({"grid": (1.0, np.inf)}, "grid"),
        ],
    )
    def test_arguments_out_of_range(self, options: Any, words: str) -> None:
        with pytest.raises(TrainingError, match=words):
            CoxRegression(**options)

    def test_a_grid_has_to_be_chosen(self) -> None:
        with pytest.raises(TrainingError, match="decides what leaves"):
            fl.Federation(sites_of(survivors())).train(CoxRegression())

    def test_a_target_without_an_event(self) -> None:
        sites = deal(numeric(40), (40,))
        with pytest.raises(TrainingError, match="where times end"):
            fl.Federation(sites).train(CoxRegression(grid="exact"))

    def test_another_model_with_its_strategy(self) -> None:
        fed = fl.Federation(deal(numeric(40), (40,)))
        with pytest.raises(TrainingError, match="FedCox fits"):
            fed.train(fl.LogisticRegression(), strategy=FedCox())

    def test_answers_that_are_not_what_was_asked(self) -> None:
        run = fitted(sites_of(survivors()), 1)
        space, parameters = run.problem.space, run.state.parameters
        model = CoxRegression(grid="exact")
        times = EventTimes(model=model, space=space)
        assert times.accepts(Times(np.array([1.0, 2.0])))
        assert times.accepts(Times(np.zeros(0)))
        for wrong in ([2.0, 1.0], [0.0, 1.0], [np.nan], [1.0, 1.0]):
            assert not times.accepts(Times(np.array(wrong)))
        sets = RiskSets(model=model, space=space, parameters=parameters)
        n_times, n_features = len(parameters["times"]), len(parameters["coef"])
        assert sets.accepts(Sums(no_rows(n_times, n_features, "efron")))
        assert not sets.accepts(Sums(no_rows(n_times, n_features, "breslow")))
        assert not sets.accepts(Sums(no_rows(n_times + 1, n_features, "efron")))
        assert decode(encode(sets), RiskSets) == sets


class TestSurvivalSites:
    def test_time_and_event_are_no_features_and_the_split_is_stratified_by_event(self) -> None:
        frame = survivors(200).assign(died=[1] * 20 + [0] * 180)
        (site,) = sites_of(frame, (200,), test_size=0.25)
        assert site.schema.names == ("age", "lab", "smoker", "ward")
        assert (site.schema.target, site.schema.event) == ("time", "died")
        assert site.schema.classes == ()
        held_out = site._rows["test"].event
        assert held_out is not None
        assert (len(held_out), int(held_out.sum())) == (50, 5)

    @pytest.mark.parametrize(
        ("column", "value", "words"),
        [
            ("time", 0.0, "positive and finite"),
            ("time", -1.0, "positive and finite"),
            ("time", np.inf, "positive and finite"),
            ("time", np.nan, "number in every row"),
            ("died", 2, "0 for censored"),
            ("died", np.nan, "number in every row"),
            ("died", "yes", "number in every row"),
        ],
    )
    def test_times_and_events_must_be_usable(self, column: str, value: Any, words: str) -> None:
        frame = survivors(30)
        frame[column] = frame[column].astype(object if isinstance(value, str) else float)
        frame.loc[3, column] = value
        with pytest.raises(DataError, match=words):
            sites_of(frame, (30,))

    def test_an_event_may_be_boolean(self) -> None:
        frame = survivors()
        flags = frame.assign(died=frame["died"] == 1)
        one, two = fitted(sites_of(frame)), fitted(sites_of(flags))
        assert one.state.parameters == two.state.parameters

    @pytest.mark.parametrize("event", ["time", "dead"])
    def test_the_event_must_be_another_column(self, event: str) -> None:
        with pytest.raises(DataError, match=f"Got '{event}'"):
            fl.Site("mercy", survivors(30), target="time", event=event)
        with pytest.raises(DataError, match="event must be a column"):
            fl.partition(survivors(30), 2, target="time", event=event)

    def test_sites_must_name_the_same_event(self) -> None:
        frame = survivors(40).assign(moved=0)
        one = fl.Site("a", frame, target="time", event="died")
        two = fl.Site("b", frame, target="time", event="moved")
        with pytest.raises(SchemaError, match="same event"):
            fl.Federation([one, two])

    def test_partition_skews_by_event(self) -> None:
        skewed = fl.partition(
            survivors(400), 4, target="time", event="died", skew=0.1, test_size=0.0
        )
        shares = [float(pooled([site])["died"].mean()) for site in skewed]
        assert max(shares) - min(shares) > 0.5
        assert sum(len(pooled([site])) for site in skewed) == 400


@pytest.mark.parametrize("grid", [None, "exact", range(1, 5), np.array([0.5, 2.0])])
def test_a_model_travels_with_its_grid(grid: Any) -> None:
    model = CoxRegression(grid=grid, alpha=0.5)
    assert decode(encode(model), CoxRegression) == model
    assert hash(decode(encode(model), CoxRegression)) == hash(model)


def test_a_row_beyond_the_grid_is_censored_at_its_end() -> None:
    cells, events = on_grid(np.array([1.0, 9.0]), np.ones(2), np.array([2.0, 4.0]), exact=False)
    assert cells.tolist() == [0, 1]
    assert events.tolist() == [1, 0]


@pytest.mark.parametrize("ties", TIES)
def test_sums_of_no_rows_have_the_names_and_shapes_of_sums(ties: Ties) -> None:
    none = risk_sums(
        np.zeros((0, 3)), np.zeros(0, int), np.zeros(0), np.zeros(3), n_times=4, ties=ties
    )
    assert isinstance(none, Parameters)
    assert none == no_rows(4, 3, ties)
