"""No row, whatever it holds, changes what noise hides by more than the stated sensitivity."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import fedlab as fl
from fedlab.core.model import Differentiable, Summed
from fedlab.core.parameters import Array
from fedlab.core.schema import Column, Schema
from fedlab.core.space import Space, from_ranges, unscaled
from fedlab.core.trees.bins import Bins
from fedlab.core.trees.cells import Cells, first_cells
from fedlab.core.trees.nodes import Nodes
from fedlab.errors import PrivacyError, TrainingError
from fedlab.privacy import RecordDP, Releases, teaching_noise
from fedlab.privacy.clipping import clipped_sum, pack_symmetric, unpack_symmetric
from fedlab.queries import (
    CellCounts,
    Context,
    CountCells,
    ForestHistogram,
    Histogram,
    LocalFit,
    Moments,
    MomentSums,
    NewtonStep,
    Query,
    Rows,
    Slope,
    Statistics,
    Sums,
)
from fedlab.queries.forest_histogram import Bootstrap
from fedlab.queries.packing import pack, unpack
from fedlab.queries.row_curvature import clipped_curvature
from tests.builders import MODEL, PROMISE, Recorder, answer_of, ask, deal, numeric, rows_of

NAMES = ("a", "b", "c")
# Far outside the ranges, tiny, and missing: what a data owner would call impossible, too.
WILD = st.floats(-1e9, 1e9) | st.sampled_from([0.0, 1e-300, -1e150, 1e150, 1e200, math.nan])


def space_of(classes: tuple[int, ...] = (0, 1), *, scaled: bool = True) -> Space:
    columns = tuple(Column(name, low=-2.0, high=3.0) for name in NAMES)
    schema = Schema(columns, "y", classes)
    return from_ranges(schema) if scaled else unscaled(schema)


@st.composite
def pairs(draw: st.DrawFn, *, classes: int = 2, gaps: bool = True) -> tuple[Rows, Rows]:
    """Rows, and the same with one of them gone."""
    n_rows = draw(st.integers(1, 7))
    elements = WILD if gaps else WILD.filter(lambda value: not math.isnan(value))
    values = draw(arrays.arrays(np.float64, (n_rows, len(NAMES)), elements=elements))
    target = draw(arrays.arrays(np.int64, n_rows, elements=st.integers(0, classes - 1)))
    gone = draw(st.integers(0, n_rows - 1))
    return tables(values, target, gone)


def tables(values: Array, target: Any, gone: int) -> tuple[Rows, Rows]:
    frame, y = pd.DataFrame(values, columns=list(NAMES)), pd.Series(target, name="y")
    keep = [i for i in range(len(y)) if i != gone]
    return (
        Rows(frame, y),
        Rows(frame.iloc[keep].reset_index(drop=True), y.iloc[keep].reset_index(drop=True)),
    )


def changed(query: Query, pair: tuple[Rows, Rows], clip: float = 1.0) -> float:
    """Change of what was to be hidden, over the sensitivity that was stated."""
    recorders = [Recorder(), Recorder()]
    for recorder, rows in zip(recorders, pair, strict=True):
        context = recorder.context(clipping_norm=clip)
        context.purpose = (0, 1, "mercy")
        with np.errstate(over="ignore", invalid="ignore"):
            query.compute(rows, context)
        assert query.releases(len(rows)) == Releases(1)
        assert len(recorder.values) == 1
    assert recorders[0].scales == recorders[1].scales
    with np.errstate(invalid="ignore"):
        difference = recorders[0].values[0] - recorders[1].values[0]
    return float(np.linalg.norm(difference) / recorders[0].scales[0])


# What rounding of sums of values of size 1 leaves.
ROUNDED = 1 + 1e-9
NORMS = st.floats(0.01, 10)
KINDS: list[tuple[Differentiable, int]] = [
    (fl.LogisticRegression(), 2),
    (fl.LogisticRegression(), 3),
    (fl.SVC(kernel="linear"), 3),
    (fl.LinearRegression(), 2),
]


# R14
@pytest.mark.parametrize(("model", "classes"), KINDS, ids=lambda value: str(value)[:20])
@settings(max_examples=30)
@given(
    data=st.data(), clip=st.floats(0.01, 10), norm=st.floats(0.01, 10), share=st.floats(0.1, 0.9)
)
def test_a_row_changes_gradient_and_curvature_together_by_at_most_one(
    model: Differentiable, classes: int, data: st.DataObject, clip: float, norm: float, share: float
) -> None:
    pair = data.draw(pairs(classes=classes))
    space = space_of(tuple(range(classes)))
    start = model.init(space)
    at = start.like(
        data.draw(arrays.arrays(np.float64, start.vector.size, elements=st.floats(-3, 3)))
    )
    query = NewtonStep(
        model=model, space=space, parameters=at, curvature_norm=norm, curvature_share=share
    )
    # Squares past the largest double are not finite, and never leave; see below.
    assert not changed(query, pair, clip) > ROUNDED


@pytest.mark.parametrize(("model", "classes"), KINDS, ids=lambda value: str(value)[:20])
def test_where_nothing_is_clipped_the_hidden_sums_are_the_exact_ones(
    model: Differentiable, classes: int
) -> None:
    random = np.random.default_rng(1)
    rows, _ = tables(random.normal(size=(40, 3)), random.integers(0, classes, 40), 0)
    space = space_of(tuple(range(classes)))
    at = model.init(space)
    at = at.like(random.normal(size=at.vector.size))
    query = NewtonStep(model=model, space=space, parameters=at, curvature_norm=1e6)
    exact = query.compute(rows, Context((0,)))
    hidden = query.compute(rows, Recorder().context(clipping_norm=1e6))
    assert isinstance(exact, Slope)
    assert isinstance(hidden, Slope)
    np.testing.assert_allclose(hidden.gradient.vector, exact.gradient.vector, atol=1e-9)
    np.testing.assert_allclose(hidden.hessian, exact.hessian, atol=1e-9)
    # The loss has no bound, so it stays.
    assert (hidden.loss, exact.variance) == (0.0, 0.0)
    assert query.accepts(hidden)


@pytest.mark.parametrize(("model", "classes"), KINDS, ids=lambda value: str(value)[:20])
@settings(max_examples=15)
@given(seed=st.integers(0, 999), limit=NORMS, size=st.sampled_from([0.1, 1.0, 30.0]))
def test_hessians_clipped_all_at_once_are_those_clipped_row_by_row(
    model: Differentiable, classes: int, seed: int, limit: float, size: float
) -> None:
    random = np.random.default_rng(seed)
    rows, _ = tables(size * random.normal(size=(9, 3)), random.integers(0, classes, 9), 0)
    space = space_of(tuple(range(classes)))
    x, y = rows.arrays(space, model.reads)
    at = model.init(space)
    at = at.like(random.normal(size=at.vector.size))
    total, factors = clipped_curvature(model, at, x, y, limit)
    by_row = np.zeros(model.curvature_shape(at))
    for i in range(len(y)):
        one = model.expansion(at, x[i : i + 1], y[i : i + 1])[2]
        by_row += factors[i] * one
        assert np.linalg.norm(factors[i] * one) <= limit * (1 + 1e-6)
        # And no more than it has to.
        assert factors[i] == 1 or np.linalg.norm(factors[i] * one) >= limit * (1 - 1e-6)
    np.testing.assert_allclose(total, by_row, rtol=1e-7, atol=1e-9 * limit)


@given(arrays.arrays(np.float64, (2, 4, 4), elements=st.floats(-1e6, 1e6)))
def test_packing_a_symmetric_matrix_keeps_its_frobenius_norm(values: Array) -> None:
    matrices = values + np.swapaxes(values, 1, 2)
    packed = pack_symmetric(matrices)
    assert np.linalg.norm(packed) == pytest.approx(np.linalg.norm(matrices))
    np.testing.assert_allclose(unpack_symmetric(packed, matrices.shape), matrices, rtol=1e-12)


def test_the_noise_on_a_hessian_is_symmetric_and_of_the_stated_variance() -> None:
    random = np.random.default_rng(2)
    rows, _ = tables(random.normal(size=(20, 3)), random.integers(0, 2, 20), 0)
    space = space_of()
    query = NewtonStep(model=MODEL, space=space, parameters=MODEL.init(space), curvature_norm=2.0)
    exact = query.compute(rows, Recorder().context(clipping_norm=1.5))
    noise, gradients, variances = [], [], set()
    for seed in range(400):
        context = Recorder().context(clipping_norm=1.5)
        context.noise, context.noise_multiplier = teaching_noise(np.random.default_rng(seed)), 3.0
        answer = query.compute(rows, context)
        assert isinstance(answer, Slope)
        assert isinstance(exact, Slope)
        assert (answer.hessian == answer.hessian.T).all()
        noise.append(answer.hessian - exact.hessian)
        gradients.append(answer.gradient.vector - exact.gradient.vector)
        variances.add(answer.variance)
    (variance,) = variances
    assert variance == pytest.approx((3.0 * 2.0) ** 2 / query.curvature_share)
    stacked = np.array(noise)
    on = np.einsum("kii->ki", stacked)
    assert on.var() == pytest.approx(variance, rel=0.15)
    assert stacked[:, 0, 1].var() == pytest.approx(variance / 2, rel=0.25)
    expected = (3.0 * 1.5) ** 2 / (1 - query.curvature_share)
    assert np.array(gradients).var() == pytest.approx(expected, rel=0.15)


SUMMED: list[tuple[Summed, int]] = [
    (fl.GaussianNB(), 3),
    (fl.BernoulliNB(), 2),
    (fl.KMeans(n_clusters=2, n_init=2), 2),
    (fl.PCA(n_components=2), 2),
]


# R14
@pytest.mark.parametrize(("model", "classes"), SUMMED, ids=lambda value: str(value)[:12])
@settings(max_examples=30)
@given(data=st.data(), clip=NORMS)
def test_a_row_changes_a_models_statistics_by_at_most_the_clipping_norm(
    model: Summed, classes: int, data: st.DataObject, clip: float
) -> None:
    pair = data.draw(pairs(classes=classes, gaps=model.reads == "nothing"))
    space = space_of(tuple(range(classes)), scaled=model.scaled)
    query = Statistics(model=model, space=space, parameters=model.init(space))
    assert not changed(query, pair, clip) > ROUNDED


def test_statistics_that_are_not_finite_do_not_leave() -> None:
    rows, _ = tables(np.full((3, 3), 1e200), np.zeros(3, dtype=int), 0)
    model, space = fl.PCA(n_components=1), space_of()
    query = Statistics(model=model, space=space, parameters=model.init(space))
    context = Recorder().context()
    context.noise = teaching_noise(np.random.default_rng(0))
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(PrivacyError, match="finite"):
        query.compute(rows, context)


def test_statistics_of_rows_that_are_not_clipped_are_the_exact_ones() -> None:
    random = np.random.default_rng(3)
    rows, _ = tables(random.normal(size=(30, 3)), random.integers(0, 2, 30), 0)
    for model, _ in SUMMED:
        space = space_of(scaled=model.scaled)
        query = Statistics(model=model, space=space, parameters=model.init(space))
        exact = query.compute(rows, Context((0,)))
        hidden = query.compute(rows, Recorder().context(clipping_norm=1e6))
        assert isinstance(exact, Sums)
        assert isinstance(hidden, Sums)
        np.testing.assert_allclose(hidden.values.vector, exact.values.vector, atol=1e-9)


# R14
@settings(max_examples=60)
@given(pairs(), arrays.arrays(np.float64, 3, elements=st.floats(-1e3, 1e3)))
@example(tables(np.array([[math.inf, -math.inf, math.nan]]), [0], 0), np.zeros(3))
def test_a_row_changes_the_moments_by_at_most_their_sensitivity(
    pair: tuple[Rows, Rows], center: Array
) -> None:
    assert changed(Moments(space_of().schema, center), pair) <= ROUNDED


def test_moments_within_the_ranges_are_the_exact_ones_and_the_noise_fits_each_of_them() -> None:
    random = np.random.default_rng(4)
    values = random.uniform(-2, 3, (50, 3))
    values[0, 0] = math.nan
    rows, _ = tables(values, np.zeros(50, dtype=int), 0)
    query = Moments(space_of().schema, np.array([0.0, 0.5, 40.0]))
    exact, hidden = query.compute(rows, Context((0,))), query.compute(rows, Recorder().context())
    assert isinstance(exact, MomentSums)
    assert isinstance(hidden, MomentSums)
    for name in ("count", "total", "squares"):
        np.testing.assert_allclose(getattr(hidden, name), getattr(exact, name), rtol=1e-9)
    noisy = Recorder().context()
    noisy.noise = teaching_noise(np.random.default_rng(0))
    assert query.accepts(query.compute(rows, noisy))


def test_moments_of_a_column_without_a_range_are_not_private() -> None:
    schema = Schema((Column("a", low=0.0, high=1.0), Column("b")), "y", (0, 1))
    assert Moments(schema, np.zeros(2)).releases(100) is None
    site = deal(numeric(40), [40], ranges={})[0]
    reply = ask(site, Moments(site.schema, np.zeros(3)), privacy=PROMISE)
    assert reply.refusal is not None
    assert reply.refusal.code == "no-sensitivity"


def cells(n_columns: int) -> st.SearchStrategy[Cells]:
    """All keys, or cells that overlap as no honest coordinator would ask."""
    everything = first_cells(n_columns)
    ones = np.zeros(2 * n_columns, dtype=np.int64)
    twice = Cells(np.repeat(np.arange(n_columns), 2), ones, ones + 32, ones)
    return st.sampled_from([everything, twice])


# R14
@pytest.mark.parametrize("reads", ["classes", "numbers"])
@pytest.mark.parametrize("half", [0.0, 0.3])
@settings(max_examples=20)
@given(data=st.data())
def test_a_row_changes_the_counts_of_cells_by_at_most_their_sensitivity(
    reads: Any, half: float, data: st.DataObject
) -> None:
    query = CountCells(
        space=space_of(scaled=False),
        reads=reads,
        cells=data.draw(cells(3 + (reads == "numbers"))),
        width=12,
        half=half,
    )
    assert changed(query, data.draw(pairs())) <= ROUNDED


def grown(n_trees: int, features: tuple[int, ...], *, repeated: bool) -> ForestHistogram:
    """Trees of one split each, whose leaves are open."""
    bins = Bins(np.array([0.0, 0.0, 0.0]), np.arange(4), np.full(3, 1.0))
    blank = np.full(2 * n_trees, -1)
    left = np.append(n_trees + 2 * np.arange(n_trees), blank).astype(np.int32)
    feature = np.append(np.arange(n_trees) % 3, blank).astype(np.int32)
    zeros = np.zeros(3 * n_trees)
    nodes = Nodes(feature, zeros.astype(np.int32), left, zeros.astype(np.uint8))
    leaves = np.arange(n_trees, 3 * n_trees)
    tree = np.repeat(np.arange(n_trees), 2)
    if repeated:
        leaves, tree = np.repeat(leaves, 2), np.repeat(tree, 2)
    sizes = np.array([len(features) - (i % 2) for i in range(len(leaves))])
    asked = np.concatenate([np.array(features[:size]) for size in sizes])
    return ForestHistogram(
        space=space_of(scaled=False),
        reads="classes",
        bins=bins,
        nodes=nodes,
        n_trees=n_trees,
        tree=tree,
        node=leaves,
        features=asked,
        begin=np.append(0, np.cumsum(sizes)),
    )


# R14
@settings(max_examples=20)
@given(pairs(), st.integers(1, 3), st.sampled_from([(0, 1), (0, 1, 2), (1, 1)]), st.booleans())
def test_a_row_changes_a_forests_histogram_by_at_most_its_sensitivity(
    pair: tuple[Rows, Rows], n_trees: int, features: tuple[int, ...], repeated: bool
) -> None:
    query = grown(n_trees, features, repeated=repeated)
    if len(set(features)) < len(features):
        # One feature twice is one row twice in a vector of cells, each counted.
        assert query._sensitivity() == pytest.approx(math.sqrt(n_trees * len(features)))
    assert changed(query, pair) <= ROUNDED


def test_noisy_histograms_are_whole_counts_and_their_totals_follow_from_them() -> None:
    random = np.random.default_rng(5)
    rows, _ = tables(random.normal(size=(60, 3)), random.integers(0, 2, 60), 0)
    query = grown(2, (0, 1, 2), repeated=False)
    context = Recorder().context()
    context.noise, context.noise_multiplier = teaching_noise(random), 2.0
    context.purpose = (0, 1, "mercy")
    answer = query.compute(rows, context)
    assert isinstance(answer, Histogram)
    assert query.accepts(answer)
    # Totals are sums over the noisy cells of one feature, so nothing exact goes beside them.
    first = query.bins.widths[query.features[0]]
    np.testing.assert_array_equal(answer.totals[0], answer.cells[:first].sum(axis=0))
    exact = query.compute(rows, Context((0, 1, "mercy")))
    assert isinstance(exact, Histogram)
    assert (answer.cells != exact.cells).mean() > 0.3
    counts = CountCells(
        space=space_of(scaled=False), reads="classes", cells=first_cells(3), width=12
    )
    counted = counts.compute(rows, context)
    assert isinstance(counted, CellCounts)
    assert counts.accepts(counted)


def test_a_bootstrap_and_a_target_of_numbers_are_not_answered_under_privacy() -> None:
    query = grown(1, (0, 0), repeated=False)
    assert msgspec.structs.replace(query, bootstrap=Bootstrap(0)).releases(50) is None
    assert msgspec.structs.replace(query, reads="numbers").releases(50) is None


@settings(max_examples=60)
@given(arrays.arrays(np.float64, (4, 3), elements=st.floats(-1e200, 1e200)), st.floats(1e-3, 1e3))
def test_a_clipped_sum_of_anything_is_no_longer_than_its_parts_allow(
    rows: Array, limit: float
) -> None:
    assert np.linalg.norm(clipped_sum(rows, limit)) <= 4 * limit * ROUNDED
    one = clipped_sum(rows, limit) - clipped_sum(rows[1:], limit)
    assert np.linalg.norm(one) <= limit * ROUNDED


# R15
@pytest.mark.parametrize(("model", "classes"), KINDS, ids=lambda value: str(value)[:20])
def test_no_rows_at_all_get_noise_and_no_error(model: Differentiable, classes: int) -> None:
    rows, _ = tables(np.zeros((0, 3)), np.zeros(0, dtype=int), 0)
    space = space_of(tuple(range(classes)))
    start = model.init(space)
    recorder = Recorder()
    newton = NewtonStep(model=model, space=space, parameters=start)
    newton.compute(rows, recorder.context())
    # A Poisson sample of a step may be empty, too.
    fit = LocalFit(model=model, space=space, parameters=start, penalty=0.0, learning_rate=1.0)
    nothing = (np.zeros((0, 3)), np.zeros(0, dtype=int))
    fit._hidden_sum(start, *nothing, recorder.context(), PROMISE)
    assert [not values.any() for values in recorder.values] == [True, True]


def test_private_newton_of_no_signal_and_of_integers_gets_noise_and_goes_on() -> None:
    frame = numeric(60).assign(age=60, lab=0, smoker=0, died=([0, 1] * 30))
    run = fl.Federation(deal(frame, [30, 30])).train(
        MODEL, strategy=fl.FedNewton(), privacy=PROMISE
    )
    run.run(2, progress=False)
    assert (run.state.parameters.vector != 0).all()
    assert np.isfinite(run.state.parameters.vector).all()


def test_private_newton_with_little_noise_comes_close_to_the_exact_fit() -> None:
    frame = numeric(3000, seed=8)
    sites = deal(frame, [1500, 1000, 500])
    fed = fl.Federation(sites)
    privacy = RecordDP(epsilon=200.0, delta=1e-5, rounds=6, clipping_norm=20.0)
    run = fed.train(fl.LogisticRegression(C=math.inf), strategy=fl.FedNewton(), privacy=privacy)
    run.run(6, progress=False)
    from sklearn.linear_model import LogisticRegression

    pooled = rows_of(sites)
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    x = run.problem.space.matrix(pooled)
    oracle.fit(x, pooled["died"])
    gap = np.append(oracle.coef_[0], oracle.intercept_) - run.state.parameters.vector
    # What is left is the weight of rows whose curvature is clipped.
    assert np.abs(gap).max() < 0.25
    right = (x @ run.state.parameters["coef"] + run.state.parameters["intercept"] > 0) == (
        pooled["died"] == 1
    )
    assert right.mean() > oracle.score(x, pooled["died"]) - 0.01
    assert {event.count for event in run.rounds[-1].charges.values()} == {1}


# R16
def test_a_real_site_hides_newton_steps_by_noise_of_the_system(tmp_path: Path) -> None:
    sites = deal(numeric(80, seed=9), [80], home=tmp_path)
    space = from_ranges(sites[0].schema)
    query = NewtonStep(model=MODEL, space=space, parameters=MODEL.init(space))
    answers = []
    for number in range(2):
        np.random.seed(0)  # noqa: NPY002  what must not matter
        reply = ask(sites[0], query, privacy=PROMISE, run=f"r{number}")
        answers.append(answer_of(reply))
    one, other = answers
    assert isinstance(one, Slope)
    assert isinstance(other, Slope)
    assert (one.hessian != other.hessian).all()
    assert (one.gradient.vector != other.gradient.vector).all()
    assert set(sites[0].ledger.frame["noise"]) == {"system"}


def test_a_private_slope_survives_a_secure_sum() -> None:
    space = space_of()
    random = np.random.default_rng(6)
    rows, _ = tables(random.normal(size=(20, 3)), random.integers(0, 2, 20), 0)
    query = NewtonStep(model=MODEL, space=space, parameters=MODEL.init(space))
    context = Recorder().context()
    context.noise = teaching_noise(random)
    answers = [query.compute(rows, context) for _ in range(3)]
    packed = [pack(answer, weight=1, bits=32, n_sites=3) for answer in answers]
    total = unpack(np.sum([p[0] for p in packed], axis=0), packed[0][1], weight=1, bits=32)
    assert isinstance(total, Slope)
    assert query.accepts(total)
    # Variances add up as the noise does.
    single = answers[0]
    assert isinstance(single, Slope)
    assert total.variance == pytest.approx(3 * single.variance)


def test_a_share_that_leaves_one_of_both_without_budget_is_refused() -> None:
    for share in (0.0, 1.0):
        with pytest.raises(TrainingError, match="curvature_share"):
            fl.FedNewton(curvature_share=share)
