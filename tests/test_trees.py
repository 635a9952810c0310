"""Trees grown from summed histograms: those of the pooled rows, and as good as scikit-learn's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn import ensemble
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import train_test_split

import fedlab as fl
from fedlab.core.model import Model
from fedlab.core.parameters import Array, Parameters
from fedlab.core.trees.bins import bins_of
from fedlab.core.trees.boosted import double_thresholds
from fedlab.core.trees.boosting import GradientBoostingClassifier, GradientBoostingRegressor
from fedlab.core.trees.cells import WIDTHS, count_in, first_cells, refine, worth_refining
from fedlab.core.trees.fixed import hessian_bits
from fedlab.core.trees.forest import RandomForestClassifier, RandomForestRegressor
from fedlab.core.trees.keys import floats_of, keys_of
from fedlab.core.trees.onnx import to_onnx_trees
from fedlab.core.trees.sampling import bootstrap_weights
from fedlab.core.wire import decode, encode, encoded_size
from fedlab.errors import MessageError, PrivacyError, TrainingError
from fedlab.export.graph import onnx_inputs, session_of
from fedlab.queries import Bootstrap, CountCells, ForestHistogram, Histogram, Request
from fedlab.strategies import FedBoost, FedForest, State, Strategy
from fedlab.training import Training
from tests.builders import deal, table

SPLITS = ([400], [150, 130, 120], [320, 40, 25, 9, 6])
"""One site, three alike, five unequal ones of which one is tiny."""

MODELS: dict[str, Model] = {
    "forest": RandomForestClassifier(n_trees=8, max_depth=4, bootstrap=False),
    "balanced forest": RandomForestClassifier(
        n_trees=4, max_depth=None, min_samples_leaf=3, class_weight="balanced", bootstrap=False
    ),
    "boosting": GradientBoostingClassifier(n_trees=5, min_samples_leaf=5),
}


def grow(run: Training) -> Training:
    """All rounds."""
    while not run.strategy.finished(run.problem, run.state):
        run.step()
    return run


def fit(
    sites: Sequence[fl.Site], model: Model, strategy: Strategy | None = None, **options: Any
) -> Training:
    fed = fl.Federation(sites, seed=3, **options)
    return grow(fed.train(model, strategy=strategy, evaluate=False))


def numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with a target of fractions."""
    noise = np.random.default_rng(1).normal(size=len(frame))
    return frame.assign(died=frame["age"] / 7 + frame["lab"].fillna(0) ** 2 + noise)


def same_trees(one: State, other: State) -> bool:
    return one.parameters == other.parameters and all(
        one.carried[name].tobytes() == other.carried[name].tobytes()
        for name in ("cuts", "first", "missing")
    )


# Bins


def digits(columns: Array, parts: Sequence[Array], max_bins: int) -> Any:
    """Bins from the summed counts of `parts`, which are the rows of `columns`."""
    cells = first_cells(columns.shape[1])
    for width in WIDTHS:
        asked = worth_refining(cells, max_bins)
        some = cells.take(asked)
        counts = np.sum([count_in(some, width, part) for part in parts], axis=0)
        cells = refine(cells, asked, width, counts)
    return bins_of(cells, np.isnan(columns).sum(axis=0).astype(float), max_bins)


singles = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(singles, min_size=2, max_size=30))
def test_keys_have_the_order_of_numbers_and_lead_back_to_them(values: list[float]) -> None:
    x = np.array(values) + 0.0
    keys = keys_of(x)
    assert (np.sign(np.subtract.outer(keys, keys)) == np.sign(np.subtract.outer(x, x))).all()
    assert (floats_of(keys) == x).all()


@settings(max_examples=30)
@given(st.data())
def test_bins_do_not_depend_on_how_rows_are_dealt_out(data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 1000))
    random = np.random.default_rng(seed)
    x = random.choice([1.0, 1e-3, 1e6], 4) * random.standard_t(2, (200, 4))
    x[:, 1] = np.round(x[:, 1])
    x[random.random((200, 4)) < 0.1] = np.nan
    cut = sorted(data.draw(st.lists(st.integers(0, 200), min_size=1, max_size=4)))
    one, many = digits(x, [x], 16), digits(x, np.split(x, cut), 16)
    for name in ("cuts", "first", "missing"):
        assert getattr(one, name).tobytes() == getattr(many, name).tobytes()


