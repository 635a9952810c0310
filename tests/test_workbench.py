"""The workbench without a browser: a click from code runs the handler."""

from __future__ import annotations

import html
import logging
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ipywidgets as ipw
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

import fedlab as fl
from fedlab.core.parameters import Parameters
from fedlab.errors import SecureSumError, TrainingError
from fedlab.queries import Answer, Query, Reply, Request
from fedlab.strategies import Problem, State, Strategy
from fedlab.training import Training
from fedlab.widgets import Workbench
from fedlab.widgets.style import CSS, SCRIPT
from fedlab.widgets.worker import Worker
from tests.builders import OPEN, deal, numeric, table

SECONDS = 60
HOSTILE = "<img src=x onerror=alert(1)>"


def federation(**options: Any) -> fl.Federation:
    return fl.Federation(deal(table(90), [40, 50], test_size=0.2, **options), seed=3)


@pytest.fixture
def bench() -> Workbench:
    return Workbench(federation())


def click(bench: Workbench, *buttons: ipw.Button) -> None:
    """Click, and wait until all is shown."""
    for button in buttons:
        button.click()
        assert bench.wait(SECONDS)


def parts(widget: Any) -> Iterator[Any]:
    """A widget and all in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def shown(bench: Workbench) -> str:
    """The HTML of the whole panel."""
    return "\n".join(w.value for w in parts(bench.widget) if isinstance(w, ipw.HTML))


def classed(bench: Workbench, name: str) -> Any:
    (found,) = (w for w in parts(bench.widget) if name in w._dom_classes)
    return found


def chart(bench: Workbench) -> Any:
    (found,) = (w for w in parts(bench.widget) if isinstance(w, go.FigureWidget))
    return found


def enabled(bench: Workbench) -> set[str]:
    """Names of the buttons that can be clicked."""
    buttons = [w for w in parts(bench.widget) if isinstance(w, ipw.Button)]
    return {button.description for button in buttons if not button.disabled}


@dataclass
class Gate:
    """An engine that lets requests through one round at a time, once it is shut."""

    open: threading.Event = field(default_factory=threading.Event)
    waiting: threading.Event = field(default_factory=threading.Event)
    inner: Any = None

    def __post_init__(self) -> None:
        self.open.set()

    def connect(self, sites: Sequence[fl.Site]) -> Gate:
        self.inner = fl.InProcess().connect(sites)
        return self

    @property
    def sites(self) -> tuple[str, ...]:
        names: tuple[str, ...] = self.inner.sites
        return names

    def ask(
        self, requests: Sequence[Request], on_reply: Callable[[Reply], None] | None = None
    ) -> list[Reply]:
        self.waiting.set()
        assert self.open.wait(SECONDS)
        replies: list[Reply] = self.inner.ask(requests, on_reply)
        return replies


@pytest.fixture
def gated() -> tuple[Workbench, Gate]:
    gate = Gate()
    sites = deal(table(90), [40, 50], test_size=0.2)
    bench = Workbench(fl.Federation(sites, seed=3, engine=gate))
    click(bench, bench.form.start)
    gate.open.clear()
    gate.waiting.clear()
    return bench, gate


def test_a_step_takes_one_round_and_shows_it(bench: Workbench) -> None:
    assert "No run yet" in shown(bench)
    click(bench, bench.controls.step)
    assert bench.run is not None
    assert bench.run.round == 1
    assert "Round 1" in classed(bench, "fedlab-round").value
    assert all(name in classed(bench, "fedlab-round-table").value for name in bench.fed.sites)


def test_the_chart_follows_in_place(bench: Workbench) -> None:
    live = chart(bench)
    before = [trace.uid for trace in live.data]
    for round in (1, 2):
        click(bench, bench.controls.step)
        assert [trace.x[-1] for trace in live.data] == [round] * len(live.data)
    assert bench.run is not None
    assert [trace.uid for trace in live.data] == before
    assert list(live.data[0].y) == bench.run.history["train_loss"].round(6).tolist()


def test_there_is_one_live_figure_only(bench: Workbench) -> None:
    click(bench, bench.controls.step, bench.results.contribute, bench.results.evaluate)
    assert chart(bench)


def test_run_takes_as_many_rounds_as_the_field_says(bench: Workbench) -> None:
    bench.controls.n_rounds.value = 7
    click(bench, bench.controls.run)
    assert bench.run is not None
    assert bench.run.round == 7
    assert bench.error is None


def test_the_same_clicks_give_the_same_model_as_code(bench: Workbench) -> None:
    bench.controls.n_rounds.value = 4
    click(bench, bench.controls.step, bench.controls.run)
    run = federation().train(fl.LogisticRegression(), strategy=fl.FedAvg())
    run.run(5, progress=False)
    assert bench.run is not None
    assert bench.run.state.parameters.vector.tolist() == run.state.parameters.vector.tolist()


def test_rewind_goes_back_one_round_by_default_and_gives_no_spend_back(bench: Workbench) -> None:
    bench.form.promise.private.value = True
    click(bench, bench.controls.step, bench.controls.step)
    spent = bench.fed.privacy.totals["epsilon_spent"].tolist()
    assert bench.controls.to_round.value == 1
    click(bench, bench.controls.rewind)
    assert bench.run is not None
    assert bench.run.round == 1
    assert "stays in their ledgers" in shown(bench)
    assert bench.fed.privacy.totals["epsilon_spent"].tolist() == spent


def test_each_button_calls_one_public_method(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    called: list[str] = []

    def spy(owner: type, name: str) -> None:
        method = getattr(owner, name)

        def spied(*args: Any, **options: Any) -> Any:
            if threading.current_thread().name == "fedlab-workbench":
                called.append(name)
            return method(*args, **options)

        monkeypatch.setattr(owner, name, spied)

    spy(fl.Federation, "train")
    for name in ("run", "rewind", "fork", "contributions", "evaluate", "export", "save"):
        spy(Training, name)
    bench.results.folder.value = str(tmp_path / "model")
    buttons = {
        "train": bench.form.start,
        "run": bench.controls.run,
        "rewind": bench.controls.rewind,
        "contributions": bench.results.contribute,
        "evaluate": bench.results.evaluate,
    }
    for name, button in buttons.items():
        called.clear()
        click(bench, button)
        assert (called, bench.error) == ([name], None)
    called.clear()
    click(bench, bench.results.export)
    assert called[0] == "export"


def test_buttons_that_make_no_sense_are_disabled(bench: Workbench) -> None:
    assert enabled(bench) == {"New run", "Step", "Run"}
    click(bench, bench.form.start)
    assert enabled(bench) == {"New run", "Step", "Run", "Evaluate"}
    click(bench, bench.controls.step)
    assert enabled(bench) == {
        *("New run", "Step", "Run", "Rewind", "Compute", "Evaluate", "Export")
    }


def test_every_button_and_field_has_a_name_and_a_tooltip(bench: Workbench) -> None:
    inputs = (ipw.Button, ipw.Text, ipw.IntText, ipw.FloatText, ipw.Dropdown, ipw.Checkbox)
    for widget in parts(bench.widget):
        if isinstance(widget, (*inputs, ipw.IntSlider)):
            assert widget.description
            assert widget.tooltip


def test_a_click_returns_at_once_and_pause_stops_between_rounds(
    gated: tuple[Workbench, Gate],
) -> None:
    bench, gate = gated
    bench.controls.n_rounds.value = 1000
    bench.controls.run.click()
    assert gate.waiting.wait(SECONDS)
    assert not bench.wait(0.5)
    assert enabled(bench) == {"Pause"}
    bench.controls.pause.click()
    assert "Pausing" in shown(bench)
    gate.open.set()
    assert bench.wait(SECONDS)
    assert bench.run is not None
    assert bench.run.round == 1
    assert "Paused after round 1." in shown(bench)
    assert "Pause" not in enabled(bench)
    bench.controls.n_rounds.value = 3
    click(bench, bench.controls.run)
    assert bench.run.round == 4


def test_pause_counts_even_before_the_run_has_begun_to_listen(bench: Workbench) -> None:
    bench.controls.n_rounds.value = 100_000
    bench.controls.run.click()
    bench.controls.pause.click()
    assert bench.wait(SECONDS)
    assert bench.run is not None
    assert bench.run.round < 100_000


def test_pause_without_a_run_under_way_does_nothing(bench: Workbench) -> None:
    click(bench, bench.controls.pause, bench.controls.step, bench.controls.pause)
    bench.controls.n_rounds.value = 5
    click(bench, bench.controls.run)
    assert bench.run is not None
    assert bench.run.round == 6


def test_clicks_at_once_start_one_run(gated: tuple[Workbench, Gate]) -> None:
    bench, gate = gated
    first = bench.run
    bench.controls.n_rounds.value = 3
    bench.controls.run.click()
    assert gate.waiting.wait(SECONDS)
    clicks = [bench.controls.run, bench.controls.step, bench.form.start, bench.controls.rewind]
    threads = [threading.Thread(target=button.click) for button in clicks * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.open.set()
    assert bench.wait(SECONDS)
    assert bench.run is first
    assert first is not None
    assert first.round == 3


def test_another_run_is_not_put_in_while_one_is_under_way(gated: tuple[Workbench, Gate]) -> None:
    bench, gate = gated
    bench.controls.step.click()
    with pytest.raises(TrainingError, match="between two clicks"):
        bench.run = None
    gate.open.set()
    assert bench.wait(SECONDS)


def test_code_can_go_on_with_the_run_and_the_panel_with_codes(bench: Workbench) -> None:
    click(bench, bench.controls.step)
    assert bench.run is not None
    bench.run.run(3, progress=False)
    bench.refresh()
    assert "Round 4" in shown(bench)
    other = bench.fed.train(fl.LogisticRegression(), strategy=fl.FedNewton())
    bench.run = other
    click(bench, bench.controls.step)
    assert other.round == 1
    bench.run = None
    assert "No run yet" in shown(bench)


def test_a_run_of_other_sites_is_not_taken(bench: Workbench) -> None:
    other = fl.Federation(deal(table(30), [30]))
    with pytest.raises(TrainingError, match="its own sites"):
        bench.run = other.train(fl.LogisticRegression(), strategy=fl.FedNewton())


WRONG: list[tuple[Callable[[Workbench], Any], Any, str]] = [
    (lambda b: b.form.local["batch_size"], "abc", "Batch size must be a whole number"),
    (lambda b: b.form.local["batch_size"], "-3", "batch_size must be a whole number of at least 1"),
    (lambda b: b.form.local["learning_rate"], "fast", "Learning rate must be a number"),
    (lambda b: b.form.local["learning_rate"], "nan", "learning_rate must be positive"),
    (
        lambda b: b.form.local["local_epochs"],
        0,
        "local_epochs must be a whole number of at least 1",
    ),
    (lambda b: b.form.local["site_fraction"], 2.0, "site_fraction must be above 0"),
    (lambda b: b.form.promise.epsilon, -1.0, "epsilon must be positive. Got -1."),
    (lambda b: b.form.promise.delta, 1.0, "delta must lie between 0 and 1"),
    (lambda b: b.form.promise.rounds, 0, "rounds must be a whole number of at least 1"),
    (lambda b: b.form.promise.clip, 0.0, "clipping_norm must be positive"),
]


@pytest.mark.parametrize(("where", "value", "words"), WRONG)
def test_a_bad_setting_is_said_in_words_and_the_next_click_works(
    bench: Workbench, where: Callable[[Workbench], Any], value: object, words: str
) -> None:
    bench.form.promise.private.value = True
    right = where(bench).value
    where(bench).value = value
    click(bench, bench.form.start)
    assert words in classed(bench, "fedlab-notice").children[1].value
    assert "No run yet" in shown(bench)
    where(bench).value = right
    click(bench, bench.form.start)
    assert bench.error is None
    assert bench.run is not None
    assert "fedlab-error" not in shown(bench)


@pytest.mark.parametrize(
    ("click_on", "words"),
    [
        ("rewind", "This needs a run. Got no run yet."),
        ("contribute", "This needs a run."),
        ("evaluate", "This needs a run."),
        ("export", "This needs a run."),
    ],
)
def test_a_click_without_a_run_is_answered_in_words(
    bench: Workbench, click_on: str, words: str
) -> None:
    owner = bench.controls if click_on == "rewind" else bench.results
    click(bench, getattr(owner, click_on))
    assert words in shown(bench)


def test_other_bad_fields_are_said_in_words(bench: Workbench) -> None:
    click(bench, bench.controls.step)
    bench.controls.n_rounds.value = -1
    click(bench, bench.controls.run)
    assert "n_rounds must be a whole number" in shown(bench)
    bench.results.folder.value = "  "
    click(bench, bench.results.export)
    assert "An export needs a folder." in shown(bench)
    bench.results.noise.value = HOSTILE
    click(bench, bench.results.evaluate)
    assert "ε must be a number." in shown(bench)
    assert "<img" not in shown(bench)


def test_newton_under_privacy_takes_noisy_steps(bench: Workbench) -> None:
    bench.form.promise.private.value, bench.form.kind.value = True, "FedNewton"
    click(bench, bench.form.start, bench.controls.step)
    assert bench.error is None
    assert bench.run is not None
    assert [event.count for event in bench.run.rounds[-1].charges.values()][:1] == [1]


def test_a_refusal_by_a_sites_budget_loses_nothing() -> None:
    fed = fl.Federation(fl.datasets.opt(policy=fl.Policy(epsilon=1.0)), seed=7)
    bench = Workbench(fed, privacy=fl.RecordDP(epsilon=1.5, delta=1e-5, rounds=10))
    bench.controls.n_rounds.value = 10
    click(bench, bench.controls.run)
    assert isinstance(bench.error, fl.errors.RefusedError)
    assert bench.run is not None
    assert 0 < bench.run.round < 10
    assert f"Round {bench.run.round}" in shown(bench)
    assert "Site &#x27;KY&#x27;" in shown(bench)
    assert 'role="meter"' in classed(bench, "fedlab-privacy-table").value
    assert (fed.privacy.totals["epsilon_spent"] <= 1.0).all()
    assert chart(bench).data[0].x[-1] == bench.run.round
    click(bench, bench.controls.rewind)
    assert bench.error is None


def test_a_site_that_answers_only_with_noise_says_so() -> None:
    bench = Workbench(federation(policy=fl.Policy(epsilon=2.0, minimum_rows=1)))
    click(bench, bench.controls.step)
    assert "answers only with noise" in shown(bench)
    assert bench.run is None


def test_what_was_not_foreseen_is_named_by_its_kind_alone(
    bench: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken(self: Training, on_reply: object = None) -> None:
        raise ValueError("could not convert string to float: 'Jane Doe'")

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(Training, "step", broken)
        click(bench, bench.controls.step)
    assert "Something unforeseen happened (ValueError)" in shown(bench)
    assert "Jane" not in shown(bench)
    assert "Jane" not in "".join(capfd.readouterr())
    assert isinstance(bench.error, ValueError)
    click(bench, bench.controls.step)
    assert bench.run is not None
    assert bench.run.round == 1


def test_a_hostile_name_is_text_everywhere() -> None:
    frame = table(90)
    names = (HOSTILE, "'\"><script>alert(1)</script>")
    sites = [
        fl.Site(name, frame.iloc[45 * i : 45 * i + 45], target="died", policy=OPEN)
        for i, name in enumerate(names)
    ]
    bench = Workbench(fl.Federation(sites, seed=1))
    click(bench, bench.controls.step, bench.results.contribute, bench.results.evaluate)
    assert bench.error is None
    for text in (shown(bench), chart(bench).to_json()):
        assert "&lt;img src=x onerror=alert(1)" in text
        assert "<img" not in text
        assert "<script" not in text


def test_a_hostile_name_in_an_error_is_text() -> None:
    frame, budget = table(45), fl.Policy(epsilon=2.0)
    bench = Workbench(fl.Federation([fl.Site(HOSTILE, frame, target="died", policy=budget)]))
    click(bench, bench.controls.step)
    assert "&lt;img" in classed(bench, "fedlab-notice").children[1].value
    assert "<img" not in shown(bench)


def test_contributions_and_evaluation_say_of_which_round_they_are(bench: Workbench) -> None:
    click(bench, bench.controls.step, bench.results.contribute, bench.results.evaluate)
    for name in ("contributions", "evaluation"):
        value = classed(bench, f"fedlab-{name}-table").value
        assert "After round 1." in value
        assert all(site in value for site in bench.fed.sites)
    click(bench, bench.form.start)
    assert "After round" not in shown(bench)


def test_export_writes_what_load_accepts(bench: Workbench, tmp_path: Path) -> None:
    bench.results.folder.value = str(tmp_path / "model")
    click(bench, bench.controls.step, bench.results.export)
    assert bench.error is None
    assert fl.load(tmp_path / "model").model is not None
    assert "After round 1." in classed(bench, "fedlab-export-table").value


def test_a_private_run_can_be_judged_with_noise_and_its_card_holds_that(tmp_path: Path) -> None:
    bench = Workbench(federation(), privacy=fl.RecordDP(epsilon=2.0, delta=1e-5, rounds=2))
    bench.results.noise.value = "0.5"
    bench.results.folder.value = str(tmp_path / "model")
    click(bench, bench.controls.step, bench.results.evaluate, bench.results.export)
    assert bench.error is None
    assert "at most ε = 0.5" in classed(bench, "fedlab-evaluation-table").value
    card = (tmp_path / "model" / "card.md").read_text("utf-8")
    assert "0.5" in card


class Still(Strategy):
    """A strategy that the form does not know."""

    def plan(self, problem: Problem, state: State) -> dict[str, Query]:
        return fl.FedAvg().plan(problem, state)

    def combine(self, problem: Problem, state: State, answers: dict[str, Answer]) -> State:  # type: ignore[override]
        return State(state.round + 1, state.parameters, state.carried)

    def direction(self, answer: Answer) -> Parameters:
        return fl.FedAvg().direction(answer)


def test_a_strategy_the_form_does_not_know_is_offered_as_given() -> None:
    given = Still()
    bench = Workbench(federation(), strategy=given)
    click(bench, bench.controls.step)
    assert bench.run is not None
    assert bench.run.strategy is given
    bench.form.kind.value = "FedAvg"
    assert bench.form.strategy() == fl.FedAvg()


def test_the_form_starts_with_what_is_given_and_keeps_what_it_does_not_show() -> None:
    strategy = fl.FedAvg(local_steps=3, batch_size=None, learning_rate=0.25, weighting="equal")
    privacy = fl.RecordDP(epsilon=0.5, delta=1e-6, rounds=4, clipping_norm=0.3)
    bench = Workbench(federation(), fl.LogisticRegression(C=2.0), strategy, privacy)
    assert bench.form.strategy() == strategy
    assert bench.form.privacy() == privacy
    click(bench, bench.form.start)
    assert bench.run is not None
    assert bench.run.problem.model == fl.LogisticRegression(C=2.0)
    newton = Workbench(federation(), strategy=fl.FedNewton())
    assert newton.form.strategy() == fl.FedNewton()
    assert newton.form.privacy() is None


def test_the_chart_changes_between_exact_and_private_runs(bench: Workbench) -> None:
    click(bench, bench.controls.step)
    exact = [trace.name for trace in chart(bench).data]
    bench.form.promise.private.value = True
    click(bench, bench.form.start, bench.controls.step)
    assert [trace.name for trace in chart(bench).data] == ["ε", *bench.fed.sites]
    bench.form.promise.private.value = False
    click(bench, bench.form.start, bench.controls.step)
    assert [trace.name for trace in chart(bench).data] == exact


def test_the_chart_keeps_its_panels_and_height_when_a_run_begins(bench: Workbench) -> None:
    live = chart(bench)
    before = [(trace.name, trace.yaxis) for trace in live.data], live.layout.height
    for button in (bench.form.start, bench.controls.step):
        click(bench, button)
        now = [(trace.name, trace.yaxis) for trace in live.data], live.layout.height
        assert now == before
    bench.form.promise.private.value = True
    click(bench, bench.form.start)
    assert live.layout.height == before[1]


def test_its_text_is_stable_and_it_shows_as_a_widget(bench: Workbench) -> None:
    assert repr(bench) == "Workbench(2 sites, no run yet)"
    bundle = bench._repr_mimebundle_()
    assert bundle["text/plain"] == repr(bench)
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == bench.widget.model_id


def test_making_one_asks_for_nothing_but_ledgers() -> None:
    fed = federation()
    before = fed.privacy.totals["exact_answers"].tolist()
    Workbench(fed)
    assert fed.privacy.totals["exact_answers"].tolist() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"fed": None}, "fed of a workbench must be a Federation. Got something of type NoneType."),
        ({"model": "logistic"}, "model of a workbench must be a Model"),
        ({"strategy": fl.FedAvg}, "strategy of a workbench must be a Strategy"),
        ({"privacy": 2.0}, "privacy of a workbench must be a RecordDP"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        Workbench(**{"fed": federation(), **arguments})


def test_nothing_is_fetched_from_elsewhere(bench: Workbench) -> None:
    click(bench, bench.controls.step)
    for text in (CSS, SCRIPT, shown(bench)):
        assert "//" not in text
        assert "@import" not in text


def test_a_click_on_what_is_being_shown_waits_and_counts() -> None:
    worker, showing = Worker(), threading.Event()
    done: list[object] = []
    assert worker.start(lambda: None, lambda: done.append(showing.wait(SECONDS)))
    while worker.busy:
        pass
    assert worker.start(lambda: done.append("second"), lambda: None)
    assert not worker.start(lambda: done.append("third"), lambda: None)
    showing.set()
    assert worker.wait(SECONDS)
    assert done == [True, "second"]


def survivors(n_rows: int = 120) -> pd.DataFrame:
    """Whole days until death or the end of watching, which age shortens."""
    frame, random = numeric(n_rows, seed=4).drop(columns="died"), np.random.default_rng(2)
    life = random.exponential(20 * np.exp(-(frame["age"] - 60) / 12))
    watched = random.exponential(30, n_rows)
    days = np.ceil(np.minimum(life, watched))
    return frame.assign(days=days, died=(life <= watched).astype(int))


def of_target(kind: str) -> fl.Federation:
    options: dict[str, Any] = {"test_size": 0.2}
    if kind == "survival":
        options |= {"target": "days", "event": "died", "ranges": None}
        return fl.Federation(deal(survivors(), [70, 50], **options), seed=3)
    frame = numeric(120, signal=2.0)
    if kind == "numbers":
        frame = frame.drop(columns="died").assign(cost=lambda each: np.abs(each["lab"]) + 1)
        options |= {"target": "cost", "ranges": {}}
    if kind == "three classes":
        stages = pd.Index(["early", "late", "none"])
        frame["died"] = pd.Categorical.from_codes(np.arange(120) % 3, categories=stages)
    return fl.Federation(deal(frame, [70, 50], **options), seed=3)


CLASSES = [
    *("LogisticRegression", "SVC", "GaussianNB", "BernoulliNB"),
    *("RandomForestClassifier", "GradientBoostingClassifier"),
]
NUMBERS = [
    *("LinearRegression", "Ridge", "PoissonRegression"),
    *("RandomForestRegressor", "GradientBoostingRegressor"),
]
OFFERED = {
    "classes": CLASSES,
    "three classes": CLASSES,
    "numbers": NUMBERS,
    "survival": ["CoxRegression"],
}


def values_of(kind: ipw.Dropdown) -> list[str]:
    return [value for _, value in kind.options]


@pytest.mark.parametrize("kind", OFFERED)
def test_the_models_offered_are_those_that_fit_the_target(kind: str) -> None:
    bench = Workbench(of_target(kind))
    form, target = bench.form, {"numbers": "cost (numbers)", "survival": "days (time until died)"}
    assert f"Target {target.get(kind, 'died (')}" in shown(bench)
    assert values_of(form.models.kind) == [*OFFERED[kind], "KMeans", "PCA"]
    if kind == "survival":
        form.models.fields.inputs["grid"].value = "exact"
        assert form.model() == fl.CoxRegression(grid="exact")
    else:
        assert form.model() == getattr(fl, OFFERED[kind][0])()


@pytest.mark.parametrize(
    ("kind", "model"),
    [(kind, model) for kind, models in OFFERED.items() for model in [*models, "KMeans", "PCA"]],
)
def test_each_model_is_fitted_and_judged_by_clicks(kind: str, model: str) -> None:
    bench = Workbench(of_target(kind))
    form, results = bench.form, bench.results
    form.models.kind.value = model
    for name, value in {"n_trees": 2, "max_depth": "2", "grid": "5, 40", "n_clusters": 2}.items():
        if name in form.models.fields.inputs:
            form.models.fields.inputs[name].value = value
    if model == "SVC":
        form.models.fields.inputs["kernel"].value = "linear"
    bench.controls.n_rounds.value = 3
    click(bench, bench.controls.run)
    assert bench.error is None
    assert bench.run is not None
    assert type(bench.run.problem.model).__name__ == model
    done = bench.run.strategy.finished(bench.run.problem, bench.run.state)
    assert bench.run.round == 3 or done
    assert model in shown(bench)
    score = bench.run.problem.model.score
    figure = [trace for trace in chart(bench).data if trace.yaxis == "y2"]
    held_out = bench.run.history[f"held_out_{score}"].to_numpy()
    factor = 100 if score == "accuracy" else 1
    np.testing.assert_allclose(np.array(figure[0].y, float), factor * held_out, atol=1e-6)
    click(bench, results.evaluate)
    assert bench.error is None
    assert score.replace("_", " ") in classed(bench, "fedlab-evaluation-table").value


EVERY = [
    *("FedAvg", "FedNewton", "FedProx", "SCAFFOLD", "FedNova", "FedSGD"),
    *("FedAvgM", "FedAdam", "FedYogi", "FedAdagrad", "FineTuning", "Ditto"),
]


@pytest.mark.parametrize(
    ("model", "strategies"),
    [
        ("LogisticRegression", EVERY),
        ("SVC", EVERY),
        ("GaussianNB", ["FedSums"]),
        ("RandomForestClassifier", ["FedForest"]),
        ("GradientBoostingClassifier", ["FedBoost"]),
        ("KMeans", ["FedSums"]),
    ],
)
def test_the_strategies_offered_are_those_that_fit_the_model(
    bench: Workbench, model: str, strategies: list[str]
) -> None:
    bench.form.models.kind.value = model
    assert values_of(bench.form.kind) == strategies
    assert bench.form.kind.value == strategies[0]


@pytest.mark.parametrize("name", EVERY)
def test_each_strategy_takes_a_round_and_starts_as_in_code(bench: Workbench, name: str) -> None:
    bench.form.kind.value = name
    assert bench.form.strategy() == getattr(fl, name)()
    click(bench, bench.controls.step)
    assert bench.error is None
    assert bench.run is not None
    assert bench.run.strategy == getattr(fl, name)()
    assert f"LogisticRegression by {name}" in shown(bench)


def test_settings_of_model_strategy_and_rule_reach_the_run(bench: Workbench) -> None:
    form = bench.form
    form.models.fields.inputs["C"].value = ""
    form.kind.value = "Ditto"
    form.strategies.fields.inputs["lam"].value = 0.5
    form.local["local_epochs"].value = 2
    form.local["batch_size"].value = ""
    form.rules.kind.value = "TrimmedMean"
    form.rules.fields.inputs["f"].value = 0
    click(bench, bench.form.start)
    assert bench.run is not None
    assert bench.run.problem.model == fl.LogisticRegression(C=math.inf)
    expected = fl.Ditto(lam=0.5, local_epochs=2, batch_size=None, aggregator=fl.TrimmedMean(f=0))
    assert bench.run.strategy == expected


def test_what_was_typed_is_kept_while_another_is_chosen(bench: Workbench) -> None:
    form = bench.form
    form.models.fields.inputs["C"].value = "0.25"
    form.kind.value = "FedProx"
    form.strategies.fields.inputs["mu"].value = 0.7
    form.models.kind.value = "RandomForestClassifier"
    assert form.strategy() == fl.FedForest()
    form.models.kind.value = "LogisticRegression"
    assert form.model() == fl.LogisticRegression(C=0.25)
    form.kind.value = "FedProx"
    assert form.strategy() == fl.FedProx(mu=0.7)


def test_a_strategy_that_fits_both_models_stays_chosen(bench: Workbench) -> None:
    bench.form.kind.value = "FedProx"
    bench.form.models.kind.value = "SVC"
    assert bench.form.kind.value == "FedProx"


def displayed(bench: Workbench) -> list[str]:
    """Labels of the form's inputs that can be seen."""

    def seen(widget: Any) -> Iterator[Any]:
        if widget.layout.display == "none":
            return
        yield widget
        for child in getattr(widget, "children", ()):
            yield from seen(child)

    buttons = (ipw.Button, ipw.Box, ipw.HTML)
    return [w.description for w in seen(bench.form.widget) if not isinstance(w, buttons)]


