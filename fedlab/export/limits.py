"""What an export does not show, in sentences that fit the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fedlab.export.facts import CardFacts
from fedlab.export.kinds import OUTPUTS, WITHOUT_TARGET, final_of, grown, outputs_of

if TYPE_CHECKING:
    from fedlab.export.kinds import Fitted

__all__ = ["limits"]


def limits(facts: CardFacts, model: Fitted) -> Iterator[str]:
    """Each limit as a sentence or two of Markdown."""
    yield (
        "**Not for care.** No clinical validation was done. It must not decide on a patient "
        "without one, on rows from where and when it is to be used."
    )
    if facts.evaluation is None:
        yield "How well it predicts was not measured."
    else:
        yield (
            "The held-out rows come from the same sites and the same time as the training rows. "
            "Other hospitals, later patients and other ways of measuring can do worse. Calibration "
            "and differences between groups of patients were not looked at."
        )
    n_simulated = sum(site.simulated for site in facts.sites)
    if n_simulated:
        yield (
            f"{n_simulated} of {len(facts.sites)} sites are simulated: their rows lay in the "
            "notebook's own process, and noise there can be repeated from the seed. They teach; "
            "they do not protect."
        )
    if facts.privacy is None:
        yield (
            "Trained without noise: no ε covers the parameters, means and scales, which can tell "
            "something about single rows to those who know the others."
        )
    elif facts.privacy.unit == "site":
        yield (
            "The promise covers one whole site against those who see the means of its rounds and "
            "the model. It takes the sites' names, that they took part, and their numbers of rows "
            "as public. A patient with rows at several sites loses more."
        )
    else:
        yield (
            f"ε covers one {facts.privacy.unit}. A patient with several rows, or rows at several "
            "sites, loses more. It takes the sites' numbers of rows as public."
        )
    if facts.spend is not None and facts.spend.totals["exact_answers"].any():
        yield (
            "ε covers none of the answers that sites gave without noise, which the table above "
            "counts; evaluation may be among them."
        )
    yield from _told(model)
    yield "What sites answer after this card was written is not in it."
    yield (
        "The folder holds parameters, centres, scales, names, declared categories and ranges, and "
        "the figures above. It holds no row."
    )


def _told(model: Fitted) -> Iterator[str]:
    """What a kind of model can tell of single rows by what it is."""
    outputs = outputs_of(model)
    if grown(model):
        yield (
            "Trees tell thresholds, which lie between the values of rows, and what leaves say, of "
            "which some may stand for few rows."
        )
    elif outputs == OUTPUTS["clusters"]:
        yield "A centre to which a single training row is nearest is that row."
    elif hasattr(final_of(model), "theta_"):
        yield "Means of a class that has a single training row are that row."
    elif outputs == OUTPUTS["survival"]:
        yield (
            "The baseline hazard tells at which of its times there were events; where the grid was "
            "exact, these are the times of single patients' events."
        )
    if outputs in WITHOUT_TARGET:
        yield "It was made without a target, and nothing says that what it finds matters to care."
