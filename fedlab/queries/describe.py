"""Ask a site what its table looks like; reads no row."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from fedlab.core.schema import Schema
from fedlab.privacy import Releases
from fedlab.queries.query import Answer, Context, Query, Rows

__all__ = ["Describe", "Description"]


class Description(Answer, msgspec.Struct, frozen=True, eq=False, tag=True, kw_only=True):
    """What a site declares of itself, as public metadata.

    Attributes
    ----------
    schema : Schema
    train_rows, test_rows : int
        Declared numbers of rows.
    epsilon, delta : float or None
        The budget of the site's policy; an epsilon of None sets no limit.
    exact : bool
        Whether answers without noise are allowed.
    minimum_rows : int
    grid_width : float
        Least distance between two times of a grid of survival times.
    simulated : bool
    source : str
        Where the rows came from, as a citation.
    identity : bytes
        The Ed25519 public key of the site's signatures.
    reveal : bool
        Whether its answers may leave on their own.
    """

    schema: Schema
    train_rows: int
    test_rows: int
    epsilon: float | None
    delta: float
    exact: bool
    minimum_rows: int
    simulated: bool
    source: str = ""
    identity: bytes = b""
    reveal: bool = True
    grid_width: float = 0.0


class Describe(Query, msgspec.Struct, frozen=True, tag=True):
    """What a site declares; answered by the door itself from its card."""

    purpose: ClassVar[str] = "description"
    reads_rows: ClassVar[bool] = False

    def compute(self, rows: Rows, context: Context) -> Answer:
        """Not computed from rows."""
        raise TypeError("a description is declared, not computed")

    def releases(self, n_rows: int) -> Releases | None:
        """Nothing about a row is released."""
        return Releases(0)

    def accepts(self, answer: Answer) -> bool:
        """Any description will do; `fedlab.core.schema.agree` compares them."""
        return isinstance(answer, Description)
