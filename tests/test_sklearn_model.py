"""scikit-learn estimators with ``partial_fit``, averaged over sites: they learn, or say why not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.decomposition import IncrementalPCA, MiniBatchDictionaryLearning
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import (
    LogisticRegression,
    Perceptron,
    SGDClassifier,
    SGDOneClassSVM,
    SGDRegressor,
)
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, GaussianNB, MultinomialNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fedlab as fl
from fedlab.core.allowed import ALLOWED, MOST_UNITS, NetworkTooLargeError
from fedlab.core.parameters import Parameters
from fedlab.core.sklearn_model import SklearnClassifier, SklearnModel, SklearnRegressor
from fedlab.core.wire import decode, encode
from fedlab.errors import MessageError, PrivacyError, RefusedError, TrainingError
from fedlab.queries import PartialFit, Request, Score, Update
from fedlab.site import reveal
from fedlab.strategies import Strategy
from fedlab.training import Training
from tests.builders import OPEN, PROMISE, answer_of, ask, bits, deal, numeric, table

SHARES = (0.4, 0.25, 0.2, 0.1)
ESTIMATORS: dict[str, Any] = {
    "logistic": SGDClassifier(loss="log_loss", random_state=0),
    "hinge": SGDClassifier(random_state=0),
    "perceptron": Perceptron(random_state=0),
    "network": MLPClassifier((32,), random_state=0, max_iter=400),
    "network by momentum": MLPClassifier(
        (32,), solver="sgd", learning_rate_init=0.05, random_state=0, max_iter=400
    ),
}
AVERAGING: dict[str, Strategy] = {
    "FedAvg": fl.FedAvg(local_epochs=5),
    "FedAvgM": fl.FedAvgM(local_epochs=5),
    "FedNova": fl.FedNova(local_epochs=5),
    "FedAdagrad": fl.FedAdagrad(local_epochs=5),
    "FedAdam": fl.FedAdam(local_epochs=5),
    "FedYogi": fl.FedYogi(local_epochs=5),
    "some sites": fl.FedAvg(local_epochs=5, site_fraction=0.6, weighting="equal"),
    **{
        type(rule).__name__: fl.FedAvg(local_epochs=5, aggregator=rule)
        for rule in (
            fl.Median(),
            fl.TrimmedMean(f=1),
            fl.Krum(f=1),
            fl.MultiKrum(f=1, keep=3),
            fl.GeometricMedian(),
            fl.NormClipping(),
            fl.CentredClipping(),
        )
    },
}


def split(load: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = load(as_frame=True).frame.rename(columns={"target": "y"})
    # Ten whole numbers would be a target of numbers.
    frame["y"] = pd.Categorical(frame["y"].astype(str))
    train, test = train_test_split(frame, test_size=0.25, random_state=0, stratify=frame["y"])
    return train, test


def skewed(train: pd.DataFrame, spread: float = 0.25) -> list[fl.Site]:
    """Five sites of 40 to 5 % of the rows, each with some classes much more than with others."""
    codes, n_classes = train["y"].cat.codes.to_numpy(), train["y"].nunique()
    noise = np.random.default_rng(0).normal(0, n_classes * spread, len(train))
    order = np.argsort(codes + noise, kind="stable")
    parts = np.split(order, (np.cumsum(SHARES) * len(train)).astype(int))
    return [
        fl.Site(f"s{i}", train.iloc[part], target="y", test_size=0.0)
        for i, part in enumerate(parts)
    ]


def learned(sites: Sequence[fl.Site], estimator: Any, strategy: Strategy, rounds: int) -> Training:
    run = fl.Federation(sites, seed=3).train(
        SklearnModel(estimator), strategy=strategy, evaluate=False
    )
    run.run(rounds, progress=False)
    return run


# They learn


@pytest.mark.parametrize("load", [load_breast_cancer, load_digits], ids=["breast cancer", "digits"])
@pytest.mark.parametrize("name", ["logistic", "network"])
def test_they_come_close_to_their_pooled_fit_on_five_unlike_sites(name: str, load: Any) -> None:
    train, test = split(load)
    sites = skewed(train)
    sizes = [len(reveal(site)) for site in sites]
    assert max(sizes) > 7 * min(sizes)
    assert min(reveal(site)["y"].nunique() for site in sites) < train["y"].nunique()
    strategy = fl.FedAdam(local_epochs=5) if name == "network" else fl.FedAvg(local_epochs=5)
    run = learned(sites, ESTIMATORS[name], strategy, 20)
    figures = run.gap_to_pooled(reveal(sites), held_out=test).figures["held_out_accuracy"]
    assert figures["pooled"] > 0.93
    assert figures["difference"] > -0.04


@pytest.mark.parametrize("strategy", AVERAGING)
def test_every_strategy_that_averages_trains_them(strategy: str) -> None:
    train, test = split(load_breast_cancer)
    sites = skewed(train, spread=1.0)
    run = learned(sites, ESTIMATORS["logistic"], AVERAGING[strategy], 8)
    assert run.model.score(test, test["y"]) > 0.9


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_classifier_of_the_list_learns(name: str) -> None:
    train, test = split(load_breast_cancer)
    run = learned(skewed(train, 1.0), ESTIMATORS[name], fl.FedAvg(local_epochs=5), 15)
    assert run.model.score(test, test["y"]) > 0.9
    assert type(run.model[-1]) is type(ESTIMATORS[name])


@pytest.mark.parametrize(
    "estimator",
    [
        SGDRegressor(random_state=0),
        MLPRegressor(hidden_layer_sizes=16, random_state=0, learning_rate_init=0.01),
    ],
    ids=["descent", "network"],
)
def test_regressors_learn_numbers(estimator: Any) -> None:
    frame = load_diabetes(as_frame=True).frame.rename(columns={"target": "died"})
    frame["died"] /= 100
    train, test = train_test_split(frame, random_state=0)
    sites = deal(train, [131, 100, 60, 30, 10], ranges={})
    run = learned(sites, estimator, fl.FedAvg(local_epochs=5), 20)
    pooled = make_pipeline(StandardScaler(), clone(estimator).set_params(max_iter=1000))
    pooled.fit(train.drop(columns="died"), train["died"])
    found = run.model.score(test, test["died"])
    assert found > pooled.score(test.drop(columns="died"), test["died"]) - 0.05
    assert isinstance(run.problem.model, SklearnRegressor)


def test_one_site_and_one_pass_is_partial_fit_itself() -> None:
    frame = numeric(120)
    estimator = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.01)
    run = learned(deal(frame, [120]), estimator, fl.FedAvg(), 1)
    x = run.problem.space.matrix(frame)
    seed = int(Request_random(run).integers(2**31))
    twin = clone(estimator).set_params(random_state=seed)
    twin.partial_fit(x, frame["died"], classes=[0, 1])
    np.testing.assert_array_equal(run.state.parameters["coef_"], twin.coef_)


def Request_random(run: Training) -> np.random.Generator:  # noqa: N802
    from fedlab.core.seeds import generator

    return generator(run.problem.seed, 1, "s00", "partial_fit")


def test_rates_that_fall_go_on_falling_from_round_to_round() -> None:
    frame = numeric(120)
    settings: dict[str, Any] = {"learning_rate": "invscaling", "eta0": 1.0, "power_t": 1.0}
    run = learned(deal(frame, [120]), SGDClassifier(**settings), fl.FedAvg(), 6)
    steps = [done.norms["s00"] for done in run.rounds[1:]]
    assert steps[5] < steps[1] < steps[0]


def test_fednova_counts_the_steps_that_the_estimator_takes() -> None:
    frame = numeric(300)
    sites = deal(frame, [250, 50])
    strategy = fl.FedNova(local_epochs=2)
    for estimator, steps in (
        (SGDClassifier(), {"s00": 500, "s01": 100}),
        (MLPClassifier(), {"s00": 4, "s01": 2}),
        (MLPClassifier(batch_size=20), {"s00": 26, "s01": 6}),
    ):
        problem = fl.Federation(sites).train(SklearnModel(estimator)).problem
        assert strategy.steps(problem, problem.rows) == steps


def test_sites_tune_their_own_afterwards() -> None:
    train, _ = split(load_breast_cancer)
    sites = skewed(train, 0.5)
    run = learned(sites, ESTIMATORS["logistic"], fl.FedAvg(), 5)
    tuned = run.fork(strategy=fl.FineTuning(local_epochs=3))
    tuned.step()
    own, rows = tuned.personal_model("s0"), reveal(sites[0])
    assert bits(tuned.state.parameters) == bits(run.state.parameters)
    assert own.score(rows, rows["y"]) > 0.9
    assert (own[-1].coef_ != run.model[-1].coef_).any()


# The model is the estimator


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("labels", [("b", "a"), ("c", "a", "b"), (True, False)], ids=str)
def test_scores_and_the_fitted_estimator_agree_whatever_the_order_of_classes(
    name: str, labels: tuple[Any, ...]
) -> None:
    frame = numeric(200)
    codes = np.random.default_rng(0).integers(0, len(labels), 200)
    if isinstance(labels[0], bool):
        frame["died"] = codes == 0
    else:
        frame["died"] = pd.Categorical.from_codes(codes, categories=pd.Index(labels))
    sites = deal(frame, [120, 80])
    run = learned(sites, ESTIMATORS[name], fl.FedAvg(), 2)
    model, space = run.problem.model, run.problem.space
    assert isinstance(model, SklearnClassifier)
    scores = model.scores(run.state.parameters, space.matrix(frame))
    said = np.array(space.schema.classes)[scores.argmax(axis=1)]
    assert (run.model.predict(frame) == said).mean() == 1.0
    np.testing.assert_allclose(scores.sum(axis=1), 1)


def test_settings_at_their_defaults_and_those_of_the_machine_do_not_travel() -> None:
    model = SklearnModel(SGDClassifier(n_jobs=2, verbose=1, alpha=np.float64(0.01)))
    assert model == SklearnClassifier(name="SGDClassifier", settings={"alpha": 0.01})
    assert SklearnModel(MLPClassifier([8, np.int64(4)])).settings == {"hidden_layer_sizes": (8, 4)}
    assert decode(encode(model), SklearnClassifier) == model


# One seed, one result


def start(turn: bool = False, **engine: Any) -> Training:
    sites = deal(table(300), [150, 90, 60])[:: -1 if turn else 1]
    fed = fl.Federation(sites, seed=5, engine=fl.InProcess(**engine))
    strategy = fl.FedAvg(local_epochs=2)
    return fed.train(SklearnModel(MLPClassifier((8,))), strategy=strategy)


def test_neither_order_nor_threads_nor_the_wire_nor_a_rewind_change_a_bit(tmp_path: Any) -> None:
    reference = start()
    reference.run(3, progress=False)
    expected = bits(reference.state.parameters)
    for change in ({"turn": True}, {"threads": 3}, {"wire": True}, {"wire": True, "threads": 2}):
        run = start(**change)
        run.run(3, progress=False)
        assert bits(run.state.parameters) == expected
    reference.run(2, progress=False)
    reference.rewind(1).run(2, progress=False)
    assert bits(reference.state.parameters) == expected
    reference.rewind(1).save(tmp_path / "run")
    fed = fl.Federation(deal(table(300), [150, 90, 60]), seed=5)
    resumed = fl.resume(tmp_path / "run", fed)
    resumed.run(2, progress=False)
    assert bits(resumed.state.parameters) == expected


# Strategies that need more than averages


@pytest.mark.parametrize(
    "strategy",
    [fl.FedProx(), fl.SCAFFOLD(), fl.Ditto(), fl.FedSGD(), fl.FedNewton()],
    ids=lambda each: type(each).__name__,
)
def test_strategies_that_need_gradients_name_the_remedy(strategy: Strategy) -> None:
    sites = deal(numeric(60), [40, 20])
    run = fl.Federation(sites).train(SklearnModel(SGDClassifier()), strategy=strategy)
    with pytest.raises(TrainingError, match=r"gradients.*Leave strategy out"):
        run.step()


def test_settings_of_a_strategy_that_are_the_estimators_own_are_refused() -> None:
    fed = fl.Federation(deal(numeric(60), [40, 20]))
    for strategy in (
        fl.FedAvg(learning_rate=0.1),
        fl.FedAvg(local_steps=3),
        fl.FedAvg(batch_size=8),
        fl.FedAvg(batch_size=None),
    ):
        run = fed.train(SklearnModel(SGDClassifier()), strategy=strategy)
        with pytest.raises(TrainingError, match="its own"):
            run.step()


def test_they_offer_no_privacy() -> None:
    sites = deal(numeric(60), [40, 20])
    run = fl.Federation(sites).train(SklearnModel(SGDClassifier()), privacy=PROMISE)
    with pytest.raises(PrivacyError, match="clips none"):
        run.step()
    assert all(site.ledger.frame.empty for site in sites)
    reply = ask(sites[0], question(sites[0]), privacy=PROMISE)
    assert reply.refusal is not None
    assert reply.refusal.code == "no-sensitivity"


# What is no such estimator


class Custom(SGDClassifier):  # type: ignore[misc]
    """An analyst's own, which no site knows."""


