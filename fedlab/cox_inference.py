"""Standard errors, tests and hazard ratios of Cox's model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fedlab.coordinator import Coordinator
from fedlab.core.blas import one_thread
from fedlab.core.cox import CoxRegression
from fedlab.core.parameters import Array, Parameters
from fedlab.core.risk_sets import partial_likelihood, unpacked
from fedlab.core.terms import terms_of
from fedlab.core.wald import inverse_information
from fedlab.errors import TrainingError
from fedlab.estimates import Inference, check_exact, check_finished, inference_of
from fedlab.queries import RiskSets, Sums
from fedlab.strategies import Problem

__all__ = ["infer_hazards"]


def infer_hazards(
    coordinator: Coordinator,
    run: str,
    round: int,
    problem: Problem,
    parameters: Parameters,
    *,
    level: float,
    references: Mapping[str, str] | None,
) -> Inference:
    """Wald tests from the Hessian of the negative log partial likelihood at `parameters`.

    Its inverse is the covariance of the coefficients (Andersen and Gill 1982). They have no
    intercept: the baseline hazard takes its place.

    Raises
    ------
    PrivacyError
        When the run is private.
    TrainingError
        When the model is penalised or not at its optimum, or features are collinear.
    """
    model = problem.model
    if not isinstance(model, CoxRegression):
        raise TypeError("hazards are those of Cox's model")
    check_exact(problem, level, penalised=model.alpha > 0, free="Pass alpha=0 to fl.CoxRegression.")
    if len(parameters["times"]) == 0:
        raise TrainingError(
            "Standard errors belong to a finished fit.",
            "a run that does not know its grid of times yet",
            "Call run(8), and ask again.",
        )
    query = RiskSets(model=model, space=problem.space, parameters=parameters)
    replies = coordinator.ask(run, round, dict.fromkeys(sorted(problem.rows), query))
    answers = [replies[site].answer for site in sorted(replies)]
    coef = parameters["coef"]
    with one_thread():
        total = model.empty(parameters)
        for answer in answers:
            if isinstance(answer, Sums):
                total = total + answer.values
        _, gradient, hessian = partial_likelihood(total, coef, model.ties)
        weights = _weights(total, len(coef))
        terms = terms_of(problem.space, weights, references or {}).without_intercept()
        information = terms.embed.T @ hessian @ terms.embed
        inverse = inverse_information(information, terms.names)
        check_finished(terms.embed.T @ gradient, inverse, 1.0, "fl.FedCox()")
        estimate: Array = terms.units @ terms.contrast @ coef
        covariance: Array = terms.units @ inverse @ terms.units.T
    events = int(total["events"].sum())
    return inference_of(
        terms,
        estimate,
        covariance,
        level=level,
        ratio="hazard_ratio",
        first_note=(
            f"Wald tests (z) of Cox's model on {events:,} events among {problem.total_rows:,} rows "
            f"of {len(problem.rows)} sites, ties as of {model.ties.capitalize()}; a missing number "
            "counts as the mean, and standard errors do not know that it was missing."
        ),
    )


def _weights(total: Parameters, n_features: int) -> Array:
    """Second moments of the rows at risk at the first time, an intercept of 1 included."""
    second = unpacked(total["at_risk_2"][0], n_features)
    first = total["at_risk_1"][0][:, None]
    return np.block([[second, first], [first.T, total["at_risk_0"][:1, None]]])
