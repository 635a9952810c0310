"""What a site allows, decided at the site."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
    grid_width : float
        Of a survival model's grid: the least distance between two of its times, in the unit of the
        target. 0 allows exact times too, which tell single patients apart; above 0 a site answers
        only on a grid that is no finer, unless with noise. Two grids that are a little apart tell
        more than either: agree on one.
    single_values : bool
        Whether counts up to any edge may be asked for without noise, from which values of single
        rows follow. Exact medians (``Preprocess(impute="median")``) and the bins of trees need
        them; False refuses both.

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
    grid_width: float = 0.0
    single_values: bool = True

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
        if self.minimum_rows < 1:
            raise PrivacyError(
                "minimum_rows must be at least 1.", f"{self.minimum_rows}", "Pass e.g. 11."
            )
        if not 0 <= self.grid_width < math.inf:
            raise PrivacyError(
                "grid_width must be finite and at least 0.",
                f"{self.grid_width:g}",
                "Pass e.g. grid_width=30 for months, where time is in days.",
            )

    @property
    def allows_exact(self) -> bool:
        """Whether answers without noise are allowed, the default resolved."""
        return self.epsilon is None if self.exact is None else self.exact
