"""Exact sums of a model's errors, where a site tells sums of numbers that a model makes of rows."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.parameters import Array, is_finite_array
from fedlab.privacy import Releases
from fedlab.queries.disclosure import Codes
from fedlab.queries.group_counts import is_tally
from fedlab.queries.judge import Judging, told_cells
from fedlab.queries.query import Answer, Context, Rows

__all__ = ["CLASS_SUMS", "NUMBER_SUMS", "ErrorSums", "JudgeSums"]

CLASS_SUMS = ("rows", "brier", "log_loss", "score")
"""Of each class: its rows, squared errors, log losses, and probabilities of the second class."""
NUMBER_SUMS = ("rows", "target", "spread", "error", "absolute", "squares", "fourths")
"""Rows; the target and its squares about a centre; errors, their sizes, squares, fourth powers."""
# scikit-learn clips at the rounding of doubles too.
LEAST = float(np.finfo(np.float64).eps)


class ErrorSums(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Sums over rows by group and class; both add up over sites.

    Attributes
    ----------
    sums : ndarray of shape (n_groups, n_classes, n_sums)
        0 where the class of a group is suppressed; of a target of numbers there is one class.
    shown : ndarray of shape (n_groups, n_classes)
        1 where the site tells it.
    """

    sums: Array
    shown: Array


class JudgeSums(Judging, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Sums of squared errors, log losses and the like by group and class.

    A model can be made so that it is 0 for all but one patient; the sum then is that patient's
    value. Counts can be held back where they are small, sums of what somebody's model makes of rows
    cannot. So only sites answer that let values of patients be told (`Policy.error_sums`).

    Attributes
    ----------
    center : float
        What the target's spread is taken about.
    """

    tells_errors: ClassVar[bool] = True

    center: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """Of the sums."""
        return NUMBER_SUMS if self.plan.reads == "number" else CLASS_SUMS

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the sums."""
        n_classes = 1 if self.plan.reads == "number" else len(self.schema.classes)
        return self.n_groups, n_classes, len(self.names)

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Sums over the rows that meet all conditions."""
        kept = self.begin(rows, context)
        values = self.predicted(rows, kept, context)
        if self.plan.reads == "number":
            target = rows.target[kept].to_numpy(dtype=np.float64)
            classes = np.zeros(len(target), dtype=np.int64)
            terms = _number_terms(target - self.center, values[:, 0] - target)
        else:
            classes = self.classes(rows, kept)
            terms = _class_terms(values, classes)
        sums, shown = np.zeros(self.shape), np.zeros(self.shape[:2])
        for grouping in self.groupings(rows, kept):
            told = told_cells(context, kept, grouping, np.zeros_like(classes), ())
            inner = told_cells(context, kept, grouping, classes, self.shape[1:2])
            for level, label in np.argwhere(inner & told[:, None]):
                mine = (grouping.levels == level) & (classes == label)
                sums[grouping.first + level, label] = terms[mine].sum(axis=0)
                shown[grouping.first + level, label] = 1.0
        return ErrorSums(sums, shown)

    def releases(self, n_rows: int) -> Releases | None:
        """Losses have no bound, so no noise hides a row."""
        return None

    def accepts(self, answer: Answer) -> bool:
        """Finite sums of the agreed shape."""
        return (
            isinstance(answer, ErrorSums)
            and is_finite_array(answer.sums, self.shape)
            and is_tally(answer.shown, self.shape[:2])
        )


def _class_terms(values: Array, classes: Codes) -> Array:
    n_rows = len(classes)
    if values.shape[1] == 1:
        values = np.hstack([1 - values, values])
    mine = values[np.arange(n_rows), classes]
    wanted = np.zeros_like(values)
    wanted[np.arange(n_rows), classes] = 1.0
    squares = ((values - wanted) ** 2).sum(axis=1)
    if values.shape[1] == 2:
        # Brier's score of two classes is that of one of them.
        squares = (1 - mine) ** 2
    losses = -np.log(np.clip(mine, LEAST, 1 - LEAST))
    return np.column_stack([np.ones(n_rows), squares, losses, values[:, -1]])


def _number_terms(target: Array, error: Array) -> Array:
    return np.column_stack(
        [np.ones(len(target)), target, target**2, error, np.abs(error), error**2, error**4]
    )
