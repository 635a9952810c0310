"""What sites keep between questions about trees changes no answer, whatever came before."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fedlab as fl
from fedlab.core.model import Model
from fedlab.core.trees.compiled import compiled
from fedlab.core.turns import aside, turn
from fedlab.queries import BoostHistogram, Histogram, Request
from fedlab.training import Training
from tests.builders import deal, table

BOOSTING = fl.GradientBoostingClassifier(n_trees=4, min_samples_leaf=5, max_leaf_nodes=9)


def grow(run: Training) -> Training:
    """All rounds."""
    while not run.strategy.finished(run.problem, run.state):
        run.step()
    return run


def asked(frame: pd.DataFrame, model: Model) -> list[BoostHistogram]:
    """Every question about gradients of a run."""
    run = fl.Federation(deal(frame, [len(frame)])).train(model, evaluate=False)
    questions = []
    while not run.strategy.finished(run.problem, run.state):
        query = run.strategy.plan(run.problem, run.state)["s00"]
        if isinstance(query, BoostHistogram):
            questions.append(query)
        run.step()
    return questions


def reply(site: fl.Site, query: BoostHistogram) -> Any:
    return site.answer(Request(site="s00", run="r", round=1, seed=0, query=query))


def numbers(query: BoostHistogram, frame: pd.DataFrame) -> Histogram:
    """What a site answers that was never asked before."""
    (fresh,) = deal(frame, [len(frame)])
    answer = reply(fresh, query).answer
    assert isinstance(answer, Histogram)
    return answer


def same(one: Any, other: Histogram) -> bool:
    return bool((one.cells == other.cells).all() and (one.totals == other.totals).all())


FRAME = table(150)
QUESTIONS = asked(FRAME, BOOSTING)
ANSWERS = [numbers(query, FRAME) for query in QUESTIONS]


@settings(max_examples=25)
@given(st.lists(st.integers(0, len(QUESTIONS) - 1), min_size=2, max_size=8))
def test_questions_in_any_order_get_the_answers_of_a_site_that_forgets(order: list[int]) -> None:
    (site,) = deal(FRAME, [150])
    for number in order:
        assert same(reply(site, QUESTIONS[number]).answer, ANSWERS[number])


def test_a_changed_past_is_not_taken_for_the_one_kept() -> None:
    replace = msgspec.structs.replace
    last = QUESTIONS[-1]
    grown = int(last.roots[-1])
    cut, value = last.nodes.cut.copy(), last.value.copy()
    cut[:grown] = 0
    value[:grown] *= 2
    others = [
        replace(last, nodes=replace(last.nodes, cut=cut)),
        replace(last, value=value),
        replace(last, baseline=last.baseline + 1),
        replace(last, bits=last.bits - 2),
        replace(last, shift=last.shift + 1),
    ]
    for other in others:
        (site,) = deal(FRAME, [150])
        assert same(reply(site, last).answer, ANSWERS[-1])
        expected = numbers(other, FRAME)
        assert not same(ANSWERS[-1], expected)
        assert same(reply(site, other).answer, expected)
        assert same(reply(site, last).answer, ANSWERS[-1])


def test_an_interrupted_answer_leaves_nothing_half_done(monkeypatch: pytest.MonkeyPatch) -> None:
    (site,) = deal(FRAME, [150])
    place = next(i for i, query in enumerate(QUESTIONS) if i > 3 and len(query.node) > 1)
    reply(site, QUESTIONS[place - 1])

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("fedlab.core.trees.boost_memory.Boosted.histograms", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reply(site, QUESTIONS[place])
    assert same(reply(site, QUESTIONS[place - 1]).answer, ANSWERS[place - 1])
    assert same(reply(site, QUESTIONS[place]).answer, ANSWERS[place])


def test_trees_that_share_nodes_or_stand_out_of_order_are_refused() -> None:
    (site,) = deal(FRAME, [150])
    query = max(QUESTIONS, key=lambda each: int((each.nodes.left >= 0).sum()))
    replace = msgspec.structs.replace
    inner = np.flatnonzero(query.nodes.left >= 0)
    root = int(query.roots[-1])
    sharing, crossing = query.nodes.left.copy(), query.nodes.left.copy()
    sharing[inner[0]] = sharing[inner[1]]
    crossing[inner[0]] = root
    wrong = [
        replace(query, nodes=replace(query.nodes, left=sharing)),
        replace(query, nodes=replace(query.nodes, left=crossing)),
        replace(query, roots=query.roots[::-1].copy()),
        replace(query, roots=query.roots + 1),
        replace(query, finished=query.finished + 1),
        replace(query, finished=-1),
        replace(query, node=np.full_like(query.node, inner[0])),
        replace(query, tree=query.tree - 1),
        replace(query, value=query.value[:-1]),
    ]
    for each in wrong:
        assert reply(site, each).refusal is not None
    assert reply(site, query).refusal is None


@pytest.mark.parametrize(
    ("classes", "amounts"),
    [
        (
            fl.RandomForestClassifier(n_trees=3, max_bins=64),
            fl.RandomForestRegressor(n_trees=3, max_bins=64),
        ),
        (
            fl.GradientBoostingClassifier(n_trees=3, max_bins=64),
            fl.GradientBoostingRegressor(n_trees=3, max_bins=64),
        ),
    ],
)
def test_a_target_read_as_classes_is_not_taken_for_numbers(classes: Model, amounts: Model) -> None:
    frame = table(200)
    frame["died"] = frame["died"] * 3 + 2
    alone = grow(fl.Federation(deal(frame, [120, 80])).train(amounts, evaluate=False))
    fed = fl.Federation(deal(frame, [120, 80]))
    grow(fed.train(classes, evaluate=False))
    assert grow(fed.train(amounts, evaluate=False)).state.parameters == alone.state.parameters


def test_a_function_without_a_file_is_compiled_all_the_same() -> None:
    # As everything is where neither the package's folder nor the user's can be written to.
    names: dict[str, Any] = {}
    exec("def twice(x):\n    return 2 * x\n", names)  # noqa: S102
    assert compiled(names["twice"])(21) == 42


def test_a_thread_that_computes_lets_another_have_its_turn() -> None:
    import threading

    lock = threading.Lock()
    with turn(lock):
        assert lock.locked()
        with aside():
            assert not lock.locked()
        assert lock.locked()
        # An error on the way out does not leave it locked.
        with pytest.raises(ValueError, match="wrong"), aside():
            raise ValueError("wrong")
    assert not lock.locked()
