"""No row is in anything that is shown, raised, logged or saved; names are shown as plain text."""

from __future__ import annotations

import html
import logging
import traceback
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

import fedlab as fl
from fedlab.core.wire import encode
from fedlab.errors import RefusedError, SaveFileError
from fedlab.privacy import Releases
from fedlab.queries import Answer, Context, Query, Rows, Tally
from fedlab.site import Site
from tests.builders import MODEL, PROMISE, RANGES, ask, deal, histogram, rows_of, table

WORD, NUMBER = "Jane-Doe-7261", 77.31642853
ATTACK = "<img src=x onerror=alert(1)>"


def marked(n_rows: int = 60) -> pd.DataFrame:
    """A table with one patient who must not be recognised."""
    frame = table(n_rows, seed=71)
    frame.loc[0, "age"] = NUMBER
    return frame


def assert_silent(*texts: str) -> None:
    for text in texts:
        assert WORD not in text
        assert str(NUMBER)[:8] not in text


class Careless(Query, msgspec.Struct, frozen=True, tag=True):
    """Fails with a row in its error, as libraries do."""

    refusing: bool = False

    def compute(self, rows: Rows, context: Context) -> Answer:
        age = float(rows.features["age"].max())
        try:
            raise ValueError(f"could not convert {WORD} of age {age} {rows.features.iloc[0]}")
        except ValueError as error:
            if self.refusing:
                raise RefusedError("No.", f"{WORD} {age}", "Go.", code="failed") from error
            raise TypeError(f"bad row {WORD} {age}") from error

    def releases(self, n_rows: int) -> Releases | None:
        return Releases(1)

    def accepts(self, answer: Answer) -> bool:
        return isinstance(answer, Tally)


def whole_chain(error: BaseException | None) -> str:
    """The formatted traceback with local names left out, and every error behind it."""
    told = []
    while error is not None:
        told += [*traceback.format_exception(error), repr(vars(error)), repr(error.args)]
        error = error.__cause__ or error.__context__
    return "\n".join(told)


