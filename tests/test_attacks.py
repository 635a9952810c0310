"""Attacks work where nothing protects, and fail where something does; audits find what is broken.

Every oracle is independent: scikit-learn and scipy for figures, brute force for bounds, the rows
that a simulation knows for what was read from updates.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.neural_network import MLPClassifier, MLPRegressor

import fedlab as fl
import fedlab.attacks as attacks
from fedlab.attacks.membership import likelihood_ratios
from fedlab.attacks.one_run import tail_bound
from fedlab.attacks.roc import area, curve, exact_interval, rates_at
from fedlab.core.parameters import Array
from fedlab.core.schema import Column, Schema
from fedlab.core.space import unscaled
from fedlab.datasets._breast import RANGES
from fedlab.engines import InProcess
from fedlab.errors import DataError, FedlabError, PrivacyError, TrainingError
from fedlab.privacy import Event, RecordDP, epsilon_spent
from fedlab.queries import Context, LocalFit, Update
from tests.builders import OPEN, bits, numeric

ONE = RecordDP(epsilon=1.0, delta=1e-5)


def breast() -> pd.DataFrame:
    found = load_breast_cancer(as_frame=True)
    renamed = found.data.rename(columns=lambda name: name.replace(" ", "_"))
    frame: pd.DataFrame = renamed.assign(malignant=1 - found.target)
    return frame


def diabetes() -> pd.DataFrame:
    found = load_diabetes(as_frame=True, scaled=False)
    frame: pd.DataFrame = found.data.assign(worse=(found.target > 140).astype(int))
    return frame


def wide(n_rows: int = 120, n_genes: int = 80) -> pd.DataFrame:
    """More parameters than rows in training, so that they can be learned by heart."""
    random = np.random.default_rng(4)
    genes = random.normal(size=(n_rows, n_genes))
    ill = random.random(n_rows) < 1 / (1 + np.exp(-genes[:, :5].sum(axis=1)))
    return pd.DataFrame(genes, columns=[f"gene_{i}" for i in range(n_genes)]).assign(ill=ill * 1)


# Membership inference

scored = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=4, max_size=60).filter(
    lambda pairs: len({flag for _, flag in pairs}) == 2
)


@given(pairs=scored)
def test_the_area_and_the_curve_are_those_of_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    scores, members = np.array([s for s, _ in pairs], float), np.array([m for _, m in pairs])
    middle, low, high = area(scores, members)
    assert middle == pytest.approx(roc_auc_score(members, scores), abs=1e-12)
    assert 0 <= low <= middle <= high <= 1
    false, true, _ = roc_curve(members, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve(scores, members), np.column_stack([false, true]), atol=1e-12)


def test_the_interval_of_the_area_is_delongs() -> None:
    random = np.random.default_rng(1)
    members = random.random(60) < 0.4
    scores = (random.normal(size=60) + 0.8 * members).round(1)
    # The structural components by their definition, pair by pair.
    pairs = np.array(
        [[(a > b) + 0.5 * (a == b) for b in scores[~members]] for a in scores[members]]
    )
    variance = (
        pairs.mean(axis=1).var(ddof=1) / pairs.shape[0]
        + pairs.mean(axis=0).var(ddof=1) / pairs.shape[1]
    )
    middle, low, high = area(scores, members, confidence=0.9)
    reach = norm.ppf(0.95) * math.sqrt(variance)
    assert (low, high) == pytest.approx((middle - reach, middle + reach), abs=1e-12)


@pytest.mark.parametrize(("count", "of"), [(0, 7), (3, 7), (7, 7), (50, 90)])
def test_intervals_of_shares_are_exact(count: int, of: int) -> None:
    oracle = binomtest(count, of).proportion_ci(0.9, method="exact")
    assert exact_interval(count, of, 0.9) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


def test_a_rate_is_read_at_a_threshold_that_spares_enough_others() -> None:
    scores = np.array([9.0, 8.0, 7.0, 6.0, 5.0, 4.0])
    members = np.array([True, False, True, True, False, True])
    assert [rate for rate, *_ in rates_at(scores, members, (0.4, 0.5, 0.99))] == [0.25, 0.75, 0.75]


@pytest.mark.parametrize("n_shadows", [6, 80])
def test_likelihood_ratios_are_those_of_gaussians(n_shadows: int) -> None:
    random = np.random.default_rng(2)
    shadows = random.normal(size=(n_shadows, 5)) * np.arange(1, 6)
    inside = np.array([random.permutation(n_shadows) < n_shadows // 2 for _ in range(5)]).T
    observed = random.normal(size=5)
    spread = {
        flag: np.array([shadows[inside[:, i] == flag, i].std(ddof=1) for i in range(5)])
        for flag in (True, False)
    }
    if n_shadows < 64:
        spread = {flag: np.full(5, math.sqrt((each**2).mean())) for flag, each in spread.items()}
    expected = [
        norm.logpdf(observed[i], shadows[inside[:, i], i].mean(), spread[True][i])
        - norm.logpdf(observed[i], shadows[~inside[:, i], i].mean(), spread[False][i])
        for i in range(5)
    ]
    np.testing.assert_allclose(likelihood_ratios(observed, shadows, inside), expected, rtol=1e-9)


def test_membership_is_found_where_rows_were_learned_by_heart_and_not_under_privacy() -> None:
    table = wide()
    options: dict[str, Any] = {"target": "ill", "n_shadows": 8, "seed": 3}
    model = fl.LogisticRegression(C=1e6)
    exact = attacks.FederatedRecipe(model=model, strategy=fl.FedNewton(), rounds=8)
    naked = attacks.membership_inference(exact, table, **options)
    assert naked.frame["lower"]["AUC"] > 0.95
    assert naked.frame["lower"]["TPR at 0.01 FPR"] > 0.5
    private = attacks.FederatedRecipe(
        model=model,
        strategy=fl.FedAvg(batch_size=None),
        rounds=5,
        privacy=RecordDP(epsilon=1.0, delta=1e-5, rounds=5),
        ranges=dict.fromkeys(table.columns.drop("ill"), (-4.0, 4.0)),
    )
    covered = attacks.membership_inference(private, table, **options)
    assert covered.frame["lower"]["AUC"] < 0.5 < covered.frame["upper"]["AUC"]
    assert covered.auc < 0.6
    assert "ε = 1" in covered.notes[0]


def test_a_deep_forest_tells_its_rows_and_a_regular_regression_does_not() -> None:
    table = diabetes()
    deep = attacks.FederatedRecipe(model=fl.RandomForestClassifier(), rounds=20)
    forest = attacks.membership_inference(deep, table, target="worse", n_shadows=8)
    assert forest.frame["lower"]["AUC"] > 0.65
    plain = attacks.FederatedRecipe(
        model=fl.LogisticRegression(C=0.1), strategy=fl.FedNewton(), rounds=5
    )
    regular = attacks.membership_inference(plain, table, target="worse", n_shadows=16)
    assert regular.frame["lower"]["AUC"] < 0.5 < regular.frame["upper"]["AUC"]


def test_one_seed_one_attack() -> None:
    options: dict[str, Any] = {"target": "worse", "n_shadows": 4, "at": (0.1,)}
    recipe = ExtraTreesClassifier(5)
    one, two = (attacks.membership_inference(recipe, diabetes(), **options) for _ in range(2))
    other = attacks.membership_inference(recipe, diabetes(), seed=1, **options)
    pd.testing.assert_frame_equal(one.frame, two.frame)
    assert not one.roc.equals(other.roc)


# Gradient inversion


def query_of(n_features: int, start: Array, penalty: float) -> tuple[Any, LocalFit]:
    columns = tuple(Column(f"x{i}", "number") for i in range(n_features))
    space, model = unscaled(Schema(columns, "died", (0, 1))), fl.LogisticRegression()
    parameters = model.init(space).like(start)
    return model, LocalFit(
        model=model, space=space, parameters=parameters, penalty=penalty, learning_rate=0.3
    )


@given(data=st.data(), label=st.integers(0, 1), penalty=st.floats(0, 2))
def test_any_record_is_read_from_any_start(data: Any, label: int, penalty: float) -> None:
    x = np.array(data.draw(st.lists(st.floats(-3, 3), min_size=1, max_size=6)))
    start = data.draw(st.lists(st.floats(-1, 1), min_size=len(x) + 1, max_size=len(x) + 1))
    model, query = query_of(len(x), np.array(start), penalty)
    gradient = model.gradient(query.parameters, x[None], np.array([label]))
    step = gradient + penalty * model.penalised(query.parameters)
    found, told = attacks.invert(query, -0.3 * step)
    # A slope next to 0, where the model was sure already, leaves fewer digits.
    slope = abs(float(gradient["intercept"]))
    np.testing.assert_allclose(found, x, rtol=0, atol=1e-12 / min(slope, 1.0) * 100)
    assert told == label


def digits() -> pd.DataFrame:
    table = load_digits(as_frame=True).frame
    frame: pd.DataFrame = table.assign(target=[f"digit {label}" for label in table["target"]])
    return frame


KINDS: dict[str, Callable[[], tuple[Any, pd.DataFrame, str]]] = {
    "logistic": lambda: (fl.LogisticRegression(), breast(), "malignant"),
    "softmax": lambda: (fl.LogisticRegression(), digits(), "target"),
    "linear": lambda: (fl.LinearRegression(), breast().drop(columns="malignant"), "mean_area"),
    "network": lambda: (
        fl.SklearnModel(MLPClassifier((20, 20), solver="sgd")), breast(), "malignant"
    ),
    "network of numbers": lambda: (
        fl.SklearnModel(MLPRegressor(hidden_layer_sizes=(40,), solver="sgd", momentum=0.5)),
        diabetes(),
        "bmi",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_read_from_its_own_update_and_not_from_a_sum(kind: str) -> None:
    model, table, target = KINDS[kind]()
    found = attacks.gradient_inversion(model, table, target=target, n_records=5, seed=2).frame
    assert found["largest_error"]["none"] < 1e-8
    # Two digits can hardly be told apart by a mean of five, so their mixture is not far off.
    assert found["median_error"]["secure sum"] > 0.5 * found["guessing"]["none"]
    if kind in ("logistic", "softmax"):
        assert found["labels_right"]["none"] == 1


def test_noise_hides_the_record_better_than_not_knowing_it() -> None:
    found = attacks.gradient_inversion(
        fl.LogisticRegression(),
        breast(),
        target="malignant",
        privacy=RecordDP(epsilon=2.0, delta=1e-5, rounds=10),
        ranges=RANGES,
        n_records=8,
    )
    assert found.frame["largest_error"]["none"] < 1e-8
    assert found.frame["median_error"]["record privacy"] > found.frame["guessing"]["none"]
    assert (found.errors["record privacy"] > 1e6 * found.errors["none"]).all()


def test_records_with_categories_are_read_too() -> None:
    table = numeric(40).assign(ward=["north", "south"] * 20)
    found = attacks.gradient_inversion(
        fl.LogisticRegression(), table, target="died", n_records=4
    ).frame
    assert found["largest_error"]["none"] < 1e-8


# Attribute inference


def test_a_model_that_knows_rows_by_heart_tells_an_attribute_that_imputation_does_not() -> None:
    options: dict[str, Any] = {"target": "worse", "attribute": "sex", "n_models": 3}
    by_heart = attacks.attribute_inference(ExtraTreesClassifier(30), diabetes(), **options)
    shares = by_heart.frame
    assert shares["lower"]["imputation and model"] > shares["members"]["imputation"] + 0.1
    assert by_heart.leak > 0.2
    # What it tells about others it does not owe to having seen them.
    assert shares["others"]["imputation and model"] < shares["others"]["imputation"] + 0.05
    table = diabetes()
    private = attacks.FederatedRecipe(
        model=fl.LogisticRegression(),
        strategy=fl.FedAvg(batch_size=None),
        rounds=5,
        privacy=RecordDP(epsilon=1.0, delta=1e-5, rounds=5),
        ranges=dict.fromkeys(table.columns.drop("worse"), (0.0, 400.0)),
    )
    covered = attacks.attribute_inference(private, table, **options)
    assert abs(covered.leak) < 0.05
    # The honest baseline is above chance: much of an attribute is known without any model.
    assert covered.frame["lower"]["imputation"] > covered.frame["members"]["most frequent value"]


# Audits


@pytest.mark.parametrize(("m", "r", "v"), [(1, 1, 1), (6, 4, 3), (8, 8, 8), (9, 5, 0)])
@pytest.mark.parametrize("epsilon", [0.0, 0.7, 2.0])
def test_the_bound_is_the_papers_worked_out_by_counting(
    m: int, r: int, v: int, epsilon: float
) -> None:
    right = math.exp(epsilon) / (1 + math.exp(epsilon))
    chance = [0.0] * (r + 1)
    for outcome in product((True, False), repeat=r):
        chance[sum(outcome)] += math.prod(right if won else 1 - right for won in outcome)
    beyond = sum(chance[v:])
    steps = [sum(chance[max(v - i, 0) : v]) / i for i in range(1, m + 1)]
    for delta in (0.0, 1e-3):
        expected = min(1.0, beyond + 2 * m * delta * max(steps))
        found = tail_bound(m, r, v, epsilon=epsilon, delta=delta)
        assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("r", "v"), [(100, 80), (1000, 730), (40, 40), (50, 20)])
def test_without_delta_the_bound_is_the_exact_interval_of_a_share(r: int, v: int) -> None:
    low = binomtest(v, r, alternative="greater").proportion_ci(0.95, method="exact").low
    expected = max(0.0, math.log(low / (1 - low)))
    found = attacks.epsilon_lower_bound(2 * r, r, v, delta=0.0)
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_bound_is_the_one_printed_in_the_paper() -> None:
    # Appendix D of Steinke et al.: 75 right guesses of 100 about 1000 canaries.
    found = attacks.epsilon_lower_bound(1000, 100, 75, delta=1e-4)
    assert found == pytest.approx(0.673, abs=5e-4)


@given(v=st.integers(0, 60), delta=st.sampled_from([0.0, 1e-6, 1e-4]))
def test_more_right_guesses_mean_more_epsilon_and_more_delta_means_less(
    v: int, delta: float
) -> None:
    def bound(right: int, delta: float) -> float:
        return attacks.epsilon_lower_bound(500, 60, right, delta=delta)

    assert bound(v, delta) <= bound(min(v + 1, 60), delta) + 1e-6
    assert bound(v, 2 * delta) <= bound(v, delta) + 1e-6


def test_the_bound_covers_randomized_response_as_often_as_it_says() -> None:
    # The mechanism for which the theorem is tight: each coin is told right with e^ε / (1 + e^ε).
    epsilon, m = 1.0, 1000
    right = np.random.default_rng(8).binomial(m, 1 / (1 + math.exp(-epsilon)), 400)
    bounds = np.array([attacks.epsilon_lower_bound(m, m, int(v), delta=0.0) for v in right])
    assert (bounds > epsilon).mean() < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)
    assert np.median(bounds) > 0.8 * epsilon


@pytest.mark.parametrize("noise_multiplier", [0.5, 1.0, 2.0])
def test_the_bound_stays_below_the_epsilon_of_a_gaussian_mechanism(noise_multiplier: float) -> None:
    delta, m = 1e-5, 2000
    epsilon = epsilon_spent([Event(noise_multiplier)], delta)
    bounds = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        present = random.random(m) < 0.5
        seen = present + random.normal(0, noise_multiplier, m)
        order = np.argsort(seen)
        right = (~present[order[:100]]).sum() + present[order[-100:]].sum()
        bounds.append(attacks.epsilon_lower_bound(m, 200, int(right), delta=delta))
    assert max(bounds) < epsilon
    assert np.median(bounds) > 0.2 * epsilon


# R20
def test_the_honest_build_keeps_below_its_claim_in_twenty_of_twenty_seeds() -> None:
    found = [attacks.privacy_audit(ONE, seed=seed) for seed in range(20)]
    assert all(audit.holds for audit in found)
    assert max(audit.lower_bound for audit in found) < 1
    # It sees something, or it would find nothing: right more often than a coin.
    assert np.mean([audit.frame["right"].iloc[0] for audit in found]) > 105


# R20: the broken build is made here, and nowhere else.
def test_noise_divided_by_three_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Context.release

    def broken(self: Context, values: Array, sensitivity: float) -> Array:
        return honest(self, values, sensitivity / 3)

    monkeypatch.setattr(Context, "release", broken)
    found = [attacks.privacy_audit(ONE, seed=seed) for seed in range(8)]
    assert sum(not audit.holds for audit in found) >= 7
    assert np.median([audit.lower_bound for audit in found]) > 1.2


def test_forgotten_clipping_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def unclipped(self: LocalFit, at: Any, x: Any, y: Any, context: Any, privacy: Any) -> Any:
        total = self.model.row_gradients(at, x, y).sum(axis=0)
        return at.like(context.release(total, sensitivity=privacy.clipping_norm))

    monkeypatch.setattr(LocalFit, "_hidden_sum", unclipped)
    assert not attacks.privacy_audit(ONE, n_canaries=200).holds


def test_rounds_and_samples_are_audited_as_they_are_accounted() -> None:
    privacy = RecordDP(epsilon=1.0, delta=1e-5, rounds=4)
    for batch in (1.0, 0.25):
        assert attacks.privacy_audit(privacy, n_canaries=1000, batch=batch).holds


def test_the_noise_of_real_sites_is_audited_too() -> None:
    real = attacks.privacy_audit(ONE, n_canaries=400, simulated=False)
    assert "one real site" in real.notes[0]
    # No seed decides it, so a chance of 1 in 20 of a false alarm must not be a failure.
    assert real.lower_bound < 2
    assert (
        real.scores["score"] != attacks.privacy_audit(ONE, n_canaries=400).scores["score"]
    ).all()


# Poisoning

HONEST = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 3.0]])
OWN = np.array([1.0, -2.0])


@pytest.mark.parametrize(
    ("poison", "expected"),
    [
        (attacks.LabelFlip(), [1.0, -2.0]),
        (attacks.SignFlip(scale=2.0), [-2.0, 4.0]),
        (attacks.ModelReplacement(), [2.5, -5.0]),
        (attacks.ModelReplacement(scale=10.0), [10.0, -20.0]),
        (attacks.ALIE(deviations=1.0), [2 - math.sqrt(2 / 3), 1 - math.sqrt(2)]),
        (attacks.IPM(epsilon=0.5), [-1.0, -0.5]),
    ],
    ids=str,
)
def test_poisons_worked_by_hand(poison: attacks.Poison, expected: list[float]) -> None:
    np.testing.assert_allclose(poison.sent(OWN, HONEST, 2), expected, atol=1e-12)


def test_a_little_is_as_much_as_the_paper_says() -> None:
    # Section 3.2 of Baruch et al.: 50 workers of whom 24 are corrupt, z = 1.43.
    assert round(attacks.ALIE.furthest(50, 24), 2) == 1.43
    assert attacks.ALIE.furthest(10, 3) == pytest.approx(norm.ppf(4 / 7))


def test_turned_labels_turn_back() -> None:
    frame = pd.DataFrame({"x": [1, 2, 3], "grade": pd.Categorical(["b", "a", "c"])})
    turned = attacks.flip_labels(frame, "grade")
    assert turned["grade"].tolist() == ["b", "c", "a"]
    pd.testing.assert_frame_equal(attacks.flip_labels(turned, "grade"), frame)


def ward(engine: Any = None, names: str = "abcdefg") -> fl.Federation:
    sites = [
        fl.Site(n, numeric(60, seed=ord(n)), target="died", test_size=0, policy=OPEN) for n in names
    ]
    return fl.Federation(sites, seed=3, engine=engine)


def stepped(engine: Any = None, names: str = "abcdefg", **options: Any) -> Any:
    run = ward(engine, names).train(
        fl.LogisticRegression(), strategy=fl.FedAvg(**options), evaluate=False
    )
    run.step()
    return run


def test_only_what_bad_sites_send_is_changed() -> None:
    plain = stepped().rounds[1].answers
    bad = {"b": attacks.SignFlip(scale=2.0), "e": attacks.IPM(epsilon=0.5)}
    seen = stepped(attacks.Hostile(bad)).rounds[1].answers
    for site in "acdfg":
        assert bits(seen[site].delta) == bits(plain[site].delta)
    assert bits(seen["b"].delta) == bits(-2.0 * plain["b"].delta)
    honest = np.mean([plain[site].delta.vector for site in "acdfg"], axis=0)
    np.testing.assert_allclose(seen["e"].delta.vector, -0.5 * honest, rtol=1e-12)


def test_a_hostile_line_works_over_bytes_and_in_any_order_of_sites() -> None:
    bad = {"b": attacks.ALIE(), "e": attacks.ALIE()}
    one = stepped(attacks.Hostile(bad))
    two = stepped(attacks.Hostile(bad, InProcess(wire=True, threads=2)), "gfedcba")
    assert bits(one.state.parameters) == bits(two.state.parameters)
    heard: list[Any] = []
    one.step(on_reply=heard.append)
    assert {reply.site for reply in heard} == set("abcdefg")
    sent = {reply.site: reply.answer for reply in heard if isinstance(reply.answer, Update)}
    assert bits(sent["b"].delta) == bits(sent["e"].delta)


def test_no_bad_site_changes_nothing() -> None:
    assert bits(stepped(attacks.Hostile({})).state.parameters) == bits(stepped().state.parameters)


# R23, R24
def test_bad_sites_spoil_the_mean_and_not_the_robust_rules() -> None:
    found = attacks.robustness_table(
        breast(), target="malignant", n_sites=9, n_bad=3, rounds=5, skew=1.0
    )
    accuracy: Any = found.frame
    assert list(accuracy.columns) == list(attacks.every_rule(9, 3))
    assert list(accuracy.columns) == [
        "mean", "median", "trimmed mean", "Krum", "multi-Krum", "geometric median",
        "norm clipping", "centred clipping",
    ]  # fmt: skip
    lines = ["none", "label flip", "sign flip", "model replacement", "ALIE", "IPM"]
    assert list(accuracy.index) == [(s, p) for s in ("IID", "Dirichlet(1)") for p in lines]
    iid = accuracy.loc["IID"]
    assert (iid.loc["none"] > 0.9).all()
    assert iid.loc["sign flip", "mean"] < 0.2
    assert iid.loc["model replacement", "mean"] < 0.6
    assert (iid.loc[["sign flip", "model replacement"]].drop(columns="mean") > 0.85).all(axis=None)
    assert any("secure sum hides" in note for note in found.notes)


# R23
def test_where_sites_differ_a_robust_rule_costs_accuracy_with_nobody_bad() -> None:
    rules = {"mean": fl.Mean(), "median": fl.Median(), "Krum": fl.Krum(f=3)}
    options: dict[str, Any] = {"target": "target", "rules": rules, "rounds": 12, "skew": 3.0}
    table = load_digits(as_frame=True).frame
    found: Any = attacks.robustness_table(table, poisons={"IPM": attacks.IPM()}, **options).frame
    assert (found.loc[("IID", "none")] > 0.85).all()
    price = found.loc[("Dirichlet(3)", "none"), "mean"] - found.loc[("Dirichlet(3)", "none")]
    assert price["median"] > 0.02
    assert price["Krum"] > 0.1
    # What looks like a rare kind of site gets past rules that pick.
    assert found.loc[("Dirichlet(3)", "IPM"), "median"] < found.loc[("IID", "IPM"), "median"] - 0.1


def test_a_run_that_cannot_go_on_counts_with_what_it_had() -> None:
    found = attacks.robustness_table(
        breast().iloc[:200],
        target="malignant",
        poisons={"beyond all measure": attacks.ModelReplacement(scale=1e308)},
        rules={"mean": fl.Mean(), "median": fl.Median()},
        n_sites=5,
        n_bad=1,
        rounds=3,
        seeds=(0, 1),
    )
    accuracy: Any = found.frame
    assert accuracy.loc[("IID", "beyond all measure"), "median"] > 0.8
    assert "ended before the last round" in found.notes[-1]
    assert found.deviation.shape == found.frame.shape


# Results and arguments


def results() -> list[attacks.AttackResult]:
    table = diabetes()
    return [
        attacks.membership_inference(
            LogisticRegression(max_iter=5000), table, target="worse", n_shadows=2
        ),
        attacks.gradient_inversion(fl.LogisticRegression(), table, target="worse", n_records=3),
        attacks.attribute_inference(
            ExtraTreesClassifier(5), table, target="worse", attribute="sex", n_models=1
        ),
        attacks.privacy_audit(ONE, n_canaries=40),
        attacks.robustness_table(
            table,
            target="worse",
            poisons={"<b>bold</b>": attacks.SignFlip()},
            rules={"$mean$": fl.Mean()},
            n_sites=3,
            n_bad=1,
            rounds=1,
        ),
    ]


# R30, R31
def test_every_result_has_a_table_a_figure_and_notes_and_holds_no_row() -> None:
    import plotly.graph_objects as go

    found = results()
    for result in found:
        page = result._repr_html_()
        assert page.count("<p>") == len(result.notes) >= 3
        assert result.title in repr(result)
        assert "<b>" not in page
        figure = result.plot()
        assert isinstance(figure, go.Figure)
        assert "<b>bold" not in figure.to_json().replace("\\u003c", "<")
        assert "$mean$" not in figure.to_json()
        said = " ".join(result.notes)
        assert "adversary" in said
        assert len(result.frame) <= 20
        assert said.startswith(("Attacked: ", "Audited: "))


TABLE = {"frame": numeric(60), "target": "died"}


@pytest.mark.parametrize(
    ("attack", "options", "kind", "rule"),
    [
        ("membership_inference", {"recipe": 3}, TrainingError, "a way of training"),
        ("membership_inference", {"recipe": LinearRegression()}, TrainingError, "probabilities"),
        ("membership_inference", {"recipe": LogisticRegression}, TrainingError, "the class"),
        ("membership_inference", {"n_shadows": 1}, TrainingError, "n_shadows"),
        ("membership_inference", {"at": (0.0,)}, TrainingError, "False-positive rates"),
        ("membership_inference", {"confidence": 1.0}, TrainingError, "confidence"),
        ("membership_inference", {"seed": -1}, TrainingError, "seed"),
        ("membership_inference", {"target": "x"}, DataError, "must be columns"),
        ("membership_inference", {"frame": [1, 2]}, DataError, "needs the table"),
        ("gradient_inversion", {"model": fl.RandomForestClassifier()}, TrainingError, "linear"),
        (
            "gradient_inversion",
            {"model": fl.SklearnModel(MLPClassifier())},
            TrainingError,
            "steps along the gradient",
        ),
        (
            "gradient_inversion",
            {"model": fl.SklearnModel(MLPClassifier(solver="sgd")), "privacy": ONE},
            PrivacyError,
            "gradients of single rows",
        ),
        ("gradient_inversion", {"privacy": ONE}, PrivacyError, "public range"),
        ("gradient_inversion", {"n_records": 2}, TrainingError, "n_records"),
        ("gradient_inversion", {"n_records": 60}, DataError, "at least 62 rows"),
        ("attribute_inference", {"attribute": "age"}, DataError, "2 to 20 values"),
        ("attribute_inference", {"attribute": "died"}, DataError, "must be a feature"),
        ("attribute_inference", {"n_models": 0}, TrainingError, "n_models"),
        ("privacy_audit", {"privacy": None}, PrivacyError, "needs a claim"),
        ("privacy_audit", {"n_canaries": 2}, TrainingError, "n_canaries"),
        ("privacy_audit", {"guess": 0.0}, PrivacyError, "guess must be a share"),
        ("privacy_audit", {"batch": 2.0}, PrivacyError, "batch must be a share"),
        ("robustness_table", {"n_bad": 5}, TrainingError, "Fewer than half"),
        ("robustness_table", {"rules": {}}, TrainingError, "needs rules"),
        ("robustness_table", {"rules": {"a": 1}}, TrainingError, "rules must be rules"),
        ("robustness_table", {"rules": {"k": fl.Krum(f=4)}}, TrainingError, "at least 11 sites"),
        ("robustness_table", {"poisons": {"a": 1}}, TrainingError, "needs a poison"),
        ("robustness_table", {"poisons": {"none": attacks.IPM()}}, TrainingError, "always there"),
        ("robustness_table", {"model": fl.LinearRegression()}, TrainingError, "classifier"),
        ("robustness_table", {"strategy": fl.FedNewton()}, TrainingError, "averaging strategy"),
        ("robustness_table", {"seeds": ()}, TrainingError, "each of seeds"),
        ("robustness_table", {"test_size": 1.0}, TrainingError, "test_size"),
    ],
)
def test_bad_arguments_are_refused_with_rule_and_remedy(
    attack: str, options: dict[str, Any], kind: type[FedlabError], rule: str
) -> None:
    usual: dict[str, dict[str, Any]] = {
        "membership_inference": {**TABLE, "recipe": LogisticRegression()},
        "gradient_inversion": {**TABLE, "model": fl.LogisticRegression()},
        "attribute_inference": {
            **TABLE, "recipe": LogisticRegression(), "attribute": "smoker"
        },
        "privacy_audit": {"privacy": ONE},
        "robustness_table": TABLE,
    }  # fmt: skip
    with pytest.raises(kind, match=rule) as caught:
        getattr(attacks, attack)(**{**usual[attack], **options})
    assert isinstance(caught.value, FedlabError)
    assert caught.value.remedy.endswith(".")


def test_poisons_recipes_and_lines_refuse_what_they_cannot_use() -> None:
    for make, rule in (
        (lambda: attacks.SignFlip(scale=0.0), "scale must be positive"),
        (lambda: attacks.ModelReplacement(scale=-1.0), "scale must be positive"),
        (lambda: attacks.ALIE(deviations=math.nan), "deviations must be positive"),
        (lambda: attacks.IPM(epsilon=0.0), "epsilon must be positive"),
        (lambda: ward(attacks.Hostile({"x": attacks.IPM()})), "must be one of the federation's"),
        (lambda: attacks.Hostile({"a": None}), "needs a poison"),  # type: ignore[dict-item]
        (lambda: attacks.FederatedRecipe(model=fl.LinearRegression()), "probabilities of classes"),
        (lambda: attacks.FederatedRecipe(model=fl.LogisticRegression(), rounds=0), "rounds"),
    ):
        with pytest.raises(TrainingError, match=rule):
            make()
    with pytest.raises(PrivacyError, match="more right guesses"):
        attacks.epsilon_lower_bound(10, 5, 6, delta=0.0)
    with pytest.raises(PrivacyError, match="delta"):
        attacks.epsilon_lower_bound(10, 5, 5, delta=1.0)


def test_the_lab_loads_nothing_heavy() -> None:
    heavy = ["plotly", "sklearn", "dp_accounting", "scipy.stats", "opendp"]
    code = f"import sys, fedlab.attacks; print(*sorted(set({heavy}) & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert run.stdout.split() == []
