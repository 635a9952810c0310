"""How the updates of a round become one: the idea of an aggregator, and of a robust one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np

from fedlab.core.parameters import Array, Parameters
from fedlab.core.wire import Open
from fedlab.errors import TrainingError

__all__ = ["Aggregator", "Robust", "garbage"]


class Aggregator(Open):
    """A rule that makes one update of the sites' updates; open to new members."""

    __slots__ = ()

    def check(self, n_sites: int) -> None:
        """Raise TrainingError when the rule cannot work with so many sites."""

    def tolerates(self, n_sites: int) -> int:
        """How many of `n_sites` may send anything at all without spoiling the result."""
        return 0

    def excluded(self, updates: Mapping[str, Parameters]) -> dict[str, str]:
        """Sites whose updates are left out as garbage, and why."""
        return {}

    @abstractmethod
    def combine(
        self, weights: Mapping[str, float], updates: Mapping[str, Parameters], *, lost: int = 0
    ) -> Parameters:
        """One update of many.

        Parameters
        ----------
        weights : mapping of str to float
            How much each site counts, in any unit.
        updates : mapping of str to Parameters
        lost : int
            Sites of this round that are not among `updates` because they sent nothing usable.
        """


class Robust(Aggregator):
    """A rule that some sites cannot spoil, whatever they send.

    An update that is not finite, or so large that the others vanish in rounding beside it, is
    garbage: it is left out as if the site had not taken part, and the site can be named
    (`excluded`). Such a site is one of the `f` that the rule provides for, so that the rest is
    combined with what is left of `f`. Robust rules need to see each site's update: a secure sum
    hides them.
    """

    __slots__ = ()

    def tolerates(self, n_sites: int) -> int:
        """Fewer than half."""
        return (n_sites - 1) // 2

    def excluded(self, updates: Mapping[str, Parameters]) -> dict[str, str]:
        """Sites that sent garbage, and why."""
        return garbage(updates)

    def combine(
        self, weights: Mapping[str, float], updates: Mapping[str, Parameters], *, lost: int = 0
    ) -> Parameters:
        """The rule on what is left without garbage."""
        self.check(len(updates) + lost)
        left_out = self.excluded(updates)
        sites = [site for site in sorted(updates) if site not in left_out]
        if not sites:
            raise TrainingError(
                "At least one site must send a usable update.",
                f"garbage from {', '.join(map(repr, sorted(left_out))) or 'all sites'}",
                "Lower the learning rate if values overflowed; otherwise check the sites.",
            )
        values = np.array([updates[site].vector for site in sites])
        shares = np.array([weights[site] for site in sites], dtype=np.float64)
        ruled = self.rule(values, shares / shares.sum(), lost + len(left_out))
        return updates[sites[0]].like(ruled)

    @abstractmethod
    def rule(self, values: Array, shares: Array, lost: int) -> Array:
        """One vector of many.

        Parameters
        ----------
        values : ndarray of shape (n_sites, n_parameters)
            Finite.
        shares : ndarray of shape (n_sites,)
            Weights that add up to 1.
        lost : int
            Sites that were left out already.

        Returns
        -------
        ndarray of shape (n_parameters,)
        """


def garbage(updates: Mapping[str, Parameters]) -> dict[str, str]:
    """Updates from which no sum can be formed, with the reason by site.

    Largeness is measured against the (lower) median site, so garbage from fewer than half of the
    sites cannot make honest updates look small.

    Examples
    --------
    >>> updates = {"a": [0.1], "b": [0.2], "c": [np.nan], "d": [1e30]}
    >>> garbage({site: Parameters({"w": values}) for site, values in updates.items()})
    {'c': 'values that are not finite', 'd': 'values beside which the other sites vanish'}
    """
    largest = {site: float(np.abs(update.vector).max()) for site, update in updates.items()}
    finite = sorted(size for size in largest.values() if np.isfinite(size))
    typical = finite[(len(finite) - 1) // 2] if finite else 0.0
    reasons = {}
    for site in sorted(updates):
        if not np.isfinite(largest[site]):
            reasons[site] = "values that are not finite"
        elif typical > 0 and largest[site] * np.finfo(np.float64).eps > typical:
            reasons[site] = "values beside which the other sites vanish"
    return reasons
