"""Naive Bayes, k-means and principal components, against scikit-learn on the pooled rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import cluster, decomposition, naive_bayes
from sklearn.datasets import load_breast_cancer, load_digits

import fedlab as fl
from fedlab.core.kmeans import KMeans
from fedlab.core.model import Summed
from fedlab.core.naive_bayes import BernoulliNB, GaussianNB
from fedlab.core.parameters import Array, Parameters
from fedlab.core.pca import PCA
from fedlab.core.schema import Column, Schema
from fedlab.core.space import unscaled
from fedlab.core.wire import decode, encode
from fedlab.errors import RefusedError, TrainingError
from fedlab.queries import Statistics
from fedlab.training import Training
from tests.builders import OPEN, deal, numeric, rows_of, table

EXACT = 1e-8
SIZES = (3, 40, 1, 250, 106)


def fitted(model: Summed, sites: list[fl.Site], rounds: int) -> Training:
    run = fl.Federation(sites, seed=5).train(model)
    run.run(rounds, progress=False)
    return run


def breast(sizes: tuple[int, ...] = (300, 11, 100, 158)) -> list[fl.Site]:
    data = load_breast_cancer(as_frame=True).frame
    return deal(data, sizes, target="target", ranges=None)


def matrix(run: Training, frame: pd.DataFrame) -> Array:
    """The pooled rows in the run's space."""
    return run.problem.space.matrix(frame)


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=EXACT, atol=EXACT)


