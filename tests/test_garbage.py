"""A site that sends what cannot be used is left out of the round and named."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

import fedlab as fl
from fedlab.core.parameters import Parameters
from fedlab.errors import MessageError, TrainingError
from fedlab.queries import Reply, Request, Update
from fedlab.strategies import SCAFFOLD, Averaging, Ditto, FedAvg, Krum, Median
from tests.builders import OPEN, bits, numeric


class Broken(fl.Site):
    """A site whose updates are replaced by what `sent` says."""

    sent: Any = staticmethod(lambda delta: np.nan * delta)

    def answer(self, request: Request) -> Reply:
        reply = super().answer(request)
        if isinstance(reply.answer, Update):
            answer = msgspec.structs.replace(reply.answer, delta=self.sent(reply.answer.delta))
            return msgspec.structs.replace(reply, answer=answer)
        return reply


class Strange(Broken):
    sent = staticmethod(lambda delta: Parameters({"other": [1.0]}))


class Huge(Broken):
    sent = staticmethod(lambda delta: 1e30 * delta)


def start(strategy: Averaging, bad: dict[str, type[fl.Site]], **options: Any) -> Any:
    sites = [
        bad.get(name, fl.Site)(name, numeric(60, seed=i), target="died", test_size=0.2, policy=OPEN)
        for i, name in enumerate("abcdefg")
    ]
    return fl.Federation(sites, seed=3).train(fl.LogisticRegression(), strategy=strategy, **options)


@pytest.mark.parametrize("kind", [FedAvg, SCAFFOLD, Ditto])
def test_two_broken_sites_are_left_out_and_named(kind: type[Averaging], tmp_path: Any) -> None:
    run = start(kind(aggregator=Median()), {"b": Broken, "d": Strange, "f": Huge})
    done = run.step()
    assert done.excluded == {
        "b": "a reply that does not fit",
        "d": "a reply that does not fit",
        "f": "values beside which the other sites vanish",
    }
    assert sorted(done.answers) == ["a", "c", "e", "g"]
    assert "'b' was left out" in repr(done)
    assert "left out" in done._repr_html_()
    run.run(3, progress=False)
    assert run.history["train_loss"].iloc[-1] < run.history["train_loss"].iloc[0]
    assert np.isfinite(run.contributions().frame.loc[["a", "c"]].to_numpy()).all()
    run.save(tmp_path / "x")


def test_more_garbage_than_provided_for_is_an_error() -> None:
    run = start(FedAvg(aggregator=Krum(f=1)), {"b": Broken, "f": Huge})
    with pytest.raises(TrainingError, match="tolerates garbage from 1 of 7"):
        run.step()
    assert run.round == 0
    with pytest.raises(MessageError):
        start(FedAvg(aggregator=Krum(f=1)), {"b": Broken, "f": Strange}).step()
    with pytest.raises(MessageError):
        start(FedAvg(), {"b": Broken}).step()


def test_what_is_left_out_changes_nothing() -> None:
    one = start(FedAvg(aggregator=Median(), site_fraction=1), {"b": Broken})
    two = start(FedAvg(aggregator=Median(), site_fraction=1), {"b": Huge})
    for run in (one, two):
        run.run(2, progress=False)
    assert bits(one.state.parameters) == bits(two.state.parameters)


def test_a_personal_model_predicts() -> None:
    run = start(Ditto(), {})
    run.run(2, progress=False)
    rows = numeric(5).drop(columns="died")
    own = run.personal_model("a").predict_proba(rows)
    assert own.shape == (5, 2)
    assert (own != run.model.predict_proba(rows)).any()
    with pytest.raises(TrainingError, match="personalised"):
        start(FedAvg(), {}).personal_model("a")
