"""What Cox's model asks: times of events, sums over risk sets, and histograms of risks."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.concordance import BINS, risk_histogram
from fedlab.core.cox import CoxRegression
from fedlab.core.parameters import Array, Parameters, is_finite_array
from fedlab.core.space import Space
from fedlab.privacy import Releases
from fedlab.queries.query import Answer, Context, Query, Rows, Split
from fedlab.queries.score import Tally
from fedlab.queries.statistics import Sums

__all__ = ["EventTimes", "RiskHistogram", "RiskSets", "Times"]


class Times(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Distinct times of events, rising."""

    values: Array


class EventTimes(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The distinct times at which the site's training rows have their event.

    They are values of rows: a site that must not tell them says so by ``Policy.grid_width``, and
    takes part with a grid.
    """

    purpose: ClassVar[str] = "training"
    adds: ClassVar[bool] = False

    model: CoxRegression
    space: Space

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Sorted, without repetition."""
        _, y = rows.arrays(self.space, self.model.reads)
        return Times(np.unique(y[y[:, 1] > 0, 0]))

    def releases(self, n_rows: int) -> Releases | None:
        """Times are values of rows, which no noise here hides."""
        return None

    def finest_time(self) -> float:
        """Exact times."""
        return 0.0

    def accepts(self, answer: Answer) -> bool:
        """Positive, finite times that rise."""
        return (
            isinstance(answer, Times)
            and is_finite_array(answer.values, (answer.values.size,))
            and bool((np.diff(answer.values, prepend=0.0) > 0).all())
        )


class RiskSets(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Sums over the site's rows at risk at each grid time, at `parameters`."""

    purpose: ClassVar[str] = "training"

    model: CoxRegression
    space: Space
    parameters: Parameters

    @property
    def n_parameters(self) -> int:
        """As many as there are coefficients."""
        return len(self.parameters["coef"])

    def compute(self, rows: Rows, context: Context) -> Answer:
        """As `fedlab.core.risk_sets` names them."""
        x, y = rows.arrays(self.space, self.model.reads)
        return Sums(self.model.risk_sets(self.parameters, x, y))

    def releases(self, n_rows: int) -> Releases | None:
        """Exact sums only: rows are not clipped, so no noise hides one."""
        return None

    def finest_time(self) -> float:
        """As fine as the grid, in which the start counts as a time."""
        times = self.parameters["times"]
        # Rows are put on an exact grid by equality.
        exact = self.model.exact or len(times) == 0
        return 0.0 if exact else float(np.diff(times, prepend=0.0).min())

    def accepts(self, answer: Answer) -> bool:
        """Finite sums of the names and shapes that no rows would give."""
        return isinstance(answer, Sums) and answer.values.fits(self.model.empty(self.parameters))


class RiskHistogram(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Counts of rows by event, interval of time and bin of risk.

    Attributes
    ----------
    bins : int
    split : "train" or "test"
    """

    purpose: ClassVar[str] = "evaluation"

    model: CoxRegression
    space: Space
    parameters: Parameters
    bins: int = BINS
    split: Split = "test"

    def compute(self, rows: Rows, context: Context) -> Answer:
        """One row adds 1 to one cell."""
        x, y = rows.arrays(self.space, self.model.reads)
        coef = self.parameters["coef"]
        counts = risk_histogram(
            y[:, 0],
            y[:, 1],
            x @ coef,
            self.parameters["times"],
            float(np.linalg.norm(coef)),
            self.bins,
        )
        return Tally({"histogram": context.release(counts, sensitivity=1.0)})

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy histogram over all rows."""
        return Releases(1)

    def finest_time(self) -> float:
        """Exact times: who has the event just at a time of the grid is counted apart."""
        return 0.0

    def accepts(self, answer: Answer) -> bool:
        """One finite histogram."""
        shape = (2, 2 * len(self.parameters["times"]) + 1, self.bins)
        return (
            isinstance(answer, Tally)
            and list(answer.sums) == ["histogram"]
            and is_finite_array(answer.sums["histogram"], shape)
        )
