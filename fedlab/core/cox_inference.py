"""Standard errors of Cox's model, from the curvature of its partial likelihood."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fedlab.core.parameters import Array, Parameters
from fedlab.core.space import Space
from fedlab.core.terms import terms_of
from fedlab.core.wald import inverse_information, wald

__all__ = ["inference_frame"]


def inference_frame(
    parameters: Parameters,
    carried: Parameters,
    space: Space,
    *,
    level: float = 0.95,
    references: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Coefficients in the columns' own units, with standard errors and Wald tests.

    The covariance is the inverse of the Hessian of the negative log partial likelihood (Andersen
    and Gill 1982), which belongs to a fit that has converged and has no penalty. A category stands
    against its reference.

    Parameters
    ----------
    parameters, carried : Parameters
        Of a `State` of FedCox; the Hessian is that of the round before.
    space : Space
    level : float
        Of the intervals.
    references : mapping of str to str, optional
        Reference category by column; by default the first one that occurs.

    Returns
    -------
    DataFrame
        One row a term: ``estimate``, ``standard_error``, ``statistic``, ``p_value``, ``lower``,
        ``upper``, and ``hazard_ratio`` with its own ``_lower`` and ``_upper``.

    Raises
    ------
    TrainingError
        When the rows leave a combination of coefficients open.
    """
    terms = terms_of(space, carried["weights"], references or {})
    # Cox's model has no intercept: the baseline hazard takes its place.
    names = terms.names[1:]
    contrast, embed = terms.contrast[1:, :-1], terms.embed[:-1, 1:]
    units: Array = terms.units[1:, 1:]
    covariance = inverse_information(embed.T @ carried["hessian"] @ embed, names)
    estimate = units @ contrast @ parameters["coef"]
    table = wald(estimate, units @ covariance @ units.T, np.inf, level)
    frame = pd.DataFrame(table, index=pd.Index(names, name="term"))
    with np.errstate(over="ignore"):
        for name, end in (("estimate", ""), ("lower", "_lower"), ("upper", "_upper")):
            frame["hazard_ratio" + end] = np.exp(frame[name])
    return frame
