"""Writing an export: the facts are asked for, the files made, checked, signed and put in place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fedlab.coordinator import Coordinator
from fedlab.core.space import Space
from fedlab.errors import ExportError, TrainingError
from fedlab.evaluation import Evaluation, evaluate
from fedlab.export.agreement import check_agreement
from fedlab.export.card import write_card
from fedlab.export.estimators import dump_estimator
from fedlab.export.exported import ExportedModel
from fedlab.export.facts import CardFacts, SiteFacts
from fedlab.export.files import MANIFEST, SIGNATURE
from fedlab.export.graph import check_names, to_onnx
from fedlab.export.kinds import WITHOUT_TARGET, classes_of, grown, outputs_of, refuses_gaps
from fedlab.export.loading import load
from fedlab.export.manifest import Manifest, libraries, measure
from fedlab.export.page import as_page
from fedlab.export.place import replace_folder
from fedlab.export.signing import SigningKey
from fedlab.privacy import RecordDP, SiteDP
from fedlab.queries import Describe, Description, ReadLedger, Statement
from fedlab.spend import spend_of
from fedlab.strategies import Problem, State, Strategy

if TYPE_CHECKING:
    from fedlab.export.kinds import Fitted

__all__ = ["export_run", "export_training"]


def export_run(
    folder: str | Path,
    *,
    model: Fitted,
    space: Space,
    card: CardFacts,
    key: SigningKey,
    graph: bytes | None = None,
) -> ExportedModel:
    """Write a fitted model and what is known of it; asks no site.

    The same arguments and library versions give the same bytes in every file.

    Parameters
    ----------
    folder : path
        New, empty, or an earlier export, which is replaced. It appears whole or not at all.
    model : Pipeline or CoxEstimator
    space : Space
    card : CardFacts
    key : SigningKey
    graph : bytes, optional
        Of trees, from `fedlab.core.trees.onnx.to_onnx_trees`; others are drawn here.

    Raises
    ------
    ExportError
        When the folder holds something else, or the ONNX graph disagrees with the model.
    """
    if graph is None:
        graph = to_onnx(model, space)
    check_agreement(model, graph, space)
    text = write_card(model, space, card, key.public_key)
    files = {
        "card.html": as_page(text, f"Model card of {card.run}").encode(),
        "card.md": text.encode(),
        "model.onnx": graph,
    }
    # Why trees are left out says `fedlab.export.known`.
    if not grown(model):
        files["model.skops"] = dump_estimator(model)
    outputs = outputs_of(model)
    manifest = Manifest(
        run=card.run,
        public_key=key.public_key.hex(),
        fingerprint=key.fingerprint,
        libraries=libraries(),
        files=measure(files),
        target="" if outputs in WITHOUT_TARGET else space.schema.target,
        classes=classes_of(model),
        outputs=outputs,
        takes_gaps=not refuses_gaps(model, space.keeps_missing),
        inputs=space.schema.columns,
    ).encode()
    files |= {MANIFEST: manifest, SIGNATURE: key.sign(manifest)}
    signer = key.public_key
    exported = replace_folder(Path(folder), files, lambda written: load(written, signer=signer))
    return replace(exported, folder=Path(folder))


def export_training(
    folder: str | Path,
    *,
    coordinator: Coordinator,
    run: str,
    problem: Problem,
    strategy: Strategy,
    privacy: RecordDP | SiteDP | None,
    state: State,
    evaluation: Evaluation | None = None,
    key: SigningKey | None = None,
) -> ExportedModel:
    """Ask the sites what the card tells, then write the export.

    A run without privacy is evaluated where no evaluation is given. One with privacy is not, since
    exact scores are outside its ε: pass ``run.evaluate(privacy=...)``.

    Parameters
    ----------
    folder : path
    coordinator : Coordinator
    run, problem, strategy, privacy, state
        Of the training.
    evaluation : Evaluation, optional
    key : SigningKey, optional
        By default the user's own, see `SigningKey.load`.
    """
    not_evaluated = ""
    if evaluation is None:
        evaluation, not_evaluated = _evaluation(coordinator, run, problem, privacy, state)
    if evaluation is not None and (evaluation.run, evaluation.round) != (run, state.round):
        raise ExportError(
            "The evaluation on a card must be of the exported parameters.",
            f"one of {evaluation.run!r} at round {evaluation.round}",
            "Call evaluate() again, or leave it out.",
        )
    card = CardFacts(
        run=run,
        sites=_sites(coordinator, problem),
        model=repr(problem.model),
        strategy=repr(strategy),
        rounds=state.round,
        seed=problem.seed,
        privacy=privacy,
        secure=coordinator.adds,
        evaluation=evaluation,
        not_evaluated=not_evaluated,
        spend=spend_of(_statements(coordinator, problem)),
    )
    model = problem.model.estimator(
        state.parameters, problem.space, n_samples=problem.total_rows, n_iter=state.round
    )
    return export_run(
        folder,
        model=model,
        space=problem.space,
        card=card,
        key=key or SigningKey.load(),
        graph=_trees(problem, state) if grown(model) else None,
    )


def _trees(problem: Problem, state: State) -> bytes:
    from fedlab.core.trees.onnx import to_onnx_trees

    check_names(problem.space.schema.columns)
    return to_onnx_trees(problem.model, state.parameters, problem.space)


def _evaluation(
    coordinator: Coordinator,
    run: str,
    problem: Problem,
    privacy: RecordDP | SiteDP | None,
    state: State,
) -> tuple[Evaluation | None, str]:
    if problem.private or privacy is not None:
        return None, (
            "The run is private, and exact scores would be outside its ε. Pass "
            "evaluation=run.evaluate(privacy=...)."
        )
    try:
        return evaluate(coordinator, run, state.round, problem, state.parameters, None), ""
    except TrainingError as error:
        return None, f"{error.rule} Got {error.came}"


def _sites(coordinator: Coordinator, problem: Problem) -> tuple[SiteFacts, ...]:
    replies = coordinator.ask("describe", 0, dict.fromkeys(problem.rows, Describe()))
    described = {site: reply.answer for site, reply in replies.items()}
    return tuple(
        SiteFacts(
            name=site,
            train_rows=answer.train_rows,
            test_rows=answer.test_rows,
            simulated=answer.simulated,
            source=answer.source,
        )
        for site, answer in sorted(described.items())
        if isinstance(answer, Description)
    )


def _statements(coordinator: Coordinator, problem: Problem) -> dict[str, Statement]:
    replies = coordinator.ask("statement", 0, dict.fromkeys(problem.rows, ReadLedger()))
    answers = {site: reply.answer for site, reply in replies.items()}
    return {site: answer for site, answer in answers.items() if isinstance(answer, Statement)}