# R29, R30
@pytest.mark.parametrize("refusing", [False, True])
@pytest.mark.parametrize("privacy", [None, PROMISE])
def test_the_error_of_a_failing_query_leaves_without_its_text(
    refusing: bool, privacy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (site,) = deal(marked(), [60])
    reply = ask(site, Careless(refusing), privacy=privacy)
    assert reply.refusal is not None
    assert reply.error is not None
    assert_silent(repr(reply), str(reply.error), encode(reply).decode("latin-1"), caplog.text)
    assert_silent(site.audit.frame.to_string(), site.ledger.frame.to_string())
    fed = fl.Federation([site])
    with pytest.raises(RefusedError) as caught:
        fed.coordinator.ask("run", 1, {"s00": Careless(refusing)}, privacy)
    assert_silent(whole_chain(caught.value))


# R30
def test_nothing_that_shows_itself_holds_a_row(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    sites = deal(marked(), [30, 30], test_size=0.3)
    fed = fl.Federation(sites, seed=1)
    shown: list[Any] = [*sites, fed, fed.privacy, fed.frame, *(vars(site) for site in sites)]
    for strategy, privacy in ((fl.FedAvg(), None), (fl.FedNewton(), None), (fl.FedAvg(), PROMISE)):
        run = fed.train(MODEL, strategy=strategy, privacy=privacy)
        run.run(2, progress=False)
        run.save(tmp_path / f"{run.id}.fedlab")
        shown += [run, run.rounds[-1], run.rounds, run.history, run.model, run.problem]
        shown += [run.evaluate(), run.contributions(), vars(run)]
    shown += [site._rows for site in sites]
    shown += [site.audit.frame.to_string() + site.ledger.frame.to_string() for site in sites]
    shown += [Context((1,)), histogram(sites[0])]
    texts = [repr(each) + str(each) for each in shown]
    texts += [each._repr_html_() for each in shown if hasattr(each, "_repr_html_")]
    saved = [path.read_bytes().decode("latin-1") for path in tmp_path.iterdir()]
    assert_silent(*texts, *saved, caplog.text)
    packed = msgspec.msgpack.encode(NUMBER)[1:]
    assert all(packed not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_target_of_free_text_does_not_travel_as_a_list_of_classes() -> None:
    # Chosen by mistake, a column of names has few enough values in a small clinic.
    frame = table(40, seed=72).assign(who=[f"{WORD} {i}" for i in range(40)])
    try:
        site = Site("mercy", frame, target="who")
    except fl.errors.DataError as error:
        assert_silent(str(error))
        return
    assert_silent(repr(site.schema))


def test_categories_read_off_the_rows_are_not_quoted_by_an_error() -> None:
    frames = [table(40, seed=73).assign(who=[f"{w} {i % 9}" for i in range(40)]) for w in "ab"]
    frames[1].loc[0, "who"] = WORD
    sites = [
        Site(name, frame.assign(who=frame["who"].astype("category")), target="died")
        for name, frame in zip("ab", frames, strict=True)
    ]
    with pytest.raises(fl.errors.SchemaError) as caught:
        fl.Federation(sites)
    assert_silent(str(caught.value))


# R31
def test_a_site_with_html_as_its_name_is_shown_as_text() -> None:
    columns = {"lab": f"{ATTACK}lab", "died": f"{ATTACK}died"}
    frame = table(120, seed=74).rename(columns=columns).replace({columns["died"]: {1: 1}})
    words = frame[columns["died"]].map({0: "no", 1: f"{ATTACK}yes"})
    frame[columns["died"]] = pd.Categorical(words, categories=["no", f"{ATTACK}yes"])
    ranges = {columns.get(name, name): bounds for name, bounds in RANGES.items()}
    sites = [
        Site(name, part, target=columns["died"], ranges=ranges, source=ATTACK)
        for name, part in ((ATTACK, frame[:60]), ("$x$ _b_ `c`", frame[60:]))
    ]
    fed = fl.Federation(sites)
    run = fed.train(MODEL, strategy=fl.FedAvg())
    run.run(2, progress=False)
    for each in (fed, fed.privacy, run, run.rounds[-1], run.evaluate(), run.contributions()):
        page = each._repr_html_()
        assert "<img" not in page
        assert "mathjax_ignore" in page
    assert html.escape(ATTACK) in fed._repr_html_()
    assert ATTACK in repr(fed)
    assert ATTACK in repr(sites[0])
    assert run.model.predict(frame).shape == (120,)
    with pytest.raises(fl.errors.SchemaError) as caught:
        fl.Federation([sites[0], Site("b", table(40), target="died")])
    assert ATTACK in str(caught.value)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, fl.Federation]:
    fed = fl.Federation(deal(table(60, seed=75), [30, 30]), seed=1)
    run = fed.train(MODEL, strategy=fl.FedAvg())
    run.run(2, progress=False)
    return run.save(tmp_path / "run.fedlab"), fed


# R27
def test_a_save_cut_anywhere_or_edited_is_refused(saved: tuple[Path, fl.Federation]) -> None:
    path, fed = saved
    whole = path.read_bytes()
    assert fl.resume(path, fed).round == 2
    for cut in [*range(60), *range(60, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:cut])
        with pytest.raises(SaveFileError):
            fl.resume(path, fed)
    for place in range(0, len(whole), 211):
        edited = bytearray(whole)
        edited[place] ^= 1
        path.write_bytes(edited)
        with pytest.raises(SaveFileError):
            fl.resume(path, fed)
    path.unlink()
    for other in (path, path.parent):
        with pytest.raises(SaveFileError):
            fl.resume(other, fed)


# R27
def test_a_save_replaces_no_other_run_and_no_later_round(saved: tuple[Path, fl.Federation]) -> None:
    path, fed = saved
    run = fl.resume(path, fed)
    before = path.read_bytes()
    for other in (run.fork(), fed.train(MODEL, strategy=fl.FedAvg())):
        with pytest.raises(SaveFileError, match="another run"):
            other.save(path)
    run.rewind(1)
    with pytest.raises(SaveFileError, match="this run at round 2"):
        run.save(path)
    assert path.read_bytes() == before
    run.save(path, overwrite=True)
    assert fl.resume(path, fed).round == 1
    assert [each.name for each in path.parent.iterdir()] == [path.name]


# R27
def test_a_full_disk_leaves_the_earlier_save(
    saved: tuple[Path, fl.Federation], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fed = saved
    run = fl.resume(path, fed)
    run.step()
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(f"fedlab.saves.os.{name}", _full)
            with pytest.raises(OSError, match="full"):
                run.save(path)
        assert fl.resume(path, fed).round == 2
        assert [each.name for each in path.parent.iterdir()] == [path.name]


def _full(*_: object) -> None:
    raise OSError(28, "full")


def test_a_save_goes_on_only_with_the_federation_it_began_with(
    saved: tuple[Path, fl.Federation],
) -> None:
    path, _ = saved
    frame = table(60, seed=75)
    others = {
        "sites": fl.Federation(deal(frame, [60]), seed=1),
        "seed": fl.Federation(deal(frame, [30, 30]), seed=2),
        "rows": fl.Federation(deal(frame, [29, 31]), seed=1),
        "columns": fl.Federation(deal(frame.drop(columns="ward"), [30, 30]), seed=1),
    }
    for said, fed in others.items():
        with pytest.raises(SaveFileError, match=said):
            fl.resume(path, fed)
    assert rows_of(deal(frame, [60])).shape == (60, 5)
