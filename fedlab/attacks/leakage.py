"""Gradient inversion as an experiment: the same records with and without protection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from fedlab.attacks.checks import check_seed, check_table
from fedlab.attacks.inversion import check_invertible, invert
from fedlab.attacks.result import AttackResult
from fedlab.core.model import Model
from fedlab.core.parameters import Array, Parameters
from fedlab.core.seeds import generator
from fedlab.core.sklearn_model import PartialFitted
from fedlab.core.space import Space, targets
from fedlab.errors import PrivacyError
from fedlab.federation import Federation
from fedlab.partitioning import text_as_categories
from fedlab.privacy import RecordDP
from fedlab.queries import Describe, Description, Query, Update
from fedlab.rounds import TOGETHER
from fedlab.secure_sum import SecureCoordinator
from fedlab.site import Policy, Site
from fedlab.strategies import FedAvg
from fedlab.strategies.checks import whole
from fedlab.training import Training

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["GradientInversion", "gradient_inversion"]

OPEN = Policy(minimum_rows=1)


@dataclass(frozen=True, repr=False, kw_only=True)
class GradientInversion(AttackResult):
    """How far what was read from updates is from the records.

    Attributes
    ----------
    frame : DataFrame
        One row a protection: ``median_error`` and ``largest_error`` over the records, each the root
        mean square over the features of a record, in units of the scaled features (standard
        deviations over all rows); ``guessing``, the median error of who takes every record to be
        the mean; ``labels_right``, a share.
    errors : DataFrame
        Root mean square error by feature, one column a protection.
    """

    title: ClassVar[str] = "Gradient inversion: can a record be read from one update?"

    errors: pd.DataFrame

    def plot(self) -> go.Figure:
        """The error of each feature, one colour a protection, on a logarithmic axis."""
        from fedlab.displays.attack_figures import inversion_figure

        return inversion_figure(self.errors)


def gradient_inversion(
    model: Model,
    frame: pd.DataFrame,
    *,
    target: str,
    privacy: RecordDP | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    n_records: int = 8,
    seed: int = 0,
) -> GradientInversion:
    """Read single records from the updates of sites that train one step on one of them.

    `n_records` sites hold one record each, the rest of the rows is at another site, and the
    coordinator keeps to the protocol but looks at what arrives: each site's update, or only their
    secure sum, or each update with the noise of record-level privacy.

    Parameters
    ----------
    model : Model
        A linear model, or ``fl.SklearnModel`` of a network with ``solver='sgd'``.
    frame : DataFrame of shape (n_samples, n_columns)
        The whole table, the target among its columns.
    target : str
    privacy : RecordDP, optional
        Adds the line with noise; it needs `ranges`, and a model with gradients of single rows.
    ranges : mapping of str to (float, float), optional
        Public ranges of numeric columns, which privacy scales by.
    n_records : int
        At least 3, the fewest sites of a secure sum.
    seed : int

    Returns
    -------
    GradientInversion

    Raises
    ------
    DataError
        When the table cannot be used.
    TrainingError
        When the first layer of the model cannot be read, or an argument is out of its range.
    PrivacyError
        When privacy is asked for and a range is missing, or the model's rows cannot be clipped.

    Examples
    --------
    >>> from fedlab.core.logistic import LogisticRegression
    >>> table = pd.DataFrame({"age": range(30, 70), "lab": [1.0, 4.0] * 20, "died": [0, 1] * 20})
    >>> found = gradient_inversion(LogisticRegression(), table, target="died")
    >>> (found.frame["largest_error"] < 1e-8).to_dict()
    {'none': True, 'secure sum': False}
    """
    check_invertible(model)
    check_seed(seed)
    whole("n_records", n_records, least=3)
    check_table(frame, target, least=n_records + 2)
    if privacy is not None and isinstance(model, PartialFitted):
        raise PrivacyError(
            "Record-level privacy needs gradients of single rows.",
            model.name,
            "Leave privacy out, or attack fl.LogisticRegression().",
        )
    known = text_as_categories(frame).reset_index(drop=True)
    complete = known.dropna().index.to_numpy()
    check_table(known.loc[complete], target, least=n_records + 2)
    chosen = generator(seed, "records").choice(complete, n_records, replace=False)
    records = {f"record-{i:02d}": known.loc[[place]] for i, place in enumerate(chosen)}
    tables = {"the others": known.drop(index=list(chosen)), **records}
    federation = Federation(
        [
            Site(name, rows, target=target, test_size=0.0, policy=OPEN, ranges=ranges)
            for name, rows in tables.items()
        ],
        seed=seed,
    )
    exact = _started(federation, model, None)
    readings = {
        "none": _read(exact, records, _each(exact, records)),
        "secure sum": _read(exact, records, _together(federation, exact, records)),
    }
    if privacy is not None:
        noisy = _started(federation, model, privacy)
        readings["record privacy"] = _read(noisy, records, _each(noisy, records))
    space = exact.problem.space
    truth = space.matrix(pd.concat(list(records.values())))
    table = pd.DataFrame.from_dict(
        {name: _line(reading, truth, space) for name, reading in readings.items()}, orient="index"
    )
    table.index.name = "protection"
    errors = {name: _spread(r.misses(space), axis=0) for name, r in readings.items()}
    return GradientInversion(
        frame=table,
        errors=pd.DataFrame(errors, index=pd.Index(space.names, name="feature")),
        notes=_notes(model, n_records, privacy),
    )


@dataclass(frozen=True)
class _Reading:
    """What was read from the updates, beside what they were made of."""

    space: Space
    guesses: Array
    truth: Array
    right: tuple[bool, ...]

    def misses(self, unit: Space) -> Array:
        """Guess minus truth in standard deviations over all rows, however it was scaled."""
        misses = self.guesses - self.truth
        n_numbers = len(unit.numbers)
        misses[:, :n_numbers] *= self.space.scaling["scale"] / unit.scaling["scale"]
        return misses


def _started(federation: Federation, model: Model, privacy: RecordDP | None) -> Training:
    strategy = FedAvg() if isinstance(model, PartialFitted) else FedAvg(batch_size=None)
    return federation.train(model, strategy=strategy, privacy=privacy, evaluate=False)


def _plan(run: Training, records: Mapping[str, pd.DataFrame]) -> dict[str, Query]:
    plan = run.strategy.plan(run.problem, run.state)
    return {site: plan[site] for site in records}


def _each(run: Training, records: Mapping[str, pd.DataFrame]) -> dict[str, Parameters]:
    """Each site's update, as a coordinator sees it without a secure sum."""
    answers = run.step().answers
    return {site: _delta(answers[site]) for site in records}


