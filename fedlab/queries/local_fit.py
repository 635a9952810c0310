"""Local training from given parameters: gradient steps on a site's own rows.

Without privacy these are the local steps of McMahan et al. 2017 (algorithm 1, ClientUpdate). With
record-level privacy each step is one of Abadi et al. 2016 (algorithm 1): every row's gradient is
clipped, the sum gets noise, and the divisor is the fixed batch size, never the size of the sample.
Terms that strategies add to a step (a pull to an anchor, a correction) come with the question and
see no row, so they change nothing about its sensitivity.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.model import Differentiable
from fedlab.core.parameters import Array, Parameters
from fedlab.core.space import Space, Target
from fedlab.privacy import RecordDP, Releases
from fedlab.privacy.clipping import clipped_sum
from fedlab.privacy.sampling import count_steps, releases_of_steps
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = ["LocalFit", "Update", "count_steps"]

Indices = np.ndarray[tuple[int], np.dtype[np.int64]]


class Update(Answer, msgspec.Struct, frozen=True, eq=False, tag=True):
    """Parameters after local training minus those before."""

    delta: Parameters


class LocalFit(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Gradient steps on the mean loss plus ``penalty / 2`` times the squared coefficients.

    Attributes
    ----------
    parameters : Parameters
        Where to start.
    penalty : float
        The penalty's share of one row, so that sites of any size minimise one objective.
    learning_rate : float
    batch_size : int or None
        Rows a step; None for all of them.
    epochs : int
        Passes over the rows, unless `steps` is given.
    steps : int or None
    mu : float
        Strength of the pull ``mu / 2 ||w - anchor||^2``.
    anchor : Parameters or None
        Where it pulls to; None for where training starts.
    correction : Parameters or None
        Added to the gradient of every step.
    """

    purpose: ClassVar[str] = "training"

    model: Differentiable
    space: Space
    parameters: Parameters
    penalty: float
    learning_rate: float
    batch_size: int | None = None
    epochs: int = 1
    steps: int | None = None
    mu: float = 0.0
    anchor: Parameters | None = None
    correction: Parameters | None = None

    def __post_init__(self) -> None:
        for count in (self.batch_size, self.epochs, self.steps):
            if count is not None and count < 1:
                raise ValueError("batch_size, epochs and steps must be at least 1")

    def _batch(self, n_rows: int) -> int:
        return n_rows if self.batch_size is None else min(self.batch_size, n_rows)

    def _count(self, n_rows: int) -> int:
        return count_steps(n_rows, batch_size=self.batch_size, epochs=self.epochs, steps=self.steps)

    def fewest_rows(self) -> int | None:
        """The rows of all batches together, where steps are counted and not passes."""
        if self.steps is None or self.batch_size is None:
            return None
        return self.steps * self.batch_size

    def compute(self, rows: Rows, context: Context) -> Answer:
        """The change that local training makes."""
        return Update(self.change(rows, context))

    def change(self, rows: Rows, context: Context, use: str = "batches") -> Parameters:
        """Parameters after training minus those before; `use` names the batches' randomness."""
        x, y = rows.arrays(self.space, self.model.reads)
        anchor = self.parameters if self.anchor is None else self.anchor
        current = self.parameters
        for batch in self._batches(len(y), context, use):
            if context.privacy is None:
                gradient = (1 / len(batch)) * self.model.gradient(current, x[batch], y[batch])
            else:
                hidden = self._hidden_sum(current, x[batch], y[batch], context, context.privacy)
                gradient = (1 / self._batch(len(y))) * hidden
            slope = gradient + self.penalty * self.model.penalised(current)
            if self.mu > 0:
                slope = slope + self.mu * (current - anchor)
            if self.correction is not None:
                slope = slope + self.correction
            current = current - self.learning_rate * slope
        return current - self.parameters

    def _hidden_sum(
        self, at: Parameters, x: Array, y: Target, context: Context, privacy: RecordDP
    ) -> Parameters:
        total = clipped_sum(self.model.row_gradients(at, x, y), privacy.clipping_norm)
        return at.like(context.release(total, sensitivity=privacy.clipping_norm))

    def _batches(self, n_rows: int, context: Context, use: str = "batches") -> Iterator[Indices]:
        batch, steps = self._batch(n_rows), self._count(n_rows)
        random = context.random(use)
        if context.privacy is not None and batch < n_rows:
            for _ in range(steps):
                yield np.flatnonzero(random.random(n_rows) < batch / n_rows)
            return
        per_epoch = math.ceil(n_rows / batch)
        order = np.arange(n_rows)
        for step in range(steps):
            position = step % per_epoch
            if position == 0 and batch < n_rows:
                order = random.permutation(n_rows)
            yield order[position * batch : (position + 1) * batch]

    def releases(self, n_rows: int) -> Releases | None:
        """One noisy sum a step, over all rows or over a Poisson sample of them."""
        return releases_of_steps(
            n_rows, batch_size=self.batch_size, epochs=self.epochs, steps=self.steps
        )

    def shared_sensitivity(self, n_rows: int, clipping_norm: float) -> float | None:
        """A step's share of one clipped gradient, where one step on all rows is all there is."""
        if self._count(n_rows) != 1 or self._batch(n_rows) < n_rows:
            return None
        return self.learning_rate * clipping_norm / n_rows

    def accepts(self, answer: Answer) -> bool:
        """A finite change with the names and shapes of the parameters."""
        return isinstance(answer, Update) and answer.delta.fits(self.parameters)
