"""A model's scores are tables of patients: small ones are not told, and bounds still hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, average_precision_score, brier_score_loss, roc_auc_score

import fedlab as fl
from fedlab.core.foreign import Feed, Part, Plan
from fedlab.core.schema import Column, Schema
from fedlab.core.wire import decode, encode
from fedlab.judging.bounds import bounds_of
from fedlab.judging.measures import between
from fedlab.privacy import Releases
from fedlab.queries import Answer, Query, Rows
from fedlab.queries.groups import Condition, Factor
from fedlab.queries.judge import Judging
from fedlab.queries.judge_confusion import Confusion, JudgeConfusion
from fedlab.queries.judge_scores import JudgeScores, ScoreTable
from fedlab.queries.judge_sums import ErrorSums, JudgeSums
from tests.builders import Recorder, answer_of, ask
from tests.travelling_judging import JUDGING

PLAN = Plan(feeds=(Feed(name="x", parts=(Part(column="score"),)),), output="y", reads="probability")
SEX = Factor(column="sex", values=("f", "m"))
MINIMUM = 11


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is the column of scores itself; how it is run is tested elsewhere."""

    def predicted(self: Judging, rows: Rows, kept: Any, context: Any) -> Any:
        scores = rows.features[kept][["score"]].to_numpy()
        return (scores > 0.5).astype(float) if self.plan.reads == "label" else scores

    monkeypatch.setattr(Judging, "predicted", predicted)


def people(scores: Any, classes: Any, sexes: Any) -> pd.DataFrame:
    """One row a patient."""
    return pd.DataFrame(
        {
            "score": np.asarray(scores, dtype=float),
            "sex": pd.Categorical(np.where(sexes, "m", "f"), ["f", "m"]),
            "died": np.asarray(classes, dtype=int),
        }
    )


def drawn(n_rows: int, seed: int, signal: float) -> pd.DataFrame:
    """Scores that know something of the class."""
    random = np.random.default_rng(seed)
    classes = (random.random(n_rows) < random.uniform(0.05, 0.6)).astype(int)
    scores = 1 / (1 + np.exp(-(random.normal(0, 1.2, n_rows) + signal * (classes - 0.5))))
    classes[:2] = 0, 1
    return people(scores, classes, random.random(n_rows) < random.uniform(0.02, 0.5))


def site_of(frame: pd.DataFrame, name: str = "mercy", **policy: Any) -> fl.Site:
    """A site of all these rows."""
    rules = fl.Policy(**{"minimum_rows": MINIMUM, **policy})
    return fl.Site(name, frame, target="died", test_size=0.0, policy=rules)


def told(site: fl.Site, *, factors: Any = (), where: Any = (), **options: Any) -> ScoreTable:
    """What a site says of its scores."""
    query = JudgeScores(
        schema=site.schema, file=b"", plan=PLAN, factors=factors, where=where, **options
    )
    answer = answer_of(ask(site, query))
    assert isinstance(answer, ScoreTable)
    assert query.accepts(answer)
    return answer


def fewest(counts: Any) -> float:
    """The smallest count that is told and not zero."""
    return min((each for each in np.ravel(counts) if each > 0), default=np.inf)


CASES = st.tuples(st.integers(25, 300), st.integers(0, 10**6), st.floats(0, 3))


@given(CASES, st.sampled_from([0.2, 0.5, 0.37]))
@settings(max_examples=40, deadline=None)
def test_no_block_and_no_class_of_few_patients_is_told(
    case: tuple[int, int, float], threshold: float
) -> None:
    frame = drawn(*case)
    answer = told(site_of(frame), factors=(SEX,), threshold=threshold)
    for table in (answer.lowest, answer.highest):
        assert fewest(table) >= MINIMUM
    assert fewest(answer.rows) >= MINIMUM
    np.testing.assert_array_equal(answer.lowest.sum(axis=2), answer.highest.sum(axis=2))
    # By subtraction neither: what is told of a group leaves none or enough.
    left = answer.rows - answer.lowest.sum(axis=(1, 2))
    assert fewest(left) >= MINIMUM


@given(CASES, st.sampled_from([0.2, 0.5]))
@settings(max_examples=40, deadline=None)
def test_figures_of_the_rows_lie_within_their_bounds(
    case: tuple[int, int, float], threshold: float
) -> None:
    frame = drawn(*case)
    answer = told(site_of(frame), threshold=threshold)
    query = JudgeScores(schema=SCHEMA, file=b"", plan=PLAN, threshold=threshold)
    unknown = float(answer.rows[0] - answer.lowest[0].sum())
    bounds = bounds_of(answer.lowest[0], answer.highest[0], unknown, query.edges, threshold)
    y, scores = frame["died"], frame["score"]
    wanted = {
        "accuracy": accuracy_score(y, scores > threshold),
        "auc": roc_auc_score(y, scores),
        "average_precision": average_precision_score(y, scores),
        "brier": brier_score_loss(y, scores),
        "prevalence": y.mean(),
        "selection_rate": (scores > threshold).mean(),
    }
    for name, value in wanted.items():
        low, high = bounds[name]
        assert low - 1e-9 <= value <= high + 1e-9, name


