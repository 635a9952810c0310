"""What models of trees for a target of numbers share: how they are judged."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from fedlab.core.model import Model
from fedlab.core.parameters import Array, Parameters
from fedlab.core.space import Target

__all__ = ["Regressor"]


class Regressor(Model):
    """A model that gives each row a number, judged by mean squared error and R^2."""

    __slots__ = ()

    reads: ClassVar[Literal["classes", "numbers"]] = "numbers"
    loss: ClassVar[str] = "mean_squared_error"
    score: ClassVar[str] = "r2"
    counted: ClassVar[tuple[str, ...]] = ("loss", "target", "squares")

    @abstractmethod
    def predict(self, parameters: Parameters, x: Array) -> Array:
        """Predicted target of each row, shape ``(n_samples,)``."""

    def sums(self, parameters: Parameters, x: Array, y: Target) -> dict[str, float]:
        """Summed squared error, and sums of the target and its squares."""
        errors = y - self.predict(parameters, x)
        return {
            "loss": float((errors**2).sum()),
            "target": float(y.sum()),
            "squares": float((y**2).sum()),
        }

    def figures(self, sums: Mapping[str, float], rows: int) -> dict[str, float]:
        """Mean squared error, and the share of the target's variance that is explained."""
        about_mean = sums["squares"] - sums["target"] ** 2 / rows
        explained = 1 - sums["loss"] / about_mean if about_mean > 0 else np.nan
        return {"loss": sums["loss"] / rows, "r2": float(explained)}
