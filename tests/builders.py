"""Small tables, sites and requests that many tests share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import fedlab as fl
from fedlab.core.parameters import Array, Parameters
from fedlab.core.space import Space, from_ranges
from fedlab.privacy import RecordDP
from fedlab.queries import Answer, Context, LocalFit, Query, Reply, Request, ScoreHistogram
from fedlab.queries.query import Split
from fedlab.training import Training

RANGES: dict[str, tuple[float, float]] = {"age": (20, 100), "lab": (-4, 4), "smoker": (0, 1)}
WARDS = ("north", "south", "west")
OPEN = fl.Policy(minimum_rows=1)
MODEL = fl.LogisticRegression()
PROMISE = RecordDP(epsilon=1.0, delta=1e-5, rounds=3)
DELTA = 1e-5
BUDGET = fl.Policy(epsilon=2.0, minimum_rows=1)


def table(n_rows: int, seed: int = 0, *, gaps: bool = True, signal: float = 1.0) -> pd.DataFrame:
    """Numbers with gaps, a flag, a category with gaps, and a target that follows from them."""
    random = np.random.default_rng(seed)
    age = random.normal(60, 12, n_rows)
    lab = random.normal(0, 1, n_rows)
    smoker = random.integers(0, 2, n_rows)
    ward = random.integers(0, 3, n_rows)
    margin = signal * ((age - 60) / 12 + lab - 0.8 * smoker + 0.5 * (ward == 1) - 0.2)
    died = (random.random(n_rows) < 1 / (1 + np.exp(-margin))).astype(int)
    if gaps:
        lab[random.random(n_rows) < 0.1] = np.nan
        ward[random.random(n_rows) < 0.1] = -1
    return pd.DataFrame(
        {
            "age": age,
            "lab": lab,
            "smoker": smoker,
            "ward": pd.Categorical.from_codes(ward, categories=pd.Index(WARDS)),
            "died": died,
        }
    )


def deal(frame: pd.DataFrame, sizes: Sequence[int], **options: Any) -> list[fl.Site]:
    """Sites of the given sizes, rows in order; nothing is held out unless asked."""
    assert sum(sizes) == len(frame)
    ends = np.cumsum(sizes)
    options = {"target": "died", "test_size": 0.0, "policy": OPEN, "ranges": RANGES, **options}
    return [
        fl.Site(f"s{i:02}", frame.iloc[end - size : end], **options)
        for i, (size, end) in enumerate(zip(sizes, ends, strict=True))
    ]


def numeric(n_rows: int, seed: int = 0, **options: Any) -> pd.DataFrame:
    """The same without gaps and without the category."""
    return table(n_rows, seed, gaps=False, **options).drop(columns="ward")


def rows_of(sites: Sequence[fl.Site], split: Split = "train") -> pd.DataFrame:
    """The rows of all sites in one table: what no coordinator may do, and every oracle needs."""
    parts = []
    for site in sites:
        rows = site._rows[split]
        parts.append(rows.features.assign(**{site.schema.target: rows.target}))
    return pd.concat(parts, ignore_index=True)


def design(space: Space, frame: pd.DataFrame) -> tuple[Array, Array]:
    """Scaled matrix and 0/1 target of a table, by hand."""
    columns = [
        np.nan_to_num(
            (frame[c.name].to_numpy(float) - space.scaling["mean"][i]) / space.scaling["scale"][i]
        )
        for i, c in enumerate(space.numbers)
    ]
    for c in space.categories:
        columns += [
            (frame[c.name].astype(object) == level).to_numpy(float) for level in c.categories
        ]
    y = (frame[space.schema.target] == space.schema.classes[1]).to_numpy()
    return np.column_stack(columns).astype(float), y.astype(float)


def fit(site: fl.Site, **changes: Any) -> LocalFit:
    """Local training from zeros at what `site` declares, on its public ranges."""
    space = from_ranges(site.schema)
    options: dict[str, Any] = {
        "model": MODEL,
        "space": space,
        "parameters": MODEL.init(space),
        "penalty": 0.01,
        "learning_rate": 0.1,
        **changes,
    }
    return LocalFit(**options)


def histogram(site: fl.Site, n_candidates: int = 1, **changes: Any) -> ScoreHistogram:
    """A histogram of scores of zeros on the training rows."""
    space = from_ranges(site.schema)
    candidates = (MODEL.init(space),) * n_candidates
    options: dict[str, Any] = {"model": MODEL, "space": space, "candidates": candidates, "bins": 2}
    return ScoreHistogram(**{**options, "split": "train", **changes})


def ask(door: fl.Site, query: Query, **changes: Any) -> Reply:
    """Put a query to a site's door, as any coordinator may."""
    options: dict[str, Any] = {"site": door.name, "run": "run", "round": 1, "seed": 0}
    return door.answer(Request(query=query, **{**options, **changes}))


