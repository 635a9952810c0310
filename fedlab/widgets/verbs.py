"""What each button does: one public method, and the words that tell of it."""

from __future__ import annotations

import time

from fedlab.errors import TrainingError
from fedlab.evaluation import Evaluation
from fedlab.federation import Federation
from fedlab.rounds import Round
from fedlab.strategies import State
from fedlab.training import Training
from fedlab.widgets.panel import Panel

__all__ = ["Verbs"]

# As often as an eye follows, but for a fifth of the time at most: a round may take a millisecond.
SECONDS_A_FRAME, SHARE = 0.5, 5


class Verbs:
    """The verbs on one run. All but `pause` may take long.

    Attributes
    ----------
    run : Training or None
    pausing : bool
        Whether `pause` was called for the work under way.
    """

    def __init__(self, fed: Federation, panel: Panel) -> None:
        self.run: Training | None = None
        self._fed, self._panel = fed, panel
        self.pausing, self._next_frame = False, 0.0
        self._judged: tuple[State, Evaluation] | None = None

    def start(self) -> str:
        """A new run by the form; the one before is let go."""
        form = self._panel.form
        model, strategy, privacy = form.model(), form.strategy(), form.privacy()
        self.run = self._fed.train(
            model, strategy=strategy, privacy=privacy, aggregation=form.aggregation()
        )
        self._panel.results.forget()
        return "A new run stands at round 0."

    def _begun(self) -> Training:
        if self.run is None:
            self.start()
        return self._held()

    def _held(self) -> Training:
        if self.run is None:
            raise TrainingError("This needs a run.", "no run yet", "Click New run or Step first.")
        return self.run

    def step(self) -> str:
        """One round."""
        return f"Round {self._begun().step().number} is done."

    def run_rounds(self) -> str:
        """As many rounds as the field says, unless `pause` comes between."""
        controls = self._panel.controls
        n_rounds, run = controls.n_rounds.value, self._begun()
        first = run.round

        def painted(done: Round) -> None:
            # Pause may have been clicked before the run began to listen.
            if self.pausing:
                run.pause()
            # The last round is shown when the next click counts again, not before.
            over = self.pausing or done.number == first + n_rounds
            now = time.monotonic()
            if not over and now >= self._next_frame:
                self._panel.show(run)
                controls.show_progress(done.number - first, n_rounds)
                took = time.monotonic() - now
                self._next_frame = now + max(SECONDS_A_FRAME, SHARE * took)

        controls.show_progress(0, n_rounds)
        last = run.run(n_rounds, progress=False, on_round=painted).number
        if last == first + n_rounds:
            return f"Rounds up to {last} are done."
        if run.strategy.finished(run.problem, run.state):
            return f"Round {last} was the last: the model is finished."
        return f"Paused after round {last}."

    def pause(self) -> None:
        """Have `run_rounds` stop after the round it is in."""
        self.pausing = True
        if self.run is not None:
            self.run.pause()
        self._panel.notice.say("Pausing after the round under way…")

    def rewind(self) -> str:
        """Back to the round of the slider."""
        run = self._held().rewind(self._panel.controls.to_round.value)
        return f"Back at round {run.round}. What sites have answered stays in their ledgers."

    def contribute(self) -> str:
        """What each site was worth, or what can be told of it where single updates are hidden."""
        run = self._held()
        found = run.quality() if run.rounds[-1].hidden else run.contributions()
        self._panel.results.show_contributions(found, run.round)
        return "Contributions are below."

    def evaluate(self) -> str:
        """How the model does on held-out rows."""
        run = self._held()
        results = self._panel.results
        found = run.evaluate(privacy=results.promise(run), personal=results.wants_personal(run))
        self._judged = (run.state, found)
        self._panel.results.show_evaluation(found, run.round)
        return "The evaluation is below."

    def export(self) -> str:
        """Write the model; its card holds the evaluation, where this very model has had one."""
        run, judged = self._held(), self._judged
        evaluation = judged[1] if judged is not None and judged[0] is run.state else None
        written = run.export(self._panel.results.path(), evaluation=evaluation)
        self._panel.results.show_export(written, run.round)
        return "The model is written."