def test_few_distinct_values_get_a_bin_each_with_cuts_halfway() -> None:
    x = np.repeat([20.0, 21.0, 40.5, 1990.0, 2024.0], [50, 1, 30, 2, 80])[:, None]
    bins = digits(x, [x], 255)
    codes = bins.codes(x)[0]
    assert (np.bincount(codes) == [50, 1, 30, 2, 80]).all()
    np.testing.assert_allclose(bins.cuts, [20.5, 30.75, 1015.25, 2007], rtol=1e-3)


def test_many_distinct_values_fall_into_bins_of_even_size() -> None:
    random = np.random.default_rng(0)
    seconds = 1.7e9 + random.integers(0, 10**7, 5000)
    x = np.column_stack([random.normal(size=5000), random.lognormal(5, 3, 5000), seconds])
    bins = digits(x, [x], 50)
    for feature in range(3):
        sizes = np.bincount(bins.codes(x)[feature])
        assert len(sizes) >= 45
        assert sizes.max() <= 1.6 * 100


def test_missing_values_have_a_bin_of_their_own() -> None:
    x = np.array([[1.0], [np.nan], [2.0]])
    bins = digits(x, [x], 255)
    assert bins.codes(x).tolist() == [[0, 2, 1]]
    assert (bins.present.tolist(), bins.widths.tolist(), bins.n_cells) == ([2], [3], 3)


@given(singles.filter(lambda x: abs(x) < 3.4e38), singles)
def test_double_thresholds_part_rows_as_single_ones_do(threshold: float, value: float) -> None:
    bound = double_thresholds(np.array([threshold]))[0]
    single = np.float32(threshold)
    near = [np.nextafter(bound, -np.inf), bound, np.nextafter(bound, np.inf), value]
    for x in np.array(near)[np.abs(near) < 3e38]:
        assert (x <= bound) == (np.float32(x) <= single)


def test_packed_sums_of_hessians_leave_room_for_the_count() -> None:
    for rows in (1, 1000, 10**6, 10**7):
        bits, shift = hessian_bits(rows)
        assert rows * 2 ** (bits - 2) < 2**shift
        assert rows << shift < 2**62


# The trees of the pooled rows


@pytest.mark.parametrize("kind", list(MODELS))
def test_trees_are_those_of_the_pooled_rows_to_the_bit(kind: str) -> None:
    runs = [fit(deal(table(400), sizes), MODELS[kind]) for sizes in SPLITS]
    assert len(runs[0].state.parameters["left"]) > 30
    assert all(same_trees(runs[0].state, run.state) for run in runs[1:])


@pytest.mark.parametrize(
    "model",
    [
        RandomForestRegressor(n_trees=4, max_depth=4, bootstrap=False, max_features=0.5),
        GradientBoostingRegressor(n_trees=4, min_samples_leaf=5),
    ],
)
def test_trees_of_numbers_are_those_of_the_pooled_rows_to_the_bit(model: Model) -> None:
    runs = [fit(deal(numbers(table(400)), sizes), model) for sizes in SPLITS]
    assert all(same_trees(runs[0].state, run.state) for run in runs[1:])


def test_sites_of_one_class_and_several_classes_change_nothing() -> None:
    frame = load_wine(as_frame=True).frame.rename(columns={"target": "died"})
    frame["died"] = pd.Categorical.from_codes(frame["died"], categories=pd.Index(["c", "a", "b"]))
    sizes = frame["died"].value_counts(sort=False).tolist()
    for model in (
        RandomForestClassifier(n_trees=3, bootstrap=False),
        GradientBoostingClassifier(n_trees=2, min_samples_leaf=5),
    ):
        runs = [fit(deal(frame, each, ranges={}), model) for each in ([len(frame)], sizes)]
        assert same_trees(runs[0].state, runs[1].state)


