"""Every model is exported: graph, estimator and card say the same, and only what is known is read.

Sites hold rows with gaps and categories; the oracle is the fitted scikit-learn pipeline.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import Perceptron, SGDClassifier, SGDRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor

import fedlab as fl
from fedlab.core.model import Model
from fedlab.core.parameters import Parameters
from fedlab.core.trees.onnx import to_onnx_trees
from fedlab.errors import DataError, ExportError, TrainingError
from fedlab.evaluation import Evaluation
from fedlab.export import ExportedModel, SigningKey, load
from fedlab.export.accepted import check_graph
from fedlab.export.agreement import check_agreement, made_up_rows
from fedlab.export.estimators import dump_estimator, load_estimator
from fedlab.export.graph import onnx_inputs, to_onnx
from fedlab.export.kinds import outputs_of
from fedlab.training import Training
from tests.builders import deal, table

MEDIAN = fl.Preprocess(impute="median")
BUCKETS = fl.Preprocess(
    impute={"age": "median", "ward": "most_frequent", "smoker": "most_frequent"},
    min_count=150,
    unseen="bucket",
)
SEEN_BUCKETS = fl.Preprocess(impute="zero", min_count=150)
DROPPED = fl.Preprocess(standardise=False, impute="median", min_count=150, rare="drop")
KEEP = fl.Preprocess(impute="keep", min_count=150, unseen="bucket")


@dataclass(frozen=True)
class Case:
    """A model, what it predicts and what is done to the columns first."""

    model: Model
    target: str
    plan: fl.Preprocess | None = None
    rounds: int = 3


CASES = {
    "logistic": Case(fl.LogisticRegression(), "died", BUCKETS),
    "logistic, no penalty": Case(fl.LogisticRegression(C=np.inf), "died", SEEN_BUCKETS),
    "logistic, three classes": Case(fl.LogisticRegression(), "grade", MEDIAN),
    "logistic, elastic net": Case(fl.LogisticRegression(l1_ratio=0.5), "died"),
    "logistic, three classes, lasso": Case(fl.LogisticRegression(l1_ratio=1.0), "grade", DROPPED),
    "linear": Case(fl.LinearRegression(), "cost", BUCKETS),
    "ridge": Case(fl.Ridge(alpha=3.0), "cost", DROPPED),
    "Poisson": Case(fl.PoissonRegression(alpha=0.1), "visits", MEDIAN, rounds=6),
    "linear SVC": Case(fl.SVC(kernel="linear"), "died", BUCKETS),
    "linear SVC, three classes": Case(fl.SVC(kernel="linear"), "grade"),
    "RBF SVC": Case(fl.SVC(n_components=40), "died", BUCKETS),
    "RBF SVC, three classes": Case(fl.SVC(n_components=40, gamma=0.3), "grade"),
    "forest": Case(fl.RandomForestClassifier(n_trees=6, max_depth=4, oob_score=True), "died", KEEP),
    "forest, three classes": Case(fl.RandomForestClassifier(n_trees=5, max_depth=3), "grade"),
    "forest of numbers": Case(fl.RandomForestRegressor(n_trees=5, max_depth=4), "cost", MEDIAN),
    "boosting": Case(fl.GradientBoostingClassifier(n_trees=4), "died", BUCKETS),
    "boosting, three classes": Case(fl.GradientBoostingClassifier(n_trees=3), "grade"),
    "boosting of numbers": Case(fl.GradientBoostingRegressor(n_trees=5), "cost", KEEP),
    "Gaussian": Case(fl.GaussianNB(), "grade", MEDIAN),
    "Gaussian, priors": Case(fl.GaussianNB(priors=(0.2, 0.8)), "died", BUCKETS),
    "Bernoulli": Case(fl.BernoulliNB(binarize=1.0), "died", MEDIAN),
    "clusters": Case(fl.KMeans(n_clusters=3, n_init=2), "died", BUCKETS),
    "components": Case(fl.PCA(n_components=3), "died", MEDIAN),
    "Cox": Case(fl.CoxRegression(grid=(2.0, 4.0, 8.0)), "time", BUCKETS),
    "Cox, exact": Case(fl.CoxRegression(grid="exact", alpha=0.1), "time"),
    "SGD of scores": Case(fl.SklearnModel(SGDClassifier()), "died", BUCKETS),
    "SGD of odds": Case(fl.SklearnModel(SGDClassifier(loss="log_loss")), "died"),
    "SGD of odds, three classes": Case(fl.SklearnModel(SGDClassifier(loss="log_loss")), "grade"),
    "SGD of Huber": Case(fl.SklearnModel(SGDClassifier(loss="modified_huber")), "died"),
    "SGD of Huber, three classes": Case(
        fl.SklearnModel(SGDClassifier(loss="modified_huber", penalty="elasticnet")), "grade"
    ),
    "passive-aggressive": Case(
        fl.SklearnModel(SGDClassifier(penalty=None, learning_rate="pa1", eta0=1.0)), "grade"
    ),
    "perceptron": Case(fl.SklearnModel(Perceptron()), "died"),
    "perceptron, three classes": Case(fl.SklearnModel(Perceptron()), "grade", MEDIAN),
    "network": Case(fl.SklearnModel(MLPClassifier((6, 4))), "died", BUCKETS),
    "network, three classes": Case(
        fl.SklearnModel(MLPClassifier((5,), activation="tanh")), "grade", MEDIAN
    ),
    "SGD of numbers": Case(fl.SklearnModel(SGDRegressor()), "cost", MEDIAN),
    "network of numbers": Case(
        fl.SklearnModel(MLPRegressor(hidden_layer_sizes=(5,), activation="logistic")), "cost"
    ),
    "network of counts": Case(
        fl.SklearnModel(
            MLPRegressor(loss="poisson", hidden_layer_sizes=(5,), activation="identity")
        ),
        "visits",
    ),
}
TREES = {name for name, case in CASES.items() if name.startswith(("forest", "boosting"))}


def patients(n_rows: int, seed: int = 0, *, missing: bool = True) -> pd.DataFrame:
    """The shared table, a rare ward and flags with gaps; times, counts, costs and grades follow."""
    random = np.random.default_rng(seed)
    frame = table(n_rows, seed, gaps=False)
    risk = (frame["age"] - 60) / 12 + frame["lab"] - 0.8 * frame["smoker"]
    frame["cost"] = 3 * risk + random.normal(size=n_rows)
    frame["visits"] = random.poisson(np.exp(0.3 * risk.clip(-3, 3))).astype(float)
    frame["grade"] = pd.Categorical.from_codes(
        np.digitize(risk + random.normal(size=n_rows) / 2, [-1.0, 0.5]),
        categories=pd.Index(["mild", "fair", "bad"]),
    )
    frame["time"] = random.exponential(10 * np.exp(-0.5 * risk)) + 0.1
    frame["event"] = random.random(n_rows) < 0.7
    if missing:
        gaps = random.random((n_rows, 3)) < 0.15
        frame["lab"] = frame["lab"].where(~gaps[:, 0])
        frame["smoker"] = frame["smoker"].astype(float).where(~gaps[:, 1])
        frame["ward"] = frame["ward"].where(~gaps[:, 2])
    return frame


FEATURES = ["age", "lab", "smoker", "ward"]


def sites(target: str) -> list[fl.Site]:
    columns = [*FEATURES, target, *(["event"] if target == "time" else [])]
    options = {"event": "event"} if target == "time" else {}
    rare = patients(430)
    # The last ward is seldom, so that it shares a column.
    rare.loc[rare.index[rare["ward"] == "west"][40:], "ward"] = "south"
    return deal(rare[columns], [200, 150, 80], target=target, test_size=0.2, **options)


def train(case: Case, *, evaluate: bool = False) -> Training:
    federation = fl.Federation(sites(case.target), seed=5)
    run = federation.train(case.model, preprocess=case.plan, evaluate=evaluate)
    for _ in range(60):
        if run.strategy.finished(run.problem, run.state):
            break
        if run.round >= case.rounds and not hasattr(case.model, "max_bins"):
            break
        run.step()
    return run


@cache
def trained(name: str) -> Training:
    return train(CASES[name])


@cache
def judged(name: str) -> Evaluation:
    return trained(name).evaluate()


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.load(tmp_path_factory.mktemp("key") / "identity.pem")


@pytest.fixture(scope="module")
def exports(key: SigningKey, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("exports")

    @cache
    def exported(name: str) -> ExportedModel:
        place = folder / re.sub(r"\W+", "-", name)
        trained(name).export(place, key=key, evaluation=judged(name))
        return load(place, signer=key.fingerprint)

    return exported


def expected(model: Any, output: str, rows: pd.DataFrame) -> NDArray[Any]:
    calls = {
        "probabilities": lambda: model.predict_proba(rows),
        "scores": lambda: model.decision_function(rows).reshape(len(rows), -1),
        "variable": lambda: model.predict(rows)[:, None],
        "distances": lambda: model.transform(rows),
        "components": lambda: model.transform(rows),
        "log_hazard": lambda: model.predict(rows)[:, None],
        "survival": lambda: model.predict_survival_function(rows).to_numpy(),
        "times": lambda: model.event_times_,
        "label": lambda: model.predict(rows),
    }
    return np.asarray(calls[output]())


@pytest.mark.parametrize("name", CASES)
def test_graph_and_pipeline_say_the_same_of_rows_with_gaps_and_categories(
    name: str, exports: Any
) -> None:
    run, exported = trained(name), exports(name)
    rows = patients(600, seed=9)[FEATURES]
    rows["ward"] = rows["ward"].astype(object)
    rows.loc[:20, "ward"] = "a ward that no site has"
    session = onnxruntime.InferenceSession((exported.folder / "model.onnx").read_bytes())
    found = session.run(None, exported.onnx_inputs(rows))
    assert len(found) == len(exported.manifest.outputs)
    for output, values in zip(exported.manifest.outputs, found, strict=True):
        wanted = expected(run.model, output, rows)
        assert values.shape == wanted.shape
        if output == "label":
            assert (values == wanted).all()
        else:
            assert np.abs(values - wanted).max() <= 1e-9 * max(1.0, np.abs(wanted).max())


@pytest.mark.parametrize("name", CASES)
def test_what_is_loaded_has_the_bits_of_what_was_trained(name: str, exports: Any) -> None:
    run, exported = trained(name), exports(name)
    rows = patients(200, seed=3)[FEATURES]
    if name in TREES:
        assert not (exported.folder / "model.skops").exists()
        with pytest.raises(ExportError, match="ONNX alone"):
            _ = exported.model
        return
    for output in exported.manifest.outputs:
        once, again = (expected(each, output, rows) for each in (run.model, exported.model))
        assert once.tobytes() == again.tobytes()
        assert once.dtype == again.dtype


@pytest.mark.parametrize(
    "name",
    ["RBF SVC", "Poisson", "forest", "boosting", "Gaussian", "clusters", "Cox", "network"],
)
def test_the_same_parameters_give_the_same_bytes(
    name: str, exports: Any, key: SigningKey, tmp_path: Path
) -> None:
    first = exports(name)
    second = trained(name).export(tmp_path / "again", key=key, evaluation=judged(name))
    for path in first.folder.iterdir():
        assert path.read_bytes() == (second.folder / path.name).read_bytes(), path.name


@pytest.mark.parametrize("name", CASES)
def test_an_export_predicts_under_the_names_of_scikit_learn(name: str, exports: Any) -> None:
    run, exported = trained(name), exports(name)
    rows = patients(100, seed=4)[FEATURES]
    for method in ("predict", "predict_proba", "decision_function", "transform"):
        call = getattr(exported, method)
        gives = {
            "predict": {"label", "variable", "log_hazard"},
            "predict_proba": {"probabilities"},
            "decision_function": {"scores"},
            "transform": {"components", "distances"},
        }[method]
        if not gives & set(exported.manifest.outputs):
            with pytest.raises(ExportError, match=f"{method} needs a model"):
                call(rows)
            continue
        wanted = getattr(run.model, method)(rows)
        assert call(rows).shape == wanted.shape
        if wanted.dtype.kind == "f":
            np.testing.assert_allclose(call(rows), wanted, rtol=1e-9, atol=1e-9)
        else:
            assert (call(rows) == wanted).all()
    if "survival" in exported.manifest.outputs:
        wanted = run.model.predict_survival_function(rows)
        pd.testing.assert_frame_equal(exported.predict_survival_function(rows), wanted)
    else:
        with pytest.raises(ExportError, match="predict_survival_function needs"):
            exported.predict_survival_function(rows)


@pytest.mark.parametrize("name", CASES)
def test_the_cards_own_code_scores_rows_of_every_model(
    name: str, exports: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = exports(name)
    monkeypatch.chdir(exported.folder)
    code = re.findall(r"```python\n(.*?)```", exported.card, re.S)[-1]
    names: dict[str, Any] = {"frame": patients(50, seed=2)[FEATURES]}
    exec(code, names)  # noqa: S102 - the card promises that it works
    output = exported.manifest.outputs[-1]
    called = {"variable": "numbers"}.get(output, output)
    wanted = expected(trained(name).model, output, names["frame"])
    np.testing.assert_allclose(names[called], wanted, rtol=1e-9, atol=1e-9)


# The card


@pytest.mark.parametrize(
    ("name", "words"),
    {
        "logistic": ["Odds ratio", "Odds of class `1`", "their squares (C = 1)", "`ward=(other)`"],
        "logistic, no penalty": ["They are not penalised and", "- log loss: mean"],
        "logistic, three classes": ["For `bad` | For `fair` | For `mild`", "penalised by their"],
        "logistic, elastic net": ["the elastic net (C = 1, l1_ratio = 0.5)"],
        "logistic, three classes, lasso": ["absolute values (C = 1)", "in its column's own unit"],
        "linear": ["a number, from", "not penalised", "| r2 |", "What the prediction rises by"],
        "ridge": ["(alpha = 3)", "`north`, `west` had too few rows and count as none"],
        "Poisson": ["an expected count", "Rate ratio", "| d2 |", "(alpha = 0.1)"],
        "linear SVC": ["no probability", "the intercept too", "- squared hinge: mean"],
        "RBF SVC": ["40 random features", "decision_function(frame)"],
        "forest": [
            "## Importances",
            "Out-of-bag score: accuracy 0.",
            "`lab` | number | -4 to 4 | m",
        ],
        "forest of numbers": ["## Importances", "There is no scikit-learn estimator", "thresholds"],
        "boosting, three classes": ["Share of the fall in the loss"],
        "Gaussian": ["Means by class", "single training row are that row"],
        "Bernoulli": ["Shares by class", "or a number above 1, smoothed by 1."],
        "clusters": ["one of 3 clusters", "## Centres", "is that row", "without a target"],
        "components": ["## Components", "Shares of the training rows' variance: 0."],
        "Cox": [
            "the time `time` until `event`",
            "Hazard ratio",
            "| concordance |",
            "not penalised",
        ],
        "Cox, exact": ["single patients' events", "(alpha = 0.1)"],
        "SGD of scores": ["What the score for class `1`", "which are no probabilities."],
        "SGD of odds": ["Odds ratio", "(alpha = 0.0001)"],
        "perceptron, three classes": ["They are not penalised and", "no probability"],
        "network, three classes": ["the probability of every class"],
        "SGD of numbers": ["numbers, = session.run", "(alpha = 0.0001)"],
    }.items(),
)
def test_the_card_speaks_of_its_kind_of_model(name: str, words: list[str], exports: Any) -> None:
    for each in words:
        assert each in exports(name).card


@pytest.mark.parametrize("name", CASES)
def test_coefficients_are_on_the_card_where_columns_have_them(name: str, exports: Any) -> None:
    card, final = exports(name).card, trained(name).model
    final = final.steps[-1][1] if hasattr(final, "steps") else final
    has = hasattr(final, "coef_") and not name.startswith("RBF")
    assert ("## Coefficients" in card) == has
    assert ("penalised" in card) == has
    assert ("model.skops" in card) == (name not in TREES)
    assert "**Not evaluated.**" not in card
    assert trained(name).problem.model.score.replace("_", " ") in card
    for lines in re.findall(r"((?:^\|.*\n)+)", card, re.M):
        assert len({line.count(" | ") for line in lines.splitlines()}) == 1


# Rows that cannot be answered


def test_a_gap_is_refused_where_the_model_has_no_answer(key: SigningKey, tmp_path: Path) -> None:
    frame = patients(300, missing=False)[[*FEATURES, "died"]]
    run = fl.Federation(deal(frame, [200, 100])).train(fl.BernoulliNB(), evaluate=False)
    run.step()
    exported = run.export(tmp_path / "m", key=key)
    rows = frame[FEATURES].iloc[:9].astype({"ward": object})
    rows.loc[0, "ward"] = None
    assert (exported.predict(rows) == run.model.predict(rows)).all()
    assert exported.manifest.takes_gaps is False
    assert "| `lab` | number | -4 to 4 | not taken |" in exported.card
    rows.loc[3, "lab"] = np.nan
    with pytest.raises(DataError, match="in 'lab'"):
        exported.predict(rows)
    found = exported.session().run(None, onnx_inputs(rows, exported.manifest.inputs))[1]
    assert np.isnan(found[3]).all()
    assert not np.isnan(found[:3]).any()


def test_a_forest_that_has_not_begun_to_grow_is_not_exported(tmp_path: Path) -> None:
    frame = patients(200)[[*FEATURES, "died"]]
    run = fl.Federation(deal(frame, [200])).train(fl.RandomForestClassifier(), evaluate=False)
    with pytest.raises(TrainingError, match="not begun to grow"):
        run.export(tmp_path / "m")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("towards", [-np.inf, np.inf])
def test_a_threshold_one_step_off_is_seen_before_an_export_is_signed(towards: float) -> None:
    run = trained("forest")
    model, space = run.model, run.problem.space
    other = run.state.parameters
    single = other["threshold"].astype(np.float32)
    step = np.nextafter(np.clip(single, -1e30, 1e30), np.float32(towards))
    moved = Parameters({**other, "threshold": step})
    graph = to_onnx_trees(run.problem.model, moved, space)
    with pytest.raises(ExportError, match="agree"):
        check_agreement(model, graph, space)


# Parameters that no training has made


@given(name=st.sampled_from(sorted(CASES.keys() - TREES)), seed=st.integers(0, 10_000))
@settings(max_examples=30)
def test_any_parameters_go_there_and_back_to_the_bit(name: str, seed: int) -> None:
    run, random = trained(name), np.random.default_rng(seed)
    changed = {
        field: np.asarray(values) * np.exp(random.normal(size=np.shape(values)) / 2)
        for field, values in run.state.parameters.items()
        # Counts and times have an order or a sum to keep.
        if field not in ("times", "count", "present")
    }
    parameters = Parameters({**run.state.parameters, **changed})
    space = run.problem.space
    model = run.problem.model.estimator(parameters, space, n_samples=99, n_iter=1)
    graph = to_onnx(model, space)
    assert check_agreement(model, graph, space) <= 1e-9
    again = load_estimator(dump_estimator(model))
    assert to_onnx(again, space) == graph
    rows = made_up_rows(space, gaps=not space.keeps_missing)
    for output in outputs_of(model):
        with np.errstate(over="ignore"):
            once, twice = (expected(each, output, rows) for each in (model, again))
        assert once.tobytes() == twice.tobytes()


# Files of somebody who signs and means harm


def harmed(graph: bytes, change: Callable[[Any], object]) -> bytes:
    model = onnx.load_model_from_string(graph)
    change(model)
    return bytes(model.SerializeToString())


def ensemble(model: Any) -> dict[str, Any]:
    node = next(node for node in model.graph.node if node.op_type == "TreeEnsemble")
    return {attribute.name: attribute for attribute in node.attribute}


def beside(model: Any) -> None:
    constant = next(node for node in model.graph.node if node.op_type == "Constant")
    tensor = constant.attribute[0].t
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    tensor.ClearField("raw_data")


def loop(model: Any) -> None:
    model.graph.node.append(onnx.helper.make_node("If", ["age"], ["x"]))


def foreign(model: Any) -> None:
    model.graph.node.append(onnx.helper.make_node("Cos", ["age"], ["x"], domain="elsewhere"))


def function(model: Any) -> None:
    made = onnx.helper.make_function("d", "f", ["x"], ["y"], [], [])
    model.functions.append(made)


def renamed(model: Any) -> None:
    model.graph.input[0].name = "weight"


def shaped(model: Any) -> None:
    kind, shape = onnx.TensorProto.DOUBLE, [None, 10**6]
    model.graph.value_info.append(onnx.helper.make_tensor_value_info("inner_9", kind, shape))


def wide(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1000


def loose(model: Any) -> None:
    # onnx's own inference of shapes reads memory that is not its own here.
    model.graph.node[2].input[0] = "nowhere"


def twice(model: Any) -> None:
    model.graph.node[-1].output[0] = model.graph.node[0].output[0]


def other_axis(model: Any) -> None:
    node = next(node for node in model.graph.node if node.op_type == "Concat")
    node.attribute[0].i = 7


def narrow(model: Any) -> None:
    product = next(node for node in model.graph.node if node.op_type == "MatMul")
    constant = next(node for node in model.graph.node if product.input[1] in node.output)
    tensor = onnx.numpy_helper.from_array(np.ones((2, 1)))
    constant.attribute[0].t.CopyFrom(tensor)


GRAPHS: dict[str, Callable[[Any], None]] = {
    "another file": beside,
    "a branch": loop,
    "a foreign operator": foreign,
    "a function": function,
    "another column": renamed,
    "a shape of its own": shaped,
    "a wide column": wide,
    "an input from nowhere": loose,
    "one name twice": twice,
    "another axis": other_axis,
    "fewer weights": narrow,
    "another output": lambda model: setattr(model.graph.output[1], "name", "scores"),
    "one output less": lambda model: model.graph.output.pop(),
    "an initialiser": lambda model: model.graph.initializer.append(
        onnx.numpy_helper.from_array(np.ones(1), "age")
    ),
    "another version": lambda model: setattr(model.opset_import[0], "version", 7),
}
FOREST: dict[str, Callable[[dict[str, Any]], object]] = {
    "a feature too many": lambda a: a["nodes_featureids"].ints.__setitem__(0, 10**6),
    "a feature below 0": lambda a: a["nodes_featureids"].ints.__setitem__(0, -1),
    "a child too many": lambda a: a["nodes_truenodeids"].ints.__setitem__(0, 10**9),
    "a circle": lambda a: a["nodes_truenodeids"].ints.__setitem__(0, 0),
    "a leaf too many": lambda a: (
        a["nodes_trueleafs"].ints.__setitem__(0, 1),
        a["nodes_truenodeids"].ints.__setitem__(0, 10**9),
    ),
    "a root too many": lambda a: a["tree_roots"].ints.__setitem__(0, 10**9),
    "a target too many": lambda a: a["leaf_targetids"].ints.__setitem__(0, 99),
    "fewer nodes": lambda a: a["nodes_falsenodeids"].ints.pop(),
    "fewer targets": lambda a: a["leaf_targetids"].ints.pop(),
    "another rule": lambda a: a["nodes_modes"].t.CopyFrom(
        onnx.helper.make_tensor("modes", 2, [1], [5])
    ),
}


@pytest.mark.parametrize("harm", GRAPHS)
def test_a_graph_of_other_parts_is_not_run(harm: str, exports: Any) -> None:
    exported = exports("logistic")
    check_graph(exported.graph, exported.manifest)
    with pytest.raises(ExportError, match=re.escape("model.onnx must be")):
        check_graph(harmed(exported.graph, GRAPHS[harm]), exported.manifest)


@pytest.mark.parametrize("harm", FOREST)
@pytest.mark.parametrize("name", ["forest, three classes", "boosting of numbers"])
def test_trees_that_lead_beside_their_arrays_are_not_run(
    name: str, harm: str, exports: Any
) -> None:
    exported = exports(name)
    graph = harmed(exported.graph, lambda model: FOREST[harm](ensemble(model)))
    with pytest.raises(ExportError, match="do not fit each other"):
        check_graph(graph, exported.manifest)


@given(
    name=st.sampled_from(sorted(CASES)), where=st.floats(0, 1, exclude_max=True), cut=st.booleans()
)
@settings(max_examples=100)
def test_damaged_bytes_give_an_export_error_or_a_graph_of_known_parts(
    name: str, where: float, cut: bool, exports: Any
) -> None:
    exported = exports(name)
    whole, place = exported.graph, int(where * len(exported.graph))
    bad = whole[:place] if cut else whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]
    with contextlib.suppress(ExportError):
        check_graph(bad, exported.manifest)
    if name not in TREES:
        data = (exported.folder / "model.skops").read_bytes()
        place = int(where * len(data))
        bad = data[:place] if cut else data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]
        with contextlib.suppress(ExportError):
            load_estimator(bad)


def node(kind: str, loader: str, **fields: Any) -> dict[str, Any]:
    module, _, name = kind.rpartition(".")
    return {"__module__": module, "__class__": name, "__loader__": loader, **fields}


NOTHING = node("builtins.dict", "DictNode", content={}, key_types=[])
PLANTED = {
    "a tree": node(
        "sklearn.tree._tree.Tree",
        "TreeNode",
        content=NOTHING,
        __reduce__={"args": node("builtins.tuple", "TupleNode", content=[])},
    ),
    "a forest": node(
        "sklearn.ensemble._forest.RandomForestClassifier", "ObjectNode", content=NOTHING
    ),
    "boosting": node(
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "ObjectNode",
        content=NOTHING,
    ),
    "a loss with arguments": node(
        "sklearn._loss._loss.CyHalfPoissonLoss",
        "LossNode",
        content=NOTHING,
        __reduce__={
            "args": node("builtins.tuple", "TupleNode", content=[node("builtins.str", "TypeNode")])
        },
    ),
    "a function": node("os.system", "FunctionNode", content=NOTHING),
    "an object by another way": node(
        "sklearn.svm._classes.LinearSVC", "OperatorFuncNode", content=NOTHING
    ),
}


def planted(data: bytes, part: dict[str, Any]) -> bytes:
    source, packed = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name in source.namelist():
            content = source.read(name)
            if name == "schema.json":
                description = json.loads(content)
                description["content"]["content"]["memory"] = part
                content = json.dumps(description).encode()
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize("what", PLANTED)
def test_an_archive_with_more_than_is_needed_is_not_read(what: str, exports: Any) -> None:
    data = (exports("Poisson").folder / "model.skops").read_bytes()
    with pytest.raises(ExportError, match=re.escape("model.skops must hold")):
        load_estimator(planted(data, PLANTED[what]))


@pytest.mark.parametrize(
    "harm",
    [
        lambda final: setattr(final, "cluster_centers_", final.cluster_centers_[:, :1].copy()),
        lambda final: setattr(final, "cluster_centers_", final.cluster_centers_[:0]),
        lambda final: setattr(final, "cluster_centers_", final.cluster_centers_.astype("f4")),
        lambda final: setattr(final, "cluster_centers_", "none"),
        lambda final: setattr(final, "n_features_in_", 900),
        lambda final: setattr(final, "_n_threads", 100_000),
    ],
)
def test_centres_that_do_not_fit_the_columns_are_not_read(harm: Any) -> None:
    model = train(CASES["clusters"]).model
    harm(model[-1])
    with pytest.raises(ExportError, match="does not fit itself"):
        load_estimator(skops_bytes(model))


def spread(encoder: Any) -> None:
    encoder._n_features_outs = [1]


def led_astray(encoder: Any) -> None:
    encoder._default_to_infrequent_mappings[0] = np.array([0, 1, 1, 900_000_000])


def out_of_place(encoder: Any) -> None:
    encoder._infrequent_indices[0] = np.array([1, 2, 30])


def longer(encoder: Any) -> None:
    encoder.categories_[0] = np.array([*encoder.categories_[0], "more"], dtype=object)


def dropping(encoder: Any) -> None:
    encoder._drop_idx_after_grouping = np.array([-(10**9)], dtype=object)


@pytest.mark.parametrize("harm", [spread, led_astray, out_of_place, longer, dropping])
def test_categories_that_lead_beside_their_columns_are_not_read(harm: Any) -> None:
    model = train(CASES["logistic"]).model
    load_estimator(skops_bytes(model))
    harm(model[0].named_transformers_["categories"][-1])
    with pytest.raises(ExportError, match="does not fit itself"):
        load_estimator(skops_bytes(model))


def skops_bytes(model: Any) -> bytes:
    """As `dump_estimator` writes, without its last look."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fedlab.export.estimators.load_estimator", lambda data: None)
        return dump_estimator(model)


@pytest.mark.parametrize("name", sorted(CASES.keys() - TREES))
def test_skops_alone_reads_every_estimator(name: str, exports: Any) -> None:
    path = exports(name).folder / "model.skops"
    trusted = ["fedlab.core.cox_estimator.CoxEstimator", "numpy.dtype"]
    assert set(skops.io.get_untrusted_types(file=path)) <= set(trusted)
    rows = patients(50)[FEATURES]
    output = exports(name).manifest.outputs[0]
    found = expected(skops.io.load(path, trusted=trusted), output, rows)
    assert (found == expected(trained(name).model, output, rows)).all()


def test_an_estimator_cannot_be_left_out_of_what_was_signed(exports: Any, tmp_path: Path) -> None:
    for name, word in (("ridge", "model.skops"), ("forest", "also holds 'model.skops'")):
        copy = Path(shutil.copytree(exports(name).folder, tmp_path / name))
        if name == "ridge":
            (copy / "model.skops").unlink()
        else:
            shutil.copy(exports("ridge").folder / "model.skops", copy)
        with pytest.raises(ExportError, match=re.escape(word)):
            load(copy)