LOCAL = ["Local epochs", "Batch size", "Learning rate", "Share of sites"]


@pytest.mark.parametrize(
    ("model", "strategy", "labels"),
    [
        ("LogisticRegression", "FedAvg", ["C", "Strategy", *LOCAL, "Combined by"]),
        ("LogisticRegression", "FedNewton", ["C", "Strategy"]),
        ("LogisticRegression", "FedSGD", ["C", "Strategy", *LOCAL[2:], "Combined by"]),
        ("LogisticRegression", "FineTuning", ["C", "Strategy", *LOCAL]),
        ("LogisticRegression", "Ditto", ["C", "Strategy", "Pull λ", *LOCAL, "Combined by"]),
        ("RandomForestClassifier", "FedForest", ["Trees", "Depth", "Strategy"]),
        ("GaussianNB", "FedSums", ["Strategy"]),
    ],
)
def test_only_settings_that_count_are_shown(
    bench: Workbench, model: str, strategy: str, labels: list[str]
) -> None:
    bench.form.models.kind.value = model
    bench.form.kind.value = strategy
    assert displayed(bench) == ["Model", *labels, "Record-level privacy", "Secure sum"]


BAD_MODELS: list[tuple[str, str, Any, str]] = [
    ("LogisticRegression", "C", "much", "C must be a number. Got 'much'."),
    ("LogisticRegression", "C", "-1", "C must be"),
    ("RandomForestClassifier", "n_trees", 0, "n_trees must be a whole number of at least 1"),
    ("RandomForestClassifier", "max_depth", "deep", "Depth must be a whole number"),
    ("KMeans", "n_clusters", 0, "n_clusters"),
    ("PCA", "n_components", 99, "components fit into"),
]