class TestGaussianNB:
    def test_two_rounds_equal_scikit_learn_on_the_pooled_rows(self) -> None:
        sites = breast()
        run = fitted(GaussianNB(), sites, 2)
        pooled = rows_of(sites)
        x, y = pooled.drop(columns="target"), pooled["target"]
        oracle = naive_bayes.GaussianNB().fit(x.to_numpy(), y)
        final = run.model[-1]
        for name in ("theta_", "var_", "class_prior_", "class_count_", "epsilon_"):
            np.testing.assert_allclose(
                getattr(final, name), getattr(oracle, name), rtol=1e-10, err_msg=name
            )
        close(run.model.predict_proba(x), oracle.predict_proba(x.to_numpy()))
        close(
            run.problem.model.scores(run.state.parameters, x.to_numpy()),  # type: ignore[attr-defined]
            oracle.predict_proba(x.to_numpy()),
        )
        assert run.model.score(x, y) == oracle.score(x.to_numpy(), y)

    def test_a_mean_far_from_zero_costs_no_digits(self) -> None:
        random = np.random.default_rng(0)
        y = random.integers(0, 2, 200)
        frame = pd.DataFrame({"x": 1e9 + random.normal(size=200) + y, "died": y})
        run = fitted(GaussianNB(var_smoothing=0), deal(frame, (150, 50), ranges=None), 2)
        exact = [np.var(frame["x"][y == each] - 1e9) for each in (0, 1)]
        np.testing.assert_allclose(run.state.parameters["var"][:, 0], exact, rtol=1e-8)

    def test_a_third_round_changes_only_rounding(self) -> None:
        run = fitted(GaussianNB(), breast(), 2)
        before = run.state.parameters
        run.step()
        np.testing.assert_allclose(run.state.parameters.vector, before.vector, rtol=1e-12)

    def test_given_priors_are_used(self) -> None:
        sites = breast()
        run = fitted(GaussianNB(priors=(0.2, 0.8), var_smoothing=1e-4), sites, 2)
        pooled = rows_of(sites)
        x, y = pooled.drop(columns="target"), pooled["target"]
        oracle = naive_bayes.GaussianNB(priors=[0.2, 0.8], var_smoothing=1e-4).fit(x.to_numpy(), y)
        close(run.model.predict_proba(x), oracle.predict_proba(x.to_numpy()))

    def test_ten_classes_of_digits_with_a_class_missing_at_most_sites(self) -> None:
        data = load_digits()
        order = np.argsort(data.target, kind="stable")
        frame = pd.DataFrame(data.data[order]).add_prefix("pixel")
        names = [str(each) for each in data.target[order]]
        frame["digit"] = pd.Categorical(names, categories=[str(each) for each in range(10)])
        sites = deal(frame, (600, 600, 597), target="digit", ranges=None)
        run = fitted(GaussianNB(var_smoothing=1e-3), sites, 2)
        x = frame.drop(columns="digit")
        oracle = naive_bayes.GaussianNB(var_smoothing=1e-3).fit(x.to_numpy(), np.array(names))
        close(run.model.predict_proba(x), oracle.predict_proba(x.to_numpy()))
        assert run.history["held_out_accuracy"].isna().all()

    def test_a_class_without_rows_is_left_out(self) -> None:
        frame = numeric(60)
        words = frame["died"].map({0: "no", 1: "yes"})
        frame["died"] = pd.Categorical(words, categories=["no", "perhaps", "yes"])
        run = fitted(GaussianNB(), deal(frame, (20, 40)), 2)
        oracle = naive_bayes.GaussianNB().fit(frame.drop(columns="died").to_numpy(), words)
        assert list(run.model.classes_) == ["no", "yes"]
        x = frame.drop(columns="died")
        close(run.model.predict_proba(x), oracle.predict_proba(x.to_numpy()))
        scores = run.problem.model.scores(run.state.parameters, x.to_numpy())  # type: ignore[attr-defined]
        assert (scores[:, 1] == 0).all()

    def test_before_the_first_round_all_classes_are_alike(self) -> None:
        run = fl.Federation(breast()).train(GaussianNB())
        assert run.history["train_loss"][0] == pytest.approx(np.log(2))
        with pytest.raises(TrainingError, match="before its first round"):
            _ = run.model

    def test_a_feature_constant_within_a_class_needs_smoothing(self) -> None:
        frame = numeric(40).assign(lab=1.0)
        run = fl.Federation(deal(frame, (20, 20))).train(GaussianNB(var_smoothing=0))
        run.step()
        with pytest.raises(TrainingError, match="variance above 0"):
            run.step()

    def test_squares_about_zero_stay_at_the_site(self) -> None:
        run = fitted(GaussianNB(), breast(), 1)
        for answer in run.rounds[1].answers.values():
            assert not answer.values["var"].any()  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"var_smoothing": -1.0}, "var_smoothing"),
            ({"var_smoothing": float("nan")}, "var_smoothing"),
            ({"priors": (0.5, 0.6)}, "add up to 1"),
            ({"priors": (1.5, -0.5)}, "add up to 1"),
        ],
    )
    def test_arguments_out_of_range_are_refused(self, options: Any, words: str) -> None:
        with pytest.raises(TrainingError, match=words):
            GaussianNB(**options)

    def test_priors_must_suit_the_classes_and_a_number_has_none(self) -> None:
        with pytest.raises(TrainingError, match="one entry a class"):
            fl.Federation(breast()).train(GaussianNB(priors=(0.2, 0.3, 0.5)))
        sites = deal(numeric(40), (40,), target="age")
        for model in (GaussianNB(), BernoulliNB()):
            with pytest.raises(TrainingError, match="target with classes"):
                fl.Federation(sites).train(model)


