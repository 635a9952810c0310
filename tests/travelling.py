"""Values of every class that travels for trees, sums, survival, preprocessing and partial_fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import fedlab as fl
from fedlab.core.parameters import Parameters
from fedlab.core.schema import Column, Schema
from fedlab.core.sklearn_model import SklearnClassifier, SklearnRegressor
from fedlab.core.space import Space
from fedlab.core.trees.bins import Bins
from fedlab.core.trees.cells import Cells
from fedlab.core.trees.nodes import Nodes
from fedlab.core.vocabulary import Vocabulary
from fedlab.privacy.secure.member import Opening
from fedlab.privacy.secure.setting import Advert, Setting
from fedlab.queries import (
    Among,
    BlockCounts,
    BoostHistogram,
    Bootstrap,
    CategoryCounts,
    CategoryTally,
    CellCounts,
    CountBlocks,
    CountCells,
    CountGroups,
    CountRows,
    CountSurvival,
    CountTables,
    CrossProducts,
    CrossSums,
    EventTimes,
    ForestHistogram,
    GroupCounts,
    GroupSums,
    Histogram,
    OutOfBag,
    PartialFit,
    RankCounts,
    Ranks,
    RiskHistogram,
    RiskSets,
    Statistics,
    SumGroups,
    Sums,
    SurvivalCounts,
    Times,
)
from fedlab.queries.groups import Condition, Factor
from fedlab.queries.packing import Leaf, Pattern
from fedlab.queries.secure_sum import (
    Advertise,
    Advertised,
    Confirm,
    Confirmed,
    Mask,
    Masked,
    Open,
    Opened,
    Shared,
    ShareSecrets,
)
from fedlab.strategies import FedBoost, FedCox, FedForest, FedSums

TEXT = st.text(max_size=8)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
ARRAYS = arrays.arrays(np.float64, SHAPES, elements=st.floats())
PARAMETERS = st.dictionaries(TEXT, ARRAYS, max_size=3).map(Parameters)
LABELS = st.one_of(st.booleans(), st.integers(-5, 5), TEXT)
COLUMNS = st.builds(
    Column,
    name=TEXT,
    kind=st.sampled_from(["number", "category"]),
    categories=TEXTS,
    low=st.none() | st.floats(allow_nan=False),
    high=st.none() | st.floats(allow_nan=False),
)
SCHEMAS = st.builds(
    Schema,
    columns=st.lists(COLUMNS, max_size=3).map(tuple),
    target=TEXT,
    classes=st.lists(LABELS, max_size=3).map(tuple),
    event=st.none() | TEXT,
)
VOCABULARIES = st.builds(
    Vocabulary,
    kept=TEXTS,
    rare=TEXTS,
    bucket=st.none() | TEXT,
    unseen=st.booleans(),
    fill=st.none() | TEXT,
)
SPACES = st.builds(
    Space, SCHEMAS, PARAMETERS, st.booleans(), st.lists(VOCABULARIES, max_size=2).map(tuple)
)
POSITIVE = st.floats(1e-3, 1e3)
SPLITS = st.sampled_from(["train", "test"])
READS = st.sampled_from(["classes", "numbers"])
WHOLE = st.integers(1, 9)
SEEDS = st.integers(0, 2**63 - 1)
# As sites and coordinator have them: by four or eight bytes, and single ones for codes.
INTS: st.SearchStrategy[Any] = st.sampled_from([np.int32, np.int64, np.uint8]).flatmap(
    lambda kind: arrays.arrays(kind, SHAPES)
)
FLAGS = arrays.arrays(np.bool_, SHAPES)
MAYBE_DEPTH = st.none() | WHOLE
MAX_FEATURES = st.none() | st.sampled_from(["sqrt", "log2"]) | WHOLE | st.floats(0.01, 1)
FOREST: dict[str, Any] = {
    "n_trees": WHOLE,
    "max_depth": MAYBE_DEPTH,
    "min_samples_split": st.integers(2, 9),
    "min_samples_leaf": WHOLE,
    "max_features": MAX_FEATURES,
    "bootstrap": st.just(True),
    "oob_score": st.booleans(),
    "max_bins": st.integers(2, 255),
    "seed": SEEDS,
}
BOOSTING: dict[str, Any] = {
    "n_trees": WHOLE,
    "learning_rate": st.floats(0.01, 1),
    "max_leaf_nodes": st.integers(2, 40),
    "max_depth": MAYBE_DEPTH,
    "min_samples_leaf": WHOLE,
    "l2": st.floats(0, 10),
    "max_bins": st.integers(2, 255),
}
FORESTS = st.builds(fl.RandomForestClassifier, **FOREST)
BOOSTED = st.builds(fl.GradientBoostingClassifier, **BOOSTING)
BOOSTED_NUMBERS = st.builds(fl.GradientBoostingRegressor, **BOOSTING)
CENTRES = st.lists(st.lists(st.floats(-9, 9), min_size=2, max_size=2), min_size=3, max_size=3)
KMEANS = st.builds(fl.KMeans, n_clusters=WHOLE, n_init=st.none() | WHOLE, seed=SEEDS) | st.builds(
    fl.KMeans, n_clusters=st.just(3), start=CENTRES
)
GAUSSIAN = st.builds(
    fl.GaussianNB,
    var_smoothing=st.floats(0, 1),
    priors=st.none() | st.floats(0, 1).map(lambda share: (share, 1 - share)),
)
BERNOULLI = st.builds(fl.BernoulliNB, alpha=POSITIVE, binarize=st.floats(0, 9))
COMPONENTS = st.builds(fl.PCA, n_components=WHOLE)
GRIDS = st.lists(POSITIVE, min_size=1, max_size=4, unique=True).map(sorted)
COX = st.builds(
    fl.CoxRegression,
    grid=st.none() | st.just("exact") | GRIDS,
    ties=st.sampled_from(["efron", "breslow"]),
    alpha=st.floats(0, 9),
)
LINES: list[dict[str, Any]] = [{}, {"alpha": 0.5, "fit_intercept": False, "random_state": 3}]
NETWORKS: list[dict[str, Any]] = [
    {"hidden_layer_sizes": (4, 2), "random_state": None},
    {"hidden_layer_sizes": 3, "solver": "sgd", "momentum": 0.5},
]
ESTIMATORS = st.sampled_from(
    [
        *(SklearnClassifier(name="SGDClassifier", settings=each) for each in LINES),
        *(SklearnClassifier(name="MLPClassifier", settings=each) for each in NETWORKS),
    ]
)
REGRESSORS = st.sampled_from(
    [
        *(SklearnRegressor(name="SGDRegressor", settings=each) for each in LINES),
        *(SklearnRegressor(name="MLPRegressor", settings=each) for each in NETWORKS),
    ]
)
BINS = st.builds(Bins, ARRAYS, INTS, INTS)
NODES = st.builds(Nodes, INTS, INTS, INTS, FLAGS | INTS)
CELLS = st.builds(Cells, INTS, INTS, INTS, INTS)
ROWS = st.dictionaries(TEXT, st.integers(0, 99), max_size=3)
BOOTSTRAPS = st.builds(Bootstrap, SEEDS, ROWS)
OPEN_NODES: dict[str, Any] = {"bins": BINS, "nodes": NODES, "tree": INTS, "node": INTS}
SURVIVAL: dict[str, Any] = {"model": COX, "space": SPACES}
DIGESTS = st.binary(min_size=32, max_size=32)
SEALED = st.dictionaries(TEXT, st.binary(max_size=9), max_size=3)
ADVERTS = st.builds(Advert, seal=DIGESTS, pad=DIGESTS, promise=DIGESTS, signature=DIGESTS)
SETTINGS = st.builds(
    Setting,
    run=TEXT,
    round=st.integers(0, 9),
    attempt=st.integers(0, 2**53),
    question=DIGESTS,
    sites=TEXTS,
    identities=st.lists(DIGESTS, max_size=3).map(tuple),
    weights=st.lists(st.integers(1, 99), max_size=3).map(tuple),
    threshold=st.integers(0, 9),
)
LEAVES = st.builds(Leaf, path=TEXTS, shape=st.just((2, 3)), whole=st.booleans())
PATTERNS = st.builds(Pattern, TEXT, st.lists(LEAVES, max_size=3).map(tuple))
FACTORS = st.lists(
    st.builds(
        Factor,
        column=TEXT,
        values=TEXTS,
        edges=st.lists(st.floats(allow_nan=False), max_size=4).map(tuple),
    ),
    max_size=2,
).map(tuple)
CONDITIONS = st.lists(
    st.builds(
        Condition,
        column=TEXT,
        low=st.none() | st.floats(allow_nan=False),
        high=st.none() | st.floats(allow_nan=False),
        values=TEXTS,
    ),
    max_size=2,
).map(tuple)
ASKED: dict[str, Any] = {
    "schema": SCHEMAS,
    "where": CONDITIONS,
    "split": st.sampled_from(["train", "test", "all"]),
}
COUNT_ROWS = st.builds(CountRows, schema=SCHEMAS, parameters=st.integers(0, 99))
MORE: dict[type, st.SearchStrategy[Any]] = {
    CountGroups: st.builds(CountGroups, factors=FACTORS, **ASKED),
    CountTables: st.builds(CountTables, tables=st.lists(FACTORS, max_size=3).map(tuple), **ASKED),
    GroupCounts: st.builds(GroupCounts, ARRAYS, ARRAYS),
    SumGroups: st.builds(
        SumGroups, columns=TEXTS, center=ARRAYS, scale=ARRAYS, factors=FACTORS, **ASKED
    ),
    GroupSums: st.builds(GroupSums, ARRAYS, ARRAYS, ARRAYS),
    CountBlocks: st.builds(CountBlocks, columns=TEXTS, edges=ARRAYS, factors=FACTORS, **ASKED),
    BlockCounts: st.builds(BlockCounts, ARRAYS, ARRAYS, ARRAYS),
    CountSurvival: st.builds(
        CountSurvival, schema=SCHEMAS, grid=st.just((1.0, 2.0)), exact=st.booleans()
    ),
    SurvivalCounts: st.builds(
        SurvivalCounts, patients=ARRAYS, left=ARRAYS, told=ARRAYS, hidden=ARRAYS
    ),
    CrossProducts: st.builds(
        CrossProducts, schema=SCHEMAS, columns=TEXTS, center=ARRAYS, scale=ARRAYS
    ),
    CrossSums: st.builds(CrossSums, ARRAYS, ARRAYS),
    CountRows: COUNT_ROWS,
    Among: st.builds(Among, schema=SCHEMAS, query=COUNT_ROWS, complete=TEXTS),
    fl.RandomForestClassifier: FORESTS,
    fl.RandomForestRegressor: st.builds(fl.RandomForestRegressor, **FOREST),
    fl.GradientBoostingClassifier: BOOSTED,
    fl.GradientBoostingRegressor: BOOSTED_NUMBERS,
    fl.GaussianNB: GAUSSIAN,
    fl.BernoulliNB: BERNOULLI,
    fl.KMeans: KMEANS,
    fl.PCA: COMPONENTS,
    fl.CoxRegression: COX,
    SklearnClassifier: ESTIMATORS,
    SklearnRegressor: REGRESSORS,
    FedForest: st.builds(FedForest, pooled=ROWS),
    FedBoost: st.just(FedBoost()),
    FedSums: st.just(FedSums()),
    FedCox: st.just(FedCox()),
    CountCells: st.builds(
        CountCells,
        space=SPACES,
        reads=READS,
        cells=CELLS,
        width=WHOLE,
        center=st.floats(),
        half=st.floats(0, 9),
    ),
    CellCounts: st.builds(CellCounts, INTS, INTS, INTS),
    ForestHistogram: st.builds(
        ForestHistogram,
        space=SPACES,
        reads=READS,
        n_trees=WHOLE,
        features=INTS,
        begin=INTS,
        bootstrap=st.none() | BOOTSTRAPS,
        center=st.floats(),
        half=POSITIVE,
        **OPEN_NODES,
    ),
    Histogram: st.builds(Histogram, INTS, INTS),
    OutOfBag: st.builds(
        OutOfBag,
        space=SPACES,
        reads=READS,
        bins=BINS,
        nodes=NODES,
        n_trees=WHOLE,
        value=ARRAYS,
        bootstrap=BOOTSTRAPS,
    ),
    BoostHistogram: st.builds(
        BoostHistogram,
        model=BOOSTED | BOOSTED_NUMBERS,
        space=SPACES,
        roots=INTS,
        value=ARRAYS,
        baseline=ARRAYS,
        finished=st.integers(0, 9),
        half=POSITIVE,
        bits=st.integers(1, 30),
        shift=st.integers(1, 61),
        **OPEN_NODES,
    ),
    Statistics: st.builds(
        Statistics,
        model=GAUSSIAN | BERNOULLI | KMEANS | COMPONENTS,
        space=SPACES,
        parameters=PARAMETERS,
    ),
    Sums: st.builds(Sums, PARAMETERS),
    EventTimes: st.builds(EventTimes, **SURVIVAL),
    Times: st.builds(Times, ARRAYS),
    RiskSets: st.builds(RiskSets, parameters=PARAMETERS, **SURVIVAL),
    RiskHistogram: st.builds(
        RiskHistogram, parameters=PARAMETERS, bins=WHOLE, split=SPLITS, **SURVIVAL
    ),
    Ranks: st.builds(Ranks, SCHEMAS, ARRAYS),
    RankCounts: st.builds(RankCounts, ARRAYS),
    CategoryCounts: st.builds(CategoryCounts, SCHEMAS),
    CategoryTally: st.builds(CategoryTally, ARRAYS),
    PartialFit: st.builds(
        PartialFit,
        model=ESTIMATORS | REGRESSORS,
        space=SPACES,
        parameters=PARAMETERS,
        epochs=WHOLE,
    ),
    Advertise: st.builds(
        Advertise,
        digest=DIGESTS,
        setting=SETTINGS,
        query=st.builds(Ranks, SCHEMAS, ARRAYS),
        privacy=st.none() | st.just(fl.RecordDP(epsilon=1.0, delta=1e-5)),
    ),
    Advertised: st.builds(Advertised, ADVERTS),
    ShareSecrets: st.builds(ShareSecrets, digest=DIGESTS, adverts=st.dictionaries(TEXT, ADVERTS)),
    Shared: st.builds(Shared, st.dictionaries(TEXT, st.binary(max_size=9), max_size=3)),
    Mask: st.builds(Mask, digest=DIGESTS, sealed=SEALED),
    Masked: st.builds(Masked, INTS, PATTERNS),
    Confirm: st.builds(Confirm, digest=DIGESTS, survivors=TEXTS),
    Confirmed: st.builds(Confirmed, DIGESTS),
    Open: st.builds(Open, digest=DIGESTS, confirmations=SEALED),
    Opened: st.builds(Opened, st.builds(Opening, pads=SEALED, own=SEALED)),
}
