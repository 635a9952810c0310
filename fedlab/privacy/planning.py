"""What a promise means before anything is spent: ε by round, noise, and the errors it makes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from fedlab.displays.tables import rounded_up, to_html
from fedlab.errors import PrivacyError
from fedlab.privacy.accounting import calibrate, epsilon_bound, epsilon_spent
from fedlab.privacy.events import Event, RecordDP, Releases, Unit
from fedlab.privacy.sampling import releases_of_steps
from fedlab.privacy.site_level import SiteDP, sensitivity_of_mean

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Plan", "plan"]

Rows = int | Sequence[int] | Mapping[str, int]

# Rounds of which ε is worked out; those between are no surprise.
MOST_ROUNDS = 10
# The cell of a histogram whose count is set beside its noise holds this share of the rows.
CELL = 0.1


@dataclass(frozen=True, repr=False)
class Plan:
    """A promise, the noise that keeps it, and what that noise does to results.

    Attributes
    ----------
    promise : RecordDP or SiteDP
        Pass it to ``fed.train(..., privacy=plan.promise)``.
    frame : DataFrame
        One row a round, of at most ten: ``epsilon`` so far by privacy loss
        distributions, ``epsilon_bound`` by Rényi divergences (the largest over the sites; before
        the last round ``epsilon`` is that of the site with the largest bound), and
        ``parameter_noise``, the standard deviation of what the noise of all rounds so far has
        added to each parameter if nothing pulled it back, for a learning rate of 1.
    sites : DataFrame
        One row a site: training rows, steps a round, sampling rate, noise multiplier, and
        ``gradient_noise``, the standard deviation of each coordinate of its mean gradient (of its
        share of the mean update where the unit is a site).
    expected : DataFrame
        One row a result over all sites: standard deviation of its noise, what it is compared
        with, and the ratio of the two.
    sampler : str
        How rows, or sites, are drawn.
    """

    promise: RecordDP | SiteDP
    frame: pd.DataFrame
    sites: pd.DataFrame
    expected: pd.DataFrame
    sampler: str

    @property
    def notes(self) -> list[str]:
        """Unit, neighbouring relation and sampler, and what the numbers are not."""
        promise = self.promise
        notes = [
            f"ε = {promise.epsilon:g} at δ = {promise.delta:g} over {promise.rounds} rounds is for "
            f"one {promise.unit}; neighbours: {promise.neighbours}; sampler: {self.sampler}.",
            "Nothing was asked of any site. A site composes this with all it has answered before.",
            "Signal is the most that clipping lets through; real gradients are shorter.",
        ]
        units = len(self.sites) if promise.unit == "site" else int(self.sites["rows"].max())
        if promise.delta * units > 1:
            notes.append(
                f"δ is larger than one over {units} {promise.unit}s: giving one of them away "
                "whole would keep such a promise."
            )
        return notes

    def plot(self) -> go.Figure:
        """ε over rounds against what was promised."""
        from fedlab.displays.plan_figure import plan_figure

        return plan_figure(self.frame, promised=self.promise.epsilon, unit=self.promise.unit)

    @property
    def _shown(self) -> pd.DataFrame:
        return self.frame.assign(
            epsilon=rounded_up(self.frame["epsilon"]),
            epsilon_bound=rounded_up(self.frame["epsilon_bound"]),
        )

    def __repr__(self) -> str:
        tables = [table.to_string() for table in (self._shown, self.sites, self.expected)]
        return "\n".join([*tables, *self.notes])

    def _repr_html_(self) -> str:
        return "".join(
            [
                to_html(self._shown, title="ε before anything is spent, by round"),
                to_html(self.sites, title="Noise, by site"),
                to_html(self.expected, title="What it does to results", notes=self.notes),
            ]
        )


def plan(
    *,
    epsilon: float,
    delta: float,
    rounds: int,
    rows: Rows,
    features: int,
    sites: int | None = None,
    batch_size: int | None = 32,
    local_epochs: int = 1,
    local_steps: int | None = None,
    clipping_norm: float = 1.0,
    unit: Unit = "record",
    weighting: Literal["rows", "equal"] = "rows",
) -> Plan:
    """What a run of `FedAvg` under a promise will spend, and how much noise it will see.

    It reads no row and asks no site; pass ``rows=fed.rows`` for a federation's declared numbers.

    Parameters
    ----------
    epsilon, delta : float
    rounds : int
    rows : int, or sequence or mapping of int
        Training rows of every site, or of each.
    features : int
        Columns of the model's matrix, an intercept not counted.
    sites : int, optional
        How many there are, where `rows` is one number for all.
    batch_size : int or None
        Expected rows of a step; None for all of them.
    local_epochs, local_steps : int
        As in `FedAvg`.
    clipping_norm : float
        Largest Euclidean norm of one row's gradient, or of one site's update.
    unit : "record" or "site"
        Whose presence the ε hides. A site's noise is added to the mean update of all.
    weighting : "rows" or "equal"
        How much a site counts; it decides the sensitivity where the unit is a site.

    Returns
    -------
    Plan

    Raises
    ------
    PrivacyError
        When the promise cannot be kept, or an argument is out of its range.

    Examples
    --------
    >>> made = plan(epsilon=2.0, delta=1e-5, rounds=30, rows=500, sites=4, features=20)
    >>> bool(made.frame["epsilon"].iloc[-1] <= 2.0)
    True
    """
    counts = _rows(rows, sites)
    if features < 1:
        raise PrivacyError("A model needs features.", f"{features}", "Pass e.g. features=20.")
    weights = {
        site: float(n_rows) if weighting == "rows" else 1.0 for site, n_rows in counts.items()
    }
    if unit == "site":
        whole = SiteDP(epsilon=epsilon, delta=delta, rounds=rounds, clipping_norm=clipping_norm)
        return _by_site(whole, counts, weights, features + 1)
    promise = RecordDP(epsilon=epsilon, delta=delta, rounds=rounds, clipping_norm=clipping_norm)
    steps = {"batch_size": batch_size, "epochs": local_epochs, "steps": local_steps}
    if any(value is not None and value < 1 for value in steps.values()):
        raise PrivacyError(
            "batch_size, local_epochs and local_steps must be at least 1.",
            f"{batch_size}, {local_epochs} and {local_steps}",
            "Pass e.g. batch_size=32.",
        )
    releases = {
        site: releases_of_steps(
            n_rows, batch_size=batch_size, epochs=local_epochs, steps=local_steps
        )
        for site, n_rows in counts.items()
    }
    return _by_record(promise, counts, weights, releases, features + 1)


def _rows(rows: Rows, sites: int | None) -> dict[str, int]:
    if isinstance(rows, Mapping):
        counts = dict(sorted(rows.items()))
    elif isinstance(rows, int):
        counts = {f"site {i + 1}": rows for i in range(1 if sites is None else sites)}
    else:
        counts = {f"site {i + 1}": n_rows for i, n_rows in enumerate(rows)}
    agreed = sites is None or sites == len(counts)
    if not counts or not agreed or any(isinstance(n, bool) or n < 1 for n in counts.values()):
        raise PrivacyError(
            "A plan needs the training rows of every site, at least 1 each.",
            f"rows of {len(counts)} sites" + ("" if sites is None else f" and sites={sites}"),
            "Pass e.g. rows=500, sites=4, or rows=fed.rows.",
        )
    return counts


def _by_record(
    promise: RecordDP,
    counts: Mapping[str, int],
    weights: Mapping[str, float],
    releases: Mapping[str, Releases],
    n_parameters: int,
) -> Plan:
    lines, events, walked = [], [], 0.0
    for site, n_rows in counts.items():
        once = releases[site]
        z = calibrate(promise, once)
        noise = z * promise.clipping_norm / (once.sampling_rate * n_rows)
        share = weights[site] / sum(weights.values())
        walked += once.count * (share * noise) ** 2
        events.append(Event(z, once.sampling_rate, once.count))
        lines.append((n_rows, once.count, once.sampling_rate, z, noise))
    names = ["rows", "steps_a_round", "sampling_rate", "noise_multiplier", "gradient_noise"]
    table = pd.DataFrame(lines, index=pd.Index(counts, name="site"), columns=names)
    shares = np.array([weights[site] for site in counts]) / sum(weights.values())
    gradient = float(np.sqrt(((shares * table["gradient_noise"].to_numpy()) ** 2).sum()))
    longest = promise.clipping_norm / math.sqrt(n_parameters)
    # The same ε spent on one release of a table instead.
    once_only = calibrate(
        RecordDP(epsilon=promise.epsilon, delta=promise.delta), Releases(1)
    ) * math.sqrt(len(counts))
    total = sum(counts.values())
    expected = _expected(
        {
            "mean gradient of a step, each coordinate": (gradient, longest),
            "mean of a column of range 1, once": (once_only * 0.5 / total, 0.5),
            f"count of a cell of {CELL:.0%} of the rows, once": (once_only, CELL * total),
        }
    )
    sampled = (table["sampling_rate"] < 1).any()
    sampler = (
        "Poisson, each row of a batch on its own coin" if sampled else "none, all rows in each step"
    )
    frame = _by_round(promise, events, math.sqrt(walked))
    return Plan(promise, frame, table, expected, sampler)


def _by_site(
    promise: SiteDP, counts: Mapping[str, int], weights: Mapping[str, float], n_parameters: int
) -> Plan:
    z = calibrate(promise, Releases(1), unit="site")
    noise = z * sensitivity_of_mean(weights, promise.clipping_norm)
    total = sum(weights.values())
    lines = [(n_rows, weights[site] / total, z, noise) for site, n_rows in counts.items()]
    names = ["rows", "weight", "noise_multiplier", "gradient_noise"]
    table = pd.DataFrame(lines, index=pd.Index(counts, name="site"), columns=names)
    longest = promise.clipping_norm / math.sqrt(n_parameters)
    expected = _expected({"mean update of a round, each coordinate": (noise, longest)})
    frame = _by_round(promise, [Event(z)], noise)
    return Plan(promise, frame, table, expected, "none, all sites in each round")


def _expected(results: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    lines = [(noise, signal, signal / noise) for noise, signal in results.values()]
    index = pd.Index(results, name="result")
    return pd.DataFrame(lines, index=index, columns=["noise", "signal", "signal_to_noise"])


def _by_round(
    promise: RecordDP | SiteDP, events: Sequence[Event], noise_of_round: float
) -> pd.DataFrame:
    """ε so far: of all sites in the last round, before it of the one with the largest bound."""
    last = promise.rounds
    numbers = np.unique(np.rint(np.linspace(1, last, min(last, MOST_ROUNDS))).astype(int))
    lines = []
    for number in numbers.tolist():
        spent = {
            Event(event.noise_multiplier, event.sampling_rate, event.count * number)
            for event in events
        }
        bounds = {event: epsilon_bound([event], promise.delta) for event in spent}
        largest = max(bounds.values())
        worst = spent if number == last else [e for e in bounds if bounds[e] == largest]
        epsilon = max(epsilon_spent([event], promise.delta) for event in worst)
        lines.append((epsilon, largest, noise_of_round * math.sqrt(number)))
    names = ["epsilon", "epsilon_bound", "parameter_noise"]
    return pd.DataFrame(lines, index=pd.Index(numbers, name="round"), columns=names)
