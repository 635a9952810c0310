"""A site tells nothing that, beside what it told before, tells of a few of its patients."""

from __future__ import annotations

import threading
import time
from functools import reduce
from itertools import combinations_with_replacement, pairwise, product
from operator import or_
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fedlab as fl
from fedlab import audit
from fedlab.core.space import from_ranges
from fedlab.core.tellings import Telling, Tellings
from fedlab.errors import FedlabError, PrivacyError, RefusedError
from fedlab.queries import NewtonStep, Reply
from fedlab.queries.among import Among, CountRows
from fedlab.queries.group_blocks import CountBlocks
from fedlab.queries.group_counts import CountGroups, GroupCounts
from fedlab.queries.group_sums import SumGroups
from fedlab.queries.groups import Condition, Factor
from fedlab.site.disclosure import SmallCells
from fedlab.site.site import Site
from tests.builders import MODEL, RANGES, ask, deal, numeric

N = 300
LEAST = 11
NAMES = [f"mrn-{i}" for i in range(N)]


def patients(n: int = N, seed: int = 5) -> pd.DataFrame:
    frame = numeric(n, seed).assign(mrn=[f"mrn-{i}" for i in range(n)])
    # Ten years of age each ward, evenly, so that edges can be put anywhere.
    return frame.assign(age=np.random.default_rng(seed).permutation(np.linspace(20, 99.9, n)))


def door(frame: pd.DataFrame | None = None, **options: Any) -> Site:
    settings = {"target": "died", "patient": "mrn", "ranges": RANGES, **options}
    return Site("mercy", patients() if frame is None else frame, **settings)


def below(age: float) -> tuple[Condition, ...]:
    return (Condition(column="age", high=age),)


def count(site: Site, *factors: Factor, where: tuple[Condition, ...] = (), **changes: Any) -> Reply:
    return ask(site, CountGroups(schema=site.schema, factors=factors, where=where), **changes)


def by_age(*edges: float) -> Factor:
    return Factor(column="age", edges=edges)


def told(reply: Reply) -> tuple[Any, Any]:
    assert isinstance(reply.answer, GroupCounts), reply.refusal
    return reply.answer.counts, reply.answer.shown.astype(bool)


def code(reply: Reply) -> str:
    return "answered" if reply.refusal is None else reply.refusal.code


def lines(site: Site) -> int:
    return int(site._store.read("SELECT count(*) FROM told")[0][0])


# R35 (a)
def test_who_is_younger_than_one_year_more_is_not_told_again() -> None:
    site = door()
    first = count(site, where=below(60))
    assert code(first) == "answered"
    before = lines(site)
    reply = count(site, where=below(61))
    assert code(reply) == "differencing"
    # The refusal left no group, and says nothing of whom.
    assert lines(site) == before
    assert "11" in str(reply.error)
    assert site.audit.frame["outcome"].tolist()[-1] == "differencing"
    again = count(site, where=below(60))
    assert told(again)[0] == told(first)[0]
    assert lines(site) == before
    assert code(count(site, where=below(70))) == "answered"


# R35 (a)
def test_a_complement_is_told_with_a_group() -> None:
    site = door()
    assert code(count(site, where=below(60))) == "answered"
    assert code(count(site, where=(Condition(column="age", low=60.0),))) == "answered"
    assert code(count(site, where=(Condition(column="age", low=61.0),))) == "differencing"


# R35 (b)
def test_all_and_all_but_a_few_are_not_told() -> None:
    site = door()
    assert code(count(site)) == "answered"
    eldest = float(np.sort(patients()["age"])[-2])
    assert code(count(site, where=below(eldest))) == "cohort"
    # Nor may single values be left out by their exact number.
    assert code(count(site, where=(Condition(column="age", low=20.2),))) == "cohort"


# R35: the general tracker of Denning, Denning and Schwartz 1979
def test_a_tracker_finds_no_single_patient() -> None:
    frame = patients()
    frame["lab"] = np.random.default_rng(1).permutation(np.linspace(-4, 4, N))
    frame.loc[0, ["age", "lab"]] = [99.99, 3.999]
    site = door(frame)
    wide = [(Condition(column="lab", high=0.0),), (Condition(column="lab", low=0.0),)]
    eldest = Condition(column="age", high=99.9)
    codes = [code(count(site, where=each)) for each in wide]
    codes += [code(count(site, where=(*each, eldest))) for each in wide]
    assert codes[:2] == ["answered", "answered"]
    assert "answered" not in codes[3:]