def test_a_pooled_table_repeats_a_bootstrapped_forest() -> None:
    model = RandomForestClassifier(n_trees=6, max_depth=4, oob_score=True)
    frame, sizes = table(400), SPLITS[2]
    names = {f"s{i:02}": size for i, size in enumerate(sizes)}
    federated = fit(deal(frame, sizes), model)
    pooled = fit(deal(frame, [400]), model, FedForest(pooled=names))
    assert same_trees(federated.state, pooled.state)
    other = fit(deal(frame, [400]), model)
    assert not same_trees(federated.state, other.state)


def test_bootstrap_weights_are_poisson_and_differ_by_site_tree_and_seed() -> None:
    weights = bootstrap_weights(0, 0, {"a": 5000}, 10).astype(float)
    assert abs(weights.mean() - 1) < 0.02
    assert abs(weights.var() - 1) < 0.05
    assert abs(np.corrcoef(weights)[0, 1:]).max() < 0.06
    for other in (
        bootstrap_weights(0, 0, {"b": 5000}, 10),
        bootstrap_weights(0, 1, {"a": 5000}, 10),
    ):
        assert abs(np.corrcoef(weights[0], other[0])[0, 1]) < 0.06


@pytest.mark.parametrize("kind", ["forest", "boosting"])
def test_wire_threads_and_order_of_sites_change_nothing(kind: str) -> None:
    sites = deal(table(300), [100, 120, 80])
    first = fit(sites, MODELS[kind])
    for engine in (fl.InProcess(wire=True), fl.InProcess(threads=2)):
        assert same_trees(first.state, fit(sites[::-1], MODELS[kind], engine=engine).state)


def test_what_sites_keep_between_rounds_changes_nothing() -> None:
    frame, sizes = table(300), [100, 120, 80]
    for model in (MODELS["forest"], MODELS["boosting"]):
        sites = deal(frame, sizes)
        whole = fit(sites, model)
        fed = fl.Federation(sites, seed=3)
        run, other = fed.train(model, evaluate=False), fed.train(MODELS["forest"], evaluate=False)
        for _ in range(5):
            run.step()
            other.step()
        run.rewind(4)
        # Sites that remember nothing, or another run's trees.
        fresh = fl.Federation(deal(frame, sizes), seed=3).train(model, evaluate=False)
        past = run.strategy.past(run.state)
        assert "sums" not in past.carried
        fresh.rounds = (*run.rounds[:-1], msgspec.structs.replace(run.rounds[-1], state=past))
        assert same_trees(whole.state, grow(run).state)
        assert same_trees(whole.state, grow(fresh).state)


def test_a_level_is_split_over_rounds_where_it_would_be_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = table(300)
    model = RandomForestClassifier(n_trees=4, max_depth=4, max_features=None, bootstrap=False)
    whole = fit(deal(frame, [300]), model)
    monkeypatch.setattr("fedlab.strategies.fedforest.CELLS", 3000)
    parts = fit(deal(frame, [300]), model)
    assert parts.round > whole.round
    assert max(sum(done.sizes.values()) for done in parts.rounds[4:]) < 20_000
    rows = frame.drop(columns="died")
    assert (parts.model.predict_proba(rows) == whole.model.predict_proba(rows)).all()


def test_a_run_saved_midway_goes_on_with_the_same_bits(tmp_path: Any) -> None:
    sites = deal(table(300), [200, 100])
    for kind in ("forest", "boosting"):
        fed = fl.Federation(sites, seed=3)
        run = fed.train(MODELS[kind], evaluate=False)
        for _ in range(5):
            run.step()
        path = run.save(tmp_path / kind)
        assert same_trees(fit(sites, MODELS[kind]).state, grow(fl.resume(path, fed)).state)


# As good as scikit-learn's


