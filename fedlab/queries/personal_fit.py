"""Local training of two sets of parameters at once: the common ones, and the site's own."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from fedlab.core.parameters import Parameters
from fedlab.core.space import Space
from fedlab.privacy import Releases
from fedlab.queries.local_fit import LocalFit, Update
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = ["PersonalFit", "PersonalUpdate"]


class PersonalUpdate(Update, msgspec.Struct, frozen=True, eq=False, tag=True):
    """The change of the common parameters, and the change of the site's own.

    Attributes
    ----------
    delta, own : Parameters
    """

    own: Parameters


class PersonalFit(Query, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Training as in `common`, and beside it of `own`, which the common parameters pull.

    Under record-level privacy both sets of steps are noisy releases, each on samples of its own:
    two releases from one sample would cost more than two from two.

    Attributes
    ----------
    common : LocalFit
    own : Parameters
        The site's own parameters so far.
    learning_rate, mu : float
        Step length of the own parameters, and strength of the pull.
    """

    purpose: ClassVar[str] = "training"

    common: LocalFit
    own: Parameters
    learning_rate: float
    mu: float

    @property
    def space(self) -> Space:
        """The space of both."""
        return self.common.space

    def fewest_rows(self) -> int | None:
        """As of the common training."""
        return self.common.fewest_rows()

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Both changes."""
        own = msgspec.structs.replace(
            self.common,
            parameters=self.own,
            learning_rate=self.learning_rate,
            mu=self.mu,
            anchor=self.common.parameters,
        )
        return PersonalUpdate(
            self.common.change(rows, context), own.change(rows, context, "batches of its own")
        )

    def releases(self, n_rows: int) -> Releases | None:
        """Twice those of one training."""
        once = self.common.releases(n_rows)
        return None if once is None else Releases(2 * once.count, once.sampling_rate)

    def accepts(self, answer: Answer) -> bool:
        """Two finite changes with the names and shapes of the parameters."""
        return (
            isinstance(answer, PersonalUpdate)
            and self.common.accepts(answer)
            and answer.own.fits(self.own)
        )