# R35 (c)
def test_histograms_that_overlap_do_not_give_away_a_few() -> None:
    site = door()
    assert told(count(site, by_age(20, 40, 60, 80, 100)))[1].all()
    finer = told(count(site, by_age(20, 30, 40, 50, 60, 70, 80, 90, 100)))
    assert finer[1].all()
    counts, shown = told(count(site, by_age(20, 41, 80, 100)))
    # Up to 41 and from there on differ from what was told up to 40; the last is as before.
    assert shown.tolist() == [False, False, True, True, True]
    assert counts[:2].tolist() == [0, 0]


# R35 (c)
def test_unions_of_cells_are_told_apart_by_no_other_table() -> None:
    site = door()
    assert told(count(site, by_age(20, 40, 60, 80, 100)))[1].all()
    # No cell of these is like one of those: only their unions are.
    _, shown = told(count(site, by_age(20, 31, 61, 92, 100)))
    assert not shown[:4].all()


# R34 (d)
@pytest.mark.parametrize("first", ["table", "totals"])
def test_a_cross_table_and_its_totals_asked_apart_give_no_small_cell_back(first: str) -> None:
    frame = patients()
    ward = np.where(np.arange(N) < 150, "north", "south").astype(object)
    died = np.where(np.arange(N) % 2 == 0, 1, 0)
    died[:150] = (np.arange(150) < 4).astype(int)
    frame = frame.assign(died=died, ward=ward)
    site = door(frame, categories={"ward": ["north", "south"]}, test_size=0.0)
    ward_of = Factor(column="ward", values=("north", "south"))
    died_of = Factor(column="died", values=("0", "1"))

    def totals() -> list[tuple[Any, Any]]:
        return [told(count(site, ward_of)), told(count(site, died_of))]

    if first == "totals":
        assert all(shown.all() for _, shown in totals())
    counts, shown = told(count(site, ward_of, died_of))
    assert not shown[0, 1]
    assert (~shown[:2, :2]).sum() == 4
    if first == "table":
        assert all(shown.all() for _, shown in totals())
    assert counts.sum() == 0


def sums(site: Site, where: tuple[Condition, ...]) -> Reply:
    query = SumGroups(
        schema=site.schema, columns=("lab",), center=np.zeros(1), scale=np.ones(1), where=where
    )
    return ask(site, query)


# R35 (e)
def test_means_of_nested_groups_give_no_single_value() -> None:
    site = door()
    assert code(sums(site, below(50))) == "answered"
    assert code(sums(site, below(50.3))) == "differencing"
    # By whatever question the first was told.
    assert code(count(site, where=below(50.3))) == "differencing"
    assert code(count(site, where=below(50))) == "answered"


# R35, R39 (f)
def test_a_withdrawal_between_two_questions_gives_nobody_away(tmp_path: Path) -> None:
    site = door(home=tmp_path)
    assert code(count(site)) == "answered"
    assert code(sums(site, ())) == "answered"
    site.withdraw(NAMES[3])
    assert [code(count(site)), code(sums(site, ()))] == ["differencing", "differencing"]
    # When as many are gone as the minimum, nobody of them stands alone.
    for name in NAMES[4:14]:
        site.withdraw(name)
    assert code(count(site)) == "answered"
    assert audit.verify(tmp_path)


# R35
@pytest.mark.parametrize("known", [True, False])
def test_a_restart_with_rows_in_another_order_forgets_nothing(known: bool, tmp_path: Path) -> None:
    options: dict[str, Any] = {"home": tmp_path} if known else {"home": tmp_path, "patient": None}
    frame = patients() if known else patients().drop(columns="mrn")
    assert code(count(door(frame, **options), where=below(60))) == "answered"
    other = frame.sample(frac=1.0, random_state=1)[frame.columns[::-1]].reset_index(drop=True)
    site = door(other, **options)
    assert code(count(site, where=below(61))) == "differencing"
    assert code(count(site, where=below(60))) == "answered"
    # A few rows more: the same question would tell of them.
    more = frame.head(3).assign(age=25.0, lab=[0.1, 0.2, 0.3])
    if known:
        more = more.assign(mrn=["new-1", "new-2", "new-3"])
    site = door(pd.concat([frame, more], ignore_index=True), **options)
    assert code(count(site, where=below(60))) == "differencing"
    assert code(count(site, where=below(40))) == "answered"
    assert audit.verify(tmp_path)