@pytest.mark.parametrize(("model", "name", "value", "words"), BAD_MODELS)
def test_a_bad_setting_of_a_model_is_said_in_words_and_loses_no_run(
    bench: Workbench, model: str, name: str, value: object, words: str
) -> None:
    click(bench, bench.controls.step)
    before = bench.run
    bench.form.models.kind.value = model
    field = bench.form.models.fields.inputs[name]
    right, field.value = field.value, value
    click(bench, bench.form.start)
    assert words in html.unescape(classed(bench, "fedlab-notice").children[1].value)
    assert bench.run is before
    field.value = right
    click(bench, bench.form.start)
    assert bench.error is None


def test_a_rule_that_needs_more_sites_says_so(bench: Workbench) -> None:
    bench.form.rules.kind.value = "Krum"
    click(bench, bench.controls.step)
    assert "2 sites" in shown(bench)
    assert bench.run is not None
    assert bench.run.round == 0


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        ("exact", "exact"),
        ("5, 20", (5.0, 10.0, 15.0, 20.0)),
        ("0.1,0.3", (0.1, 0.2, 0.3)),
        ("30, 90,", (30.0, 90.0)),
        ("1, 2, 7", (1.0, 2.0, 7.0)),
        ("12", (12.0,)),
    ],
)
def test_a_grid_of_times_is_typed_in_few_strokes(text: str, grid: Any) -> None:
    form = Workbench(of_target("survival")).form
    form.models.fields.inputs["grid"].value = text
    found = form.model()
    assert isinstance(found, fl.CoxRegression)
    assert found.grid == (grid if isinstance(grid, str) else pytest.approx(grid))
    given = Workbench(of_target("survival"), found)
    assert given.form.model() == found


