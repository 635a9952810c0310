"""Model files from anywhere: what is run, what is not, and what is killed at its limit."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import onnx
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from sklearn.decomposition import NMF
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import fedlab as fl
from fedlab.core import child
from fedlab.core.child import inspect_model, run_model
from fedlab.core.foreign import Feed, ModelLimits, Part, Plan
from fedlab.core.foreign_onnx import OPERATORS, check_graph
from fedlab.core.foreign_outputs import StrangeFileError
from fedlab.core.foreign_skops import open_estimator
from fedlab.core.foreign_trees import trees_are_sound
from fedlab.errors import PrivacyError, RefusedError
from fedlab.queries.judge_scores import JudgeScores
from tests.builders import ask, deal, numeric

SHORT = ModelLimits(seconds=20, cpu_seconds=10, memory=512 << 20)
X = Feed(name="x", parts=(Part(column="a"), Part(column="b")))
SCORE = Plan(feeds=(X,), output="y", reads="probability")
ROWS = np.array([[0.5, -1.0], [2.0, 0.25], [-1.0, 3.0]])


def graph(
    nodes: list[Any],
    *,
    arrays: dict[str, Any] | None = None,
    rows: int | None = None,
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
) -> Any:
    """A model of a matrix of two columns `x` that gives `y`."""
    made = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", kind, [rows, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in (arrays or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9)


def packed(model: Any) -> bytes:
    """Its bytes."""
    data: bytes = model.SerializeToString()
    return data


WEIGHTS = {"w": np.array([[1.0], [2.0]], np.float32)}
LINEAR = [
    helper.make_node("MatMul", ["x", "w"], ["m"]),
    helper.make_node("Sigmoid", ["m"], ["y"]),
]


def huge(kind: str) -> bytes:
    """A small file that asks for gigabytes."""
    size = np.array([1 << 14, 1 << 14], np.int64)
    nodes = {
        "Expand": [
            helper.make_node("ReduceMean", ["x"], ["m"], keepdims=0),
            helper.make_node("Expand", ["m", "size"], ["y"]),
        ],
        "Tile": [helper.make_node("Tile", ["x", "size"], ["y"])],
        "ConstantOfShape": [helper.make_node("ConstantOfShape", ["size"], ["y"])],
    }
    return packed(graph(nodes[kind], arrays={"size": size}))


def external() -> bytes:
    """A graph whose weights are in another file."""
    model = graph(LINEAR, arrays=WEIGHTS)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")
    return packed(model)


def looping() -> bytes:
    """A loop that does not end."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["v"], ["u"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("u", TensorProto.FLOAT, None),
        ],
    )
    yes = {"yes": np.array(True)}
    return packed(graph([helper.make_node("Loop", ["", "yes", "x"], ["y"], body=body)], arrays=yes))


def slow() -> bytes:
    """Products of matrices, one after the other, for hours."""
    nodes, last = [helper.make_node("MatMul", ["big", "big"], ["p0"])], "p0"
    for step in range(1, 2000):
        nodes.append(helper.make_node("MatMul", [last, "big"], [f"p{step}"]))
        last = f"p{step}"
    nodes.append(helper.make_node("ReduceMean", [last], ["y"], keepdims=0))
    shape = [helper.make_node("ConstantOfShape", ["size"], ["big"])]
    return packed(graph([*shape, *nodes], arrays={"size": np.array([1500, 1500], np.int64)}))


def deep() -> bytes:
    """A graph of another domain."""
    return packed(graph([helper.make_node("Magic", ["x"], ["y"], domain="com.vendor")]))


def random() -> bytes:
    """A graph that draws numbers."""
    return packed(graph([helper.make_node("RandomUniformLike", ["x"], ["y"])]))


def branch() -> bytes:
    """A choice between graphs."""
    inner = helper.make_graph([], "g", [], [])
    node = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    return packed(graph([node]))


def functions() -> bytes:
    """A graph with functions of its own."""
    model = graph(LINEAR, arrays=WEIGHTS)
    model.functions.append(
        helper.make_function("local", "F", ["a"], ["b"], [helper.make_node("Abs", ["a"], ["b"])],
                             [helper.make_opsetid("", 17)])
    )  # fmt: skip
    return packed(model)


