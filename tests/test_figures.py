"""Figures: names are text, numbers compare, and what is not known takes no space."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fedlab as fl
from fedlab.displays.escape import as_label
from fedlab.displays.figures import (
    comparison_figure,
    contributions_figure,
    evaluation_figure,
    history_figure,
    similarity_figure,
    spend_figure,
)
from fedlab.errors import TrainingError
from tests.builders import deal, numeric

HOSTILE = "<img src=x onerror=alert(1)>"
TEX = "$\\href{javascript:alert(1)}{x}$"
NAMES = [HOSTILE, TEX, "2024-01-01", "%{x}"]


def evaluation(names: list[str] = NAMES) -> Any:
    frame = pd.DataFrame({"accuracy": 0.81234567, "auc": 0.9}, index=[*names, "(all sites)"])
    return evaluation_figure(frame, "(all sites)")


def spend(names: list[str] = NAMES) -> Any:
    budget = [3.0, *[math.nan] * (len(names) - 1)]
    totals = {"epsilon_spent": 1.00001, "epsilon_left": np.array(budget) - 1.00001}
    return spend_figure(pd.DataFrame({**totals, "budget": budget, "delta": "1e-05"}, index=names))


def contributions(names: list[str] = NAMES, error: float = 0.0) -> Any:
    values = {"shapley": 1 / 3, "standard_error": error, "leave_one_out": -0.1}
    return contributions_figure(pd.DataFrame(values, index=names))


def similarity(names: list[str] = NAMES) -> Any:
    return similarity_figure(pd.DataFrame(np.eye(len(names)), index=names, columns=names))


def comparison(names: list[str] = NAMES) -> Any:
    return comparison_figure(pd.DataFrame({HOSTILE: 0.8, "private": 0.7}, index=names))


def history(names: list[str] = NAMES) -> Any:
    rounds = pd.RangeIndex(4, name="round")
    scores = ["train_loss", "held_out_loss", "held_out_accuracy"]
    frame = pd.DataFrame({score: np.linspace(0.7, 0.3, 4) for score in scores}, index=rounds)
    return history_figure(frame, pd.DataFrame(0.1, index=rounds, columns=names))


ALL = [evaluation, spend, contributions, similarity, comparison, history]
Draw = Callable[..., Any]


def texts(value: Any) -> Iterator[str]:
    """Every text anywhere in a figure."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)


def as_json(figure: Any) -> Any:
    return json.loads(figure.to_json())


@pytest.mark.parametrize("draw", ALL)
def test_a_hostile_name_is_text(draw: Draw) -> None:
    found = list(texts(as_json(draw())))
    assert not any("<img" in text for text in found)
    assert as_label(HOSTILE) in found


@pytest.mark.parametrize("draw", ALL)
def test_a_figure_is_the_same_to_the_character(draw: Draw) -> None:
    assert draw().to_json() == draw().to_json()
    assert "bdata" not in draw().to_json()


@pytest.mark.parametrize("draw", ALL)
def test_numbers_are_rounded(draw: Draw) -> None:
    def numbers(value: Any) -> Iterator[float]:
        if isinstance(value, float):
            yield value
        elif isinstance(value, dict | list):
            for part in value.values() if isinstance(value, dict) else value:
                yield from numbers(part)

    found = list(numbers(as_json(draw())["data"]))
    assert found == [round(number, 6) for number in found]


@pytest.mark.parametrize("draw", [evaluation, spend, contributions, similarity, comparison])
def test_a_name_like_a_date_or_number_stays_a_name(draw: Draw) -> None:
    assert as_json(draw(["2024-01-01", "7"]))["layout"]["yaxis"]["type"] == "category"


@pytest.mark.parametrize("draw", [spend, contributions, comparison])
def test_names_that_differ_at_their_ends_alone_keep_their_own_bars(draw: Draw) -> None:
    (first, second) = as_json(draw(["x" * 60 + "1", "x" * 60 + "2"]))["data"][0]["y"]
    assert first != second


@pytest.mark.parametrize("draw", ALL)
def test_it_reads_on_light_and_dark_pages(draw: Draw) -> None:
    layout = as_json(draw())["layout"]
    assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)"
    assert layout["font"]["color"] == "#808080"


@pytest.mark.parametrize("draw", ALL)
def test_one_site_and_many_draw(draw: Draw) -> None:
    for count in (1, 67):
        assert as_json(draw([f"site {i}" for i in range(count)]))["data"]