def named(name: str) -> Any:
    return type(name, (), {"partial_fit": lambda self: None, "get_params": lambda self: {}})()


WRONG: dict[str, tuple[Any, str]] = {
    "no partial_fit": (RandomForestClassifier(), "no partial_fit. Use fl.RandomForestClassifier()"),
    "boosting": (HistGradientBoostingClassifier(), "Use fl.GradientBoostingClassifier()"),
    "a class": (SGDClassifier, "the class SGDClassifier. Pass an instance: SGDClassifier()"),
    "a pipeline": (make_pipeline(StandardScaler(), SGDClassifier()), "fl.Preprocess()"),
    "a wrapper": (CalibratedClassifierCV(SGDClassifier()), "made of other estimators"),
    "a subclass": (Custom(), "a subclass of SGDClassifier"),
    "a namesake": (named("SGDClassifier"), "not scikit-learn's"),
    "gaussian": (GaussianNB(), "Use fl.GaussianNB()"),
    "bernoulli": (BernoulliNB(), "Use fl.BernoulliNB()"),
    "multinomial": (MultinomialNB(), "Use fl.GaussianNB() or fl.BernoulliNB()"),
    "categories": (CategoricalNB(), "Use fl.BernoulliNB()"),
    "means": (KMeans(), "Use fl.KMeans()"),
    "means by batch": (MiniBatchKMeans(), "Use fl.KMeans()"),
    "components": (IncrementalPCA(), "Use fl.PCA()"),
    "logistic": (LogisticRegression(), "Use fl.LogisticRegression()"),
    "one class": (SGDOneClassSVM(), "SGDOneClassSVM. Pass e.g."),
    "a dictionary": (MiniBatchDictionaryLearning(), "MiniBatchDictionaryLearning. Pass e.g."),
    "text": ("SGDClassifier", "str, which has no partial_fit"),
    "nothing": (None, "NoneType"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_such_estimator_is_told_what_to_do(what: str) -> None:
    estimator, said = WRONG[what]
    with pytest.raises(TrainingError) as caught:
        SklearnModel(estimator)
    assert said in str(caught.value)
    assert all(name in caught.value.rule for name in ALLOWED)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_passive_aggressive_estimators_are_led_to_what_took_their_place() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    for name in ("PassiveAggressiveClassifier", "PassiveAggressiveRegressor"):
        if hasattr(linear, name):
            with pytest.raises(TrainingError, match="learning_rate='pa1'"):
                SklearnModel(getattr(linear, name)())
    train, test = split(load_breast_cancer)
    remedy = SGDClassifier(loss="hinge", penalty=None, learning_rate="pa1", eta0=1.0)
    run = learned(skewed(train, 1.0), remedy, fl.FedAvg(), 10)
    assert run.model.score(test, test["y"]) > 0.9


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        (SGDClassifier(average=True), "average"),
        (SGDClassifier(early_stopping=True), "early_stopping"),
        (SGDClassifier(class_weight="balanced"), "class_weight"),
        (SGDClassifier(class_weight={0: 1.0}), "class_weight of type dict"),
        (SGDClassifier(learning_rate="adaptive", eta0=0.1), "learning_rate"),
        (SGDClassifier(random_state=np.random.RandomState(0)), "random_state=0"),
        (MLPClassifier(solver="lbfgs"), "solver"),
        (MLPClassifier((0,)), "at least 1"),
        (MLPClassifier((2.5,)), "whole numbers"),
        (MLPClassifier(MOST_UNITS + 1), f"of {MOST_UNITS} units"),
        (MLPClassifier((2,) * 9), "9 layers"),
    ],
)
def test_settings_that_cannot_be_kept_are_named(estimator: Any, said: str) -> None:
    with pytest.raises(TrainingError) as caught:
        SklearnModel(estimator)
    assert said in str(caught.value)