STRANGE = {
    "external data": (external, "other files"),
    "a loop": (looping, "'ai.onnx.Loop'"),
    "a branch": (branch, "'ai.onnx.If'"),
    "another domain": (deep, "'com.vendor.Magic'"),
    "random numbers": (random, "'ai.onnx.RandomUniformLike'"),
    "functions": (functions, "functions"),
    "a newer version": (lambda: packed(graph(LINEAR, arrays=WEIGHTS, opset=999)), "version 999"),
    "an old version": (lambda: packed(graph(LINEAR, arrays=WEIGHTS, opset=6)), "version 6"),
    "cut bytes": (lambda: packed(graph(LINEAR, arrays=WEIGHTS))[:60], "no ONNX"),
    "nothing": (lambda: b"", "no ONNX"),
    "text": (lambda: b"hello", "no ONNX"),
    "an empty archive": (lambda: b"PK\x05\x06" + bytes(18), "not skops"),
    "a broken archive": (lambda: b"PK\x03\x04", "no archive"),
}


@pytest.mark.parametrize("case", list(STRANGE))
def test_a_file_that_is_not_run_is_refused_with_the_reason(case: str) -> None:
    make, reason = STRANGE[case]
    file = make()
    with pytest.raises(StrangeFileError, match=reason):
        open_estimator(file, None) if file.startswith(b"PK") else check_graph(file)


def test_a_refusal_of_a_file_has_its_code_and_reason_outside_of_the_process_too() -> None:
    with pytest.raises(RefusedError, match="Loop") as caught:
        inspect_model(looping(), SHORT)
    assert caught.value.code == "model"


def test_a_file_over_the_size_is_refused_before_a_process_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    with pytest.raises(RefusedError, match="may have 10 bytes") as caught:
        inspect_model(bytes(11), ModelLimits(file_bytes=10))
    assert caught.value.code == "model"


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_refused_in_words_or_are_a_graph(data: bytes) -> None:
    with pytest.raises(StrangeFileError):
        check_graph(data)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_graph_with_changed_bytes_is_refused_in_words_or_looked_at(data: st.DataObject) -> None:
    whole = bytearray(packed(graph(LINEAR, arrays=WEIGHTS)))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        seen = check_graph(bytes(whole))
    except StrangeFileError:
        return
    assert set(seen.operators) <= set.union(*map(set, OPERATORS.values()))


def test_a_graph_runs_in_the_process_and_gives_what_it_says() -> None:
    found = run_model(packed(graph(LINEAR, arrays=WEIGHTS)), SCORE, [ROWS], 3, SHORT)
    wanted = 1 / (1 + np.exp(-(ROWS.astype(np.float32) @ WEIGHTS["w"])))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("kind", ["Expand", "Tile", "ConstantOfShape"])
def test_a_graph_that_would_eat_memory_is_stopped_at_its_limit(kind: str) -> None:
    with pytest.raises(RefusedError, match="limit of its memory") as caught:
        run_model(huge(kind), SCORE, [ROWS], 3, SHORT)
    assert caught.value.code == "limits"


def test_a_graph_that_computes_too_long_is_killed_by_the_clock() -> None:
    begun = time.monotonic()
    with pytest.raises(RefusedError, match="limit of its time") as caught:
        run_model(slow(), SCORE, [ROWS], 3, ModelLimits(seconds=2, cpu_seconds=60))
    assert caught.value.code == "limits"
    assert time.monotonic() - begun < 6


def test_a_graph_that_computes_too_much_is_killed_by_the_system() -> None:
    with pytest.raises(RefusedError, match="limit of its computing time") as caught:
        run_model(slow(), SCORE, [ROWS], 3, ModelLimits(seconds=60, cpu_seconds=1))
    assert caught.value.code == "limits"


def test_no_process_is_left_after_any_of_it() -> None:
    before = {name for name in os.listdir("/proc") if name.isdigit()}
    with pytest.raises(RefusedError):
        run_model(huge("Tile"), SCORE, [ROWS], 3, ModelLimits(seconds=0.2))
    mine = os.getpid()
    after = {name for name in os.listdir("/proc") if name.isdigit()} - before
    for name in after:
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        assert parent != mine


