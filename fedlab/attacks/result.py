"""What every attack gives back: a table, a figure, and in plain words what was attacked."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from fedlab.displays.tables import to_html

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["AttackResult"]


@dataclass(frozen=True, repr=False, kw_only=True)
class AttackResult:
    """The outcome of an attack in a simulation.

    Attributes
    ----------
    frame : DataFrame
        The figures, with intervals where they are estimates. It holds no row of the data.
    notes : tuple of str
        What was attacked, what the adversary knows, and what protection changes.
    """

    title: ClassVar[str] = "Attack"

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()

    @abstractmethod
    def plot(self) -> go.Figure:
        """The figures as a picture."""

    def __repr__(self) -> str:
        return "\n".join([self.title, self.frame.round(4).to_string(), *self.notes])

    def _repr_html_(self) -> str:
        return to_html(self.frame, title=self.title, notes=self.notes)
