"""Standard errors, tests and intervals of a finished fit, as one table of all rows would give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fedlab.coordinator import Coordinator
from fedlab.core.blas import one_thread
from fedlab.core.linear import Linear
from fedlab.core.logistic import LogisticRegression
from fedlab.core.model import Model
from fedlab.core.parameters import Array, Parameters
from fedlab.core.poisson import PoissonRegression
from fedlab.core.regression import LinearRegression
from fedlab.core.terms import Terms, terms_of
from fedlab.core.wald import inverse_information, wald
from fedlab.displays.tables import to_html
from fedlab.errors import PrivacyError, TrainingError
from fedlab.queries import NewtonStep, Slope
from fedlab.strategies import Problem

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Inference", "infer"]

RATIOS: dict[type[Model], str] = {LogisticRegression: "odds_ratio", PoissonRegression: "rate_ratio"}
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
        for logistic and Poisson regression their exponentials too, as ``odds_ratio`` or
        ``rate_ratio``.
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


def infer(
    coordinator: Coordinator,
    run: str,
    round: int,
    problem: Problem,
    parameters: Parameters,
    *,
    level: float = 0.95,
    references: Mapping[str, str] | None = None,
) -> Inference:
    """Wald tests and intervals from the Hessian that the sites add up at `parameters`.

    The covariance of maximum-likelihood estimates is the inverse of the Hessian of the summed
    loss (Wald 1943); a linear regression's is scaled by its residual variance. Categories stand
    against a reference, so that no coefficient depends on a convention.

    Parameters
    ----------
    level : float
        Of the confidence intervals.
    references : mapping of str to str, optional
        Reference category by column; by default the first one that occurs.

    Raises
    ------
    PrivacyError
        When the run is private: its noise is not in these standard errors.
    TrainingError
        When the model is penalised or has no likelihood, is not at its optimum, or has features
        that are collinear.
    """
    model = _check(problem, level)
    query = NewtonStep(model=model, space=problem.space, parameters=parameters)
    replies = coordinator.ask(run, round, dict.fromkeys(sorted(problem.rows), query))
    answers = [replies[site].answer for site in sorted(replies)]
    slopes = [answer for answer in answers if isinstance(answer, Slope)]
    with one_thread():
        gradient: Array = np.sum([slope.gradient.vector for slope in slopes], axis=0)
        hessian: Array = np.sum([slope.hessian for slope in slopes], axis=0)
        theta, gradient, hessian = _by_predictor(model, parameters, gradient, hessian)
        each = np.eye(len(theta))
        weights = np.einsum("kikj->ij", hessian)
        terms = terms_of(problem.space, weights, references or {})
        embed = np.kron(each, terms.embed)
        square = (embed.shape[0], embed.shape[0])
        information = embed.T @ hessian.reshape(square) @ embed
        inverse = inverse_information(information, terms.names * len(theta))
        dispersion, degrees = _dispersion(problem, sum(s.loss for s in slopes), len(inverse))
        _check_finished(embed.T @ gradient.ravel(), inverse, dispersion)
        units = np.kron(each, terms.units)
        estimate = (theta @ (terms.units @ terms.contrast).T).ravel()
        covariance = dispersion * (units @ inverse @ units.T)
    return _result(problem, terms, estimate, covariance, degrees, level)


def _check(problem: Problem, level: float) -> Linear:
    model = problem.model
    name = type(model).__name__
    if problem.private:
        raise PrivacyError(
            "Standard errors need exact sums.",
            "a run under RecordDP, whose noise they would leave out",
            "Start a run without privacy.",
        )
    if not isinstance(model, LogisticRegression | LinearRegression | PoissonRegression):
        raise TrainingError(
            "Standard errors need a model that is fitted by maximum likelihood.",
            name,
            "Use fl.LogisticRegression(C=math.inf), fl.LinearRegression() or "
            "fl.PoissonRegression().",
        )
    if any(model.penalties(problem.total_rows)):
        raise TrainingError(
            "Standard errors need a fit without a penalty, which biases coefficients.",
            f"{name} with one",
            "Pass C=math.inf to fl.LogisticRegression, or alpha=0 to fl.PoissonRegression.",
        )
    if not 0 < level < 1:
        raise TrainingError(
            "level must lie between 0 and 1.", f"{level:g}", "Pass e.g. level=0.95."
        )
    return model


def _by_predictor(
    model: Linear, parameters: Parameters, gradient: Array, hessian: Array
) -> tuple[Array, Array, Array]:
    """Coefficients and intercept of each predictor, those of classes against the first class.

    Shapes ``(n_predictors, width)`` twice, and ``(n_predictors, width, n_predictors, width)``.
    """
    order = model.by_predictor(parameters)
    count, width = order.shape
    theta, slope = parameters.vector[order], gradient[order]
    places = order.ravel()
    curvature = hessian[np.ix_(places, places)].reshape(count, width, count, width)
    if count == 1:
        return theta, slope, curvature
    return theta[1:] - theta[0], slope[1:], curvature[1:, :, 1:]


def _dispersion(problem: Problem, loss: float, n_terms: int) -> tuple[float, float]:
    """Residual variance and its degrees of freedom; 1 and infinite where the mean decides it."""
    if not isinstance(problem.model, LinearRegression):
        return 1.0, np.inf
    degrees = problem.total_rows - n_terms
    if degrees < 1:
        raise TrainingError(
            "A residual variance needs more rows than coefficients.",
            f"{problem.total_rows} rows and {n_terms} coefficients",
            "Leave features out.",
        )
    # The summed loss is half the squared error.
    return 2 * loss / degrees, float(degrees)


def _check_finished(gradient: Array, inverse: Array, dispersion: float) -> None:
    """Raise TrainingError when another Newton step would move by more than a little error."""
    distance = np.sqrt(max(float(gradient @ inverse @ gradient), 0.0))
    if distance > FINISHED * np.sqrt(dispersion):
        raise TrainingError(
            "Standard errors belong to a finished fit.",
            f"parameters about {distance / np.sqrt(dispersion):.2g} standard errors from it",
            "Call run(5) of an exact run, e.g. with fl.FedNewton(), and ask again.",
        )


def _result(
    problem: Problem,
    terms: Terms,
    estimate: Array,
    covariance: Array,
    degrees: float,
    level: float,
) -> Inference:
    index = pd.Index(terms.names, name="term")
    if len(estimate) > len(index):
        others = pd.Index(problem.space.schema.classes[1:], name="class")
        index = pd.MultiIndex.from_product([others, index])
    frame = pd.DataFrame(wald(estimate, covariance, degrees, level), index=index)
    ratio = RATIOS.get(type(problem.model))
    if ratio is not None:
        with np.errstate(over="ignore"):
            for name, end in (("estimate", ""), ("lower", "_lower"), ("upper", "_upper")):
                frame[ratio + end] = np.exp(frame[name])
    deviations = pd.Series(np.resize(terms.deviations, len(frame)), index=index)
    return Inference(
        frame=frame,
        covariance=pd.DataFrame(covariance, index=index, columns=index),
        deviations=deviations,
        level=level,
        ratio=ratio,
        notes=tuple(_notes(problem, terms, frame, deviations)),
    )


def _notes(
    problem: Problem, terms: Terms, frame: pd.DataFrame, deviations: pd.Series
) -> Iterator[str]:
    statistic = "t" if isinstance(problem.model, LinearRegression) else "z"
    yield (
        f"Wald tests ({statistic}) on {problem.total_rows:,} rows of {len(problem.rows)} sites; a "
        "missing number counts as the mean, and standard errors do not know that it was missing."
    )
    if len(problem.space.schema.classes) > 2 and isinstance(frame.index, pd.MultiIndex):
        yield f"Classes stand against {problem.space.schema.classes[0]}."
    if terms.references:
        pairs = (f"{name} = {level}" for name, level in terms.references.items())
        yield f"References: {', '.join(pairs)}."
    if terms.absent:
        yield f"Without any information in the rows: {', '.join(terms.absent)}."
    wide = frame.index[frame["standard_error"] * deviations > SUSPICIOUS]
    if not isinstance(problem.model, LinearRegression) and len(wide):
        named = ", ".join(map(str, wide))
        yield f"So wide that the rows may leave the estimate without a bound: {named}."