WRONG = {
    "more columns": ([helper.make_node("Identity", ["x"], ["y"])], {}, "other shapes"),
    "no number": (
        [helper.make_node("Sub", ["x", "x"], ["z"]), helper.make_node("Div", ["z", "z"], ["n"]),
         helper.make_node("ReduceMax", ["n"], ["y"], axes=[1])],
        {},
        "not finite",
    ),
    "text": (
        [helper.make_node("Cast", ["x"], ["t"], to=TensorProto.STRING),
         helper.make_node("Gather", ["t", "i"], ["y"], axis=1)],
        {"i": np.array([0], np.int64)},
        "model file must be|other shapes",
    ),
    "an error": (
        [helper.make_node("Gather", ["x", "i"], ["y"], axis=1)],
        {"i": np.array([7], np.int64)},
        "error of its own",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(WRONG))
def test_what_does_not_fit_the_plan_is_a_refusal_that_quotes_no_row(case: str) -> None:
    nodes, arrays, reason = WRONG[case]
    with pytest.raises(RefusedError, match=reason) as caught:
        run_model(packed(graph(nodes, arrays=arrays)), SCORE, [ROWS + 4711.25], 3, SHORT)
    assert "4711" not in str(caught.value)
    assert "4712" not in str(caught.value)


SOUND = '{"seen":{"kind":"onnx","says":"","inputs":[],"outputs":[]},"fault":null}'
TAKEN = f"""
import os, struct, sys, time
def take():
    (size,) = struct.unpack("<Q", sys.stdin.buffer.read(8))
    return sys.stdin.buffer.read(size)
def say(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
def begin():
    take(), take()
    said = {SOUND!r}.encode()
    say(struct.pack("<Q", len(said)) + said)
    take()
"""
TAKEN_OVER: dict[str, tuple[str, str, str]] = {
    "it crashes": ("begin(); os.kill(os.getpid(), 11)", "failed", "crash"),
    "it crashes before it has read": ("os.kill(os.getpid(), 11)", "failed", "crash"),
    "it says too little": ("begin(); say(bytes([1]) + bytes(23))", "failed", "crash"),
    "it says no numbers": (
        "begin(); say(bytes([1]) + struct.pack('<3d', 1, float('nan'), 1))", "failed", "not finite",
    ),
    "it says something else": ("begin(); say(b'4711.25 patient')", "failed", "no answer"),
    "it prints": ("take(); say(b'hello, no report of any length')", "failed", "no length"),
    "it reports no report": ("take(); say(struct.pack('<Q', 2) + b'12')", "model", "fails to read"),
    "it hangs": ("begin(); time.sleep(60)", "limits", "its time"),
    "it hands on to another": (
        "begin(); os.fork() or time.sleep(60); time.sleep(60)", "limits", "its time",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(TAKEN_OVER))
def test_a_process_that_was_taken_over_is_a_refusal_and_nothing_it_says_is_quoted(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, refusal, reason = TAKEN_OVER[case]
    place = tmp_path / "a" / "b" / "main.py"
    place.parent.mkdir(parents=True)
    place.write_text(TAKEN + code, "utf-8")
    monkeypatch.setattr(child, "MAIN", place)
    begun = time.monotonic()
    with pytest.raises(RefusedError, match=reason) as caught:
        run_model(b"x", SCORE, [ROWS], 3, ModelLimits(seconds=1.5))
    assert caught.value.code == refusal
    assert "patient" not in caught.value.came
    assert time.monotonic() - begun < 10


def test_the_score_of_a_row_does_not_depend_on_other_rows() -> None:
    # The largest value of all rows would leave as everybody's score.
    spying = [
        helper.make_node("ReduceMax", ["x"], ["m"], axes=[0]),
        helper.make_node("ReduceMax", ["m"], ["y"], axes=[1]),
    ]
    found = run_model(packed(graph(spying)), SCORE, [ROWS], 3, SHORT)
    np.testing.assert_allclose(found[:, 0], ROWS.max(axis=1))


@pytest.mark.parametrize("rows", [1, 4])
def test_a_graph_for_batches_of_a_fixed_size_runs_too(rows: int) -> None:
    found = run_model(packed(graph(LINEAR, arrays=WEIGHTS, rows=rows)), SCORE, [ROWS], 3, SHORT)
    wanted = 1 / (1 + np.exp(-(ROWS.astype(np.float32) @ WEIGHTS["w"])))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_process_that_gave_up_opens_no_file_and_no_socket_and_leaves_no_core() -> None:
    # What it would do to a library is done by a program in its place, with the same beginnings.
    code = """
import os, socket, sys, resource
sys.path.insert(0, sys.argv[1])
from fedlab.core.child_limits import give_up, give_up_files
give_up(5, 1 << 28)
give_up_files()
told = []
for name, act in (
    ("socket", lambda: socket.socket()),
    ("open", lambda: open("/etc/hostname")),
    ("memory", lambda: bytearray(1 << 30)),
):
    try:
        act()
    except (OSError, MemoryError):
        told.append(name)
told.append(str(resource.getrlimit(resource.RLIMIT_CORE)[0]))
print(",".join(told))
"""
    root = str(fl.__path__[0] + "/..")
    done = subprocess.run(
        [sys.executable, "-c", code, root],
        capture_output=True,
        text=True,
        env={"OPENBLAS_NUM_THREADS": "1"},
        check=True,
    )
    assert done.stdout.strip() == "socket,open,memory,0"


def fitted(estimator: Any) -> bytes:
    """An archive of an estimator of two columns."""
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 2))
    data: bytes = skops.io.dumps(estimator.fit(x, (x[:, 0] > 0).astype(int)))
    return data


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(n_estimators=3),
        GradientBoostingClassifier(n_estimators=3),
        HistGradientBoostingClassifier(max_iter=3),
        LogisticRegression(),
    ],
    ids=lambda each: type(each).__name__,
)
def test_estimators_come_back_and_say_the_same(estimator: Any) -> None:
    file = fitted(estimator)
    matrix = Feed(name="", parts=X.parts)
    plan = Plan(
        feeds=(matrix,), output="predict_proba", reads="probabilities", order=(0, 1), width=2
    )
    run, seen = open_estimator(file, plan)
    assert seen.labels == (0, 1)
    np.testing.assert_array_equal(run([ROWS], 3), estimator.predict_proba(ROWS))


