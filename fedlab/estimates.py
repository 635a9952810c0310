"""Estimates with their errors, as a table and a figure, and what must hold to have them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fedlab.core.parameters import Array
from fedlab.core.terms import Terms
from fedlab.core.wald import wald
from fedlab.displays.tables import to_html
from fedlab.errors import PrivacyError, TrainingError
from fedlab.strategies import Problem

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Inference", "check_exact", "check_finished", "inference_of"]

# Standard errors from the optimum at which a fit counts as finished.
FINISHED = 1e-4
# Standard errors, for one standard deviation of a column, that no finite optimum is likely to have.
SUSPICIOUS = 50.0
SMALLEST_SHOWN = 0.0001


@dataclass(frozen=True, repr=False)
class Inference:
    """Coefficients in the columns' own units, with what is known of their error.

    Attributes
    ----------
    frame : DataFrame
        One row a term, or a class and term: ``estimate``, ``standard_error``, ``statistic`` (z, or
        t of a linear regression), ``p_value`` (two-sided, of no effect), ``lower`` and ``upper``;
        where they have a name their exponentials too: ``odds_ratio`` of logistic regression,
        ``rate_ratio`` of Poisson regression, ``hazard_ratio`` of Cox's.
    covariance : DataFrame
        Of the estimates, in the order of `frame`.
    deviations : Series
        Standard deviation of a number's column, 1 for other terms.
    level : float
        Of the intervals.
    ratio : str or None
        What the exponential of a coefficient is called.
    notes : tuple of str
        What has to be known to read the figures.
    """

    frame: pd.DataFrame
    covariance: pd.DataFrame
    deviations: pd.Series
    level: float
    ratio: str | None
    notes: tuple[str, ...]

    def plot(self, *, standardised: bool = True) -> go.Figure:
        """A forest plot of all terms but the intercept.

        Parameters
        ----------
        standardised : bool
            Show numbers by one standard deviation, so that columns of any unit share an axis;
            otherwise by one unit.
        """
        from fedlab.displays.forest_plot import forest_figure

        shown = self.frame[["estimate", "lower", "upper"]]
        if standardised:
            shown = shown.mul(self.deviations, axis=0)
        shown = shown[shown.index.get_level_values(-1) != "(intercept)"]
        what = (self.ratio or "coefficient").replace("_", " ")
        per = "one standard deviation" if standardised else "one unit"
        unit = f"{what} of {per}, or of a category against its reference; {self.level:.0%} interval"
        return forest_figure(shown, unit=unit, ratio=self.ratio is not None)

    def __repr__(self) -> str:
        return "\n".join([self.frame.to_string(float_format="{:.4g}".format), *self.notes])

    def _repr_html_(self) -> str:
        title = f"Coefficients in the columns' own units, with {self.level:.0%} intervals"
        small = self.frame["p_value"] < SMALLEST_SHOWN
        shown = self.frame["p_value"].map("{:.4f}".format).mask(small, f"< {SMALLEST_SHOWN}")
        return to_html(self.frame.assign(p_value=shown), title=title, notes=self.notes)


def check_exact(problem: Problem, level: float, *, penalised: bool, free: str) -> None:
    """Raise unless the fit is that of exact sums without a penalty, and the level sound.

    Parameters
    ----------
    problem : Problem
    level : float
    penalised : bool
        Whether the model has a penalty.
    free : str
        What to pass to have none, as a sentence.
    """
    if problem.private:
        raise PrivacyError(
            "Standard errors need exact sums.",
            "a run under RecordDP, whose noise they would leave out",
            "Start a run without privacy.",
        )
    if penalised:
        raise TrainingError(
            "Standard errors need a fit without a penalty, which biases coefficients.",
            f"{type(problem.model).__name__} with one",
            free,
        )
    if not 0 < level < 1:
        raise TrainingError(
            "level must lie between 0 and 1.", f"{level:g}", "Pass e.g. level=0.95."
        )


def check_finished(gradient: Array, inverse: Array, dispersion: float, strategy: str) -> None:
    """Raise TrainingError when another Newton step would move by more than a little error."""
    distance = np.sqrt(max(float(gradient @ inverse @ gradient), 0.0) / dispersion)
    if distance > FINISHED:
        raise TrainingError(
            "Standard errors belong to a finished fit.",
            f"parameters about {distance:.2g} standard errors from it",
            f"Call run(5) of an exact run, e.g. with {strategy}, and ask again.",
        )


def inference_of(
    terms: Terms,
    estimate: Array,
    covariance: Array,
    *,
    level: float,
    first_note: str,
    degrees: float = np.inf,
    ratio: str | None = None,
    classes: tuple[str, ...] = (),
) -> Inference:
    """Wald's tests and intervals of estimates in the columns' own units.

    Parameters
    ----------
    terms : Terms
    estimate : ndarray of shape (n_estimates,)
        The terms of each predictor, one predictor after the other.
    covariance : ndarray of shape (n_estimates, n_estimates)
    level : float
    first_note : str
        What was tested, on how many rows.
    degrees : float
        Of freedom of the residual variance; infinite where there is none.
    ratio : str, optional
        What the exponential of an estimate is called.
    classes : tuple of str
        All classes where there are more than two; predictors stand against the first.
    """
    index = pd.Index(terms.names, name="term")
    if classes:
        index = pd.MultiIndex.from_product([pd.Index(classes[1:], name="class"), index])
    frame = pd.DataFrame(wald(estimate, covariance, degrees, level), index=index)
    if ratio is not None:
        with np.errstate(over="ignore"):
            for name, end in (("estimate", ""), ("lower", "_lower"), ("upper", "_upper")):
                frame[ratio + end] = np.exp(frame[name])
    deviations = pd.Series(np.resize(terms.deviations, len(frame)), index=index)
    wide = frame.index[frame["standard_error"] * deviations > SUSPICIOUS]
    notes = [first_note, *_notes(terms, classes)]
    if ratio is not None and len(wide):
        named = ", ".join(map(str, wide))
        notes.append(f"So wide that the rows may leave the estimate without a bound: {named}.")
    return Inference(
        frame=frame,
        covariance=pd.DataFrame(covariance, index=index, columns=index),
        deviations=deviations,
        level=level,
        ratio=ratio,
        notes=tuple(notes),
    )


def _notes(terms: Terms, classes: tuple[str, ...]) -> Iterator[str]:
    if classes:
        yield f"Classes stand against {classes[0]}."
    if terms.references:
        pairs = (f"{name} = {level}" for name, level in terms.references.items())
        yield f"References: {', '.join(pairs)}."
    if terms.absent:
        yield f"Without any information in the rows: {', '.join(terms.absent)}."
