"""The idea of a query: a pure computation on a site's rows, and what its answer gives away.

A new analysis is one new `Query`. Whatever leaves a site goes through `Context.release`, which adds
noise when privacy was asked for and counts; the site charges its ledger beforehand for as many
releases as the query announced in `releases`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeVar

import numpy as np
import pandas as pd

from fedlab.core.foreign import ModelLimits
from fedlab.core.parameters import Array
from fedlab.core.seeds import generator
from fedlab.core.space import Reads, Space, Target, targets
from fedlab.core.wire import Open, encode
from fedlab.errors import PrivacyError
from fedlab.privacy import Noise, RecordDP, Releases
from fedlab.queries.disclosure import Codes, Disclosure, Flags

__all__ = ["Answer", "Context", "Query", "Rows", "Split", "joined"]

K = TypeVar("K")
Split = Literal["train", "test", "all"]
"""Whose rows: those for training, those held out, or both."""


class Answer(Open):
    """What a site sends back: arrays of agreed shapes, equal when their bytes are."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and encode(self) == encode(other)

    def __hash__(self) -> int:
        return hash(encode(self))


@dataclass(frozen=True, repr=False)
class Rows:
    """The rows of one split at one site; the one place where a query meets them.

    Attributes
    ----------
    features : DataFrame of shape (n_samples, n_columns)
    target : Series of shape (n_samples,)
    event : Series of shape (n_samples,) or None
        Where the target is a time: 1 where it ended in the event, 0 where it was censored.
    patients : ndarray of int of shape (n_samples,) or None
        Whose row each is, as codes that mean nothing elsewhere; None where each is another's.
    unmapped : mapping of str to ndarray of bool of shape (n_samples,)
        By column, where the site's record holds something that its mapping has no word for.
    """

    features: pd.DataFrame
    target: pd.Series
    event: pd.Series | None = None
    patients: Codes | None = None
    unmapped: Mapping[str, Flags] = field(default_factory=dict)
    _known: dict[object, tuple[Array, Target]] = field(default_factory=dict)
    _kept: dict[type, object] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Rows(shape={self.features.shape})"

    def __len__(self) -> int:
        return len(self.target)

    def column(self, name: str) -> pd.Series:
        """A feature, the target or the event, by its name."""
        if name in self.features.columns:
            return self.features[name]
        others = {str(each.name): each for each in (self.target, self.event) if each is not None}
        return others[name]

    def arrays(self, space: Space, reads: Reads) -> tuple[Array, Target]:
        """Matrix ``(n_samples, n_features)`` in `space`, and targets as `targets` reads them."""
        if (space, reads) not in self._known:
            self._known.clear()
            self._known[space, reads] = (
                space.matrix(self.features),
                targets(self.target, space.schema, reads, self.event),
            )
        return self._known[space, reads]

    def keep(self, kind: type[K], make: Callable[[], K], fits: Callable[[K], bool]) -> K:
        """What an earlier answer left here, if it `fits` the question; otherwise made anew.

        It spares work and changes no answer: one value of each kind, so it does not grow by round.
        """
        kept = self._kept.get(kind)
        if isinstance(kept, kind) and fits(kept):
            return kept
        self._kept[kind] = made = make()
        return made


def joined(first: Rows, second: Rows) -> Rows:
    """The rows of both, in this order."""

    def series(a: pd.Series, b: pd.Series) -> pd.Series:
        return pd.concat([a, b], ignore_index=True)

    event = None
    if first.event is not None and second.event is not None:
        event = series(first.event, second.event)
    codes = None
    if first.patients is not None and second.patients is not None:
        codes = np.concatenate([first.patients, second.patients])
    return Rows(
        pd.concat([first.features, second.features], ignore_index=True),
        series(first.target, second.target),
        event,
        codes,
        {
            name: np.concatenate([flags, second.unmapped[name]])
            for name, flags in first.unmapped.items()
        },
    )


