"""The questions about one model, and the figures that follow from their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fedlab.core.parameters import Array
from fedlab.core.seeds import generator
from fedlab.errors import PrivacyError
from fedlab.evaluation import ALL_SITES
from fedlab.judging.confused import confusion_lines
from fedlab.judging.measures import between
from fedlab.judging.numbered import number_lines
from fedlab.judging.replies import Said, ask_sites, require, total
from fedlab.judging.result import GroupName, Judged
from fedlab.judging.scored import Group, Style, lines_of
from fedlab.privacy import RecordDP
from fedlab.queries.judge_confusion import Confusion, JudgeConfusion
from fedlab.queries.judge_scores import JudgeScores, ScoreTable
from fedlab.queries.judge_sums import NUMBER_SUMS, ErrorSums, JudgeSums

if TYPE_CHECKING:
    from fedlab.asking.bench import Bench
    from fedlab.secure_sum import SecureSum

__all__ = ["Outcome", "Way"]


@dataclass(frozen=True)
class Outcome:
    """What sites said, as figures: of all together and of each, by group."""

    by: dict[str, tuple[Judged, ...]]
    refusals: dict[str, Any]
    silent: dict[str, Any]
    answering: int
    edges: Array


@dataclass(frozen=True, kw_only=True)
class Way:
    """How the questions about one model are put."""

    federation: Bench
    asked: dict[str, Any]
    privacy: RecordDP | None
    aggregation: str | SecureSum
    style: Style
    stratified: bool
    names: tuple[GroupName, ...]

    def _ask(self, query: Any, kind: Any) -> Any:
        said = ask_sites(
            self.federation, query, kind, privacy=self.privacy, aggregation=self.aggregation
        )
        return said

    def _sums(self, **more: Any) -> Said[ErrorSums]:
        said: Said[ErrorSums] = self._ask(JudgeSums(**self.asked, **more), ErrorSums)
        return said

    def _random(self, group: int) -> np.random.Generator:
        return generator(self.federation.seed, "judged", group)

    def _noise(self, said: Said[Any], factors: int) -> dict[str, float]:
        size = np.sqrt(1 + factors)
        by = {site: float(each * size) for site, each in said.noise.items()}
        # Under a secure sum every site has added its own.
        if len(by) == 1 and said.answering > 1:
            return {site: each * float(np.sqrt(said.answering)) for site, each in by.items()}
        return by

    def scores(self, bins: int) -> Outcome:
        """Of two classes."""
        query = JudgeScores(**self.asked, threshold=self.style.threshold, bins=bins)
        said: Said[ScoreTable] = self._ask(query, ScoreTable)
        require(said)
        sums = self._sums() if self.privacy is None and self.style.calibrated else None
        noise = self._noise(said, len(query.factors))
        by = {}
        for label, sites in _shares(said):
            answers = {site: said.answers[site] for site in sites}
            lowest, highest = total(answers, "lowest"), total(answers, "highest")
            rows, shown = total(answers, "rows"), total(answers, "shown")
            exact = _told(sums, sites, said)
            pooled = label == ALL_SITES
            style = Style(
                edges=query.edges,
                threshold=self.style.threshold,
                level=self.style.level,
                times=self.style.times if pooled or self.privacy is not None else 0,
                noise=float(np.sqrt(sum(noise[site] ** 2 for site in sites))),
                calibrated=self.style.calibrated,
            )
            lines = []
            for place in range(len(self.names)):
                parts = [
                    between(answers[s].lowest[place], answers[s].highest[place]) for s in sites
                ]
                whole = between(lowest[place], highest[place])
                strata = np.array(parts if self.stratified else [whole])
                group = Group(
                    lowest[place],
                    highest[place],
                    float(rows[place]),
                    None if exact is None else exact[place],
                    strata,
                )
                found = lines_of(group, style, self._random(place))
                lines.append(
                    Judged(
                        float(rows[place]),
                        int(shown[place]),
                        group.unknown,
                        found,
                        lowest[place],
                        highest[place],
                    )
                )
            by[label] = tuple(lines)
        silent = {} if sums is None else sums.refusals
        return Outcome(by, said.refusals, silent, said.answering, query.edges)

    def confusion(self) -> Outcome:
        """Of many classes, or where classes alone are known."""
        query = JudgeConfusion(**self.asked)
        said: Said[Confusion] = self._ask(query, Confusion)
        require(said)
        losses = self.privacy is None and query.plan.reads != "label"
        sums = self._sums() if losses else None
        noise = self._noise(said, len(query.factors))
        by = {}
        for label, sites in _shares(said):
            answers = {site: said.answers[site] for site in sites}
            counts, rows = total(answers, "counts"), total(answers, "rows")
            shown, exact = total(answers, "shown"), _told(sums, sites, said)
            cells = total(answers, "cells")
            lines = []
            for place in range(len(self.names)):
                parts = [np.maximum(answers[site].counts[place], 0) for site in sites]
                found = confusion_lines(
                    counts[place],
                    float(rows[place]),
                    None if exact is None else exact[place],
                    np.array(parts if self.stratified else [np.sum(parts, axis=0)]),
                    self._random(place),
                    level=self.style.level,
                    times=self.style.times if label == ALL_SITES else 0,
                    noise=float(np.sqrt(sum(noise[site] ** 2 for site in sites))),
                )
                unknown = max(float(rows[place] - counts[place].sum()), 0.0)
                # A cell that some site holds back is not zero.
                told = np.where(cells[place] >= shown[place], counts[place], np.nan)
                lines.append(
                    Judged(float(rows[place]), int(shown[place]), unknown, found, told, told)
                )
            by[label] = tuple(lines)
        silent = {} if sums is None else sums.refusals
        return Outcome(by, said.refusals, silent, said.answering, np.array([0.0, 1.0]))

    def numbers(self) -> Outcome:
        """Of a target of numbers: its mean first, then its spread about that."""
        if self.privacy is not None:
            raise PrivacyError(
                "Judging with noise needs counts, which have a bound; errors of numbers have none.",
                f"a target of numbers, {self.federation.schema.target!r}",
                "Leave privacy out.",
            )
        first = self._sums()
        require(first)
        everybody = total(first.answers, "sums")[0, 0]
        rows = everybody[NUMBER_SUMS.index("rows")]
        center = everybody[NUMBER_SUMS.index("target")] / rows if rows > 0 else 0.0
        said = self._sums(center=float(center))
        require(said)
        by = {}
        for label, sites in _shares(said):
            answers = {site: said.answers[site] for site in sites}
            sums, shown = total(answers, "sums"), total(answers, "shown")
            by[label] = tuple(
                Judged(
                    float(sums[place, 0, 0]),
                    int(shown[place, 0]),
                    0.0,
                    number_lines(sums[place, 0], self.style.level),
                )
                for place in range(len(self.names))
            )
        return Outcome(by, said.refusals, {}, said.answering, np.array([0.0, 1.0]))


def _shares(said: Said[Any]) -> list[tuple[str, list[str]]]:
    """All sites together, and each on its own where that is known."""
    sites = sorted(said.answers)
    alone = [] if len(sites) == 1 and said.answering > 1 else [(site, [site]) for site in sites]
    return [(ALL_SITES, sites), *alone]


def _told(sums: Said[ErrorSums] | None, sites: Sequence[str], said: Said[Any]) -> Array | None:
    """Sums of all these sites; None where one of them does not tell them."""
    if sums is None or any(site not in sums.answers for site in sites):
        return None
    if len(sites) == len(said.answers) and sums.answering != said.answering:
        return None
    return total({site: sums.answers[site] for site in sites}, "sums")
