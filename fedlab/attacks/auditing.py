"""Does the code keep the ε it claims? One run with canaries, and guesses about who was in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from fedlab.attacks.checks import check_confidence, check_seed
from fedlab.attacks.one_run import epsilon_lower_bound, tail_bound
from fedlab.attacks.result import AttackResult
from fedlab.core.logistic import LogisticRegression
from fedlab.core.parameters import Array
from fedlab.core.seeds import generator
from fedlab.errors import PrivacyError
from fedlab.federation import Federation
from fedlab.privacy import RecordDP
from fedlab.site import Policy, Site
from fedlab.strategies import FedAvg
from fedlab.strategies.checks import whole

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["PrivacyAudit", "privacy_audit"]

LOUD = 1000.0
"""A canary's value, so large that its gradient is clipped and points along its own axis alone."""
STILL = 1e-9
"""A learning rate at which parameters stay where every canary's gradient is largest."""

Coins = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, repr=False, kw_only=True)
class PrivacyAudit(AttackResult):
    """What one run gave away, beside what it claimed.

    Attributes
    ----------
    frame : DataFrame
        One row: claimed ``epsilon`` and ``delta``, ``canaries``, ``guesses``, those ``right``, the
        ``chance`` of as many under the claim, the lower bound ``at_least`` on ε, and whether it
        ``holds``: the bound does not exceed the claim.
    scores : DataFrame
        One row a canary: whether it was ``present``, its ``score``, and what was ``guessed``
        (present, absent, or nothing).
    """

    title: ClassVar[str] = "Audit of record-level privacy in one run"

    scores: pd.DataFrame

    @property
    def lower_bound(self) -> float:
        """ε is at least this, but for a chance of one less the confidence."""
        return float(self.frame["at_least"].iloc[0])

    @property
    def holds(self) -> bool:
        """Whether the lower bound does not exceed the claimed ε."""
        return bool(self.frame["holds"].iloc[0])

    def plot(self) -> go.Figure:
        """The scores of canaries that were present and absent, and which were guessed."""
        from fedlab.displays.attack_figures import audit_figure

        return audit_figure(self.scores)


def privacy_audit(
    privacy: RecordDP,
    *,
    n_canaries: int = 2000,
    guess: float = 0.1,
    batch: float = 1.0,
    confidence: float = 0.95,
    simulated: bool = True,
    seed: int = 0,
) -> PrivacyAudit:
    """Train under `privacy` on canaries that were drawn by coin, and guess the coins.

    Each canary is a record with a feature of its own, so that its clipped gradient lies along one
    axis of the parameters: the gradient that a record can be seen by most easily (Nasr et al. 2023,
    "Tight auditing of differentially private machine learning", arXiv 2302.07956). All of it goes
    through the code of sites and strategies that every private run goes through.

    Parameters
    ----------
    privacy : RecordDP
        The claim; as many rounds are run as it is meant for.
    n_canaries : int
        More canaries give a sharper bound and take longer.
    guess : float
        Share of the canaries that is guessed: one half of it from the top, one from the bottom.
    batch : float
        Expected share of the rows in a step; below 1 they are Poisson samples.
    confidence : float
    simulated : bool
        Audit the seeded noise of simulated sites; False audits what real sites run, noise from the
        operating system and secret samples, and repeats no result.
    seed : int

    Returns
    -------
    PrivacyAudit

    Raises
    ------
    PrivacyError
        When no promise is given, or guess or batch is no share.
    TrainingError
        When another argument is out of its range.

    Examples
    --------
    >>> found = privacy_audit(RecordDP(epsilon=1.0, delta=1e-5), n_canaries=200, seed=3)
    >>> found.holds
    True
    """
    if not isinstance(privacy, RecordDP):
        raise PrivacyError(
            "An audit needs a claim to check.",
            type(privacy).__name__,
            "Pass e.g. fl.RecordDP(epsilon=1.0, delta=1e-5).",
        )
    whole("n_canaries", n_canaries, least=20)
    check_seed(seed)
    check_confidence(confidence)
    for name, value in (("guess", guess), ("batch", batch)):
        if not 0 < value <= 1:
            raise PrivacyError(
                f"{name} must be a share above 0 and at most 1.",
                f"{value:g}",
                f"Pass e.g. {name}=0.1.",
            )
    present = generator(seed, "coins").random(n_canaries) < 0.5
    # A site without any row cannot be made.
    present[0] = present[0] or not present.any()
    scores = _scores(privacy, present, batch, seed, simulated=simulated)
    half = min(max(1, round(guess * n_canaries / 2)), n_canaries // 2)
    order = np.argsort(scores, kind="stable")
    guessed = np.full(n_canaries, "nothing", dtype=object)
    guessed[order[:half]], guessed[order[-half:]] = "absent", "present"
    right = int((~present[order[:half]]).sum() + present[order[-half:]].sum())
    bound = epsilon_lower_bound(
        n_canaries, 2 * half, right, delta=privacy.delta, confidence=confidence
    )
    line = {
        "epsilon": privacy.epsilon,
        "delta": f"{privacy.delta:g}",
        "canaries": n_canaries,
        "guesses": 2 * half,
        "right": right,
        "chance": tail_bound(
            n_canaries, 2 * half, right, epsilon=privacy.epsilon, delta=privacy.delta
        ),
        "at_least": bound,
        "holds": bound <= privacy.epsilon,
    }
    table = pd.DataFrame([line], index=pd.Index(["this run"], name="run"))
    return PrivacyAudit(
        frame=table,
        scores=pd.DataFrame({"present": present, "score": scores, "guessed": guessed}),
        notes=_notes(privacy, confidence, simulated=simulated),
    )


def _scores(
    privacy: RecordDP, present: Coins, batch: float, seed: int, *, simulated: bool
) -> Array:
    """How far each canary's own parameter was moved in its direction."""
    names = [f"canary_{number}" for number in range(len(present))]
    labels = np.arange(len(present)) % 2
    frame = pd.DataFrame(np.diag(np.full(len(present), LOUD))[present], columns=names)
    site = Site(
        "audited",
        frame.assign(label=labels[present]),
        target="label",
        test_size=0.0,
        policy=Policy(minimum_rows=1),
        simulated=simulated,
        ranges=dict.fromkeys(names, (-2.0, 2.0)),
    )
    n_rows = int(present.sum())
    run = Federation([site], seed=int(generator(seed, "audit").integers(2**62))).train(
        LogisticRegression(C=np.inf),
        strategy=FedAvg(
            local_steps=1,
            batch_size=None if batch == 1 else max(1, round(batch * n_rows)),
            learning_rate=STILL,
        ),
        privacy=privacy,
        evaluate=False,
    )
    run.run(privacy.rounds, progress=False)
    # Towards the label: up for the second class, down for the first.
    moved: Array = run.state.parameters["coef"] * np.where(labels == 1, 1.0, -1.0)
    return moved


def _notes(privacy: RecordDP, confidence: float, *, simulated: bool) -> tuple[str, ...]:
    return (
        f"Audited: FedAvg at one {'simulated' if simulated else 'real'} site under RecordDP, "
        f"{privacy.rounds} round{'s' * (privacy.rounds != 1)}. Each canary was in the rows on a "
        "fair coin of its own; neighbouring tables differ by one record added or removed.",
        "The adversary knows all canaries and sees the trained parameters; it guesses the canaries "
        "that moved their parameter most to be present, least to be absent, and does not know the "
        "seed of the noise.",
        f"The bound is above the true ε in at most {1 - confidence:.0%} of audits. It is a lower "
        "bound: that it holds shows no fault, which is less than a proof that there is none.",
    )
