"""k-means from sums by cluster: each round is one step of Lloyd's algorithm on the pooled rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import numpy as np
import pandas as pd

from fedlab.core.estimator import as_pipeline
from fedlab.core.model import Summed
from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Schema
from fedlab.core.seeds import generator
from fedlab.core.space import Reads, Space, Target
from fedlab.core.twins import ITERATIONS, refitted
from fedlab.errors import TrainingError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["KMeans"]

Labels = np.ndarray[Any, np.dtype[np.int64]]


class KMeans(Summed, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """k-means in the federation's scaled space; the target is not read.

    Each round every site sends, for each cluster, how many of its rows are nearest to the centre
    and their sum; the new centre is the mean over all sites (Lloyd 1982, equation 5 in the form of
    Chu et al. 2006, section 4). From the same centres every round equals scikit-learn's
    ``KMeans(algorithm="lloyd")`` on the pooled scaled rows. Run until ``run.history`` stands still.

    No centre is drawn from the rows, as a row would then leave its site. Without `start` a centre
    is a made-up patient: numbers normal with the federation's means and variances, one category of
    each list at random. Such centres are worse than those of k-means++, so `n_init` of them are
    improved side by side, and the set with the least inertia is the model.

    A centre to which no row is nearest stays where it is. (Scikit-learn moves it onto the row
    farthest from its centre, which is a row.) A missing number is the federation's mean, that is 0
    in the scaled space, and a missing category all zeros.

    Parameters
    ----------
    n_clusters : int
    n_init : int, optional
        How many sets of centres; 10 by default, and 1 with `start`.
    start : array_like of shape (n_clusters, n_features), optional
        Centres in the scaled space, columns in the order of ``Space.names``.
    seed : int
        Decides the made-up centres.

    Raises
    ------
    TrainingError
        When a count is not positive, or `start` is not an array of centres.

    Examples
    --------
    >>> KMeans(n_clusters=2, start=[[-1.0, 0.0], [1.0, 0.0]]).start
    ((-1.0, 0.0), (1.0, 0.0))
    """

    reads: ClassVar[Reads] = "nothing"
    rounds: ClassVar[int | None] = None
    loss: ClassVar[str] = "inertia_per_row"
    score: ClassVar[str] = "explained_variance_ratio"
    counted: ClassVar[tuple[str, ...]] = ("loss", "spread")

    n_clusters: int = 8
    n_init: int | None = None
    start: Sequence[Sequence[float]] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_clusters", "n_init"):
            value = getattr(self, name)
            if value is None and name == "n_init":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise TrainingError(
                    f"{name} must be a whole number of at least 1.", f"{value!r}", "Pass e.g. 3."
                )
        if self.start is None:
            return
        centres = np.asarray(self.start, dtype=np.float64)
        if centres.ndim != 2 or len(centres) != self.n_clusters or not np.isfinite(centres).all():
            raise TrainingError(
                f"start must hold {self.n_clusters} finite centres.",
                f"an array of shape {centres.shape}",
                "Pass an array of shape (n_clusters, n_features).",
            )
        if self.n_init not in (None, 1):
            raise TrainingError(
                "With start there is one set of centres.", f"n_init={self.n_init}", "Leave it out."
            )
        listed = tuple(tuple(float(value) for value in centre) for centre in centres)
        msgspec.structs.force_setattr(self, "start", listed)

    def check(self, schema: Schema) -> None:
        """Every target will do, since none is read."""

    def init(self, space: Space) -> Parameters:
        """The given centres, or made-up patients.

        Raises
        ------
        TrainingError
            When `start` has not one number a column.
        """
        if self.start is not None and len(self.start[0]) != len(space.names):
            raise TrainingError(
                "A centre must have one number a column of the scaled space.",
                f"{len(self.start[0])} for {len(space.names)} columns",
                "Order them as Space.names: numbers first, then one for each category.",
            )
        if self.start is not None:
            centres = np.array([self.start])
        else:
            sets = range(10 if self.n_init is None else self.n_init)
            centres = np.array(
                [[self._made_up(space, i, j) for j in range(self.n_clusters)] for i in sets]
            )
        width = centres.shape[2]
        return Parameters(
            {"centers": centres, "mean": np.zeros(width), "inertia": np.zeros(len(centres))}
        )

    def _made_up(self, space: Space, which: int, cluster: int) -> Array:
        random = generator(self.seed, "centres", which, cluster)
        parts = [space.center + space.spread * random.standard_normal(len(space.numbers))]
        for column in space.categories:
            parts.append(np.eye(len(column.categories))[random.integers(len(column.categories))])
        return np.concatenate(parts)

    def empty(self, space: Space) -> Parameters:
        """Zeros, with a count for each centre."""
        shape = self.init(space)["centers"].shape
        return Parameters(
            {"count": np.zeros(shape[:2]), "sums": np.zeros(shape), "inertia": np.zeros(shape[0])}
        )

    def statistics(self, parameters: Parameters, x: Array, y: Target) -> Parameters:
        """Rows nearest to each centre, their sums about it, and the squared distances."""
        centres = parameters["centers"]
        count, sums = np.zeros(centres.shape[:2]), np.zeros(centres.shape)
        inertia = np.zeros(len(centres))
        for which, some in enumerate(centres):
            labels, distances = nearest(some, x)
            inertia[which] = distances.sum()
            count[which] = np.bincount(labels, minlength=len(some))
            np.add.at(sums[which], labels, x - some[labels])
        return Parameters({"count": count, "sums": sums, "inertia": inertia})

    def solve(self, parameters: Parameters, total: Parameters) -> Parameters:
        """Each centre moves to the mean of its rows."""
        count = total["count"][:, :, None]
        moved = parameters["centers"] + total["sums"] / np.maximum(count, 1.0)
        # Every set of centres parts the same rows, so any of them gives their mean.
        mean = (count[0] * moved[0]).sum(axis=0) / max(float(count[0].sum()), 1.0)
        return Parameters({"centers": moved, "mean": mean, "inertia": total["inertia"]})

    def best(self, parameters: Parameters) -> Array:
        """Centres of the set that had the least inertia, ``(n_clusters, n_features)``."""
        centres: Array = parameters["centers"][int(parameters["inertia"].argmin())]
        return centres

    def sums(self, parameters: Parameters, x: Array, y: Target) -> dict[str, float]:
        """Squared distances to the nearest centre, and to the mean of all training rows."""
        _, distances = nearest(self.best(parameters), x)
        spread = ((x - parameters["mean"]) ** 2).sum()
        return {"loss": float(distances.sum()), "spread": float(spread)}

    def figures(self, sums: Mapping[str, float], rows: int) -> dict[str, float]:
        """Inertia a row, and the share of the variance that lies between clusters."""
        share = 1 - sums["loss"] / sums["spread"] if sums["spread"] > 0 else 0.0
        return {"loss": sums["loss"] / rows, "explained_variance_ratio": share}

    def pooled_twin(self, fitted: Any, frame: pd.DataFrame, y: Target) -> Any:
        """scikit-learn's from the centres with which the federated one began, to its end."""
        from sklearn.base import clone

        # It would stop as soon as centres move little; with 0 it stops where labels stand still.
        twin = clone(fitted[-1]).set_params(tol=0.0, max_iter=ITERATIONS)
        return refitted(fitted, twin, frame, y)

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Pipeline:
        """A pipeline that ends in scikit-learn's KMeans, without labels of training rows.

        Its ``init`` are the centres it began with, and its ``inertia_`` is that of the centres
        before the last round.
        """
        from sklearn.cluster import KMeans as Estimator

        centres = np.array(self.best(parameters))
        start = np.array(self.init(space)["centers"][int(parameters["inertia"].argmin())])
        final = Estimator(n_clusters=self.n_clusters, init=start, n_init=1, algorithm="lloyd")
        final.cluster_centers_ = centres
        final.inertia_ = float(parameters["inertia"].min())
        final.n_iter_ = n_iter
        final.n_features_in_ = centres.shape[1]
        final._n_features_out = len(centres)
        final._n_threads = 1
        return as_pipeline(space, final, n_samples=n_samples)


def nearest(centres: Array, x: Array) -> tuple[Labels, Array]:
    """Index of the nearest centre of each row, and the squared distance to it.

    Of equally near centres the first counts.

    Examples
    --------
    >>> labels, distances = nearest(np.array([[0.0], [4.0]]), np.array([[1.0], [2.0], [4.0]]))
    >>> labels.tolist(), distances.tolist()
    ([0, 0, 1], [1.0, 4.0, 0.0])
    """
    distances = np.column_stack([((x - centre) ** 2).sum(axis=1) for centre in centres])
    labels = distances.argmin(axis=1)
    return labels, distances[np.arange(len(x)), labels]