class TestBernoulliNB:
    @pytest.mark.parametrize(("alpha", "binarize"), [(1.0, 0.0), (0.3, 8.0), (1e-3, 3.5)])
    def test_one_round_equals_scikit_learn_on_the_pooled_rows(
        self, alpha: float, binarize: float
    ) -> None:
        data = load_digits()
        frame = pd.DataFrame(data.data).add_prefix("pixel")
        frame["odd"] = data.target % 2
        sites = deal(frame, (1000, 7, 790), target="odd", ranges=None)
        run = fitted(BernoulliNB(alpha=alpha, binarize=binarize), sites, 1)
        x, y = frame.drop(columns="odd"), frame["odd"]
        oracle = naive_bayes.BernoulliNB(alpha=alpha, binarize=binarize).fit(x.to_numpy(), y)
        final = run.model[-1]
        for name in ("feature_log_prob_", "feature_count_", "class_log_prior_", "class_count_"):
            close(getattr(final, name), getattr(oracle, name))
        expected = oracle.predict_proba(x.to_numpy())
        close(run.model.predict_proba(x), expected)
        own = run.problem.model.scores(run.state.parameters, x.to_numpy())  # type: ignore[attr-defined]
        close(own, expected)

    def test_categories_are_features_and_their_gaps_are_absent(self) -> None:
        frame = table(200).drop(columns="lab")
        sites = deal(frame, (90, 110), ranges=None)
        run = fitted(BernoulliNB(binarize=0.5), sites, 1)
        x = frame.drop(columns="died")
        indicators = pd.get_dummies(x["ward"]).to_numpy(float)
        design = np.column_stack([x["age"], x["smoker"], indicators])
        oracle = naive_bayes.BernoulliNB(binarize=0.5).fit(design, frame["died"])
        close(run.model.predict_proba(x), oracle.predict_proba(design))

    @pytest.mark.parametrize("options", [{"alpha": 0.0}, {"binarize": -1.0}])
    def test_arguments_out_of_range_are_refused(self, options: Any) -> None:
        with pytest.raises(TrainingError):
            BernoulliNB(**options)


@pytest.mark.parametrize("model", [GaussianNB(), BernoulliNB()])
def test_naive_bayes_refuses_a_missing_number(model: Summed) -> None:
    run = fl.Federation(deal(table(100), (50, 50))).train(model)
    with pytest.raises(RefusedError, match="MissingNumbersError in Statistics"):
        run.step()


class TestKMeans:
    def test_every_step_equals_lloyds_of_scikit_learn(self) -> None:
        sites = breast()
        pooled = rows_of(sites).drop(columns="target")
        plain = fl.Federation(sites).train(KMeans(n_clusters=4))
        x = matrix(plain, pooled)
        start = x[[3, 100, 250, 400]]
        run = fl.Federation(sites).train(KMeans(n_clusters=4, start=start.tolist()))
        for steps in range(1, 13):
            run.step()
            oracle = cluster.KMeans(4, init=start, n_init=1, max_iter=steps, tol=0).fit(x)
            close(run.model[-1].cluster_centers_, oracle.cluster_centers_)
            assert (run.model.predict(pooled) == oracle.labels_).all()
            inertia = run.history["train_loss"].iloc[-1] * len(x)
            np.testing.assert_allclose(inertia, oracle.inertia_, rtol=1e-8)

    def test_numbers_and_categories_with_gaps(self) -> None:
        frame = table(400, seed=2)
        sites = deal(frame, SIZES)
        start = np.array([[-1.0, -1, -1, 1, 0, 0], [0, 0, 0, 0, 1, 0], [1.0, 1, 1, 0, 0, 1]])
        run = fitted(KMeans(n_clusters=3, start=start.tolist()), sites, 5)
        x = matrix(run, frame)
        oracle = cluster.KMeans(3, init=start, n_init=1, max_iter=5, tol=0).fit(x)
        close(run.model[-1].cluster_centers_, oracle.cluster_centers_)
        assert (run.model.predict(frame.drop(columns="died")) == oracle.labels_).all()
        scores = run.history["held_out_explained_variance_ratio"]
        assert scores.isna().all()

    def test_made_up_centres_read_no_row_and_depend_on_the_seed_alone(self) -> None:
        few, many = deal(table(60), (30, 30)), deal(table(400, seed=9), SIZES)
        runs = [fl.Federation(sites).train(KMeans(n_clusters=3)) for sites in (few, many)]
        first, second = (run.state.parameters["centers"] for run in runs)
        assert first.shape == (10, 3, 6)
        np.testing.assert_array_equal(first, second)
        assert (first[:, :, 3:].sum(axis=2) == 1).all()
        other = fl.Federation(few).train(KMeans(n_clusters=3, seed=1))
        assert not np.array_equal(other.state.parameters["centers"], first)

    def test_the_best_of_several_starts_is_the_model(self) -> None:
        run = fitted(KMeans(n_clusters=3, n_init=6), breast(), 12)
        inertia = run.state.parameters["inertia"]
        assert len(set(np.round(inertia, 6))) > 1
        assert run.model[-1].inertia_ == inertia.min()
        x = matrix(run, rows_of(breast()).drop(columns="target"))
        oracle = cluster.KMeans(3, n_init=3, random_state=0).fit(x)
        assert inertia.min() <= oracle.inertia_ * 1.01

    def test_an_empty_cluster_keeps_its_centre(self) -> None:
        far = np.vstack([np.zeros(30), np.full(30, 1e3)])
        run = fitted(KMeans(n_clusters=2, start=far.tolist()), breast(), 3)
        np.testing.assert_array_equal(run.model[-1].cluster_centers_[1], far[1])
        assert np.abs(run.model[-1].cluster_centers_[0]).max() < 1e-12
        assert run.history["train_loss"].iloc[-1] == pytest.approx(30)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"n_clusters": 0}, "n_clusters"),
            ({"n_init": 0}, "n_init"),
            ({"n_clusters": 2, "start": [[1.0]]}, "2 finite centres"),
            ({"n_clusters": 1, "start": [[np.nan]]}, "1 finite centres"),
            ({"n_clusters": 1, "start": [[1.0]], "n_init": 3}, "one set"),
        ],
    )
    def test_arguments_out_of_range_are_refused(self, options: Any, words: str) -> None:
        with pytest.raises(TrainingError, match=words):
            KMeans(**options)

    def test_a_start_must_have_a_number_a_column(self) -> None:
        with pytest.raises(TrainingError, match="2 for 30 columns"):
            fl.Federation(breast()).train(KMeans(n_clusters=1, start=((0.0, 0.0),)))