def test_settings_that_scikit_learn_refuses_are_told_before_any_round() -> None:
    fed = fl.Federation(deal(numeric(60), [40, 20]))
    for estimator in (SGDClassifier(loss="none"), MLPClassifier(activation="step")):
        with pytest.raises(TrainingError, match="must be able to train"):
            fed.train(SklearnModel(estimator))


def test_steps_that_are_too_long_are_called_so() -> None:
    # scikit-learn bounds the gradients of linear models, not those of a network.
    network = MLPRegressor(hidden_layer_sizes=4, solver="sgd", learning_rate_init=1e9)
    run = fl.Federation(deal(numeric(60), [40, 20])).train(SklearnModel(network), evaluate=False)
    with pytest.raises(RefusedError, match="DivergedError"):
        run.run(9, progress=False)


def test_targets_that_do_not_fit_are_told() -> None:
    classes, number = numeric(60), numeric(60).assign(died=np.linspace(0, 1, 60))
    with pytest.raises(TrainingError, match="a regressor"):
        fl.Federation(deal(number, [40, 20])).train(SklearnModel(SGDClassifier()))
    classes["died"] = classes["died"].astype(bool)
    with pytest.raises(TrainingError, match="numbers"):
        fl.Federation(deal(classes, [40, 20])).train(SklearnModel(SGDRegressor()))