def test_a_site_without_a_home_forgets_when_it_ends() -> None:
    assert code(count(door(), where=below(60))) == "answered"
    assert code(count(door(), where=below(61))) == "answered"


# R30
def test_what_is_remembered_names_no_patient(tmp_path: Path) -> None:
    site = door(home=tmp_path)
    count(site, by_age(20, 50, 100))
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"mrn-" not in written
    assert lines(site) == 2


# R35
@pytest.mark.parametrize("homed", [True, False])
def test_of_two_questions_at_once_one_is_answered(homed: bool, tmp_path: Path) -> None:
    options: dict[str, Any] = {"home": tmp_path} if homed else {}
    one = door(**options)
    doors = [one, door(**options) if homed else one]
    barrier = threading.Barrier(2)
    kind: Any = type(one._told)
    keep = kind.keep

    def together(*told: Any) -> None:
        barrier.wait(timeout=30)
        keep(*told)

    codes: list[str] = []

    def put(site: Site, age: float) -> None:
        codes.append(code(count(site, where=below(age))))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "keep", together)
        threads = [
            threading.Thread(target=put, args=pair)
            for pair in zip(doors, (60.0, 61.0), strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(codes) == ["answered", "differencing"]
    # One cohort, which as a table of one cell is the same group.
    assert lines(one) == 1


# R35
def test_what_is_told_while_an_answer_is_made_counts_as_told_before(tmp_path: Path) -> None:
    site = door(home=tmp_path)
    kind: Any = type(site._told)
    keep = kind.keep
    codes: list[str] = []

    def meanwhile(*told: Any) -> None:
        if not codes:
            # The second of these has read what the first told.
            codes.append("busy")
            codes.extend(code(count(site, where=below(age))) for age in (60, 40))
        keep(*told)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "keep", meanwhile)
        assert code(count(site, where=below(61))) == "differencing"
    assert codes[1:] == ["answered", "answered"]
    assert lines(site) == 2


EDGES = st.lists(st.integers(20, 100), min_size=2, max_size=5, unique=True).map(sorted)
QUESTIONS = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(30, 100)), EDGES), min_size=1, max_size=5
)


# R34, R35
@settings(max_examples=40)
@given(questions=QUESTIONS, seed=st.integers(0, 5), several=st.booleans())
def test_no_two_answers_together_tell_of_a_few(
    questions: list[tuple[int | None, list[int]]], seed: int, several: bool
) -> None:
    frame = patients(120, seed)
    if several:
        frame["mrn"] = [f"mrn-{i // 2}" for i in range(120)]
    site = door(frame, test_size=0.0)
    tellings: list[list[int]] = []
    age = frame["age"].to_numpy()

    def patients_of(rows: int) -> int:
        return ((rows | rows >> 1) & EVEN).bit_count() if several else rows.bit_count()

    for high, edges in questions:
        where = () if high is None else below(high)
        reply, again = (count(site, by_age(*edges), where=where) for _ in range(2))
        if reply.refusal is not None:
            assert code(again) == code(reply)
            continue
        counts, shown = told(reply)
        assert (told(again)[0] == counts).all()
        kept = np.ones(120, dtype=bool) if high is None else age < high
        groups = []
        for i, (low, end) in enumerate(pairwise(edges)):
            inside = (age >= low) & ((age < end) | ((age == end) & (i == len(edges) - 2)))
            if shown[i]:
                groups.append(as_bits(inside & kept))
                assert counts[i] == patients_of(groups[-1])
        told_of = reduce(or_, groups, 0)
        tellings.append([*groups, as_bits(kept) & ~told_of, as_bits(~kept)])
    for first, second in combinations_with_replacement(map(unions, tellings), 2):
        for one, two in product(first, second):
            assert not 0 < patients_of(one ^ two) < LEAST


EVEN = int("01" * 60, 2)


def as_bits(rows: Any) -> int:
    return sum(1 << int(i) for i in np.flatnonzero(rows))


def unions(groups: list[int]) -> list[int]:
    return [
        reduce(or_, (g for g, on in zip(groups, chosen, strict=True) if on), 0)
        for chosen in product((0, 1), repeat=len(groups))
    ]


