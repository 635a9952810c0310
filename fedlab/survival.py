"""How well risks order patients in time, within sites and across them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fedlab.core.concordance import BINS, concordance_interval
from fedlab.core.cox import CoxRegression
from fedlab.displays.tables import to_html
from fedlab.errors import TrainingError
from fedlab.evaluation import ALL_SITES, require_answers, score_sites, tally
from fedlab.federation import Federation
from fedlab.queries import RiskHistogram
from fedlab.queries.query import Split
from fedlab.training import Training

__all__ = ["WITHIN_SITES", "Concordance", "concordance"]

WITHIN_SITES = "(within sites)"


@dataclass(frozen=True, repr=False)
class Concordance:
    """Harrell's concordance of each site, of pairs within sites, and of all pairs.

    Attributes
    ----------
    frame : DataFrame
        ``rows``, ``pairs`` that were compared, ``concordance``, and the bounds ``lower`` and
        ``upper`` between which that of these pairs lies; they differ on the last line alone.
    refusals : dict of str to str
        Sites that did not answer, and why.
    """

    frame: pd.DataFrame
    refusals: dict[str, str]

    @property
    def notes(self) -> list[str]:
        """How to read the figures."""
        notes = [f"Site {site!r} is not in it. {why}" for site, why in self.refusals.items()]
        return [
            *notes,
            f"{ALL_SITES} compares patients of different sites too, by counts in bins of risk and "
            "on the grid of times. Pairs between the same two grid times are left out; those in "
            "one bin count one half, and the bounds say how much that can matter.",
        ]

    def __repr__(self) -> str:
        return "\n".join([self.frame.round(4).to_string(), *self.notes])

    def _repr_html_(self) -> str:
        return to_html(self.frame, title="Concordance of risks and times", notes=self.notes)


def concordance(
    federation: Federation, run: Training, *, split: Split = "test", bins: int = BINS
) -> Concordance:
    """Ask the sites for concordant pairs and for a histogram of risks, both exact.

    Parameters
    ----------
    federation : Federation
    run : Training
        Of a `CoxRegression`, past its first round.
    split : "test" or "train"
        Whose rows are judged.
    bins : int
        Bins of risk. More leave fewer pairs undecided and tell more about rows.

    Raises
    ------
    TrainingError
        When the run has another model, or no grid of times yet, or no site answers.
    """
    problem, state = run.problem, run.state
    model = problem.model
    if not isinstance(model, CoxRegression) or len(state.parameters["times"]) == 0:
        raise TrainingError(
            "Concordance needs a run of CoxRegression that knows its grid of times.",
            f"{type(model).__name__} at round {run.round}",
            "Call step() first.",
        )
    if isinstance(bins, bool) or not isinstance(bins, int) or not 2 <= bins <= 10_000:
        raise TrainingError(
            "bins must be a whole number from 2 to 10,000.", f"{bins!r}", "Pass e.g. bins=200."
        )
    scores, refusals = score_sites(federation.coordinator, run.id, problem, state, split)
    require_answers(scores, refusals)
    query = RiskHistogram(
        model=model, space=problem.space, parameters=state.parameters, bins=bins, split=split
    )
    willing = sorted(problem.rows.keys() - refusals.keys())
    replies = federation.coordinator.ask(run.id, run.round, dict.fromkeys(willing, query))
    counts = np.sum([tally(replies[site])["histogram"] for site in sorted(replies)], axis=0)
    lines = {
        site: _line(score.rows, score.sums["concordant"], score.sums["comparable"])
        for site, score in sorted(scores.items())
    }
    rows = sum(score.rows for score in scores.values())
    within = [sum(lines[site][name] for site in scores) for name in ("concordant", "pairs")]
    lines[WITHIN_SITES] = _line(rows, *within)
    middle, lower, upper, pairs = concordance_interval(counts)
    lines[ALL_SITES] = {
        "rows": rows,
        "pairs": pairs,
        "concordance": middle,
        "lower": lower,
        "upper": upper,
    }
    frame = pd.DataFrame.from_dict(lines, orient="index").drop(columns="concordant")
    frame.index.name = "site"
    return Concordance(
        frame.astype({"rows": int, "pairs": int}),
        {site: f"{error.rule} Got {error.came}." for site, error in refusals.items()},
    )


def _line(rows: int, concordant: float, pairs: float) -> dict[str, float]:
    share = concordant / pairs if pairs > 0 else np.nan
    return {
        "rows": rows,
        "concordant": concordant,
        "pairs": pairs,
        "concordance": share,
        "lower": share,
        "upper": share,
    }