@pytest.mark.parametrize(
    ("kind", "titles"),
    [
        ("numbers", ["mean squared error", "R² on", "norm of"]),
        ("survival", ["partial log loss", "concordance on", "sent by all"]),
    ],
)
def test_the_empty_chart_has_the_names_of_the_first_model(kind: str, titles: list[str]) -> None:
    layout = chart(Workbench(of_target(kind))).layout
    axes = (layout.yaxis, layout.yaxis2, layout.yaxis3)
    assert [axis.title.text.split("<br>")[0] for axis in axes] == titles


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Grid of times must be filled in"),
        ("monthly", "Grid of times takes a step and an end"),
        ("5, 1", "Grid of times takes"),
        ("-5, 20", "Grid of times takes"),
        ("nan, 20", "Grid of times takes"),
        ("1e-9, 20", "Grid of times takes"),
        ("3, 2, 1", "positive, finite times that rise"),
    ],
)
def test_a_grid_that_is_none_is_said_in_words(text: str, words: str) -> None:
    bench = Workbench(of_target("survival"))
    bench.form.models.fields.inputs["grid"].value = text
    click(bench, bench.controls.step)
    assert words in shown(bench)
    assert bench.run is None


def test_a_forest_ends_by_itself_and_has_no_contributions(bench: Workbench) -> None:
    bench.form.models.kind.value = "RandomForestClassifier"
    bench.form.models.fields.inputs["n_trees"].value = 2
    bench.form.models.fields.inputs["max_depth"].value = "2"
    bench.controls.n_rounds.value = 500
    click(bench, bench.controls.run)
    assert bench.run is not None
    last = bench.run.round
    assert last < 500
    assert f"Round {last} was the last: the model is finished." in shown(bench)
    assert "FedForest keeps only the sums" in classed(bench, "fedlab-contributions-table").value
    assert enabled(bench) == {"New run", "Rewind", "Evaluate", "Export"}
    click(bench, bench.results.contribute)
    assert bench.error is None or "keeps only the sums" in shown(bench)
    click(bench, bench.controls.rewind)
    assert {"Step", "Run"} <= enabled(bench)
    bench.form.models.kind.value = "LogisticRegression"
    click(bench, bench.form.start, bench.controls.step)
    assert "FedForest" not in classed(bench, "fedlab-contributions-table").value
    assert "Compute" in enabled(bench)


