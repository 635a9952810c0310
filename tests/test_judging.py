"""Models judged over sites say what scikit-learn says of the pooled rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    mean_absolute_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
    root_mean_squared_error,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

import fedlab as fl
from fedlab.core.foreign import digest_of
from fedlab.errors import DataError, ExportError, PrivacyError, RefusedError, TrainingError
from fedlab.evaluation import ALL_SITES
from fedlab.judging import Judgement
from fedlab.judging.models import as_file
from fedlab.privacy import RecordDP
from fedlab.privacy.secure.signatures import Identity
from fedlab.queries.judge_scores import edges_of
from fedlab.site.approval import Approval
from fedlab.training import Training
from tests.builders import deal, table

FRAME = table(700, seed=3)
SIZES = [300, 400]
TRAINING = table(300, seed=8)
X_Y = FRAME.drop(columns="died"), FRAME["died"].to_numpy()
NUMBERS = ["age", "lab", "smoker"]


def federation(sizes: Sequence[int] = tuple(SIZES), **options: Any) -> fl.Federation:
    """Sites of the table."""
    return fl.Federation(deal(FRAME, sizes, **options), seed=5)


@pytest.fixture(scope="module")
def run() -> Training:
    """A model of the federation's own."""
    trained = federation().train(fl.LogisticRegression(C=0.1))
    trained.run(3, progress=False)
    return trained


def text_pipeline(estimator: Any) -> Any:
    """Numbers with gaps filled, and a category as text."""
    columns = make_column_transformer(
        (SimpleImputer(), ["age", "lab"]),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["ward"]),
    )
    texts = TRAINING.assign(ward=TRAINING["ward"].astype(object))
    return make_pipeline(columns, estimator).fit(
        texts.drop(columns=["died", "smoker"]), TRAINING["died"]
    )


