"""Nobody who knows what is shown, and all totals, can tell a small cell or a small difference."""

from __future__ import annotations

import time
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import Bounds, LinearConstraint, milp

from fedlab.core.blocks import blocks_of
from fedlab.core.small_cuts import small_cut
from fedlab.core.suppression import suppress
from fedlab.core.tellings import Telling, Tellings

COUNTS = st.one_of(st.integers(0, 12), st.integers(0, 40), st.just(0))


def counts_of(*shapes: tuple[int, ...]) -> st.SearchStrategy[Any]:
    return st.sampled_from(shapes).flatmap(lambda s: arrays(np.int64, s, elements=COUNTS))


def is_small(counts: Any, minimum: int) -> Any:
    return (counts > 0) & (counts < minimum)


class Asker:
    """Knows the shown cells, and each total of the table that its own table would show."""

    def __init__(self, counts: Any, shown: Any, minimum: int) -> None:
        self.hidden = np.argwhere(~shown)
        rows, totals = [], []
        for size in range(1, counts.ndim + 1):
            for axes in combinations(range(counts.ndim), size):
                summed = counts.sum(axis=axes)
                known = suppress(np.asarray(summed), minimum)
                kept = [axis for axis in range(counts.ndim) if axis not in axes]
                for place in np.argwhere(np.atleast_1d(known)):
                    at = tuple(place) if kept else ()
                    if not known[at]:
                        continue
                    rows.append(
                        [all(h[a] == i for a, i in zip(kept, at, strict=True)) for h in self.hidden]
                    )
                    totals.append(
                        sum(
                            counts[tuple(h)]
                            for h, r in zip(self.hidden, rows[-1], strict=True)
                            if r
                        )
                    )
        self.rows, self.totals = np.array(rows, dtype=float), np.array(totals, dtype=float)
        self.most = float(counts.sum()) + 50

    def interval(self, cell: int, least: Any) -> tuple[float, float]:
        """The least and the most of a suppressed cell, in whole numbers."""
        n = len(self.hidden)
        ends = []
        for sign in (1.0, -1.0):
            found = milp(
                sign * np.eye(n)[cell],
                constraints=[LinearConstraint(self.rows, self.totals, self.totals)]
                if len(self.rows)
                else [],
                bounds=Bounds(least, np.full(n, self.most)),
                integrality=np.ones(n, dtype=np.int64),
            )
            assert found.x is not None
            ends.append(float(np.round(found.x[cell])))
        return ends[0], ends[1]


# R34
@settings(max_examples=120)
@given(
    counts=counts_of((2,), (5,), (9,), (2, 2), (3, 3), (4, 5), (1, 4)),
    minimum=st.sampled_from([3, 5, 11]),
)
def test_no_asker_tells_a_small_cell_of_a_table_from_all_totals(counts: Any, minimum: int) -> None:
    shown = suppress(counts, minimum)
    assert not (shown & is_small(counts, minimum)).any()
    asker = Asker(counts, shown, minimum)
    # Empty cells are shown as such, but where nothing in a line is shown.
    lines = np.zeros(counts.shape, dtype=bool)
    for axis in range(counts.ndim):
        lines |= (~shown).all(axis=axis, keepdims=True)
    for i, place in enumerate(asker.hidden):
        if is_small(counts, minimum)[tuple(place)]:
            for least in (
                np.zeros(len(asker.hidden)),
                np.array([counts[tuple(h)] > 0 and not lines[tuple(h)] for h in asker.hidden]),
            ):
                low, high = asker.interval(i, least.astype(float))
                assert high - low >= minimum - 2, (counts, shown, place, low, high)


# R34
@settings(max_examples=25)
@given(counts=counts_of((2, 2, 2), (3, 2, 3)))
def test_in_three_dimensions_a_cell_is_told_only_where_totals_alone_tell_it(counts: Any) -> None:
    minimum = 5
    shown = suppress(counts, minimum)
    asker = Asker(counts, shown, minimum)
    nothing = Asker(counts, np.zeros(counts.shape, dtype=bool), minimum)
    alone = {tuple(place): i for i, place in enumerate(nothing.hidden)}
    for i, place in enumerate(asker.hidden):
        if is_small(counts, minimum)[tuple(place)]:
            low, high = asker.interval(i, np.zeros(len(asker.hidden)))
            if high - low < minimum - 2:
                zeros = np.zeros(len(nothing.hidden))
                low, high = nothing.interval(alone[tuple(place)], zeros)
                assert high - low < minimum - 2, (counts, shown, place)


def test_twelve_cells_of_one_patient_are_not_given_away_by_their_total() -> None:
    counts = np.array([1] * 12 + [0, 0])
    # Were the empty cells shown, twelve in twelve cells would be one in each.
    assert not suppress(counts, 11).any()
    assert suppress(np.array([6, 8, 7, 0]), 11).tolist() == [False, False, False, True]


def test_a_table_without_small_cells_is_shown_whole_and_empty_cells_are_shown_as_such() -> None:
    assert suppress(np.array([[20, 0], [0, 30]]), 11).all()
    assert suppress(np.array([[3, 4], [1, 2]]), 1).all()
    assert suppress(np.array(3.0), 11).item() is False
    assert suppress(np.array(0.0), 11).item() is True


def test_a_cell_that_must_not_be_told_is_protected_like_a_small_one() -> None:
    counts = np.array([[50, 60, 70], [40, 30, 20]])
    hidden = np.zeros(counts.shape, dtype=bool)
    hidden[0, 0] = True
    shown = suppress(counts, 11, hidden=hidden)
    assert (~shown).sum() == 4
    assert not shown[0, 0]