def held_out(frame: pd.DataFrame, seed: int, target: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    renamed = frame.rename(columns={target: "died"})
    train, test = train_test_split(renamed, test_size=0.3, random_state=seed)
    return train, test


def unequal(train: pd.DataFrame) -> list[fl.Site]:
    sizes = [int(share * len(train)) for share in (0.4, 0.3, 0.15, 0.1)]
    return deal(train, [*sizes, len(train) - sum(sizes)], ranges={})


def test_a_forest_is_as_good_as_scikit_learns() -> None:
    scores = []
    for seed in range(3):
        train, test = held_out(load_breast_cancer(as_frame=True).frame, seed, "target")
        model = RandomForestClassifier(oob_score=True, seed=seed)
        ours = fit(unequal(train), model).model
        theirs = ensemble.RandomForestClassifier(
            100, max_depth=8, oob_score=True, random_state=seed
        )
        x, rows = train.drop(columns="died"), test.drop(columns="died")
        theirs.fit(x, train["died"])
        line = []
        for each, final in ((ours, ours[-1]), (theirs, theirs)):
            auc = roc_auc_score(test["died"], each.predict_proba(rows)[:, 1])
            line += [each.score(rows, test["died"]), auc, final.oob_score_]
        scores.append(line)
        assert spearmanr(ours[-1].feature_importances_, theirs.feature_importances_)[0] > 0.8
    mean = np.mean(scores, axis=0)
    assert (mean[:3] > mean[3:] - [0.01, 0.005, 0.01]).all(), mean
    assert abs(mean[2] - mean[0]) < 0.02


def test_forests_and_boosting_of_numbers_are_as_good_as_scikit_learns() -> None:
    train, test = held_out(load_diabetes(as_frame=True).frame, 0, "target")
    x, rows = train.drop(columns="died"), test.drop(columns="died")
    for model, theirs in (
        (
            RandomForestRegressor(n_trees=300),
            ensemble.RandomForestRegressor(300, max_depth=8, random_state=0),
        ),
        (
            GradientBoostingRegressor(n_trees=30),
            ensemble.HistGradientBoostingRegressor(max_iter=30, early_stopping=False),
        ),
    ):
        ours = fit(unequal(train), model).model
        theirs.fit(x, train["died"])
        expected = r2_score(test["died"], theirs.predict(rows))
        assert abs(r2_score(test["died"], ours.predict(rows)) - expected) < 0.03


def test_boosting_level_by_level_with_few_leaves_is_scikit_learns_to_rounding() -> None:
    # With trees of depth 2 best-first and level-wise growth are the same, and 100 distinct values
    # leave both the same bins.
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.integers(0, 100, (500, 4)).astype(float), columns=list("abcd"))
    noise = random.normal(size=500)
    frame["died"] = (frame["a"] * frame["b"] / 2500 + frame["c"] / 50 - 2 + noise > 0).astype(int)
    model = GradientBoostingClassifier(n_trees=10, max_depth=2, max_leaf_nodes=None)
    run = fit(deal(frame, [300, 200], ranges={}), model)
    theirs = ensemble.HistGradientBoostingClassifier(
        max_iter=10, max_depth=2, max_leaf_nodes=None, early_stopping=False
    ).fit(frame.drop(columns="died"), frame["died"])
    rows = frame.drop(columns="died")
    gap = abs(run.model.predict_proba(rows) - theirs.predict_proba(rows)).max()
    assert gap < 1e-6


def test_one_tree_without_drawing_is_scikit_learns_tree() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.integers(0, 60, (500, 4)).astype(float), columns=list("abcd"))
    frame["died"] = (frame["a"] + frame["b"] * frame["c"] / 30 > 60).astype(int)
    model = RandomForestClassifier(n_trees=1, max_depth=4, max_features=None, bootstrap=False)
    ours = fit(deal(frame, [300, 150, 50], ranges={}), model).model[-1].estimators_[0]
    theirs = ensemble.RandomForestClassifier(
        1, max_depth=4, max_features=None, bootstrap=False, random_state=0
    ).fit(frame.drop(columns="died"), frame["died"])
    mine, other = ours.tree_, theirs.estimators_[0].tree_
    assert mine.node_count == other.node_count
    assert mine.max_depth == other.max_depth
    assert np.isclose(np.sort(mine.impurity), np.sort(other.impurity)).all()
    assert np.isclose(ours.feature_importances_, theirs.feature_importances_).all()