def test_sites_own_parameters_are_judged_where_there_are_any(
    bench: Workbench, tmp_path: Path
) -> None:
    click(bench, bench.controls.step, bench.results.evaluate)
    assert bench.results.personal.layout.display == "none"
    assert "personal" not in classed(bench, "fedlab-evaluation-table").value
    bench.form.kind.value = "Ditto"
    click(bench, bench.form.start, bench.controls.step, bench.results.evaluate)
    assert bench.results.personal.layout.display == ""
    assert "personal accuracy" in classed(bench, "fedlab-evaluation-table").value
    bench.results.folder.value = str(tmp_path / "model")
    click(bench, bench.results.export)
    assert bench.error is None
    bench.results.personal.value = False
    click(bench, bench.results.evaluate)
    assert "personal" not in classed(bench, "fedlab-evaluation-table").value


def test_a_model_the_form_does_not_know_is_offered_as_given() -> None:
    from sklearn.linear_model import SGDClassifier

    model = fl.SklearnModel(SGDClassifier(loss="log_loss"))
    bench = Workbench(of_target("classes"), model)
    assert bench.form.model() is model
    assert values_of(bench.form.kind)[0] == "FedAvg"
    assert "FedNewton" not in values_of(bench.form.kind)
    click(bench, bench.controls.step)
    assert bench.error is None


