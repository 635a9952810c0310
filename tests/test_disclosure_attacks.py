"""A hostile analyst, by the public calls and by raw queries, learns of no one and of no few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

import fedlab as fl
from fedlab.core.space import unscaled
from fedlab.errors import FedlabError
from fedlab.queries import CategoryCounts, Moments, NewtonStep, Query, Ranks, Reply, ScoreHistogram
from fedlab.queries.among import Among, CountRows
from fedlab.queries.cross_products import CrossProducts, CrossSums
from fedlab.queries.group_blocks import BlockCounts, CountBlocks
from fedlab.queries.group_counts import CountGroups, GroupCounts
from fedlab.queries.group_sums import GroupSums, SumGroups
from fedlab.queries.groups import Condition, Factor, schema_of
from fedlab.site.site import Site
from tests.builders import MODEL, RANGES, answer_of, ask, deal, numeric

N = 300
VICTIM = 7
AGE = 104.25
"""Whoever attacks knows that the victim is the one older than this by a little less."""
TINY = 5e-324
SMALLEST_ROOT = 2.0**-537.5
"""Of half of the smallest number that is not 0: squares of less are lost."""


def patients(*, died: int = 1) -> pd.DataFrame:
    frame = numeric(N, 5)
    ages = np.random.default_rng(5).permutation(np.linspace(20, 99.9, N))
    frame = frame.assign(age=ages, biopsy=np.nan, implant=0.0)
    frame.loc[[3, 50], "biopsy"] = [2.5, 3.25]
    frame.loc[[1, 2, 3], "implant"] = 1.0
    frame.loc[VICTIM, ["age", "died"]] = [AGE, died]
    return frame.assign(died=frame["died"].astype(int), mrn=[f"mrn-{i}" for i in range(N)])


def door(frame: pd.DataFrame | None = None, **options: Any) -> Site:
    given = {"target": "died", "patient": "mrn", "ranges": RANGES, "test_size": 0.0, **options}
    return Site("mercy", patients() if frame is None else frame, **given)


def code(reply: Reply) -> str:
    return "answered" if reply.refusal is None else reply.refusal.code


def below(age: float) -> tuple[Condition, ...]:
    return (Condition(column="age", high=age),)


def newton(site: Site, *columns: str) -> NewtonStep:
    space = unscaled(schema_of(site.schema, columns))
    return NewtonStep(model=MODEL, space=space, parameters=MODEL.init(space))


def among(site: Site, query: Query, **options: Any) -> Reply:
    return ask(site, Among(schema=site.schema, query=query, **options))


# R34: the ratio of parameters to patients holds for whom a condition leaves
def test_a_model_of_twenty_patients_has_no_more_parameters_than_a_third_of_them() -> None:
    frame = patients()
    for place in range(6):
        frame[f"x{place}"] = np.random.default_rng(place).normal(size=N)
    names = [f"x{place}" for place in range(6)]
    where = below(float(np.sort(frame["age"])[40]))
    site = door(frame.assign(died=frame["age"].rank().astype(int) % 2))
    query = CountRows(schema=schema_of(site.schema, names), parameters=7)
    assert code(among(site, query, where=where)) == "answered"
    few = below(float(np.sort(frame["age"])[20]))
    reply = among(site, CountRows(schema=schema_of(site.schema, names), parameters=7), where=few)
    assert code(reply) == "parameters"
    wide = CrossProducts(
        schema=site.schema,
        columns=(*names, "age"),
        center=np.zeros(7),
        scale=np.ones(7),
        where=few,
    )
    assert code(ask(site, wide)) == "parameters"
    fed = fl.Federation([site])
    with pytest.raises(FedlabError, match="parameters a patient"):
        fed.correlation([*names, "age"], where={"age": (None, few[0].high)})


# R35: a refusal by that ratio depends on how many they are
def test_a_refusal_for_its_parameters_is_remembered() -> None:
    ages = np.sort(patients()["age"])
    site = door()
    # Not so many that the site refuses them of all its patients.
    query = CountRows(schema=schema_of(site.schema, ["age"]), parameters=50)
    assert code(among(site, query, where=below(float(ages[100])))) == "parameters"
    assert code(among(site, query, where=below(float(ages[101])))) == "differencing"


# R34
@pytest.mark.parametrize("kind", ["count", "moments", "newton"])
def test_sums_for_a_model_tell_no_few_with_a_value_a_flag_or_a_class(kind: str) -> None:
    def query(site: Site, *columns: str) -> Query:
        schema = schema_of(site.schema, columns)
        if kind == "count":
            return CountRows(schema=schema)
        if kind == "moments":
            return Moments(schema, np.zeros(len(columns)))
        return newton(site, *columns)

    for column in ("biopsy", "implant"):
        site = door()
        assert code(among(site, query(site, "age", column))) == "cohort"
    site = door()
    assert code(among(site, query(site, "age", "smoker"))) == "answered"
    rare = patients(died=0).assign(died=0)
    rare.loc[[1, 2, 3], "died"] = 1
    site = door(rare)
    expected = "answered" if kind == "moments" else "cohort"
    assert code(among(site, query(site, "age"))) == expected
    # Of a group that is chosen for it, too.
    site = door()
    smokers = (Condition(column="smoker", low=0.5), *below(38))
    chosen = patients().query("smoker > 0.5 and age < 38")
    assert 0 < chosen["died"].sum() < 11
    assert code(among(site, query(site, "age"), where=smokers)) == expected


# R34
def test_a_generalised_linear_model_tells_no_few_through_fill() -> None:
    fed = fl.Federation([door()])
    with pytest.raises(FedlabError, match="enough patients have each value"):
        fed.glm(["age", "biopsy"], missing="fill", family="logistic")
    with pytest.raises(FedlabError, match="enough"):
        fed.glm(["age", "implant"])
    assert len(fed.glm(["age", "smoker"]).frame) == 3


# Of numbers below 2 to the power of -1074 nothing is left, and of one patient's square something.
@pytest.mark.parametrize("age", [99.7, 99.9, 104.2, 104.3])
def test_scales_that_leave_one_patients_square_alone_count_nobody(age: float) -> None:
    frame = patients()
    scale = (age - 60) / SMALLEST_ROOT
    query = SumGroups(
        schema=door().schema, columns=("age",), center=np.array([60.0]), scale=np.array([scale])
    )
    answer = answer_of(ask(door(frame), query))
    assert isinstance(answer, GroupSums)
    beyond = ((frame["age"] - 60).abs() >= age - 60).sum()
    assert beyond < 11
    whole = float(((frame["age"] - 60) ** 2).sum() / (age - 60) ** 2 / 2)
    # All of them add to it: what is below the threshold is not lost.
    assert answer.sums[2, 0, 0] / TINY == pytest.approx(whole, abs=1)
    both = CrossProducts(
        schema=door().schema,
        columns=("age", "lab"),
        center=np.array([60.0, -1e3]),
        scale=np.array([scale, 1e3]),
    )
    told = answer_of(ask(door(frame), both))
    assert isinstance(told, CrossSums)
    assert told.sums[2, 0, 0] / TINY == pytest.approx(whole, abs=1)


# Whoever asks about sums about another center gets what follows from those about the mean.
@pytest.mark.parametrize("center", [0.0, 2.0**56, 1e16, -1e200])
def test_a_center_far_away_rounds_no_single_value(center: float) -> None:
    frame = patients()
    # Of the same number, mean and spread, but other values: no answer may tell them apart.
    other = frame.assign(age=2 * frame["age"].mean() - frame["age"])
    answers = []
    for each in (frame, other):
        query = SumGroups(
            schema=door().schema, columns=("age",), center=np.array([center]), scale=np.ones(1)
        )
        answer = answer_of(ask(door(each), query))
        assert isinstance(answer, GroupSums)
        answers.append(answer.sums[:3, 0, 0])
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-12)


# R34: noise as small as one likes is no noise
@pytest.mark.parametrize("epsilon", [1.0, 1e9])
def test_noise_does_not_stand_in_for_the_law_where_no_budget_bounds_it(epsilon: float) -> None:
    site = door()
    promise = fl.RecordDP(epsilon=epsilon, delta=1e-5)
    alone = (Condition(column="age", low=104.0),)
    sums = SumGroups(
        schema=site.schema, columns=("lab",), center=np.zeros(1), scale=np.ones(1), where=alone
    )
    for query in (CountGroups(schema=site.schema, where=alone), sums):
        assert code(ask(site, query, privacy=promise)) == "budget"
    with pytest.raises(FedlabError, match="budget bounds"):
        fl.Federation([site]).count(where={"age": (104.0, None)}, privacy=promise)
    bounded = door(policy=fl.Policy(epsilon=2.0))
    reply = ask(bounded, CountGroups(schema=site.schema, where=alone), privacy=promise)
    assert code(reply) == ("answered" if epsilon == 1.0 else "budget")
    # A budget is no budget for noise that takes terabytes to account for.
    assert epsilon == 1.0 or "budget" in str(reply.error)


# R34: a cell of nobody beside one of a few is where they are not
@pytest.mark.parametrize("died", [0, 1])
def test_the_only_patient_in_a_row_is_not_told_by_the_empty_cell_beside(died: int) -> None:
    shown = []
    for outcome in (died, 1 - died):
        site = door(patients(died=outcome))
        factors = (
            Factor(column="age", edges=(0.0, 100.0, 110.0)),
            Factor(column="died", values=("0", "1")),
        )
        answer = answer_of(ask(site, CountGroups(schema=site.schema, factors=factors)))
        assert isinstance(answer, GroupCounts)
        shown.append(answer.shown)
        assert not answer.shown[1, :2].any()
        # Nobody lacks a value, which stays told.
        assert answer.shown[1, 2:].all()
    assert (shown[0] == shown[1]).all()


def indicator() -> bytes:
    """A model that calls those older than 104 years, and nobody else."""
    nodes = [
        helper.make_node("Cast", ["x"], ["d"], to=TensorProto.DOUBLE),
        helper.make_node("Sub", ["d", "t"], ["over"]),
        helper.make_node("Mul", ["over", "steep"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["risk"]),
    ]
    arrays = {"t": np.array(104.0), "steep": np.array(1e6)}
    graph = helper.make_graph(
        nodes,
        "indicator",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor_value_info("risk", TensorProto.DOUBLE, [None, 1])],
        [numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    return data


# R34
@pytest.mark.parametrize("where", [None, {"died": 0}])
def test_a_model_that_calls_one_patient_learns_nothing_of_the_outcome(where: Any) -> None:
    figures = []
    for died in (0, 1):
        frame = patients(died=died)
        # The other outcome for another, so that totals are the same.
        frame.loc[int(frame["age"].argmin()), "died"] = 1 - died
        fed = fl.Federation([door(frame)])
        judged = fed.evaluate(indicator(), columns=["age"], where=where)
        figures.append(judged.frame)
    pd.testing.assert_frame_equal(figures[0], figures[1])


# R30, R34: where values of single rows are not told, nor is which of many fine bins are empty
def test_a_site_that_tells_no_single_values_tells_no_end_of_them() -> None:
    frame, site = patients(), door(policy=fl.Policy(single_values=False))
    answers = []
    for edge in (104.2, 104.3):
        blocks = CountBlocks(schema=site.schema, columns=("age",), edges=np.array([[50.0, edge]]))
        answer = answer_of(ask(site, blocks))
        assert isinstance(answer, BlockCounts)
        answers.append((answer.earliest.tolist(), answer.latest.tolist()))
    assert answers[0] == answers[1]
    edges = (0.0, 60.0, *np.arange(60.5, 106, 0.5).tolist())
    by_age = Factor(column="age", edges=edges)
    for query in (
        CountGroups(schema=site.schema, factors=(by_age,)),
        SumGroups(
            schema=site.schema,
            columns=("lab",),
            center=np.zeros(1),
            scale=np.ones(1),
            factors=(by_age,),
        ),
    ):
        told = answer_of(ask(site, query))
        assert isinstance(told, GroupCounts | GroupSums)
        shown = told.shown[: len(edges) - 1] if told.shown.ndim == 1 else told.shown[0, :-2, 0]
        counts = np.histogram(frame["age"], edges)[0]
        assert (counts == 0).any()
        assert not shown[counts < 11].any()


# R34: weights that single a patient out make a histogram of scores, or a gradient, tell of one
def test_a_site_may_leave_training_to_secure_sums() -> None:
    site = door(policy=fl.Policy(unguarded=False), test_size=0.2)
    space = unscaled(schema_of(site.schema, ["age", "lab"]))
    weights = MODEL.init(space).like(np.array([50.0, 0.0, -50.0 * 104]))
    columns = schema_of(site.schema, ["age"])
    raw: list[Query] = [
        NewtonStep(model=MODEL, space=space, parameters=weights),
        ScoreHistogram(model=MODEL, space=space, candidates=(weights,), bins=2, split="train"),
        Moments(columns, np.zeros(1)),
        Ranks(columns, np.array([[104.2]])),
        CategoryCounts(columns),
        CountRows(schema=columns),
    ]
    assert [code(ask(site, query)) for query in raw] == ["reveal"] * len(raw)
    assert code(ask(site, CountGroups(schema=site.schema))) == "answered"
    policy = fl.Policy(unguarded=False)
    fed = fl.Federation(deal(numeric(400, 3), [100] * 4, policy=policy))
    run = fed.train(MODEL, strategy=fl.FedNewton(), aggregation="secure")
    run.run(2, progress=False)
    assert run.round == 2
    with pytest.raises(FedlabError, match="law on small cells"):
        fed.train(MODEL, strategy=fl.FedNewton()).run(1, progress=False)


# R34: three patients have 1, 2 and 3, all others 0: a sum, squares and products tell of these three
@pytest.mark.parametrize("others", [3, 10, 11, 60])
def test_sums_of_a_column_that_few_differ_in_are_not_told(others: int) -> None:
    frame = patients().assign(visits=0.0)
    frame.loc[60 : 59 + others, "visits"] = np.arange(1.0, 1 + others)
    site = door(frame)
    answer = answer_of(
        ask(
            site,
            CrossProducts(
                schema=site.schema,
                columns=("visits", "age"),
                center=np.zeros(2),
                scale=np.ones(2),
            ),
        )
    )
    assert isinstance(answer, CrossSums)
    enough = others >= 11
    assert answer.shown.tolist() == [[enough, enough], [enough, 1]]
    sums = SumGroups(schema=site.schema, columns=("visits",), center=np.zeros(1), scale=np.ones(1))
    told = answer_of(ask(site, sums))
    assert isinstance(told, GroupSums)
    assert told.shown[3, 0, 0] == enough
    assert (told.sums[1:3] > 0).all() == enough
    reply = among(site, newton(site, "visits", "age"))
    assert code(reply) == ("answered" if enough else "cohort")
