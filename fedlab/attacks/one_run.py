"""A lower bound on ε from guesses about who was in one run.

Steinke, Nasr and Jagielski 2023, "Privacy auditing with one (1) training run", NeurIPS 2023, arXiv
2305.08846. Each of m canaries is in the run or not, on a fair coin of its own; who sees the result
guesses some of the coins and says nothing about the others. Under (ε, δ)-differential privacy the
number of right guesses is hardly larger than that of randomized response at ε.
"""

from __future__ import annotations

import numpy as np

from fedlab.attacks.checks import check_confidence
from fedlab.errors import PrivacyError
from fedlab.strategies.checks import whole

__all__ = ["epsilon_lower_bound", "tail_bound"]

# A claim of ε = 100 says nothing any more.
LARGEST = 100.0


def tail_bound(
    n_canaries: int, n_guesses: int, n_right: int, *, epsilon: float, delta: float
) -> float:
    """Largest probability, under (ε, δ)-differential privacy, of as many right guesses.

    Corollary 5.4 of the paper. With ``W`` binomial of `n_guesses` trials that succeed with
    ``e^ε / (1 + e^ε)``, it is ``P[W >= v] + 2 m δ max_i P[v > W >= v - i] / i``.

    Parameters
    ----------
    n_canaries : int
        All canaries, guessed or not (m).
    n_guesses : int
        Canaries that were guessed (r).
    n_right : int
        Right guesses (v).
    epsilon, delta : float

    Examples
    --------
    Two right guesses of two under ε = 0 are as likely as two heads:

    >>> round(tail_bound(2, 2, 2, epsilon=0.0, delta=0.0), 12)
    0.25
    """
    from scipy.special import expit
    from scipy.stats import binom

    right = float(expit(epsilon))
    beyond = float(binom.sf(n_right - 1, n_guesses, right))
    steps = np.arange(1, n_right + 1)
    below = np.cumsum(binom.pmf(n_right - steps, n_guesses, right))
    most = float((below / steps).max()) if n_right > 0 else 0.0
    return min(1.0, beyond + 2 * n_canaries * delta * most)


def epsilon_lower_bound(
    n_canaries: int, n_guesses: int, n_right: int, *, delta: float, confidence: float = 0.95
) -> float:
    """Smallest ε that so many right guesses do not contradict.

    If the mechanism is (ε, δ)-differentially private, the result is above ε with a probability of
    at most ``1 - confidence``.

    Parameters
    ----------
    n_canaries, n_guesses, n_right : int
        As in `tail_bound`. How many to guess has to be fixed before the guesses are compared.
    delta : float
    confidence : float

    Raises
    ------
    PrivacyError
        When the counts contradict each other, or delta is no probability.
    TrainingError
        When confidence is out of its range.

    Examples
    --------
    >>> round(epsilon_lower_bound(1000, 100, 95, delta=0.0), 3)
    2.172
    >>> epsilon_lower_bound(1000, 100, 50, delta=0.0)
    0.0
    """
    check_confidence(confidence)
    whole("n_canaries", n_canaries)
    if not 0 <= n_right <= n_guesses <= n_canaries:
        raise PrivacyError(
            "There cannot be more right guesses than guesses, nor more guesses than canaries.",
            f"{n_right} right of {n_guesses} guesses about {n_canaries} canaries",
            "Count again.",
        )
    if not 0 <= delta < 1:
        raise PrivacyError(
            "delta must be at least 0 and below 1.", f"{delta:g}", "Pass e.g. delta=1e-5."
        )

    def excess(epsilon: float) -> float:
        bound = tail_bound(n_canaries, n_guesses, n_right, epsilon=epsilon, delta=delta)
        return bound - (1 - confidence)

    if excess(0.0) >= 0:
        return 0.0
    if excess(LARGEST) < 0:
        return LARGEST
    # What keeps a smaller ε keeps a larger one, so an ε that is contradicted takes all below it
    # along: whatever crossing is found, `low` is a valid bound.
    low, high = 0.0, LARGEST
    while high - low > 1e-9 * max(1.0, high):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return low
