"""Cox's proportional hazards model, fitted on risk sets over a grid of times."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec
import numpy as np

from fedlab.core.concordance import concordance_counts
from fedlab.core.model import Model
from fedlab.core.parameters import Array, Parameters
from fedlab.core.risk_sets import Ties, no_rows, on_grid, partial_likelihood, risk_sums
from fedlab.core.schema import Schema
from fedlab.core.space import Reads, Space, Target
from fedlab.errors import TrainingError

if TYPE_CHECKING:
    from fedlab.core.cox_estimator import CoxEstimator

__all__ = ["CoxRegression"]


class CoxRegression(Model, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Proportional hazards: ``h(t | x) = h0(t) exp(x' coef)`` (Cox 1972).

    It is fitted by Newton's method on sums over risk sets, which add up over sites, so that with
    exact times coefficients and standard errors are those of the pooled rows. Sites declare
    ``Site(..., target="time", event="died")``.

    The grid is a choice of what leaves the sites. With a coarse one, such as the ends of months,
    a site sends sums over its rows at risk at each grid time; times are rounded up to the grid, and
    whoever is under observation beyond its last time is censored there. With ``grid="exact"`` the
    sites first tell the distinct times of their events. The differences between one exact time and
    the next are then often those of a single patient, whose features can be computed from them:
    use it where sites are simulated, or where the sums are hidden by other means.

    How well it does is judged within sites, since a pair of patients is compared at one site alone:
    the loss is the negative log partial likelihood with each site a stratum, a row; the score is
    the concordance over all pairs of each site. `fedlab.survival.concordance` gives that over pairs
    across sites.

    Parameters
    ----------
    grid : sequence of float, or "exact"
        Times in the unit of the target, positive and rising; has to be chosen.
    ties : "efron" or "breslow"
        How events at one time are counted.
    alpha : float
        Penalty: ``alpha / 2`` times the squared coefficients of the scaled features is added to the
        summed loss, as in scikit-survival's CoxPHSurvivalAnalysis.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> CoxRegression(grid=range(30, 120, 30)).grid
    (30.0, 60.0, 90.0)
    """

    reads: ClassVar[Reads] = "survival"
    loss: ClassVar[str] = "partial_log_loss"
    score: ClassVar[str] = "concordance"
    counted: ClassVar[tuple[str, ...]] = ("loss", "concordant", "comparable")

    grid: Sequence[float] | Literal["exact"] | None = None
    ties: Ties = "efron"
    alpha: float = 0.0

    def __post_init__(self) -> None:
        if self.ties not in ("efron", "breslow"):
            raise TrainingError(
                "ties must be 'efron' or 'breslow'.", f"{self.ties!r}", "Pass e.g. ties='efron'."
            )
        if not 0 <= self.alpha < math.inf:
            raise TrainingError("alpha must be at least 0.", f"{self.alpha:g}", "Pass e.g. 0.1.")
        given: Any = self.grid
        if given is None or (isinstance(given, str) and given == "exact"):
            return
        times = np.array([] if isinstance(given, str) else list(given), dtype=np.float64)
        rising = times.ndim == 1 and len(times) > 0 and bool((np.diff(times) > 0).all())
        if not rising or not np.isfinite(times).all() or times[0] <= 0:
            raise TrainingError(
                "grid must hold positive, finite times that rise, or be 'exact'.",
                f"{given!r}" if isinstance(given, str) else f"{times.size} others",
                "Pass e.g. grid=range(30, 3650, 30) for months, where time is in days.",
            )
        msgspec.structs.force_setattr(self, "grid", tuple(times.tolist()))

    @property
    def exact(self) -> bool:
        """Whether the grid is the times of the events themselves."""
        return self.grid == "exact"

    def check(self, schema: Schema) -> None:
        """Raise TrainingError unless the target is a time with an event, and a grid was chosen."""
        if schema.event is None:
            raise TrainingError(
                "CoxRegression needs sites that say where times end in the event.",
                f"target {schema.target!r} without an event",
                "Make them as Site(..., target='time', event='died').",
            )
        if self.grid is None:
            raise TrainingError(
                "CoxRegression needs a grid of times: it decides what leaves the sites.",
                "none",
                "Pass e.g. grid=range(30, 3650, 30) for months, where time is in days, or "
                "grid='exact' where sites are simulated.",
            )

    def init(self, space: Space) -> Parameters:
        """No effects, and no hazard at the grid's times, which may not be known yet."""
        times = np.array([] if self.grid is None or self.exact else self.grid, dtype=np.float64)
        coef = np.zeros(len(space.names))
        return Parameters({"coef": coef, "times": times, "hazard": np.zeros(len(times))})

    def empty(self, parameters: Parameters) -> Parameters:
        """The risk-set sums of no rows."""
        return no_rows(len(parameters["times"]), len(parameters["coef"]), self.ties)

    def risk_sets(self, parameters: Parameters, x: Array, y: Target) -> Parameters:
        """Sums over the rows at risk at each grid time, as `fedlab.core.risk_sets` names them."""
        grid = parameters["times"]
        cells, event = on_grid(y[:, 0], y[:, 1], grid, exact=self.exact)
        return risk_sums(x, cells, event, parameters["coef"], n_times=len(grid), ties=self.ties)

    def sums(self, parameters: Parameters, x: Array, y: Target) -> dict[str, float]:
        """Negative log partial likelihood and pairs, of these rows among themselves."""
        time, event, coef = y[:, 0], y[:, 1], parameters["coef"]
        own = np.unique(time[event > 0])
        cells, _ = on_grid(time, event, own, exact=True)
        # The loss needs hazards alone, so it is that of one feature, the risk, of coefficient 1.
        risk = x @ coef
        one = np.ones(1)
        total = risk_sums(risk[:, None], cells, event, one, n_times=len(own), ties=self.ties)
        loss, _, _ = partial_likelihood(total, one, self.ties)
        concordant, comparable = concordance_counts(time, event, risk)
        return {"loss": loss, "concordant": concordant, "comparable": comparable}

    def figures(self, sums: Mapping[str, float], rows: int) -> dict[str, float]:
        """Loss a row, and concordance; undefined where no pair can be compared."""
        pairs = sums["comparable"]
        concordance = sums["concordant"] / pairs if pairs > 0 else math.nan
        return {"loss": sums["loss"] / rows, "concordance": concordance}

    def survival(self, parameters: Parameters, x: Array, times: Array) -> Array:
        """Probability of no event until each of `times`, shape ``(n_samples, n_times)``.

        The cumulative baseline hazard is Breslow's, whatever the ties (Breslow 1974).
        """
        cumulative = np.concatenate([[0.0], np.cumsum(parameters["hazard"])])
        baseline = cumulative[np.searchsorted(parameters["times"], times, side="right")]
        survival: Array = np.exp(-np.outer(np.exp(x @ parameters["coef"]), baseline))
        return survival

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> CoxEstimator:
        """A fitted estimator in the manner of scikit-learn."""
        from fedlab.core.cox_estimator import fitted

        return fitted(self, parameters, space, n_samples=n_samples, n_iter=n_iter)
