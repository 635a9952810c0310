"""One round as a value: where the run stood after it, and what each site sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from fedlab.core.model import Model
from fedlab.displays.tables import to_html
from fedlab.privacy import Event
from fedlab.queries import Answer
from fedlab.strategies import State, Strategy

__all__ = ["TOGETHER", "Round", "SiteScore", "pooled"]

TOGETHER = "(all sites)"
"""In the place of a site's name: what sites answered together, and none alone."""


class SiteScore(msgspec.Struct, frozen=True):
    """How the common parameters do at one site: rows, and the sums its model judges by."""

    rows: int
    sums: dict[str, float]


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What a round did.

    Attributes
    ----------
    state : State
        After the round.
    answers : dict of str to Answer
        What each site sent, for looking at contributions later; empty where the strategy keeps
        none.
    rows, sizes : dict of str to int
        Training rows of each site that took part; bytes of its encoded reply.
    norms : dict of str to float
        Euclidean norm of each site's update.
    excluded : dict of str to str
        Sites that sent something unusable and were left out, and why; their answers are not kept.
    charges : dict of str to Event
        What each site's ledger was charged; empty without privacy.
    charged : int
        How often the run had been charged by then, rewound rounds included.
    noise : str
        Where noise came from that the coordinator added: "seeded" or "system", empty for none.
    strategy : Strategy or None
        What combined the answers; None for the start.
    before, after, held_out : dict of str to SiteScore
        Scores of the common parameters on each site's training rows before and after the round, and
        on its held-out rows after. Empty where they were not asked for or the site refused.
    """

    state: State
    answers: dict[str, Answer] = {}
    rows: dict[str, int] = {}
    sizes: dict[str, int] = {}
    norms: dict[str, float] = {}
    excluded: dict[str, str] = {}
    charges: dict[str, Event] = {}
    charged: int = 0
    noise: str = ""
    strategy: Strategy | None = None
    before: dict[str, SiteScore] = {}
    after: dict[str, SiteScore] = {}
    held_out: dict[str, SiteScore] = {}

    @property
    def number(self) -> int:
        """How many rounds had been done after this one."""
        return self.state.round

    @property
    def hidden(self) -> bool:
        """Whether sites' answers were seen as a sum alone, or may be shown as one alone."""
        return TOGETHER in self.norms

    @property
    def sites(self) -> list[str]:
        """Sites whose answers made the round, sorted."""
        return sorted(self.rows if self.hidden else self.norms)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a site: rows, bytes sent, update norm, mean loss before and after."""
        sites = self.sites
        table: dict[str, list[Any]] = {
            "rows": [self.rows[site] for site in sites],
            "bytes": [self.sizes[site] for site in sites],
            "update_norm": [self.norms.get(site, np.nan) for site in sites],
            "loss_before": [_mean_loss(self.before.get(site)) for site in sites],
            "loss_after": [_mean_loss(self.after.get(site)) for site in sites],
        }
        return pd.DataFrame(table, index=pd.Index(sites, name="site"))

    def __repr__(self) -> str:
        lines = [f"Round {self.number}", self.frame.round(6).to_string(), *self._left_out()]
        return "\n".join(lines)

    def _left_out(self) -> list[str]:
        return [f"Site {site!r} was left out: {why}." for site, why in self.excluded.items()]

    def _repr_html_(self) -> str:
        notes = self._left_out()
        if self.charges and not self.after:
            notes.append(
                "Losses are not shown: they are exact answers, which no promise of privacy covers."
            )
        if self.noise:
            notes.append(
                "The noisy mean of the sites' clipped updates. Sites trusted the coordinator to "
                f"add the noise ({self.noise}); what a single site sent is not kept."
            )
        elif self.hidden:
            notes.append(
                "A secure sum: what a single site sent is hidden, and so are its update and loss."
            )
        if self.strategy is None:
            notes.append("Before the first round.")
        return to_html(self.frame, title=f"Round {self.number}: what each site sent", notes=notes)


def _mean_loss(score: SiteScore | None) -> float:
    return np.nan if score is None else score.sums["loss"] / score.rows


def pooled(scores: Mapping[str, SiteScore], model: Model) -> dict[str, float]:
    """The model's figures over all rows of all sites; none where nothing was scored."""
    rows = sum(score.rows for score in scores.values())
    if rows == 0:
        return {}
    sums = {name: sum(scores[s].sums[name] for s in sorted(scores)) for name in model.counted}
    return model.figures(sums, rows)
