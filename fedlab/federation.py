"""The analyst's bench: sites that agree on their columns, and runs over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from fedlab.asking import Questions
from fedlab.asking.naming import By, Where
from fedlab.coordinator import Coordinator
from fedlab.core.model import Model
from fedlab.core.preprocess import Preprocess
from fedlab.core.schema import Schema, agree
from fedlab.displays.tables import rounded_up, to_html
from fedlab.engines import Engine, InProcess
from fedlab.errors import DataError, PrivacyError, SaveFileError, TrainingError
from fedlab.evaluation import ALL_SITES
from fedlab.preprocessing import agree_space
from fedlab.privacy import RecordDP, SiteDP
from fedlab.queries import Describe, Description, Query, ReadLedger, Statement
from fedlab.saves import read_save
from fedlab.secure_sum import SecureCoordinator, SecureSum
from fedlab.site import Site
from fedlab.spend import PrivacySpend, spend_of
from fedlab.stepping import check_private
from fedlab.strategies import Problem, Strategy, default_strategy
from fedlab.training import Training

if TYPE_CHECKING:
    from fedlab.judging import Judgement

__all__ = ["Federation", "resume"]


class Federation(Questions):
    """Sites that describe the same features, asked through one engine.

    Parameters
    ----------
    sites : sequence of Site
        In any order; results do not depend on it.
    seed : int
        Decides all randomness of its runs, but for privacy noise at sites that are not simulated.
    engine : Engine, optional
        How requests reach the sites; by default they are asked in this process.
    categories : "same" or "union"
        Whether sites must declare one list of categories of each column, or lists that differ are
        joined by the names of the categories. What a site declares is public.
    identities : mapping of str to str, optional
        Public keys of sites in hexadecimal, as their data owners gave them (``site.identity``).
        Sites that are not named are known by the key they show.

    Raises
    ------
    DataError
        When there is no site, or two have one name.
    SchemaError
        When the sites' columns differ, naming site and column.
    PrivacyError
        When a site shows another identity than the one given.

    Examples
    --------
    >>> frame = pd.DataFrame({"age": [41.0, 52.0, 63.0, 74.0], "died": [0, 0, 1, 1]})
    >>> fed = Federation([Site("mercy", frame, target="died")], seed=7)
    >>> fed.sites
    ('mercy',)
    """

    def __init__(
        self,
        sites: Sequence[Site],
        *,
        seed: int = 0,
        engine: Engine | None = None,
        categories: Literal["same", "union"] = "same",
        identities: Mapping[str, str] | None = None,
    ) -> None:
        sites = [sites] if isinstance(sites, Site) else list(sites)
        if not sites or not all(isinstance(site, Site) for site in sites):
            raise DataError(
                "A federation needs sites.",
                "no sites" if not sites else "something that is not a Site",
                "Pass e.g. fl.Federation([fl.Site('mercy', frame, target='died')]).",
            )
        names = [site.name for site in sites]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise DataError(
                "Sites must have different names.",
                f"{', '.join(map(repr, repeated))} more than once",
                "Rename one.",
            )
        if ALL_SITES in names:
            raise DataError(
                "A site must not have the name of the line for all sites.",
                f"{ALL_SITES!r}",
                "Rename it.",
            )
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
            raise DataError(
                "seed must be a whole number from 0 to below 2**63.", f"{seed!r}", "Pass e.g. 7."
            )
        if categories not in ("same", "union"):
            raise DataError(
                "categories must be 'same' or 'union'.",
                f"{categories!r}",
                "Pass categories='union' to join the sites' lists.",
            )
        self.seed = seed
        self._connection = (engine or InProcess()).connect(sites)
        self._descriptions = self._describe(Coordinator(self._connection, seed))
        self._pin(identities or {})
        declared = {
            (site, split): rows
            for site, told in self._descriptions.items()
            for split, rows in (
                ("train", told.train_rows),
                ("test", told.test_rows),
                ("all", told.train_rows + told.test_rows),
            )
        }
        simulated = all(told.simulated for told in self._descriptions.values())
        self.coordinator = Coordinator(self._connection, seed, declared, simulated)
        self.schema: Schema = agree(
            {site: description.schema for site, description in self._descriptions.items()},
            categories=categories,
        )

    def _pin(self, identities: Mapping[str, str]) -> None:
        for site, expected in sorted(identities.items()):
            shown = self._descriptions[site].identity.hex() if site in self._descriptions else None
            if shown != expected.lower():
                raise PrivacyError(
                    "A site must show the identity that its data owner gave.",
                    "no such site" if shown is None else "another identity",
                    "Ask the data owner for the key, and find out who answers in the site's place.",
                    site=site,
                )

    def _describe(self, coordinator: Coordinator) -> dict[str, Description]:
        replies = coordinator.ask("describe", 0, self._each(Describe()))
        answers = {site: reply.answer for site, reply in replies.items()}
        return {site: a for site, a in answers.items() if isinstance(a, Description)}

    def _each(self, query: Query) -> dict[str, Query]:
        return dict.fromkeys(self.sites, query)

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites, sorted."""
        return self._connection.sites

    @property
    def rows(self) -> dict[str, int]:
        """Declared number of training rows of each site."""
        return {site: described.train_rows for site, described in self._descriptions.items()}

    @property
    def minimums(self) -> dict[str, int]:
        """Fewest patients that each site tells of, as its policy says."""
        return {site: described.minimum_rows for site, described in self._descriptions.items()}

    @property
    def frame(self) -> pd.DataFrame:
        """One row a site: rows, features, policy, ε spent and left, and whether it is simulated.

        The width of grids of times is shown where a site asks for one.
        """
        totals = self.privacy.totals
        spent = rounded_up(totals["epsilon_spent"])
        left = -rounded_up(-totals["epsilon_left"])
        lines = [
            {
                "training_rows": described.train_rows,
                "held_out_rows": described.test_rows,
                "features": len(described.schema.columns),
                "minimum_rows": described.minimum_rows,
                "exact_answers": "allowed" if described.exact else "refused",
                "epsilon_spent": spent[site],
                "epsilon_left": "no limit" if described.epsilon is None else f"{left[site]:.4f}",
                "kind": "simulated" if described.simulated else "real",
            }
            for site, described in sorted(self._descriptions.items())
        ]
        table = pd.DataFrame(lines, index=pd.Index(self.sites, name="site"))
        widths = [described.grid_width for _, described in sorted(self._descriptions.items())]
        if any(widths):
            table.insert(list(table.columns).index("exact_answers") + 1, "grid_width", widths)
        return table

    def __repr__(self) -> str:
        return f"Federation of {len(self.sites)} sites\n{self.frame.to_string()}"

    def _repr_html_(self) -> str:
        target, event = self.schema.target, self.schema.event
        kind = ", ".join(map(str, self.schema.classes)) or "numbers"
        kind = f"time until {event}" if event else kind
        return to_html(
            self.frame,
            title=f"Federation of {len(self.sites)} sites",
            notes=[f"Target {target} ({kind}). Rows stay at their site."],
        )

    def train(
        self,
        model: Model,
        *,
        strategy: Strategy | None = None,
        privacy: RecordDP | SiteDP | None = None,
        preprocess: Preprocess | None = None,
        aggregation: Literal["plain", "secure"] | SecureSum = "plain",
        evaluate: bool | None = None,
    ) -> Training:
        """Prepare a run; `Training.step` takes the first round.

        Features are scaled the same way at all sites: by means and variances that come from sums
        over the sites or, under privacy, by the sites' public ranges.

        Parameters
        ----------
        model : Model
            What to fit, e.g. ``fl.LogisticRegression()``.
        strategy : Strategy, optional
            How, e.g. ``fl.FedAvg()``. By default the exact one that fits the model, or
            averaging under privacy.
        privacy : RecordDP or SiteDP, optional
            The promise every answer of the run keeps: about records, with noise at each site, or
            about whole sites, with noise on the mean of their updates. That noise comes in shares
            from the sites where aggregation is secure, and else from the coordinator, whom sites
            then trust with their updates.
        preprocess : Preprocess, optional
            How numbers are scaled, gaps filled and categories made into columns, e.g.
            ``fl.Preprocess(impute="median", min_count=11)``. By default numbers are scaled and
            filled by their means, and each declared category has a column.
        aggregation : "plain", "secure" or SecureSum
            Whether the coordinator sees each site's answers, or nothing but their sums: for
            preprocessing, training and judging alike.
        evaluate : bool, optional
            Score the common model after each round on training and held-out rows. By default only
            in runs without privacy, since scores are exact answers.

        Raises
        ------
        TrainingError
            When the model does not fit the target, or the strategy needs single answers that a
            secure sum hides.
        PrivacyError
            When the strategy or the columns cannot keep the promise.
        RefusedError
            When a site refuses its sums.
        """
        model.check(self.schema)
        coordinator = self.asked_by(aggregation)
        strategy = strategy or default_strategy(model, private=privacy is not None)
        check_private(strategy, privacy, secure=coordinator.adds)
        if coordinator.adds:
            strategy.joins()
        private = privacy is not None
        run_space = agree_space(
            coordinator, self.sites, self.schema, model, preprocess, private=private
        )
        problem = Problem(
            model=model,
            space=run_space,
            rows=self.rows,
            seed=self.seed,
            private=private,
            unit="record" if privacy is None else privacy.unit,
        )
        scored = privacy is None if evaluate is None else evaluate
        return Training(coordinator, problem, strategy, privacy=privacy, evaluate=scored)

    def evaluate(
        self,
        model: Any,
        *,
        threshold: float = 0.5,
        by: By | None = None,
        split: Literal["train", "test", "all"] = "all",
        where: Where | None = None,
        privacy: RecordDP | None = None,
        aggregation: Literal["plain", "secure"] | SecureSum = "plain",
        **options: Any,
    ) -> Judgement:
        """Judge a model from anywhere on the sites' rows, by site, in all and by subgroup.

        The model's file goes to each site, which looks at it, runs it on its rows in a process with
        limits, and tells counts by class and bin of score, small ones suppressed. A site with
        ``Policy(approval=True)`` runs it once its data owner has approved the purpose, or the file
        by its SHA-256.

        Parameters
        ----------
        model : Training, ExportedModel, fitted scikit-learn estimator, bytes or path
            Also an ONNX file from anywhere.
        threshold : float
            The second of two classes is called where its score is above.
        by : column, list of columns, or mapping of columns to edges, optional
            Subgroups, by each column on its own.
        split : "train", "test" or "all"
        where : mapping, optional
            Conditions on whom it is about, e.g. ``{"age": (65, None)}``.
        privacy : RecordDP, optional
            Then every count has noise instead, charged at each site.
        aggregation : "plain", "secure" or SecureSum
        options
            ``name`` of the model; ``columns``, ``output``, ``score`` and ``classes`` where its file
            leaves open what it reads and says; ``bins`` of scores, 100, or 10 under privacy;
            ``level`` of intervals, 0.95; ``bootstrap`` samples, 1000, ``stratified`` by site or
            not.

        Raises
        ------
        DataError
            When something that changes figures is left open, with what to pass.
        RefusedError
            When the model's file is not one that sites run.
        TrainingError
            When no site answers.
        """
        from fedlab.judging import evaluate_model

        return evaluate_model(
            self,
            model,
            threshold=threshold,
            by=by,
            split=split,
            where=where,
            privacy=privacy,
            aggregation=aggregation,
            **options,
        )

    def asked_by(self, aggregation: str | SecureSum | None) -> Coordinator:
        """Who asks: one that sees single answers, or one that sees sums alone.

        Raises
        ------
        TrainingError
            For another word.
        """
        if aggregation == "plain" or aggregation is None:
            return self.coordinator
        how = SecureSum() if aggregation == "secure" else aggregation
        if not isinstance(how, SecureSum):
            raise TrainingError(
                "aggregation must be 'plain', 'secure' or a SecureSum.",
                f"{aggregation!r}",
                "Pass aggregation='secure'.",
            )
        identities = {site: each.identity for site, each in self._descriptions.items()}
        return SecureCoordinator(
            self.coordinator.connection,
            self.coordinator.seed,
            self.coordinator.declared,
            self.coordinator.simulated,
            how=how,
            identities=identities,
        )

    @property
    def privacy(self) -> PrivacySpend:
        """Privacy spent and left by site and by query, read from the sites' ledgers."""
        replies = self.coordinator.ask("statement", 0, self._each(ReadLedger()))
        answers = {site: reply.answer for site, reply in replies.items()}
        return spend_of({site: a for site, a in answers.items() if isinstance(a, Statement)})