@pytest.mark.parametrize(
    ("draw", "unit"),
    [
        (evaluation, "0 to 1"),
        (spend, "δ = 1e-05"),
        (contributions, "nats a row"),
        (similarity, "−1 to 1"),
        (comparison, "0 to 1"),
        (history, "round"),
    ],
)
def test_the_axis_names_its_unit(draw: Draw, unit: str) -> None:
    layout = as_json(draw())["layout"]
    titles = [axis["title"].get("text", "") for name, axis in layout.items() if "xaxis" in name]
    assert any(unit in title for title in titles)


def test_sampled_shapley_values_have_error_bars_and_exact_ones_none() -> None:
    assert "error_x" not in as_json(contributions())["data"][0]
    sampled = as_json(contributions(error=0.02))["data"][0]
    assert sampled["error_x"]["array"] == [0.02] * 4
    assert "standard error" in sampled["name"]


def test_noisy_accuracy_has_error_bars_and_no_auc() -> None:
    frame = pd.DataFrame({"accuracy": 0.8, "accuracy_noise": 0.1}, index=["a", "(all sites)"])
    (trace,) = as_json(evaluation_figure(frame, "(all sites)"))["data"]
    assert trace["error_x"]["array"] == [0.1]


def test_spent_epsilon_is_never_shown_as_less() -> None:
    spent, left = as_json(spend())["data"]
    assert spent["x"][0] == 1.0001
    assert left["x"] == [1.9999, None, None, None]


def test_a_site_without_a_budget_is_said_to_have_no_limit() -> None:
    notes = as_json(spend())["layout"]["annotations"]
    assert [note["text"] for note in notes] == ["no limit"] * 3


def test_a_run_under_privacy_shows_epsilon_in_place_of_losses() -> None:
    rounds = pd.RangeIndex(3, name="round")
    frame = pd.DataFrame(
        {"train_loss": math.nan, "held_out_loss": math.nan, "epsilon": [0.0, 0.4, 0.60001]},
        index=rounds,
    )
    norms = pd.DataFrame({"a": [math.nan, 1.0, 2.0]}, index=rounds)
    drawn = as_json(history_figure(frame, norms, promised=1.0))
    assert [trace["name"] for trace in drawn["data"]] == ["ε", "a"]
    assert drawn["data"][0]["y"] == [0.0, 0.4, 0.6001]
    assert [line["y0"] for line in drawn["layout"]["shapes"]] == [1.0]


def test_history_without_norms_shows_how_far_the_model_moved() -> None:
    frame = pd.DataFrame({"train_loss": [0.7, 0.6], "update_norm": [math.nan, 0.5]})
    assert as_json(history_figure(frame))["data"][-1]["y"] == [None, 0.5]


def test_many_sites_have_no_legend() -> None:
    drawn = as_json(history([f"site {i}" for i in range(67)]))
    assert not any(trace["showlegend"] for trace in drawn["data"][3:])


def test_an_empty_history_draws() -> None:
    assert as_json(history_figure(pd.DataFrame(index=pd.RangeIndex(0))))["data"]


@pytest.mark.parametrize("n_rounds", [1, 2, 400, 401, 12_345])
def test_a_long_run_is_thinned_and_keeps_its_ends(n_rounds: int) -> None:
    frame = pd.DataFrame({"train_loss": np.linspace(1.0, 0.5, n_rounds)})
    rounds = as_json(history_figure(frame))["data"][0]["x"]
    assert len(rounds) <= 401
    assert (rounds[0], rounds[-1]) == (0, n_rounds - 1)
    assert rounds == sorted(set(rounds))


SCORED = [
    ("log_loss", "accuracy", "log loss<br>(nats a row)", "accuracy on<br>held-out (%)", 100),
    ("mean_squared_error", "r2", "mean squared error<br>(target units²)", "R² on<br>held-out", 1),
    ("mean_poisson_deviance", "d2", "Poisson deviance<br>(a row)", "D² on<br>held-out", 1),
    ("partial_log_loss", "concordance", "partial log loss", "concordance on", 1),
    ("reconstruction_error", "explained_variance_ratio", "reconstruction", "share of variance", 1),
    ("my_loss", "my_score", "my loss<br>(a row)", "my score on<br>held-out", 1),
]