def test_free_cells_are_shown_and_their_neighbours_with_them() -> None:
    counts = np.array([[50, 3], [40, 2]])
    free = np.array([[False, True], [False, True]])
    assert suppress(counts, 11, free=free).all()
    assert not suppress(counts, 11).any()


def test_an_upper_limit_known_from_elsewhere_narrows_what_is_safe() -> None:
    counts, most = np.array([5.0, 12.0, 30.0]), np.array([6.0, 40.0, 40.0])
    assert suppress(counts, 11).tolist() == [False, False, True]
    assert not suppress(counts, 11, most=most).all()


@pytest.mark.parametrize("shape", [(5000,), (70, 70), (20, 20, 10)])
def test_large_tables_take_a_moment(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    counts = random.poisson(15 * random.gamma(0.5, 2, size=shape))
    begun = time.perf_counter()
    shown = suppress(counts, 11)
    assert time.perf_counter() - begun < 10
    assert not (shown & is_small(counts, 11)).any()
    assert (suppress(counts, 11) == shown).all()


def differences(shared: Any) -> set[float]:
    """Patients in which unions of groups of two tellings differ."""
    found = set()
    for first in product((0, 1), repeat=shared.shape[0]):
        for second in product((0, 1), repeat=shared.shape[1]):
            apart = np.array(first)[:, None] != np.array(second)[None]
            found.add(float((shared * apart).sum()))
    return found


# R35
@settings(max_examples=200)
@given(
    shared=st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
        lambda s: arrays(np.float64, s, elements=st.sampled_from([0.0, 1.0, 3.0, 6.0, 12.0, 40.0]))
    ),
    minimum=st.integers(2, 14),
)
def test_a_small_cut_is_found_just_when_unions_differ_by_a_few(shared: Any, minimum: int) -> None:
    few = any(0 < each < minimum for each in differences(shared))
    cut = small_cut(shared, minimum)
    assert (cut is not None) == few
    if cut is not None:
        assert 0 < (shared * (cut.first[:, None] != cut.second[None])).sum() < minimum


@pytest.mark.parametrize("several", [False, True])
def test_many_tellings_are_looked_through_as_one_by_one(several: bool) -> None:
    random = np.random.default_rng(7)
    n = 300
    owners = random.integers(0, 200, n) if several else None
    past = [Telling.of(random.integers(0, 4, n) * (random.random(n) < 0.9)) for _ in range(40)]
    past.append(Telling.of((np.arange(n) < 150).astype(int)))
    both = Tellings()
    for each in past:
        both.add(each)
    for end, conflicts in ((150, False), (153, True), (30, False)):
        new = Telling.of((np.arange(n) < end).astype(int))
        singly = []
        for i, each in enumerate(past):
            alone = Tellings()
            alone.add(each)
            if alone.conflict(new, 11, n, owners) is not None:
                singly.append(i)
        found = both.conflict(new, 11, n, owners)
        assert (None if found is None else found[0]) == (singly[0] if singly else None)
        if not several:
            assert (len(past) - 1 in singly) == conflicts


# R35
@given(groups=arrays(np.int64, st.integers(0, 40), elements=st.integers(0, 300)))
def test_a_telling_is_read_as_it_was_written_and_known_by_its_groups_alone(groups: Any) -> None:
    telling = Telling.of(groups)
    again = Telling.read(telling.written)
    assert again.digest == telling.digest
    assert Telling.of(np.append(groups, 0)).digest == telling.digest
    renamed = np.where(groups > 0, 1000 - groups, 0)
    assert Telling.of(renamed).digest == telling.digest
    same = groups[:, None] == groups[None]
    found = again.whole(len(groups))
    assert ((found[:, None] == found[None]) == same).all()


# R34
@settings(max_examples=150)
@given(
    counts=st.tuples(st.integers(1, 7), st.integers(1, 2)).flatmap(
        lambda s: arrays(np.int64, s, elements=st.integers(0, 6))
    ),
    minimum=st.integers(2, 7),
)
def test_blocks_are_as_many_as_there_can_be(counts: Any, minimum: int) -> None:
    n = len(counts)
    blocks = blocks_of(counts, minimum)
    most = 0
    for ends in product((0, 1), repeat=n - 1):
        tried = np.concatenate([[0], np.cumsum(ends)]).astype(int)
        sums = np.stack([np.bincount(tried, column) for column in counts.T], axis=1)
        sound = ((sums == 0) | (sums >= minimum)).all() and (sums.sum(axis=1) > 0).all()
        most = max(most, len(sums) if sound else 0)
    assume(counts.sum() > 0)
    assert (blocks.max() + 1) == most
    assert (np.diff(blocks) >= 0).all()


def test_blocks_end_where_they_have_to_and_small_ones_there_are_not_told() -> None:
    counts = np.array([5, 5, 5, 5, 0, 0, 3, 1])
    assert blocks_of(counts, 10).tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    assert blocks_of(counts, 10, fixed=(3,)).tolist() == [0, 0, 0, -1, -1, -1, -1, -1]
    assert blocks_of(counts, 10, fixed=(4, 6)).tolist() == [0, 0, 1, 1, 2, 2, -1, -1]
    assert blocks_of(np.zeros(3), 10).tolist() == [0, 0, 0]


def test_ten_thousand_bins_take_a_moment() -> None:
    random = np.random.default_rng(0)
    for n_groups in (1, 3):
        counts = random.poisson(30, size=(10_000, n_groups))
        begun = time.perf_counter()
        blocks = blocks_of(counts, 11)
        assert time.perf_counter() - begun < 10
        for column in counts.T:
            sums = np.bincount(blocks, column)
            assert ((sums == 0) | (sums >= 11)).all()
