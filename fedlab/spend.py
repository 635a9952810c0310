"""What privacy was spent, by site and by query, as the sites' ledgers say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from fedlab.displays.tables import rounded_up, to_html
from fedlab.privacy import Event, epsilon_spent
from fedlab.queries import Statement

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["PrivacySpend", "spend_of"]


@dataclass(frozen=True, repr=False)
class PrivacySpend:
    """Spent and left, composed by the accountant over everything each site answered.

    Attributes
    ----------
    frame : DataFrame
        One row a site and query: answers with noise and their ε together, answers without noise,
        which no ε covers, and where the noise came from.
    totals : DataFrame
        One row a site: ε spent and left, δ, answers without noise. The ε of a site is that of all
        its events composed, which is less than the sum over queries.
    by_site : bool
        Whether answers are among them whose promise was about whole sites.
    """

    frame: pd.DataFrame
    totals: pd.DataFrame
    by_site: bool = False

    @property
    def notes(self) -> list[str]:
        """What ε covers, and what it does not."""
        notes = [
            "ε is for one record (row) of one site, added or removed, at the δ shown; it covers "
            "the answers with noise."
        ]
        if self.totals["exact_answers"].any():
            notes.append("Answers without noise are counted; no ε covers them.")
        if self.frame["noise"].str.contains("seeded").any():
            notes.append(
                "Seeded noise can be repeated: simulated sites teach, they do not protect."
            )
        if self.frame["noise"].str.contains("coordinator").any():
            notes.append(
                'Where noise is "coordinator", the site trusted the coordinator to add it to the '
                "mean of the sites' updates: ε holds against everyone else."
            )
        if self.frame["noise"].str.contains("shared").any():
            notes.append(
                'Where noise is "shared", each site added a part of it: ε rests on as many other '
                "sites adding theirs as must be left for a sum to be opened."
            )
        if self.by_site:
            notes.append(
                "Runs under SiteDP cost a ledger what one record of the site could change, up to "
                "twice the clipping norm; run.history tells their ε for one site."
            )
        return notes

    def plot(self) -> go.Figure:
        """ε spent and left of each site, as bars."""
        from fedlab.displays.figures import spend_figure

        return spend_figure(self.totals)

    @property
    def _shown(self) -> pd.DataFrame:
        return self.totals.assign(
            epsilon_spent=rounded_up(self.totals["epsilon_spent"]),
            epsilon_left=-rounded_up(-self.totals["epsilon_left"]),
        )

    def __repr__(self) -> str:
        return "\n".join([self._shown.to_string(), *self.notes])

    def _repr_html_(self) -> str:
        return to_html(self._shown, title="Privacy spent and left, by site", notes=self.notes)


def spend_of(statements: Mapping[str, Statement]) -> PrivacySpend:
    """Sum up the statements of the sites' ledgers."""
    lines, totals = [], []
    for site in sorted(statements):
        statement = statements[site]
        events: dict[str, list[Event]] = defaultdict(list)
        answers: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        noise: dict[str, set[str]] = defaultdict(set)
        for line in statement.lines:
            answers[line.query][line.event is None] += line.answers
            if line.event is not None:
                events[line.query].append(line.event)
                noise[line.query].add(line.noise)
        for query in answers:
            lines.append(
                {
                    "site": site,
                    "query": query,
                    "noisy_answers": answers[query][0],
                    "epsilon": epsilon_spent(events[query], statement.delta),
                    "exact_answers": answers[query][1],
                    "noise": ", ".join(sorted(noise[query])) or "none",
                }
            )
        left = None if statement.budget is None else statement.budget - statement.epsilon
        totals.append(
            {
                "site": site,
                "epsilon_spent": statement.epsilon,
                "epsilon_left": left,
                "budget": statement.budget,
                "delta": f"{statement.delta:g}",
                "exact_answers": sum(exact for _, exact in answers.values()),
            }
        )
    names = ["site", "query", "noisy_answers", "epsilon", "exact_answers", "noise"]
    return PrivacySpend(
        pd.DataFrame(lines, columns=names),
        pd.DataFrame(totals).set_index("site").astype({"epsilon_left": float, "budget": float}),
        by_site=any(
            line.noise == "coordinator" or line.noise.endswith("for sites")
            for statement in statements.values()
            for line in statement.lines
        ),
    )