class TestPCA:
    def test_one_round_equals_scikit_learn_on_the_pooled_rows(self) -> None:
        sites = breast()
        run = fitted(PCA(n_components=5), sites, 1)
        pooled = rows_of(sites).drop(columns="target")
        x = matrix(run, pooled)
        oracle = decomposition.PCA(5, svd_solver="full").fit(x)
        final = run.model[-1]
        names = (
            "components_",
            "explained_variance_",
            "explained_variance_ratio_",
            "singular_values_",
            "noise_variance_",
            "mean_",
        )
        for name in names:
            close(getattr(final, name), getattr(oracle, name))
        close(run.model.transform(pooled), oracle.transform(x))
        kept = oracle.explained_variance_ratio_.sum()
        figures = run.problem.model
        sums = figures.sums(run.state.parameters, x, np.zeros(len(x)))
        assert figures.figures(sums, len(x))["explained_variance_ratio"] == pytest.approx(kept)
        residual = x - oracle.inverse_transform(oracle.transform(x))
        close(run.history["train_loss"].iloc[-1], (residual**2).sum() / len(x))

    def test_indicator_columns_are_included_and_a_gap_is_the_mean(self) -> None:
        frame = table(400, seed=4)
        run = fitted(PCA(n_components=3), deal(frame, SIZES), 1)
        x = matrix(run, frame)
        gaps = frame["lab"].isna().to_numpy()
        assert gaps.any()
        assert (x[gaps, 1] == 0).all()
        oracle = decomposition.PCA(3, svd_solver="full").fit(x)
        close(run.model[-1].components_, oracle.components_)
        close(run.model.transform(frame.drop(columns="died")), oracle.transform(x))

    def test_all_components_reconstruct_every_row(self) -> None:
        run = fitted(PCA(n_components=30), breast(), 1)
        assert run.history["train_loss"].iloc[-1] < 1e-20
        assert run.model[-1].noise_variance_ == 0

    def test_it_needs_columns_and_rows_enough(self) -> None:
        with pytest.raises(TrainingError, match="n_components"):
            PCA(n_components=0)
        with pytest.raises(TrainingError, match="At most 30"):
            fl.Federation(breast()).train(PCA(n_components=31))
        data = load_breast_cancer(as_frame=True).frame[:4]
        sites = deal(data, (2, 2), target="target", ranges=None)
        with pytest.raises(TrainingError, match="4 over all sites"):
            fl.Federation(sites).train(PCA(n_components=5)).step()


