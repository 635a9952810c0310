"""Quality inference: which sites' rounds gain more and which gain less, from sums alone.

Where a secure sum hides single updates, no coalition can be tried without some site, so neither
Shapley values nor leave-one-out can be had. What is left is who took part in which round, and how
much better the common model did after it: with cohorts drawn at random that is a randomised
experiment on the sites (Pejó and Biczók 2023, "Quality inference in federated learning with secure
aggregation", IEEE Transactions on Big Data, arXiv 2007.06236).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fedlab.core.blas import one_thread
from fedlab.core.model import Model
from fedlab.core.participation import holm, participation_effects, participation_points
from fedlab.displays.tables import to_html
from fedlab.displays.words import loss_words
from fedlab.errors import TrainingError
from fedlab.rounds import Round, pooled
from fedlab.strategies import Averaging, Problem

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Quality", "infer_quality"]

LEAST_DEGREES = 5
"""Of freedom for the error: with fewer its own error is as large as itself."""


@dataclass(frozen=True, repr=False)
class Quality:
    """Scores of the sites, told from who took part in which round and what the round gained.

    Attributes
    ----------
    frame : DataFrame
        One row a site: ``rounds`` it took part in; ``score``, how much more the mean held-out loss
        falls in a round when the site takes the place of a mean one, with its ``standard_error``
        and the interval from ``lower`` to ``upper``; ``p_value`` of no difference, adjusted for
        the number of sites; ``points`` by the paper's rules.
    rounds : int
        How many rounds it was told from.
    level : float
        Coverage of each interval.
    hidden : bool
        Whether single updates were hidden in secure sums.
    left_out : int
        Rounds of the run that do not count: of an earlier strategy, or not judged.
    loss : str
        What falls, as the model names it.
    """

    frame: pd.DataFrame
    rounds: int
    level: float = 0.95
    hidden: bool = False
    left_out: int = 0
    loss: str = "log_loss"

    @property
    def notes(self) -> list[str]:
        """What the figures can tell, and what they cannot."""
        words, unit = loss_words(self.loss)
        unclear = list(self.frame.index[self.frame["score"].isna()])
        notes = [
            f"score: how much more the held-out {words} ({unit}) falls in a round when the site "
            "takes the place of a mean one; below 0 is worse than the mean site, not useless. From "
            f"{self.rounds} rounds, by regression on who took part; intervals cover "
            f"{100 * self.level:g} % each, p-values are adjusted for all sites (Holm).",
            "points: +1 for a round that gains more than the one before, -1 for being in that one "
            "before, -1 for a round that loses (Pejó and Biczók 2023, arXiv 2007.06236). They have "
            "no error bars and pile up with rounds.",
            "It cannot tell why a site stands out: wrong labels, few rows and other patients look "
            "alike. Sites whose intervals overlap are not told apart; more rounds narrow them. It "
            "takes cohorts drawn at random: sites that drop out by themselves bend it.",
            "A site's own held-out rows are among the judges, and wrong labels there speak for it: "
            "a bad site is found best where it holds nothing out (test_size=0).",
        ]
        if self.hidden:
            notes.append(
                "Secure sums do not hide this: whoever sees the common model and who took part can "
                "work it out."
            )
        if unclear:
            notes.append(
                f"No score for {', '.join(map(repr, unclear))}: too few rounds with and without."
            )
        if self.left_out:
            notes.append(
                f"{self.left_out} rounds are left out: of an earlier strategy, or not judged on "
                "the same rows before and after."
            )
        return notes

    def plot(self) -> go.Figure:
        """Scores with their intervals, a site a line."""
        from fedlab.displays.quality_figure import quality_figure

        return quality_figure(self.frame, self.loss, self.level)

    def __repr__(self) -> str:
        table = self.frame.to_string(float_format="{:.3g}".format, na_rep="—")
        return "\n".join([table, *self.notes])

    def _repr_html_(self) -> str:
        # Late rounds gain little, and a fixed number of decimals would show nothing of it.
        table = self.frame.copy()
        for name in table.select_dtypes("float").columns:
            table[name] = [None if np.isnan(x) else f"{x:.3g}" for x in self.frame[name]]
        return to_html(table, title="Quality of the sites, from sums", notes=self.notes)


def infer_quality(problem: Problem, rounds: Sequence[Round], *, level: float = 0.95) -> Quality:
    """Look at who took part in each of `rounds` and what it gained; no site is asked anything.

    Only the latest strategy's rounds count. One with momentum carries part of an effect into later
    rounds, which the scores do not see.

    Raises
    ------
    TrainingError
        When the sites took part in the same rounds, when there are too few rounds, or when they
        were not judged on held-out rows.
    """
    if not 0 < level < 1:
        raise TrainingError("level must be between 0 and 1.", f"{level!r}", "Pass e.g. level=0.95.")
    if len(rounds) < 2:
        raise TrainingError(
            "Quality inference needs rounds.", "a run at round 0", "Call e.g. run(60) first."
        )
    latest = _of_latest_strategy(rounds)
    sites = sorted(problem.rows)
    took_part = np.array([[site in done.sites for site in sites] for done in latest[1:]])
    _check_cohorts(took_part, latest[-1])
    losses = np.array([_losses(a, b, problem.model) for a, b in pairwise(latest)])
    judged = np.isfinite(losses).all(axis=1)
    _check_judged(judged)
    with one_thread():
        found = participation_effects(
            losses[judged, 0], losses[judged, 1], took_part[judged], level=level
        )
    if found.degrees < LEAST_DEGREES or not np.isfinite(found.estimate).any():
        needed = len(sites) + 1 + LEAST_DEGREES
        raise TrainingError(
            "Quality inference needs enough rounds with each site and without it.",
            f"{judged.sum()} judged rounds of {len(sites)} sites",
            f"Take more rounds: at least {needed}, and rather {5 * needed}.",
        )
    frame = pd.DataFrame(
        {
            "rounds": took_part[judged].sum(axis=0),
            "score": found.estimate,
            "standard_error": found.standard_error,
            "lower": found.lower,
            "upper": found.upper,
            "p_value": holm(found.p_value),
            "points": participation_points(losses[:, 0] - losses[:, 1], took_part),
        },
        index=pd.Index(sites, name="site"),
    )
    return Quality(
        frame,
        rounds=int(judged.sum()),
        level=level,
        hidden=any(done.hidden for done in latest),
        left_out=len(rounds) - 1 - int(judged.sum()),
        loss=problem.model.loss,
    )


def _of_latest_strategy(rounds: Sequence[Round]) -> Sequence[Round]:
    """The last rounds by one strategy, and where they started from: others gain otherwise."""
    first = len(rounds) - 1
    while first > 1 and rounds[first - 1].strategy == rounds[-1].strategy:
        first -= 1
    return rounds[first - 1 :]


def _losses(before: Round, after: Round, model: Model) -> tuple[float, float]:
    """Mean held-out loss before and after, on rows that judged both; NaN where none did."""
    same = [
        site
        for site in sorted(before.held_out.keys() & after.held_out.keys())
        if before.held_out[site].rows == after.held_out[site].rows > 0
    ]
    if not same:
        return np.nan, np.nan
    old, new = (
        pooled({site: done.held_out[site] for site in same}, model)["loss"]
        for done in (before, after)
    )
    return old, new


def _check_cohorts(took_part: np.ndarray[tuple[int, int], np.dtype[np.bool_]], last: Round) -> None:
    if took_part.all() or (len(took_part) > 1 and (took_part == took_part[:1]).all()):
        draws = isinstance(last.strategy, Averaging)
        raise TrainingError(
            "Quality inference compares rounds with a site to rounds without it.",
            f"the same {took_part[0].sum()} sites in each of {len(took_part)} rounds",
            "Have sites drawn for each round, e.g. strategy=fl.FedAvg(site_fraction=0.5)"
            + ("." if draws else f"; {type(last.strategy).__name__} asks all sites."),
        )


def _check_judged(judged: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
    if not judged.any():
        raise TrainingError(
            "Quality inference needs the held-out loss of the common model, round by round.",
            "a run without it",
            "Train with evaluate=True and held-out rows (test_size); a private run has none, since "
            "exact losses are outside its ε.",
        )