def answer_of(reply: Reply) -> Answer:
    """The answer of a reply that has one."""
    assert reply.refusal is None, reply.refusal
    assert reply.answer is not None
    return reply.answer


def bits(parameters: Parameters) -> bytes:
    """Every bit of the parameters, names included."""
    return b"".join(name.encode() + parameters[name].tobytes() for name in parameters)


def make(home: Path | None = None, name: str = "mercy", policy: fl.Policy = BUDGET) -> fl.Site:
    """A site of 64 rows, with a budget of ε = 2 unless said otherwise."""
    return fl.Site(
        name,
        table(64, seed=31),
        target="died",
        test_size=0.0,
        policy=policy,
        ranges=RANGES,
        home=home,
        simulated=True,
    )


def entries(site: fl.Site) -> list[tuple[float, float, int]]:
    """What the ledger holds of answers with noise."""
    frame = site.ledger.frame
    noisy = frame[frame["noise_multiplier"].notna()]
    columns = (noisy["noise_multiplier"], noisy["sampling_rate"], noisy["count"])
    return [(float(z), float(q), int(n)) for z, q, n in zip(*columns, strict=True)]


QUERIES: list[tuple[str, dict[str, Any], RecordDP | None]] = [
    ("fit", {}, RecordDP(epsilon=1.0, delta=1e-5, rounds=3)),
    ("fit", {"batch_size": 16, "steps": 2}, RecordDP(epsilon=1.5, delta=1e-6, rounds=4)),
    ("histogram", {}, RecordDP(epsilon=0.5, delta=1e-5)),
    ("histogram", {"n_candidates": 3}, RecordDP(epsilon=1.9, delta=1e-4, rounds=2)),
    ("histogram", {}, None),
]


def request(site: fl.Site, kind: int, **changes: Any) -> str:
    """Ask one of the above; the code of the refusal, or "answered"."""
    name, options, privacy = QUERIES[kind]
    query = fit(site, **options) if name == "fit" else histogram(site, **options)
    reply = ask(site, query, privacy=privacy, **changes)
    return "answered" if reply.refusal is None else reply.refusal.code


def start(site: fl.Site) -> Training:
    """A private run over one site."""
    strategy = fl.FedAvg(local_steps=1, batch_size=None)
    privacy = QUERIES[0][2]
    return fl.Federation([site]).train(MODEL, strategy=strategy, privacy=privacy)


class Recorder:
    """Stands in for the noise: keeps what was to be hidden, and adds nothing."""

    def __init__(self) -> None:
        self.values: list[Array] = []
        self.scales: list[float] = []

    def __call__(self, values: Array, scale: float) -> Array:
        self.values.append(np.array(values))
        self.scales.append(scale)
        return np.asarray(values)

    def context(self, allowed: int = 1000, seed: int = 0, clipping_norm: float = 1.0) -> Context:
        privacy = RecordDP(epsilon=1, delta=1e-5, rounds=1, clipping_norm=clipping_norm)
        """What a site would hand out, with this in place of noise."""
        return Context((seed,), privacy, 1.0, self, allowed=allowed)


def batch_sizes(query: LocalFit, n_rows: int, seeds: int) -> list[int]:
    """Sizes of the batches that a query takes under privacy, for some seeds."""
    recorder = Recorder()
    return [
        len(batch)
        for seed in range(seeds)
        for batch in query._batches(n_rows, recorder.context(seed=seed))
    ]


def good(**columns: Any) -> pd.DataFrame:
    """A usable table with some columns put in or replaced."""
    return table(40, seed=61).assign(**columns)


def lone(frame: pd.DataFrame, name: str = "mercy", **options: Any) -> fl.Site:
    """A site of one table."""
    return fl.Site(name, frame, **{"target": "died", **options})


def train(*sites: fl.Site, rounds: int = 2) -> Training:
    """Two rounds of Newton and of averaging, evaluation included."""
    for strategy in (fl.FedAvg(), fl.FedNewton()):
        run = fl.Federation(sites).train(MODEL, strategy=strategy)
        run.run(rounds, progress=False)
    return run
