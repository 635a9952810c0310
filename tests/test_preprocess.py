"""Preprocessing agreed over a federation equals scikit-learn's on the pooled rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression as PooledRegression
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fedlab as fl
from fedlab.core.estimator import as_pipeline
from fedlab.core.logistic import LogisticRegression
from fedlab.core.naive_bayes import GaussianNB as FederatedNB
from fedlab.core.parameters import Parameters
from fedlab.core.preprocess import Preprocess
from fedlab.core.quantiles import medians, order_statistics
from fedlab.core.schema import Column, Schema
from fedlab.core.space import Space
from fedlab.core.vocabulary import Vocabulary
from fedlab.core.wire import decode, encode
from fedlab.errors import (
    DataError,
    FedlabError,
    PrivacyError,
    RefusedError,
    SchemaError,
    TrainingError,
)
from fedlab.export.agreement import check_agreement
from fedlab.export.estimators import dump_estimator, load_estimator
from fedlab.export.graph import onnx_inputs, session_of, to_onnx
from fedlab.queries import CategoryCounts, Ranks, Reply, Request
from fedlab.strategies import Strategy
from fedlab.training import Training
from tests.builders import PROMISE, answer_of, ask, bits, deal, design, lone, table

STAGES = ("I", "II", "III", "IV")
RARE = {"I": 120, "II": 60, "III": 8, "IV": 3}


def staged(n_rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """The shared table with skewed stages, some of them rare or never seen, and with gaps."""
    random = np.random.default_rng(seed)
    share = np.array(list(RARE.values())) / sum(RARE.values())
    codes = random.choice(4, n_rows, p=share)
    codes[random.random(n_rows) < 0.1] = -1
    frame = table(n_rows, seed)
    skewed = np.exp(frame["lab"] * 2)
    stage = pd.Categorical.from_codes(codes, categories=pd.Index(STAGES))
    smoker = frame["smoker"].where(random.random(n_rows) > 0.2)
    return frame.assign(lab=skewed, stage=stage, smoker=smoker)


def run_of(
    frame: pd.DataFrame,
    preprocess: Preprocess | None = None,
    *,
    sizes: Sequence[int] = (150, 90, 60),
    model: Any = None,
    strategy: Strategy | None = None,
    rounds: int = 0,
    turn: bool = False,
    **engine: Any,
) -> Training:
    sites = deal(frame, sizes)[:: -1 if turn else 1]
    fed = fl.Federation(sites, seed=5, engine=fl.InProcess(**engine))
    model = model or LogisticRegression()
    run = fed.train(model, strategy=strategy, preprocess=preprocess, evaluate=False)
    run.run(rounds, progress=False)
    return run


def test_the_default_is_what_it_was_before_there_was_a_choice() -> None:
    frame = staged()
    space = run_of(frame).problem.space
    assert space == run_of(frame, Preprocess()).problem.space
    assert list(space.scaling) == ["mean", "scale"]
    expected, _ = design(space, frame)
    assert space.matrix(frame).tobytes() == expected.tobytes()
    columns = [column.name for column in space.numbers]
    pooled = StandardScaler().fit(frame[columns])
    np.testing.assert_allclose(space.scaling["mean"], pooled.mean_, rtol=1e-13)
    np.testing.assert_allclose(space.scaling["scale"], pooled.scale_, rtol=1e-13)
    assert space.names[-4:] == tuple(f"stage={stage}" for stage in STAGES)


# Medians


def counting(columns: Sequence[Sequence[float]]) -> Callable[[Any], Any]:
    def counts(edges: Any) -> Any:
        pairs = zip(columns, edges, strict=True)
        return np.array([(np.array(c)[:, None] <= e).sum(axis=0) for c, e in pairs], dtype=float)

    return counts


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
@settings(max_examples=60)
def test_any_order_statistic_is_found_to_the_bit(values: list[float]) -> None:
    ranks = [1, (len(values) + 1) // 2, len(values)]
    found = order_statistics(counting([values]), [ranks])
    assert found.tolist() == [[sorted(values)[rank - 1] for rank in ranks]]


@given(
    st.lists(
        st.lists(st.integers(-5, 5) | st.floats(-1e9, 1e9), min_size=1, max_size=20),
        min_size=1,
        max_size=3,
    )
)
@settings(max_examples=40)
def test_medians_of_columns_of_any_length_are_numpys(columns: list[list[float]]) -> None:
    found = medians(counting(columns), len(columns))
    assert found.tolist() == [np.median(column) for column in columns]


def test_a_column_without_values_has_no_median() -> None:
    assert np.isnan(medians(counting([[]]), 1)).all()
    assert medians(counting([]), 0).shape == (0,)


@pytest.mark.parametrize("sizes", [(300,), (150, 90, 60), (280, 15, 5)])
def test_missing_numbers_become_the_pooled_median_to_the_bit(sizes: tuple[int, ...]) -> None:
    frame = staged()
    space = run_of(frame, Preprocess(impute="median"), sizes=sizes).problem.space
    columns = [column.name for column in space.numbers]
    assert space.fill.tolist() == np.nanmedian(frame[columns], axis=0).tolist()


def test_a_median_takes_a_fixed_number_of_questions() -> None:
    (site,) = deal(staged(), [300])
    fl.Federation([site]).train(LogisticRegression(), preprocess=Preprocess(impute="median"))
    asked = site.ledger.frame["query"].value_counts()
    assert asked["Ranks"] <= 10


# Most frequent values, and fillings by column


def test_the_most_frequent_value_is_the_pooled_one_for_codes_and_categories() -> None:
    frame = staged().assign(grade=np.random.default_rng(1).choice([0, 2, 7, 7], 300))
    space = run_of(frame, Preprocess(impute="most_frequent")).problem.space
    coded, text = ["smoker", "grade"], ["ward", "stage"]
    pooled = SimpleImputer(strategy="most_frequent").fit(frame[coded])
    fills = dict(zip((column.name for column in space.numbers), space.fill, strict=True))
    assert [fills[name] for name in coded] == pooled.statistics_.tolist()
    # A measurement hardly repeats.
    assert fills["lab"] == np.nanmedian(frame["lab"])
    assert [space.vocabulary[name].fill for name in text] == [frame[n].mode()[0] for n in text]


def test_a_declared_range_tells_where_codes_lie() -> None:
    frame = staged().assign(code=np.random.default_rng(1).choice([101, 105, 105], 300))
    plan = Preprocess(impute={"code": "most_frequent"})
    sites = deal(frame, [200, 100], ranges={"code": (100.5, 110)})
    far = fl.Federation(sites).train(LogisticRegression(), preprocess=plan).problem.space
    assert far.fill[-1] == 105
    # Without one, 105 is too far to be looked for, and the median stands in.
    assert run_of(frame, plan).problem.space.fill[-1] == np.median(frame["code"])


def test_each_column_is_filled_in_its_own_way() -> None:
    frame = staged()
    plan = Preprocess(impute={"lab": "median", "smoker": "zero", "stage": "most_frequent"})
    space = run_of(frame, plan).problem.space
    assert [column.name for column in space.numbers] == ["age", "lab", "smoker"]
    assert space.fill[0] == space.scaling["mean"][0]
    assert space.fill[1:].tolist() == [np.nanmedian(frame["lab"]), 0.0]
    assert [space.vocabulary[name].fill for name in ("ward", "stage")] == [None, "I"]


# Vocabularies


def test_categories_with_few_rows_over_all_sites_share_one_column() -> None:
    frame = staged()
    space = run_of(frame, Preprocess(min_count=11)).problem.space
    counts = frame["stage"].value_counts()
    kept = tuple(stage for stage in STAGES if counts[stage] >= 11)
    assert 0 < len(kept) < 4
    assert space.vocabulary["stage"].columns == (*kept, "(other)")
    assert space.vocabulary["ward"].columns == ("north", "south", "west")
    rare = frame["stage"].isin(set(STAGES) - set(kept))
    assert space.matrix(frame)[:, -1].tolist() == rare.astype(float).tolist()


def test_a_category_of_one_site_keeps_its_column() -> None:
    frame = staged()
    frame["stage"] = pd.Categorical(["IV"] * 60 + ["I"] * 240, categories=STAGES)
    space = run_of(frame, Preprocess(min_count=11), sizes=(60, 240)).problem.space
    assert space.vocabulary["stage"].kept == ("I", "IV")


def test_rare_categories_can_have_no_column() -> None:
    frame = staged()
    space = run_of(frame, Preprocess(min_count=20, rare="drop")).problem.space
    assert space.names[-2:] == ("stage=I", "stage=II")
    rare = frame["stage"].isin(["III", "IV"]).to_numpy()
    assert not space.matrix(frame)[rare, -2:].any()


def test_the_bucket_has_a_name_that_no_category_has() -> None:
    frame = staged()
    frame["stage"] = frame["stage"].cat.rename_categories({"I": "(other)"})
    space = run_of(frame, Preprocess(min_count=20)).problem.space
    assert space.names[-3:] == ("stage=(other)", "stage=II", "stage=(other)_")


def test_columns_are_found_by_the_names_of_categories() -> None:
    frame = staged()
    space = run_of(frame, Preprocess(min_count=11, unseen="bucket")).problem.space
    turned = frame.assign(stage=frame["stage"].cat.reorder_categories(STAGES[::-1]))
    as_text = frame.assign(stage=frame["stage"].astype("str"), ward=frame["ward"].astype(object))
    for other in (turned, as_text):
        assert space.matrix(other).tobytes() == space.matrix(frame).tobytes()


# The pipeline is the matrix


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    numbers = [Column(f"n{i}") for i in range(draw(st.integers(0, 2)))]
    listed = [
        draw(st.permutations(STAGES)) for _ in range(draw(st.integers(0 if numbers else 1, 2)))
    ]
    categories = [Column(f"c{i}", "category", tuple(names)) for i, names in enumerate(listed)]
    schema = Schema(tuple(draw(st.permutations([*numbers, *categories]))), "y", (0, 1))
    unseen, rare = draw(st.booleans()), draw(st.booleans())
    vocabularies = []
    for column in (c for c in schema.columns if c.kind == "category"):
        n_kept = draw(st.integers(0 if numbers else 1, 4))
        few = column.categories[n_kept:]
        vocabularies.append(
            Vocabulary(
                kept=column.categories[:n_kept],
                rare=few,
                bucket="(other)" if unseen or (rare and few) else None,
                unseen=unseen,
                fill=draw(st.none() | st.sampled_from(STAGES)),
            )
        )
    values = st.floats(-1e3, 1e3)
    vector = st.lists(values, min_size=len(numbers), max_size=len(numbers))
    scale = st.lists(st.floats(1e-3, 1e3), min_size=len(numbers), max_size=len(numbers))
    scaling = {"mean": draw(vector), "scale": draw(scale), "fill": draw(vector)}
    return Space(schema, Parameters(scaling), draw(st.booleans()), tuple(vocabularies))


def rows_for(space: Space, seed: int, n_rows: int = 24) -> pd.DataFrame:
    """Rows with gaps and with categories that nobody declared, as text or as categories."""
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for column in space.schema.columns:
        if column.kind == "number":
            values = random.normal(0, 100, n_rows)
            columns[column.name] = np.where(random.random(n_rows) < 0.3, np.nan, values)
        else:
            texts = random.choice([*column.categories, "V", "(other)", "gap"], n_rows)
            series = pd.Series(texts, dtype=object).where(texts != "gap", np.nan)
            columns[column.name] = series.astype("category") if seed % 2 else series
    return pd.DataFrame(columns)


@given(spaces(), st.integers(0, 99))
@settings(max_examples=60)
def test_the_pipeline_transforms_as_the_space_does_to_the_bit(space: Space, seed: int) -> None:
    frame = rows_for(space, seed)
    pipeline = as_pipeline(space, "passthrough", n_samples=3)
    found = np.asarray(pipeline.transform(frame), dtype=float)
    assert found.tobytes() == space.matrix(frame).tobytes()
    assert found.shape == (len(frame), len(space.names))


@given(spaces(), st.integers(0, 99))
@settings(max_examples=15)
def test_a_space_travels_whole(space: Space, seed: int) -> None:
    again = decode(encode(space), Space)
    assert again == space
    assert hash(again) == hash(space)


# Against scikit-learn on the pooled rows


def pooled_pipeline(frame: pd.DataFrame, plan: Preprocess, final: Any) -> Pipeline:
    """scikit-learn's own preprocessing, which learns everything from the pooled rows."""
    numbers: list[Any] = [SimpleImputer(strategy="median" if plan.impute == "median" else "mean")]
    if plan.standardise:
        # Scaled by what was observed: a filled gap adds nothing to the variance.
        numbers.insert(0, StandardScaler())
    encoder = OneHotEncoder(
        categories=[["north", "south", "west"], list(STAGES)],
        min_frequency=plan.min_count or None,
        handle_unknown="infrequent_if_exist" if plan.unseen == "bucket" else "ignore",
    )
    columns = make_column_transformer(
        (make_pipeline(*numbers), ["age", "lab", "smoker"]), (encoder, ["ward", "stage"])
    )
    return make_pipeline(columns, final).fit(frame.drop(columns="died"), frame["died"])


