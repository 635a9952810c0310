"""Bad sites against the rules that combine updates: accuracy of each pair, IID and not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import msgspec
import pandas as pd

from fedlab.attacks.catalogue import every_poison, every_rule
from fedlab.attacks.checks import check_seed, check_table
from fedlab.attacks.poisons import Poison, check_poison
from fedlab.attacks.result import AttackResult
from fedlab.attacks.trial import Trial, with_classes
from fedlab.core.assignment import LabelSkew
from fedlab.core.logistic import LogisticRegression
from fedlab.core.model import Classifier, Model
from fedlab.errors import TrainingError
from fedlab.strategies import Aggregator, Averaging, FedAvg
from fedlab.strategies.checks import whole

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["RobustnessTable", "robustness_table"]

NONE = "none"
IID = "IID"


@dataclass(frozen=True, repr=False, kw_only=True)
class RobustnessTable(AttackResult):
    """Accuracy of every rule under every poison.

    Attributes
    ----------
    frame : DataFrame
        Mean accuracy on held-out rows over the seeds; rows ``(sites, poison)``, of which ``none``
        is the first of IID and of skewed sites; one column a rule.
    deviation : DataFrame
        Standard deviation over the seeds, in the same shape; NaN with one seed.
    """

    title: ClassVar[str] = "Bad sites against rules: held-out accuracy"

    deviation: pd.DataFrame

    def plot(self) -> go.Figure:
        """Accuracies as a heat map, IID above and skewed below."""
        from fedlab.displays.attack_figures import robustness_figure

        return robustness_figure(self.frame)


def robustness_table(
    frame: pd.DataFrame,
    *,
    target: str,
    model: Model | None = None,
    poisons: Mapping[str, Poison] | None = None,
    rules: Mapping[str, Aggregator] | None = None,
    n_sites: int = 10,
    n_bad: int = 3,
    rounds: int = 40,
    skew: float = 0.3,
    strategy: Averaging | None = None,
    test_size: float = 0.2,
    seeds: Sequence[int] = (0,),
) -> RobustnessTable:
    """Train with bad sites under every rule, with IID and with skewed sites.

    The bad sites are drawn from the seed. Rows without a poison are always part of it: a rule has
    its price where nobody is bad, above all where sites differ.

    Parameters
    ----------
    frame : DataFrame of shape (n_samples, n_columns)
        Numbers and text, the target among its columns.
    target : str
    model : Model, optional
        A classifier that averaging strategies train; by default ``fl.LogisticRegression()``.
    poisons : mapping of str to Poison, optional
        By name; by default `every_poison`.
    rules : mapping of str to Aggregator, optional
        By name; by default `every_rule`, which know the number of bad sites.
    n_sites, n_bad, rounds : int
    skew : float
        Concentration of the Dirichlet distribution that skewed sites' labels are drawn from.
    strategy : Averaging, optional
        Its aggregator is replaced by each rule; by default ``fl.FedAvg()``.
    test_size : float
        Share of the rows on which all are judged, drawn from the seed.
    seeds : sequence of int

    Returns
    -------
    RobustnessTable

    Raises
    ------
    DataError
        When the table cannot be used.
    TrainingError
        When an argument is out of its range.

    Examples
    --------
    >>> from fedlab.attacks.poisons import SignFlip
    >>> from fedlab.strategies import Mean, Median
    >>> table = pd.DataFrame({"age": range(30, 130), "died": [0] * 50 + [1] * 50})
    >>> found = robustness_table(
    ...     table, target="died", poisons={"sign flip": SignFlip()},
    ...     rules={"mean": Mean(), "median": Median()}, n_sites=5, n_bad=1, rounds=3,
    ... )
    >>> found.frame.shape
    (4, 2)
    """
    check_table(frame, target, least=2 * n_sites)
    seeds, strategy, model = list(seeds), strategy or FedAvg(), model or LogisticRegression()
    for seed in seeds or [-1]:
        check_seed(seed, "each of seeds")
    poisons = every_poison() if poisons is None else poisons
    rules = every_rule(n_sites, n_bad) if rules is None else rules
    _check(n_sites, n_bad, rounds, test_size, model, strategy, poisons, rules)
    known = with_classes(frame, target)
    lines: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
    stopped = 0
    for sites, skewed in ((IID, None), (f"Dirichlet({skew:g})", LabelSkew(skew))):
        for called, poison in ((NONE, None), *poisons.items()):
            trials = lines[sites, called] = {}
            for seed in seeds:
                trial = Trial(known, target, skewed, n_sites, n_bad, test_size, seed, poison)
                trials[seed] = {}
                for name, rule in rules.items():
                    using = msgspec.structs.replace(strategy, aggregator=rule)
                    trials[seed][name], whole_run = trial.accuracy(model, using, rounds)
                    stopped += not whole_run
    found = {key: pd.DataFrame.from_dict(each, orient="index") for key, each in lines.items()}
    mean, deviation = (
        pd.DataFrame([values(each) for each in found.values()], index=_index(found))
        for values in (pd.DataFrame.mean, pd.DataFrame.std)
    )
    return RobustnessTable(
        frame=mean[list(rules)],
        deviation=deviation[list(rules)],
        notes=_notes(n_sites, n_bad, rounds, len(seeds), stopped),
    )


def _index(keys: Iterable[tuple[str, str]]) -> pd.MultiIndex:
    return pd.MultiIndex.from_tuples(list(keys), names=["sites", "poison"])


def _check(
    n_sites: int,
    n_bad: int,
    rounds: int,
    test_size: float,
    model: Model,
    strategy: Averaging,
    poisons: Mapping[str, Poison],
    rules: Mapping[str, Aggregator],
) -> None:
    whole("rounds", rounds)
    whole("n_bad", n_bad)
    whole("n_sites", n_sites, least=2)
    if 2 * n_bad >= n_sites:
        raise TrainingError(
            "Fewer than half of the sites can be bad: no rule tells a majority from the truth.",
            f"{n_bad} of {n_sites}",
            "Lower n_bad.",
        )
    if not 0 < test_size < 1:
        raise TrainingError(
            "test_size must be a share above 0 and below 1.",
            f"{test_size:g}",
            "Pass e.g. test_size=0.2.",
        )
    if not isinstance(model, Classifier):
        raise TrainingError(
            "The table shows the accuracy of a classifier.",
            type(model).__name__,
            "Pass e.g. fl.LogisticRegression().",
        )
    if not isinstance(strategy, Averaging):
        raise TrainingError(
            "Rules combine the updates of an averaging strategy.",
            type(strategy).__name__,
            "Pass e.g. fl.FedAvg().",
        )
    if NONE in poisons:
        raise TrainingError(
            f"The line without a poison is called {NONE!r} and is always there.",
            "a poison of that name",
            "Give it another name.",
        )
    for name, poison in poisons.items():
        check_poison(name, poison)
    for rule in rules.values():
        if not isinstance(rule, Aggregator):
            raise TrainingError(
                "rules must be rules for combining updates, by name.",
                type(rule).__name__,
                "Pass e.g. {'median': fl.Median()}.",
            )
        rule.check(n_sites)
    if not rules:
        raise TrainingError("A table needs rules.", "none", "Pass e.g. {'median': fl.Median()}.")


def _notes(n_sites: int, n_bad: int, rounds: int, n_seeds: int, stopped: int) -> tuple[str, ...]:
    notes = [
        f"Attacked: training over {n_sites} simulated sites, {n_bad} of them bad, {rounds} rounds, "
        f"mean over {n_seeds} seed{'s' * (n_seeds != 1)}. Under 'none' nobody is bad.",
        "The adversary holds its own sites' rows and sends what it likes in their name. Under ALIE "
        "and IPM it also sees the honest updates of the round, which a real site does not.",
        "The rules know how many sites are bad. Where sites differ, rules that pick or cut lose "
        "accuracy with nobody bad, and bad updates are harder to tell from rare ones.",
        "These rules need to see each site's update, which a secure sum hides; under one, what "
        "remains is a bound on each update's norm that the sites enforce themselves.",
    ]
    if stopped:
        notes.append(
            f"{stopped} run{'s' * (stopped != 1)} ended before the last round, when values were "
            "no longer finite, and count with their last finite parameters."
        )
    return tuple(notes)
