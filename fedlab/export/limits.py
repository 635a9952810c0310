"""What an export does not show, in sentences that fit the run."""

from __future__ import annotations

from collections.abc import Iterator

from fedlab.export.facts import CardFacts

__all__ = ["limits"]


def limits(facts: CardFacts) -> Iterator[str]:
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
    yield "What sites answer after this card was written is not in it."
    yield (
        "The folder holds parameters, centres, scales, names, declared categories and ranges, and "
        "the figures above. It holds no row."
    )
