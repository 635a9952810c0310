"""What a model card tells, as values."""

from __future__ import annotations

from dataclasses import dataclass

from fedlab.evaluation import Evaluation
from fedlab.privacy import RecordDP, SiteDP
from fedlab.spend import PrivacySpend

__all__ = ["CardFacts", "SiteFacts"]


@dataclass(frozen=True, kw_only=True)
class SiteFacts:
    """One site as it declared itself.

    Attributes
    ----------
    name : str
    train_rows, test_rows : int
    simulated : bool
    source : str
        Citation of where its rows came from; may be empty.
    """

    name: str
    train_rows: int
    test_rows: int
    simulated: bool
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """Everything of a run that its card tells, beside the model and its columns.

    Attributes
    ----------
    run : str
    sites : tuple of SiteFacts
    model, strategy : str
        As they would be written in code.
    rounds, seed : int
    privacy : RecordDP, SiteDP or None
        The promise the run was trained under.
    secure : bool
        Whether sites' answers were added under masks.
    evaluation : Evaluation or None
    not_evaluated : str
        Why there is none, as a sentence.
    spend : PrivacySpend or None
        The sites' whole ledgers at the time of export.
    """

    run: str
    sites: tuple[SiteFacts, ...]
    model: str
    strategy: str
    rounds: int
    seed: int
    privacy: RecordDP | SiteDP | None = None
    secure: bool = False
    evaluation: Evaluation | None = None
    not_evaluated: str = "No evaluation was given."
    spend: PrivacySpend | None = None
