"""The run an analyst holds: rounds one by one, back, aside, to disk."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pandas as pd

from fedlab.contributions import Contributions, contributions
from fedlab.coordinator import Coordinator
from fedlab.core.blas import one_thread
from fedlab.displays.tables import to_html
from fedlab.errors import PrivacyError, TrainingError
from fedlab.evaluation import Evaluation, evaluate, score_sites
from fedlab.history import history_of
from fedlab.privacy import Event, RecordDP
from fedlab.queries import Reply
from fedlab.rounds import Round
from fedlab.saves import Save, write_save
from fedlab.strategies import Problem, State, Strategy, personal_parameters

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from sklearn.pipeline import Pipeline

    from fedlab.export import ExportedModel, SigningKey
    from fedlab.inference import Inference
    from fedlab.pooled import Gap

__all__ = ["Training"]


class Training:
    """A session of rounds; made by `Federation.train`, `Training.fork` or `resume`.

    What it holds are immutable rounds, so that rewinding is forgetting the last ones. What sites
    were asked does not come back: their ledgers only grow.

    Attributes
    ----------
    id : str
        Names the run to the sites.
    problem : Problem
    strategy : Strategy
    privacy : RecordDP or None
    rounds : tuple of Round
        From round 0, the start, to now.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        problem: Problem,
        strategy: Strategy,
        *,
        privacy: RecordDP | None = None,
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

    def __repr__(self) -> str:
        kind = "private" if self.privacy else "exact"
        return (
            f"Training({type(self.problem.model).__name__}, {type(self.strategy).__name__}, "
            f"{len(self.problem.rows)} sites, {kind}, round {self.round})"
        )

    def _repr_html_(self) -> str:
        return to_html(self.history.tail(6), title=f"{self!r}: the last rounds")

    @property
    def state(self) -> State:
        """Where the run stands."""
        return self.rounds[-1].state

    @property
    def round(self) -> int:
        """Rounds done."""
        return self.state.round

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
        number = self.round + 1
        plan = self.strategy.plan(self.problem, self.state)
        asked = len(self._charges) - self._inherited
        if self.privacy is not None and asked >= self.privacy.rounds:
            raise PrivacyError(
                f"The noise of this run was calibrated to {self.privacy.rounds} rounds.",
                f"a request for one more after {asked}",
                "Start a run with more rounds; rewinding gives none back.",
                round=number,
            )
        heard = self._charged(on_reply)
        tolerated = self.strategy.tolerates(self.problem, self.state)
        with one_thread():
            replies = self._coordinator.ask(
                self.id, number, plan, self.privacy, heard, tolerated=tolerated
            )
        answers = {site: reply.answer for site, reply in replies.items() if reply.answer}
        excluded = dict.fromkeys(sorted(plan.keys() - replies.keys()), "a reply that does not fit")
        excluded |= self.strategy.excluded(answers)
        if len(excluded) > tolerated:
            raise TrainingError(
                f"The strategy tolerates garbage from {tolerated} of {len(plan)} sites.",
                "; ".join(f"{why} from {site!r}" for site, why in sorted(excluded.items())),
                "Leave those sites out, or provide for more of them.",
                round=number,
            )
        answers = {site: answer for site, answer in answers.items() if site not in excluded}
        with one_thread():
            state = self.strategy.combine(self.problem, self.state, answers)
            norms = {site: self.strategy.direction(a).norm() for site, a in answers.items()}
        if not np.isfinite(state.parameters.vector).all():
            raise TrainingError(
                "Parameters must stay finite.",
                "infinite or undefined values",
                "Lower the learning rate.",
                round=number,
            )
        done = Round(
            state=state,
            answers=answers if self.strategy.keeps_answers else {},
            rows={site: reply.rows for site, reply in replies.items()},
            sizes={site: reply.size for site, reply in replies.items()},
            norms=norms,
            excluded=excluded,
            charges={site: r.charge for site, r in replies.items() if r.charge is not None},
            charged=len(self._charges),
            strategy=self.strategy,
            before=self.rounds[-1].after,
        )
        here = self.rounds[-1]
        here = msgspec.structs.replace(here, state=self.strategy.past(here.state))
        self.rounds = (*self.rounds[:-1], here, self._scored(done))
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
        self, *, strategy: Strategy | None = None, privacy: RecordDP | None = None
    ) -> Training:
        """Another run that starts where this one stands; this one stays.

        Parameters
        ----------
        strategy : Strategy, optional
            Goes on with another strategy.
        privacy : RecordDP, optional
            Goes on under another promise; what was spent before is spent.

        Raises
        ------
        TrainingError
            When privacy is asked for in a run that has none: its scaling was learned from rows.
        """
        if privacy is not None and self.privacy is None:
            raise TrainingError(
                "A private run must be private from its start.",
                "a fork with privacy of a run without",
                "Start one with fed.train(..., privacy=...).",
            )
        chosen = strategy or self.strategy
        check_private(chosen, privacy or self.privacy)
        rounds = self.rounds
        if strategy is not None:
            carried = chosen.init(self.problem).carried
            state = State(self.round, self.state.parameters, carried)
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

    @property
    def history(self) -> pd.DataFrame:
        """One row a round: sites, bytes, update norm, losses, accuracy, ε so far.

        Losses are means in nats over the rows of all sites that were scored. ε is that of the site
        which has spent most on this run by now, at the δ of `privacy`, for this run alone and what
        it was forked from. The last row holds all that was spent, rewound rounds included.
        """
        delta = None if self.privacy is None else self.privacy.delta
        return history_of(self.rounds, self.problem.model, self._charges, delta)

    def plot(self) -> go.Figure:
        """Losses, accuracy and the norms of what each site sent, by round."""
        from fedlab.displays.figures import history_figure

        promised = None if self.privacy is None else self.privacy.epsilon
        norms = [done.norms for done in self.rounds]
        sent = pd.DataFrame(norms, columns=sorted(self.problem.rows))
        return history_figure(self.history, sent, promised=promised)

    @property
    def model(self) -> Pipeline:
        """The fitted scikit-learn estimator; takes rows in the sites' own columns."""
        return self.problem.model.estimator(
            self.state.parameters,
            self.problem.space,
            n_samples=self.problem.total_rows,
            n_iter=self.round,
        )

    def personal_model(self, site: str) -> Pipeline:
        """The fitted estimator of one site's own parameters, under a personalised strategy.

        Raises
        ------
        TrainingError
            When the strategy has none, or the site is not in the run.
        """
        return self.problem.model.estimator(
            personal_parameters(self.strategy, self.problem, self.state, site),
            self.problem.space,
            n_samples=self.problem.rows[site],
            n_iter=self.round,
        )

    def evaluate(self, *, privacy: RecordDP | None = None) -> Evaluation:
        """How the model does on the held-out rows of each site.

        Parameters
        ----------
        privacy : RecordDP, optional
            Answers with noise, charged to the sites' ledgers beside training.
        """
        return evaluate(
            self._coordinator, self.id, self.round, self.problem, self.state.parameters, privacy
        )

    def inference(
        self, *, level: float = 0.95, references: Mapping[str, str] | None = None
    ) -> Inference:
        """Standard errors, tests and intervals of an exact fit, in the columns' own units.

        Parameters
        ----------
        level : float
            Coverage of the intervals.
        references : mapping of str to str, optional
            The category of a column that others are compared with.
        """
        from fedlab.inference import infer

        return infer(
            self._coordinator,
            self.id,
            self.round,
            self.problem,
            self.state.parameters,
            level=level,
            references=references,
        )

    def gap_to_pooled(self, frame: pd.DataFrame, *, held_out: pd.DataFrame | None = None) -> Gap:
        """How far the fit is from scikit-learn's on all rows in one table; for simulations.

        Parameters
        ----------
        frame : DataFrame of shape (n_samples, n_columns)
            The training rows of all sites, the target among the columns.
        held_out : DataFrame, optional
            More rows, on which both fits are judged.

        Raises
        ------
        DataError
            When a column is missing.
        TrainingError
            When scikit-learn has no twin of the model.
        """
        from fedlab.pooled import gap_to_pooled

        return gap_to_pooled(self.problem, self.state, frame, held_out=held_out)

    def contributions(self, *, permutations: int = 100) -> Contributions:
        """What each site's updates were worth, without training again.

        Parameters
        ----------
        permutations : int
            Orders of sites that are sampled where there are more than 12 sites.
        """
        return contributions(
            self._coordinator,
            self.id,
            self.problem,
            self.rounds,
            permutations=permutations,
        )

    def export(
        self,
        folder: str | Path,
        *,
        evaluation: Evaluation | None = None,
        key: SigningKey | None = None,
    ) -> ExportedModel:
        """Write the model as ONNX and skops with a model card, hashed and signed.

        A run without privacy is evaluated for the card. One with privacy is not, since exact scores
        are outside its ε; pass ``evaluation=run.evaluate(privacy=...)``.

        Parameters
        ----------
        folder : path
            New, empty, or an earlier export, which is replaced.
        evaluation : Evaluation, optional
        key : SigningKey, optional
            By default the user's own, made on first use.

        Raises
        ------
        ExportError
            When the folder holds something else, or cannot be written.
        """
        from fedlab.export import export_training

        return export_training(
            folder,
            coordinator=self._coordinator,
            run=self.id,
            problem=self.problem,
            strategy=self.strategy,
            privacy=self.privacy,
            state=self.state,
            evaluation=evaluation,
            key=key,
        )

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the run to a file from which `resume` goes on.

        Raises
        ------
        SaveFileError
            When the file holds another run or a later round of this one.
        """
        save = Save(
            run=self.id,
            problem=self.problem,
            strategy=self.strategy,
            privacy=self.privacy,
            evaluate=self._evaluate,
            rounds=self.rounds,
            charges=self._charges,
            inherited=self._inherited,
        )
        write_save(Path(path), save, overwrite=overwrite)
        return Path(path)

    def _scored(self, done: Round) -> Round:
        if not self._evaluate:
            return done
        run, problem, state = self.id, self.problem, done.state
        return msgspec.structs.replace(
            done,
            after=score_sites(self._coordinator, run, problem, state, "train")[0],
            held_out=score_sites(self._coordinator, run, problem, state, "test")[0],
        )


def check_private(strategy: Strategy, privacy: RecordDP | None) -> None:
    """Raise PrivacyError when `strategy` cannot keep a promise of `privacy`."""
    if privacy is not None and not strategy.can_be_private:
        raise PrivacyError(
            f"{type(strategy).__name__} has no bounded sensitivity, so no noise makes it private.",
            "RecordDP",
            "Use fl.FedAvg(), or leave privacy out.",
        )
