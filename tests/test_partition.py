"""Simulated sites: laws of the deal, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedlab import partitioning
from fedlab.core.assignment import LabelSkew, QuantitySkew, Skew, assign
from fedlab.errors import DataError
from fedlab.partitioning import partition, text_as_categories


class Recorded:
    """Keeps what a Site would be made of."""

    def __init__(self, name: str, data: pd.DataFrame, **options: Any) -> None:
        self.name, self.data, self.options = name, data, options


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitioning, "Site", Recorded)


def deal(*arguments: Any, **options: Any) -> list[Recorded]:
    sites: list[Any] = partition(*arguments, **options)
    return sites


def table(rows: int = 60) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row": range(rows),
            "ward": [("east", "north", "west")[i % 3] for i in range(rows)],
            "died": [int(i % 4 == 0) for i in range(rows)],
        }
    )


alphas = st.floats(1e-6, 1e6)
skews = st.one_of(
    st.none(),
    alphas,
    st.builds(LabelSkew, alphas, st.none() | alphas),
    st.builds(QuantitySkew, alphas),
)
labels = st.lists(st.integers(0, 2), min_size=1, max_size=120).map(
    lambda drawn: np.unique(drawn, return_inverse=True)[1].astype(np.int64)
)


@given(codes=labels, skew=skews, seed=st.integers(0, 2**80), data=st.data())
@settings(deadline=None)
def test_every_row_lands_in_one_site_and_no_site_falls_short(
    codes: npt.NDArray[np.int64], skew: Skew, seed: int, data: st.DataObject
) -> None:
    sites = data.draw(st.integers(1, len(codes)))
    minimum = data.draw(st.integers(1, len(codes) // sites))
    where = assign(codes, sites, skew=skew, seed=seed, minimum_rows=minimum)
    assert where.shape == codes.shape
    sizes = np.bincount(where, minlength=sites)
    assert len(sizes) == sites
    assert sizes.min() >= minimum
    if not isinstance(skew, QuantitySkew):
        assert sizes.max() - sizes.min() <= 1


@given(skew=skews, seed=st.integers(0, 2**40), noise=st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_a_seed_gives_one_partition_whatever_numpys_global_state(
    skew: Skew, seed: int, noise: int
) -> None:
    codes = np.arange(50, dtype=np.int64) % 2
    before = assign(codes, 4, skew=skew, seed=seed)
    np.random.seed(noise)  # noqa: NPY002
    untouched = repr(np.random.get_state())  # noqa: NPY002
    assert np.array_equal(before, assign(codes, 4, skew=skew, seed=seed))
    assert repr(np.random.get_state()) == untouched  # noqa: NPY002


def test_another_seed_gives_another_partition() -> None:
    codes = np.arange(50, dtype=np.int64) % 2
    for skew in (None, 0.5, QuantitySkew(1.0)):
        assert not np.array_equal(assign(codes, 4, skew=skew), assign(codes, 4, skew=skew, seed=1))


def test_label_skew_grows_as_alpha_falls() -> None:
    codes = np.arange(4000, dtype=np.int64) % 2

    def spread(alpha: float) -> float:
        rates = []
        for seed in range(20):
            where = assign(codes, 8, skew=alpha, seed=seed)
            rates.append(np.std([codes[where == site].mean() for site in range(8)]))
        return float(np.mean(rates))

    near, middle, far = spread(0.1), spread(3.0), spread(1000.0)
    assert near > 0.35
    assert far < 0.05
    assert near > middle > far


def test_label_skew_follows_the_dirichlet_where_no_class_runs_out() -> None:
    # The share of a class with prevalence p is Beta(alpha p, alpha (1 - p)); its variance is
    # p (1 - p) / (alpha + 1). Only the first few rows of each site are looked at, so that
    # exhaustion, which must pull the mixes back to the whole, has not begun.
    alpha, codes = 4.0, (np.arange(40_000) % 4 == 0).astype(np.int64)
    shares = []
    for seed in range(40):
        where = assign(codes, 10, skew=alpha, seed=seed)
        shares += [codes[where == site].mean() for site in range(10)]
    assert np.mean(shares) == pytest.approx(0.25, abs=1e-9)
    assert 0.5 < np.var(shares) / (0.25 * 0.75 / (alpha + 1)) < 1.3


def test_quantity_skew_grows_as_alpha_falls() -> None:
    codes = np.zeros(1000, dtype=np.int64)
    largest = [
        np.mean(
            [np.bincount(assign(codes, 5, skew=QuantitySkew(a), seed=s)).max() for s in range(20)]
        )
        for a in (0.1, 1.0, 1000.0)
    ]
    assert largest[0] > largest[1] > largest[2]
    assert largest[2] < 220


def test_label_skew_may_come_with_unequal_sizes() -> None:
    codes = np.arange(1000, dtype=np.int64) % 2
    sizes = np.bincount(assign(codes, 5, skew=LabelSkew(1.0, sizes=1.0), minimum_rows=20))
    assert sizes.sum() == 1000
    assert sizes.min() >= 20
    assert sizes.max() > 2 * sizes.min()
    assert set(np.bincount(assign(codes, 5, skew=LabelSkew(1.0)))) == {200}
    with pytest.raises(DataError, match="positive number"):
        LabelSkew(1.0, sizes=0)


@pytest.mark.parametrize("alpha", [1e-300, 1e300])
def test_extreme_alphas_still_deal_every_row(alpha: float) -> None:
    codes = np.arange(30, dtype=np.int64) % 3
    for skew in (LabelSkew(alpha), QuantitySkew(alpha)):
        assert set(assign(codes, 6, skew=skew)) == set(range(6))


@pytest.mark.usefixtures("recorded")
def test_sites_hold_the_frame_and_nothing_else() -> None:
    frame = table()
    kept = frame.copy(deep=True)
    sites = deal(frame, 7, target="died", skew=0.5)
    together = pd.concat([site.data for site in sites]).sort_values("row", ignore_index=True)
    pd.testing.assert_frame_equal(together, text_as_categories(frame))
    pd.testing.assert_frame_equal(frame, kept)
    assert all(list(site.data.index) == list(range(len(site.data))) for site in sites)


@pytest.mark.usefixtures("recorded")
def test_names_are_padded_so_that_they_sort() -> None:
    names = [site.name for site in deal(table(120), 101, target="died")]
    assert names[:2] == ["site-001", "site-002"]
    assert names == sorted(names)
    assert deal(table(), 2, target="died")[1].name == "site-02"
    assert [s.name for s in deal(table(), 2, target="died", names=("b", "a"))] == ["b", "a"]


@pytest.mark.usefixtures("recorded")
def test_text_becomes_categories_of_the_whole_frame() -> None:
    frame = table(9)
    frame["rare"] = ["x"] * 8 + [None]
    frame["given"] = pd.Categorical(["low"] * 9, categories=["low", "high"])
    for site in deal(frame, 9, target="died"):
        assert list(site.data["ward"].cat.categories) == ["east", "north", "west"]
        assert list(site.data["rare"].cat.categories) == ["x"]
        assert list(site.data["given"].cat.categories) == ["low", "high"]


@pytest.mark.usefixtures("recorded")
def test_a_column_gives_natural_sites() -> None:
    sites = deal(table(), target="died", by="ward")
    assert [(site.name, len(site.data)) for site in sites] == [
        ("east", 20),
        ("north", 20),
        ("west", 20),
    ]
    assert all(list(site.data.columns) == ["row", "died"] for site in sites)
    assert all("simulated" not in site.options["source"] for site in sites)
    numbered = table().assign(ward=lambda frame: frame["row"] % 12)
    names = [site.name for site in deal(numbered, target="died", by="ward")]
    assert names == [str(number) for number in range(12)]


@pytest.mark.usefixtures("recorded")
def test_unused_categories_are_no_sites_and_their_order_is_kept() -> None:
    frame = table()
    frame["ward"] = pd.Categorical(frame["ward"], categories=["west", "none", "north", "east"])
    assert [s.name for s in deal(frame, target="died", by="ward")] == ["west", "north", "east"]


@pytest.mark.usefixtures("recorded")
def test_options_reach_the_sites_and_a_simulated_source_says_so() -> None:
    site = deal(
        table(),
        2,
        target="died",
        skew=0.5,
        seed=3,
        test_size=0.4,
        ranges={"row": (0, 100)},
        source="A hospital",
    )[0]
    assert site.options["source"] == (
        "A hospital [simulated: 2 sites, LabelSkew(alpha=0.5), seed 3]"
    )
    assert (site.options["target"], site.options["seed"], site.options["test_size"]) == (
        "died",
        3,
        0.4,
    )
    assert site.options["ranges"] == {"row": (0, 100)}
    assert site.options["home"] is None


@pytest.mark.usefixtures("recorded")
def test_each_site_has_a_home_of_its_own_inside_the_folder(tmp_path: Path) -> None:
    frame = table(8).drop(columns="ward")
    names = ["..", ".", "a/b", "a%2Fb", "../../x", "<img src=x>", "é", "mercy"]
    sites = deal(frame, 8, target="died", names=names, home=tmp_path)
    homes = [Path(site.options["home"]) for site in sites]
    assert len(set(homes)) == 8
    assert all(home.resolve().parent == tmp_path.resolve() for home in homes)
    assert homes[-1].name == "mercy"


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n_sites": 0}, "n_sites must be a whole number"),
        ({"n_sites": -2}, "Got -2"),
        ({"n_sites": 2.5}, "Got 2.5"),
        ({"n_sites": True}, "n_sites must be"),
        ({"n_sites": None}, "Got None"),
        ({"n_sites": "3"}, "n_sites must be"),
        ({"n_sites": 61}, "need 61 rows"),
        ({"n_sites": 20, "minimum_rows": 4}, "need 80 rows"),
        ({"n_sites": 2, "minimum_rows": 0}, "minimum_rows must be"),
        ({"n_sites": 2, "seed": -1}, "seed must be"),
        ({"n_sites": 2, "seed": 1.5}, "seed must be"),
        ({"n_sites": 2, "target": "dead"}, "target='dead'"),
        ({"n_sites": 2, "skew": 0}, "alpha of a skew must be a positive number. Got 0"),
        ({"n_sites": 2, "skew": -0.3}, "Got -0.3"),
        ({"n_sites": 2, "skew": math.nan}, "Got nan"),
        ({"n_sites": 2, "skew": math.inf}, "Got inf"),
        ({"n_sites": 2, "skew": "label"}, "skew must be None"),
        ({"n_sites": 2, "skew": True}, "skew must be None"),
        ({"n_sites": 2, "names": ["a"]}, "2 sites need 2 different names"),
        ({"n_sites": 2, "names": ["a", "a"]}, "1 different"),
        ({"n_sites": 2, "names": "ab"}, "sequence of texts"),
        ({"n_sites": 2, "names": [1, 2]}, "sequence of texts"),
        ({"by": "ward", "skew": 0.3}, "both skew and by"),
        ({"by": "city"}, "by='city'"),
        ({"by": "died"}, "other than the target"),
        ({"by": "ward", "n_sites": 4}, "n_sites=4 for 3 values"),
        ({"by": "ward", "minimum_rows": 21}, "Site 'east': Each site needs at least 21 rows"),
    ],
)
def test_bad_arguments_are_refused_in_words(options: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError) as caught:
        deal(table(), **{"target": "died", **options})
    assert said in str(caught.value)
    assert caught.value.remedy


@pytest.mark.usefixtures("recorded")
def test_bad_tables_are_refused_without_quoting_them() -> None:
    person = "Jane Doe"
    gaps = table().assign(died=table()["died"].where(table()["row"] > 0), ward=person)
    with pytest.raises(DataError, match="known for every row") as caught:
        deal(gaps, 2, target="died")
    assert person not in str(caught.value)
    homeless = table().assign(ward=pd.Series([person] * 60).where(table()["row"] > 0))
    with pytest.raises(DataError, match="1 rows without one") as caught:
        deal(homeless, target="died", by="ward")
    assert person not in str(caught.value)
    with pytest.raises(DataError, match="0 rows"):
        deal(table(0), 1, target="died")
    with pytest.raises(DataError, match="pandas DataFrame"):
        deal({"died": [0, 1]}, 1, target="died")
    twice = pd.concat([table(), table()[["row"]]], axis=1)
    with pytest.raises(DataError, match="1 repeated"):
        deal(twice, 2, target="died")
    alike = table().assign(ward=pd.Series([1, "1"] * 30, dtype=object))
    with pytest.raises(DataError, match="different names"):
        deal(alike, target="died", by="ward")


@pytest.mark.parametrize("skew", [LabelSkew, QuantitySkew])
@pytest.mark.parametrize("alpha", [0, -1, math.nan, math.inf, "1", None, True])
def test_skews_refuse_what_is_no_concentration(skew: type[LabelSkew], alpha: Any) -> None:
    with pytest.raises(DataError, match="positive number"):
        skew(alpha)


def test_the_real_site_takes_what_partition_hands_it() -> None:
    sites = partition(table(), 3, target="died", skew=1.0, ranges={"row": (0, 100)})
    assert [site.name for site in sites] == ["site-01", "site-02", "site-03"]
