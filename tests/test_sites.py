"""Tables that can be used, and why others cannot, in words that quote no cell."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fedlab as fl
from fedlab.errors import DataError, FedlabError, PrivacyError, SchemaError, TrainingError
from fedlab.site import Site
from tests.builders import MODEL, OPEN, PROMISE, RANGES, good, lone, numeric, rows_of, table, train

JANE = "Jane Doe"
N = 40


def two(frame: pd.DataFrame, **options: Any) -> fl.Federation:
    """A federation of a usable site and one of `frame`."""
    return fl.Federation([lone(good(), "able"), lone(frame, "mercy", **options)])


gapped = pd.Series([0, 1] * 19 + [None, 1], dtype="Int64")
dated = pd.Series(pd.date_range("2020-01-01", periods=N))
BAD: dict[str, tuple[Callable[[], Any], type[FedlabError], str]] = {
    "no rows": (lambda: lone(good().iloc[:0]), DataError, "at least one row"),
    "no sites": (lambda: fl.Federation([]), DataError, "needs sites"),
    "no site but a frame": (lambda: fl.Federation([good()]), DataError, "not a Site"),  # type: ignore[list-item]
    "names twice": (lambda: fl.Federation([lone(good())] * 2), DataError, "'mercy' more than once"),
    "no name": (lambda: lone(good(), "  "), DataError, "needs a name"),
    "number as name": (lambda: lone(good(), 7), DataError, "needs a name"),  # type: ignore[arg-type]
    "seed": (lambda: fl.Federation([lone(good())], seed=1.5), DataError, "seed"),  # type: ignore[arg-type]
    "missing target": (lambda: lone(good(died=gapped)), DataError, "1 missing values in 40 rows"),
    "unknown target": (lambda: lone(good(), target="dead"), DataError, "'dead'"),
    "empty column": (lambda: lone(good(lab=np.nan)), DataError, "'lab' needs at least one value"),
    "text": (lambda: lone(good(lab=JANE)), DataError, "'lab' must hold numbers"),
    "mixed": (lambda: lone(good(lab=[JANE, 1.0] * 20)), DataError, "'lab' must hold numbers"),
    "dates": (lambda: lone(good(seen=dated)), DataError, "'seen' must hold numbers"),
    "complex": (lambda: lone(good(lab=1j)), DataError, "'lab' must hold numbers"),
    "infinite": (lambda: lone(good(lab=math.inf)), DataError, "finite"),
    "only target": (lambda: lone(good()[["died"]]), DataError, "at least one feature"),
    "many classes": (
        lambda: train(lone(table(99).assign(died=np.arange(99)))), TrainingError, "Got 0",
    ),
    "one class": (
        lambda: train(lone(good(died=pd.Categorical(["no"] * N)))),
        TrainingError,
        "two or more classes over all sites. Got 1",
    ),
    "three classes": (
        lambda: train(lone(good(died=np.arange(N) % 3))), TrainingError, "Got 0",
    ),
    "mixed target": (lambda: lone(good(died=[JANE, 0] * 20)), DataError, "target"),
    "target of lists": (lambda: lone(good(died=pd.Series([[0], [1]] * 20))), DataError, "target"),
    "column twice": (
        lambda: lone(pd.concat([good(), good()[["lab"]]], axis=1)), DataError, "more than once",
    ),
    "nameless column": (lambda: lone(good().rename(columns={"lab": 3})), DataError, "have names"),
    "undeclared": (
        lambda: lone(good(ward=JANE), categories={"ward": ["north"]}), DataError, "40 rows",
    ),
    "declared twice": (
        lambda: lone(good(sex="f"), categories={"sex": ["f", "f"]}), DataError, "sex",
    ),
    "declared elsewhere": (lambda: lone(good(), categories={"sex": ["f"]}), DataError, "'sex'"),
    "range elsewhere": (lambda: lone(good(), ranges={"sex": (0, 1)}), DataError, "'sex'"),
    "range falls": (lambda: lone(good(), ranges={"lab": (1, 0)}), DataError, "that rise"),
    "range of one": (lambda: lone(good(), ranges={"lab": (1,)}), DataError, "'lab'"),
    "range of none": (lambda: lone(good(), ranges={"lab": (0, None)}), DataError, "'lab'"),
    "range of nan": (lambda: lone(good(), ranges={"lab": (0, math.nan)}), DataError, "'lab'"),
    "test size": (lambda: lone(good(), test_size=1), DataError, "test_size"),
    "test size nan": (lambda: lone(good(), test_size=math.nan), DataError, "test_size"),
    "test size text": (lambda: lone(good(), test_size="a fifth"), DataError, "test_size"),
    "missing column": (lambda: two(good().drop(columns="lab")), SchemaError, "without 'lab'"),
    "extra column": (lambda: two(good(bmi=1.0)), SchemaError, "with an extra 'bmi'"),
    "other kind": (
        lambda: two(good(lab=pd.Categorical(["a"] * N))), SchemaError, "'lab' must be a number",
    ),
    "other list": (
        lambda: two(good(ward=pd.Categorical(["north"] * N))), SchemaError, "another list",
    ),
    "other order": (
        lambda: two(good(ward=good().ward.cat.reorder_categories(["west", "north", "south"]))),
        SchemaError,
        "another order",
    ),
    "other target": (
        lambda: two(good().rename(columns={"died": "dead"}), target="dead"), SchemaError, "'dead'",
    ),
    "text labels": (
        lambda: two(good(died=pd.Categorical(["no", "yes"] * 20))), SchemaError, "one type",
    ),
    "undeclared labels": (lambda: lone(good(died=["no", "yes"] * 20)), DataError, "categories="),
    "true labels": (lambda: two(good(died=[True, False] * 20)), SchemaError, "one type"),
    "epsilon": (lambda: fl.RecordDP(epsilon=0, delta=1e-5), PrivacyError, "Got 0"),
    "epsilon nan": (lambda: fl.RecordDP(epsilon=math.nan, delta=1e-5), PrivacyError, "Got nan"),
    "delta": (lambda: fl.RecordDP(epsilon=1, delta=1), PrivacyError, "Got 1"),
    "rounds 0": (lambda: fl.RecordDP(epsilon=1, delta=1e-5, rounds=0), PrivacyError, "Got 0"),
    "rounds True": (
        lambda: fl.RecordDP(epsilon=1, delta=1e-5, rounds=True), PrivacyError, "Got True",
    ),
    "rounds 1.5": (
        lambda: fl.RecordDP(epsilon=1, delta=1e-5, rounds=1.5),  # type: ignore[arg-type]
        PrivacyError,
        "Got 1.5",
    ),
    "budget": (lambda: fl.Policy(epsilon=-1), PrivacyError, "Got -1"),
    "minimum": (lambda: fl.Policy(minimum_rows=0), PrivacyError, "Got 0"),
    "learning rate": (lambda: fl.FedAvg(learning_rate=-0.1), TrainingError, "Got -0.1"),
    "learning rate nan": (lambda: fl.FedAvg(learning_rate=math.nan), TrainingError, "Got nan"),
    "epochs": (lambda: fl.FedAvg(local_epochs=0), TrainingError, "Got 0"),
    "batch": (lambda: fl.FedAvg(batch_size=True), TrainingError, "Got True"),
    "fraction": (lambda: fl.FedAvg(site_fraction=0), TrainingError, "Got 0"),
    "penalty": (lambda: fl.LogisticRegression(C=0), TrainingError, "Got 0"),
    "run": (lambda: train(lone(good()), rounds=-1), TrainingError, "Got -1"),
    "rewind": (lambda: train(lone(good())).rewind(3), TrainingError, "Got 3"),
    "threads": (lambda: fl.InProcess(threads=0), TrainingError, "Got 0"),
    "contributions": (
        lambda: fl.Federation([lone(good())])
        .train(MODEL, strategy=fl.FedAvg())
        .contributions(permutations=2.5),  # type: ignore[arg-type]
        TrainingError,
        "round",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_refused_with_rule_value_and_remedy(case: str) -> None:
    act, kind, said = BAD[case]
    with pytest.raises(kind) as caught:
        act()
    text = str(caught.value)
    assert said in text
    assert " Got " in text
    assert caught.value.rule.endswith(".")
    assert caught.value.remedy
    assert JANE not in text


FILES: dict[str, tuple[str, bytes, str]] = {
    "text in numbers": ("a.csv", b"age,died\n50,0\nJane Doe,1\n", "'age' must hold numbers"),
    "ragged": ("a.csv", b"age,died\n50,0\n1,Jane Doe,1\n", "readable as csv"),
    "binary": ("a.csv", bytes(range(256)) * 9, "readable as csv"),
    "empty": ("a.csv", b"", "readable as csv"),
    "head only": ("a.csv", b"age,died\n", "at least one row"),
    "column twice": ("a.csv", b"age,age,died\n1,2,0\n3,4,1\n", "1 that stand more than once"),
    "no head": ("a.csv", b"Jane Doe,50,0\nJane Doe,51,1\n", "target must be a column"),
    "latin": ("a.csv", "age,died\nJosé,0\n".encode("latin-1"), "encoding='latin-1'"),
    "semicolons": ("a.csv", b"age;died\n50,5;0\nJane Doe;1\n", "sep=';', decimal=','"),
    "tabs": ("a.csv", b"age\tdied\n50\t0\nJane Doe\t1\n", "sep='\\t'"),
    "parquet": ("a.parquet", b"PAR1" + bytes(99), "readable as parquet"),
    "no parquet": ("a.parquet", b"age,died\n1,0\n", "readable as parquet"),
    "suffix": ("a.xlsx", b"age,died\n1,0\n", "must end in .csv or .parquet"),
}


@pytest.mark.parametrize("case", FILES)
def test_files_that_cannot_be_read_say_so_and_quote_nothing(case: str, tmp_path: Path) -> None:
    name, content, said = FILES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        Site("mercy", tmp_path / name, target="died", policy=OPEN)
    assert said in str(caught.value)
    assert_silent(caught.value, JANE, "José", "Jos\\xe9")


def test_a_missing_file_and_another_type_of_data_say_so(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for path in (tmp_path / "none.csv", tmp_path / "folder.csv"):
        with pytest.raises(DataError, match="must exist"):
            Site("mercy", path, target="died")
    with pytest.raises(DataError, match="must be a DataFrame"):
        Site("mercy", [[1, 2]], target="died")  # type: ignore[arg-type]


def assert_silent(error: BaseException | None, *secrets: str) -> None:
    """No text or argument in the whole chain of errors holds a secret."""
    while error is not None:
        told = [str(error), repr(error), *map(str, vars(error).values()), *map(str, error.args)]
        told += [str(getattr(error, "object", ""))]
        for secret in secrets:
            assert not any(secret in text for text in told), type(error)
        error = error.__cause__ or error.__context__


def test_csv_and_parquet_give_the_same_as_the_frame(tmp_path: Path) -> None:
    frame = numeric(N)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    states = [
        train(Site("mercy", data, target="died", policy=OPEN)).state
        for data in (frame, tmp_path / "a.csv", str(tmp_path / "a.parquet"))
    ]
    assert states[0] == states[1] == states[2]


def test_a_site_with_too_few_rows_says_why_it_does_not_answer() -> None:
    sites = [lone(good(), "able"), lone(good().iloc[:5].fillna({"lab": 0}), "tiny")]
    with pytest.raises(fl.errors.RefusedError, match=r"Site 'tiny'.*at least 11 rows"):
        fl.Federation(sites).train(MODEL, strategy=fl.FedNewton())


def test_ranges_are_needed_for_record_privacy_alone() -> None:
    fed = fl.Federation([lone(good())])
    assert fed.train(MODEL, strategy=fl.FedAvg()).round == 0
    with pytest.raises(PrivacyError, match="public range"):
        fed.train(MODEL, strategy=fl.FedAvg(), privacy=PROMISE)
    partly = [lone(good(), "a", ranges=RANGES), lone(good(), "b")]
    run = fl.Federation(partly).train(MODEL, strategy=fl.FedAvg(batch_size=None), privacy=PROMISE)
    assert run.problem.space.scaling["mean"].tolist() == [60, 0, 0.5]


def test_the_frame_that_was_passed_stays_as_it_was_and_apart() -> None:
    frame = good(sex=["f", "m"] * 20)
    kept = frame.copy(deep=True)
    site = lone(frame, categories={"sex": ["f", "m"]}, test_size=0.0)
    pd.testing.assert_frame_equal(frame, kept)
    frame.loc[:, "age"] = -1.0
    assert (rows_of([site])["age"] > 0).all()