SCHEMA = Schema((Column("score"), Column("sex", "category", ("f", "m"))), "died", (0, 1))


@given(CASES)
@settings(max_examples=30, deadline=None)
def test_where_a_minimum_is_one_the_histogram_is_exact(case: tuple[int, int, float]) -> None:
    frame = drawn(*case)
    answer = told(site_of(frame, minimum_rows=1), factors=(SEX,))
    np.testing.assert_array_equal(answer.lowest, answer.highest)
    bins = np.clip(np.ceil(frame["score"] * 100) - 1, 0, 99).astype(int)
    for label in (0, 1):
        mine = (frame["died"] == label).to_numpy()
        wanted = np.bincount(bins[mine], minlength=100)
        np.testing.assert_array_equal(answer.lowest[0, label], wanted)
        women = mine & (frame["sex"] == "f").to_numpy()
        np.testing.assert_array_equal(answer.lowest[1, label].sum(), women.sum())


def test_suppressed_is_not_zero() -> None:
    scores = np.linspace(0.01, 0.99, 200)
    frame = people(scores, np.arange(200) % 2, np.arange(200) < 4)
    fed = fl.Federation(
        [
            site_of(frame),
            site_of(frame.assign(sex=pd.Categorical(["f"] * 200, ["f", "m"])), "other"),
        ]
    )
    assert fed.sites == ("mercy", "other")
    answer = told(site_of(frame), factors=(SEX,))
    # Men are few, so the women would give them away.
    np.testing.assert_array_equal(answer.shown, [1, 0, 0, 1, 1])
    np.testing.assert_array_equal(answer.rows, [200, 0, 0, 0, 0])
    alone = told(site_of(frame.assign(sex=pd.Categorical(["f"] * 200, ["f", "m"]))), factors=(SEX,))
    np.testing.assert_array_equal(alone.shown, [1, 1, 1, 1, 1])
    np.testing.assert_array_equal(alone.rows, [200, 200, 0, 0, 0])


def test_the_threshold_stays_a_boundary_where_both_sides_may_be_told() -> None:
    random = np.random.default_rng(0)
    scores = random.random(400)
    frame = people(scores, random.random(400) < 0.5, random.random(400) < 0.5)
    for threshold in (0.5, 0.31):
        answer = told(site_of(frame), threshold=threshold)
        query = JudgeScores(schema=SCHEMA, file=b"", plan=PLAN, threshold=threshold)
        cut = int(np.searchsorted(query.edges, threshold))
        for label in (0, 1):
            wanted = ((scores > threshold) & (frame["died"] == label)).sum()
            assert answer.lowest[0, label, cut:].sum() == wanted
            assert answer.highest[0, label, cut:].sum() == wanted


def test_a_condition_that_few_meet_or_fail_is_refused() -> None:
    frame = people(np.linspace(0, 1, 100), np.arange(100) % 2, np.zeros(100, int))
    site = site_of(frame)
    for low in (0.95, 0.05):
        query = JudgeScores(
            schema=site.schema,
            file=b"",
            plan=PLAN,
            where=(Condition(column="score", low=low),),
        )
        reply = ask(site, query)
        assert reply.refusal is not None
        assert reply.refusal.code == "cohort"


def test_a_second_question_that_tells_few_by_subtraction_is_refused() -> None:
    frame = people(np.linspace(0, 1, 100), np.arange(100) % 2, np.zeros(100, int))
    site = site_of(frame)
    options: dict[str, Any] = {"schema": site.schema, "file": b"", "plan": PLAN}
    codes = []
    for low in (0.3, 0.33, 0.3):
        reply = ask(site, JudgeScores(**options, where=(Condition(column="score", low=low),)))
        codes.append("answered" if reply.refusal is None else reply.refusal.code)
    assert codes[0] == codes[2] == "answered"
    assert codes[1] != "answered"


@given(CASES)
@settings(max_examples=25, deadline=None)
def test_no_small_cell_of_a_confusion_is_told(case: tuple[int, int, float]) -> None:
    frame = drawn(*case)
    site = site_of(frame)
    plan = Plan(feeds=PLAN.feeds, output="y", reads="label", labels=(0, 1))
    query = JudgeConfusion(schema=site.schema, file=b"", plan=plan, factors=(SEX,))
    answer = answer_of(ask(site, query))
    assert isinstance(answer, Confusion)
    assert query.accepts(answer)
    assert fewest(answer.counts) >= MINIMUM
    assert ((answer.cells == 1) | (answer.counts == 0)).all()


