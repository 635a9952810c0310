"""What analysts write is understood or refused in words, and numbers are shown as papers do."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import fedlab as fl
from fedlab.errors import DataError, FedlabError, TrainingError
from fedlab.evaluation import ALL_SITES
from fedlab.strategies import FedNewton
from tests.builders import RANGES, deal, table

SIZES = (50, 40, 60)
ROWS = table(150, 3).assign(flag=lambda f: f["age"] > 60, stage=lambda f: f["smoker"] + 1)
FED = fl.Federation(deal(ROWS, SIZES))
NUMBER = float("nan")


def total(result: Any) -> list[float]:
    frame = result.frame
    return list(frame[frame["site"] == ALL_SITES]["patients"])


GIVEN: list[tuple[dict[str, Any], Any]] = [
    ({"died": np.int64(1)}, ROWS["died"] == 1),
    ({"died": 1.0}, ROWS["died"] == 1),
    ({"died": True}, ROWS["died"] == 1),
    ({"died": [0, 1]}, ROWS["died"] >= 0),
    ({"smoker": 1}, ROWS["smoker"] == 1),
    ({"smoker": "1"}, ROWS["smoker"] == 1),
    ({"flag": True}, ROWS["flag"]),
    ({"flag": "0"}, ~ROWS["flag"]),
    ({"stage": ["1", "2"]}, ROWS["stage"] > 0),
    ({"stage": 2}, ROWS["stage"] == 2),
    ({"ward": {"north"}}, ROWS["ward"] == "north"),
    ({"ward": np.array(["north"])}, ROWS["ward"] == "north"),
    ({"age": np.array([40, 60])}, ROWS["age"].between(40, 60, inclusive="left")),
    ({"age": (np.int64(40), None)}, ROWS["age"] >= 40),
    ({"age": (-math.inf, 60)}, ROWS["age"] < 60),
]


@pytest.mark.parametrize(("where", "met"), GIVEN, ids=[str(where) for where, _ in GIVEN])
def test_conditions_may_be_written_in_any_usual_way(where: dict[str, Any], met: pd.Series) -> None:
    assert total(FED.count(where=where)) == [met.sum()]


WRONG: list[Any] = [
    "age",
    3,
    [("age", (40, 60))],
    {"age": (60, 40)},
    {"age": (50, 50)},
    {"age": (NUMBER, 60)},
    {"age": (None, None)},
    {"age": (10**400, None)},
    {"age": "old"},
    {"age": None},
    {"ward": None},
    {"ward": []},
    {"ward": "east"},
    {"ward": ["north", ["west"]]},
    {"died": 2},
    {3: 1},
]


@pytest.mark.parametrize("where", WRONG, ids=[str(where)[:40] for where in WRONG])
def test_conditions_that_fit_nothing_are_refused_before_any_site_is_asked(where: Any) -> None:
    with pytest.raises(DataError) as found:
        FED.count(where=where)
    assert found.value.rule
    assert found.value.came
    assert found.value.remedy


GROUPS: list[Any] = [
    3,
    b"ward",
    ["ward", 3],
    ["ward", ["died"]],
    {"age": 40},
    {"age": "40"},
    {"age": [None, 40]},
    {"age": [0, 10**400]},
    {"age": [0, 50j]},
    {"age": ["x"]},
    {"age": [0, "x"]},
    {"stage": ["nan"]},
    {"ward": ["north"]},
]


@pytest.mark.parametrize("by", GROUPS, ids=[str(by)[:40] for by in GROUPS])
def test_groups_that_fit_nothing_are_refused_with_a_remedy(by: Any) -> None:
    with pytest.raises(DataError, match=r"Pass|Choose"):
        FED.count(by=by)
    with pytest.raises(DataError):
        FED.anova("age", by)


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("describe", {"columns": 3}),
    ("describe", {"columns": [["age"]]}),
    ("data_quality", {"columns": 3}),
    ("correlation", {"columns": 3}),
    ("correlation", {"columns": ["age", ["lab"]]}),
    ("glm", {"features": 3}),
    ("glm", {"features": [["age"]]}),
    ("table_one", {"by": "died", "median": 3}),
    ("t_test", {"column": "age", "by": "died", "levels": 3}),
    ("histogram", {"column": "age", "edges": 5}),
    ("histogram", {"column": "age", "edges": ["0", "50"]}),
    ("quantile", {"column": "age", "q": "x"}),
    ("quantile", {"column": "age", "q": None}),
    ("quantile", {"column": "age", "low": "a"}),
]


@pytest.mark.parametrize(("name", "options"), CALLS, ids=[str(call)[:60] for call in CALLS])
def test_what_is_no_list_of_columns_or_numbers_is_refused(
    name: str, options: dict[str, Any]
) -> None:
    with pytest.raises(FedlabError):
        getattr(FED, name)(**options)


def test_edges_may_be_an_array() -> None:
    edges: Any = np.array([0, 60, 120])
    assert total(FED.histogram("age", edges))[1:3] == [
        (ROWS["age"] < 60).sum(),
        (ROWS["age"] >= 60).sum(),
    ]


def test_a_target_is_described_alone() -> None:
    assert total(FED.describe(["died"])) == [(ROWS["died"] == 0).sum(), ROWS["died"].sum()]


def test_large_numbers_that_differ_in_the_last_digit_are_groups_of_their_own() -> None:
    frame = table(60, 1, gaps=False).assign(code=[1_000_000, 1_000_001, 1_000_002] * 20)
    fed = fl.Federation(deal(frame, [60]))
    assert total(fed.count({"code": ["1000000", "1000001"]}))[:2] == [20, 20]
    names = fed.count({"code": [1_000_000, 1_000_001, 1_000_003]}).levels[0][:2]
    assert names == ("1000000 to <1000001", "1000001 to 1000003")


def test_values_of_short_floats_are_found() -> None:
    frame = table(60, 1, gaps=False).assign(dose=np.array([0.1, 0.2, 0.3] * 20, dtype="float32"))
    fed = fl.Federation(deal(frame, [60]))
    assert total(fed.count({"dose": ["0.1", "0.2"]}))[:2] == [20, 20]


def test_who_may_be_in_no_group_is_said() -> None:
    note = "Patients whose age is outside of these groups, if any, are not counted."
    assert note in FED.count({"age": [40, 60]}).notes
    assert note in FED.cross_tab("ward", {"age": [40, 60]}).notes
    assert note in FED.table_one({"age": [40, 60]}, ["lab"]).notes
    open_ended = {"age": [-math.inf, 60, math.inf]}
    assert note not in FED.count(open_ended).notes
    assert not any("not counted" in each for each in FED.count(["ward", "died"]).notes)


def test_few_expected_at_single_sites_are_not_said_of_all() -> None:
    frame = pd.DataFrame({"arm": [0.0, 1.0] * 55, "died": [0, 0, 1, 1] * 27 + [0, 1]})
    fed = fl.Federation(deal(frame, [10, 100], ranges={"arm": (0, 1)}))
    result = fed.cross_tab("arm", "died")
    assert "An expected count is below 5: the p-value is rough." not in result.notes
    assert any("below 5 at s00 alone" in note for note in result.notes)
    assert "1 degree of freedom" in result.notes[0]


def test_a_rounded_zero_has_no_sign_and_a_mean_of_zeros_is_zero() -> None:
    frame = table(120, 3, gaps=False).assign(none=0.0, lab=lambda f: f["lab"] - f["lab"].mean())
    ranges = {**RANGES, "none": (0, 3)}
    fed = fl.Federation(deal(frame, [60, 60], ranges=ranges))
    summary, quality = fed.describe(["none", "lab"]), fed.data_quality(["none"])
    means = summary.frame[summary.frame["column"] == "none"]["mean"]
    assert (means == 0).all()
    for text in (repr(summary), repr(quality), repr(fed.table_one("died", ["none", "lab"]))):
        assert not re.search(r"-0\.0+\b|e-\d\d", text)


def test_nothing_is_shown_as_a_raw_nan_or_an_infinity() -> None:
    frame = table(90, 3, gaps=False)
    frame.loc[:29, "ward"] = "north"
    survival = frame.drop(columns="died").assign(days=np.arange(1.0, 91), event=[0, 1] * 45)
    fed = fl.Federation(deal(frame, [30, 30, 30]))
    timed = fl.Federation(deal(survival, [30, 30, 30], target="days", event="event"))
    noisy = fl.Federation(deal(frame, [30, 30, 30], policy=fl.Policy(epsilon=5.0)))
    promise = fl.RecordDP(epsilon=0.3, delta=1e-5)
    for result in (
        fed.t_test("age", "ward", levels=["south", "west"]),
        fed.anova("age", "ward"),
        fed.quantile("age", high=50),
        timed.kaplan_meier("ward", grid=[2.0, 4.0]),
        timed.log_rank("ward", grid=[1e-9]),
        noisy.data_quality(["age", "lab"], privacy=promise),
    ):
        for text in (repr(result), result._repr_html_()):
            assert not re.search(r"\b(nan|NaN|inf|None|NA)\b", text)


def test_a_test_without_two_groups_has_no_share_of_squares() -> None:
    frame = table(90, 3, gaps=False)
    frame.loc[:29, "ward"] = "north"
    found: Any = fl.Federation(deal(frame, [30, 30, 30])).anova("age", "ward").frame
    assert math.isnan(found.loc["s00", "eta_squared"])
    assert found.loc["s00", "groups"] == 1


def test_small_p_values_are_not_printed_as_zero() -> None:
    frame = table(150, 3, gaps=False).assign(died=lambda f: (f["age"] > 60).astype(int))
    result = fl.Federation(deal(frame, [75, 75])).t_test("age", "died")
    assert "&lt;0.001" in result._repr_html_()
    assert "<0.001" in repr(result)


def test_differences_of_far_means_keep_their_digits() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"far": random.normal(1e9, 1.0, 200), "died": [0, 1] * 100})
    fed = fl.Federation(deal(frame, [100, 100], ranges=None))
    found: Any = fed.t_test("far", "died").frame.loc[(ALL_SITES, "student")]
    near = [Fraction(each) - 10**9 for each in frame["far"].tolist()]
    groups = [np.array([float(each) for each in near[i::2]]) for i in (0, 1)]
    expected = stats.ttest_ind(*groups)
    assert found["statistic"] == pytest.approx(expected.statistic, rel=1e-8)
    assert found["p_value"] == pytest.approx(expected.pvalue, rel=1e-8)
    variances: Any = fed.anova("far", "died").frame.loc[ALL_SITES]
    assert variances["statistic"] == pytest.approx(expected.statistic**2, rel=1e-8)


def test_a_target_that_does_not_vary_is_refused_in_words() -> None:
    with pytest.raises(TrainingError, match="target that varies"):
        FED.glm(["age"], where={"died": 1})


def test_noise_alone_is_nothing_to_look_at() -> None:
    frame = table(600, 3, gaps=False)
    fed = fl.Federation(deal(frame, [200, 200, 200], policy=fl.Policy(epsilon=5.0)))
    found = fed.data_quality(["age", "smoker"], privacy=fl.RecordDP(epsilon=1.0, delta=1e-5))
    assert not found.frame["findings"].str.contains("unmapped|missing|outside").any()
    shares = found.frame[["missing", "unmapped", "outside"]].to_numpy()
    assert ((shares >= 0) & (shares <= 1)).all()


def test_a_model_under_a_secure_sum_stops_where_its_rounding_is_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x0": random.normal(size=1500)})
    for name in ("first", "second", "third"):
        frame[name] = pd.Categorical(random.choice(list("abcde"), 1500))
    frame["died"] = (random.random(1500) < 1 / (1 + np.exp(-frame["x0"]))).astype(int)
    fed = fl.Federation(deal(frame, [500, 500, 500], ranges=None))
    plain, rounds, combine = fed.glm().frame, [], FedNewton.combine

    def counted(*given: Any) -> Any:
        rounds.append(1)
        return combine(*given)

    monkeypatch.setattr(FedNewton, "combine", counted)
    secure = fed.glm(aggregation="secure").frame
    assert len(rounds) < 12
    numbers = ["estimate", "standard_error"]
    np.testing.assert_allclose(secure[numbers], plain[numbers], rtol=1e-7, atol=1e-8)


def test_one_category_that_is_told_is_not_taken_for_no_difference() -> None:
    frame = table(180, 3, gaps=False)
    frame["ward"] = pd.Categorical(
        ["north"] * 40 + ["south"] * 10 + ["west"] * 10 + ["north", "south", "west"] * 40,
        categories=["north", "south", "west"],
    )
    policy = fl.Policy(minimum_rows=11)
    found = fl.Federation(deal(frame, [60, 60, 60], policy=policy)).data_quality(["ward"])
    own: Any = found.frame.set_index("site").loc["s00"]
    assert math.isnan(own["variation"])