# A hostile coordinator


def question(site: fl.Site, estimator: Any = None, **changes: Any) -> PartialFit:
    model = SklearnModel(SGDClassifier() if estimator is None else estimator)
    problem = fl.Federation([site]).train(model, evaluate=False).problem
    parameters = model.init(problem.space)
    return PartialFit(
        **{"model": model, "space": problem.space, "parameters": parameters, **changes}
    )


def forged(model: Any, **fields: Any) -> Any:
    """A model as only someone makes it who passes by its checks."""
    copy = msgspec.structs.replace(model)
    for name, value in fields.items():
        msgspec.structs.force_setattr(copy, name, value)
    return copy


FORGED: dict[str, dict[str, Any]] = {
    "a class of the same module": {"name": "LogisticRegression"},
    "a class of any module": {"name": "os.system"},
    "a path": {"name": "../joblib.Memory"},
    "threads": {"settings": {"n_jobs": 10_000}},
    "prints": {"settings": {"verbose": 1}},
    "unknown settings": {"settings": {"callback": "print"}},
    "a huge layer": {"name": "MLPClassifier", "settings": {"hidden_layer_sizes": (10**9,)}},
    "many layers": {"name": "MLPClassifier", "settings": {"hidden_layer_sizes": (2,) * 10_000}},
    "many weights": {"name": "MLPClassifier", "settings": {"hidden_layer_sizes": (4096,) * 8}},
    "no layer": {"name": "MLPClassifier", "settings": {"hidden_layer_sizes": (-1,)}},
    "a network for a line": {"name": "MLPClassifier"},
}


