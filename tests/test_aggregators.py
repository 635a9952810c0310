"""Rules that combine updates: by hand, by law, and against sites that send garbage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

import fedlab as fl
from fedlab.core.parameters import Array, Parameters
from fedlab.core.wire import decode, encode
from fedlab.errors import TrainingError
from fedlab.queries import Reply, Request, Update
from fedlab.strategies import (
    SCAFFOLD,
    Aggregator,
    Averaging,
    CentredClipping,
    Ditto,
    FedAdam,
    FedAvg,
    FedAvgM,
    FedNova,
    FedProx,
    FedSGD,
    GeometricMedian,
    Krum,
    Mean,
    Median,
    MultiKrum,
    NormClipping,
    Robust,
    TrimmedMean,
)
from tests.builders import OPEN, bits, deal, numeric


def combine(
    rule: Aggregator,
    values: Sequence[Any] | Array,
    weights: Sequence[float] | None = None,
    lost: int = 0,
) -> Array:
    """The rule on one vector a site, in the order of the sites' names."""
    updates = {f"s{i:02}": Parameters({"w": np.atleast_1d(v)}) for i, v in enumerate(values)}
    counts = weights or [1.0] * len(updates)
    return rule.combine(dict(zip(updates, counts, strict=True)), updates, lost=lost).vector


def rules(f: int) -> list[Robust]:
    """Every robust rule, providing for `f` bad sites."""
    return [
        Median(),
        TrimmedMean(f=f),
        Krum(f=f),
        MultiKrum(f=f, keep=2),
        GeometricMedian(),
        NormClipping(),
        NormClipping(bound=1.5),
        CentredClipping(),
        CentredClipping(radius=0.5),
    ]


every = pytest.mark.parametrize("position", range(len(rules(0))))
# Whole numbers, so that sums and distances are exact and ties are ties.
whole = arrays(np.float64, st.tuples(st.integers(7, 9), st.integers(1, 3)),
               elements=st.integers(-50, 50).map(float))  # fmt: skip
anything = st.floats(-1e12, 1e12, allow_nan=False)


@pytest.mark.parametrize(
    ("rule", "values", "expected"),
    [
        (Mean(), [0.1, 0.2, 0.6], 0.3),
        (Median(), [0.3, 9.0, 0.1], 0.3),
        (Median(), [0.3, 9.0, 0.1, 0.5], 0.4),
        (TrimmedMean(f=1), [0.3, 9.0, 0.1, 0.5, 0.4], 0.4),
        (TrimmedMean(f=2), [0.3, 9.0, 0.1, 0.5, -7.0], 0.3),
        (MultiKrum(f=0, keep=2), [0.2, 0.5, 1.0], 0.35),
        # Two neighbours count of five sites with f = 1. Squares: 0 has 1 + 9, 1 has 1 + 4, 3 has
        # 4 + 9, 7 has 16 + 36.
        (Krum(f=1), [0.0, 1.0, 3.0, 7.0, 90.0], 1.0),
        (MultiKrum(f=1, keep=3), [0.0, 1.0, 3.0, 7.0, 90.0], 4 / 3),
        # Norms 1, 2 and 8 become 1, 2 and 2.
        (NormClipping(bound=2.0), [1.0, 2.0, -8.0], 1 / 3),
        (NormClipping(), [1.0, 2.0, -8.0], 1 / 3),
        # About the median 2: -1, 0 and -10, of which the last becomes -3.
        (CentredClipping(radius=3.0, iterations=1), [1.0, 4.0, 2.0, 12.0, -8.0], 2 + 1 / 5),
        # In one dimension the geometric median is the median.
        (GeometricMedian(), [0.3, 9.0, 0.1], 0.3),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Aggregator) else "",
)
def test_rules_worked_by_hand(rule: Aggregator, values: list[float], expected: float) -> None:
    assert combine(rule, values)[0] == pytest.approx(expected, abs=1e-5)


def test_each_coordinate_has_its_own_median_and_trim() -> None:
    values = [[1.0, 30.0], [2.0, 10.0], [3.0, 20.0]]
    for rule in (Median(), TrimmedMean(f=1)):
        assert combine(rule, values).tolist() == [2.0, 20.0]


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 1.5, 0.5]])
def test_the_geometric_median_has_the_least_sum_of_distances(weights: Any) -> None:
    values = np.array([[0.0, 0.0], [2.0, 0.3], [0.4, 1.7], [1.2, 1.1]])
    counts = np.ones(4) if weights is None else np.array(weights)

    def total(point: Array) -> float:
        return float(counts @ np.linalg.norm(values - point, axis=1))

    found = combine(GeometricMedian(smoothing=1e-10), values, weights)
    best = minimize(
        total, [0.9, 0.9], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14}
    )
    assert total(found) <= best.fun + 1e-9
    np.testing.assert_allclose(found, best.x, atol=1e-5)


