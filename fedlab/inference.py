"""Standard errors, tests and intervals of a finished fit, as one table of all rows would give."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fedlab.coordinator import Coordinator
from fedlab.core.blas import one_thread
from fedlab.core.cox import CoxRegression
from fedlab.core.linear import Linear
from fedlab.core.logistic import LogisticRegression
from fedlab.core.model import Model
from fedlab.core.parameters import Array, Parameters
from fedlab.core.poisson import PoissonRegression
from fedlab.core.regression import LinearRegression
from fedlab.core.terms import terms_of
from fedlab.core.wald import inverse_information
from fedlab.cox_inference import infer_hazards
from fedlab.errors import TrainingError
from fedlab.estimates import Inference, check_exact, check_finished, inference_of
from fedlab.queries import NewtonStep, Slope
from fedlab.strategies import Problem

__all__ = ["Inference", "infer"]

RATIOS: dict[type[Model], str] = {LogisticRegression: "odds_ratio", PoissonRegression: "rate_ratio"}


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
    against a reference, so that no coefficient depends on a convention. Cox's model has its own
    sums, over risk sets.

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
    if isinstance(problem.model, CoxRegression):
        return infer_hazards(
            coordinator, run, round, problem, parameters, level=level, references=references
        )
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
        check_finished(embed.T @ gradient.ravel(), inverse, dispersion, "fl.FedNewton()")
        units = np.kron(each, terms.units)
        estimate = (theta @ (terms.units @ terms.contrast).T).ravel()
        covariance = dispersion * (units @ inverse @ units.T)
    classes = tuple(map(str, problem.space.schema.classes)) if len(theta) > 1 else ()
    return inference_of(
        terms,
        estimate,
        covariance,
        level=level,
        degrees=degrees,
        ratio=RATIOS.get(type(model)),
        classes=classes,
        first_note=_first_note(problem),
    )


def _first_note(problem: Problem) -> str:
    statistic = "t" if isinstance(problem.model, LinearRegression) else "z"
    return (
        f"Wald tests ({statistic}) on {problem.total_rows:,} rows of {len(problem.rows)} sites; a "
        "missing number counts as the mean, and standard errors do not know that it was missing."
    )


def _check(problem: Problem, level: float) -> Linear:
    model = problem.model
    if not isinstance(model, LogisticRegression | LinearRegression | PoissonRegression):
        check_exact(problem, level, penalised=False, free="")
        raise TrainingError(
            "Standard errors need a model that is fitted by maximum likelihood.",
            type(model).__name__,
            "Use fl.LogisticRegression(C=math.inf), fl.LinearRegression(), "
            "fl.PoissonRegression() or fl.CoxRegression().",
        )
    check_exact(
        problem,
        level,
        penalised=any(model.penalties(problem.total_rows)),
        free="Pass C=math.inf to fl.LogisticRegression, or alpha=0 to fl.PoissonRegression.",
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