@pytest.mark.parametrize("lie", FORGED)
def test_a_site_refuses_what_is_not_on_the_list_or_too_large(lie: str) -> None:
    (site,) = deal(numeric(60), [60])
    honest = question(site)
    assert isinstance(answer_of(ask(site, honest)), Update)
    model = forged(honest.model, **FORGED[lie])
    for query in (
        msgspec.structs.replace(honest, model=model),
        Score(model=model, space=honest.space, candidates=(honest.parameters,), split="train"),
    ):
        begin = time.perf_counter()
        reply = ask(site, query)
        assert time.perf_counter() - begin < 1
        assert reply.answer is None
        assert reply.refusal is not None
        assert reply.refusal.code == "failed"
        named = "Error in " in reply.refusal.came
        assert named


@pytest.mark.parametrize(
    "lie", sorted(FORGED.keys() - {"unknown settings", "many weights", "a network for a line"})
)
def test_over_the_wire_it_is_no_message_at_all(lie: str) -> None:
    (site,) = deal(numeric(60), [60])
    honest = question(site)
    request = Request(site=site.name, run="run", round=1, seed=0, query=honest)
    assert decode(encode(request), Request).query == honest
    model = forged(honest.model, **FORGED[lie])
    sent = encode(
        msgspec.structs.replace(request, query=msgspec.structs.replace(honest, model=model))
    )
    with pytest.raises(MessageError):
        decode(sent, Request)