def test_balanced_classes_weigh_alike() -> None:
    frame = table(600, signal=2.0)
    frame = frame[(frame["died"] == 0) | (np.arange(600) % 8 == 0)]
    rows = frame.drop(columns="died")
    found = {}
    for weight in (None, "balanced"):
        model = RandomForestClassifier(n_trees=20, class_weight=weight)
        fitted = fit(deal(frame, [len(frame)]), model).model
        found[weight] = fitted.predict(rows)[frame["died"] == 1].mean()
        root = fitted[-1].estimators_[0].tree_.value[0, 0]
        if weight:
            assert abs(root - 0.5).max() < 0.1
    assert found["balanced"] > found[None]


def test_leaves_hold_the_rows_they_need() -> None:
    model = RandomForestClassifier(n_trees=5, min_samples_leaf=17, max_depth=None)
    forest = fit(deal(table(300), [100, 200]), model).model[-1]
    for tree in forest.estimators_:
        leaves = tree.tree_.children_left == -1
        assert tree.tree_.n_node_samples[leaves].min() >= 17
    boosted = fit(deal(table(300), [100, 200]), GradientBoostingClassifier(n_trees=3)).model[-1]
    for (predictor,) in boosted._predictors:
        assert predictor.nodes["count"][predictor.nodes["is_leaf"] == 1].min() >= 20
        assert predictor.get_n_leaf_nodes() <= 31


def test_where_all_drawn_features_are_constant_more_are_looked_at() -> None:
    frame = pd.DataFrame({f"flat{i}": 1.0 for i in range(20)}, index=range(60))
    frame["x"] = np.arange(60.0)
    frame["died"] = (np.arange(60) > 30).astype(int)
    model = RandomForestClassifier(n_trees=20, max_depth=2, max_features=1, bootstrap=False)
    forest = fit(deal(frame, [60], ranges={}), model).model[-1]
    assert all(tree.tree_.node_count == 3 for tree in forest.estimators_)


def test_missing_values_that_tell_are_used() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.normal(size=400), "z": random.normal(size=400)})
    frame["died"] = random.integers(0, 2, 400)
    frame.loc[(frame["died"] == 1) & (random.random(400) < 0.9), "x"] = np.nan
    for model in (
        RandomForestClassifier(n_trees=5, max_depth=2, max_features=None),
        GradientBoostingClassifier(n_trees=5),
    ):
        fitted = fit(deal(frame, [250, 150], ranges={}), model).model
        assert fitted.score(frame.drop(columns="died"), frame["died"]) > 0.9


# Estimators and ONNX


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(n_trees=10),
        GradientBoostingClassifier(n_trees=10),
        RandomForestRegressor(n_trees=10),
        GradientBoostingRegressor(n_trees=10),
    ],
)
def test_estimator_and_graph_say_what_the_model_says(model: Model) -> None:
    frame = table(400)
    frame = numbers(frame) if model.reads == "numbers" else frame
    sites = deal(frame, [200, 150, 50])
    run = fit(sites, model)
    random = np.random.default_rng(2)
    rows = table(500, seed=5).drop(columns="died")
    # Rows that lie on thresholds, and beside them in double precision.
    table_of = run.state.parameters
    on = table_of["threshold"][table_of["feature"] == 0]
    rows.loc[:299, "age"] = random.choice(on, 300) * (1 + random.choice([-1e-9, 0, 1e-9], 300))
    x = run.problem.space.matrix(rows)
    session = session_of(to_onnx_trees(model, run.state.parameters, run.problem.space))
    graph = session.run(None, onnx_inputs(rows, run.problem.space.schema.columns))
    fitted = run.model
    if isinstance(model, RandomForestClassifier | GradientBoostingClassifier):
        own = model.scores(run.state.parameters, x)
        assert abs(fitted.predict_proba(rows) - own).max() < 1e-12
        assert abs(graph[1] - own).max() < 1e-12
        assert (graph[0] == fitted.predict(rows)).all()
    elif isinstance(model, RandomForestRegressor | GradientBoostingRegressor):
        own = model.predict(run.state.parameters, x)
        assert abs(fitted.predict(rows) - own).max() < 1e-10
        assert abs(graph[0][:, 0] - own).max() < 1e-10