def blocks(site: Site, edges: Any) -> Reply:
    return ask(site, CountBlocks(schema=site.schema, columns=("age",), edges=np.array([edges])))


def test_blocks_of_two_grids_end_nowhere_a_few_apart() -> None:
    site = door(test_size=0.0)
    found = []
    for edges in (np.arange(20.0, 100, 5), np.arange(21.5, 100, 5), np.arange(20.0, 100, 5)):
        answer: Any = blocks(site, edges).answer
        ends = np.cumsum(answer.latest[0, 0])[np.flatnonzero(answer.latest[0, 0])]
        found.append(ends.tolist())
    assert found[0] == found[2]
    assert len(found[0]) > 10
    apart = np.abs(np.subtract.outer(found[0], found[1]))
    assert not ((apart > 0) & (apart < LEAST)).any()


def law_of(site: Site) -> SmallCells:
    return SmallCells(site._rows["all"], site.policy, site._told, "all", None)


def test_blocks_by_group_hold_of_each_nobody_or_enough_and_end_at_thresholds() -> None:
    site = door(test_size=0.0)
    rows = site._rows["all"]
    cells = (rows.features["age"].to_numpy() - 20).astype(np.int64)
    groups = rows.target.to_numpy().astype(np.int64)
    found = law_of(site).blocks(cells, 80, fixed=(40,), groups=groups)
    assert found[39] != found[40]
    for group in (0, 1):
        held = np.bincount(found[cells[groups == group]])
        assert ((held == 0) | (held >= LEAST)).all()


def test_a_column_that_a_few_lack_is_told_where_the_policy_lets_missing_ones_be_told() -> None:
    frame = patients()
    frame.loc[:3, "lab"] = np.nan
    for free, expected in ((False, False), (True, True)):
        site = door(frame, policy=fl.Policy(missing_cells=free), test_size=0.0)
        assert code(count(site)) == "answered"
        answer: Any = sums(site, ()).answer
        assert bool(answer.shown[0, 0, 0]) is expected
        # And everybody can still be asked about.
        assert code(count(site)) == "answered"


def test_a_patient_with_rows_on_both_sides_counts_in_both() -> None:
    site = door(patients().assign(mrn=[f"mrn-{i % 100}" for i in range(N)]), test_size=0.0)
    assert told(count(site))[0] == 100
    assert code(count(site, where=below(61))) == "answered"
    # By rows it is another group, by a few patients' rows, though all patients are in both.
    assert code(count(site, where=below(62))) == "differencing"


def test_no_law_where_a_single_patient_may_be_told() -> None:
    site = door(policy=fl.Policy(minimum_rows=1))
    assert [code(count(site, where=below(age))) for age in (60, 60.2, 61)] == ["answered"] * 3
    assert lines(site) == 0


# R35: ε bounds what any number of noisy answers tell.
def test_noisy_answers_are_neither_remembered_nor_guarded() -> None:
    site = door(policy=fl.Policy(epsilon=5.0))
    promise = fl.RecordDP(epsilon=0.5, delta=1e-5)
    for place, age in enumerate((60, 60.2, 61)):
        reply = count(site, where=below(age), privacy=promise, run=f"run-{place}")
        assert code(reply) == "answered"
    assert lines(site) == 0


# R35
@pytest.mark.parametrize("lost", [1, 2])
def test_a_site_whose_law_refuses_is_gone_from_a_secure_sum(lost: int) -> None:
    frame = patients()
    sites = deal(frame.drop(columns="mrn"), [75] * 4, policy=fl.Policy())
    for site in sites[:lost]:
        assert code(count(site, where=below(60))) == "answered"
    fed = fl.Federation(sites)
    where = {"age": (None, 61.0)}
    if lost == 1:
        result = fed.count(where=where, aggregation="secure")
        rest = pd.concat([frame.iloc[75 * i : 75 * i + 75] for i in range(lost, 4)])
        assert result.frame["patients"].iloc[-1] == (rest["age"] < 61).sum()
        assert "s00" in str(result.notes)
    else:
        with pytest.raises(FedlabError):
            fed.count(where=where, aggregation="secure")
    outcomes = [site.audit.frame["outcome"].tolist() for site in sites]
    assert all("differencing" in each for each in outcomes[:lost])
    assert not any("differencing" in each for each in outcomes[lost:])