def resume(path: str | Path, federation: Federation) -> Training:
    """Go on with a saved run; it keeps its id and its next rounds have the same bits.

    Parameters
    ----------
    path : path
        Written by `Training.save`.
    federation : Federation
        Of the same sites, columns and seed.

    Raises
    ------
    SaveFileError
        When the file is damaged, or belongs to another federation.
    """
    save = read_save(Path(path))
    problem = save.problem
    if sorted(problem.rows) != list(federation.sites):
        raise SaveFileError(
            "A run goes on with the sites it began with.",
            f"a save of {', '.join(map(repr, sorted(problem.rows)))}",
            "Make the federation of those sites.",
        )
    differs = [
        word
        for word, same in (
            ("columns", problem.space.schema == federation.schema),
            ("numbers of rows", problem.rows == federation.rows),
            ("seed", problem.seed == federation.seed),
        )
        if not same
    ]
    if differs:
        raise SaveFileError(
            "A run goes on with the columns, rows and seed it began with.",
            f"other {' and '.join(differs)}",
            "Make the federation as it was.",
        )
    return Training(
        federation.asked_by(save.secure),
        problem,
        save.strategy,
        privacy=save.privacy,
        evaluate=save.evaluate,
        id=save.run,
        rounds=save.rounds,
        charges=save.charges,
        inherited=save.inherited,
    )