@pytest.mark.parametrize(("loss", "score", "first", "second", "factor"), SCORED)
def test_a_history_shows_the_models_own_score_under_its_own_name(
    loss: str, score: str, first: str, second: str, factor: int
) -> None:
    values = {"train_loss": 2.0, "held_out_loss": 3.0, f"held_out_{score}": [0.25, 0.5]}
    drawn = as_json(history_figure(pd.DataFrame(values), loss=loss))
    layout = drawn["layout"]
    assert layout["yaxis"]["title"]["text"].startswith(first)
    assert layout["yaxis2"]["title"]["text"].startswith(second)
    assert drawn["data"][2]["y"] == [0.25 * factor, 0.5 * factor]
    # What may be negative is not cut off at 0.
    assert (layout["yaxis2"]["rangemode"] == "nonnegative") == (
        score in {"accuracy", "concordance"}
    )


def test_what_is_no_update_is_drawn_by_its_size() -> None:
    frame = pd.DataFrame({"train_loss": 0.5, "bytes": [0, 2_000, 500], "update_norm": math.nan})
    norms = pd.DataFrame({"a": [math.nan, 1.0, 2.0]})
    drawn = as_json(history_figure(frame, norms, sizes=True))
    assert [trace["name"] for trace in drawn["data"]] == [
        "training rows",
        "held-out rows",
        "all sites",
    ]
    assert drawn["data"][-1]["y"] == [None, 2.0, 0.5]
    assert drawn["layout"]["yaxis2"]["title"]["text"] == "sent by all<br>sites (kB)"
    large = as_json(history_figure(frame * 1000, norms, sizes=True))
    assert large["layout"]["yaxis2"]["title"]["text"] == "sent by all<br>sites (MB)"


def test_norms_that_nobody_knows_leave_no_empty_panel() -> None:
    frame = pd.DataFrame({"train_loss": [0.7, 0.6], "update_norm": math.nan})
    assert len(as_json(history_figure(frame))["data"]) == 2


def test_a_forest_and_a_regression_show_what_they_have() -> None:
    forest = fl.Federation(deal(numeric(120), [60, 60], test_size=0.3)).train(
        fl.RandomForestClassifier(n_trees=3, max_depth=2)
    )
    forest.run(50, progress=False)
    layout = as_json(forest.plot())["layout"]
    titles = [axis["title"]["text"] for name, axis in layout.items() if "yaxis" in name]
    assert [title.split("<br>")[0] for title in titles] == [
        "log loss",
        "accuracy on",
        "sent by all",
    ]
    frame = numeric(120).drop(columns="died")
    sites = deal(frame, [60, 60], target="age", test_size=0.3)
    run = fl.Federation(sites).train(fl.Ridge(), strategy=fl.FedAvg())
    run.run(2, progress=False)
    names = [trace["name"] for trace in as_json(run.plot())["data"]]
    assert names == ["training rows", "held-out rows", "R²", "s00", "s01"]
    assert [trace["name"] for trace in as_json(run.evaluate().plot())["data"]] == ["R²"]


def test_own_parameters_are_open_points_beside_the_common_ones() -> None:
    values = {"accuracy": 0.8, "personal_accuracy": 0.9, "auc": 0.7}
    frame = pd.DataFrame(values, index=["a", "(all sites)"])
    drawn = as_json(evaluation_figure(frame, "(all sites)"))
    assert [trace["name"] for trace in drawn["data"]] == ["accuracy", "own accuracy", "AUC"]
    assert drawn["data"][1]["marker"]["symbol"] == "circle-open"
    assert len(drawn["layout"]["shapes"]) == 2


def test_runs_that_predict_numbers_are_compared_by_r2() -> None:
    frame = numeric(120).drop(columns="died")
    fed = fl.Federation(deal(frame, [60, 60], target="age", test_size=0.3))
    ridge, lines = fed.train(fl.Ridge()), fed.train(fl.LinearRegression())
    for run in (ridge, lines):
        run.step()
    found = fl.compare(ridge=ridge, lines=lines)
    assert {"r2", "mean_squared_error"} <= set(found.frame)
    assert list(found.by_site.columns) == ["ridge", "lines"]
    assert "R² on held-out" in as_json(found.plot())["layout"]["xaxis"]["title"]["text"]
    with pytest.raises(TrainingError, match="one score"):
        fl.compare(ridge=ridge, groups=fed.train(fl.KMeans(n_clusters=2)))


def test_contributions_name_the_loss_that_falls() -> None:
    frame = numeric(120).drop(columns="died")
    fed = fl.Federation(deal(frame, [60, 60], target="age", test_size=0.3))
    run = fed.train(fl.Ridge(), strategy=fl.FedAvg())
    run.step()
    found = run.contributions()
    assert "mean squared error (target units²)" in repr(found)
    assert "mean squared error" in as_json(found.plot())["layout"]["xaxis"]["title"]["text"]
