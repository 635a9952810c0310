"""Judge parameters on a site's rows: sums of losses, counts, and histograms of scores."""

from __future__ import annotations

import math
from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.model import Classifier, Model
from fedlab.core.parameters import Array, Parameters, is_finite_array
from fedlab.core.space import Space
from fedlab.privacy import Releases
from fedlab.queries.query import Answer, Context, Query, Rows, Split

__all__ = ["Score", "ScoreHistogram", "Tally"]

MAXIMUM_BINS = 1000


class Tally(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Named sums over rows, one entry for each candidate that was judged."""

    sums: dict[str, Array]


def _fits(answer: Answer, shapes: dict[str, tuple[int, ...]]) -> bool:
    return (
        isinstance(answer, Tally)
        and answer.sums.keys() == shapes.keys()
        and all(is_finite_array(answer.sums[name], shape) for name, shape in shapes.items())
    )


class Score(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The sums by which a model judges parameters, of each candidate, exactly.

    Attributes
    ----------
    candidates : tuple of Parameters
        Judged in one visit, since a Shapley table asks for many.
    split : "train" or "test"
    """

    purpose: ClassVar[str] = "evaluation"

    model: Model
    space: Space
    candidates: tuple[Parameters, ...]
    split: Split = "test"

    def compute(self, rows: Rows, context: Context) -> Answer:
        """One entry a candidate."""
        x, y = rows.arrays(self.space, self.model.reads)
        sums = [self.model.sums(each, x, y) for each in self.candidates]
        return Tally({name: np.array([each[name] for each in sums]) for name in self.model.counted})

    def releases(self, n_rows: int) -> Releases | None:
        """A loss has no bound, so no noise hides a row."""
        return None

    def accepts(self, answer: Answer) -> bool:
        """One finite entry a candidate of each sum."""
        return _fits(answer, dict.fromkeys(self.model.counted, (len(self.candidates),)))


class ScoreHistogram(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Counts of rows by class and score of the second class, ``(n_candidates, 2, bins)``.

    One row adds 1 to one cell of each candidate's histogram, so its sensitivity is the square root
    of the number of candidates. Accuracy, confusion counts, Brier score and area under the curve
    follow from it by post-processing.

    Attributes
    ----------
    bins : int
        Even, so that 0.5 is an edge and accuracy is not rounded.
    """

    purpose: ClassVar[str] = "evaluation"

    model: Classifier
    space: Space
    candidates: tuple[Parameters, ...]
    bins: int = 100
    split: Split = "test"

    def __post_init__(self) -> None:
        if self.bins < 2 or self.bins % 2 or self.bins > MAXIMUM_BINS:
            raise ValueError(f"bins must be even and between 2 and {MAXIMUM_BINS}")

    def compute(self, rows: Rows, context: Context) -> Answer:
        """One histogram a class and candidate."""
        x, y = rows.arrays(self.space, self.model.reads)
        counts = np.zeros((len(self.candidates), 2, self.bins))
        for index, candidate in enumerate(self.candidates):
            # The upper edge belongs to the bin below it, as 0.5 itself is not called positive.
            cells = np.ceil(self.model.scores(candidate, x)[:, 1] * self.bins).astype(int) - 1
            np.add.at(counts[index], (y, np.clip(cells, 0, self.bins - 1)), 1.0)
        hidden = context.release(counts, sensitivity=math.sqrt(len(self.candidates)))
        return Tally({"histogram": hidden})

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy histogram over all rows."""
        return Releases(1)

    def shared_sensitivity(self, n_rows: int, clipping_norm: float) -> float | None:
        """One cell of each candidate's histogram."""
        return math.sqrt(len(self.candidates))

    def accepts(self, answer: Answer) -> bool:
        """One finite histogram a candidate."""
        return _fits(answer, {"histogram": (len(self.candidates), 2, self.bins)})
