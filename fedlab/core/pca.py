"""Principal components from one sum of outer products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import numpy as np
import pandas as pd

from fedlab.core.estimator import as_pipeline
from fedlab.core.model import Summed
from fedlab.core.parameters import Array, Parameters
from fedlab.core.schema import Schema
from fedlab.core.space import Reads, Space, Target
from fedlab.core.twins import refitted
from fedlab.errors import TrainingError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["PCA"]


class PCA(Summed, msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Principal components in the federation's scaled space; the target is not read.

    Sites send counts, sums and outer products of their rows; their total gives the covariance of
    the pooled rows, whose eigenvectors are scikit-learn's components (Chu et al. 2006, section 4).
    The scaling has already taken off the means, so nothing cancels in the one round it takes; where
    numbers are not scaled, a second round works about their means and gives the last digits. The
    sign of a component is scikit-learn's: its largest entry by size is positive.

    Indicator columns are included. A missing number is the federation's mean, that is 0 in the
    scaled space, and a missing category all zeros.

    Parameters
    ----------
    n_components : int

    Raises
    ------
    TrainingError
        When it is not a positive whole number.

    Examples
    --------
    >>> PCA(n_components=3)
    PCA(n_components=3)
    """

    reads: ClassVar[Reads] = "nothing"
    rounds: ClassVar[int | None] = 2
    loss: ClassVar[str] = "reconstruction_error"
    score: ClassVar[str] = "explained_variance_ratio"
    counted: ClassVar[tuple[str, ...]] = ("loss", "spread")

    n_components: int = 2

    def __post_init__(self) -> None:
        value = self.n_components
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise TrainingError(
                "n_components must be a whole number of at least 1.", f"{value!r}", "Pass e.g. 2."
            )

    def check(self, schema: Schema) -> None:
        """Every target will do, since none is read."""

    def init(self, space: Space) -> Parameters:
        """No components: every row is reconstructed as the mean.

        Raises
        ------
        TrainingError
            When there are fewer columns than components.
        """
        width = len(space.names)
        if self.n_components > width:
            raise TrainingError(
                f"At most {width} components fit into {width} columns.",
                f"n_components={self.n_components}",
                "Pass fewer.",
            )
        return Parameters(
            {
                "count": 0.0,
                "mean": np.zeros(width),
                "components": np.zeros((self.n_components, width)),
                "explained_variance": np.zeros(self.n_components),
                "total_variance": 0.0,
            }
        )

    def empty(self, space: Space) -> Parameters:
        """Zeros."""
        width = len(space.names)
        return Parameters(
            {"count": 0.0, "total": np.zeros(width), "outer": np.zeros((width, width))}
        )

    def statistics(self, parameters: Parameters, x: Array, y: Target) -> Parameters:
        """Count, sum and sum of outer products about the mean so far."""
        centred = x - parameters["mean"]
        outer = centred.T @ centred
        return Parameters({"count": len(x), "total": centred.sum(axis=0), "outer": outer})

    def solve(self, parameters: Parameters, total: Parameters) -> Parameters:
        """Eigenvectors of the covariance, largest eigenvalues first.

        Raises
        ------
        TrainingError
            With fewer rows over all sites than components, or a single one.
        """
        count = float(total["count"])
        if count < max(2, self.n_components):
            raise TrainingError(
                "Principal components need at least two rows, and as many as there are components.",
                f"{count:.0f} over all sites",
                "Lower n_components.",
            )
        shift = total["total"] / count
        covariance = (total["outer"] - count * np.outer(shift, shift)) / (count - 1)
        values, vectors = np.linalg.eigh(covariance)
        components = vectors.T[::-1][: self.n_components]
        largest = np.abs(components).argmax(axis=1)
        signs = np.sign(components[np.arange(len(components)), largest])
        return Parameters(
            {
                "count": count,
                "mean": parameters["mean"] + shift,
                "components": components * signs[:, None],
                "explained_variance": np.maximum(values[::-1][: self.n_components], 0.0),
                "total_variance": np.trace(covariance),
            }
        )

    def sums(self, parameters: Parameters, x: Array, y: Target) -> dict[str, float]:
        """Squared distances of rows from their reconstruction, and from the mean."""
        centred = x - parameters["mean"]
        components = parameters["components"]
        residual = centred - centred @ components.T @ components
        return {"loss": float((residual**2).sum()), "spread": float((centred**2).sum())}

    def figures(self, sums: Mapping[str, float], rows: int) -> dict[str, float]:
        """Reconstruction error a row, and the share of the variance that is kept."""
        share = 1 - sums["loss"] / sums["spread"] if sums["spread"] > 0 else 0.0
        return {"loss": sums["loss"] / rows, "explained_variance_ratio": share}

    def pooled_twin(self, fitted: Any, frame: pd.DataFrame, y: Target) -> Any:
        """scikit-learn's by singular values, each component turned to the federated side."""
        from sklearn import decomposition

        final = decomposition.PCA(n_components=self.n_components, svd_solver="full")
        twin = refitted(fitted, final, frame, y)
        # Of two entries that are largest up to rounding either may decide the sign.
        turned = (final.components_ * fitted[-1].components_).sum(axis=1) < 0
        final.components_[turned] *= -1
        return twin

    def estimator(
        self, parameters: Parameters, space: Space, *, n_samples: int, n_iter: int
    ) -> Pipeline:
        """A pipeline that ends in scikit-learn's PCA."""
        from sklearn import decomposition

        final = decomposition.PCA(n_components=self.n_components)
        variance = np.array(parameters["explained_variance"])
        total = float(parameters["total_variance"])
        width = len(space.names)
        left = min(n_samples, width) - self.n_components
        final.mean_ = np.array(parameters["mean"])
        final.components_ = np.array(parameters["components"])
        final.explained_variance_ = variance
        final.explained_variance_ratio_ = variance / total if total > 0 else variance
        final.singular_values_ = np.sqrt(variance * max(n_samples - 1, 0))
        final.noise_variance_ = max(0.0, total - float(variance.sum())) / left if left > 0 else 0.0
        final.n_components_, final.n_samples_ = self.n_components, n_samples
        final.n_features_in_ = width
        return as_pipeline(space, final, n_samples=n_samples)