@pytest.mark.parametrize(
    "plan",
    [
        Preprocess(),
        Preprocess(impute="median", min_count=11),
        Preprocess(standardise=False, impute="median"),
        Preprocess(min_count=250, unseen="ignore"),
    ],
    ids=str,
)
def test_the_model_is_scikit_learns_on_the_pooled_rows(plan: Preprocess) -> None:
    frame = staged()
    run = run_of(frame, plan, rounds=12)
    exact = PooledRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000)
    pooled = pooled_pipeline(frame, plan, exact)
    fresh = staged(seed=9).assign(stage=staged(seed=9)["stage"].astype(object))
    fresh.loc[:9, "stage"] = "V"
    gap = np.abs(run.model.predict_proba(fresh) - pooled.predict_proba(fresh)).max()
    assert gap < 1e-8


def test_averaging_without_scaling_takes_steps_that_do_not_overshoot() -> None:
    frame = staged()
    plan = Preprocess(standardise=False, impute="zero")
    run = run_of(frame, plan, strategy=fl.FedAvg(batch_size=None), rounds=3)
    model, problem = run.problem.model, run.problem
    y = frame["died"].to_numpy()
    losses = [
        model.sums(done.state.parameters, problem.space.matrix(frame), y)["loss"]
        for done in run.rounds
    ]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