def test_sums_are_told_of_no_small_class_and_of_no_careful_site() -> None:
    frame = drawn(200, 3, 1.0).assign(died=(np.arange(200) < 5).astype(int))
    site = site_of(frame, error_sums=True)
    query = JudgeSums(schema=site.schema, file=b"", plan=PLAN)
    answer = answer_of(ask(site, query))
    assert isinstance(answer, ErrorSums)
    assert query.accepts(answer)
    assert (answer.sums[0] == 0).all()
    assert (answer.shown == 0).all()
    for careful in (site_of(frame), site_of(frame, minimum_rows=1, single_values=False)):
        reply = ask(careful, query)
        assert reply.refusal is not None
        assert reply.refusal.code == "values"


@pytest.mark.parametrize("kind", ["scores", "confusion"])
def test_noise_is_for_one_cell_of_everybody_and_of_each_factor(kind: str) -> None:
    frame = drawn(80, 1, 1.0)
    rows = Rows(frame.drop(columns="died"), frame["died"])
    plan = (
        PLAN
        if kind == "scores"
        else Plan(feeds=PLAN.feeds, output="y", reads="label", labels=(0, 1))
    )
    options: dict[str, Any] = {"schema": SCHEMA, "file": b"", "plan": plan, "factors": (SEX, SEX)}
    query: Any = JudgeScores(**options) if kind == "scores" else JudgeConfusion(**options)
    recorders = []
    for part in (rows, Rows(rows.features.iloc[1:], rows.target.iloc[1:])):
        recorder = Recorder()
        answer = query.compute(part, recorder.context())
        assert query.accepts(answer)
        recorders.append(recorder)
    (first,), (second,) = (each.values for each in recorders)
    change = float(np.sqrt(((first - second) ** 2).sum()))
    assert change == pytest.approx(np.sqrt(3))
    assert recorders[0].scales == [pytest.approx(np.sqrt(3))]
    assert query.releases(80) == Releases(1)
    assert JudgeSums(schema=SCHEMA, file=b"", plan=PLAN).releases(80) is None


def test_answers_that_do_not_fit_are_not_taken() -> None:
    query = JudgeScores(schema=SCHEMA, file=b"", plan=PLAN, bins=2)
    good = {
        "lowest": np.zeros((1, 2, 2)),
        "highest": np.zeros((1, 2, 2)),
        "rows": np.zeros(1),
        "shown": np.ones(1),
        "classes": np.ones((1, 2)),
    }
    assert query.accepts(ScoreTable(**good))
    for name in good:
        assert not query.accepts(ScoreTable(**{**good, name: np.zeros((3, 3))}))
        assert not query.accepts(ScoreTable(**{**good, name: good[name] + np.nan}))
    sums = JudgeSums(schema=SCHEMA, file=b"", plan=PLAN)
    assert not sums.accepts(ErrorSums(np.full((1, 2, 4), np.inf), np.ones((1, 2))))
    table = JudgeConfusion(schema=SCHEMA, file=b"", plan=PLAN)
    shape = np.zeros((1, 2, 2))
    assert table.accepts(Confusion(shape, shape, np.zeros(1), np.zeros(1)))
    assert not table.accepts(Confusion(shape, shape - 1, np.zeros(1), np.zeros(1)))


@pytest.mark.parametrize("options", [{"bins": 1}, {"bins": 10**6}, {"threshold": 0.0}], ids=str)
def test_a_question_without_sense_is_not_asked(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="bins must be"):
        JudgeScores(schema=SCHEMA, file=b"", plan=PLAN, **options)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 30)), max_size=8))
@settings(deadline=None)
def test_rows_are_spread_between_the_bins_where_they_may_be(
    blocks: list[tuple[int, int, int]],
) -> None:
    lowest, highest = np.zeros((2, 10)), np.zeros((2, 10))
    for one, other, rows in blocks:
        lowest[0, min(one, other)] += rows
        highest[0, max(one, other)] += rows
    counts = between(lowest, highest)
    assert counts.sum() == pytest.approx(lowest.sum())
    running = np.cumsum(counts, axis=1)
    assert (running <= np.cumsum(lowest, axis=1) + 1e-9).all()
    assert (running >= np.cumsum(highest, axis=1) - 1e-9).all()


@pytest.mark.parametrize("kind", JUDGING, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_questions_and_answers_come_back_as_they_were(kind: type, data: st.DataObject) -> None:
    value = data.draw(JUDGING[kind])
    family: Any = Query if issubclass(kind, Query) else Answer
    assert encode(decode(encode(value), family)) == encode(value)
