"""Quantiles lie between bounds that are certain."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import fedlab as fl
from fedlab.asking.quantiles import bounds_of
from fedlab.errors import DataError, PrivacyError
from fedlab.evaluation import ALL_SITES
from fedlab.queries.group_blocks import BlockCounts, CountBlocks
from tests.builders import WARDS, answer_of, ask, deal, table
from tests.test_asking_counts import FED, ROWS, SMALL, bench, of

QS = (0.0, 0.1, 0.25, 0.5, 0.9, 1.0)


@settings(max_examples=40)
@given(
    arrays.arrays(np.float64, st.integers(33, 90), elements=st.floats(-6, 6, width=32)),
    st.sampled_from([1, 11]),
    st.integers(1, 60),
    st.lists(st.floats(0, 1), min_size=1, max_size=3),
)
def test_the_pooled_quantile_lies_between_the_bounds(
    values: Any, minimum: int, bins: int, q: list[float]
) -> None:
    frame = pd.DataFrame({"lab": values, "died": np.arange(len(values)) % 2})
    third = len(values) // 3
    sizes = [third, third, len(values) - 2 * third]
    policy = fl.Policy(minimum_rows=minimum)
    fed = fl.Federation(deal(frame, sizes, policy=policy, ranges={"lab": (-4, 4)}))
    result = fed.quantile("lab", q, bins=bins)
    told = of(result.frame)
    for line in told.to_dict("records"):
        oracle = np.quantile(values, line["q"])
        slack = 1e-9 * max(abs(oracle), 1)
        assert line["low"] - slack <= oracle <= line["high"] + slack
        assert line["low"] <= line["value"] <= line["high"]
        assert line["rows"] == len(values)


@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=8),
    st.floats(0, 1),
)
def test_bounds_hold_whatever_the_values_in_each_bin(counts: list[int], q: float) -> None:
    edges = np.arange(len(counts) - 1.0)
    rows = np.array(counts, dtype=float)
    found = bounds_of(rows, rows, edges, q)
    if rows.sum() == 0:
        assert math.isnan(found.value)
        return
    ends = np.concatenate([[-5.0], edges, [len(counts) + 5.0]])
    for at in (0.0, 0.5, 1 - 1e-9):
        values = np.repeat(ends[:-1] + at * np.diff(ends), counts)
        assert found.low - 1e-9 <= np.quantile(values, q) <= found.high + 1e-9


def test_more_bins_narrow_the_bounds_and_finest_ones_give_the_value() -> None:
    errors = [FED.quantile("age", bins=bins).error for bins in (4, 40, 4000)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] <= 80 / 4000 * (1 + 1e-6)
    frame = of(FED.quantile("age", QS[1:-1], bins=10_000).frame)
    np.testing.assert_allclose(frame["value"], np.quantile(ROWS["age"], QS[1:-1]), atol=0.3)


@pytest.mark.parametrize("aggregation", ["plain", "secure"])
def test_quantiles_by_group_and_condition_bound_those_of_pandas(aggregation: str) -> None:
    result = FED.quantile(
        "lab", QS, by="ward", where={"age": (50, None)}, bins=500, aggregation=aggregation
    )
    chosen = ROWS[ROWS["age"] >= 50]
    for ward in WARDS:
        oracle = chosen.loc[chosen["ward"] == ward, "lab"].quantile(list(QS)).to_numpy()
        told = of(result.frame)[of(result.frame)["ward"] == ward]
        assert (told["low"] - 1e-9 <= oracle).all()
        assert (oracle <= told["high"] + 1e-9).all()


# R34
def test_no_two_answers_at_edges_tell_fewer_patients_than_the_minimum_apart() -> None:
    (site,) = deal(table(80, 8, gaps=False), [80], policy=SMALL)
    query = CountBlocks(
        schema=site.schema, columns=("age", "lab"), edges=np.array([np.linspace(20, 100, 81)] * 2)
    )
    answer = answer_of(ask(site, query))
    assert isinstance(answer, BlockCounts)
    for part in (answer.earliest, answer.latest):
        assert not ((part > 0) & (part < 11)).any()
        assert (part.sum(axis=-1) == 80).all()


# R34
def test_a_group_with_few_missing_values_is_held_back_unless_the_policy_lets_it_be_told() -> None:
    frame = table(60, 8, gaps=False)
    frame.loc[:3, "lab"] = np.nan
    for policy, status in (
        (SMALL, "suppressed"),
        (fl.Policy(minimum_rows=11, missing_cells=True), "shown"),
    ):
        fed = fl.Federation(deal(frame, [60], policy=policy))
        assert set(fed.quantile("lab").frame["status"]) == {status}
    result = bench(policy=SMALL).quantile("lab")
    assert "supp." in repr(result) or "†" in repr(result) or result.error > 0


def test_values_beyond_the_range_make_the_bounds_infinite_and_not_wrong() -> None:
    told = of(FED.quantile("age", (0.05, 0.95), low=55, high=65).frame)
    assert told["low"].tolist()[0] == -math.inf
    assert told["high"].tolist()[1] == math.inf
    assert told["high"].tolist()[0] == 55


def test_counts_are_of_rows_and_protection_is_of_patients() -> None:
    frame = table(120, 2, gaps=False).assign(mrn=np.repeat(np.arange(30), 4))
    site = fl.Site(
        "mercy",
        frame,
        target="died",
        patient="mrn",
        test_size=0.0,
        policy=SMALL,
        ranges={"age": (20, 100)},
    )
    told = of(fl.Federation([site]).quantile("age").frame, "mercy")
    assert told["rows"].tolist() == [120.0] * 3
    oracle = frame["age"].quantile([0.25, 0.5, 0.75]).to_numpy()
    assert ((told["low"] <= oracle) & (oracle <= told["high"])).all()


@pytest.mark.parametrize("q", [1.5, [], [0.5, -0.1]], ids=str)
def test_quantiles_are_from_0_to_1(q: Any) -> None:
    with pytest.raises(DataError, match="from 0 to 1"):
        FED.quantile("age", q)


def test_certain_bounds_and_noise_do_not_go_together() -> None:
    with pytest.raises(PrivacyError, match=r"fed\.histogram"):
        FED.quantile("age", privacy=fl.RecordDP(epsilon=1.0, delta=1e-5))


def test_ends_that_do_not_rise_are_refused() -> None:
    with pytest.raises(DataError, match="rise"):
        FED.quantile("age", low=50, high=40)


def test_blocks_that_do_not_fit_are_not_believed() -> None:
    (site,) = deal(table(30), [30])
    query = CountBlocks(schema=site.schema, columns=("age",), edges=np.array([[20.0, 50, 100]]))
    answer = answer_of(ask(site, query))
    assert isinstance(answer, BlockCounts)
    assert query.accepts(answer)
    early, late, shown = answer.earliest, answer.latest, answer.shown
    for wrong in (
        BlockCounts(early[:, :, :-1], late, shown),
        BlockCounts(early + 1, late, shown),
        BlockCounts(early[:, :, ::-1], late - early, shown),
        BlockCounts(early, late, shown[:, :0]),
        BlockCounts(early / 3, late / 3, shown),
    ):
        assert not query.accepts(wrong)
    assert query.releases(30) is None


def test_the_figure_has_a_point_for_each_quantile_of_each_site() -> None:
    figure = FED.quantile("age").plot()
    assert [trace.name for trace in figure.data] == ["25%", "median", "75%"]
    assert list(figure.data[0].y) == ["s00", "s01", "s02", ALL_SITES]


def test_rows_are_never_in_a_quantile_of_few_bins() -> None:
    values = set(ROWS["age"])
    told = FED.quantile("age", QS).frame
    assert not values & set(told[["low", "high"]].to_numpy().ravel())
