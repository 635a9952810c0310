"""A run as a table: one row a round."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fedlab.core.model import Model
from fedlab.privacy import Event, epsilon_spent
from fedlab.privacy.events import Unit
from fedlab.privacy.site_level import for_site
from fedlab.rounds import Round, pooled

__all__ = ["history_of"]

Charges = Sequence[dict[str, Event]]


def history_of(
    rounds: Sequence[Round],
    model: Model,
    charges: Charges,
    delta: float | None,
    unit: Unit = "record",
) -> pd.DataFrame:
    """Sites, bytes, update norm, losses, the model's score and ε so far, one row a round.

    Parameters
    ----------
    rounds : sequence of Round
        From round 0, the start, to now.
    model : Model
    charges : sequence of dict
        What each round cost each site, rounds that were rewound or interrupted included.
    delta : float or None
        δ of the promise; without one there is no ε.
    unit : "record" or "site"
        Whose ε it is; what sites charged their ledgers is for records.
    """
    if unit == "site":
        charges = [{site: for_site(event) for site, event in each.items()} for each in charges]
    dearest = None if delta is None else _dearest(charges, delta)
    lines = []
    for position, done in enumerate(rounds):
        trained, held_out = (pooled(each, model) for each in (done.after, done.held_out))
        line: dict[str, float] = {
            "sites": len(done.sites),
            "bytes": sum(done.sizes.values()),
            "update_norm": _moved(rounds[position - 1], done) if position else np.nan,
            "train_loss": trained.get("loss", np.nan),
            "held_out_loss": held_out.get("loss", np.nan),
            f"held_out_{model.score}": held_out.get(model.score, np.nan),
        }
        if delta is not None:
            last = position == len(rounds) - 1
            spent = charges if last else charges[: done.charged]
            line["epsilon"] = epsilon_spent(_of(dearest, spent), delta)
        lines.append(line)
    index = pd.RangeIndex(len(lines), name="round")
    return pd.DataFrame(lines, index=index).astype({"sites": int, "bytes": int})


def _moved(before: Round, done: Round) -> float:
    here, there = done.state.parameters, before.state.parameters
    # Parameters that a round brings along, such as trees, have moved from nowhere.
    return (here - there).norm() if here.fits(there) else np.nan


def _of(site: str | None, charges: Charges) -> list[Event]:
    return [charged[site] for charged in charges if site is not None and site in charged]


def _dearest(charges: Charges, delta: float) -> str | None:
    sites = sorted({site for charged in charges for site in charged})
    spent = {site: epsilon_spent(_of(site, charges), delta) for site in sites}
    return max(sites, key=lambda site: spent[site], default=None)