@dataclass
class Context:
    """What a site hands to a query beside the rows: its randomness, and the way out for values.

    Attributes
    ----------
    purpose : tuple
        ``(seed, round, site)``, from which all randomness of this answer follows.
    privacy : RecordDP or None
    noise_multiplier : float
        Calibrated by the site; 0 where no privacy was asked for.
    noise : callable
        Adds Gaussian noise of a standard deviation.
    allowed : int
        How many releases the ledger was charged for.
    secret : bool
        Whether nobody else may be able to repeat this answer's randomness.
    disclosure : Disclosure or None
        Which groups of patients may be told of, where no noise protects them.
    model_limits : ModelLimits
        What a model of somebody else may use up.
    """

    purpose: tuple[str | int, ...]
    privacy: RecordDP | None = None
    noise_multiplier: float = 0.0
    noise: Noise | None = None
    secret: bool = False
    disclosure: Disclosure | None = None
    model_limits: ModelLimits = field(default_factory=ModelLimits)
    allowed: int = 0
    released: int = 0

    def random(self, use: str) -> np.random.Generator:
        """Random numbers for one use within this answer.

        Where rows are real and privacy was asked for they come from the operating system: who can
        repeat the sampling knows who was sampled, and amplification is void.
        """
        return np.random.default_rng() if self.secret else generator(*self.purpose, use)

    def release(self, values: Array, sensitivity: float) -> Array:
        """`values` as they may leave: with noise where privacy was asked for.

        Parameters
        ----------
        values : ndarray
        sensitivity : float
            Largest Euclidean change of `values` when one row is added or removed.
        """
        if self.privacy is None:
            return values
        if self.noise is None or self.released >= self.allowed:
            raise PrivacyError(
                "A query must announce each of its releases.",
                f"more than the {self.allowed} that were charged",
                "Correct the query's `releases`.",
            )
        self.released += 1
        return self.noise(values, self.noise_multiplier * sensitivity)

    def close(self) -> None:
        """Raise PrivacyError unless the answer was released as often as it was charged for.

        An answer under privacy that never passed `release` would leave as it is.
        """
        if self.privacy is not None and self.released != self.allowed:
            raise PrivacyError(
                "A query must make the releases it announced.",
                f"{self.released} of {self.allowed}",
                "Correct the query's `releases`.",
            )


class Query(Open):
    """A question that a site may answer.

    Attributes
    ----------
    purpose : str
        Why it is asked; policies and audit logs go by it.
    split : "train" or "test"
        Whose rows it reads.
    reads_rows : bool
        False for what a site tells without looking at any row.
    adds : bool
        Whether answers of sites mean something when they are added up.
    tells_values : bool
        Whether answers to a few such questions tell values of single rows, as counts of what lies
        below any edge do.
    tells_errors : bool
        Whether it is of exact sums of what somebody's model makes of rows.
    guarded : bool
        Whether exact answers pass `Context.disclosure`; those of training do not.
    """

    __slots__ = ()

    purpose: ClassVar[str] = "training"
    split: Split = "train"
    reads_rows: ClassVar[bool] = True
    adds: ClassVar[bool] = True
    tells_values: ClassVar[bool] = False
    tells_errors: ClassVar[bool] = False
    guarded: ClassVar[bool] = False

    @abstractmethod
    def compute(self, rows: Rows, context: Context) -> Answer:
        """The answer of one site; pure but for the randomness and the releases of `context`."""

    @abstractmethod
    def releases(self, n_rows: int) -> Releases | None:
        """How much an answer gives away under privacy; None when no noise makes it private."""

    def shared_sensitivity(self, n_rows: int, clipping_norm: float) -> float | None:
        """Largest Euclidean change of an answer by one record, where its one release has no noise.

        None where noise cannot be added to the answer afterwards, by several sites together.
        """
        return None

    def finest_time(self) -> float:
        """Least distance of two times of patients that an answer tells apart; infinite for none."""
        return math.inf

    @property
    def n_parameters(self) -> int:
        """Parameters of a model that exact answers determine from this many numbers; 0 for none."""
        return 0

    def fewest_rows(self) -> int | None:
        """How few rows an answer may come from, where it does not come from all of them."""
        return None

    @abstractmethod
    def accepts(self, answer: Answer) -> bool:
        """Whether `answer` has the type, shapes and finite values that this query calls for."""