def test_a_network_too_large_for_the_columns_is_refused_by_that_name() -> None:
    (site,) = deal(numeric(60), [60])
    honest = question(site, MLPClassifier((4,)))
    model = forged(honest.model, settings={"hidden_layer_sizes": (4096, 4096)})
    reply = ask(site, msgspec.structs.replace(honest, model=model))
    assert reply.refusal is not None
    assert reply.refusal.came == "NetworkTooLargeError in PartialFit"
    with pytest.raises(NetworkTooLargeError, match="weights"):
        fl.Federation([site]).train(SklearnModel(MLPClassifier((4096, 4096))))


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_parameters_of_other_names_or_shapes_are_refused(data: st.DataObject) -> None:
    (site,) = deal(numeric(60), [60])
    honest = question(site)
    arrays = dict(honest.parameters)
    name = data.draw(st.sampled_from(sorted(arrays)))
    shape = data.draw(st.lists(st.integers(0, 4), max_size=3))
    value = data.draw(st.sampled_from([0.0, np.nan, np.inf]))
    arrays[name] = np.full(shape, value)
    forged_parameters = Parameters(arrays)
    if forged_parameters.fits(honest.parameters):
        return
    reply = ask(site, msgspec.structs.replace(honest, parameters=forged_parameters))
    assert reply.refusal is not None


def test_an_answer_of_other_shapes_is_not_accepted() -> None:
    (site,) = deal(numeric(60), [60], policy=OPEN)
    query = question(site)
    answer = answer_of(ask(site, query))
    assert query.accepts(answer)
    assert isinstance(answer, Update)
    assert not query.accepts(Update(np.nan * answer.delta))
    assert not query.accepts(Update(Parameters({"coef_": np.zeros((1, 3))})))
    with pytest.raises(ValueError, match="at least 1"):
        msgspec.structs.replace(query, epochs=0)