def as_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as the pipeline takes it."""
    return frame.assign(ward=frame["ward"].astype(object))


def vendor(*, zipmap: bool = False, sigmoid: bool = True) -> bytes:
    """An ONNX file made by hand: one matrix in, one score or a mapping of classes out."""
    weights = np.array([[0.04], [0.8]])
    nodes = [
        helper.make_node("Cast", ["x"], ["d"], to=TensorProto.DOUBLE),
        helper.make_node("IsNaN", ["d"], ["gap"]),
        helper.make_node("Where", ["gap", "zero", "d"], ["whole"]),
        helper.make_node("MatMul", ["whole", "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["margin"]),
    ]
    arrays = {"w": weights, "b": np.array([-2.4]), "zero": np.array(0.0)}
    outputs = []
    if zipmap:
        nodes += [
            helper.make_node("Sigmoid", ["margin"], ["one"]),
            helper.make_node("Sub", ["unit", "one"], ["other"]),
            helper.make_node("Concat", ["other", "one"], ["both"], axis=1),
            helper.make_node("Cast", ["both"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node(
                "ZipMap", ["floats"], ["risk"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]
            ),
        ]
        arrays["unit"] = np.array([1.0])
        kind = helper.make_sequence_type_proto(
            helper.make_map_type_proto(
                TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
            )
        )
        outputs = [helper.make_value_info("risk", kind)]
    else:
        nodes.append(helper.make_node("Sigmoid" if sigmoid else "Identity", ["margin"], ["risk"]))
        outputs = [helper.make_tensor_value_info("risk", TensorProto.DOUBLE, [None, 1])]
    graph = helper.make_graph(
        nodes,
        "vendor",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 2])],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    return data


def vendors_scores(frame: pd.DataFrame) -> Any:
    """What the file above says, by hand."""
    x = np.nan_to_num(frame[["age", "lab"]].to_numpy(float))
    return 1 / (1 + np.exp(-(x @ [0.04, 0.8] - 2.4)))


def check(
    judged: Judgement, y: Any, scores: Any, *, threshold: float = 0.5, bins: int = 100
) -> None:
    """Hold every figure against scikit-learn on the pooled rows."""
    line = judged.frame.iloc[0]
    called = (scores > threshold).astype(int)
    odds = threshold / (1 - threshold)
    true, false = ((called == 1) & (y == 1)).mean(), ((called == 1) & (y == 0)).mean()
    wanted = {
        "rows": len(y),
        "prevalence": y.mean(),
        "selection_rate": called.mean(),
        "accuracy": accuracy_score(y, called),
        "balanced_accuracy": balanced_accuracy_score(y, called),
        "sensitivity": recall_score(y, called),
        "specificity": recall_score(y, called, pos_label=0),
        "ppv": precision_score(y, called),
        "npv": precision_score(y, called, pos_label=0),
        "f1": f1_score(y, called),
        "net_benefit": true - odds * false,
        "brier": brier_score_loss(y, scores),
        "log_loss": log_loss(y, scores),
        "calibration_in_the_large": scores.mean() - y.mean(),
    }
    edges = edges_of(bins, threshold)
    places = np.searchsorted(edges[1:-1], scores, side="left")
    # The same on scores of which those of one bin are equal.
    wanted["auc"] = roc_auc_score(y, places)
    wanted["average_precision"] = average_precision_score(y, places)
    for name, value in wanted.items():
        assert line[name] == pytest.approx(value, abs=1e-8), name
    assert line["unknown_rows"] == 0
    whole = judged.intervals.query("group == 'everybody'").set_index("figure")
    for name, value in (
        ("auc", roc_auc_score(y, scores)),
        ("average_precision", average_precision_score(y, scores)),
    ):
        assert whole["low"][name] - 1e-12 <= value <= whole["high"][name] + 1e-12
        assert whole["high"][name] - whole["low"][name] < 0.1
    np.testing.assert_array_equal(judged.confusion, confusion_matrix(y, called))


def test_our_own_run_equals_the_pooled_rows(run: Training) -> None:
    judged = federation().evaluate(run, threshold=0.3, bins=50)
    check(judged, X_Y[1], run.model.predict_proba(X_Y[0])[:, 1], threshold=0.3, bins=50)


def test_an_exported_folder_equals_the_run(run: Training, tmp_path: Any) -> None:
    exported = run.export(tmp_path / "model")
    one, other = (federation().evaluate(each) for each in (exported, tmp_path / "model"))
    check(one, X_Y[1], run.model.predict_proba(X_Y[0])[:, 1])
    assert one.digest == other.digest == digest_of((tmp_path / "model/model.onnx").read_bytes())


def test_a_pipeline_that_reads_text_equals_the_pooled_rows() -> None:
    pipeline = text_pipeline(LogisticRegression(max_iter=1000))
    judged = federation((700,)).evaluate(pipeline, name="logit")
    check(judged, X_Y[1], pipeline.predict_proba(as_texts(X_Y[0]))[:, 1])
    assert judged.name == "logit"


def test_boosted_trees_of_scikit_learn_equal_the_pooled_rows_by_site_and_subgroup() -> None:
    trees = HistGradientBoostingClassifier(max_iter=5).fit(TRAINING[NUMBERS], TRAINING["died"])
    fed = federation()
    judged = fed.evaluate(trees, by={"ward": None, "age": [0, 55, 120]})
    scores = trees.predict_proba(FRAME[NUMBERS])[:, 1]
    check(judged, X_Y[1], scores)
    young = (FRAME["age"] < 55).to_numpy()
    groups = {
        "ward: south": (FRAME["ward"] == "south").to_numpy(),
        "ward: missing": FRAME["ward"].isna().to_numpy(),
        "age: 0 to 55": young,
        "age: 55 to 120": ~young,
    }
    for label, mine in groups.items():
        line: Any = judged.frame.loc[label]
        assert line["rows"] == mine.sum()
        assert line["brier"] == pytest.approx(brier_score_loss(X_Y[1][mine], scores[mine]))
        assert line["sensitivity"] == pytest.approx(recall_score(X_Y[1][mine], scores[mine] > 0.5))
    ends = np.cumsum([0, *SIZES])
    for place, site in enumerate(fed.sites):
        part = slice(ends[place], ends[place + 1])
        line = judged.by_site.loc[(site, "everybody")]
        assert line["rows"] == SIZES[place]
        assert line["accuracy"] == pytest.approx(accuracy_score(X_Y[1][part], scores[part] > 0.5))
    gap: Any = judged.gaps.query("figure == 'sensitivity' and factor == 'age'").iloc[0]
    assert gap["gap"] == pytest.approx(
        judged.frame["sensitivity"][f"age: {gap['level']}"]
        - judged.frame["sensitivity"][f"age: {gap['reference']}"]
    )
    assert gap["lower"] < gap["gap"] < gap["upper"]


@pytest.mark.parametrize("zipmap", [False, True], ids=["one score", "a mapping"])
def test_a_graph_made_by_hand_equals_the_pooled_rows(zipmap: bool) -> None:
    judged = federation().evaluate(vendor(zipmap=zipmap), columns=["age", "lab"])
    scores = vendors_scores(FRAME)
    if zipmap:
        scores = scores.astype(np.float32).astype(float)
    check(judged, X_Y[1], scores)


def test_log_odds_become_probabilities_where_the_analyst_says_so() -> None:
    file = vendor(sigmoid=False)
    judged = federation().evaluate(file, columns=["age", "lab"], score="logit")
    check(judged, X_Y[1], vendors_scores(FRAME))


def test_a_margin_ranks_and_is_not_calibrated() -> None:
    machine = LinearSVC().fit(TRAINING[["age", "smoker"]], TRAINING["died"])
    judged = federation((700,)).evaluate(machine, bins=1000)
    margin = machine.decision_function(FRAME[["age", "smoker"]])
    line = judged.frame.iloc[0]
    assert line["accuracy"] == pytest.approx(accuracy_score(X_Y[1], margin > 0))
    assert line["auc"] == pytest.approx(roc_auc_score(X_Y[1], margin), abs=2e-3)
    assert "brier" not in judged.frame
    assert any("no probabilities" in note for note in judged.notes)
    with pytest.raises(DataError, match="needs probabilities"):
        judged.plot("calibration")


def many(n_rows: int = 400) -> pd.DataFrame:
    """Three classes, declared in another order than sorted."""
    frame = table(n_rows, seed=4, gaps=False).drop(columns=["died"])
    stage = pd.cut(
        frame["age"] + 4 * frame["lab"], [-999, 55, 65, 999], labels=["well", "ill", "bad"]
    )
    return frame.assign(stage=pd.Categorical(stage.astype(str), ["well", "ill", "bad"]))


def test_many_classes_equal_the_pooled_rows() -> None:
    frame = many()
    fed = fl.Federation(deal(frame, [400], target="stage"))
    model = LogisticRegression(max_iter=1000).fit(
        frame[["age", "smoker"]], frame["stage"].astype(str)
    )
    judged = fed.evaluate(model, by="ward")
    y, called = frame["stage"].astype(str), model.predict(frame[["age", "smoker"]])
    line = judged.frame.iloc[0]
    assert line["accuracy"] == pytest.approx(accuracy_score(y, called), abs=1e-12)
    assert line["macro_f1"] == pytest.approx(f1_score(y, called, average="macro"), abs=1e-12)
    assert line["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(y, called), abs=1e-12)
    probabilities = model.predict_proba(frame[["age", "smoker"]])
    assert line["log_loss"] == pytest.approx(log_loss(y, probabilities), abs=1e-8)
    order = ["well", "ill", "bad"]
    np.testing.assert_array_equal(judged.confusion, confusion_matrix(y, called, labels=order))
    south = (frame["ward"] == "south").to_numpy()
    assert judged.frame.loc["ward: south", "accuracy"] == pytest.approx(
        accuracy_score(y[south], called[south])
    )
    assert judged.plot().data


def test_many_classes_of_our_own_model_equal_the_pooled_rows() -> None:
    frame = many()
    fed = fl.Federation(deal(frame, [150, 250], target="stage", ranges={}))
    run = fed.train(fl.GaussianNB())
    run.run(1, progress=False)
    judged = fed.evaluate(run)
    called = run.model.predict(frame.drop(columns="stage"))
    assert judged.frame["accuracy"].iloc[0] == accuracy_score(frame["stage"].astype(str), called)


@pytest.mark.parametrize("ours", [True, False], ids=["our own", "scikit-learn's"])
def test_a_predicted_number_equals_the_pooled_rows(ours: bool) -> None:
    frame = table(400, seed=4, gaps=False).drop(columns=["died", "ward"])
    frame["lab"] += 1e4 + 0.1 * frame["age"]
    fed = fl.Federation(deal(frame, [150, 250] if ours else [400], target="lab", ranges={}))
    features, y = frame[["age", "smoker"]], frame["lab"]
    if ours:
        model: Any = fed.train(fl.Ridge())
        model.run(1, progress=False)
        predicted = model.model.predict(features)
    else:
        model = RandomForestRegressor(n_estimators=3, random_state=0).fit(features, y + 1)
        predicted = model.predict(features)
    line = fed.evaluate(model).frame.iloc[0]
    assert line["mae"] == pytest.approx(mean_absolute_error(y, predicted), abs=1e-8)
    assert line["rmse"] == pytest.approx(root_mean_squared_error(y, predicted), abs=1e-8)
    assert line["r2"] == pytest.approx(r2_score(y, predicted), abs=1e-8)
    assert line["bias"] == pytest.approx((predicted - y).mean(), abs=1e-8)


def test_only_rows_that_are_asked_about_are_judged() -> None:
    judged = federation().evaluate(vendor(), columns=["age", "lab"], where={"age": (50, 70)})
    mine = FRAME["age"].between(50, 70, inclusive="left").to_numpy()
    check(judged, X_Y[1][mine], vendors_scores(FRAME[mine]))
    assert "conditions on age" in judged.notes[-1]


def test_a_split_is_judged_alone() -> None:
    fed = federation(test_size=0.3)
    counts = [
        fed.evaluate(vendor(), columns=["age", "lab"], split=split, bootstrap=0)
        .frame["rows"]
        .iloc[0]
        for split in ("train", "test", "all")
    ]
    assert counts[0] + counts[1] == counts[2] == len(FRAME)


def test_results_do_not_depend_on_the_order_of_sites() -> None:
    sites = deal(FRAME, SIZES)
    frames = [
        fl.Federation(each, seed=5).evaluate(vendor(), columns=["age", "lab"]).intervals
        for each in (sites, sites[::-1])
    ]
    pd.testing.assert_frame_equal(frames[0], frames[1], check_exact=True)


def test_a_secure_sum_gives_the_same_figures_and_no_single_site() -> None:
    options: dict[str, Any] = {"columns": ["age", "lab"], "by": "ward"}
    three = (200, 200, 300)
    plain = federation(three).evaluate(vendor(), **options)
    secure = federation(three, policy=fl.Policy(minimum_rows=1, reveal=False)).evaluate(
        vendor(), aggregation="secure", **options
    )
    assert secure.sites == ()
    assert secure.by_site.empty
    figures = plain.frame.drop(columns="status")
    np.testing.assert_allclose(secure.frame.drop(columns="status"), figures, atol=1e-8)


def test_under_privacy_counts_have_noise_and_the_ledger_is_charged() -> None:
    policy = fl.Policy(epsilon=5.0, minimum_rows=11)
    sites = deal(FRAME, SIZES, policy=policy)
    fed = fl.Federation(sites)
    privacy = RecordDP(epsilon=2.0, delta=1e-5)
    judged = fed.evaluate(vendor(), columns=["age", "lab"], by="ward", privacy=privacy)
    line = judged.frame.iloc[0]
    scores = vendors_scores(FRAME)
    assert line["auc"] == pytest.approx(roc_auc_score(X_Y[1], scores), abs=0.1)
    assert line["accuracy"] == pytest.approx(accuracy_score(X_Y[1], scores > 0.5), abs=0.1)
    assert line["rows"] != len(FRAME)
    assert len(judged.edges) == 11
    for site in sites:
        entries = site.ledger.frame
        assert list(entries["query"]) == ["JudgeScores"]
        assert entries["noise_multiplier"].notna().all()
    assert any("noise included" in note for note in judged.notes)
    with pytest.raises(TrainingError, match="answers only with noise"):
        fed.evaluate(vendor(), columns=["age", "lab"])
    of_sites: Any = fl.SiteDP(epsilon=1.0, delta=1e-3)
    with pytest.raises(PrivacyError, match="promise about records"):
        fed.evaluate(vendor(), columns=["age", "lab"], privacy=of_sites)


def test_a_site_that_tells_no_single_values_bounds_the_brier_score() -> None:
    fed = federation(policy=fl.Policy(minimum_rows=1, single_values=False))
    judged = fed.evaluate(vendor(), columns=["age", "lab"])
    whole = judged.intervals.query("group == 'everybody'").set_index("figure")
    value = brier_score_loss(X_Y[1], vendors_scores(FRAME))
    assert whole["low"]["brier"] <= value <= whole["high"]["brier"]
    assert whole["estimate"]["brier"] == pytest.approx(value, abs=5e-3)
    assert "log_loss" not in judged.frame
    assert set(judged.silent) == set(fed.sites)


def test_a_site_runs_a_model_once_its_owner_has_approved_the_file() -> None:
    owner = Identity.fresh()
    careful = fl.Policy(minimum_rows=1, approval=True, owners={"lee": owner.public.hex()})
    sites = deal(FRAME, SIZES)
    sites[0] = fl.Site("s00", FRAME.iloc[: SIZES[0]], target="died", test_size=0.0, policy=careful)
    fed = fl.Federation(sites)
    file = vendor()
    options: dict[str, Any] = {"columns": ["age", "lab"], "bootstrap": 0}
    judged = fed.evaluate(file, **options)
    assert judged.awaiting == ("s00",)
    assert judged.answering == 1
    assert "Awaiting approval by site 's00'." in judged.notes

    def approve(digest: str) -> None:
        wish = Approval(site="s00", owner="lee", expires=date(2999, 1, 1), model=digest)
        sites[0].approve(wish.signed(owner))

    approve(digest_of(file + b"\x00"))
    assert fed.evaluate(file, **options).awaiting == ("s00",)
    approve(judged.digest)
    assert fed.evaluate(file, **options).awaiting == ()
    # Another file is another model.
    assert fed.evaluate(vendor(zipmap=True), **options).awaiting == ("s00",)


UNCLEAR: dict[str, tuple[Any, dict[str, Any], str]] = {
    "columns of a matrix": (vendor(), {}, "columns=\\['age', 'lab'"),
    "too few columns": (vendor(), {"columns": ["age"]}, "name the 2 columns"),
    "a column that is not there": (vendor(), {"columns": ["age", "height"]}, "'height'"),
    "a category as a number": (vendor(), {"columns": ["age", "ward"]}, "ward=north"),
    "a single score": (vendor(sigmoid=False), {"columns": ["age", "lab"]}, "score='probability'"),
    "an output that is not there": (
        vendor(), {"columns": ["age", "lab"], "output": "p"}, "Choose from 'risk'",
    ),
    "a score that is none": (vendor(), {"columns": ["age", "lab"], "score": "odds"}, "'odds'"),
    "a number for classes": (
        vendor(), {"columns": ["age", "lab"], "score": "number"}, "classes or a number",
    ),
    "other classes": (
        vendor(zipmap=True), {"columns": ["age", "lab"], "classes": ["no", "yes"]}, "2 classes",
    ),
    "no fitted model": (LogisticRegression(), {}, "must be fitted"),
    "no model": (42, {}, "fitted scikit-learn estimator"),
    "no file": ("nowhere.onnx", {}, "FileNotFoundError"),
    "a threshold of 1": (vendor(), {"threshold": 1.0}, "threshold must be"),
    "bins of 1": (vendor(), {"bins": 1}, "bins must be"),
    "a strange split": (vendor(), {"split": "both"}, "split must be"),
    "too much bootstrap": (vendor(), {"bootstrap": -1}, "bootstrap must be"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(UNCLEAR))
def test_what_is_left_open_is_an_error_with_the_remedy(case: str) -> None:
    model, options, remedy = UNCLEAR[case]
    with pytest.raises(DataError, match=remedy):
        federation().evaluate(model, **options)


def test_a_category_enters_a_matrix_as_an_indicator() -> None:
    judged = federation().evaluate(vendor(), columns=["age", "ward=south"], bootstrap=0)
    x = np.column_stack([FRAME["age"], FRAME["ward"].astype(object) == "south"]).astype(float)
    scores = 1 / (1 + np.exp(-(x @ [0.04, 0.8] - 2.4)))
    assert judged.frame["accuracy"].iloc[0] == accuracy_score(X_Y[1], scores > 0.5)


def test_the_order_of_probabilities_must_be_known() -> None:
    frame = FRAME.assign(
        died=pd.Categorical(np.where(X_Y[1] == 1, "dead", "alive"), ["dead", "alive"])
    )
    fed = fl.Federation(deal(frame, SIZES))
    both = helper.make_graph(
        [helper.make_node("Softmax", ["x"], ["p"], axis=1)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 2])],
        [helper.make_tensor_value_info("p", TensorProto.DOUBLE, [None, 2])],
    )
    file = helper.make_model(
        both, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    ).SerializeToString()
    with pytest.raises(DataError, match="classes="):
        fed.evaluate(file, columns=["smoker", "smoker"])
    found = [
        fed.evaluate(file, columns=["smoker", "age"], classes=each, bootstrap=0).frame.iloc[0]
        for each in (["alive", "dead"], ["dead", "alive"])
    ]
    assert found[0]["selection_rate"] == pytest.approx(1 - found[1]["selection_rate"])


def test_rows_that_a_model_cannot_score_are_a_refusal_without_values() -> None:
    model = LogisticRegression().fit(TRAINING[["age", "smoker"]], TRAINING["died"])
    with pytest.raises(TrainingError) as caught:
        federation().evaluate(vendor(sigmoid=False), columns=["age", "lab"], score="probability")
    assert "Probabilities are from 0 to 1" in str(caught.value)
    gaps = make_pipeline(LogisticRegression()).fit(
        TRAINING[["age", "lab"]].fillna(0), TRAINING["died"]
    )
    with pytest.raises(TrainingError, match="error of its own") as caught:
        federation((700,)).evaluate(gaps)
    values = FRAME["lab"].dropna().round(3).astype(str)
    assert not any(value in str(caught.value) for value in values if len(value) > 4)
    assert as_file(model).digest == as_file(model).digest


def test_a_file_that_is_not_run_is_an_error_before_it_travels() -> None:
    with pytest.raises(RefusedError, match="model file must be ONNX"):
        federation().evaluate(b"nothing")


def test_a_time_until_an_event_is_not_judged_here() -> None:
    frame = table(60, gaps=False).assign(time=np.arange(1.0, 61.0))
    sites = deal(frame, [60], target="time", event="died")
    with pytest.raises(DataError, match="time until 'died'"):
        fl.Federation(sites).evaluate(vendor(), columns=["age", "lab"])


def test_runs_are_judged_on_their_held_out_rows_as_before(run: Training) -> None:
    fed = federation(test_size=0.3)
    trained = fed.train(fl.LogisticRegression())
    trained.run(2, progress=False)
    assert list(trained.evaluate().frame.index) == [*fed.sites, ALL_SITES]


def test_an_export_error_is_not_hidden(tmp_path: Any) -> None:
    (tmp_path / "not an export").mkdir()
    with pytest.raises(ExportError):
        federation().evaluate(tmp_path / "not an export")


def test_what_blocks_leave_wide_open_is_no_estimate_and_every_note_says_so() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{place}": random.random(90) for place in range(4)})
    frame["died"] = (frame["x0"] + random.normal(0, 0.3, 90) > 0.5).astype(int)
    fed = fl.Federation(deal(frame, [90], ranges={}, policy=fl.Policy(error_sums=True)), seed=5)
    scores = [
        fed.evaluate(score(name), score="probability", bootstrap=20, name=name)
        for name in ("x1", "x2", "x3", "x0")
    ]
    last = scores[-1]
    line = last.intervals.set_index("figure").loc["auc"]
    true = roc_auc_score(frame["died"], frame["x0"])
    assert line["low"] <= true <= line["high"]
    assert line["high"] - line["low"] > 0.3
    assert np.isnan(line["estimate"])
    assert np.isnan(line["lower"])
    assert "calibration_error" not in last.frame
    told = next(note for note in last.notes if "for certain" in note)
    for name in ("AUC", "sensitivity", "accuracy"):
        assert name in told
    assert any("has no estimate" in note and "AUC" in note for note in last.notes)


def score(name: str) -> bytes:
    """An ONNX file whose score is a column."""
    graph = helper.make_graph(
        [helper.make_node("Identity", [name], ["risk"])],
        "g",
        [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor_value_info("risk", TensorProto.DOUBLE, [None, 1])],
    )
    opsets = [helper.make_opsetid("", 17)]
    data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    return data


def test_classes_of_a_subgroup_that_are_mostly_suppressed_have_no_estimate() -> None:
    frame = many(600)
    fed = fl.Federation(deal(frame, [300, 300], target="stage", policy=fl.Policy()))
    noise = np.random.default_rng(1).normal(0, 15, 600)
    model = LogisticRegression(max_iter=1000).fit(
        frame[["age", "smoker"]].assign(age=frame["age"] + noise), frame["stage"].astype(str)
    )
    judged = fed.evaluate(model, by="ward")
    called = model.predict(frame[["age", "smoker"]])
    for group, known in zip(judged.groups, judged.judged[ALL_SITES], strict=True):
        if known.sites == 0 or group.level in ("missing", "unmapped"):
            continue
        mine = (frame["ward"] == group.level).to_numpy() | (not group.factor)
        line = known.lines["accuracy"]
        true = accuracy_score(frame["stage"].astype(str)[mine], called[mine])
        assert line.low <= true <= line.high
        if known.unknown > 0.1 * known.rows:
            # What is told is not a sample of the group: few errors of a kind are suppressed first.
            assert np.isnan(line.estimate)
            assert np.isnan(known.lines["macro_f1"].estimate)
    assert any(each.unknown > 0.1 * each.rows for each in judged.judged[ALL_SITES])


def test_a_figure_that_is_left_open_keeps_its_column() -> None:
    frame = fl.datasets.three_hospitals_table().drop(columns=["patient", "hospital"])[:400]
    fed = fl.Federation([fl.Site("mercy", frame, target="died")], seed=7)
    run = fed.train(fl.LogisticRegression())
    run.run(4, progress=False)
    judged = fed.evaluate(run)
    line = judged.intervals.set_index("figure").loc["auc"]
    assert line["high"] - line["low"] > 0.3
    assert np.isnan(judged.frame["auc"]).all()