def test_naive_bayes_takes_filled_rows_where_it_refuses_gaps() -> None:
    frame = staged()
    run = run_of(frame, Preprocess(impute="median"), model=FederatedNB(), rounds=2)
    pooled = pooled_pipeline(frame, Preprocess(standardise=False, impute="median"), "passthrough")
    features = frame.drop(columns="died")
    twin = GaussianNB().fit(pooled.transform(features), frame["died"])
    expected = twin.predict_proba(pooled.transform(features))
    np.testing.assert_allclose(run.model.predict_proba(frame), expected, atol=1e-8)


def test_neither_order_nor_threads_nor_the_wire_change_a_bit() -> None:
    plan = Preprocess(impute="most_frequent", min_count=11, unseen="bucket")
    reference = run_of(staged(), plan, rounds=3)
    changes: list[dict[str, Any]] = [{"turn": True}, {"threads": 2}, {"wire": True}]
    for change in changes:
        run = run_of(staged(), plan, rounds=3, **change)
        assert run.problem.space == reference.problem.space
        assert bits(run.state.parameters) == bits(reference.state.parameters)


# One plan for all models


PLAN = Preprocess(impute={"lab": "median", "stage": "most_frequent"}, min_count=20, unseen="bucket")
SMALL: dict[str, Any] = {"n_trees": 5, "max_depth": 4}
MODELS: dict[str, tuple[Any, int]] = {
    "logistic": (LogisticRegression(), 12),
    "linear support vectors": (fl.SVC(kernel="linear"), 20),
    "support vectors": (fl.SVC(n_components=40), 20),
    "gaussian bayes": (FederatedNB(), 2),
    "bernoulli bayes": (fl.BernoulliNB(), 1),
    "k-means": (fl.KMeans(n_clusters=3, n_init=2), 40),
    "components": (fl.PCA(), 1),
    "forest": (fl.RandomForestClassifier(**SMALL), 40),
    "boosting": (fl.GradientBoostingClassifier(n_trees=4), 40),
    "scikit-learn's": (fl.SklearnModel(SGDClassifier(loss="log_loss", random_state=0)), 10),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("plan", [PLAN, Preprocess(standardise=False, impute="zero")], ids=str)
def test_one_plan_serves_every_model(name: str, plan: Preprocess) -> None:
    frame = staged(seed=8)
    # As its logarithm, so that steps without scaling get somewhere.
    frame = frame.assign(lab=np.log(frame["lab"]), age=frame["age"] / 10)
    model, rounds = MODELS[name]
    run = run_of(frame, plan, model=model, rounds=rounds)
    columns = run.problem.space.names
    assert ("stage=(other)" in columns) == (plan is PLAN)
    gap = run.gap_to_pooled(frame)
    if gap.frame.empty:
        assert gap.identical
    elif name == "scikit-learn's":
        assert gap.figures["accuracy"]["difference"] > -0.05
    else:
        assert gap.largest < 1e-6
    # A row with a gap everywhere and a category that nobody declared has a prediction.
    strange = frame.iloc[:2].copy()
    strange["stage"], strange["ward"] = "V", "attic"
    strange[["age", "lab", "smoker"]] = np.nan
    found = run.model.transform(strange) if name == "components" else run.model.predict(strange)
    assert len(found) == 2


def test_a_survival_model_has_the_preprocessing_of_the_pooled_rows() -> None:
    frame = staged(seed=8).rename(columns={"died": "event"})
    random = np.random.default_rng(0)
    frame["time"] = np.ceil(random.exponential(50, len(frame))) + 1
    plan = Preprocess(impute="median", min_count=20)
    sites = deal(frame, [150, 90, 60], target="time", event="event")
    run = fl.Federation(sites).train(
        fl.CoxRegression(grid="exact"), preprocess=plan, evaluate=False
    )
    run.run(12, progress=False)
    assert run.gap_to_pooled(frame).largest < 1e-8
    x = run.problem.space.matrix(frame)
    # Categories add up to a constant where none is missing, so that one of each is left out.
    kept = [i for i, name in enumerate(run.problem.space.names) if "=" not in name]
    pooled = pooled_numbers(frame, plan)
    np.testing.assert_allclose(x[:, kept], pooled, atol=1e-12)


def pooled_numbers(frame: pd.DataFrame, plan: Preprocess) -> Any:
    columns = frame[["age", "lab", "smoker"]]
    steps = make_pipeline(StandardScaler(), SimpleImputer(strategy=plan.impute))
    return steps.fit_transform(columns)


def test_made_up_centres_lie_among_rows_that_are_not_scaled() -> None:
    frame = table(300, gaps=False)
    plan = Preprocess(standardise=False)
    run = run_of(frame, plan, model=fl.KMeans(n_clusters=40, n_init=1), rounds=0)
    ages = run.state.parameters["centers"][0][:, 0]
    assert abs(ages.mean() - frame["age"].mean()) < 3 * frame["age"].std() / np.sqrt(40)
    assert 0.6 < ages.std() / frame["age"].std() < 1.4


def test_centres_and_components_are_counted_by_the_columns_that_are_left() -> None:
    frame = staged()
    plan = Preprocess(min_count=250, rare="drop")
    names = run_of(frame, plan).problem.space.names
    assert names == ("age", "lab", "smoker")
    centres = [[0.0] * 3, [1.0] * 3]
    run_of(frame, plan, model=fl.KMeans(n_clusters=2, start=centres), rounds=1)
    run_of(frame, plan, model=fl.PCA(n_components=3), rounds=1)
    with pytest.raises(TrainingError, match="3 for 10 columns"):
        run_of(frame, model=fl.KMeans(n_clusters=2, start=centres))
    with pytest.raises(TrainingError, match="At most 3 components"):
        run_of(frame, plan, model=fl.PCA(n_components=4))


def test_components_without_scaling_get_their_last_digits_from_a_second_round() -> None:
    frame = table(300, gaps=False).assign(lab=lambda rows: rows["lab"] + 1e5)
    plan = Preprocess(standardise=False)
    gaps = [
        run_of(frame, plan, model=fl.PCA(), rounds=rounds).gap_to_pooled(frame).largest
        for rounds in (1, 2)
    ]
    assert gaps[1] < 1e-8
    assert gaps[1] <= gaps[0]


def test_a_plan_that_leaves_no_column_is_refused() -> None:
    site = lone(staged()[["ward", "stage", "died"]])
    with pytest.raises(TrainingError, match="none is left"):
        fl.Federation([site]).train(
            LogisticRegression(), preprocess=Preprocess(min_count=1000, rare="drop")
        )


# What sites are asked


class Eavesdropper(fl.Site):
    """A site that keeps what it was asked."""

    def answer(self, request: Request) -> Reply:
        self.__dict__.setdefault("asked", []).append(request.query)
        return super().answer(request)


def asked_of(plan: Preprocess, model: Any = None, **options: Any) -> list[Any]:
    site = Eavesdropper("mercy", staged(), target="died", test_size=0.0, **options)
    model = model or LogisticRegression()
    fl.Federation([site]).train(model, preprocess=plan, evaluate=False)
    return [query for query in site.__dict__["asked"] if hasattr(query, "schema")]


def test_sites_are_asked_for_no_more_than_the_plan_needs() -> None:
    def columns(kind: Any, plan: Preprocess) -> set[str]:
        queries = [query for query in asked_of(plan) if isinstance(query, kind)]
        return {name for query in queries for name in query.schema.names}

    assert columns(Ranks, Preprocess(impute={"lab": "median"})) == {"lab"}
    assert columns(Ranks, Preprocess(impute={"smoker": "most_frequent"})) == {"smoker"}
    assert columns(Ranks, Preprocess()) == set()
    assert columns(CategoryCounts, Preprocess(impute={"stage": "most_frequent"})) == {"stage"}
    assert columns(CategoryCounts, Preprocess(min_count=5)) == {"ward", "stage"}
    assert columns(CategoryCounts, Preprocess(unseen="bucket")) == set()


def test_a_frequent_value_is_found_in_one_question() -> None:
    queries = asked_of(Preprocess(impute={"smoker": "most_frequent"}))
    assert sum(isinstance(query, Ranks) for query in queries) == 1


@pytest.mark.parametrize(
    ("plan", "model"),
    [
        (Preprocess(impute="median"), LogisticRegression()),
        (Preprocess(impute={"smoker": "most_frequent"}), LogisticRegression()),
    ],
    ids=str,
)
def test_a_site_may_keep_counts_to_itself_that_tell_single_values(
    plan: Preprocess, model: Any
) -> None:
    closed = fl.Policy(minimum_rows=1, single_values=False)
    with pytest.raises(RefusedError, match="single rows") as caught:
        asked_of(plan, model, policy=closed)
    assert caught.value.code == "values"
    assert asked_of(Preprocess(min_count=5), model, policy=closed)


def test_such_a_site_grows_no_trees() -> None:
    closed = fl.Policy(minimum_rows=1, single_values=False)
    sites = deal(staged(), [200, 100], policy=closed)
    run = fl.Federation(sites).train(fl.RandomForestClassifier(n_trees=2), evaluate=False)
    with pytest.raises(RefusedError, match="without trees"):
        run.step()


# Export


@pytest.mark.parametrize(
    "plan",
    [
        Preprocess(impute="median", min_count=11, unseen="bucket"),
        Preprocess(impute="most_frequent", min_count=11),
        Preprocess(impute={"stage": "most_frequent"}, min_count=11, unseen="bucket"),
        Preprocess(min_count=250, rare="drop"),
        Preprocess(standardise=False, impute="zero", min_count=250),
    ],
    ids=str,
)
def test_the_exported_files_agree_with_the_model(plan: Preprocess) -> None:
    run = run_of(staged(), plan, rounds=6)
    space, model = run.problem.space, run.model
    graph = to_onnx(model, space)
    assert check_agreement(model, graph, space) < 1e-12
    frame = staged(seed=4).drop(columns="died")
    frame["stage"] = frame["stage"].astype(object)
    frame.loc[:9, "stage"] = "V"
    _, found = session_of(graph).run(None, onnx_inputs(frame, space.schema.columns))
    expected = model.predict_proba(frame)
    assert np.abs(found - expected).max() < 1e-12
    again = load_estimator(dump_estimator(model))
    assert (again.predict_proba(frame) == expected).all()


# Lists of categories that differ


def wards(union: bool = True) -> list[fl.Site]:
    frame = table(240, seed=3, gaps=False)
    parts = {"a": ("north", "south"), "b": ("west", "south")}
    sites = []
    for name, listed in parts.items():
        own = frame[frame["ward"].isin(listed)].iloc[:80]
        ward = own["ward"].astype("str")
        declared = listed if union else ("north", "south", "west")
        categories = {"ward": declared}
        sites.append(lone(own.assign(ward=ward), name, categories=categories, test_size=0.0))
    return sites


def test_sites_whose_lists_differ_join_them_by_name_when_asked() -> None:
    with pytest.raises(SchemaError, match="ward"):
        fl.Federation(wards())
    fed = fl.Federation(wards()[::-1], categories="union")
    assert fed.schema.columns[-1].categories == ("north", "south", "west")
    run = fed.train(LogisticRegression())
    run.run(8, progress=False)
    same = fl.Federation(wards(union=False)).train(LogisticRegression())
    same.run(8, progress=False)
    assert bits(run.state.parameters) == bits(same.state.parameters)


def test_lists_that_are_the_same_keep_their_declared_order() -> None:
    frame = staged()
    frame["stage"] = frame["stage"].cat.reorder_categories(STAGES[::-1])
    fed = fl.Federation(deal(frame, [200, 100]), categories="union")
    assert fed.schema.columns[-1].categories == STAGES[::-1]


def test_a_site_still_refuses_a_list_that_lacks_its_own_categories() -> None:
    site = wards(union=False)[0]
    columns = tuple(
        Column(c.name, c.kind, c.categories[:2], c.low, c.high) for c in site.schema.columns
    )
    reply = ask(site, CategoryCounts(Schema(columns, "died", (0, 1))))
    assert reply.refusal is not None
    assert reply.refusal.code == "unfit"


def test_a_federation_knows_two_ways_to_agree_on_categories() -> None:
    with pytest.raises(DataError, match="union"):
        fl.Federation(wards(), categories="join")  # type: ignore[arg-type]


# Privacy


def private(plan: Preprocess | None, model: Any = None) -> tuple[fl.Site, Training]:
    site = lone(
        staged(),
        ranges={"age": (20, 100), "lab": (0, 50), "smoker": (0, 1)},
        policy=fl.Policy(minimum_rows=1),
    )
    fed = fl.Federation([site])
    model = model or LogisticRegression()
    return site, fed.train(model, privacy=PROMISE, preprocess=plan, strategy=fl.FedAvg())


@pytest.mark.parametrize(
    ("plan", "fill", "mean"),
    [
        (None, [60, 25, 0.5], [60, 25, 0.5]),
        (Preprocess(unseen="bucket"), [60, 25, 0.5], [60, 25, 0.5]),
        (Preprocess(impute="zero"), [0, 0, 0], [60, 25, 0.5]),
        (Preprocess(standardise=False), [60, 25, 0.5], [0, 0, 0]),
    ],
)
def test_under_privacy_declared_ranges_are_all_it_takes(
    plan: Preprocess | None, fill: list[float], mean: list[float]
) -> None:
    site, run = private(plan)
    space = run.problem.space
    assert (space.fill.tolist(), space.scaling["mean"].tolist()) == (fill, mean)
    assert space.vocabulary["stage"].kept == STAGES
    assert site.ledger.frame.empty
    run.step()


@pytest.mark.parametrize(
    "plan",
    [
        Preprocess(impute="median"),
        Preprocess(impute="most_frequent"),
        Preprocess(impute={"stage": "most_frequent"}),
        Preprocess(min_count=11),
    ],
    ids=str,
)
def test_what_has_to_be_read_from_rows_is_refused_under_privacy(plan: Preprocess) -> None:
    with pytest.raises(PrivacyError, match="declared"):
        private(plan)


@pytest.mark.parametrize("query", [Ranks, CategoryCounts])
def test_sites_refuse_the_counts_of_preprocessing_under_privacy(query: Any) -> None:
    (site,) = deal(staged(), [300])
    schema = site.schema
    extra = [] if query is CategoryCounts else [np.zeros((3, 1) if query is Ranks else 3)]
    assert answer_of(ask(site, query(schema, *extra)))
    reply = ask(site, query(schema, *extra), privacy=PROMISE)
    assert reply.refusal is not None
    assert reply.refusal.code == "no-sensitivity"


# What cannot be done


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"impute": "mode"}, "'mode'"),
        ({"impute": {"age": "mode"}}, "'mode'"),
        ({"impute": {"age": "keep"}}, "single columns"),
        ({"min_count": -1}, "-1"),
        ({"min_count": True}, "True"),
        ({"rare": "merge"}, "'merge'"),
        ({"unseen": "error"}, "'error'"),
        ({"rare": "drop", "unseen": "bucket"}, "rare='drop'"),
    ],
)
def test_arguments_out_of_their_range_are_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError) as caught:
        Preprocess(**arguments)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Preprocess(impute={"height": "median"}), "'height'"),
        (Preprocess(impute={"stage": "median"}), "most_frequent"),
        (Preprocess(impute="keep"), "kept"),
    ],
)
def test_plans_that_do_not_fit_columns_or_model_are_refused(plan: Preprocess, said: str) -> None:
    with pytest.raises(FedlabError, match=said):
        run_of(staged(), plan)