@pytest.mark.parametrize("kind", ["forest", "boosting"])
def test_classes_in_any_order_keep_their_names(kind: str) -> None:
    wine = load_wine(as_frame=True).frame.rename(columns={"target": "died"})
    for names in (["c", "a", "b"], ["b", "a"]):
        frame = wine[wine["died"] < len(names)]
        truth = pd.Categorical.from_codes(frame["died"], categories=pd.Index(names))
        run = fit(deal(frame.assign(died=truth), [len(frame)], ranges={}), MODELS[kind])
        rows = frame.drop(columns="died")
        assert (run.model.predict(rows) == truth.astype(str)).mean() > 0.9
        graph = to_onnx_trees(MODELS[kind], run.state.parameters, run.problem.space)
        label, scores = session_of(graph).run(
            None, onnx_inputs(rows, run.problem.space.schema.columns)
        )
        assert (label == run.model.predict(rows)).all()
        assert abs(scores - run.model.predict_proba(rows)).max() < 1e-12


def test_a_forest_can_be_judged_and_used_while_it_grows() -> None:
    sites = deal(table(300), [200, 100], test_size=0.2)
    run = fl.Federation(sites).train(MODELS["forest"], evaluate=False)
    with pytest.raises(TrainingError, match="not begun to grow"):
        _ = run.model
    accuracies = []
    while not run.strategy.finished(run.problem, run.state):
        run.step()
        accuracies.append(run.evaluate().frame["accuracy"].iloc[-1])
    assert accuracies[-1] > accuracies[0]
    assert hasattr(run.model[-1], "feature_importances_")


# What is refused


def test_a_grown_model_has_no_further_round() -> None:
    for kind in ("forest", "boosting"):
        run = fit(deal(table(100), [100]), MODELS[kind])
        with pytest.raises(TrainingError, match="no further round"):
            run.step()


def test_trees_offer_no_privacy() -> None:
    fed = fl.Federation(deal(table(100), [100]))
    promise = fl.RecordDP(epsilon=1.0, delta=1e-5, rounds=3)
    for strategy in (FedForest(), FedBoost()):
        with pytest.raises(PrivacyError):
            fed.train(MODELS["forest"], strategy=strategy, privacy=promise)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: RandomForestClassifier(n_trees=0), "n_trees"),
        (lambda: RandomForestClassifier(max_depth=0), "max_depth"),
        (lambda: RandomForestClassifier(max_features=1.5), "max_features"),
        (lambda: RandomForestClassifier(max_features=True), "max_features"),
        (lambda: RandomForestClassifier(max_bins=256), "max_bins"),
        (lambda: RandomForestClassifier(oob_score=True, bootstrap=False), "out-of-bag"),
        (lambda: RandomForestClassifier(class_weight="equal"), "class_weight"),  # type: ignore[arg-type]
        (lambda: RandomForestRegressor(min_samples_leaf=0), "min_samples_leaf"),
        (lambda: GradientBoostingClassifier(learning_rate=0), "learning_rate"),
        (lambda: GradientBoostingClassifier(max_leaf_nodes=None), "bound"),
        (lambda: GradientBoostingRegressor(l2=-1), "l2"),
    ],
)
def test_an_argument_out_of_its_range_is_named(make: Any, word: str) -> None:
    with pytest.raises(TrainingError, match=word):
        make()


def test_models_and_strategies_that_do_not_belong_together_are_told() -> None:
    fed = fl.Federation(deal(table(100), [100]))
    for model, strategy in ((MODELS["boosting"], FedForest()), (MODELS["forest"], FedBoost())):
        with pytest.raises(TrainingError, match="Leave strategy out"):
            fed.train(model, strategy=strategy, evaluate=False)
    with pytest.raises(TrainingError, match="classes"):
        fl.Federation(deal(numbers(table(100)), [100])).train(MODELS["forest"])


