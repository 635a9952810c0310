"""A federated fit beside its pooled twin, as a result to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedlab.displays.tables import to_html

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Gap"]


@dataclass(frozen=True, repr=False)
class Gap:
    """A federated fit beside its pooled twin, which was fitted on one table.

    Attributes
    ----------
    frame : DataFrame
        One row a number that both have learned: ``federated``, ``pooled`` and their
        ``difference``. Empty for models that share no such numbers, as forests.
    figures : DataFrame
        Rows ``federated``, ``pooled`` and ``difference``; how well both do on the table and, if
        there is one, on a table of held-out rows. For an RBF kernel there is a row more, of
        scikit-learn's SVC with the kernel itself.
    twin : estimator
        The pooled fit, with the preprocessing of the federated one.
    notes : tuple of str
        What has to be known to read it.
    identical : bool or None
        Of trees, whether the same code grows the same on the pooled table, to the bit. None for
        other models, and where the table has another number of rows than the sites trained on.
    """

    frame: pd.DataFrame
    figures: pd.DataFrame
    twin: Any
    notes: tuple[str, ...] = ()
    identical: bool | None = None

    @property
    def largest(self) -> float:
        """The largest difference of a learned number, NaN where none is shared."""
        return float(self.frame["difference"].abs().max())

    @property
    def _heading(self) -> str:
        if self.frame.empty:
            return "no learned number is shared"
        return f"largest difference of a learned number {self.largest:.3g}"

    def plot(self) -> go.Figure:
        """Each learned number, federated and pooled; the figures where none is shared."""
        from fedlab.displays.gap_figure import gap_figure

        if self.frame.empty:
            return gap_figure(self.figures.T, unit="figure")
        return gap_figure(self.frame)

    def __repr__(self) -> str:
        title = f"Gap to the pooled fit: {self._heading}"
        return "\n".join([title, self.figures.T.round(6).to_string(), *self.notes])

    def _repr_html_(self) -> str:
        title = f"Gap to the pooled fit: {self._heading}"
        return to_html(self.figures.T.rename_axis("figure"), title=title, notes=list(self.notes))
