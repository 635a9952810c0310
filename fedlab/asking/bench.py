"""What a question needs of the federation it is put to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fedlab.coordinator import Coordinator
    from fedlab.core.schema import Schema
    from fedlab.secure_sum import SecureSum

__all__ = ["Bench"]


class Bench(Protocol):
    """A federation, as far as questions know it."""

    schema: Schema
    seed: int

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites, sorted."""

    @property
    def rows(self) -> dict[str, int]:
        """Declared number of training rows of each site."""

    @property
    def minimums(self) -> dict[str, int]:
        """Fewest patients that each site tells of."""

    def asked_by(self, aggregation: str | SecureSum | None) -> Coordinator:
        """Who asks: one that sees single answers, or one that sees sums alone."""