def test_a_histogram_that_was_not_asked_for_is_not_accepted() -> None:
    run = fl.Federation(deal(table(200), [200])).train(MODELS["forest"], evaluate=False)
    query = run.strategy.plan(run.problem, run.state)["s00"]
    assert isinstance(query, CountCells)
    while not isinstance(query, ForestHistogram):
        run.step()
        query = run.strategy.plan(run.problem, run.state)["s00"]
    n_cells = int(query.bins.widths[query.features].sum())
    cells = np.zeros((n_cells, 2), dtype=np.int32)
    totals = np.zeros((len(query.node), 2), dtype=np.int64)
    assert query.accepts(Histogram(cells, totals))
    assert not query.accepts(Histogram(cells[:-1], totals))
    assert not query.accepts(Histogram(cells - 1, totals))
    assert not query.accepts(Histogram(cells.astype(float), totals))
    assert not query.accepts(Histogram(cells, totals[:-1]))


def broken(query: Any) -> list[Any]:
    """The question with indices that lie outside what they index."""
    replace = msgspec.structs.replace
    bad = [replace(query, **{name: getattr(query, name) + 10**6}) for name in ("tree", "node")]
    nodes = query.nodes
    inner = nodes.left >= 0
    for name in ("left", "feature"):
        for wrong in (10**6, 0 if name == "left" else -7):
            values = np.where(inner, wrong, getattr(nodes, name)).astype(np.int32)
            bad.append(replace(query, nodes=replace(nodes, **{name: values})))
    bad.append(replace(query, nodes=replace(nodes, left=nodes.left[:-1])))
    bins = query.bins
    bad.append(replace(query, bins=replace(bins, first=bins.first[::-1].copy())))
    bad.append(replace(query, bins=replace(bins, missing=0 * bins.missing)))
    return bad


@pytest.mark.parametrize("kind", ["forest", "boosting"])
def test_a_site_reads_no_memory_beside_its_arrays(kind: str) -> None:
    sites = deal(table(200), [200])
    run = fl.Federation(sites).train(MODELS[kind], evaluate=False)
    for _ in range(4):
        run.step()
    query: Any = run.strategy.plan(run.problem, run.state)["s00"]
    assert (query.nodes.left >= 0).any()
    extra = []
    if isinstance(query, ForestHistogram):
        replace = msgspec.structs.replace
        extra = [
            replace(query, features=query.features + 100),
            replace(query, begin=query.begin + 1),
            replace(query, n_trees=0),
            replace(query, bootstrap=Bootstrap(0, {"s00": 3})),
        ]
    for wrong in [*broken(query), *extra]:
        reply = sites[0].answer(Request(site="s00", run="r", round=5, seed=0, query=wrong))
        assert reply.refusal is not None
    whole = Request(site="s00", run="r", round=5, seed=0, query=query)
    assert sites[0].answer(whole).refusal is None


def test_trees_that_lead_nowhere_are_not_walked() -> None:
    run = fit(deal(table(200), [200]), MODELS["forest"])
    x = run.problem.space.matrix(table(5).drop(columns="died"))
    for name in ("left", "feature", "roots"):
        wrong = Parameters({**run.state.parameters, name: run.state.parameters[name] + 10**6})
        with pytest.raises(TrainingError, match="whole"):
            RandomForestClassifier().scores(wrong, x)


@given(st.integers(0, 70_000), st.sampled_from(["f8", "i8", "i4", "u1"]))
@settings(max_examples=30)
def test_the_size_of_a_message_is_told_without_copying_it(n: int, dtype: str) -> None:
    value = {"one": np.zeros(n, dtype=dtype), "two": [np.zeros((0, 3)), Parameters({"x": [1.0]})]}
    assert encoded_size(value) == len(encode(value))


def test_counts_of_four_bytes_travel() -> None:
    counts = np.arange(5, dtype=np.int32)
    assert (decode(encode(counts), np.ndarray) == counts).all()
    with pytest.raises(MessageError):
        decode(encode(counts).replace(b"<i4", b"<i2"), np.ndarray)
