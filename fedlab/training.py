"""The run an analyst holds: rounds one by one, back, aside, to disk."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

import msgspec

from fedlab.coordinator import Coordinator
from fedlab.errors import PrivacyError, TrainingError
from fedlab.privacy import Event, RecordDP, SiteDP
from fedlab.queries import Reply
from fedlab.rounds import Round
from fedlab.standing import Standing
from fedlab.stepping import check_private, check_rounds, scored, take_round
from fedlab.strategies import Problem, State, Strategy

__all__ = ["Training"]


class Training(Standing):
    """A session of rounds; made by `Federation.train`, `Training.fork` or `resume`.

    What it holds are immutable rounds, so that rewinding is forgetting the last ones. What sites
    were asked does not come back: their ledgers only grow.

    Attributes
    ----------
    id : str
        Names the run to the sites.
    problem : Problem
    strategy : Strategy
    privacy : RecordDP, SiteDP or None
    rounds : tuple of Round
        From round 0, the start, to now.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        problem: Problem,
        strategy: Strategy,
        *,
        privacy: RecordDP | SiteDP | None = None,
        evaluate: bool = True,
        id: str | None = None,
        rounds: tuple[Round, ...] = (),
        charges: tuple[dict[str, Event], ...] = (),
        inherited: int | None = None,
    ) -> None:
        self._coordinator = coordinator
        self.id = id or f"run-{secrets.token_hex(8)}"
        self.problem, self.strategy, self.privacy = problem, strategy, privacy
        self._evaluate, self._charges = evaluate, charges
        # A fork inherits what its parameters have cost, but may ask its own number of rounds.
        self._inherited = len(charges) if inherited is None else inherited
        self._pause, self._stepping = threading.Event(), threading.Lock()
        self.rounds = rounds or (self._scored(Round(state=strategy.init(problem))),)

    def step(self, on_reply: Callable[[Reply], None] | None = None) -> Round:
        """One round: ask the sites, combine what they send.

        An error or an interrupt leaves the run as it was before.

        Returns
        -------
        Round
            Shows what each site sent.

        Raises
        ------
        RefusedError
            When a site refuses.
        PrivacyError
            When the noise was calibrated to fewer rounds.
        TrainingError
            When the parameters are no longer finite, or more sites sent garbage than the strategy
            tolerates.
        """
        if not self._stepping.acquire(blocking=False):
            raise TrainingError(
                "A run takes one round at a time.",
                "a step while another thread takes one",
                "Wait for it, or call pause() and then go on.",
                round=self.round + 1,
            )
        try:
            return self._step(on_reply)
        finally:
            self._stepping.release()

    def _step(self, on_reply: Callable[[Reply], None] | None) -> Round:
        here = self.rounds[-1]
        check_rounds(self.privacy, len(self._charges) - self._inherited, here.number + 1)
        done = take_round(
            self._coordinator,
            self.id,
            self.problem,
            self.strategy,
            here,
            privacy=self.privacy,
            heard=self._charged(on_reply),
            charged=lambda: len(self._charges),
        )
        past = msgspec.structs.replace(here, state=self.strategy.past(here.state))
        self.rounds = (*self.rounds[:-1], past, self._scored(done))
        return self.rounds[-1]

    def _charged(self, on_reply: Callable[[Reply], None] | None) -> Callable[[Reply], None]:
        before = self._charges
        charged: dict[str, Event] = {}

        def heard(reply: Reply) -> None:
            # Written as answers come in: what an interrupted round has cost, it has cost.
            if reply.charge is not None:
                charged[reply.site] = reply.charge
                self._charges = (*before, dict(charged))
            if on_reply is not None:
                on_reply(reply)

        return heard

    def run(
        self,
        n_rounds: int,
        *,
        progress: bool = True,
        on_round: Callable[[Round], None] | None = None,
    ) -> Round:
        """`n_rounds` rounds, with a progress bar; `pause` stops it between two of them.

        Interrupting it leaves the rounds that were finished, and `run` goes on from there.

        Parameters
        ----------
        n_rounds : int
        progress : bool
            Show a bar, in a notebook as a widget and in a terminal as text.
        on_round : callable, optional
            Called with each round when it is done.

        Returns
        -------
        Round
            The last one.
        """
        if isinstance(n_rounds, bool) or not isinstance(n_rounds, int) or n_rounds < 0:
            raise TrainingError(
                "n_rounds must be a whole number of at least 0.",
                f"{n_rounds!r}",
                "Pass e.g. run.run(10).",
            )
        from tqdm.auto import tqdm

        self._pause.clear()
        with tqdm(total=n_rounds, desc="rounds", disable=not progress) as bar:
            for _ in range(n_rounds):
                done = self.step()
                bar.update()
                if on_round is not None:
                    on_round(done)
                if self._pause.is_set() or self.strategy.finished(self.problem, self.state):
                    break
        return self.rounds[-1]

    def pause(self) -> None:
        """Have a `run` in another thread stop after the round it is in."""
        self._pause.set()

    def rewind(self, round: int) -> Training:
        """Go back to the state after `round`, as if later rounds had not been.

        What the sites answered they have answered: their ledgers stay as they are.

        Raises
        ------
        TrainingError
            When that round has not been.
        """
        if isinstance(round, bool) or not isinstance(round, int) or not 0 <= round <= self.round:
            raise TrainingError(
                f"The run has rounds 0 to {self.round}.", f"{round!r}", "Choose one of them."
            )
        self.rounds = self.rounds[: round + 1]
        return self

    def fork(
        self,
        *,
        strategy: Strategy | None = None,
        privacy: RecordDP | SiteDP | None = None,
    ) -> Training:
        """Another run that starts where this one stands; this one stays.

        Parameters
        ----------
        strategy : Strategy, optional
            Goes on with another strategy.
        privacy : RecordDP or SiteDP, optional
            Goes on under another promise; what was spent before is spent.

        Raises
        ------
        TrainingError
            When privacy is asked for in a run that has none: its scaling was learned from rows.
        PrivacyError
            When the promise is about another unit, or the strategy cannot keep it.
        """
        if privacy is not None and self.privacy is None:
            raise TrainingError(
                "A private run must be private from its start.",
                "a fork with privacy of a run without",
                "Start one with fed.train(..., privacy=...).",
            )
        chosen = strategy or self.strategy
        if privacy is not None and self.privacy is not None and privacy.unit != self.privacy.unit:
            raise PrivacyError(
                "What a run has spent is counted for one unit.",
                f"a promise about a {privacy.unit} after one about a {self.privacy.unit}",
                "Start a run with fed.train(..., privacy=...).",
            )
        check_private(chosen, privacy or self.privacy, secure=self._coordinator.adds)
        rounds = self.rounds
        if strategy is not None:
            carried = chosen.init(self.problem).carried
            state = State(self.round, self.state.parameters, carried, self.state.clipping_norm)
            rounds = (*rounds[:-1], msgspec.structs.replace(rounds[-1], state=state))
        return Training(
            self._coordinator,
            self.problem,
            chosen,
            privacy=privacy or self.privacy,
            evaluate=self._evaluate,
            rounds=rounds,
            charges=self._charges,
        )

    def _scored(self, done: Round) -> Round:
        if not self._evaluate:
            return done
        return scored(self._coordinator, self.id, self.problem, done)