def _delta(answer: object) -> Parameters:
    if not isinstance(answer, Update):
        raise TypeError("averaging strategies ask for updates")
    return answer.delta


def _together(
    federation: Federation, run: Training, records: Mapping[str, pd.DataFrame]
) -> dict[str, Parameters]:
    """The mean of the sites' updates: all that a secure sum opens."""
    plain = federation.coordinator
    told = plain.ask("describe", 0, dict.fromkeys(records, Describe()))
    answers = {site: reply.answer for site, reply in told.items()}
    secure = SecureCoordinator(
        plain.connection,
        plain.seed,
        plain.declared,
        identities={s: a.identity for s, a in answers.items() if isinstance(a, Description)},
    )
    reply = secure.ask("attack", 1, _plan(run.fork().rewind(0), records))[TOGETHER]
    return dict.fromkeys(records, (1 / len(records)) * _delta(reply.answer))


def _read(
    run: Training, records: Mapping[str, pd.DataFrame], seen: Mapping[str, Parameters]
) -> _Reading:
    plan = _plan(run.fork().rewind(0), records)
    found = [invert(plan[site], seen[site]) for site in records]
    space, reads = run.problem.space, run.problem.model.reads
    right = []
    for (_, label), (_, record) in zip(found, records.items(), strict=True):
        if label is not None:
            right.append(label == targets(record[space.schema.target], space.schema, reads)[0])
    truth = space.matrix(pd.concat(list(records.values())))
    return _Reading(space, np.array([x for x, _ in found]), truth, tuple(right))


def _spread(misses: Array, axis: int) -> Array:
    return np.asarray(np.sqrt((misses**2).mean(axis=axis)), dtype=np.float64)


def _line(reading: _Reading, truth: Array, space: Space) -> dict[str, float]:
    errors = _spread(reading.misses(space), axis=1)
    return {
        "median_error": float(np.median(errors)),
        "largest_error": float(errors.max()),
        "guessing": float(np.median(_spread(truth, axis=1))),
        "labels_right": float(np.mean(reading.right)) if reading.right else np.nan,
    }


def _notes(model: Model, n_records: int, privacy: RecordDP | None) -> tuple[str, ...]:
    name = model.name if isinstance(model, PartialFitted) else type(model).__name__
    notes = [
        f"Attacked: one step of {name} from its starting parameters, at {n_records} sites of one "
        "record each. Errors are root mean squares over a record's features, in standard "
        "deviations; guessing is taking every record to be the mean.",
        "The adversary is a coordinator that keeps to the protocol: it knows the question it asked "
        "and sees the answers, and needs no other data.",
        f"Under the secure sum it sees only the sum over the {n_records} sites, from which the "
        "same formula gives a mixture. Whoever knows all other records can still subtract them: "
        "hiding one record from such an adversary takes record-level privacy.",
    ]
    if privacy is not None:
        notes.append(
            f"Record privacy adds noise at each site, for ε = {privacy.epsilon:g} at "
            f"δ = {privacy.delta:g} over {privacy.rounds} rounds."
        )
    notes.append(
        "By default a site's policy refuses answers from fewer than 11 rows; these sites allow it. "
        "One step on a batch of one row at a larger site is read in the same way."
    )
    return tuple(notes)
