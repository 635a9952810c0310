"""Runs side by side: what privacy, a strategy or more rounds did to the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from fedlab.displays.tables import to_html
from fedlab.errors import TrainingError
from fedlab.evaluation import ALL_SITES
from fedlab.training import Training

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, repr=False)
class Comparison:
    """Runs judged on the same held-out rows.

    Attributes
    ----------
    frame : DataFrame
        One row a run: strategy, rounds, promised ε (none for exact answers), the models' score,
        AUC where there are two classes, and loss over all sites.
    by_site : DataFrame of shape (n_sites, n_runs)
        The score at each site.
    score : str
        What the runs are compared by, e.g. accuracy.
    """

    frame: pd.DataFrame
    by_site: pd.DataFrame
    score: str = "accuracy"

    @property
    def notes(self) -> list[str]:
        """How the runs were judged."""
        return ["Judged by exact answers of the sites on held-out rows; no ε covers those."]

    def plot(self) -> go.Figure:
        """The score of each run at each site, as bars beside each other."""
        from fedlab.displays.figures import comparison_figure

        return comparison_figure(self.by_site, self.score)

    def __repr__(self) -> str:
        return "\n".join([self.frame.round(4).to_string(), *self.notes])

    def _repr_html_(self) -> str:
        return to_html(self.frame, title="Runs side by side", notes=self.notes)


def compare(**runs: Training) -> Comparison:
    """Judge runs on the held-out rows of their sites.

    Parameters
    ----------
    **runs : Training
        By the name they get in table and figure.

    Raises
    ------
    TrainingError
        When no run is given, the runs' models are judged by different scores, or no site is
        willing to judge.

    Examples
    --------
    ``fl.compare(exact=run, private=private).plot()``
    """
    if not runs or not all(isinstance(run, Training) for run in runs.values()):
        raise TrainingError(
            "compare needs runs by name.",
            "no runs" if not runs else "something that is not a run",
            "Pass e.g. fl.compare(exact=run, private=private).",
        )
    scores = {run.problem.model.score for run in runs.values()}
    if len(scores) > 1:
        raise TrainingError(
            "compare needs models that are judged by one score.",
            f"{' and '.join(sorted(scores))}",
            "Compare models of the same kind of target.",
        )
    (score,) = scores
    judged = {name: run.evaluate().frame for name, run in runs.items()}
    lines = {
        name: {
            "strategy": type(run.strategy).__name__,
            "rounds": run.round,
            "epsilon": None if run.privacy is None else run.privacy.epsilon,
            **{
                figure: judged[name].loc[ALL_SITES, figure]
                for figure in (score, "auc", run.problem.model.loss)
                if figure in judged[name]
            },
        }
        for name, run in runs.items()
    }
    frame = pd.DataFrame.from_dict(lines, orient="index").astype({"epsilon": float})
    frame.index.name = "run"
    by_site = pd.DataFrame({name: table[score] for name, table in judged.items()})
    return Comparison(frame, by_site.drop(index=ALL_SITES), score)