@pytest.mark.parametrize(
    "rule", [NormClipping(bound=1e3), CentredClipping(radius=1e3, iterations=1)], ids=str
)
def test_clipping_that_clips_nothing_is_the_weighted_mean(rule: Robust) -> None:
    values, weights = [[1.0, 4.0], [3.0, 0.0], [2.0, 2.0]], [1.0, 2.0, 5.0]
    expected = np.average(values, axis=0, weights=weights)
    np.testing.assert_allclose(combine(rule, values, weights), expected, rtol=0, atol=1e-12)


@every
def test_equal_updates_have_themselves_as_their_mean(position: int) -> None:
    rule = rules(0)[position]
    values = [[0.25, -1.0]] * 5
    expected = combine(Mean(), values)
    np.testing.assert_allclose(combine(rule, values), expected, rtol=0, atol=1e-12)


def test_the_trimmed_mean_that_trims_nothing_is_the_mean() -> None:
    values = [[0.1, 0.7], [0.9, 0.3], [0.4, 0.2]]
    expected = combine(Mean(), values)
    np.testing.assert_allclose(combine(TrimmedMean(f=0), values), expected, rtol=0, atol=1e-15)


# R21
@every
@given(values=whole, data=st.data())
def test_the_names_of_sites_play_no_part(position: int, values: Array, data: Any) -> None:
    rule = rules(2)[position]
    order = data.draw(st.permutations(range(len(values))))
    np.testing.assert_allclose(
        combine(rule, values[list(order)]), combine(rule, values), rtol=0, atol=1e-4
    )


# R21, but for the rule that clips about zero, as its docstring says.
@pytest.mark.parametrize(
    "position", [i for i, rule in enumerate(rules(0)) if not isinstance(rule, NormClipping)]
)
@given(values=whole, shift=st.integers(-1000, 1000))
def test_what_moves_all_sites_moves_the_result(position: int, values: Array, shift: int) -> None:
    rule = rules(2)[position]
    np.testing.assert_allclose(
        combine(rule, values + shift), combine(rule, values) + shift, rtol=0, atol=1e-4
    )


# R21
@every
@pytest.mark.parametrize("sent", [np.nan, np.inf, -np.inf, 1e30, -1e30, 1e200])
def test_garbage_from_f_sites_equals_their_exclusion(position: int, sent: float) -> None:
    random = np.random.default_rng(2)
    honest = random.normal(0.1, 0.2, (5, 3))
    one_bad = random.normal(0.1, 0.2, 3)
    one_bad[1] = sent
    all_bad = np.full(3, sent)
    mixed = np.vstack([honest[:2], [one_bad], honest[2:], [all_bad]])
    with_f, without = rules(2)[position], rules(0)[position]
    assert combine(with_f, mixed).tobytes() == combine(without, honest).tobytes()
    # A site that sent nothing at all is one of the f as well.
    assert combine(with_f, honest, lost=2).tobytes() == combine(without, honest).tobytes()


# R21
@given(values=whole, bad=st.lists(anything, min_size=2, max_size=2))
def test_coordinate_rules_stay_in_the_honest_range(values: Array, bad: list[float]) -> None:
    for rule in (Median(), TrimmedMean(f=2)):
        found = combine(rule, np.vstack([values, *(np.full(values.shape[1], b) for b in bad)]))
        assert (values.min(axis=0) <= found).all()
        assert (found <= values.max(axis=0)).all()


@given(
    values=whole,
    bad=st.lists(st.floats(1e4, 1e12) | st.floats(-1e12, -1e4), min_size=2, max_size=2),
)
def test_far_garbage_is_never_chosen_nor_followed(values: Array, bad: list[float]) -> None:
    both = np.vstack([values, *(np.full(values.shape[1], b) for b in bad)])
    low, high = values.min(axis=0), values.max(axis=0)
    for rule in (Krum(f=2), MultiKrum(f=2, keep=2)):
        found = combine(rule, both)
        assert (low <= found).all()
        assert (found <= high).all()
    # With 2 of at least 9 sites bad the geometric median is no further from the honest centre than
    # 2 (1 - a) / (1 - 2 a) times the farthest honest site, a = 2/9 (Pillutla et al., section 2).
    centre = values.mean(axis=0)
    reach = np.linalg.norm(values - centre, axis=1).max()
    distance = np.linalg.norm(combine(GeometricMedian(), both) - centre)
    assert distance <= 2 * (7 / 9) / (5 / 9) * reach + 1e-3