def test_a_rule_given_in_code_is_kept() -> None:
    strategy = fl.FedAvg(aggregator=fl.NormClipping(bound=0.5))
    bench = Workbench(federation(), strategy=strategy)
    assert bench.form.strategy() == strategy
    assert bench.form.rules.kind.value == "NormClipping"


def secure_bench(*sizes: int) -> Workbench:
    """A workbench whose form asks for a secure sum."""
    sites = deal(table(sum(sizes)), list(sizes), test_size=0.2)
    bench = Workbench(fl.Federation(sites, seed=3))
    bench.form.adding.secure.value = True
    return bench


def test_the_switch_of_the_secure_sum_hides_what_single_sites_sent() -> None:
    bench = secure_bench(40, 50, 60)
    click(bench, bench.controls.step)
    assert bench.error is None
    assert bench.run is not None
    assert bench.run.rounds[-1].hidden
    assert "through secure sums" in shown(bench)
    assert "what a single site sent is hidden" in shown(bench)
    plain = Workbench(bench.fed)
    click(plain, plain.controls.step)
    assert plain.run is not None
    gap = bench.run.state.parameters - plain.run.state.parameters
    assert np.abs(gap.vector).max() < 1e-8
    click(bench, bench.results.evaluate)
    assert bench.error is None
    assert bench.results._shown["evaluation"].value.count("<tr>") < len(bench.fed.sites)


