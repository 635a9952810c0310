"""Judge a model where the patients are: on the held-out rows of each site."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fedlab.coordinator import Coordinator
from fedlab.core.metrics import from_histogram
from fedlab.core.model import Classifier, Model
from fedlab.core.parameters import Array, Parameters
from fedlab.displays.tables import to_html
from fedlab.errors import PrivacyError, RefusedError, TrainingError
from fedlab.privacy import RecordDP
from fedlab.queries import Reply, Score, ScoreHistogram, Tally
from fedlab.queries.query import Split
from fedlab.rounds import SiteScore, pooled
from fedlab.strategies import Problem, State

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["ALL_SITES", "Evaluation", "evaluate", "score_sites"]

ALL_SITES = "(all sites)"


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Accuracy, sensitivity, specificity, precision, F1, AUC and log loss by site and in all.

    Under privacy the answers are noisy counts of right and wrong classes; AUC and log loss would
    need more than the noise leaves.

    Attributes
    ----------
    frame : DataFrame
        One row a site and one for all, in that order.
    privacy : RecordDP or None
        The promise under which the sites answered.
    refusals : dict of str to str
        Sites that did not answer, and why.
    run, round
        Whose parameters were judged.
    """

    frame: pd.DataFrame
    privacy: RecordDP | None
    refusals: dict[str, str]
    run: str = ""
    round: int = 0

    @property
    def notes(self) -> list[str]:
        """What has to be known to read the figures."""
        notes = [f"Site {site!r} is not in it. {why}" for site, why in self.refusals.items()]
        if self.privacy is not None:
            notes.append(
                f"Answers with noise: at most ε = {self.privacy.epsilon:g} at δ = "
                f"{self.privacy.delta:g} for one {self.privacy.unit}, charged at each site. "
                "accuracy_noise is the standard deviation that the noise alone gives accuracy."
            )
        return notes

    def plot(self) -> go.Figure:
        """Accuracy and AUC of each site as points, all sites as a line."""
        from fedlab.displays.figures import evaluation_figure

        return evaluation_figure(self.frame, ALL_SITES)

    def __repr__(self) -> str:
        return "\n".join([self.frame.round(4).to_string(), *self.notes])

    def _repr_html_(self) -> str:
        return to_html(self.frame, title="Held-out rows, judged at the sites", notes=self.notes)


def evaluate(
    coordinator: Coordinator,
    run: str,
    round: int,
    problem: Problem,
    parameters: Parameters,
    privacy: RecordDP | None,
    *,
    loss: bool = True,
) -> Evaluation:
    """Ask every site for a histogram of scores, and for the log loss where no noise is needed.

    Without `loss` a classifier of two classes is judged by the histogram alone, which is one visit
    to each site instead of two.

    Raises
    ------
    TrainingError
        When no site answers.
    """
    model, space = problem.model, problem.space
    binary = isinstance(model, Classifier) and len(space.schema.classes) == 2
    if privacy is not None and not binary:
        raise PrivacyError(
            "Judging with noise needs a classifier of two classes, whose counts have a bound.",
            f"{type(model).__name__} for {space.schema.target!r}",
            "Leave privacy out.",
        )
    if privacy is not None and privacy.unit != "record":
        raise PrivacyError(
            "Models are judged under a promise about records.",
            f"{type(privacy).__name__}",
            "Pass e.g. privacy=fl.RecordDP(epsilon=0.5, delta=1e-5).",
        )
    histograms: dict[str, Reply] = {}
    refusals: dict[str, RefusedError] = {}
    sites = sorted(problem.rows)
    if binary and isinstance(model, Classifier):
        query = ScoreHistogram(
            model=model,
            space=space,
            candidates=(parameters,),
            # Noise falls on every bin: two hold accuracy, and more would drown it.
            bins=100 if privacy is None else 2,
        )
        queries = dict.fromkeys(sites, query)
        # A promise is kept by one answer; each evaluation is a run of its own to the sites.
        asked_as = run if privacy is None else f"{run}-judged-{secrets.token_hex(4)}"
        histograms, refusals = coordinator.ask_willing(asked_as, round, queries, privacy)
        require_answers(histograms, refusals)
    scores: dict[str, SiteScore] = {}
    if privacy is None and (loss or not binary):
        state = State(round, parameters, Parameters({}))
        scores, refusals = score_sites(coordinator, run, problem, state, "test")
        require_answers(scores, refusals)
    judged = sorted(scores or histograms)
    lines = {site: _line([site], histograms, scores, model) for site in judged}
    lines[ALL_SITES] = _line(judged, histograms, scores, model)
    frame = pd.DataFrame.from_dict(lines, orient="index").astype({"rows": int})
    frame.index.name = "site"
    return Evaluation(
        frame.dropna(axis=1, how="all"),
        privacy,
        {site: f"{error.rule} Got {error.came}." for site, error in refusals.items()},
        run,
        round,
    )


def _line(
    sites: Sequence[str],
    histograms: Mapping[str, Reply],
    scores: Mapping[str, SiteScore],
    model: Model,
) -> dict[str, float]:
    replies = [histograms[site] for site in sites if site in histograms]
    line: dict[str, float] = {"rows": 0}
    if replies:
        counts: Array = np.sum([tally(reply)["histogram"][0] for reply in replies], axis=0)
        line = {"rows": sum(reply.rows for reply in replies), **from_histogram(counts)}
        noise = [reply.charge.noise_multiplier for reply in replies if reply.charge is not None]
        if noise:
            # With two bins the area is no more than the mean of sensitivity and specificity.
            del line["auc"]
            correct = counts[0, 0] + counts[1, 1]
            line["accuracy"] = float(np.clip(correct / line["rows"], 0.0, 1.0))
            line["accuracy_noise"] = float(np.sqrt(2 * np.sum(np.square(noise)))) / line["rows"]
    judged = {site: scores[site] for site in sites if site in scores}
    if judged:
        line["rows"] = sum(score.rows for score in judged.values())
        figures = pooled(judged, model)
        figures[model.loss] = figures.pop("loss")
        line |= {name: value for name, value in figures.items() if name not in line}
    return line


def score_sites(
    coordinator: Coordinator,
    run: str,
    problem: Problem,
    state: State,
    split: Split,
) -> tuple[dict[str, SiteScore], dict[str, RefusedError]]:
    """The model's sums at each site that is willing to tell, and who is not."""
    query = Score(
        model=problem.model, space=problem.space, candidates=(state.parameters,), split=split
    )
    queries = dict.fromkeys(sorted(problem.rows), query)
    replies, refusals = coordinator.ask_willing(run, state.round, queries)
    scores = {
        site: SiteScore(
            reply.rows, {name: float(values[0]) for name, values in tally(reply).items()}
        )
        for site, reply in replies.items()
    }
    return scores, refusals


def tally(reply: Reply) -> dict[str, Array]:
    """The sums of a reply to a scoring query."""
    if not isinstance(reply.answer, Tally):
        raise TypeError("scores come as tallies")
    return reply.answer.sums


def require_answers(replies: Mapping[str, object], refusals: Mapping[str, RefusedError]) -> None:
    """Raise TrainingError when no site answered, with the first reason."""
    if not replies:
        site, why = sorted(refusals.items())[0]
        raise TrainingError(
            "At least one site must judge the model.",
            f"refusals from all {len(refusals)} sites, the first by {site!r}: {why.rule} "
            f"Got {why.came}",
            why.remedy,
        )
