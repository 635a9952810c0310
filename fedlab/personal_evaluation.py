"""Judge each site's own parameters where they belong: on its own held-out rows."""

from __future__ import annotations

import dataclasses

from fedlab.coordinator import Coordinator
from fedlab.errors import PrivacyError
from fedlab.evaluation import ALL_SITES, Evaluation, evaluate, tally
from fedlab.privacy import RecordDP
from fedlab.queries import Query, Score
from fedlab.rounds import SiteScore, pooled
from fedlab.strategies import Problem, State, Strategy, personal_parameters

__all__ = ["evaluate_personal"]


def evaluate_personal(
    coordinator: Coordinator,
    run: str,
    problem: Problem,
    strategy: Strategy,
    state: State,
    privacy: RecordDP | None = None,
) -> Evaluation:
    """The common parameters at each site as `evaluate` judges them, and beside them its own.

    Returns
    -------
    Evaluation
        Whose frame holds the model's loss and score once more, as ``personal_<name>``. On the line
        of all sites each row was judged by its own site's parameters.

    Raises
    ------
    TrainingError
        When the strategy has no personal parameters, or no site answers.
    PrivacyError
        When the answers are to have noise: a second set of them would cost as much again.
    """
    model, space = problem.model, problem.space
    own = {site: personal_parameters(strategy, problem, state, site) for site in problem.rows}
    if privacy is not None:
        raise PrivacyError(
            "Personal parameters are judged by exact sums only.",
            "personal=True with privacy",
            "Leave one of them out.",
        )
    found = evaluate(coordinator, run, state.round, problem, state.parameters, None)
    judged = [site for site in found.frame.index if site != ALL_SITES]
    queries: dict[str, Query] = {
        site: Score(model=model, space=space, candidates=(own[site],)) for site in judged
    }
    replies = coordinator.ask(run, state.round, queries)
    scores = {
        site: SiteScore(reply.rows, {name: float(sums[0]) for name, sums in tally(reply).items()})
        for site, reply in replies.items()
    }
    frame = found.frame.copy()
    for line in frame.index:
        figures = pooled(scores if line == ALL_SITES else {line: scores[line]}, model)
        for name, shown in ((model.score, model.score), ("loss", model.loss)):
            frame.loc[line, f"personal_{shown}"] = figures[name]
    return dataclasses.replace(found, frame=frame)