def test_under_a_secure_sum_the_chart_shows_what_all_sites_sent_together() -> None:
    bench = secure_bench(40, 50, 60)
    click(bench, bench.form.start)
    before = [(trace.name, trace.yaxis) for trace in chart(bench).data]
    click(bench, bench.controls.step, bench.controls.step)
    live = chart(bench)
    assert [(trace.name, trace.yaxis) for trace in live.data] == before
    (sent,) = [trace for trace in live.data if trace.name == "all sites"]
    titles = [live.layout[name].title.text for name in ("yaxis", "yaxis2", "yaxis3")]
    assert titles[-1] == "sent by all<br>sites (kB)"
    assert bench.run is not None
    assert list(sent.y[1:]) == [size / 1000 for size in bench.run.history["bytes"][1:]]


@pytest.mark.parametrize(
    ("strategy", "rule", "why"),
    [
        ("SCAFFOLD", "Mean", "Not with SCAFFOLD: a secure sum hides what each site sent."),
        ("FineTuning", "Mean", "Not with FineTuning: a secure sum hides what each site sent."),
        ("FedAdam", "Mean", ""),
        ("FedAvg", "Median", "Not with Median: a robust rule looks at each site"),
        ("FedNewton", "Median", ""),
    ],
)
def test_the_switch_is_grey_and_says_why_where_single_answers_are_needed(
    bench: Workbench, strategy: str, rule: str, why: str
) -> None:
    form = bench.form
    form.adding.secure.value = True
    form.rules.kind.value = rule
    form.kind.value = strategy
    assert form.adding.secure.disabled == bool(why)
    assert form.aggregation() == ("plain" if why else "secure")
    assert why in html.unescape(form.adding.widget.children[1].value)
    # What was wanted comes back, and the reason goes.
    form.rules.kind.value = "Mean"
    form.kind.value = "FedAvg"
    assert form.aggregation() == "secure"
    assert form.adding.widget.children[1].value == ""


def test_a_secure_sum_of_two_sites_is_refused_in_words(bench: Workbench) -> None:
    bench.form.adding.secure.value = True
    click(bench, bench.controls.step)
    assert isinstance(bench.error, SecureSumError)
    assert "A secure sum needs at least 3 different sites. Got 2." in shown(bench)
    bench.form.adding.secure.value = False
    click(bench, bench.controls.step)
    assert bench.error is None
