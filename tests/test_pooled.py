"""The pooled oracle: exact models are their twins, and what averaging costs is seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.linear_model import LogisticRegression as PooledRegression
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from statsmodels.duration.hazard_regression import PHReg

import fedlab as fl
from fedlab.core.model import Model
from fedlab.errors import DataError, TrainingError
from fedlab.pooled import Gap
from fedlab.site import reveal
from fedlab.training import Training
from tests.builders import OPEN, deal, numeric, table

SIZES = (180, 100, 70, 30, 20)
COUNTS: dict[str, Any] = {"ranges": {}}
# A classifier of few trees is enough to be compared.
SMALL: dict[str, Any] = {"n_trees": 8, "max_depth": 4}


def numbers(n_rows: int = 400) -> pd.DataFrame:
    """The shared table with a target of fractions."""
    frame = table(n_rows)
    noise = np.random.default_rng(1).normal(size=n_rows)
    return frame.assign(died=frame["age"] / 7 + frame["lab"].fillna(0) ** 2 + noise)


def counts(n_rows: int = 400) -> pd.DataFrame:
    frame = table(n_rows)
    rate = np.exp(frame["age"] / 60 - 0.5 * frame["smoker"])
    return frame.assign(died=np.random.default_rng(2).poisson(rate))


def wine() -> pd.DataFrame:
    frame: pd.DataFrame = load_wine(as_frame=True).frame.rename(columns={"target": "died"})
    codes = frame["died"].to_numpy()
    frame["died"] = pd.Categorical.from_codes(codes, categories=pd.Index(["c", "a", "b"]))
    return frame.sample(frac=1, random_state=0).reset_index(drop=True)


def times(n_rows: int = 300) -> pd.DataFrame:
    """Patients with a time that ends in death or is censored, whole days, with ties."""
    frame = numeric(n_rows)
    random = np.random.default_rng(3)
    hazard = np.exp((frame["age"] - 60) / 20 + 0.5 * frame["lab"])
    death = np.ceil(random.exponential(60 / hazard))
    end = np.ceil(random.uniform(20, 120, n_rows))
    time, seen = np.minimum(death, end), (death <= end).astype(int)
    return frame.drop(columns="died").assign(time=time, died=seen)


def fit(
    frame: pd.DataFrame,
    model: Model,
    rounds: int = 25,
    sizes: Sequence[int] | None = None,
    options: dict[str, Any] | None = None,
    **how: Any,
) -> tuple[list[fl.Site], Training]:
    """Sites of the rows in order, and a run to its end."""
    shares = np.array(SIZES) * len(frame) // sum(SIZES)
    chosen = sizes or [*shares[:-1].tolist(), len(frame) - int(shares[:-1].sum())]
    sites = deal(frame, chosen, **(options or COUNTS))
    run = fl.Federation(sites, seed=3).train(model, evaluate=False, **how)
    run.run(rounds, progress=False)
    return sites, run


def gap_of(frame: pd.DataFrame, model: Model, rounds: int = 25, **how: Any) -> Gap:
    sites, run = fit(frame, model, rounds, **how)
    return run.gap_to_pooled(reveal(sites))


GAPLESS = numeric(400)
EXACT: dict[str, tuple[pd.DataFrame, Model, float]] = {
    "logistic": (table(400), fl.LogisticRegression(), 1e-8),
    "logistic, unpenalised": (GAPLESS, fl.LogisticRegression(C=math.inf), 1e-8),
    "logistic, three classes": (wine(), fl.LogisticRegression(), 1e-8),
    "elastic net": (table(400), fl.LogisticRegression(C=0.1, l1_ratio=0.5), 1e-6),
    "least squares": (numbers(), fl.LinearRegression(), 1e-8),
    "ridge": (numbers(), fl.Ridge(), 1e-8),
    "poisson": (counts(), fl.PoissonRegression(alpha=0.1), 1e-8),
    "linear support vectors": (table(400), fl.SVC(kernel="linear"), 1e-6),
    "linear, three classes": (wine(), fl.SVC(kernel="linear"), 1e-6),
    "support vectors": (GAPLESS, fl.SVC(n_components=60), 1e-6),
    "gaussian bayes": (GAPLESS, fl.GaussianNB(), 1e-8),
    "bernoulli bayes": (GAPLESS, fl.BernoulliNB(binarize=1.0), 1e-8),
    "k-means": (table(400), fl.KMeans(n_clusters=3, n_init=2), 1e-8),
    "principal components": (table(400), fl.PCA(n_components=3), 1e-8),
}


@pytest.mark.parametrize("name", EXACT)
def test_what_is_exact_is_its_pooled_twin(name: str) -> None:
    frame, model, bound = EXACT[name]
    gap = gap_of(frame, model, rounds=1 if isinstance(model, fl.PCA) else 40)
    assert len(gap.frame) > 3
    assert gap.largest < bound
    assert gap.notes == ()
    difference = gap.figures.loc["difference"]
    assert difference.abs().max() < 1e-6
    assert not difference.isna().any()


@pytest.mark.parametrize("model", [fl.LinearRegression(), fl.Ridge()], ids=["plain", "ridge"])
def test_columns_that_say_the_same_have_the_shortest_coefficients_in_both(model: Model) -> None:
    frame = numbers().assign(months=lambda rows: rows["age"] * 12)
    assert gap_of(frame, model).largest < 1e-8


@pytest.mark.parametrize("grid", ["exact", tuple(range(5, 125, 5))], ids=["exact", "coarse"])
def test_a_cox_model_is_the_one_of_a_single_site_and_statsmodels_agrees(grid: Any) -> None:
    frame = times()
    model = fl.CoxRegression(grid=grid)
    options = {"target": "time", "event": "died", "ranges": {}}
    gap = gap_of(frame, model, rounds=15, options=options)
    assert gap.largest < 1e-8
    assert "statsmodels" in gap.notes[0]
    assert set(gap.figures.columns) == {"concordance"}
    coefs = gap.frame.filter(like="coef_", axis="index")["pooled"]
    assert coefs.index.tolist() == ["coef_[age]", "coef_[lab]", "coef_[smoker]"]
    if grid == "exact":
        features = frame[["age", "lab", "smoker"]]
        scaled = (features - features.mean()) / features.std(ddof=0)
        oracle = PHReg(frame["time"], scaled, status=frame["died"], ties="efron").fit()
        np.testing.assert_allclose(coefs, oracle.params, atol=1e-6)


@given(st.lists(st.integers(1, 119), max_size=5, unique=True), st.sampled_from([0, 1, 2]))
@settings(max_examples=12, deadline=None)
def test_however_rows_are_dealt_out_the_fit_is_the_pooled_one(cuts: list[int], which: int) -> None:
    model: Model = [fl.LogisticRegression(), fl.GaussianNB(), fl.PCA()][which]
    sizes = np.diff([0, *sorted(cuts), 120]).tolist()
    assert gap_of(numeric(120), model, rounds=12, sizes=sizes).largest < 1e-8


# Trees


TREES: dict[str, Model] = {
    "forest": fl.RandomForestClassifier(**SMALL, bootstrap=False),
    "bootstrapped forest": fl.RandomForestClassifier(**SMALL),
    "boosting": fl.GradientBoostingClassifier(n_trees=6, min_samples_leaf=5),
    "forest of numbers": fl.RandomForestRegressor(**SMALL),
    "boosting of numbers": fl.GradientBoostingRegressor(n_trees=6, min_samples_leaf=5),
}


@pytest.mark.parametrize("name", TREES)
def test_trees_are_those_of_the_pooled_table_and_scikit_learns_stand_beside_them(name: str) -> None:
    frame = numbers() if "numbers" in name else table(400)
    gap = gap_of(frame, TREES[name], rounds=60)
    assert gap.identical is True
    assert "to the bit" in gap.notes[0]
    assert gap.frame.empty
    assert math.isnan(gap.largest)
    assert "no learned number" in repr(gap)
    assert type(gap.twin[-1]).__module__.startswith("sklearn.ensemble")
    score = "r2" if "numbers" in name else "accuracy"
    assert abs(gap.figures[score]["difference"]) < 0.06
    assert "accuracy" in gap.plot().to_json() or "r2" in gap.plot().to_json()


def test_a_bootstrapped_forest_is_another_where_rows_are_mixed_and_says_why() -> None:
    sites, run = fit(table(400), fl.RandomForestClassifier(**SMALL), rounds=60)
    gap = run.gap_to_pooled(reveal(sites).sample(frac=1, random_state=0))
    assert gap.identical is False
    assert "in the order of the sites' names" in gap.notes[0]
    fewer = run.gap_to_pooled(reveal(sites).iloc[:390])
    assert fewer.identical is None


# Figures


def test_figures_are_scikit_learns_for_both_fits_on_both_tables() -> None:
    frame = load_breast_cancer(as_frame=True).frame.rename(columns={"target": "died"})
    train, test = train_test_split(frame, test_size=0.25, random_state=0)
    sites = deal(train, [226, 120, 50, 20, 10], ranges={})
    run = fl.Federation(sites).train(fl.LogisticRegression(), evaluate=False)
    run.run(3, progress=False)
    gap = run.gap_to_pooled(reveal(sites), held_out=test)
    assert gap.figures.index.tolist() == ["federated", "pooled", "difference"]
    for name, model in (("federated", run.model), ("pooled", gap.twin)):
        line, said = gap.figures.loc[name], model.predict(test)
        assert line["held_out_accuracy"] == model.score(test, test["died"])
        assert line["held_out_balanced_accuracy"] == pytest.approx(
            balanced_accuracy_score(test["died"], said)
        )
        assert line["held_out_f1"] == pytest.approx(f1_score(test["died"], said))
        ranked = roc_auc_score(test["died"], model.predict_proba(test)[:, 1])
        assert line["held_out_auc"] == pytest.approx(ranked)
    assert gap.figures.loc["difference"].abs().max() > 0


def test_f1_and_auc_are_about_the_second_class_of_the_schema() -> None:
    labels = pd.Index(["well", "ill"])
    frame = numeric(400)
    frame["died"] = pd.Categorical.from_codes(frame["died"].to_numpy(), categories=labels)
    sites, run = fit(frame, fl.SVC(kernel="linear"))
    rows = reveal(sites)
    line = run.gap_to_pooled(rows).figures.loc["federated"]
    said = run.model.predict(rows)
    assert line["f1"] == f1_score(rows["died"].astype(str), said, pos_label="ill")
    ranks = -run.model.decision_function(rows)
    assert line["auc"] == pytest.approx(roc_auc_score(rows["died"] == "ill", ranks))


def test_an_rbf_kernel_is_shown_beside_the_pooled_machine_with_the_kernel_itself() -> None:
    frame = load_breast_cancer(as_frame=True).frame.rename(columns={"target": "died"})
    train, test = train_test_split(frame, test_size=0.25, random_state=0)
    sites = deal(train, [226, 120, 50, 20, 10], ranges={})
    run = fl.Federation(sites).train(fl.SVC(), evaluate=False)
    run.run(20, progress=False)
    figures = run.gap_to_pooled(reveal(sites), held_out=test).figures
    accuracy = figures["held_out_accuracy"]
    assert abs(accuracy["federated"] - accuracy["pooled exact kernel"]) < 0.011
    assert figures.loc["difference"].abs().max() < 1e-6


def test_a_figure_that_held_out_rows_leave_undefined_is_no_number() -> None:
    sites, run = fit(table(400), fl.LogisticRegression())
    one_class = reveal(sites).query("died == 1").head(20)
    figures = run.gap_to_pooled(reveal(sites), held_out=one_class).figures
    assert figures["held_out_auc"].isna().all()
    assert figures["held_out_accuracy"].notna().all()


# What averaging costs


def test_what_averaging_costs_is_seen_and_falls_with_rounds() -> None:
    frame = table(400).sort_values("age").reset_index(drop=True)
    strategy = fl.FedAvg(local_epochs=10)
    sites, run = fit(frame, fl.LogisticRegression(), rounds=1, strategy=strategy)
    rows = reveal(sites)
    early = run.gap_to_pooled(rows)
    run.run(40, progress=False)
    late = run.gap_to_pooled(rows)
    exact = fit(frame, fl.LogisticRegression())[1].gap_to_pooled(rows)
    assert early.largest > late.largest > 1e-3 > exact.largest
    assert (late.frame["pooled"] == exact.frame["pooled"]).all()
    # Rows of numpy's and of scikit-learn's own, so that the gap is no figment of the twin.
    space = run.problem.space
    oracle = PooledRegression(solver="newton-cholesky", tol=1e-12, max_iter=100)
    oracle.fit(space.matrix(rows), rows["died"])
    np.testing.assert_allclose(late.frame["pooled"].iloc[:-1], oracle.coef_[0], atol=1e-9)


@pytest.mark.parametrize(
    ("frame", "estimator", "figure"),
    [
        (GAPLESS, SGDClassifier(loss="log_loss", random_state=0), "accuracy"),
        (
            numbers().drop(columns="ward").assign(died=lambda rows: rows["died"] / 10),
            MLPRegressor(
                hidden_layer_sizes=16, random_state=0, max_iter=500, learning_rate_init=0.01
            ),
            "r2",
        ),
    ],
    ids=["stochastic descent", "network"],
)
def test_an_estimator_of_scikit_learns_is_compared_with_its_own_fit(
    frame: pd.DataFrame, estimator: Any, figure: str
) -> None:
    strategy = fl.FedAvg(local_epochs=5)
    gap = gap_of(frame, fl.SklearnModel(estimator), rounds=20, strategy=strategy)
    assert type(gap.twin[-1]) is type(estimator)
    assert gap.largest > 1e-3
    assert abs(gap.figures[figure]["difference"]) < 0.05


# Preprocessing


@pytest.mark.parametrize("model", [fl.LogisticRegression(), fl.GaussianNB(), fl.PCA()], ids=repr)
def test_the_twin_has_the_preprocessing_of_the_run(model: Model) -> None:
    plan = fl.Preprocess(impute="median", min_count=150, unseen="bucket")
    gap = gap_of(table(400), model, preprocess=plan)
    assert gap.largest < 1e-8


def test_categories_as_text_and_columns_in_another_order_change_nothing() -> None:
    sites, run = fit(table(400), fl.LogisticRegression())
    rows = reveal(sites)
    text = rows.assign(ward=rows["ward"].astype(object), note="x")[[*rows.columns[::-1], "ward"]]
    text = text.loc[:, ~text.columns.duplicated()]
    assert run.gap_to_pooled(text).largest == pytest.approx(
        run.gap_to_pooled(rows).largest, abs=1e-9
    )


# Rows that are others than the sites'


def test_rows_that_the_sites_held_out_are_named() -> None:
    frame = table(400)
    sites = deal(frame, [200, 120, 80], test_size=0.2)
    run = fl.Federation(sites).train(fl.LogisticRegression())
    run.run(8, progress=False)
    assert run.gap_to_pooled(reveal(sites)).notes == ()
    assert run.gap_to_pooled(reveal(sites)).largest < 1e-8
    everything = run.gap_to_pooled(frame, held_out=reveal(sites, "test"))
    assert "held out (80)" in everything.notes[0]
    assert "80 of 80 held-out rows" in everything.notes[1]
    assert everything.largest > 1e-3
    some = run.gap_to_pooled(frame.iloc[:390])
    assert "390 rows and the sites trained on 320" in some.notes[0]
    honest = run.gap_to_pooled(reveal(sites), held_out=reveal(sites, "test"))
    assert honest.notes == ()


# Shown


def test_a_gap_shows_itself_as_text_table_and_chart() -> None:
    gap = gap_of(table(400), fl.LogisticRegression())
    assert "largest difference of a learned number" in repr(gap)
    assert "accuracy" in gap._repr_html_()
    names = {trace.name: list(trace.y) for trace in gap.plot().data}
    assert names["pooled"] == names["federated"]
    assert "coef_[age]" in names["pooled"]


# What cannot be compared


BROKEN: dict[str, tuple[Any, str]] = {
    "a column": (lambda rows: rows.drop(columns="lab"), "without 'lab'"),
    "the target": (lambda rows: rows.drop(columns="died"), "without 'died'"),
    "rows": (lambda rows: rows.iloc[:0], "an empty one"),
    "a table": (lambda rows: rows.to_numpy(), "ndarray"),
    "targets": (
        lambda rows: rows.assign(died=rows["died"].where(rows.index > 2)),
        "3 of 400 pooled rows without 'died'",
    ),
    "a known class": (lambda rows: rows.assign(died=rows["died"] + 1), "with another"),
    "one of two classes": (lambda rows: rows.assign(died=1), "ValueError from"),
    "numbers": (lambda rows: rows.assign(age="Jane Doe"), "dtype str"),
    "a column once": (lambda rows: pd.concat([rows, rows[["age"]]], axis=1), "more than once"),
}


@pytest.mark.parametrize("lacks", BROKEN)
def test_a_table_that_lacks_something_is_told_so_without_a_value(lacks: str) -> None:
    sites, run = fit(table(400), fl.LogisticRegression())
    rows, (breaking, said) = reveal(sites), BROKEN[lacks]
    with pytest.raises(DataError) as caught:
        run.gap_to_pooled(breaking(rows))
    assert said in str(caught.value)
    assert "Jane" not in str(caught.value)
    if lacks != "one of two classes":
        with pytest.raises(DataError):
            run.gap_to_pooled(rows, held_out=breaking(rows))


def test_a_target_of_numbers_or_times_that_is_missing_is_told() -> None:
    sites, run = fit(numbers(), fl.Ridge())
    rows = reveal(sites)
    with pytest.raises(DataError, match="1 of 400"):
        run.gap_to_pooled(rows.assign(died=rows["died"].where(rows.index > 0)))
    with pytest.raises(DataError, match="numbers"):
        run.gap_to_pooled(rows.assign(died=rows["died"].astype(str)))
    options = {"target": "time", "event": "died", "ranges": {}}
    sites, run = fit(times(), fl.CoxRegression(grid="exact"), options=options)
    for column in ("died", "time"):
        with pytest.raises(DataError, match=f"without '{column}'"):
            run.gap_to_pooled(reveal(sites).drop(columns=column))
    with pytest.raises(DataError, match="other values of 'died'"):
        run.gap_to_pooled(reveal(sites).assign(died=2))


def test_there_is_nothing_to_compare_before_the_first_round() -> None:
    for model in (fl.LogisticRegression(), fl.PCA(), fl.RandomForestClassifier()):
        sites, run = fit(table(100), model, rounds=0)
        with pytest.raises(TrainingError, match="round 0"):
            run.gap_to_pooled(reveal(sites))


def test_a_class_that_no_row_has_is_named_and_the_others_are_compared_by_name() -> None:
    frame = wine()
    frame["died"] = frame["died"].cat.add_categories("never")
    sites, run = fit(frame, fl.GaussianNB(), rounds=2)
    gap = run.gap_to_pooled(reveal(sites))
    assert gap.largest < 1e-8
    assert "'never'" in gap.notes[0]
    assert {"theta_[a, alcohol]", "class_prior_[c]"} <= set(gap.frame.index)
    theirs = gap.frame["pooled"]["theta_[a, alcohol]"]
    assert theirs == pytest.approx(frame.loc[frame["died"] == "a", "alcohol"].mean())


def test_columns_that_say_the_same_without_a_penalty_are_compared_all_the_same() -> None:
    frame = table(400, gaps=False)
    gap = gap_of(frame, fl.LogisticRegression(C=math.inf))
    assert gap.figures.loc["difference"].abs().max() < 1e-4


def test_a_model_that_reads_no_target_needs_none() -> None:
    sites, run = fit(table(400), fl.PCA(), rounds=1)
    assert run.gap_to_pooled(reveal(sites).drop(columns="died")).largest < 1e-8


def test_no_site_is_asked() -> None:
    frame = table(300)
    sites = deal(frame, [200, 100], policy=OPEN)
    run = fl.Federation(sites).train(fl.LogisticRegression())
    run.run(3, progress=False)
    before = [len(site.audit.frame) for site in sites]
    run.gap_to_pooled(reveal(sites))
    assert [len(site.audit.frame) for site in sites] == before
