"""Types of columns and labels, and the rows that are held out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedlab.errors import DataError, SchemaError
from fedlab.site.split import split_rows
from tests.builders import deal, good, lone, numeric, rows_of, table, train

N = 40
LABELS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "int": (lambda y: y, (0, 1)),
    "float": (lambda y: y.astype(float), (0, 1)),
    "uint8": (lambda y: y.astype("uint8"), (0, 1)),
    "bool": (lambda y: y.astype(bool), (False, True)),
    "boolean": (lambda y: y.astype("boolean"), (False, True)),
    "Int64": (lambda y: y.astype("Int64"), (0, 1)),
    "Float32": (lambda y: y.astype("Float32"), (0, 1)),
    "one and two": (lambda y: y + 1, (1, 2)),
    "text": (lambda y: y.map({0: "alive", 1: "dead"}), ()),
    "category": (
        lambda y: pd.Categorical(y.map({0: "z", 1: "a"}), categories=["z", "a"]), ("z", "a"),
    ),
    "dates": (lambda y: pd.to_datetime(y.map({0: "2020-01-01", 1: "2021-01-01"})), ()),
}  # fmt: skip


@pytest.mark.parametrize("kind", LABELS)
def test_a_target_of_two_classes_of_any_type_trains_the_same_model_or_is_refused(kind: str) -> None:
    change, classes = LABELS[kind]
    frame = table(200, seed=62)
    expected = train(*deal(frame, [150, 50]))
    changed = frame.assign(died=change(frame["died"]))
    if not classes:
        with pytest.raises(DataError):
            train(*deal(changed, [150, 50]))
        return
    run = train(*deal(changed, [150, 50]))
    assert run.problem.space.schema.classes == classes
    assert run.state == expected.state
    predicted = run.model.predict(changed)
    assert set(predicted) == set(classes)
    assert (predicted == changed["died"].astype(object)).mean() > 0.6


def test_a_site_of_one_class_fits_labels_of_one_and_two() -> None:
    frame = table(90, seed=63).sort_values("died", ignore_index=True)
    for add in (0, 1):
        run = train(*deal(frame.assign(died=frame["died"] + add), [30, 40, 20]))
        assert len(run.problem.space.schema.classes) == 2


def test_labels_that_are_true_at_one_site_and_one_at_another_never_train_in_silence() -> None:
    frame = table(80, seed=64)
    first = deal(frame.assign(died=frame["died"].astype(bool)), [40, 40])[0]
    second = deal(frame, [40, 40])[1]
    try:
        run = train(first, second)
    except SchemaError:
        return
    same = train(*deal(frame, [40, 40]))
    assert run.state == same.state


@pytest.mark.parametrize("kind", ["Int64", "Float32", "Float64", "boolean", "uint8", "bool"])
def test_features_of_any_numeric_type_are_numbers(kind: Any) -> None:
    frame = table(200, seed=65)
    expected = train(*deal(frame, [150, 50]))
    run = train(*deal(frame.assign(smoker=frame["smoker"].astype(kind)), [150, 50]))
    assert run.state == expected.state
    if kind[0].isupper() or kind == "boolean":
        gaps = frame["smoker"].astype(kind).where(frame.index % 5 > 0)
        run = train(*deal(frame.assign(smoker=gaps), [150, 50]))
        assert np.isfinite(run.model.predict_proba(frame.assign(smoker=gaps))).all()


def test_one_row_one_class_and_constant_columns_work() -> None:
    frame = numeric(60).assign(constant=3.5).sort_values("died", ignore_index=True)
    run = train(*deal(frame, [1, 9, 40, 10], ranges={}))
    coefficient = dict(zip(run.problem.space.names, run.state.parameters["coef"], strict=True))
    assert coefficient["constant"] == 0


def test_a_column_with_gaps_in_all_training_rows_works_or_says_why() -> None:
    frame = good(row=np.arange(N))
    held_out = rows_of([lone(frame)], "test")["row"].to_list()
    frame["lab"] = frame["lab"].fillna(0).where(frame["row"].isin(held_out))
    site = lone(frame)
    try:
        run = train(site)
    except DataError as error:
        assert "lab" in str(error)  # noqa: PT017  either is sound
        return
    assert np.isfinite(run.model.predict_proba(frame)).all()
    assert np.isfinite(run.problem.space.scaling.vector).all()


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=60),
    st.floats(0, 0.99),
    st.integers(0, 2**70),
)
def test_a_split_is_whole_disjoint_seeded_and_stratified(
    labels: list[int], test_size: float, seed: int
) -> None:
    target = pd.Series(labels)
    train_rows, test_rows = split_rows(target, test_size, seed, "mercy")
    assert sorted([*train_rows, *test_rows]) == list(range(len(labels)))
    assert len(train_rows) >= 1
    again = split_rows(target, test_size, seed, "mercy")
    assert (again[0] == train_rows).all()
    counts = np.bincount(labels, minlength=3)
    present = (counts > 0).sum()
    if min(len(test_rows), len(train_rows)) >= present and counts[counts > 0].min() >= 2:
        held = np.bincount(target.iloc[test_rows], minlength=3)
        assert (np.abs(held - counts * len(test_rows) / len(labels)) <= 1).all()


def test_a_split_depends_on_seed_and_name_and_not_on_the_other_sites() -> None:
    target = pd.Series([0, 1] * 50)
    splits = [
        tuple(split_rows(target, 0.2, seed, name)[1]) for seed in (0, 1) for name in ("a", "b")
    ]
    assert len(set(splits)) == 4
    assert len(split_rows(target, 0.2, 0, "a")[1]) == 20