@given(values=whole, bad=st.lists(anything, min_size=3, max_size=3))
def test_clipping_bounds_how_far_a_site_pulls(values: Array, bad: list[float]) -> None:
    both = np.vstack([values, *(np.full(values.shape[1], b) for b in bad)])
    assert np.linalg.norm(combine(NormClipping(bound=2.0), both)) <= 2 + 1e-9
    moved = combine(CentredClipping(radius=2.0, iterations=3), both) - np.median(both, axis=0)
    assert np.linalg.norm(moved) <= 6 + 1e-6


def test_garbage_is_named_with_its_reason() -> None:
    updates = {
        "good": Parameters({"w": [0.1, -0.2], "b": 0.0}),
        "fine": Parameters({"w": [0.3, 0.1], "b": 0.1}),
        "nan": Parameters({"w": [0.1, np.nan], "b": 0.0}),
        "huge": Parameters({"w": [0.1, 0.1], "b": 1e30}),
        "large": Parameters({"w": [1e3, 0.1], "b": 0.0}),
    }
    assert Median().excluded(updates) == {
        "nan": "values that are not finite",
        "huge": "values beside which the other sites vanish",
    }
    assert Mean().excluded(updates) == {}


def test_a_round_of_garbage_alone_is_an_error() -> None:
    with pytest.raises(TrainingError, match="At least one site must send a usable update"):
        combine(Median(), [np.nan, np.inf, np.nan])


# R22
@pytest.mark.parametrize(
    ("rule", "n_sites", "needed"),
    [
        (TrimmedMean(f=2), 4, "at least 5 sites"),
        (Krum(f=1), 4, "at least 5 sites"),
        (Krum(f=0), 2, "at least 3 sites"),
        (MultiKrum(f=2, keep=1), 6, "at least 7 sites"),
        (MultiKrum(f=1, keep=5), 5, "can keep at most 4 of 5 sites"),
    ],
    ids=str,
)
def test_too_few_sites_for_f_are_refused_before_anyone_is_asked(
    rule: Robust, n_sites: int, needed: str
) -> None:
    with pytest.raises(TrainingError, match=needed):
        combine(rule, [0.1 * i for i in range(n_sites)])
    sites = deal(numeric(20 * n_sites), [20] * n_sites)
    run = fl.Federation(sites).train(
        fl.LogisticRegression(), strategy=FedAvg(aggregator=rule), evaluate=False
    )
    asked = [len(site.audit.frame) for site in sites]
    with pytest.raises(TrainingError, match=needed):
        run.step()
    assert [len(site.audit.frame) for site in sites] == asked


# R22
@pytest.mark.parametrize(
    ("kind", "options", "rule"),
    [
        (TrimmedMean, {"f": -1}, "f must be a whole number of at least 0"),
        (TrimmedMean, {"f": 0.1}, "f must be a whole number of at least 0"),
        (Krum, {"f": True}, "f must be a whole number of at least 0"),
        (MultiKrum, {"f": 0, "keep": 0}, "keep must be a whole number of at least 1"),
        (GeometricMedian, {"smoothing": 0.0}, "smoothing must be positive"),
        (GeometricMedian, {"iterations": 0}, "iterations must be a whole number"),
        (NormClipping, {"bound": 0.0}, "bound must be positive"),
        (CentredClipping, {"radius": np.nan}, "radius must be positive"),
        (CentredClipping, {"iterations": 1.5}, "iterations must be a whole number"),
    ],
)
def test_arguments_out_of_range_are_refused(
    kind: type[Any], options: dict[str, Any], rule: str
) -> None:
    with pytest.raises(TrainingError, match=rule):
        kind(**options)


class Liar(fl.Site):
    """A site that makes its update a million times as long and turns it round."""

    factor = -1e6

    def answer(self, request: Request) -> Reply:
        reply = super().answer(request)
        if isinstance(reply.answer, Update):
            answer = msgspec.structs.replace(reply.answer, delta=self.factor * reply.answer.delta)
            return msgspec.structs.replace(reply, answer=answer)
        return reply


class Shouter(Liar):
    """A site whose updates are beyond all measure."""

    factor = 1e30