def test_trees_that_lead_back_or_out_are_not_walked() -> None:
    model = RandomForestClassifier(n_estimators=2, random_state=0)
    fitted(model)
    assert trees_are_sound(model)
    tree = model.estimators_[0].tree_
    for name, value in (("children_left", 0), ("children_right", 10**6), ("feature", 9)):
        array = getattr(tree, name)
        kept = array[0]
        array[0] = value
        assert not trees_are_sound(model)
        array[0] = kept
    assert trees_are_sound(model)


def test_an_archive_that_names_functions_is_refused() -> None:
    function = skops.io.dumps(FunctionTransformer(np.log1p))
    with pytest.raises(StrangeFileError, match="log1p"):
        open_estimator(function, None)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_estimator_that_looks_along_rows_is_refused() -> None:
    pipeline = make_pipeline(NMF(1), LogisticRegression())
    x = np.random.default_rng(0).random((30, 2))
    file = skops.io.dumps(pipeline.fit(x, np.arange(30) % 2))
    with pytest.raises(StrangeFileError, match="_nmf"):
        open_estimator(file, None)


def test_a_plan_of_more_numbers_than_classes_is_refused() -> None:
    (site,) = deal(numeric(60), [60])
    plan = Plan(feeds=SCORE.feeds, output="y", reads="probabilities", width=10**9)
    reply = ask(site, JudgeScores(schema=site.schema, file=b"x", plan=plan))
    assert reply.refusal is not None
    assert reply.refusal.code == "model"


def test_an_archive_that_swells_or_has_strange_members_is_refused() -> None:
    for name in ("../evil.npy", "code.py"):
        file = io.BytesIO()
        with ZipFile(file, "w") as archive:
            archive.writestr("schema.json", "{}")
            archive.writestr(name, b"x")
        with pytest.raises(StrangeFileError, match="members"):
            open_estimator(file.getvalue(), None)


def test_a_hostile_query_is_refused_at_the_door_and_the_site_answers_on() -> None:
    (site,) = deal(numeric(60), [60], policy=fl.Policy(minimum_rows=1, model_limits=SHORT))
    feeds = (Feed(name="x", parts=(Part(column="age"), Part(column="lab"))),)
    plan = Plan(feeds=feeds, output="y", reads="probability")
    good = packed(graph(LINEAR, arrays=WEIGHTS))
    codes = []
    for file in (looping(), huge("Tile"), b"\x00" * 100, good):
        query = JudgeScores(schema=site.schema, file=file, plan=plan)
        reply = ask(site, query)
        codes.append("answered" if reply.refusal is None else reply.refusal.code)
    assert codes == ["model", "limits", "model", "answered"]


def test_a_policy_file_may_set_the_limits(tmp_path: Path) -> None:
    policy = fl.Policy(model_limits=ModelLimits(seconds=5, memory=1 << 28))
    policy.write(tmp_path / "policy.json")
    assert fl.Policy.read(tmp_path / "policy.json") == policy
    (tmp_path / "policy.toml").write_text("[model_limits]\nseconds = 5\nmemory = 268435456\n")
    assert fl.Policy.read(tmp_path / "policy.toml") == policy


def test_limits_must_be_positive() -> None:
    with pytest.raises(PrivacyError, match="seconds must be positive"):
        ModelLimits(seconds=0)


def test_every_operator_that_is_run_is_one_of_onnx() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = {(each.domain, each.name) for each in onnx.defs.get_all_schemas()}
    for domain in ("", "ai.onnx.ml"):
        assert {(domain, name) for name in OPERATORS[domain]} <= known
