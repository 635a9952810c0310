"""Parameters of each site's own: what personalised strategies carry, and how to get at it."""

from __future__ import annotations

from fedlab.core.parameters import Parameters
from fedlab.errors import TrainingError
from fedlab.strategies.strategy import Problem, State, Strategy

__all__ = ["Personal", "personal_parameters"]


class Personal(Strategy):
    """A strategy that gives every site parameters of its own beside the common ones.

    Sites keep nothing between rounds, so that a run can be rewound and saved whole: personal
    parameters come back as a change, like any update, and the run carries them by the site's name.
    They come from the site's rows as much as an update does; under record-level privacy they
    carry its noise and are charged.
    """

    __slots__ = ()

    def own(self, state: State, site: str) -> Parameters:
        """The site's parameters; the common ones where it has not taken part yet."""
        if site not in state.carried:
            return state.parameters
        return state.parameters.like(state.carried[site])


def personal_parameters(
    strategy: Strategy, problem: Problem, state: State, site: str
) -> Parameters:
    """The parameters that a run has for one site.

    Raises
    ------
    TrainingError
        When the strategy has none, or the site is not in the run.
    """
    if not isinstance(strategy, Personal):
        raise TrainingError(
            "Personal parameters need a personalised strategy.",
            f"{type(strategy).__name__}",
            "Use strategy=fl.Ditto(), or run.fork(strategy=fl.FineTuning()).step() first.",
        )
    if site not in problem.rows:
        raise TrainingError(
            f"The run has the sites {', '.join(map(repr, sorted(problem.rows)))}.",
            f"{site!r}",
            "Choose one of them.",
        )
    return strategy.own(state, site)
