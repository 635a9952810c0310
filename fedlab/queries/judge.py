"""What all questions about a model from elsewhere share: its file, its rows, and their groups."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import msgspec
import numpy as np

from fedlab.core.child import run_model
from fedlab.core.foreign import Plan, digest_of
from fedlab.core.foreign_feeds import fed
from fedlab.core.parameters import Array
from fedlab.core.schema import Schema
from fedlab.core.space import targets
from fedlab.core.wire import encode
from fedlab.errors import WithheldError
from fedlab.queries.disclosure import Cells, Codes, Flags
from fedlab.queries.groups import Condition, Factor, chosen
from fedlab.queries.query import Context, Query, Rows, Split

__all__ = ["Grouping", "Judging", "Told", "groups_of", "told_cells"]

NEARLY = 1e-6
NEARLY_ONE = 1e-3


@dataclass(frozen=True)
class Told:
    """What a model said of the rows of a site, kept beside them.

    Attributes
    ----------
    key : bytes
        Of the file, the plan and the rows.
    values : ndarray of shape (n_kept, width)
    """

    key: bytes
    values: Array

    def __repr__(self) -> str:
        return f"Told(shape={self.values.shape})"


@dataclass(frozen=True)
class Grouping:
    """One way to group the rows that are judged; the first is into all of them.

    Attributes
    ----------
    levels : ndarray of int of shape (n_kept,)
        -1 for none.
    n_levels : int
    first : int
        Place of its first level among the groups of the answer.
    missing : ndarray of bool of shape (n_levels,)
        Which of them stand for no value.
    """

    levels: Codes
    n_levels: int
    first: int
    missing: Cells


def groups_of(factors: tuple[Factor, ...]) -> int:
    """Groups of an answer: everybody, then the levels of each factor, missing and unmapped last."""
    return 1 + sum(factor.n_levels + 2 for factor in factors)


class Judging(Query, msgspec.Struct, frozen=True, kw_only=True):
    """A question about what a model says of rows.

    Attributes
    ----------
    schema : Schema
        Of the columns that are read.
    file : bytes
        ONNX or skops, see `fedlab.core.foreign`.
    plan : Plan
    factors : tuple of Factor
        Subgroups are told by each of them on its own.
    where : tuple of Condition
    """

    purpose: ClassVar[str] = "evaluation"
    guarded: ClassVar[bool] = True

    schema: Schema
    file: bytes
    plan: Plan
    factors: tuple[Factor, ...] = ()
    where: tuple[Condition, ...] = ()
    split: Split = "all"

    @property
    def n_groups(self) -> int:
        """Of the answer."""
        return groups_of(self.factors)

    @property
    def sensitivity(self) -> float:
        """Of counts: a record is in one cell of everybody, and in one for each factor."""
        return math.sqrt(1 + len(self.factors))

    def predicted(self, rows: Rows, kept: Flags, context: Context) -> Array:
        """What the model says of the rows that are kept, ``(n_kept, width)``.

        The model is run in a process of its own, once for the same file, plan and rows.
        """
        if self.plan.width != self._width:
            raise WithheldError(
                "A model gives one number a row, or a probability for each class.",
                f"a plan of {self.plan.width}",
                "Ask through fed.evaluate.",
                code="model",
            )
        asked = (digest_of(self.file), self.plan, kept.tobytes())
        key = hashlib.sha256(encode(asked)).digest()
        return rows.keep(
            Told, lambda: Told(key, self._run(rows, kept, context)), lambda told: told.key == key
        ).values

    @property
    def _width(self) -> int:
        return len(self.schema.classes) if self.plan.reads == "probabilities" else 1

    def _run(self, rows: Rows, kept: Flags, context: Context) -> Array:
        inputs = fed(rows.features[kept], self.plan.feeds)
        values = run_model(self.file, self.plan, inputs, int(kept.sum()), context.model_limits)
        return _in_range(values, self.plan)

    def classes(self, rows: Rows, kept: Flags) -> Codes:
        """The class of each row that is kept, ``(n_kept,)``."""
        codes = targets(rows.target[kept], self.schema, "classes")
        return codes.astype(np.int64)

    def groupings(self, rows: Rows, kept: Flags) -> Iterator[Grouping]:
        """Everybody, then the rows by each factor."""
        yield Grouping(np.zeros(int(kept.sum()), dtype=np.int64), 1, 0, np.zeros(1, dtype=bool))
        first = 1
        for factor in self.factors:
            n_levels = factor.n_levels + 2
            missing = np.arange(n_levels) >= factor.n_levels
            yield Grouping(factor.levels(rows)[kept], n_levels, first, missing)
            first += n_levels

    def begin(self, rows: Rows, context: Context) -> Flags:
        """Whom it is about, after the site's law has taken note of them."""
        kept = chosen(rows, self.where)
        if context.disclosure is not None:
            context.disclosure.cohort(kept)
        return kept


def told_cells(
    context: Context, kept: Flags, grouping: Grouping, codes: Codes, shape: tuple[int, ...]
) -> Cells:
    """Which cells of levels, and of what `codes` count within them, may be told.

    Parameters
    ----------
    context : Context
    kept : ndarray of bool of shape (n_samples,)
    grouping : Grouping
    codes : ndarray of int of shape (n_kept,)
        Counted through `shape`.
    shape : tuple of int
        Of none, of the true class, or of this and of what the model says. A model may be made to
        say something of one patient alone; so it is not told that it says so of nobody.

    Returns
    -------
    ndarray of bool of shape (n_levels, *shape)
    """
    whole = (grouping.n_levels, *shape)
    if context.disclosure is None:
        return np.ones(whole, dtype=bool)
    size = int(np.prod(shape, dtype=np.int64))
    inner = np.where(grouping.levels < 0, -1, grouping.levels * size + codes)
    cells = np.full(len(kept), -1, dtype=np.int64)
    cells[kept] = inner
    missing = np.broadcast_to(grouping.missing.reshape(-1, *[1] * len(shape)), whole)
    veiled = None
    if len(shape) > 1:
        of_class = np.zeros(whole[:2], dtype=bool)
        inside = grouping.levels >= 0
        of_class[grouping.levels[inside], codes[inside] // shape[1]] = True
        veiled = np.broadcast_to(of_class[:, :, None], whole)
    return context.disclosure.table(cells, whole, missing=missing, veiled=veiled).shown


def _in_range(values: Array, plan: Plan) -> Array:
    """Scores as probabilities, where the plan says so."""
    if plan.reads == "logit" or plan.reads == "margin":
        with np.errstate(over="ignore"):
            return np.asarray(1.0 / (1.0 + np.exp(-values)))
    if plan.reads not in ("probabilities", "probability"):
        return values
    sound = bool((values >= -NEARLY).all() and (values <= 1 + NEARLY).all())
    if sound and plan.reads == "probabilities":
        sound = bool((np.abs(values.sum(axis=1) - 1) <= NEARLY_ONE).all())
    if not sound:
        raise WithheldError(
            "Probabilities are from 0 to 1 and add up to 1.",
            "a model that gives others",
            "Pass score='logit' for log odds, score='margin' for other scores, or output= for "
            "another output.",
            code="failed",
        )
    return np.clip(values, 0.0, 1.0)