def ward(names: str = "abcdefg", bad: Mapping[str, type[fl.Site]] | None = None) -> fl.Federation:
    sites = []
    for i, name in enumerate(names):
        kind = (bad or {}).get(name, fl.Site)
        sites.append(kind(name, numeric(60, seed=i), target="died", test_size=0, policy=OPEN))
    return fl.Federation(sites, seed=3)


STRATEGIES: list[type[Averaging]] = [
    FedSGD,
    FedAvg,
    FedAvgM,
    FedProx,
    SCAFFOLD,
    FedNova,
    FedAdam,
    Ditto,
]
ROBUST: list[Robust] = [
    Median(),
    TrimmedMean(f=2),
    Krum(f=2),
    MultiKrum(f=2, keep=3),
    GeometricMedian(),
    NormClipping(),
    CentredClipping(),
]


@pytest.mark.parametrize("rule", ROBUST, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("kind", STRATEGIES)
def test_every_strategy_learns_under_every_rule_beside_two_liars(
    kind: type[Averaging], rule: Robust
) -> None:
    def loss(strategy: Averaging, fed: fl.Federation) -> float:
        run = fed.train(fl.LogisticRegression(), strategy=strategy, evaluate=False)
        run.run(4, progress=False)
        return sum(
            float(run.problem.differentiable.losses(run.state.parameters, *rows).mean())
            for rows in (
                site._rows["train"].arrays(run.problem.space, "classes") for site in honest
            )
        ) / len(honest)

    fed = ward(bad={"b": Liar, "e": Liar})
    honest = [site for name, site in fed._connection.by_name.items() if name not in "be"]  # type: ignore[attr-defined]
    assert loss(kind(aggregator=rule), fed) < 0.69
    if kind is not FedAdam:
        # Adam bounds what a round can do by itself.
        assert loss(kind(), fed) > 2


def test_a_site_that_shouts_is_left_out_and_named() -> None:
    strategy = FedAvg(aggregator=TrimmedMean(f=1))
    run = ward(bad={"c": Shouter}).train(fl.LogisticRegression(), strategy=strategy, evaluate=False)
    done = run.step()
    assert done.excluded == {"c": "values beside which the other sites vanish"}
    usable = {site: answer for site, answer in done.answers.items() if site != "c"}
    again = strategy.combine(run.problem, run.rounds[0].state, usable)
    assert bits(again.parameters) == bits(run.state.parameters)
    plain = [answer.delta.vector for answer in usable.values() if isinstance(answer, Update)]
    np.testing.assert_allclose(run.state.parameters.vector, np.mean(plain, axis=0), atol=1e-15)


def test_garbage_touches_no_control_variate() -> None:
    run = ward(bad={"c": Shouter}).train(
        fl.LogisticRegression(), strategy=SCAFFOLD(aggregator=Median()), evaluate=False
    )
    run.run(2, progress=False)
    assert not run.state.carried["c"].any()
    assert run.state.carried["a"].any()


def test_how_many_bad_sites_a_rule_tolerates() -> None:
    run = ward().train(fl.LogisticRegression(), strategy=FedAvg(), evaluate=False)

    def tolerated(rule: Aggregator, **options: Any) -> int:
        return FedAvg(aggregator=rule, **options).tolerates(run.problem, run.state)

    assert tolerated(Mean()) == 0
    assert tolerated(Krum(f=2)) == tolerated(TrimmedMean(f=2)) == 2
    assert tolerated(Median()) == tolerated(GeometricMedian()) == 3
    assert tolerated(Median(), site_fraction=0.5) == 1
    assert fl.FedNewton().tolerates(run.problem, run.state) == 0


def test_coalitions_of_any_size_have_a_worth() -> None:
    for rule in (Median(), TrimmedMean(f=1), Krum(f=1), MultiKrum(f=1, keep=2)):
        run = ward("abcde").train(fl.LogisticRegression(), strategy=FedAvg(aggregator=rule))
        done = run.step()
        for size in range(1, 6):
            some = dict(list(done.answers.items())[:size])
            moved = run.strategy.combine(run.problem, run.rounds[0].state, some)
            assert np.isfinite(moved.parameters.vector).all()


@pytest.mark.parametrize("rule", [Mean(), *ROBUST], ids=lambda rule: type(rule).__name__)
def test_a_rule_travels_with_its_strategy(rule: Aggregator) -> None:
    strategy = FedNova(aggregator=rule)
    assert decode(encode(strategy), FedNova) == strategy
