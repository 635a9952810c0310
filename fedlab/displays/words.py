"""Losses and scores in words, with their units, as axes and notes name them."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SCORES", "Score", "loss_words", "score_of"]

# In words, and the unit where there is one.
LOSSES = {
    "log_loss": ("log loss", "nats a row"),
    "partial_log_loss": ("partial log loss", "nats a row"),
    "mean_squared_error": ("mean squared error", "target units²"),
    "mean_poisson_deviance": ("Poisson deviance", "a row"),
    "squared_hinge": ("squared hinge loss", "a row"),
    "inertia_per_row": ("inertia", "distance², a row"),
    "reconstruction_error": ("reconstruction error", "distance², a row"),
}


class Score(NamedTuple):
    """How a score is drawn.

    Attributes
    ----------
    name : str
        For a legend.
    factor : int
        100 where it is shown in per cent.
    lowest : float or None
        The least it can be; None without a bound. The best is 1.
    """

    name: str
    factor: int = 1
    lowest: float | None = None


SCORES = {
    "accuracy": Score("accuracy", 100, 0.0),
    "auc": Score("AUC", 1, 0.0),
    "r2": Score("R²"),
    "d2": Score("D²"),
    "concordance": Score("concordance", 1, 0.0),
    "explained_variance_ratio": Score("share of variance"),
}


def loss_words(loss: str) -> tuple[str, str]:
    """A loss in words, and its unit; of one that nobody knows, its own name.

    Examples
    --------
    >>> loss_words("log_loss")
    ('log loss', 'nats a row')
    >>> loss_words("my_loss")
    ('my loss', 'a row')
    """
    return LOSSES.get(loss, (loss.replace("_", " "), "a row"))


def score_of(score: str) -> Score:
    """How to draw a score; one that nobody knows by its own name.

    Examples
    --------
    >>> score_of("r2").name, score_of("my_score").name
    ('R²', 'my score')
    """
    return SCORES.get(score, Score(score.replace("_", " ")))