def test_thousands_of_earlier_answers_are_looked_through_in_a_moment() -> None:
    site = door(numeric(10_000, 1).assign(mrn=[f"m{i}" for i in range(10_000)]), test_size=0.0)
    assert code(count(site)) == "answered"
    random = np.random.default_rng(0)
    with site._store.transaction() as connection:
        for share in random.uniform(0.1, 0.9, 5000):
            telling = Telling.of((random.random(10_000) < share).astype(np.int64))
            connection.execute(
                "INSERT INTO told (digest, telling) VALUES (?, ?)",
                (telling.digest, telling.written),
            )
    assert code(count(site, where=below(50))) == "answered"
    begun = time.perf_counter()
    assert code(count(site, where=below(70))) == "answered"
    assert time.perf_counter() - begun < 1.0
    assert code(count(site, where=below(70.01))) == "differencing"


# R36, minimum necessary
@pytest.mark.parametrize(
    "named",
    [
        {"where": (Condition(column="lab", low=0.0),)},
        {"factors": (Factor(column="lab", edges=(-4.0, 0.0, 4.0)),)},
        {"where": (Condition(column="nothing", low=0.0),)},
    ],
    ids=["condition", "factor", "unknown"],
)
def test_conditions_and_factors_are_of_columns_that_were_asked_for(named: dict[str, Any]) -> None:
    site = door(policy=fl.Policy(columns=["age", "smoker"]))
    reply = ask(site, CountGroups(schema=site.schema, **named))
    assert code(reply) == "unfit"
    inner = Among(schema=site.schema, query=CountRows(schema=site.schema), where=below(60))
    assert code(ask(site, inner)) == "answered"
    assert code(ask(site, CountGroups(schema=door().schema))) == "columns"
    # What a site offers to learn about can always be named.
    died = (Factor(column="died", values=("0", "1")),)
    assert code(ask(site, CountGroups(schema=site.schema, factors=died))) == "answered"


def test_a_cross_that_would_fill_the_memory_is_refused() -> None:
    site = door()
    wide = by_age(*np.linspace(20, 100, 1200).tolist())
    assert code(count(site, wide, wide)) == "unfit"


# R34
def test_exact_curvatures_are_of_at_most_a_third_as_many_parameters_as_patients() -> None:
    def step(site: Site) -> NewtonStep:
        space = from_ranges(site.schema)
        return NewtonStep(model=MODEL, space=space, parameters=MODEL.init(space))

    few = door(patients(11), test_size=0.0)
    assert code(ask(few, step(few))) == "parameters"
    more = door(patients(13), test_size=0.0)
    assert code(ask(more, step(more))) == "answered"
    wide = door(patients(11), test_size=0.0, policy=fl.Policy(parameters_ratio=0.5))
    assert code(ask(wide, step(wide))) == "answered"
    inner = Among(schema=few.schema, query=step(few))
    assert code(ask(few, inner)) == "parameters"
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(PrivacyError):
            fl.Policy(parameters_ratio=wrong)


def test_a_refusal_of_the_law_is_an_error_that_says_what_to_do() -> None:
    site = door()
    count(site, where=below(60))
    with pytest.raises(RefusedError, match="answered again"):
        raise count(site, where=below(61)).error or AssertionError


def test_patients_who_never_agreed_are_no_difference_to_anything() -> None:
    frame = numeric(60, seed=5).assign(person=[f"p{i}" for i in range(60)])
    site = fl.Site("mercy", frame, target="died", patient="person")
    site.withdraw("p3")
    fed = fl.Federation([site])
    assert fed.count().frame["patients"].iloc[-1] == 59
    assert fed.describe(["age"]).frame["patients"].iloc[-1] == 59
    site.withdraw("p4")
    with pytest.raises(fl.errors.TrainingError, match="fewer than 11"):
        fed.count()


def test_a_patient_who_agrees_later_is_a_difference() -> None:
    # R35
    one, two = np.array([0, 1, 1, 1, 2, 2, 2]), np.array([1, 1, 1, 1, 2, 2, 2])
    tellings = Tellings()
    tellings.add(Telling.of(one))
    assert tellings.conflict(Telling.of(two), 3, 7, None) is not None
    assert tellings.conflict(Telling.of(one), 3, 7, None) is None
