"""What each site's updates were worth: Shapley values, leave-one-out, likeness of updates.

Each round is a game: a coalition of sites is worth what the held-out loss falls when only its
stored updates are combined with the state before the round. The values of the rounds add up, so
that all sites together are worth what the whole run gained (the federated Shapley value of Wang et
al. 2020, arXiv 2009.06192). Nothing is trained again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fedlab.coordinator import Coordinator
from fedlab.core.blas import one_thread
from fedlab.core.parameters import Array, Parameters
from fedlab.core.seeds import generator
from fedlab.core.shapley import exact_shapley, sampled_shapley
from fedlab.displays.tables import to_html
from fedlab.displays.words import loss_words
from fedlab.errors import TrainingError
from fedlab.evaluation import require_answers, tally
from fedlab.queries import Score
from fedlab.rounds import Round
from fedlab.strategies import Problem, Strategy

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Contributions", "contributions"]

EXACT_SITES = 12
CANDIDATES_A_QUERY = 2048


@dataclass(frozen=True, repr=False)
class Contributions:
    """Worth of each site, as a fall of the mean held-out loss.

    Attributes
    ----------
    frame : DataFrame
        One row a site: ``shapley`` and its ``standard_error`` (0 where exact), ``leave_one_out``,
        and ``cosine``, the mean likeness of the site's updates to the combined ones.
    similarity : DataFrame of shape (n_sites, n_sites)
        Mean cosine between updates of pairs of sites, over the rounds that both took part in.
    whole : float
        What all sites together gained; the Shapley values sum to it.
    silent : tuple of str
        Sites on whose held-out rows nothing was judged, since they refused.
    loss : str
        What falls, as the model names it.
    """

    frame: pd.DataFrame
    similarity: pd.DataFrame
    whole: float
    silent: tuple[str, ...] = ()
    loss: str = "log_loss"

    @property
    def notes(self) -> list[str]:
        """How to read the figures."""
        words, unit = loss_words(self.loss)
        notes = [
            f"Shapley values add up to {self.whole:.4f}, the fall of the held-out {words} ({unit}) "
            "over the run; a negative value means that the site's updates raised it.",
        ]
        if self.silent:
            notes.append(
                f"Not judged on the held-out rows of {', '.join(map(repr, self.silent))}, which "
                "refused."
            )
        return notes

    def plot(self) -> go.Figure:
        """Shapley values with error bars beside leave-one-out, as bars."""
        from fedlab.displays.figures import contributions_figure

        return contributions_figure(self.frame, self.loss)

    def plot_similarity(self) -> go.Figure:
        """Likeness of updates between sites, as a heat map."""
        from fedlab.displays.figures import similarity_figure

        return similarity_figure(self.similarity)

    def __repr__(self) -> str:
        return "\n".join([self.frame.round(4).to_string(), *self.notes])

    def _repr_html_(self) -> str:
        return to_html(self.frame, title="Contributions of the sites", notes=self.notes)


def contributions(
    coordinator: Coordinator,
    run: str,
    problem: Problem,
    rounds: Sequence[Round],
    *,
    permutations: int,
) -> Contributions:
    """Look at the stored updates of all `rounds`.

    Raises
    ------
    TrainingError
        When there is no round yet, or no site is willing to judge.
    """
    if len(rounds) < 2:
        raise TrainingError(
            "Contributions need at least one round.", "a run at round 0", "Call step() first."
        )
    if isinstance(permutations, bool) or permutations < 2:
        raise TrainingError(
            "permutations must be at least 2, for a standard error.",
            f"{permutations!r}",
            "Pass e.g. permutations=100.",
        )
    if any(done.noise for done in rounds):
        raise TrainingError(
            "Contributions need the exact update of each site.",
            "a run under a promise about whole sites, which covers the noisy means alone",
            "Compare sites in a run without privacy, where they allow one.",
        )
    if any(done.hidden for done in rounds):
        raise TrainingError(
            "Contributions of this kind need the update of each site.",
            "a run whose updates are hidden in secure sums",
            "Use run.quality(), which needs sums only, or aggregation='plain'.",
        )
    forgetful = [done.strategy for done in rounds if done.strategy and not done.answers]
    if forgetful:
        name = type(forgetful[0]).__name__
        raise TrainingError(
            "Contributions need the updates that sites sent.",
            f"a run by {name}, which keeps only the sums of what they sent",
            "Compare fits with and without a site, or look at a strategy that averages updates.",
        )
    sites = sorted(problem.rows)
    shapley, error, alone = (pd.Series(0.0, index=sites) for _ in range(3))
    whole, silent = 0.0, set[str]()
    for before, after in pairwise(rounds):
        taking_part = sorted(after.answers)
        worth = _Worth(coordinator, run, problem, before, after)
        if len(sites) <= EXACT_SITES:
            values, errors = exact_shapley(len(taking_part), worth), np.zeros(len(taking_part))
        else:
            random = generator(problem.seed, after.number, "permutations")
            values, errors = sampled_shapley(len(taking_part), worth, permutations, random)
        everyone = (1 << len(taking_part)) - 1
        without = [everyone & ~(1 << i) for i in range(len(taking_part))]
        judged = worth([everyone, *without])
        shapley[taking_part] += values
        error[taking_part] += errors**2
        alone[taking_part] += judged[0] - judged[1:]
        whole += float(judged[0])
        silent |= worth.silent
    cosine, similarity = _likeness(rounds[1:], sites)
    frame = pd.DataFrame(
        {
            "shapley": shapley,
            "standard_error": np.sqrt(error),
            "leave_one_out": alone,
            "cosine": cosine,
        }
    )
    frame.index.name = "site"
    return Contributions(frame, similarity, whole, tuple(sorted(silent)), problem.model.loss)


class _Worth:
    """Worth of coalitions of one round, given as bit masks; each is judged once."""

    def __init__(
        self,
        coordinator: Coordinator,
        run: str,
        problem: Problem,
        before: Round,
        after: Round,
    ) -> None:
        self._known: dict[int, float] = {}
        self._sites = sorted(after.answers)
        self.silent: set[str] = set()

        def combined(mask: int) -> Parameters:
            if mask == 0:
                return before.state.parameters
            members = [site for i, site in enumerate(self._sites) if mask >> i & 1]
            answers = {site: after.answers[site] for site in members}
            return _strategy(after).combine(problem, before.state, answers).parameters

        def judge(masks: Sequence[int]) -> Array:
            with one_thread():
                candidates = tuple(combined(mask) for mask in masks)
            query = Score(model=problem.model, space=problem.space, candidates=candidates)
            queries = dict.fromkeys(sorted(problem.rows), query)
            replies, refusals = coordinator.ask_willing(run, after.number, queries)
            require_answers(replies, refusals)
            self.silent |= set(refusals)
            sums = [tally(replies[site])["loss"] for site in sorted(replies)]
            losses: Array = np.sum(sums, axis=0)
            return losses / sum(reply.rows for reply in replies.values())

        self._judge: Callable[[Sequence[int]], Array] = judge

    def __call__(self, masks: Sequence[int]) -> Array:
        """Fall of the held-out loss against combining nothing, one a mask."""
        new = [mask for mask in dict.fromkeys([0, *masks]) if mask not in self._known]
        for start in range(0, len(new), CANDIDATES_A_QUERY):
            some = new[start : start + CANDIDATES_A_QUERY]
            self._known.update(zip(some, self._judge(some).tolist(), strict=True))
        return np.array([self._known[0] - self._known[mask] for mask in masks])


def _strategy(done: Round) -> Strategy:
    if done.strategy is None:
        raise TypeError("the start of a run has no strategy")
    return done.strategy


def _likeness(rounds: Sequence[Round], sites: Sequence[str]) -> tuple[pd.Series, pd.DataFrame]:
    totals = np.zeros((len(sites), len(sites) + 1))
    counts = np.zeros_like(totals)
    for done in rounds:
        pulls: Mapping[str, Array] = {
            site: _strategy(done).direction(answer).vector for site, answer in done.answers.items()
        }
        if len({pull.size for pull in pulls.values()}) > 1:
            # Such as each site's own times of events, which no angle lies between.
            continue
        combined = np.sum([done.rows[site] * pulls[site] for site in sorted(pulls)], axis=0)
        present = [i for i, site in enumerate(sites) if site in pulls]
        rows = np.array([pulls[sites[i]] for i in present])
        others = np.vstack([rows, combined])
        norms = np.linalg.norm(others, axis=1)
        norms[norms == 0] = np.inf
        where = np.ix_(present, [*present, len(sites)])
        totals[where] += (rows / norms[:-1, None]) @ (others / norms[:, None]).T
        counts[where] += 1
    mean = np.divide(totals, counts, out=np.full_like(totals, np.nan), where=counts > 0)
    similarity = pd.DataFrame(mean[:, :-1], index=list(sites), columns=list(sites))
    return pd.Series(mean[:, -1], index=list(sites)), similarity
