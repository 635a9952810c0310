"""Where a run stands, and all that can be asked of it without moving it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from fedlab.contributions import Contributions, contributions
from fedlab.coordinator import Coordinator
from fedlab.displays.tables import to_html
from fedlab.evaluation import Evaluation, evaluate
from fedlab.history import history_of
from fedlab.privacy import Event, RecordDP, SiteDP
from fedlab.rounds import Round
from fedlab.saves import Save, write_save
from fedlab.strategies import Problem, State, Strategy, personal_parameters

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from sklearn.pipeline import Pipeline

    from fedlab.beside import Beside
    from fedlab.core.preprocess import Preprocess
    from fedlab.export import ExportedModel, SigningKey
    from fedlab.inference import Inference
    from fedlab.pooled import Gap
    from fedlab.quality import Quality
    from fedlab.site import Site

__all__ = ["Standing"]


class Standing:
    """A run as it stands; `Training` adds what moves it.

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

    id: str
    problem: Problem
    strategy: Strategy
    privacy: RecordDP | SiteDP | None
    rounds: tuple[Round, ...]
    _coordinator: Coordinator
    _evaluate: bool
    _charges: tuple[dict[str, Event], ...]
    _inherited: int

    def __repr__(self) -> str:
        kind = "private" if self.privacy else "exact"
        return (
            f"{type(self).__name__}({type(self.problem.model).__name__}, "
            f"{type(self.strategy).__name__}, {len(self.problem.rows)} sites, {kind}, "
            f"round {self.round})"
        )

    def _repr_html_(self) -> str:
        promise = self.privacy
        notes = [
            f"ε so far is for one {each.unit}; neighbours: {each.neighbours}."
            for each in ([] if promise is None else [promise])
        ]
        return to_html(self.history.tail(6), title=f"{self!r}: the last rounds", notes=notes)

    @property
    def state(self) -> State:
        """Where the run stands."""
        return self.rounds[-1].state

    @property
    def round(self) -> int:
        """Rounds done."""
        return self.state.round

    @property
    def secure(self) -> bool:
        """Whether sites' answers are seen as sums alone."""
        return self._coordinator.adds

    @property
    def history(self) -> pd.DataFrame:
        """One row a round: sites, bytes, update norm, losses, accuracy, ε so far.

        Losses are means in nats over the rows of all sites that were scored. ε is that of the site
        which has spent most on this run by now, at the δ of `privacy` and for its unit, for this
        run alone and what it was forked from. The last row holds all that was spent, rewound rounds
        included.
        """
        delta = None if self.privacy is None else self.privacy.delta
        unit = "record" if self.privacy is None else self.privacy.unit
        return history_of(self.rounds, self.problem.model, self._charges, delta, unit)

    def plot(self) -> go.Figure:
        """Losses, the model's score and what each site sent, by round."""
        from fedlab.run_figure import run_figure

        return run_figure(self)

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

    def evaluate(self, *, privacy: RecordDP | None = None, personal: bool = False) -> Evaluation:
        """How the model does on the held-out rows of each site.

        Parameters
        ----------
        privacy : RecordDP, optional
            Answers with noise, charged to the sites' ledgers beside training.
        personal : bool
            Judge each site's own parameters on its own rows too, under a personalised strategy.

        Raises
        ------
        TrainingError
            When no site answers, or personal parameters are asked for that the strategy has none
            of.
        PrivacyError
            When the model cannot be judged with noise, or personal parameters are to be.
        """
        if personal:
            from fedlab.personal_evaluation import evaluate_personal

            return evaluate_personal(
                self._coordinator, self.id, self.problem, self.strategy, self.state, privacy
            )
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

        Raises
        ------
        PrivacyError
            When the run is private.
        TrainingError
            When the model is penalised or has no likelihood, or the fit is not finished.
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
            The training rows of all sites, the target among the columns: of simulated sites
            ``fl.site.reveal(sites, "train")``.
        held_out : DataFrame, optional
            More rows, on which both fits are judged.

        Raises
        ------
        DataError
            When a column or a target is missing, or scikit-learn cannot be fitted on the rows.
        """
        from fedlab.pooled import gap_to_pooled

        declared = self._coordinator.declared
        withheld = sum(declared.get((site, "test"), 0) for site in self.problem.rows)
        return gap_to_pooled(self.problem, self.state, frame, held_out=held_out, withheld=withheld)

    def beside_single_sites(
        self, pooled: Sequence[Site] | None = None, *, preprocess: Preprocess | None = None
    ) -> Beside:
        """What each site would have alone, and what pooling would give, on the same held-out rows.

        Each site trains the same model by the same strategy on its own rows, scaling and bins
        included, and all fits are judged by the held-out rows of all sites together.

        Parameters
        ----------
        pooled : sequence of Site, optional
            The run's own sites, when they are simulated; scikit-learn's fit on their pooled rows
            joins in.
        preprocess : Preprocess, optional
            As the run was given it.

        Raises
        ------
        PrivacyError
            When the run is private, or the sites to be pooled are not simulated.
        TrainingError
            When no site judges, or scikit-learn has no twin of the model.

        Examples
        --------
        ``run.beside_single_sites(sites).margins``
        """
        from fedlab.single_sites import beside_single_sites

        return beside_single_sites(
            self._coordinator,
            self.id,
            self.problem,
            self.strategy,
            self.state,
            pooled=pooled,
            preprocess=preprocess,
        )

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

    def quality(self, *, level: float = 0.95) -> Quality:
        """Which sites' rounds gain more and which gain less, from sums alone.

        For runs whose updates are hidden in secure sums, though it needs none. Sites must be drawn
        for each round, as by ``fl.FedAvg(site_fraction=0.5)``; no site is asked anything.

        Parameters
        ----------
        level : float
            Coverage of each interval.

        Raises
        ------
        TrainingError
            When the same sites took part in all rounds, when there are too few rounds, or when
            they were not judged on held-out rows.

        Examples
        --------
        ``run.quality().plot()``
        """
        from fedlab.quality import infer_quality

        return infer_quality(self.problem, self.rounds, level=level)

    def export(
        self,
        folder: str | Path,
        *,
        evaluation: Evaluation | None = None,
        key: SigningKey | None = None,
    ) -> ExportedModel:
        """Write the model as ONNX and skops (trees: ONNX alone) with a card, hashed and signed.

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
            secure=getattr(self._coordinator, "how", None),
        )
        write_save(Path(path), save, overwrite=overwrite)
        return Path(path)
