"""What a site allows, decided at the site."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from fedlab.errors import PrivacyError

__all__ = ["Policy"]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The rules a site holds every request to, whoever asks.

    Parameters
    ----------
    epsilon : float, optional
        Privacy budget over everything the site ever answers with noise. None sets no limit.
    delta : float
        The δ at which the budget is composed and shown.
    exact : bool, optional
        Whether answers without noise are allowed. No ε covers those, so by default a site with a
        budget refuses them.
    minimum_rows : int
        Fewest rows that an answer may come from.
    minimum_sites : int
        Fewest sites whose answers may be added in a secure sum.
    reveal : bool
        Whether an answer may leave on its own; otherwise only within a secure sum.
    peers : mapping of str to str
        Identities of other sites (Ed25519 public keys, hexadecimal), as their data owners gave
        them. Others are known by the identity they first showed.

    Raises
    ------
    PrivacyError
        When a value is out of its range.

    Examples
    --------
    >>> Policy(epsilon=3.0).allows_exact
    False
    >>> Policy().allows_exact
    True
    """

    epsilon: float | None = None
    delta: float = 1e-5
    exact: bool | None = None
    minimum_rows: int = 11
    minimum_sites: int = 3
    reveal: bool = True
    peers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.epsilon is not None and not 0 < self.epsilon < math.inf:
            raise PrivacyError(
                "A site's budget epsilon must be positive.",
                f"{self.epsilon:g}",
                "Pass e.g. Policy(epsilon=3.0), or None for no limit.",
            )
        if not 0 < self.delta < 1:
            raise PrivacyError(
                "delta must lie between 0 and 1.", f"{self.delta:g}", "Pass e.g. delta=1e-5."
            )
        for name, least in (("minimum_rows", 1), ("minimum_sites", 3)):
            value = getattr(self, name)
            if value < least:
                raise PrivacyError(f"{name} must be at least {least}.", f"{value}", "Pass e.g. 11.")

    @property
    def allows_exact(self) -> bool:
        """Whether answers without noise are allowed, the default resolved."""
        return self.epsilon is None if self.exact is None else self.exact
