"""Rules that bound how far a site can pull, rather than choose whom to trust."""

from __future__ import annotations

import msgspec
import numpy as np

from fedlab.core.parameters import Array
from fedlab.strategies.aggregators.aggregator import Robust
from fedlab.strategies.checks import positive, whole

__all__ = ["CentredClipping", "NormClipping"]


class NormClipping(Robust, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Weighted mean of updates that are shortened to a norm of at most `bound`.

    Sun, Kairouz, Suresh and McMahan 2019, "Can you really backdoor federated learning?", arXiv
    1911.07963, norm thresholding. A site can pull no further than its share of the bound, but it
    can pull so every round. Clipping is about zero, the parameters as they are, so that this rule
    does not move along when all updates are shifted.

    Parameters
    ----------
    bound : float, optional
        Largest norm of an update. By default the median norm of the round, which shortens half of
        them.

    Raises
    ------
    TrainingError
        When bound is not positive.

    Examples
    --------
    >>> from fedlab.core.parameters import Parameters
    >>> updates = {"a": [0.5], "b": [1.0], "c": [-99.0]}
    >>> updates = {site: Parameters({"w": values}) for site, values in updates.items()}
    >>> NormClipping(bound=1.0).combine(dict.fromkeys(updates, 1.0), updates)["w"].round(4)
    array([0.1667])
    """

    bound: float | None = None

    def __post_init__(self) -> None:
        positive("bound", self.bound, optional=True)

    def rule(self, values: Array, shares: Array, lost: int) -> Array:
        """``sum_i p_i x_i min(1, bound / ||x_i||)``."""
        norms = np.linalg.norm(values, axis=1)
        bound = float(np.median(norms)) if self.bound is None else self.bound
        return shares @ _clipped(values, norms, bound)


class CentredClipping(Robust, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Weighted mean of updates that are clipped about a centre, which is then moved there.

    Karimireddy, He and Jaggi 2021, "Learning from history for Byzantine robust optimization", ICML
    2021, arXiv 2012.10333, section 4. The paper starts from the last round's result; this starts
    from the coordinate-wise median, which needs no memory and which bad sites cannot move far.

    Parameters
    ----------
    radius : float, optional
        Largest distance from the centre at which a site still pulls in full (τ in the paper). By
        default the median distance of the round.
    iterations : int
        How often the centre is moved.

    Raises
    ------
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> from fedlab.core.parameters import Parameters
    >>> updates = {"a": [0.1], "b": [0.2], "c": [99.0]}
    >>> updates = {site: Parameters({"w": values}) for site, values in updates.items()}
    >>> rule = CentredClipping(radius=0.1, iterations=1)
    >>> rule.combine(dict.fromkeys(updates, 1.0), updates)["w"]
    array([0.2])
    """

    radius: float | None = None
    iterations: int = 3

    def __post_init__(self) -> None:
        positive("radius", self.radius, optional=True)
        whole("iterations", self.iterations)

    def rule(self, values: Array, shares: Array, lost: int) -> Array:
        """``v + sum_i p_i (x_i - v) min(1, radius / ||x_i - v||)``, again and again."""
        centre = np.asarray(np.median(values, axis=0), dtype=np.float64)
        radius = self.radius
        for _ in range(self.iterations):
            distances = np.linalg.norm(values - centre, axis=1)
            radius = float(np.median(distances)) if radius is None else radius
            centre = centre + shares @ _clipped(values - centre, distances, radius)
        return centre


def _clipped(values: Array, norms: Array, bound: float) -> Array:
    # Below the bound the factor is exactly 1, so that what is not clipped keeps its bits.
    factors = np.divide(bound, norms, out=np.ones_like(norms), where=norms > bound)
    return np.asarray(values * factors[:, None], dtype=np.float64)