MODELS: list[Summed] = [
    GaussianNB(),
    BernoulliNB(binarize=1.0),
    KMeans(n_clusters=3, n_init=2),
    PCA(n_components=2),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
class TestAll:
    @settings(max_examples=15)
    @given(cuts=st.lists(st.integers(1, 59), max_size=4, unique=True), seed=st.integers(0, 50))
    def test_how_rows_lie_at_sites_does_not_matter(
        self, model: Summed, cuts: list[int], seed: int
    ) -> None:
        frame = numeric(60, seed=seed)
        sizes = np.diff([0, *sorted(cuts), 60]).tolist()
        parts, whole = (fitted(model, deal(frame, each), 2) for each in (sizes, (60,)))
        np.testing.assert_allclose(
            parts.state.parameters.vector, whole.state.parameters.vector, rtol=1e-8, atol=1e-8
        )

    def test_the_order_of_sites_does_not_matter_to_the_bit(self, model: Summed) -> None:
        frame = table(400, seed=1)
        frame["lab"] = frame["lab"].fillna(0.5)
        there, back = deal(frame, SIZES), deal(frame, SIZES)[::-1]
        first, second = (fitted(model, sites, 2).state.parameters for sites in (there, back))
        assert first == second

    def test_statistics_of_no_rows_are_those_called_empty(self, model: Summed) -> None:
        schema = Schema((Column("a"), Column("b", "category", ("x", "y"))), "died", (0, 1))
        space = unscaled(schema)
        found = model.statistics(model.init(space), np.zeros((0, 3)), np.zeros(0))
        assert found == model.empty(space) or found.fits(model.empty(space))
        assert not found.vector.any()

    def test_it_travels(self, model: Summed) -> None:
        space = unscaled(Schema((Column("a"), Column("b")), "died", (0, 1)))
        query = Statistics(model=model, space=space, parameters=model.init(space))
        assert decode(encode(query), Statistics) == query

    def test_a_site_of_one_class_and_one_of_one_row_take_part(self, model: Summed) -> None:
        frame = numeric(50).sort_values("died", ignore_index=True)
        run = fitted(model, deal(frame, (1, 10, 39)), 2)
        assert np.isfinite(run.state.parameters.vector).all()

    def test_evaluation_and_figures_of_merit_are_shown(self, model: Summed) -> None:
        sites = deal(numeric(200), (80, 120), test_size=0.3)
        run = fitted(model, sites, 3)
        judged = run.evaluate().frame
        assert model.loss in judged
        assert model.score in judged
        assert run.history[f"held_out_{model.score}"].notna().all()


def test_centres_given_as_an_array_travel() -> None:
    model = KMeans(n_clusters=2, start=np.eye(2))  # type: ignore[arg-type]
    assert decode(encode(model), KMeans) == model
    assert model.start == ((1.0, 0.0), (0.0, 1.0))
    assert hash(model) == hash(decode(encode(model), KMeans))


def test_models_without_a_target_ignore_a_target_of_numbers_or_of_times() -> None:
    frame = numeric(80).rename(columns={"age": "time"})
    survival = deal(frame, (40, 40), target="time", event="died", ranges=None)
    number = deal(frame, (40, 40), target="lab", ranges=None)
    for sites in (survival, number):
        for model in MODELS[2:]:
            fitted(model, sites, 2)


def test_parameters_are_of_the_declared_kind() -> None:
    run = fitted(PCA(n_components=2), deal(numeric(40), (40,), policy=OPEN), 1)
    assert isinstance(run.state.parameters, Parameters)
